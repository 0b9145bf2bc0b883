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

const splitTypes = op.F32 | op.I8 | op.U8 | op.I16 | op.I32 | op.I64

// Slice is SLICE: size elements from begin on along each axis; size -1 goes to
// the end.
var Slice = &op.Def{
	Code:     graph.OpCode(schema.SLICE),
	Name:     "SLICE",
	Operands: op.In("input", plainTypes|op.Str|op.I4).In("begin", op.Index).In("size", op.Index).Out("output", plainTypes|op.Str|op.I4).As(0),
	Facts:    sliceFacts,
	Version:  sliceVersion,
	Since:    []string{"1.14.0", "1.14.0", "1.14.0", "2.4.0", "2.5.0", "2.14.0", "2.21.0", "2.23.0"},
	Quant:    op.SameScale(0),
	Ref:      mover(slice),
}

// Split is SPLIT: operand 1 cut into num_splits equal parts along the axis that the
// first element of operand 0 names.
var Split = &op.Def{
	Code:     graph.OpCode(schema.SPLIT),
	Name:     "SPLIT",
	Operands: op.In("axis", op.Index).In("input", splitTypes).ManyOut("outputs", splitTypes).As(1),
	Facts:    splitFacts,
	Version: atType(1, map[tensor.DType]int{tensor.Int32: 3, tensor.Int8: 2,
		tensor.Int16: 2}), // written 16x8 files carry the int8 version
	Since: []string{"1.5.0", "1.14.0", "1.14.0", "2.3.0", "2.23.0"},
	Quant: op.SameScale(1),
	Ref:   mover(func(r *op.Run) error { return cutAlong(r, r.In[1], index(r.In[0], 0)) }),
}

// SplitV is SPLIT_V: operand 0 cut into parts of the sizes that operand 1 lists
// (one may be -1) along the axis that the first element of operand 2 names.
var SplitV = &op.Def{
	Code:     graph.OpCode(schema.SPLIT_V),
	Name:     "SPLIT_V",
	Operands: op.In("input", splitTypes).In("sizes", op.Index).In("axis", op.Index).ManyOut("outputs", splitTypes).As(0),
	Facts:    splitVFacts,
	Version:  atType(0, map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 2}), // written 16x8 files carry the int8 version
	Since:    []string{"1.13.1", "2.3.0", "2.23.0"},
	Quant:    op.SameScale(0),
	Ref:      mover(func(r *op.Run) error { return cutAlong(r, r.In[0], index(r.In[2], 0)) }),
}

// Unpack is UNPACK: the input's slices along an axis, which is dropped.
var Unpack = &op.Def{
	Code:     graph.OpCode(schema.UNPACK),
	Name:     "UNPACK",
	Operands: op.In("input", unpackTypes).ManyOut("outputs", unpackTypes).As(0),
	Facts:    unpackFacts,
	Version: atType(0, map[tensor.DType]int{tensor.Int8: 2, tensor.UInt8: 2, tensor.Bool: 3, tensor.Float16: 5,
		tensor.BFloat16: 5}), // written 16x8 files carry version 1
	Since: []string{"1.11.0", "1.14.0", "2.2.0", "2.3.0", "2.22.0", "2.23.0"},
	Quant: op.SameScale(0),
	Ref: func(c *op.Call) (op.Kernel, error) {
		if err := sameParameters(c, slices.Concat(c.In, c.Out)...); err != nil {
			return op.Kernel{}, err
		}
		axis := int(graph.Options[fb.UnpackOptionsT](c.Node).Axis)
		return mover(func(r *op.Run) error { return cutAlong(r, r.In[0], axis) })(c)
	},
}

const unpackTypes = op.F32 | op.F16 | op.BF16 | op.I8 | op.U8 | op.I16 | op.I32 | op.B

func sliceFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	begin, err := vector(c, 1, len(in))
	if err != nil {
		return err
	}
	size, err := vector(c, 2, len(in))
	if err != nil {
		return err
	}
	out := make(tensor.Shape, len(in))
	for i, n := range in {
		b, s := begin[i], size[i]
		switch {
		case b < 0 || s < -1 || n >= 0 && (b > n || s > n-b):
			return fmt.Errorf("%d elements from %d on of an axis of %d: %w", s, b, n, tensor.ErrShape)
		case s >= 0:
			out[i] = s
		case n < 0:
			out[i] = -1
		default:
			out[i] = n - b
		}
	}
	result(c, 0, 0, out)
	return nil
}

