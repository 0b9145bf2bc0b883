package pass

import (
	"context"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// A random chain of operators around convolutions and matrix products computes
// the same before and after the pipeline, up to rounding, trained or not.
func TestPipelineKeepsMeaning(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSketch(t)
		build := imageChain
		if rapid.Bool().Draw(rt, "vector") {
			build = vectorChain
		}
		y := build(s, rt)
		s.g().Outputs = []graph.ValueID{y}
		before := s.m.Clone()
		if err := Run(s.m, Options{Ops: s.ops, Train: rapid.Bool().Draw(rt, "train")}, Float()); err != nil {
			rt.Fatal(err)
		}
		want, got := outputOf(rt, before), outputOf(rt, s.m)
		scale := float32(1)
		for _, v := range want {
			scale = max(scale, abs(v))
		}
		for i := range want {
			if d := abs(want[i] - got[i]); !(d <= 1e-4*scale) && !math.IsNaN(float64(want[i])) {
				rt.Fatalf("element %d is %v, was %v (nodes %v, were %v)", i, got[i], want[i], names(s.g().Nodes), names(before.Main().Nodes))
			}
		}
	})
}

func outputOf(rt *rapid.T, m *graph.Model) []float32 {
	p, err := engine.Compile(m, engine.Options{Kind: engine.Reference})
	if err != nil {
		rt.Fatal(err)
	}
	r, err := p.NewRunner("")
	if err != nil {
		rt.Fatal(err)
	}
	in := tensor.View[float32](r.InputAt(0).Bytes())
	for i := range in {
		in[i] = float32(i%7)/4 - 0.6
	}
	if err := r.Invoke(context.Background()); err != nil {
		rt.Fatal(err)
	}
	return r.OutputAt(0).Float32s()
}

func (s *sketch) random(rt *rapid.T, shape ...int) graph.ValueID {
	v := s.floats(float32(rapid.IntRange(-8, 8).Draw(rt, "first"))/16, shape...)
	if rapid.Bool().Draw(rt, "parameter") {
		s.param("p", v)
	}
	return v
}

// pointwise appends an element-wise operator on a value of the given channels.
func (s *sketch) pointwise(rt *rapid.T, x graph.ValueID, channels int) graph.ValueID {
	c := s.random(rt, channels)
	if rapid.Bool().Draw(rt, "scalar") {
		c = s.random(rt, 1)
		s.g().Value(c).Shape = rapid.SampledFrom([]tensor.Shape{{}, {1}, {1, 1}}).Draw(rt, "scalar shape")
	}
	pair := []graph.ValueID{x, c}
	if rapid.Bool().Draw(rt, "constant left") {
		pair = []graph.ValueID{c, x}
	}
	switch rapid.IntRange(0, 6).Draw(rt, "pointwise") {
	case 0:
		return s.node(schema.ADD, &fb.AddOptionsT{}, "add", pair...)
	case 1:
		return s.node(schema.SUB, &fb.SubOptionsT{}, "sub", pair...)
	case 2:
		return s.node(schema.MUL, &fb.MulOptionsT{}, "mul", pair...)
	case 3:
		return s.node(schema.RELU6, nil, "relu6", x)
	case 4:
		return s.node(schema.DIV, &fb.DivOptionsT{}, "div", x, s.floats(1, channels))
	case 5:
		return s.node(schema.ADD, &fb.AddOptionsT{}, "twice", x, x)
	}
	return s.node(schema.RELU, nil, "relu", x)
}

func vectorChain(s *sketch, rt *rapid.T) graph.ValueID {
	channels := 3
	x := s.input(2, channels)
	for range rapid.IntRange(1, 7).Draw(rt, "length") {
		switch rapid.IntRange(0, 3).Draw(rt, "kind") {
		case 0:
			units, bias := rapid.IntRange(1, 4).Draw(rt, "units"), graph.None
			w := s.random(rt, units, channels)
			if rapid.Bool().Draw(rt, "bias") {
				bias = s.random(rt, units)
			}
			x, channels = s.fc(x, w, bias), units
		case 1:
			x = s.node(schema.RESHAPE, nil, "reshape", x, s.ints(1, 2, int32(channels)))
			x = s.pointwise(rt, x, channels)
			x = s.node(schema.RESHAPE, nil, "reshape", x, s.ints(2, int32(channels)))
		default:
			x = s.pointwise(rt, x, channels)
		}
	}
	return x
}

func imageChain(s *sketch, rt *rapid.T) graph.ValueID {
	channels := 2
	x := s.input(1, 3, 3, channels)
	padding := rapid.SampledFrom([]fb.Padding{fb.PaddingSAME, fb.PaddingVALID})
	for range rapid.IntRange(1, 7).Draw(rt, "length") {
		size := s.g().Value(x).Shape[1]
		k := rapid.IntRange(1, min(2, size)).Draw(rt, "kernel")
		switch rapid.IntRange(0, 4).Draw(rt, "kind") {
		case 0:
			out := rapid.IntRange(1, 3).Draw(rt, "out")
			o := &fb.Conv2DOptionsT{Padding: padding.Draw(rt, "padding"), StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1}
			x, channels = s.node(schema.CONV_2D, o, "conv", x, s.random(rt, out, k, k, channels), s.random(rt, out)), out
		case 1:
			o := &fb.DepthwiseConv2DOptionsT{Padding: padding.Draw(rt, "padding"), StrideH: 1, StrideW: 1, DepthMultiplier: 1, DilationHFactor: 1, DilationWFactor: 1}
			x = s.node(schema.DEPTHWISE_CONV_2D, o, "depthwise", x, s.random(rt, 1, k, k, channels), s.random(rt, channels))
		default:
			x = s.pointwise(rt, x, channels)
		}
	}
	return x
}
