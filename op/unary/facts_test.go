package unary

import (
	"errors"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func fact(d tensor.DType, s ...int) op.Fact { return op.Fact{Present: true, DType: d, Shape: s} }

func quantized(d tensor.DType, zero int64, b ...byte) op.Fact {
	f := fact(d, len(b)/max(d.Size(), 1))
	f.Quant, f.Const = tensor.PerTensor(0.5, zero), append(tensor.Aligned(0), b...)
	return f
}

func call(d *op.Def, options any, out, in op.Fact) *op.Call {
	return &op.Call{Node: &graph.Node{Op: d.Code, Options: options}, In: []op.Fact{in}, Out: []op.Fact{out}}
}

// derive checks a call and derives its facts, as compiling does.
func derive(d *op.Def, c *op.Call) error {
	if err := d.Check(c); err != nil {
		return err
	}
	return d.Facts(c)
}

func TestFacts(t *testing.T) {
	f32, i8, i32, i64 := tensor.Float32, tensor.Int8, tensor.Int32, tensor.Int64
	unknown := op.Fact{Present: true, DType: f32, Unknown: true}
	fake := func(lo, hi float32, bits int32) any { return &fb.FakeQuantOptionsT{Min: lo, Max: hi, NumBits: bits} }
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		out     tensor.DType
		in      op.Fact
		want    tensor.Shape
		err     error
	}{
		{"partial", Exp, nil, f32, fact(f32, -1, 3), tensor.Shape{-1, 3}, nil},
		{"another type", Abs, nil, i32, fact(f32, 2), nil, tensor.ErrType},
		{"CAST", Cast, nil, i8, fact(f32, -1), tensor.Shape{-1}, nil},
		{"BITCAST, same size", Bitcast, nil, i32, fact(f32, 2, -1), tensor.Shape{2, -1}, nil},
		{"BITCAST, narrower", Bitcast, nil, i8, fact(f32, 2), tensor.Shape{2, 4}, nil},
		{"BITCAST, wider", Bitcast, nil, i64, fact(f32, 3, 2), tensor.Shape{3}, nil},
		{"BITCAST, wider, partial", Bitcast, nil, i64, fact(f32, 3, -1), tensor.Shape{3}, nil},
		{"BITCAST, wider by another factor", Bitcast, nil, i64, fact(f32, 2, 4), nil, tensor.ErrShape},
		{"BITCAST of a scalar to a wider type", Bitcast, nil, i64, fact(f32), nil, tensor.ErrShape},
		{"BITCAST of unknown rank", Bitcast, nil, i64, unknown, nil, op.ErrLater},
		{"FAKE_QUANT", FakeQuant, fake(-1, 1, 8), f32, fact(f32, 2), tensor.Shape{2}, nil},
		{"FAKE_QUANT without options", FakeQuant, nil, f32, fact(f32, 2), nil, tensor.ErrMalformed},
		{"FAKE_QUANT, no bits", FakeQuant, fake(-1, 1, 0), f32, fact(f32, 2), nil, tensor.ErrMalformed},
		{"FAKE_QUANT, 17 bits", FakeQuant, fake(-1, 1, 17), f32, fact(f32, 2), nil, tensor.ErrMalformed},
		{"FAKE_QUANT, range without zero", FakeQuant, fake(1, 2, 8), f32, fact(f32, 2), tensor.Shape{2}, nil},
		{"FAKE_QUANT, narrow", FakeQuant, &fb.FakeQuantOptionsT{Min: -1, Max: 1, NumBits: 8, NarrowRange: true}, f32, fact(f32, 2), nil, tensor.ErrUnsupported},
		{"REAL of complex64", Real, nil, f32, fact(tensor.Complex64, 2), tensor.Shape{2}, nil},
		{"REAL of complex128", Real, nil, f32, fact(tensor.Complex128, 2), nil, tensor.ErrType},
	} {
		call := call(c.def, c.options, fact(c.out), c.in)
		if err := derive(c.def, call); !errors.Is(err, c.err) || err == nil && !call.Out[0].Shape.Equal(c.want) {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, call.Out[0].Shape, err, c.want, c.err)
		}
	}
}

// TestVersions holds the versions that TensorFlow 2.21 writes.
func TestVersions(t *testing.T) {
	f32, f16, i8, i16, i32 := tensor.Float32, tensor.Float16, tensor.Int8, tensor.Int16, tensor.Int32
	for _, c := range []struct {
		name string
		def  *op.Def
		in   op.Fact
		out  tensor.DType
		want int
	}{
		{"ABS float32", Abs, fact(f32), f32, 1},
		{"ABS int8", Abs, quantized(i8, 0), i8, 2},
		{"ABS 16x8", Abs, quantized(i16, 0), i16, 2},
		{"ABS plain int16", Abs, fact(i16), i16, 4},
		{"ABS int32", Abs, fact(i32), i32, 5},
		{"EXP 16x8", Exp, quantized(i16, 0), i16, 2},
		{"RSQRT int8", Rsqrt, quantized(i8, 0), i8, 2},
		{"SIN float16", Sin, fact(f16), f16, 2},
		{"SIGN int32", Sign, fact(i32), i32, 2},
		{"CAST float32 to int32", Cast, fact(f32), i32, 1},
		{"CAST int8 to float32", Cast, fact(i8), f32, 3},
		{"CAST float32 to uint32", Cast, fact(f32), tensor.UInt32, 2},
		{"CAST uint16 to int8", Cast, fact(tensor.UInt16), i8, 4},
		{"CAST float16 to float32", Cast, fact(f16), f32, 5},
		{"CAST int4 to float32", Cast, fact(tensor.Int4), f32, 6},
		{"CAST float32 to bfloat16", Cast, fact(f32), tensor.BFloat16, 7},
		{"CAST int2 to float32", Cast, fact(tensor.Int2), f32, 8},
	} {
		if got := c.def.Version(call(c.def, nil, fact(c.out), c.in)); got != c.want {
			t.Errorf("%s: version %d, want %d", c.name, got, c.want)
		}
	}
}

// TestRefused holds what kernels refuse to compute.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		def     *op.Def
		in, out op.Fact
		err     error
	}{
		{"root of a negative int8", Sqrt, quantized(tensor.Int8, 5, 4), quantized(tensor.Int8, 0), tensor.ErrMalformed},
		{"root of a negative int16", Sqrt, quantized(tensor.Int16, 0, 0xff, 0xff), quantized(tensor.Int16, 0), tensor.ErrMalformed},
		{"inverse root of a negative int8", Rsqrt, quantized(tensor.Int8, 5, 4), quantized(tensor.Int8, 0), tensor.ErrMalformed},
		{"inverse root of a negative int16", Rsqrt, quantized(tensor.Int16, 0, 0xff, 0xff), quantized(tensor.Int16, 0), tensor.ErrMalformed},
		{"int16 with a zero point", Exp, quantized(tensor.Int16, 1, 0, 0), quantized(tensor.Int16, 0), tensor.ErrUnsupported},
		{"int8 without parameters", Log, fact(tensor.Int8, 1), quantized(tensor.Int8, 0), tensor.ErrMalformed},
		{"CAST of int4 to int8", Cast, fact(tensor.Int4, 1), fact(tensor.Int8), tensor.ErrUnsupported},
		{"CAST of int8 to int4", Cast, fact(tensor.Int8, 1), fact(tensor.Int4), tensor.ErrUnsupported},
	} {
		call := call(c.def, nil, c.out, c.in)
		if err := c.def.Facts(call); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := op.Evaluate(c.def, call); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
}
