package reduce

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const cumTypes = op.F32 | op.I32 | op.I64

// CumSum is CUMSUM: running sums along an axis, from its end with reverse,
// without the element itself with exclusive.
var CumSum = &op.Def{
	Code:     graph.OpCode(schema.CUMSUM),
	Name:     "CUMSUM",
	Operands: op.In("input", cumTypes).In("axis", op.I32).Out("output", cumTypes),
	Facts:    cumFacts,
	Version:  func(*op.Call) int { return 1 },
	Since:    []string{"2.4.0"},
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: cumSum[float32], tensor.Int32: cumSum[int32], tensor.Int64: cumSum[int64],
	}),
}

func cumFacts(c *op.Call) error {
	if c.In[1].Const != nil {
		if _, _, err := oneAxis(c); err != nil {
			return err
		}
	} else if s := c.In[1].Shape; !c.In[1].Unknown && s.Known() {
		if n, err := s.Elems(); err != nil || n != 1 {
			return fmt.Errorf("axis operand of shape %v: %w", s, tensor.ErrShape)
		}
	}
	c.Out[0].DType, c.Out[0].Shape, c.Out[0].Unknown = c.In[0].DType, c.In[0].Shape, c.In[0].Unknown
	return nil
}

func cumSum[T float32 | int32 | int64](c *op.Call) (op.Kernel, error) {
	o := *graph.Options[fb.CumsumOptionsT](c.Node)
	return op.Kernel{Run: func(r *op.Run) error {
		outer, n, inner, err := lines(r)
		if err != nil {
			return err
		}
		in, out := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.Out[0].Bytes())
		for line := range outer * inner {
			if r.Stop() {
				return op.ErrStopped
			}
			first, step := line/inner*n*inner+line%inner, inner
			if o.Reverse {
				first, step = first+(n-1)*inner, -inner
			}
			var sum T
			for k := range n {
				i := first + k*step
				if o.Exclusive {
					out[i] = sum
				}
				sum += in[i]
				if !o.Exclusive {
					out[i] = sum
				}
			}
		}
		return nil
	}}, nil
}
