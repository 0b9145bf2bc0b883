package dense

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func operand(s ...int) op.Fact { return op.Fact{Present: true, DType: tensor.Float32, Shape: s} }

func TestFacts(t *testing.T) {
	keep := &fb.FullyConnectedOptionsT{KeepNumDims: true}
	tiles := &fb.FullyConnectedOptionsT{WeightsFormat: fb.FullyConnectedOptionsWeightsFormatSHUFFLED4x16INT8}
	adjoint := &fb.BatchMatMulOptionsT{AdjX: true, AdjY: true}
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		in      []op.Fact
		results int
		want    tensor.Shape
		err     error
	}{
		{"flattened", FullyConnected, nil, []op.Fact{operand(2, 3, 4), operand(5, 12)}, 1, tensor.Shape{2, 5}, nil},
		{"dimensions kept", FullyConnected, keep, []op.Fact{operand(-1, 3, 4), operand(5, 4)}, 1, tensor.Shape{-1, 3, 5}, nil},
		{"depth 0", FullyConnected, nil, []op.Fact{operand(2, 3, 0), operand(5, 0)}, 1, tensor.Shape{6, 5}, nil},
		{"depth that does not divide", FullyConnected, nil, []op.Fact{operand(2, 3), operand(5, 4)}, 1, nil, tensor.ErrShape},
		{"kept dimensions of another depth", FullyConnected, keep, []op.Fact{operand(2, 3), operand(5, 6)}, 1, nil, tensor.ErrShape},
		{"weights of rank 3", FullyConnected, nil, []op.Fact{operand(2, 3), operand(5, 3, 1)}, 1, nil, tensor.ErrShape},
		{"too many scales", FullyConnected, nil, []op.Fact{operand(2, 3), {Present: true, DType: tensor.Int8, Shape: tensor.Shape{5, 3}, Quant: tensor.Quant{Scales: make([]float32, 6)}}}, 1, nil, tensor.ErrMalformed},
		{"bias of 4", FullyConnected, nil, []op.Fact{operand(2, 3), operand(5, 3), operand(4)}, 1, nil, tensor.ErrShape},
		{"shuffled", FullyConnected, tiles, []op.Fact{operand(4, 16), operand(8, 16)}, 2, tensor.Shape{4, 8}, nil},
		{"shuffled batch of 2", FullyConnected, tiles, []op.Fact{operand(2, 16), operand(8, 16)}, 2, nil, tensor.ErrUnsupported},
		{"shuffled depth of 8", FullyConnected, tiles, []op.Fact{operand(1, 8), operand(8, 8)}, 2, nil, tensor.ErrShape},
		{"shuffled without the second result", FullyConnected, tiles, []op.Fact{operand(4, 16), operand(8, 16)}, 1, nil, tensor.ErrMalformed},
		{"a second result", FullyConnected, nil, []op.Fact{operand(4, 16), operand(8, 16)}, 2, nil, tensor.ErrMalformed},
		{"matrices", BatchMatMul, nil, []op.Fact{operand(2, 3), operand(3, 4)}, 1, tensor.Shape{2, 4}, nil},
		{"adjoint matrices", BatchMatMul, adjoint, []op.Fact{operand(3, 2), operand(4, 3)}, 1, tensor.Shape{2, 4}, nil},
		{"broadcast", BatchMatMul, nil, []op.Fact{operand(5, 1, 2, 3), operand(7, 3, 4)}, 1, tensor.Shape{5, 7, 2, 4}, nil},
		{"unknown batch", BatchMatMul, nil, []op.Fact{operand(-1, 2, 3), operand(1, 3, 4)}, 1, tensor.Shape{-1, 2, 4}, nil},
		{"other depths", BatchMatMul, nil, []op.Fact{operand(2, 3), operand(4, 3)}, 1, nil, tensor.ErrShape},
		{"batches of 2 and 3", BatchMatMul, nil, []op.Fact{operand(2, 2, 3), operand(3, 3, 4)}, 1, nil, tensor.ErrShape},
		{"a vector", BatchMatMul, nil, []op.Fact{operand(3), operand(3, 4)}, 1, nil, tensor.ErrShape},
		{"rank 6", BatchMatMul, nil, []op.Fact{operand(1, 1, 1, 1, 2, 3), operand(3, 4)}, 1, nil, tensor.ErrShape},
	} {
		call := &op.Call{Node: &graph.Node{Op: c.def.Code, Options: c.options}, In: c.in, Out: make([]op.Fact, c.results)}
		for i := range call.Out {
			call.Out[i].Present = true
		}
		err := c.def.Facts(call)
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
		if d := cmp.Diff(c.want, call.Out[0].Shape); err == nil && d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestForms checks that combinations of types that no kernel has are refused.
func TestForms(t *testing.T) {
	quantized := func(d tensor.DType, zero int64, s ...int) op.Fact {
		return op.Fact{Present: true, DType: d, Shape: s, Quant: tensor.PerTensor(0.5, zero)}
	}
	for _, c := range []struct {
		name    string
		def     *op.Def
		in      []op.Fact
		out     op.Fact
		refused error
	}{
		{"int8 by int4", FullyConnected, []op.Fact{quantized(tensor.Int8, 1, 2, 3), quantized(tensor.Int4, 0, 4, 3)}, quantized(tensor.Int8, 1, 2, 4), nil},
		{"int4 with a zero point", FullyConnected, []op.Fact{quantized(tensor.Int8, 1, 2, 3), quantized(tensor.Int4, 1, 4, 3)}, quantized(tensor.Int8, 1, 2, 4), tensor.ErrUnsupported},
		{"int8 to int16", FullyConnected, []op.Fact{quantized(tensor.Int8, 1, 2, 3), quantized(tensor.Int8, 0, 4, 3)}, quantized(tensor.Int16, 0, 2, 4), tensor.ErrUnsupported},
		{"int16 with a zero point", FullyConnected, []op.Fact{quantized(tensor.Int16, 1, 2, 3), quantized(tensor.Int8, 0, 4, 3)}, quantized(tensor.Int16, 0, 2, 4), tensor.ErrUnsupported},
		{"no scale", FullyConnected, []op.Fact{{Present: true, DType: tensor.Int8, Shape: tensor.Shape{2, 3}}, quantized(tensor.Int8, 0, 4, 3)}, quantized(tensor.Int8, 0, 2, 4), tensor.ErrMalformed},
		{"int8 by int16", BatchMatMul, []op.Fact{quantized(tensor.Int8, 0, 2, 3), quantized(tensor.Int16, 0, 3, 4)}, quantized(tensor.Int8, 0, 2, 4), tensor.ErrUnsupported},
		{"int16 by a zero point", BatchMatMul, []op.Fact{quantized(tensor.Int16, 0, 2, 3), quantized(tensor.Int8, 5, 3, 4)}, quantized(tensor.Int16, 0, 2, 4), tensor.ErrUnsupported},
	} {
		_, err := c.def.Ref(&op.Call{Node: &graph.Node{Op: c.def.Code}, In: c.in, Out: []op.Fact{c.out}})
		if !errors.Is(err, c.refused) || c.refused == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.refused)
		}
	}
}

