package grad

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// reduction is the rule of SUM and MEAN.
func reduction(mean bool) Rule {
	return func(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
		axes, err := b.Known(n.Inputs[1])
		if err != nil {
			return nil, err
		}
		return only(n, 0, b.Node(training.ReduceGradCode, &training.Reduction{Axes: axes, Mean: mean}, dy[0], n.Inputs[0])), nil
	}
}

// extreme is the rule of REDUCE_MAX and REDUCE_MIN: elements that are equally
// extreme share the gradient.
func extreme(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	axes, err := b.Known(n.Inputs[1])
	if err != nil {
		return nil, err
	}
	x := n.Inputs[0]
	spread := func(v graph.ValueID) graph.ValueID {
		return b.Node(training.ReduceGradCode, &training.Reduction{Axes: axes}, v, x)
	}
	same := b.compared(schema.EQUAL, x, spread(n.Outputs[0]))
	chosen := b.Of(schema.CAST, &fb.CastOptionsT{InDataType: fb.TensorTypeBOOL, OutDataType: fb.TensorTypeFLOAT32}, same)
	share := b.Quotient(dy[0], b.Of(schema.SUM, n.Options, chosen, n.Inputs[1]))
	return only(n, 0, b.Product(chosen, spread(share))), nil
}

// cumsum: the sum of what follows.
func cumsum(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	o := *graph.Options[fb.CumsumOptionsT](n)
	o.Reverse = !o.Reverse
	return only(n, 0, b.Of(schema.CUMSUM, &o, dy[0], n.Inputs[1])), nil
}

func reshape(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	return only(n, 0, b.Node(training.ReshapeLikeCode, nil, dy[0], n.Inputs[0])), nil
}

// transpose by the inverse permutation.
func transpose(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	perm, err := b.Known(n.Inputs[1])
	if err != nil {
		return nil, err
	}
	inverse := make([]int, len(perm))
	for i, p := range perm {
		a, err := tensor.Shape(perm).Axis(p)
		if err != nil {
			return nil, err
		}
		inverse[a] = i
	}
	return only(n, 0, b.Of(schema.TRANSPOSE, nil, dy[0], b.Ints(inverse...))), nil
}

// concatenation cuts the gradient into the operands' parts.
func concatenation(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	o := graph.Options[fb.ConcatenationOptionsT](n)
	sizes, axis := make([]int, len(n.Inputs)), 0
	for k, v := range n.Inputs {
		s, err := b.Shape(v)
		if err != nil {
			return nil, err
		}
		if axis, err = s.Axis(int(o.Axis)); err != nil {
			return nil, err
		}
		sizes[k] = s[axis]
	}
	types := make([]tensor.DType, len(sizes))
	for k := range types {
		types[k] = tensor.Float32
	}
	parts := &fb.SplitVOptionsT{NumSplits: int32(len(sizes))}
	return b.Nodes(graph.OpCode(schema.SPLIT_V), parts, types, dy[0], b.Ints(sizes...), b.axis(axis)), nil
}

// axis appends an int32 scalar.
func (b *Builder) axis(a int) graph.ValueID {
	v := b.Ints(a)
	b.Graph.Value(v).Shape = tensor.Shape{}
	return v
}

// complete replaces the gradients of results that nothing depends on by zeros.
func (b *Builder) complete(n *graph.Node, dy []graph.ValueID) []graph.ValueID {
	all := make([]graph.ValueID, len(dy))
	for k, g := range dy {
		if all[k] = g; g == graph.None {
			all[k] = b.Of(schema.ZEROS_LIKE, nil, n.Outputs[k])
		}
	}
	return all
}

// split is the rule of SPLIT and SPLIT_V, which have x and the axis at different
// places: it joins the parts' gradients.
func split(x, axis int) Rule {
	return func(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
		a, err := b.Known(n.Inputs[axis])
		if err != nil {
			return nil, err
		}
		return only(n, x, b.Of(schema.CONCATENATION, &fb.ConcatenationOptionsT{Axis: int32(a[0])}, b.complete(n, dy)...)), nil
	}
}

func pack(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	types := make([]tensor.DType, len(n.Inputs))
	for k := range types {
		types[k] = tensor.Float32
	}
	o := &fb.UnpackOptionsT{Num: int32(len(types)), Axis: graph.Options[fb.PackOptionsT](n).Axis}
	return b.Nodes(graph.OpCode(schema.UNPACK), o, types, dy[0]), nil
}

func unpack(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	o := &fb.PackOptionsT{ValuesCount: int32(len(dy)), Axis: graph.Options[fb.UnpackOptionsT](n).Axis}
	return []graph.ValueID{b.Of(schema.PACK, o, b.complete(n, dy)...)}, nil
}

// pad cuts the margins off.
func pad(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	margins, err := b.Known(n.Inputs[1])
	if err != nil {
		return nil, err
	}
	rank := len(margins) / 2
	begin, end, stride := make([]int, rank), make([]int, rank), make([]int, rank)
	o := &fb.StridedSliceOptionsT{}
	for i := range rank {
		begin[i], end[i], stride[i] = margins[2*i], -margins[2*i+1], 1
		if end[i] == 0 {
			o.EndMask |= 1 << i
		}
	}
	return only(n, 0, b.Of(schema.STRIDED_SLICE, o, dy[0], b.Ints(begin...), b.Ints(end...), b.Ints(stride...))), nil
}

// moved is the rule of operators that only move elements of their first operand.
func moved(d *op.Def) Rule {
	return func(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
		in := append([]graph.ValueID{dy[0]}, n.Inputs...)
		return only(n, 0, b.Node(training.MoveGradCode, &training.Move{Def: d, Node: n}, in...)), nil
	}
}
