package quantop

import (
	"errors"
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/flexbuffers"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// NumericVerify is the custom operator NumericVerify: the real values of the input
// less those of a reference. With log_if_failed and a tolerance of at least 0.1 a
// difference of more than tolerance times the scale is an error.
var NumericVerify = &op.Def{
	Code:     graph.Custom,
	Name:     "NumericVerify",
	Operands: op.In("input", op.Quants|op.F16).In("reference", op.F32).Out("difference", op.F32),
	Facts:    verifyFacts,
	Version:  func(*op.Call) int { return 1 },
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float16: verify(op.Plain(widen)),
		tensor.Int8:    verify(dequantize[int8]),
		tensor.UInt8:   verify(dequantize[uint8]),
		tensor.Int16:   verify(dequantize[int16]),
	}),
}

func verifyFacts(c *op.Call) error {
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	if ref := c.In[1].Shape; !c.In[1].Unknown && ref.Known() && s.Known() {
		have, err := ref.Elems()
		want, err2 := s.Elems()
		if err = errors.Join(err, err2); err != nil || have < want {
			return fmt.Errorf("input of shape %v, reference of shape %v: %w", s, ref, tensor.ErrShape)
		}
	}
	c.SetResult(0, tensor.Float32, s)
	return nil
}

// verify is the operator over a kernel that makes the input real.
func verify(dequantizer op.Maker) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		o, err := flexbuffers.Root(c.Node.CustomOptions)
		if err != nil {
			return op.Kernel{}, err
		}
		k, err := dequantizer(c)
		if err != nil {
			return op.Kernel{}, err
		}
		most := float32(math.Inf(1))
		if tolerance := float32(o.Get("tolerance").Float()); o.Get("log_if_failed").Bool() && tolerance >= 0.1 {
			most = tolerance * c.In[0].Quant.Scale()
		}
		return op.Kernel{Run: func(r *op.Run) error {
			if err := k.Run(r); err != nil {
				return err
			}
			out, reference := op.F32s(r.Out[0]), op.F32s(r.In[1])
			for i := range out {
				out[i] -= reference[i]
				if d := float32(math.Abs(float64(out[i]))); d > most {
					return fmt.Errorf("element %d is %v off the reference, more than %v: %w", i, d, most, tensor.ErrMalformed)
				}
			}
			return nil
		}}, nil
	}
}
