package segment

import (
	"errors"
	"slices"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func floats(s ...int) op.Fact { return op.Fact{Present: true, DType: tensor.Float32, Shape: s} }

func numbers(s ...int) op.Fact { return op.Fact{Present: true, DType: tensor.Int32, Shape: s} }

// known is a known int32 tensor.
func known(s tensor.Shape, v ...int32) op.Fact {
	return op.Fact{Present: true, DType: tensor.Int32, Shape: s, Const: append(tensor.Aligned(0), tensor.BytesOf(v)...)}
}

func call(d *op.Def, in ...op.Fact) *op.Call {
	return &op.Call{Node: &graph.Node{Op: d.Code}, In: in, Out: []op.Fact{{Present: true, DType: tensor.Float32}}}
}

// TestFacts holds what no golden shows: unknown shapes and bad operands.
func TestFacts(t *testing.T) {
	unknown := op.Fact{Present: true, DType: tensor.Float32, Unknown: true}
	two := known(tensor.Shape{}, 2)
	for _, c := range []struct {
		name string
		def  *op.Def
		in   []op.Fact
		want tensor.Shape
		err  error
	}{
		{"sorted", SegmentSum, []op.Fact{floats(3, -1), known(tensor.Shape{3}, 0, 0, 1)}, tensor.Shape{2, -1}, nil},
		{"unknown numbers", SegmentSum, []op.Fact{floats(3, 2), numbers(3)}, nil, op.ErrLater},
		{"unknown input", SegmentSum, []op.Fact{unknown, known(tensor.Shape{3}, 0, 0, 1)}, nil, op.ErrLater},
		{"a number left out", SegmentSum, []op.Fact{floats(2), known(tensor.Shape{2}, 0, 2)}, nil, tensor.ErrMalformed},
		{"falling numbers", SegmentSum, []op.Fact{floats(3), known(tensor.Shape{3}, 0, 1, 0)}, nil, tensor.ErrMalformed},
		{"numbers from 1", SegmentSum, []op.Fact{floats(2), known(tensor.Shape{2}, 1, 1)}, nil, tensor.ErrMalformed},
		{"negative numbers", SegmentSum, []op.Fact{floats(2), known(tensor.Shape{2}, -1, 0)}, nil, tensor.ErrMalformed},
		{"too few numbers", SegmentSum, []op.Fact{floats(3), known(tensor.Shape{2}, 0, 1)}, nil, tensor.ErrShape},
		{"of a scalar", SegmentSum, []op.Fact{floats(), known(tensor.Shape{1}, 0)}, nil, tensor.ErrShape},
		{"unsorted", UnsortedSum, []op.Fact{floats(3, -1, 4), numbers(-1, 5), two}, tensor.Shape{2, 4}, nil},
		{"unknown count", UnsortedSum, []op.Fact{floats(3), numbers(3), numbers()}, nil, op.ErrLater},
		{"negative count", UnsortedSum, []op.Fact{floats(3), numbers(3), known(tensor.Shape{}, -1)}, nil, tensor.ErrShape},
		{"count of rank 2", UnsortedSum, []op.Fact{floats(3), numbers(3), known(tensor.Shape{1, 1}, 1)}, nil, tensor.ErrShape},
		{"other numbers", UnsortedMax, []op.Fact{floats(3, 2), numbers(3, 3), two}, nil, tensor.ErrShape},
		{"more axes", UnsortedMax, []op.Fact{floats(3), numbers(3, 3), two}, nil, tensor.ErrShape},
	} {
		k := call(c.def, c.in...)
		if err := c.def.Facts(k); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		} else if err == nil && !slices.Equal(k.Out[0].Shape, c.want) {
			t.Errorf("%s: %v, want %v", c.name, k.Out[0].Shape, c.want)
		}
	}
}

func TestNumberTooLarge(t *testing.T) {
	c := call(UnsortedSum, known(tensor.Shape{2}, 1, 2), known(tensor.Shape{2}, 0, 2), known(tensor.Shape{}, 2))
	if err := UnsortedSum.Facts(c); err != nil {
		t.Fatal(err)
	}
	if _, err := op.Evaluate(UnsortedSum, c); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("segment 2 of 2: %v", err)
	}
}
