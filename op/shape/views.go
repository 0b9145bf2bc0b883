package shape

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Squeeze is SQUEEZE: the input without the axes of size 1 that the options list,
// without all of them where they list none.
var Squeeze = &op.Def{
	Code:     graph.OpCode(schema.SQUEEZE),
	Name:     "SQUEEZE",
	Operands: op.In("input", viewTypes).Out("output", viewTypes).As(0),
	Facts:    squeezeFacts,
	View:     true,
	Alias:    []int{0},
	Version:  atType(0, map[tensor.DType]int{tensor.String: 2}),
	Since:    []string{"1.6.0", "2.5.0"},
	Quant:    op.SameScale(0),
	Ref:      op.Plain(Copy),
}

// ExpandDims is EXPAND_DIMS: the input with an axis of size 1 put before axis
// operand 1, a single number; -1 appends it.
var ExpandDims = &op.Def{
	Code:     graph.OpCode(schema.EXPAND_DIMS),
	Name:     "EXPAND_DIMS",
	Operands: op.In("input", viewTypes).In("axis", op.Index).Out("output", viewTypes).As(0),
	Facts:    expandDimsFacts,
	View:     true,
	Alias:    []int{0},
	Version:  func(*op.Call) int { return 1 },
	Since:    []string{"1.10.0"},
	Quant:    op.SameScale(0),
	Ref:      op.Plain(Copy),
}

const viewTypes = plainTypes | op.Str | op.I4 | op.U4 | op.I2 | op.C128

func squeezeFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	drop := make([]bool, len(in))
	axes := graph.Options[fb.SqueezeOptionsT](c.Node).SqueezeDims
	for _, x := range axes {
		a, err := in.Axis(int(x))
		if err != nil {
			return err
		}
		if in[a] > 1 || in[a] == 0 {
			return fmt.Errorf("axis %d of shape %v is not 1: %w", a, in, tensor.ErrShape)
		}
		drop[a] = true
	}
	out := tensor.Shape{}
	for i, d := range in {
		switch {
		case len(axes) == 0 && d < 0:
			return op.ErrLater
		case len(axes) == 0 && d == 1 || drop[i]:
		default:
			out = append(out, d)
		}
	}
	result(c, 0, 0, out)
	return nil
}

func expandDimsFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	axis, err := c.Ints(1)
	if err != nil {
		return err
	}
	if len(axis) != 1 {
		return fmt.Errorf("axis operand of shape %v: %w", c.In[1].Shape, tensor.ErrShape)
	}
	a := axis[0]
	if a < 0 {
		a += len(in) + 1
	}
	if a < 0 || a > len(in) || len(in) == maxRank {
		return fmt.Errorf("axis %d into shape %v: %w", axis[0], in, tensor.ErrShape)
	}
	result(c, 0, 0, slices.Insert(in.Clone(), a, 1))
	return nil
}
