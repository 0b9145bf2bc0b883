package random

import (
	"errors"
	"slices"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func known(s tensor.Shape, v ...int32) op.Fact {
	return op.Fact{Present: true, DType: tensor.Int32, Shape: s, Const: append(tensor.Aligned(0), tensor.BytesOf(v)...)}
}

func call(d *op.Def, seed int64, in ...op.Fact) *op.Call {
	n := &graph.Node{Op: d.Code, Options: &fb.RandomOptionsT{Seed: seed}}
	return &op.Call{Node: n, In: in, Out: []op.Fact{{Present: true, DType: tensor.Float32}}}
}

// TestFacts holds bad operands, which no golden shows.
func TestFacts(t *testing.T) {
	logits := func(s ...int) op.Fact { return op.Fact{Present: true, DType: tensor.Float32, Shape: s} }
	for _, c := range []struct {
		name string
		def  *op.Def
		in   []op.Fact
		want tensor.Shape
		err  error
	}{
		{"shape", Uniform, []op.Fact{known(tensor.Shape{2}, 2, 3)}, tensor.Shape{2, 3}, nil},
		{"unknown shape", Uniform, []op.Fact{{Present: true, DType: tensor.Int32, Shape: tensor.Shape{2}}}, nil, op.ErrLater},
		{"negative dimension", Uniform, []op.Fact{known(tensor.Shape{2}, 2, -3)}, nil, tensor.ErrShape},
		{"scalar shape", StandardNormal, []op.Fact{known(tensor.Shape{}, 2)}, nil, tensor.ErrShape},
		{"samples", Multinomial, []op.Fact{logits(-1, 4), known(tensor.Shape{}, 3)}, tensor.Shape{-1, 3}, nil},
		{"negative samples", Multinomial, []op.Fact{logits(1, 4), known(tensor.Shape{}, -3)}, nil, tensor.ErrMalformed},
		{"a vector of samples", Multinomial, []op.Fact{logits(1, 4), known(tensor.Shape{1}, 3)}, nil, tensor.ErrShape},
		{"no classes", Multinomial, []op.Fact{logits(1, 0), known(tensor.Shape{}, 3)}, nil, tensor.ErrShape},
		{"logits of rank 3", Multinomial, []op.Fact{logits(1, 2, 3), known(tensor.Shape{}, 3)}, nil, tensor.ErrShape},
	} {
		k := call(c.def, 1, c.in...)
		if err := c.def.Facts(k); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		} else if err == nil && !slices.Equal(k.Out[0].Shape, c.want) {
			t.Errorf("%s: %v, want %v", c.name, k.Out[0].Shape, c.want)
		}
	}
}

// TestSeeds tests that two runners draw the same numbers from a seed and others
// without.
func TestSeeds(t *testing.T) {
	draw := func(seed int64) []byte {
		c := call(Uniform, seed, known(tensor.Shape{1}, 8))
		if err := Uniform.Facts(c); err != nil {
			t.Fatal(err)
		}
		out, err := op.Evaluate(Uniform, c)
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Bytes()
	}
	if !slices.Equal(draw(7), draw(7)) {
		t.Error("a seed gives different numbers")
	}
	if slices.Equal(draw(0), draw(0)) {
		t.Error("without a seed the numbers repeat")
	}
}

// TestSkip tests that skipped blocks are those that would have been drawn, also where
// the counter overflows.
func TestSkip(t *testing.T) {
	a := newStream(3, 1<<32-1)
	a.counter[0], a.counter[1] = 1<<32-3, 1<<32-1
	b := a
	for range 5 {
		a.next()
	}
	b.skip(5)
	if a != b {
		t.Errorf("%v after five blocks, %v after skipping them", a, b)
	}
}
