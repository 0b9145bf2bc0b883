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

const (
	gatherTypes   = op.F32 | op.F16 | op.BF16 | op.I8 | op.U8 | op.I16 | op.I32 | op.I64 | op.B | op.Str
	gatherIndices = op.I16 | op.I32 | op.I64
)

// Gather is GATHER: slices of the input at positions along an axis, for each
// entry of the first batch_dims axes on its own.
var Gather = &op.Def{
	Code:     graph.OpCode(schema.GATHER),
	Name:     "GATHER",
	Operands: op.In("input", gatherTypes|op.I4).In("positions", gatherIndices).Out("output", gatherTypes|op.I4).As(0),
	Facts:    gatherFacts,
	Version:  gatherVersion,
	Since:    []string{"1.6.0", "1.14.0", "1.15.0", "2.4.0", "2.5.0", "2.13.0", "2.15.0", "2.23.0"},
	Quant:    gatherQuant(),
	Ref: func(c *op.Call) (op.Kernel, error) {
		o := *graph.Options[fb.GatherOptionsT](c.Node)
		return mover(func(r *op.Run) error { return gather(r, &o) })(c)
	},
}

// GatherND is GATHER_ND: slices of params, each at the leading indices that a row
// of operand 1 lists.
var GatherND = &op.Def{
	Code:     graph.OpCode(schema.GATHER_ND),
	Name:     "GATHER_ND",
	Operands: op.In("params", gatherTypes).In("indices", gatherIndices).Out("output", gatherTypes).As(0),
	Facts:    gatherNDFacts,
	Version:  gatherNDVersion,
	Since:    []string{"1.14.0", "2.3.0", "2.5.0", "2.13.0", "2.16.0", "2.23.0"},
	Quant:    op.SameScale(0),
	Ref:      mover(gatherND),
}

// gatherQuant: dynamic range quantization stores the table, and with it the
// result, as integers.
func gatherQuant() op.Quant {
	q := op.SameScale(0)
	q.Weights = []int{0}
	return q
}

func gatherVersion(c *op.Call) int {
	switch d := c.In[0].DType; {
	case d == tensor.Int4:
		return 7
	case c.In[1].DType == tensor.Int16:
		return 6
	case graph.Options[fb.GatherOptionsT](c.Node).BatchDims != 0:
		return 5
	case d == tensor.Bool:
		return 3
	case d == tensor.Int8, d == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	}
	return 1
}

func gatherNDVersion(c *op.Call) int {
	switch d := c.In[0].DType; {
	case d == tensor.Bool:
		return 5
	case c.In[1].DType == tensor.Int16:
		return 4
	case d == tensor.Int16:
		return 3
	case d == tensor.String:
		return 2
	}
	return 1
}

// gatherAxes resolves axis and batch_dims for operands of the given shapes.
func gatherAxes(o *fb.GatherOptionsT, in, positions tensor.Shape) (axis, batch int, err error) {
	if axis, err = in.Axis(int(o.Axis)); err != nil {
		return 0, 0, err
	}
	batch = int(o.BatchDims)
	if batch < 0 {
		batch += len(positions)
	}
	if batch < 0 || batch > axis || batch > len(positions) {
		return 0, 0, fmt.Errorf("batch_dims %d for axis %d and positions of shape %v: %w", o.BatchDims, axis, positions, tensor.ErrShape)
	}
	return axis, batch, nil
}

func gatherFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	positions, err := ranked(c, 1)
	if err != nil {
		return err
	}
	axis, batch, err := gatherAxes(graph.Options[fb.GatherOptionsT](c.Node), in, positions)
	if err != nil {
		return err
	}
	for i := range batch {
		if a, b := in[i], positions[i]; a >= 0 && b >= 0 && a != b {
			return fmt.Errorf("batches of shapes %v and %v: %w", in, positions, tensor.ErrShape)
		}
	}
	result(c, 0, 0, slices.Concat(in[:axis], positions[batch:], in[axis+1:]))
	return nil
}

func gather(r *op.Run, o *fb.GatherOptionsT) error {
	in, positions := r.In[0].Shape(), r.In[1].Shape()
	axis, batch, err := gatherAxes(o, in, positions)
	if err != nil {
		return err
	}
	size := r.Out[0].DType().Size()
	slice := size
	for _, d := range in[axis+1:] {
		slice *= d
	}
	batches, _ := around(in, batch)
	_, each := around(positions, batch)
	outer := 1
	for _, d := range in[batch:axis] {
		outer *= d
	}
	dst, src := r.Out[0].Bytes(), r.In[0].Bytes()
	for b := range batches {
		for k := range outer {
			if r.Stop() {
				return op.ErrStopped
			}
			for i := range each {
				at := index(r.In[1], b*each+i)
				if at < 0 || at >= in[axis] {
					return fmt.Errorf("position %d of an axis of %d: %w", at, in[axis], tensor.ErrMalformed)
				}
				to, from := ((b*outer+k)*each+i)*slice, ((b*outer+k)*in[axis]+at)*slice
				copy(dst[to:to+slice], src[from:from+slice])
			}
		}
	}
	return nil
}

func gatherNDFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	indices, err := ranked(c, 1)
	if err != nil {
		return err
	}
	if len(in) == 0 || len(indices) == 0 {
		return fmt.Errorf("params of shape %v, indices of shape %v: %w", in, indices, tensor.ErrShape)
	}
	rows, depth := indices[:len(indices)-1], indices[len(indices)-1]
	if depth < 0 {
		return op.ErrLater
	}
	if depth > len(in) {
		return fmt.Errorf("indices of %d axes for params of shape %v: %w", depth, in, tensor.ErrShape)
	}
	result(c, 0, 0, slices.Concat(rows, in[depth:]))
	return nil
}

func gatherND(r *op.Run) error {
	size := r.Out[0].DType().Size()
	dst, src := r.Out[0].Bytes(), r.In[0].Bytes()
	return eachRow(r.In[1], r.In[0].Shape(), func(row, at, n int) error {
		if row%1024 == 0 && r.Stop() {
			return op.ErrStopped
		}
		copy(dst[row*n*size:][:n*size], src[at*size:])
		return nil
	})
}

// eachRow calls f with each row of an index tensor and the slice of a tensor of
// shape s that it names: the first element and their number.
func eachRow(indices tensor.Tensor, s tensor.Shape, f func(row, at, n int) error) error {
	shape := indices.Shape()
	depth := shape[len(shape)-1]
	rows, _ := around(shape, len(shape)-1)
	step := strides(s)
	_, n := around(s, depth)
	for row := range rows {
		at := 0
		for k := range depth {
			i := index(indices, row*depth+k)
			if i < 0 || i >= s[k] {
				return fmt.Errorf("index %d of an axis of %d: %w", i, s[k], tensor.ErrMalformed)
			}
			at += i * step[k]
		}
		if err := f(row, at, n); err != nil {
			return err
		}
	}
	return nil
}
