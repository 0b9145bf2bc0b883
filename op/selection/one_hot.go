package selection

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const oneHotTypes = op.F32 | op.I8 | op.U8 | op.I32 | op.I64 | op.B

// OneHot is ONE_HOT: along a new axis of depth positions, on at the one that an
// index names and off elsewhere. Indices are taken modulo 2³², as int32.
var OneHot = &op.Def{
	Code: graph.OpCode(schema.ONE_HOT),
	Name: "ONE_HOT",
	Operands: op.In("indices", op.Index).In("depth", op.I32).In("on", oneHotTypes).In("off", oneHotTypes).
		Out("output", oneHotTypes),
	Facts:   oneHotFacts,
	Version: version1,
	Since:   []string{"1.11.0"},
	Quant:   float,
	Ref: op.ByType(2, map[tensor.DType]op.Maker{
		tensor.Float32: oneHot[float32], tensor.Int8: oneHot[int8], tensor.UInt8: oneHot[uint8],
		tensor.Int32: oneHot[int32], tensor.Int64: oneHot[int64], tensor.Bool: oneHot[bool],
	}),
}

// oneHotAxis is the new axis among those of the result.
func oneHotAxis(n *graph.Node, indices tensor.Shape) (int, error) {
	axis := int(graph.Options[fb.OneHotOptionsT](n).Axis)
	if axis == -1 {
		axis = len(indices)
	}
	if axis < 0 || axis > len(indices) {
		return 0, fmt.Errorf("new axis %d for indices of shape %v: %w", axis, indices, tensor.ErrShape)
	}
	return axis, nil
}

func oneHotFacts(c *op.Call) error {
	c.Out[0].DType = c.In[2].DType
	if c.In[2].DType != c.In[3].DType {
		return fmt.Errorf("on of type %v and off of type %v: %w", c.In[2].DType, c.In[3].DType, tensor.ErrType)
	}
	for i := 1; i < 4; i++ {
		if err := c.CheckSingle(i); err != nil {
			return err
		}
	}
	indices, err := c.Shape(0)
	if err != nil {
		return err
	}
	axis, err := oneHotAxis(c.Node, indices)
	if err != nil {
		return err
	}
	depth, err := c.Number(1)
	if err != nil {
		return err
	}
	if depth < 0 {
		return fmt.Errorf("depth %d: %w", depth, tensor.ErrShape)
	}
	c.SetResult(0, c.In[2].DType, slices.Concat(indices[:axis], tensor.Shape{depth}, indices[axis:]))
	return nil
}

func oneHot[T float32 | int8 | uint8 | int32 | int64 | bool](c *op.Call) (op.Kernel, error) {
	n := c.Node
	return op.Kernel{Run: func(r *op.Run) error {
		s := r.In[0].Shape()
		axis, err := oneHotAxis(n, s)
		if err != nil {
			return err
		}
		inner := 1
		for _, d := range s[axis:] {
			inner *= d
		}
		out := tensor.View[T](r.Out[0].Bytes())
		depth, on, off := r.Out[0].Shape()[axis], tensor.View[T](r.In[2].Bytes())[0], tensor.View[T](r.In[3].Bytes())[0]
		for i := range out {
			if i%4096 == 0 && r.Stop() {
				return op.ErrStopped
			}
			row := i / inner
			out[i] = off
			if int(int32(index(r.In[0], row/depth*inner+i%inner))) == row%depth {
				out[i] = on
			}
		}
		return nil
	}}, nil
}
