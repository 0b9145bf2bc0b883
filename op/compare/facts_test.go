package compare

import (
	"errors"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func fact(d tensor.DType, s ...int) op.Fact { return op.Fact{Present: true, DType: d, Shape: s} }

func quantized(d tensor.DType, scale float32) op.Fact {
	f := fact(d, 1)
	f.Quant = tensor.PerTensor(scale, 0)
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
	f32, b := tensor.Float32, tensor.Bool
	unknown := op.Fact{Present: true, DType: f32, Unknown: true}
	for _, c := range []struct {
		name string
		def  *op.Def
		out  tensor.DType
		in   []op.Fact
		want tensor.Shape
		err  error
	}{
		{"comparison", Less, b, []op.Fact{fact(f32, 2, 1), fact(f32, 3)}, tensor.Shape{2, 3}, nil},
		{"comparison of two types", Equal, b, []op.Fact{fact(f32, 2), fact(tensor.Int32, 2)}, nil, tensor.ErrType},
		{"comparison of unknown rank", Equal, b, []op.Fact{unknown, fact(f32, 2)}, nil, op.ErrLater},
		{"comparison of two shapes", Greater, b, []op.Fact{fact(f32, 4), fact(f32, 2)}, nil, tensor.ErrShape},
		{"logic", LogicalAnd, b, []op.Fact{fact(b, 2), fact(b)}, tensor.Shape{2}, nil},
		{"SELECT", Select, f32, []op.Fact{fact(b, 2, 3), fact(f32, -1, 3), fact(f32, 2, -1)}, tensor.Shape{2, 3}, nil},
		{"SELECT by rows", Select, f32, []op.Fact{fact(b, 2), fact(f32, 2, 3), fact(f32, 2, 3)}, tensor.Shape{2, 3}, nil},
		{"SELECT by a scalar", Select, f32, []op.Fact{fact(b), fact(f32, 2, 3), fact(f32, 2, 3)}, tensor.Shape{2, 3}, nil},
		{"SELECT of single elements", Select, f32, []op.Fact{fact(b, 1), fact(f32), fact(f32, 1, 1)}, tensor.Shape{1, 1}, nil},
		{"SELECT by too few rows", Select, f32, []op.Fact{fact(b, 1), fact(f32, 2, 3), fact(f32, 2, 3)}, nil, tensor.ErrShape},
		{"SELECT does not broadcast", Select, f32, []op.Fact{fact(b), fact(f32, 2, 3), fact(f32, 3)}, nil, tensor.ErrShape},
		{"SELECT of two types", Select, f32, []op.Fact{fact(b), fact(f32), fact(b)}, nil, tensor.ErrType},
		{"SELECT of unknown rank", Select, f32, []op.Fact{fact(b), unknown, fact(f32)}, nil, op.ErrLater},
		{"SELECT_V2", SelectV2, f32, []op.Fact{fact(b, 2, 1), fact(f32, 3), fact(f32)}, tensor.Shape{2, 3}, nil},
		{"SELECT_V2 of two shapes", SelectV2, f32, []op.Fact{fact(b, 2), fact(f32, 3), fact(f32)}, nil, tensor.ErrShape},
		{"WHERE of unknown values", Where, tensor.Int64, []op.Fact{fact(b, 2)}, nil, op.ErrLater},
		{"WHERE of a scalar", Where, tensor.Int64, []op.Fact{{Present: true, DType: b, Const: []byte{1}}}, nil, tensor.ErrShape},
	} {
		call := call(c.def, fact(c.out), c.in...)
		if err := derive(c.def, call); !errors.Is(err, c.err) || err == nil && !call.Out[0].Shape.Equal(c.want) {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, call.Out[0].Shape, err, c.want, c.err)
		}
	}
}

// TestVersions holds the versions that TensorFlow 2.21 writes.
func TestVersions(t *testing.T) {
	five := fact(tensor.Float32, 1, 1, 1, 1, 2)
	for _, c := range []struct {
		name string
		def  *op.Def
		in   []op.Fact
		want int
	}{
		{"LESS float32", Less, []op.Fact{fact(tensor.Float32)}, 1},
		{"LESS int8", Less, []op.Fact{fact(tensor.Int8)}, 2},
		{"LESS int16", Less, []op.Fact{fact(tensor.Int16)}, 3},
		{"GREATER int16", Greater, []op.Fact{fact(tensor.Int16)}, 1},
		{"EQUAL string", Equal, []op.Fact{fact(tensor.String)}, 3},
		{"EQUAL int16", Equal, []op.Fact{fact(tensor.Int16)}, 5},
		{"NOT_EQUAL int16", NotEqual, []op.Fact{fact(tensor.Int16)}, 4},
		{"SELECT int8", Select, []op.Fact{fact(tensor.Bool), fact(tensor.Int8), fact(tensor.Int8)}, 1},
		{"SELECT rank 5", Select, []op.Fact{fact(tensor.Bool), five, five}, 3},
		{"WHERE bool", Where, []op.Fact{fact(tensor.Bool)}, 1},
		{"WHERE int32", Where, []op.Fact{fact(tensor.Int32)}, 2},
	} {
		if got := c.def.Version(call(c.def, op.Fact{}, c.in...)); got != c.want {
			t.Errorf("%s: version %d, want %d", c.name, got, c.want)
		}
	}
}

func TestQuantizedScales(t *testing.T) {
	for _, c := range []struct {
		a, b float32
		err  error
	}{
		{0.1, 0.2, nil}, {1, 3.5, nil}, {1, 1e6, nil}, {0, 1, tensor.ErrMalformed},
	} {
		_, err := Less.Ref(call(Less, fact(tensor.Bool), quantized(tensor.Int8, c.a), quantized(tensor.Int8, c.b)))
		if !errors.Is(err, c.err) {
			t.Errorf("scales %v and %v: %v, want %v", c.a, c.b, err, c.err)
		}
	}
	if _, err := Equal.Ref(call(Equal, fact(tensor.Bool), fact(tensor.UInt8), fact(tensor.UInt8))); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("without parameters: %v", err)
	}
}

func TestMalformedStrings(t *testing.T) {
	a := fact(tensor.String, 2)
	a.Const = []byte{2, 0, 0, 0, 200, 0, 0, 0}
	c := call(Equal, fact(tensor.Bool), a, a)
	if err := Equal.Facts(c); err != nil {
		t.Fatal(err)
	}
	if _, err := op.Evaluate(Equal, c); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("%v, want %v", err, tensor.ErrMalformed)
	}
}
