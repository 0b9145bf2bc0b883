package arith

import (
	"errors"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func fact(d tensor.DType, s ...int) op.Fact { return op.Fact{Present: true, DType: d, Shape: s} }

func quantized(d tensor.DType, scale float32, zero int64, s ...int) op.Fact {
	f := fact(d, s...)
	f.Quant = tensor.PerTensor(scale, zero)
	return f
}

func call(d *op.Def, out op.Fact, in ...op.Fact) *op.Call {
	return &op.Call{Node: &graph.Node{Op: d.Code}, In: in, Out: []op.Fact{out}}
}

// derive checks a call and derives its facts, as compiling does.
func derive(d *op.Def, c *op.Call) error {
	if err := d.Check(c); err != nil {
		return err
	}
	return d.Facts(c)
}

func TestFacts(t *testing.T) {
	f32, i32, i8 := tensor.Float32, tensor.Int32, tensor.Int8
	unknown := op.Fact{Present: true, DType: f32, Unknown: true}
	for _, c := range []struct {
		name string
		def  *op.Def
		out  tensor.DType
		in   []op.Fact
		want tensor.Shape
		err  error
	}{
		{"broadcast", Maximum, f32, []op.Fact{fact(f32, 2, 1), fact(f32, 3)}, tensor.Shape{2, 3}, nil},
		{"partial", Minimum, f32, []op.Fact{fact(f32, -1, 3), fact(f32)}, tensor.Shape{-1, 3}, nil},
		{"unknown rank", FloorMod, f32, []op.Fact{unknown, fact(f32)}, nil, op.ErrLater},
		{"two types", Maximum, f32, []op.Fact{fact(f32, 2), fact(i32, 2)}, nil, tensor.ErrType},
		{"result declared otherwise", Pow, i32, []op.Fact{fact(f32, 2), fact(f32, 2)}, tensor.Shape{2}, nil},
		{"no common shape", RightShift, i32, []op.Fact{fact(i32, 2), fact(i32, 3)}, nil, tensor.ErrShape},
		{"ATAN2 does not broadcast", Atan2, f32, []op.Fact{fact(f32, 2), fact(f32)}, nil, tensor.ErrShape},
		{"ATAN2, partial", Atan2, f32, []op.Fact{fact(f32, -1, 2), fact(f32, 3, -1)}, tensor.Shape{3, 2}, nil},
		{"ADD_N", AddN, f32, []op.Fact{fact(f32, 2), fact(f32, -1), fact(f32, 2)}, tensor.Shape{2}, nil},
		{"ADD_N of one", AddN, f32, []op.Fact{fact(f32, 2)}, nil, tensor.ErrMalformed},
		{"ADD_N of two shapes", AddN, f32, []op.Fact{fact(f32, 2), fact(f32, 2), fact(f32, 3)}, nil, tensor.ErrShape},
		{"ADD_N of two types", AddN, f32, []op.Fact{fact(f32, 2), fact(i32, 2)}, nil, tensor.ErrType},
		{"MUL int16", Mul, i8, []op.Fact{fact(tensor.Int16, 2), fact(tensor.Int16, -1)}, tensor.Shape{2}, nil},
		{"MUL int16 to int8, broadcast", Mul, i8, []op.Fact{fact(tensor.Int16, 2), fact(tensor.Int16)}, nil, tensor.ErrUnsupported},
		{"SQUARED_DIFFERENCE", SquaredDifference, i8, []op.Fact{fact(i8, 2), fact(i8)}, tensor.Shape{2}, nil},
	} {
		call := call(c.def, fact(c.out), c.in...)
		if err := derive(c.def, call); !errors.Is(err, c.err) || err == nil && !call.Out[0].Shape.Equal(c.want) {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, call.Out[0].Shape, err, c.want, c.err)
		}
	}
}

