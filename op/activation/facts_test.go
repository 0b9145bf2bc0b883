package activation

import (
	"bytes"
	"errors"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func fact(d tensor.DType, s ...int) op.Fact { return op.Fact{Present: true, DType: d, Shape: s} }

func quantized(d tensor.DType, scale float32, zero int64) op.Fact {
	f := fact(d, 1)
	f.Quant = tensor.PerTensor(scale, zero)
	return f
}

func call(d *op.Def, options any, out op.Fact, in ...op.Fact) *op.Call {
	return &op.Call{Node: &graph.Node{Op: d.Code, Options: options}, In: in, Out: []op.Fact{out}}
}

// derive checks a call and derives its facts, as compiling does.
func derive(d *op.Def, c *op.Call) error {
	if err := d.Check(c); err != nil {
		return err
	}
	return d.Facts(c)
}

func TestFacts(t *testing.T) {
	f32, i8, i16 := tensor.Float32, tensor.Int8, tensor.Int16
	unknown := op.Fact{Present: true, DType: f32, Unknown: true}
	relu := &fb.L2NormOptionsT{FusedActivationFunction: fb.ActivationFunctionTypeRELU}
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		out     tensor.DType
		in      []op.Fact
		want    tensor.Shape
		err     error
	}{
		{"partial", Tanh, nil, f32, []op.Fact{fact(f32, -1, 3)}, tensor.Shape{-1, 3}, nil},
		{"another type", Gelu, nil, i8, []op.Fact{fact(f32, 2)}, nil, tensor.ErrType},
		{"PRELU", PRelu, nil, f32, []op.Fact{fact(f32, -1, 4, 3), fact(f32, 1, 3)}, tensor.Shape{-1, 4, 3}, nil},
		{"PRELU, int16 with int8", PRelu, nil, i16, []op.Fact{fact(i16, 2), fact(i8)}, tensor.Shape{2}, nil},
		{"PRELU, int8 with float32", PRelu, nil, i8, []op.Fact{fact(i8, 2), fact(f32)}, nil, tensor.ErrType},
		{"PRELU, alpha larger than the input", PRelu, nil, f32, []op.Fact{fact(f32, 1, 3), fact(f32, 2, 3)}, nil, tensor.ErrShape},
		{"PRELU, alpha of higher rank", PRelu, nil, f32, []op.Fact{fact(f32, 3), fact(f32, 1, 3)}, nil, tensor.ErrShape},
		{"PRELU, alpha of unknown rank", PRelu, nil, f32, []op.Fact{fact(f32, 3), unknown}, nil, op.ErrLater},
		{"LOG_SOFTMAX of a scalar", LogSoftmax, nil, f32, []op.Fact{fact(f32)}, nil, tensor.ErrShape},
		{"L2_NORMALIZATION of a scalar", L2Normalization, nil, f32, []op.Fact{fact(f32)}, nil, tensor.ErrShape},
		{"L2_NORMALIZATION, RELU", L2Normalization, relu, f32, []op.Fact{fact(f32, 2)}, nil, tensor.ErrUnsupported},
		{"LOCAL_RESPONSE_NORMALIZATION of rank 3", LocalResponseNormalization, nil, f32, []op.Fact{fact(f32, 1, 2, 3)}, nil, tensor.ErrShape},
		{"LOCAL_RESPONSE_NORMALIZATION, radius -1", LocalResponseNormalization, &fb.LocalResponseNormalizationOptionsT{Radius: -1}, f32,
			[]op.Fact{fact(f32, 1, 1, 2, 3)}, nil, tensor.ErrMalformed},
	} {
		call := call(c.def, c.options, fact(c.out), c.in...)
		if err := derive(c.def, call); !errors.Is(err, c.err) || err == nil && !call.Out[0].Shape.Equal(c.want) {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, call.Out[0].Shape, err, c.want, c.err)
		}
	}
}