// TestHybridTanh holds the fused hyperbolic tangent, which no converter writes, to
// what LiteRT 2.3 computes.
func TestHybridTanh(t *testing.T) {
	want := []float32{0.9776533, 0.7264557, -0.3792076, -0.93779665, -0.9470095, -0.4475669, 0.6850994, 0.97369623}
	x, w := make([]float32, 32), make([]int8, 64)
	for i := range x {
		x[i] = float32(-1 + 2*float64(i)/31)
	}
	for i := range w {
		w[i] = int8(i - 32)
	}
	weights := op.Fact{Present: true, DType: tensor.Int8, Shape: tensor.Shape{4, 16}, Quant: tensor.PerTensor(0.01, 0), Const: tensor.BytesOf(w)}
	c := &op.Call{Node: &graph.Node{Options: &fb.FullyConnectedOptionsT{FusedActivationFunction: fb.ActivationFunctionTypeTANH}}, In: []op.Fact{operand(2, 16), weights}, Out: []op.Fact{operand(2, 4)}}
	c.In[0].Const = tensor.BytesOf(x)
	out, err := op.Evaluate(FullyConnected, c)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range op.F32s(out[0]) {
		if d := v - want[i]; d > 2e-7 || d < -2e-7 {
			t.Errorf("element %d is %v, want %v", i, v, want[i])
		}
	}
}