// TestVersions holds the versions that TensorFlow 2.21 writes.
func TestVersions(t *testing.T) {
	deep := []int{1, 1, 1, 1, 2}
	for _, c := range []struct {
		name string
		def  *op.Def
		a, b op.Fact
		want int
	}{
		{"MAXIMUM float32", Maximum, fact(tensor.Float32, 2), fact(tensor.Float32, 2), 1},
		{"MAXIMUM int8", Maximum, quantized(tensor.Int8, 1, 0, 2), quantized(tensor.Int8, 1, 0, 2), 2},
		{"MAXIMUM 16x8", Maximum, quantized(tensor.Int16, 1, 0, 2), quantized(tensor.Int16, 1, 0, 2), 2},
		{"MAXIMUM plain int16", Maximum, fact(tensor.Int16, 2), fact(tensor.Int16, 2), 4},
		{"MINIMUM rank 5, broadcast", Minimum, fact(tensor.Float32, deep...), fact(tensor.Float32), 3},
		{"MINIMUM rank 5", Minimum, fact(tensor.Float32, deep...), fact(tensor.Float32, deep...), 1},
		{"SQUARED_DIFFERENCE int8", SquaredDifference, fact(tensor.Int8), fact(tensor.Int8), 2},
		{"FLOOR_DIV float32", FloorDiv, fact(tensor.Float32), fact(tensor.Float32), 2},
		{"FLOOR_DIV int32", FloorDiv, fact(tensor.Int32), fact(tensor.Int32), 1},
		{"FLOOR_DIV int8", FloorDiv, fact(tensor.Int8), fact(tensor.Int8), 3},
		{"FLOOR_MOD int16", FloorMod, fact(tensor.Int16), fact(tensor.Int16), 2},
		{"ADD float16", Add, fact(tensor.Float16), fact(tensor.Float16), 6},
		{"ADD plain int16", Add, fact(tensor.Int16), fact(tensor.Int16), 5},
		{"MUL plain int16", Mul, fact(tensor.Int16), fact(tensor.Int16), 7},
		{"MUL complex64", Mul, fact(tensor.Complex64), fact(tensor.Complex64), 6},
		{"MUL float16", Mul, fact(tensor.Float16), fact(tensor.Float16), 8},
		{"DIV rank 5, broadcast", Div, fact(tensor.Float32, deep...), fact(tensor.Float32), 2},
	} {
		if got := c.def.Version(call(c.def, fact(c.a.DType), c.a, c.b)); got != c.want {
			t.Errorf("%s: version %d, want %d", c.name, got, c.want)
		}
	}
}

// TestRefused holds what kernels refuse to compute.
func TestRefused(t *testing.T) {
	known := func(f op.Fact, b ...byte) op.Fact {
		f.Const = append(tensor.Aligned(0), b...)
		return f
	}
	i8, i32 := tensor.Int8, tensor.Int32
	channels := fact(i8, 1)
	channels.Quant = tensor.Quant{Scales: []float32{1, 2}, ZeroPoints: []int64{0, 0}}
	for _, c := range []struct {
		name string
		def  *op.Def
		a, b op.Fact
		out  op.Fact
		err  error
	}{
		{"FLOOR_DIV by zero", FloorDiv, known(fact(i8, 1), 1), known(fact(i8, 1), 0), fact(i8), tensor.ErrMalformed},
		{"FLOOR_MOD by zero", FloorMod, known(fact(i8, 1), 1), known(fact(i8, 1), 0), fact(i8), tensor.ErrMalformed},
		{"DIV by the zero point", Div, known(quantized(i8, 1, 0, 1), 1), known(quantized(i8, 1, 3, 1), 3), quantized(i8, 1, 0), tensor.ErrMalformed},
		{"DIV by channel", Div, known(fact(i8, 1), 1), known(channels, 1), fact(i8), tensor.ErrMalformed},
		{"POW by a negative number", Pow, known(fact(i32, 1), 1, 0, 0, 0), known(fact(i32, 1), 255, 255, 255, 255), fact(i32), tensor.ErrMalformed},
		{"SQUARED_DIFFERENCE to a tiny scale", SquaredDifference, known(quantized(i8, 1, 0, 1), 1), known(quantized(i8, 1, 0, 1), 1), quantized(i8, 1e-9, 0), tensor.ErrUnsupported},
	} {
		call := call(c.def, c.out, c.a, c.b)
		if err := c.def.Facts(call); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := op.Evaluate(c.def, call); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
}