// TestKernelParameters holds the quantization parameters that kernels refuse.
func TestKernelParameters(t *testing.T) {
	i8, u8, i16 := tensor.Int8, tensor.UInt8, tensor.Int16
	for _, c := range []struct {
		name    string
		def     *op.Def
		in, out op.Fact
		err     error
	}{
		{"LOGISTIC", Logistic, quantized(i8, 0.1, 3), quantized(i8, 1./256, -128), nil},
		{"LOGISTIC to another scale", Logistic, quantized(i8, 0.1, 3), quantized(i8, 1./128, -128), tensor.ErrUnsupported},
		{"LOGISTIC without parameters", Logistic, fact(i8), quantized(i8, 1./256, -128), tensor.ErrMalformed},
		{"TANH int16 to another scale", Tanh, quantized(i16, 0.1, 0), quantized(i16, 1./16384, 0), tensor.ErrUnsupported},
		{"TANH int16 with a zero point", Tanh, quantized(i16, 0.1, 1), quantized(i16, 1./32768, 0), tensor.ErrUnsupported},
		{"HARD_SWISH to a tiny scale", HardSwish, quantized(i8, 1, 0), quantized(i8, 1e-6, 0), tensor.ErrUnsupported},
		{"LOG_SOFTMAX with another zero point", LogSoftmax, quantized(u8, 1, 0), quantized(u8, 16./256, 0), tensor.ErrUnsupported},
		{"LOG_SOFTMAX from a tiny scale", LogSoftmax, quantized(i8, 1e-12, 0), quantized(i8, 16./256, 127), tensor.ErrUnsupported},
		{"L2_NORMALIZATION to another scale", L2Normalization, quantized(u8, 1, 0), quantized(u8, 1, 128), tensor.ErrUnsupported},
	} {
		if _, err := c.def.Ref(call(c.def, nil, c.out, c.in)); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
}

// TestVersions holds the versions that TensorFlow 2.21 writes.
func TestVersions(t *testing.T) {
	f32, f16, i8, u8, i16 := tensor.Float32, tensor.Float16, tensor.Int8, tensor.UInt8, tensor.Int16
	for _, c := range []struct {
		name string
		def  *op.Def
		in   tensor.DType
		want int
	}{
		{"LOGISTIC float32", Logistic, f32, 1},
		{"LOGISTIC int8", Logistic, i8, 2},
		{"LOGISTIC 16x8", Logistic, i16, 2},
		{"TANH uint8", Tanh, u8, 1},
		{"LEAKY_RELU int8", LeakyRelu, i8, 1},
		{"LEAKY_RELU 16x8", LeakyRelu, i16, 2},
		{"PRELU int8", PRelu, i8, 1},
		{"HARD_SWISH int8", HardSwish, i8, 1},
		{"GELU float16", Gelu, f16, 3},
		{"GELU int8", Gelu, i8, 2},
		{"GELU 16x8", Gelu, i16, 2},
		{"LOG_SOFTMAX int8", LogSoftmax, i8, 2},
		{"L2_NORMALIZATION int8", L2Normalization, i8, 2},
	} {
		if got := c.def.Version(call(c.def, nil, fact(c.in), fact(c.in))); got != c.want {
			t.Errorf("%s: version %d, want %d", c.name, got, c.want)
		}
	}
}

// TestLongRows holds that rows whose sums overflow int32 are harmless.
func TestLongRows(t *testing.T) {
	for _, c := range []struct {
		name string
		def  *op.Def
		out  op.Fact
		in   tensor.DType
		n    int
	}{
		{"SOFTMAX int8", Softmax, quantized(tensor.Int8, 1./256, -128), tensor.Int8, 5000},
		{"SOFTMAX int8, twice", Softmax, quantized(tensor.Int8, 1./256, -128), tensor.Int8, 8192},
		{"SOFTMAX int16", Softmax, quantized(tensor.Int16, 1./32768, 0), tensor.Int16, 66000},
		{"SOFTMAX int16, twice", Softmax, quantized(tensor.Int16, 1./32768, 0), tensor.Int16, 131077},
		{"LOG_SOFTMAX int8", LogSoftmax, quantized(tensor.Int8, 16./256, 127), tensor.Int8, 5000},
		{"LOG_SOFTMAX int8, twice", LogSoftmax, quantized(tensor.Int8, 16./256, 127), tensor.Int8, 8192},
		{"L2_NORMALIZATION int8", L2Normalization, quantized(tensor.Int8, 1./128, 0), tensor.Int8, 140000},
	} {
		in := quantized(c.in, 0.1, 0)
		in.Shape, in.Const = tensor.Shape{c.n}, append(tensor.Aligned(0), bytes.Repeat([]byte{0x7f}, c.n*c.in.Size())...)
		options := any(&fb.SoftmaxOptionsT{Beta: 1})
		if c.def == L2Normalization {
			options = nil
		}
		call := call(c.def, options, c.out, in)
		if err := derive(c.def, call); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := op.Evaluate(c.def, call); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
