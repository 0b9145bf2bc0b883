package quantop

import (
	"errors"
	"math"
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
		{"no scale", Dequantize, quantized(tensor.Int2, 0), real, nil},
		{"no scale to quantize to", Quantize, real, quantized(tensor.Int8, 0), tensor.ErrMalformed},
		{"no scale to requantize to", Quantize, quantized(tensor.Int8, 0, 1), quantized(tensor.Int8, 0), tensor.ErrMalformed},
		{"a scale of 0 to requantize to", Quantize, quantized(tensor.Int8, 0, 1), quantized(tensor.Int8, 0, 0), tensor.ErrMalformed},
		{"no scale to requantize from", Quantize, quantized(tensor.Int8, 0), quantized(tensor.Int8, 0, 1), nil},
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

// TestResized: an input may be resized, but not to more positions than there are scales.
func TestResized(t *testing.T) {
	of, err := axisOf(&op.Fact{Shape: tensor.Shape{2, 3}, Quant: quantized(tensor.Int8, 1, 1, 2, 3).Quant})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		shape tensor.Shape
		err   error
	}{{tensor.Shape{5, 3}, nil}, {tensor.Shape{2, 2, 4}, nil}, {tensor.Shape{0, 0}, nil}, {tensor.Shape{2, 4}, tensor.ErrShape}, {tensor.Shape{6}, tensor.ErrShape}} {
		if _, err := of(c.shape); !errors.Is(err, c.err) {
			t.Errorf("%v: %v, want %v", c.shape, err, c.err)
		}
	}
}

// TestReference: a reference may have another shape, but no fewer elements.
func TestReference(t *testing.T) {
	for _, c := range []struct {
		reference tensor.Shape
		err       error
	}{{tensor.Shape{2, 3}, nil}, {tensor.Shape{7}, nil}, {tensor.Shape{-1}, nil}, {tensor.Shape{5}, tensor.ErrShape}} {
		in := []op.Fact{quantized(tensor.Int8, 0, 1), {Present: true, DType: tensor.Float32, Shape: c.reference}}
		if err := NumericVerify.Facts(&op.Call{In: in, Out: make([]op.Fact, 1)}); !errors.Is(err, c.err) {
			t.Errorf("reference of shape %v: %v, want %v", c.reference, err, c.err)
		}
	}
}

// TestWiden: every float16, the payloads of NaN included.
func TestWiden(t *testing.T) {
	half := make([]uint16, 1<<16)
	for i := range half {
		half[i] = uint16(i)
	}
	in, err := tensor.New(tensor.Float16, tensor.Shape{len(half)}, tensor.Quant{}, append(tensor.Aligned(0), tensor.BytesOf(half)...))
	if err != nil {
		t.Fatal(err)
	}
	out, err := tensor.Zeros(tensor.Float32, in.Shape())
	if err != nil {
		t.Fatal(err)
	}
	if err := widen(&op.Run{In: []tensor.Tensor{in}, Out: []tensor.Tensor{out}}); err != nil {
		t.Fatal(err)
	}
	for i, x := range op.F32s(out) {
		if want := tensor.Float16ToFloat32(half[i]); math.Float32bits(x) != math.Float32bits(want) {
			t.Fatalf("%#04x is %v, want %v", i, x, want)
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