func sliceVersion(c *op.Call) int {
	switch d := c.In[0].DType; {
	case d == tensor.Float16:
		return 8
	case d == tensor.Int4:
		return 7
	case d == tensor.UInt32:
		return 6
	case len(c.In[0].Shape) > 4:
		return 5
	case d == tensor.String:
		return 3
	case d == tensor.Int8, d == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	}
	return 1
}

func slice(r *op.Run) error {
	var b box
	in, out := r.In[0].Shape(), r.Out[0].Shape()
	from, to := strides(in), strides(out)
	for i, n := range out {
		b.srcAt += index(r.In[1], i) * from[i]
		b.axis(n, to[i], from[i])
	}
	return b.move(r, r.Out[0], r.In[0])
}

func splitFacts(c *op.Call) error {
	o := graph.Options[fb.SplitOptionsT](c.Node)
	if int(o.NumSplits) != len(c.Out) {
		return fmt.Errorf("%d results, num_splits is %d: %w", len(c.Out), o.NumSplits, tensor.ErrMalformed)
	}
	in, axis, err := along(c, 1, 0)
	if err != nil {
		return err
	}
	part := in[axis]
	if part >= 0 {
		if part%len(c.Out) != 0 {
			return fmt.Errorf("axis %d of shape %v in %d parts: %w", axis, in, len(c.Out), tensor.ErrShape)
		}
		part /= len(c.Out)
	}
	for k := range c.Out {
		out := in.Clone()
		out[axis] = part
		result(c, k, 1, out)
	}
	return nil
}

// along returns the shape of operand i and the axis that the first element of
// operand k names.
func along(c *op.Call, i, k int) (tensor.Shape, int, error) {
	in, err := ranked(c, i)
	if err != nil {
		return nil, 0, err
	}
	v, err := c.Ints(k)
	if err != nil {
		return nil, 0, err
	}
	if len(v) == 0 {
		return nil, 0, fmt.Errorf("axis operand of shape %v: %w", c.In[k].Shape, tensor.ErrShape)
	}
	axis, err := in.Axis(v[0])
	return in, axis, err
}

func splitVFacts(c *op.Call) error {
	o := graph.Options[fb.SplitVOptionsT](c.Node)
	if int(o.NumSplits) != len(c.Out) {
		return fmt.Errorf("%d results, num_splits is %d: %w", len(c.Out), o.NumSplits, tensor.ErrMalformed)
	}
	in, axis, err := along(c, 0, 2)
	if err != nil {
		return err
	}
	sizes, err := vector(c, 1, len(c.Out))
	if err != nil {
		return err
	}
	rest, hole := in[axis], -1
	for i, s := range sizes {
		switch {
		case s == -1 && hole < 0:
			hole = i
		case s < 0 || in[axis] >= 0 && s > rest:
			return fmt.Errorf("parts %v of axis %d of shape %v: %w", sizes, axis, in, tensor.ErrShape)
		default:
			rest -= s
		}
	}
	if in[axis] < 0 {
		rest = -1
	}
	if hole < 0 && rest > 0 {
		return fmt.Errorf("parts %v of axis %d of shape %v: %w", sizes, axis, in, tensor.ErrShape)
	}
	for k := range c.Out {
		out := in.Clone()
		if out[axis] = sizes[k]; k == hole {
			out[axis] = rest
		}
		result(c, k, 0, out)
	}
	return nil
}

func unpackFacts(c *op.Call) error {
	o := graph.Options[fb.UnpackOptionsT](c.Node)
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	axis, err := in.Axis(int(o.Axis))
	if err != nil {
		return err
	}
	if int(o.Num) != len(c.Out) || in[axis] >= 0 && in[axis] != len(c.Out) {
		return fmt.Errorf("%d results, num is %d, axis %d of shape %v: %w", len(c.Out), o.Num, axis, in, tensor.ErrShape)
	}
	for k := range c.Out {
		result(c, k, 0, append(in[:axis:axis], in[axis+1:]...))
	}
	return nil
}

// cutAlong deals consecutive parts along an axis of a tensor to the results.
func cutAlong(r *op.Run, in tensor.Tensor, axis int) error {
	axis, err := in.Shape().Axis(axis)
	if err != nil {
		return err
	}
	outer, row := around(in.Shape(), axis)
	at := 0
	for _, t := range r.Out {
		n := 0
		if outer > 0 {
			n = t.Len() / outer
		}
		b := box{srcAt: at}
		b.axis(outer, n, row)
		b.axis(n, 1, 1)
		if err := b.move(r, t, in); err != nil {
			return err
		}
		at += n
	}
	return nil
}
