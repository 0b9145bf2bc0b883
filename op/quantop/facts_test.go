package quantop

import (
	"errors"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func quantized(d tensor.DType, axis int, scales ...float32) op.Fact {
	return op.Fact{Present: true, DType: d, Shape: tensor.Shape{2, 3}, Quant: tensor.Quant{Scales: scales, ZeroPoints: make([]int64, len(scales)), Axis: axis}}
}

func TestRefuses(t *testing.T) {
	real := op.Fact{Present: true, DType: tensor.Float32, Shape: tensor.Shape{2, 3}}
	for _, c := range []struct {
		name string
		def  *op.Def
		in   op.Fact
		out  op.Fact
		err  error
	}{
		{"per axis", Quantize, real, quantized(tensor.Int8, 1, 1, 2, 3), nil},
		{"axis of another size", Quantize, real, quantized(tensor.Int8, 0, 1, 2, 3), tensor.ErrMalformed},
		{"axis out of range", Dequantize, quantized(tensor.Int8, 2, 1, 2, 3), real, tensor.ErrMalformed},
		{"negative axis", Dequantize, quantized(tensor.Int4, -1, 1, 2, 3), real, tensor.ErrMalformed},
		{"no scale", Dequantize, quantized(tensor.Int2, 0), real, tensor.ErrMalformed},
		{"int4 per axis", Quantize, real, quantized(tensor.Int4, 1, 1, 2, 3), tensor.ErrUnsupported},
		{"int16 to uint8", Quantize, quantized(tensor.Int16, 0, 1), quantized(tensor.UInt8, 0, 1), tensor.ErrUnsupported},
		{"int8 to int32", Quantize, quantized(tensor.Int8, 0, 1), quantized(tensor.Int32, 0, 1), tensor.ErrUnsupported},
		{"int32 to int16", Quantize, quantized(tensor.Int32, 0, 1), quantized(tensor.Int16, 0, 1), nil},
	} {
		_, err := c.def.Ref(&op.Call{Node: &graph.Node{}, In: []op.Fact{c.in}, Out: []op.Fact{c.out}})
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
}

// TestDensifyDense: only sparse constants can be made dense.
func TestDensifyDense(t *testing.T) {
	in := op.Fact{Present: true, DType: tensor.Float32, Shape: tensor.Shape{2}, Const: make([]byte, 8)}
	c := &op.Call{Node: &graph.Node{}, In: []op.Fact{in}, Out: make([]op.Fact, 1)}
	if err := Densify.Facts(c); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("%v, want %v", err, tensor.ErrMalformed)
	}
}
