package shape

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Transpose is TRANSPOSE: axis i of the output is axis perm[i] of the input.
var Transpose = &op.Def{
	Code:     graph.OpCode(schema.TRANSPOSE),
	Name:     "TRANSPOSE",
	Operands: op.In("input", plainTypes|op.I4).In("perm", op.I32).Out("output", plainTypes|op.I4).As(0),
	Facts:    transposeFacts,
	Version:  transposeVersion,
	Since:    []string{"1.6.0", "1.14.0", "1.15.0", "2.3.0", "2.4.0", "2.12.0", "2.14.4", "2.22.0", "2.23.0"},
	Quant:    op.SameScale(0),
	Ref:      mover(transpose),
}

func transposeFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	perm, err := vector(c, 1, len(in))
	if err != nil {
		return err
	}
	out, seen := make(tensor.Shape, len(in)), make([]bool, len(in))
	for i, p := range perm {
		a, err := in.Axis(p)
		if err != nil {
			return err
		}
		if seen[a] {
			return fmt.Errorf("permutation %v names axis %d twice: %w", perm, a, tensor.ErrMalformed)
		}
		out[i], seen[a] = in[a], true
	}
	result(c, 0, 0, out)
	return nil
}

func transposeVersion(c *op.Call) int {
	rank := len(c.In[0].Shape)
	switch d := c.In[0].DType; {
	case d == tensor.Float16:
		return 9
	case rank > 6, d == tensor.BFloat16:
		return 8
	case d == tensor.Int4:
		return 7
	case rank > 5:
		return 6
	case rank > 4:
		return 4
	case d == tensor.Bool:
		return 3
	case d == tensor.Int8, d == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	}
	return 1
}

func transpose(r *op.Run) error {
	var b box
	in, out := r.In[0].Shape(), r.Out[0].Shape()
	from, to := strides(in), strides(out)
	for i, p := range op.I32s(r.In[1]) {
		a, err := in.Axis(int(p))
		if err != nil {
			return err
		}
		b.axis(out[i], to[i], from[a])
	}
	return b.move(r, r.Out[0], r.In[0])
}
