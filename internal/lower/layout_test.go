package lower

import (
	"context"
	"slices"
	"testing"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// layoutNet is a convolution, a bias and a pool in either layout; its geometry
// differs between height and width.
func layoutNet(format string) *savedmodel.Graph {
	list := func(n, h, w, c int64) *pb.AttrValue {
		v := []int64{n, h, w, c}
		if format == "NCHW" {
			v = []int64{n, c, h, w}
		}
		return &pb.AttrValue{Value: &pb.AttrValue_List{List: &pb.AttrValue_ListValue{I: v}}}
	}
	text := func(s string) *pb.AttrValue { return &pb.AttrValue{Value: &pb.AttrValue_S{S: []byte(s)}} }
	counting := func(shape ...int) *tensor.Tensor {
		n, _ := tensor.Shape(shape).Elems()
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i%11)/4 - 1
		}
		t, _ := tensor.Of(shape, v...)
		return &t
	}
	conv, bias, pool := node("conv", "Conv2D", 0, 1), node("bias", "BiasAdd", 2, 3), node("pool", "MaxPool", 4)
	pads := []int64{0, 0, 1, 0, 0, 2, 0, 0}
	shape := tensor.Shape{1, 6, 7, 2}
	if format == "NCHW" {
		pads = []int64{0, 0, 0, 0, 1, 0, 0, 2}
		shape = tensor.Shape{1, 2, 6, 7}
	}
	conv.Attrs = map[string]*pb.AttrValue{
		"data_format": text(format), "padding": text("EXPLICIT"), "strides": list(1, 2, 1, 1), "dilations": list(1, 1, 2, 1),
		"explicit_paddings": {Value: &pb.AttrValue_List{List: &pb.AttrValue_ListValue{I: pads}}},
	}
	bias.Attrs["data_format"] = text(format)
	pool.Attrs = map[string]*pb.AttrValue{"data_format": text(format), "padding": text("VALID"), "strides": list(1, 1, 2, 1), "ksize": list(1, 2, 1, 1)}
	g := &savedmodel.Graph{
		Nodes: []*savedmodel.Node{
			placeholder("x"), {Name: "w", Op: "Const", Value: counting(3, 2, 2, 4)}, conv, {Name: "b", Op: "Const", Value: counting(4)}, bias, pool,
		},
		Inputs:  []savedmodel.Port{{Name: "x", Tensor: "x:0", DType: tensor.Float32, Shape: shape}},
		Outputs: []savedmodel.Port{{Name: "y", Tensor: "y:0", DType: tensor.Float32, Ref: savedmodel.Ref{Node: 5}}},
	}
	return g
}

func compute(t *testing.T, g *savedmodel.Graph, x tensor.Tensor) tensor.Tensor {
	t.Helper()
	m, err := Graph(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(m, engine.Options{Kind: engine.Reference})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.NewRunner("")
	if err != nil {
		t.Fatal(err)
	}
	copy(r.InputAt(0).Bytes(), x.Bytes())
	if err := r.Invoke(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r.OutputAt(0)
}

// A graph with channels first computes what its twin with channels last does.
func TestChannelsFirst(t *testing.T) {
	v := make([]float32, 6*7*2)
	for i := range v {
		v[i] = float32(i*i%17)/8 - 1
	}
	last, err := tensor.Of(tensor.Shape{1, 6, 7, 2}, v...)
	if err != nil {
		t.Fatal(err)
	}
	first, err := transposed(last, []int{0, 3, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	want, err := transposed(compute(t, layoutNet("NHWC"), last), []int{0, 3, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	got := compute(t, layoutNet("NCHW"), first)
	if !got.Shape().Equal(want.Shape()) || !slices.Equal(got.Float32s(), want.Float32s()) {
		t.Errorf("%v %v\nwant %v %v", got.Shape(), got.Float32s(), want.Shape(), want.Float32s())
	}
}

func TestTransposed(t *testing.T) {
	in, _ := tensor.Of(tensor.Shape{2, 3, 1}, int32(0), 1, 2, 3, 4, 5)
	got, err := transposed(in, []int{1, 2, 0})
	if err != nil {
		t.Fatal(err)
	}
	v, _ := tensor.Values[int32](got)
	if !got.Shape().Equal(tensor.Shape{3, 1, 2}) || !slices.Equal(v, []int32{0, 3, 1, 4, 2, 5}) {
		t.Errorf("%v %v", got.Shape(), v)
	}
	for _, perm := range [][]int{{0, 1}, {0, 0, 1}, {0, 1, 3}, {-1, 0, 1}} {
		if _, err := transposed(in, perm); err == nil {
			t.Errorf("permutation %v: no error", perm)
		}
	}
}

// A parameter that is permuted twice remembers the way from its own layout.
func TestPermutedParam(t *testing.T) {
	p := permutedParam(permutedParam(&graph.Param{Name: "abc", Shape: tensor.Shape{2, 3, 4}}, []int{2, 0, 1}), []int{1, 2, 0})
	if !slices.Equal(p.Perm, []int{0, 1, 2}) {
		t.Errorf("perm %v, want the identity", p.Perm)
	}
}
