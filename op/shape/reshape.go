// Package shape holds the operators that move elements without changing them.
package shape

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{
	Reshape, Squeeze, ExpandDims, Shape, Rank,
	StridedSlice, Slice, Split, SplitV, Unpack,
	Concatenation, Pack, Pad, PadV2, MirrorPad, Transpose,
	Gather, GatherND, ScatterND, DynamicUpdateSlice,
	Tile, BroadcastTo, BroadcastArgs, ReverseV2, ReverseSequence, Fill, ZerosLike, Range,
	SpaceToDepth, DepthToSpace, SpaceToBatchND, BatchToSpaceND, ResizeBilinear, ResizeNearest,
}

// Reshape is RESHAPE: the same elements under the shape that operand 1 or the
// options name, in which one dimension may be -1.
var Reshape = &op.Def{
	Code:     graph.OpCode(schema.RESHAPE),
	Name:     "RESHAPE",
	Operands: op.In("input", op.Any).Opt("shape", op.Index).Out("output", op.Any).Like(0),
	Facts:    reshapeFacts,
	View:     true,
	Alias:    []int{0},
	Version:  func(*op.Call) int { return 1 },
	Since:    []string{"1.5.0"},
	Quant:    op.SameScale(0),
	Ref:      op.Plain(Copy),
}

// Copy is the kernel of operators whose result has operand 0's bytes; where the
// planner gave both the same memory it does nothing.
func Copy(r *op.Run) error {
	if t := r.Out[0]; t.DType().Bits() == 0 {
		r.Out[0] = tensor.Raw(t.DType(), t.Shape(), t.Quant(), r.In[0].Bytes())
		return nil
	}
	src, dst := r.In[0].Bytes(), r.Out[0].Bytes()
	if len(src) > 0 && len(dst) > 0 && &src[0] != &dst[0] {
		copy(dst, src)
	}
	return nil
}

func reshapeFacts(c *op.Call) error {
	want, err := reshapeTarget(c)
	if err != nil {
		return err
	}
	in := &c.In[0]
	if in.Unknown {
		return op.ErrLater
	}
	out, err := Resolve(in.Shape, want)
	if err != nil {
		return err
	}
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	return nil
}

// reshapeTarget returns the value of a shape operand that is an int32 vector, else
// what the options say: nothing is a scalar.
func reshapeTarget(c *op.Call) (tensor.Shape, error) {
	if c.Has(1) && c.In[1].DType == tensor.Int32 && (len(c.In[1].Shape) == 1 || c.In[1].Const == nil) {
		v, err := c.Ints(1)
		return v, err
	}
	o := graph.Options[fb.ReshapeOptionsT](c.Node)
	s := make(tensor.Shape, len(o.NewShape))
	for i, d := range o.NewShape {
		s[i] = int(d)
	}
	if len(s) == 1 && s[0] == 0 { // how old converters write a scalar
		s = tensor.Shape{}
	}
	return s, nil
}

// Resolve fills in the one -1 of a target shape so that it has as many elements
// as the input. Where the input has an unknown dimension the -1 stays, and where
// the target has none it is taken as it is. If both have a dimension 0, the others
// alone decide.
func Resolve(in, want tensor.Shape) (tensor.Shape, error) {
	out, hole, n, some := want.Clone(), -1, 1, 1
	for i, d := range want {
		switch {
		case d == -1 && hole >= 0:
			return nil, fmt.Errorf("shape %v has more than one -1: %w", want, tensor.ErrShape)
		case d == -1:
			hole = i
		case d < 0:
			return nil, fmt.Errorf("dimension %d: %w", d, tensor.ErrShape)
		default:
			const most = math.MaxInt / 128
			if d > 0 && some > most/d {
				return nil, fmt.Errorf("shape %v: %w", want, tensor.ErrLimit)
			}
			n *= d
			some *= max(d, 1)
		}
	}
	if !in.Known() {
		return out, nil
	}
	total, err := in.Elems()
	if err != nil {
		return nil, err
	}
	if hole >= 0 {
		out[hole] = total / some
		if n == 0 {
			out[hole] = nonZero(in) / some
		}
		n *= out[hole]
	}
	if n != total {
		return nil, fmt.Errorf("%v does not reshape to %v: %w", in, want, tensor.ErrShape)
	}
	return out, nil
}

// nonZero is the product of the dimensions that are not 0.
func nonZero(s tensor.Shape) int {
	n := 1
	for _, d := range s {
		n *= max(d, 1)
	}
	return n
}
