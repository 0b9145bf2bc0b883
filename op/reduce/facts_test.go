package reduce

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func operand(s ...int) op.Fact {
	return op.Fact{Present: true, DType: tensor.Float32, Shape: s}
}

func axes(v ...int32) op.Fact {
	t, err := tensor.Of(tensor.Shape{len(v)}, v...)
	if err != nil {
		panic(err)
	}
	return op.Fact{Present: true, DType: tensor.Int32, Shape: t.Shape(), Const: append([]byte{}, t.Bytes()...)}
}

func TestFacts(t *testing.T) {
	unknown := op.Fact{Present: true, DType: tensor.Int32, Shape: tensor.Shape{1}}
	drop, keep, position := &fb.ReducerOptionsT{}, &fb.ReducerOptionsT{KeepDims: true}, &fb.ArgMaxOptionsT{OutputType: fb.TensorTypeINT64}
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		in      []op.Fact
		want    tensor.Shape
		err     error
	}{
		{"batch stays unknown", Mean, drop, []op.Fact{operand(-1, 7, 7, 8), axes(1, 2)}, tensor.Shape{-1, 8}, nil},
		{"dimensions stay as 1", Mean, keep, []op.Fact{operand(-1, 7, 7, 8), axes(1, -2)}, tensor.Shape{-1, 1, 1, 8}, nil},
		{"unknown axis vanishes", Sum, drop, []op.Fact{operand(-1, 8), axes(0)}, tensor.Shape{8}, nil},
		{"axis named twice", Max, drop, []op.Fact{operand(2, 3), axes(1, -1)}, tensor.Shape{2}, nil},
		{"no axis", Min, drop, []op.Fact{operand(2, 3), axes()}, tensor.Shape{2, 3}, nil},
		{"scalar", Prod, drop, []op.Fact{operand(), axes(3)}, tensor.Shape{}, nil},
		{"axis 2 of 2", Mean, drop, []op.Fact{operand(2, 3), axes(2)}, nil, tensor.ErrShape},
		{"axis -3 of 2", Any, drop, []op.Fact{operand(2, 3), axes(-3)}, nil, tensor.ErrShape},
		{"rank 9", Mean, drop, []op.Fact{operand(1, 1, 1, 1, 1, 1, 1, 1, 1), axes(0)}, nil, tensor.ErrUnsupported},
		{"unknown axes", Mean, drop, []op.Fact{operand(2, 3), unknown}, nil, op.ErrLater},
		{"position", ArgMax, position, []op.Fact{operand(-1, 10), axes(-1)}, tensor.Shape{-1}, nil},
		{"position along an unknown axis", ArgMax, position, []op.Fact{operand(4, -1), axes(1)}, tensor.Shape{4}, nil},
		{"position in nothing", ArgMax, position, []op.Fact{operand(4, 0), axes(1)}, nil, tensor.ErrShape},
		{"position along two axes", ArgMax, position, []op.Fact{operand(4, 4), axes(0, 1)}, nil, tensor.ErrShape},
		{"position of type float32", ArgMin, &fb.ArgMinOptionsT{}, []op.Fact{operand(4), axes(0)}, nil, tensor.ErrUnsupported},
		{"running sum", CumSum, &fb.CumsumOptionsT{}, []op.Fact{operand(-1, 3), axes(1)}, tensor.Shape{-1, 3}, nil},
		{"running sum along an unknown axis", CumSum, &fb.CumsumOptionsT{}, []op.Fact{operand(2, 3), unknown}, tensor.Shape{2, 3}, nil},
		{"running sum along axis 2", CumSum, &fb.CumsumOptionsT{}, []op.Fact{operand(2, 3), axes(2)}, nil, tensor.ErrShape},
	} {
		call := &op.Call{Node: &graph.Node{Op: c.def.Code, Options: c.options}, In: c.in, Out: make([]op.Fact, 1)}
		err := c.def.Facts(call)
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
			continue
		}
		if c.err == nil {
			if d := cmp.Diff(c.want, call.Out[0].Shape); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
		}
	}
}

func TestKernelsRefuse(t *testing.T) {
	q := func(d tensor.DType, q tensor.Quant) op.Fact {
		return op.Fact{Present: true, DType: d, Shape: tensor.Shape{2}, Quant: q}
	}
	half, third := tensor.PerTensor(0.5, 0), tensor.PerTensor(0.3, 0)
	for _, c := range []struct {
		name    string
		def     *op.Def
		in, out op.Fact
	}{
		{"mean by channel", Mean, q(tensor.Int8, tensor.Quant{Scales: []float32{1, 2}, ZeroPoints: []int64{0, 0}}), q(tensor.Int8, half)},
		{"mean to scale 0", Mean, q(tensor.Int8, half), q(tensor.Int8, tensor.PerTensor(0, 0))},
		{"maximum to another scale", Max, q(tensor.Int8, half), q(tensor.Int8, third)},
		{"minimum to another zero point", Min, q(tensor.UInt8, half), q(tensor.UInt8, tensor.PerTensor(0.5, 1))},
		{"int16 with a zero point", Sum, q(tensor.Int16, tensor.PerTensor(0.5, 1)), q(tensor.Int16, half)},
		{"product of uint8", Prod, q(tensor.UInt8, half), q(tensor.UInt8, half)},
	} {
		call := &op.Call{Node: &graph.Node{Op: c.def.Code}, In: []op.Fact{c.in, axes(0)}, Out: []op.Fact{c.out}}
		if _, err := c.def.Ref(call); !errors.Is(err, tensor.ErrUnsupported) && !errors.Is(err, tensor.ErrMalformed) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
