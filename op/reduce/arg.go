package reduce

import (
	"cmp"
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const argTypes = op.F32 | op.U8 | op.I8 | op.I32 | op.B

// ArgMax is ARG_MAX: the position of the greatest element along an axis, which is
// dropped; the first one wins.
var ArgMax = argDef(schema.ARG_MAX, op.ByType(0, map[tensor.DType]op.Maker{
	tensor.Float32: best(greaterThan[float32]), tensor.Int32: best(greaterThan[int32]), tensor.Int8: best(greaterThan[int8]),
	tensor.UInt8: best(greaterThan[uint8]), tensor.Bool: best(greaterThan[uint8]),
}))

// ArgMin is ARG_MIN: the position of the smallest element along an axis.
var ArgMin = argDef(schema.ARG_MIN, op.ByType(0, map[tensor.DType]op.Maker{
	tensor.Float32: best(lessThan[float32]), tensor.Int32: best(lessThan[int32]), tensor.Int8: best(lessThan[int8]),
	tensor.UInt8: best(lessThan[uint8]), tensor.Bool: best(lessThan[uint8]),
}))

func argDef(code schema.BuiltinOperator, ref op.Maker) *op.Def {
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("input", argTypes).In("axis", op.Index).Out("output", op.Index).Typed(),
		Facts:    argFacts,
		Version: func(c *op.Call) int {
			if c.In[0].DType == tensor.Bool {
				return 3
			}
			return version(c)
		},
		Since: []string{"1.9.0", "1.14.0", "2.9.0"},
		Quant: op.Quant{In: []op.Rule{op.Activation()}, No16: true},
		Ref:   ref,
	}
}

func argOutput(n *graph.Node) fb.TensorType {
	switch o := n.Options.(type) {
	case *fb.ArgMaxOptionsT:
		return o.OutputType
	case *fb.ArgMinOptionsT:
		return o.OutputType
	}
	return fb.TensorTypeFLOAT32
}

func argFacts(c *op.Call) error {
	switch t := argOutput(c.Node); t {
	case fb.TensorTypeINT32, fb.TensorTypeINT64:
		c.Out[0].DType = tensor.DType(t)
	default:
		return fmt.Errorf("positions of type %v: %w", t, tensor.ErrUnsupported)
	}
	in, axis, err := oneAxis(c)
	if err != nil {
		return err
	}
	if in[axis] == 0 {
		return fmt.Errorf("position along axis %d of shape %v: %w", axis, in, tensor.ErrShape)
	}
	c.Out[0].Shape, c.Out[0].Unknown = append(in[:axis:axis], in[axis+1:]...), false
	return nil
}

// oneAxis returns the input's shape and the axis that operand 1 names.
func oneAxis(c *op.Call) (tensor.Shape, int, error) {
	if c.In[0].Unknown {
		return nil, 0, op.ErrLater
	}
	v, err := c.Ints(1)
	if err != nil {
		return nil, 0, err
	}
	if len(v) != 1 {
		return nil, 0, fmt.Errorf("axis operand of shape %v: %w", c.In[1].Shape, tensor.ErrShape)
	}
	axis, err := c.In[0].Shape.Axis(v[0])
	return c.In[0].Shape, axis, err
}

// lines returns how a tensor falls into lines along the axis that operand 1
// names: outer times inner of them, with n elements inner apart.
func lines(r *op.Run) (outer, n, inner int, err error) {
	s := r.In[0].Shape()
	axis := 0
	if r.In[1].DType() == tensor.Int64 {
		axis = int(op.I64s(r.In[1])[0])
	} else {
		axis = int(op.I32s(r.In[1])[0])
	}
	if axis, err = s.Axis(axis); err != nil {
		return 0, 0, 0, err
	}
	outer, n, inner = 1, s[axis], 1
	for i, d := range s {
		switch {
		case i < axis:
			outer *= d
		case i > axis:
			inner *= d
		}
	}
	return outer, n, inner, nil
}

func greaterThan[T cmp.Ordered](x, best T) bool { return x > best || best != best && x == x }

func lessThan[T cmp.Ordered](x, best T) bool { return x < best || best != best && x == x }

func best[T float32 | int32 | int8 | uint8](better func(x, best T) bool) op.Maker {
	return op.Plain(func(r *op.Run) error {
		outer, n, inner, err := lines(r)
		if err != nil {
			return err
		}
		in := tensor.View[T](r.In[0].Bytes())
		for o := range outer {
			if r.Stop() {
				return op.ErrStopped
			}
			for i := range inner {
				line, at := in[o*n*inner+i:], 0
				for k := 1; k < n; k++ {
					if better(line[k*inner], line[at*inner]) {
						at = k
					}
				}
				put(r.Out[0], o*inner+i, at)
			}
		}
		return nil
	})
}

func put(t tensor.Tensor, i, v int) {
	if t.DType() == tensor.Int64 {
		op.I64s(t)[i] = int64(v)
	} else {
		op.I32s(t)[i] = int32(v)
	}
}
