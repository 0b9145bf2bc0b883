package pass

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// sketch builds a model node by node.
type sketch struct {
	t   *testing.T
	m   *graph.Model
	ops op.Set
}

func newSketch(t *testing.T) *sketch {
	return &sketch{t, &graph.Model{Subgraphs: []*graph.Subgraph{{Name: "main"}}}, all.Set()}
}

func (s *sketch) g() *graph.Subgraph { return s.m.Main() }

func (s *sketch) input(shape ...int) graph.ValueID {
	v := graph.Value{Name: "in", DType: tensor.Float32}
	v.SetPartial(shape)
	id := s.g().Add(v)
	s.g().Inputs = append(s.g().Inputs, id)
	return id
}

// floats adds a constant counting up from first in steps of 1/8.
func (s *sketch) floats(first float32, shape ...int) graph.ValueID {
	n, err := tensor.Shape(shape).Elems()
	if err != nil {
		s.t.Fatal(err)
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = first + float32(i)/8
	}
	return s.g().Add(graph.Value{DType: tensor.Float32, Shape: shape, Const: tensor.BytesOf(v), Origins: []string{"c"}})
}

func (s *sketch) param(name string, v graph.ValueID) graph.ValueID {
	s.g().Value(v).Param = &graph.Param{Name: name, Trainable: true, Shape: s.g().Value(v).Shape}
	return v
}

func (s *sketch) ints(v ...int32) graph.ValueID {
	return s.g().Add(graph.Value{DType: tensor.Int32, Shape: tensor.Shape{len(v)}, Const: tensor.BytesOf(v)})
}

func (s *sketch) node(code schema.BuiltinOperator, options any, origin string, in ...graph.ValueID) graph.ValueID {
	s.t.Helper()
	out := s.g().Add(graph.Value{DType: s.g().Value(in[0]).DType})
	n := graph.Node{Op: graph.OpCode(code), Inputs: in, Outputs: []graph.ValueID{out}, Options: options, Origins: []string{origin}}
	if err := Derive(s.ops, s.g(), &n); err != nil {
		s.t.Fatal(err)
	}
	s.g().Nodes = append(s.g().Nodes, n)
	return out
}

func (s *sketch) run(train bool, outputs ...graph.ValueID) []graph.Node {
	s.t.Helper()
	s.g().Outputs = outputs
	if err := Run(s.m, Options{Ops: s.ops, Train: train}, Float()); err != nil {
		s.t.Fatal(err)
	}
	if err := s.m.Validate(); err != nil {
		s.t.Fatal(err)
	}
	return s.g().Nodes
}

func names(nodes []graph.Node) (out []string) {
	for i := range nodes {
		out = append(out, op.NameOf(&nodes[i]))
	}
	return out
}

func wantNodes(t *testing.T, nodes []graph.Node, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, names(nodes)); d != "" {
		t.Fatalf("nodes (-want +got):\n%s", d)
	}
}

func (s *sketch) add(a, b graph.ValueID) graph.ValueID {
	return s.node(schema.ADD, &fb.AddOptionsT{PotScaleInt16: true}, "add", a, b)
}

func (s *sketch) fc(x, w, b graph.ValueID) graph.ValueID {
	return s.node(schema.FULLY_CONNECTED, &fb.FullyConnectedOptionsT{}, "fc", x, w, b)
}

func (s *sketch) constant(v graph.ValueID) []float32 { return floats(s.g().Value(v)) }

func TestFold(t *testing.T) {
	s := newSketch(t)
	c := s.add(s.floats(1, 2), s.floats(2, 2))
	nodes := s.run(false, s.add(s.input(-1, 2), c))
	wantNodes(t, nodes, "ADD")
	if d := cmp.Diff([]float32{3, 3.25}, s.constant(nodes[0].Inputs[1])); d != "" {
		t.Error(d)
	}
}

func TestFoldLeavesParameters(t *testing.T) {
	s := newSketch(t)
	c := s.add(s.param("w", s.floats(1, 2)), s.floats(2, 2))
	wantNodes(t, s.run(true, s.add(s.input(-1, 2), c)), "ADD", "ADD")
}

func TestDedup(t *testing.T) {
	for _, train := range []bool{false, true} {
		s := newSketch(t)
		x := s.input(1, 2)
		a := s.fc(x, s.param("a", s.floats(1, 2, 2)), graph.None)
		b := s.fc(a, s.param("b", s.floats(1, 2, 2)), graph.None)
		nodes := s.run(train, b)
		if same := nodes[0].Inputs[1] == nodes[1].Inputs[1]; same == train {
			t.Errorf("train %v: equal weights merged: %v", train, same)
		}
	}
}

func TestDead(t *testing.T) {
	s := newSketch(t)
	x := s.input(1, 2)
	y := s.add(x, s.floats(1, 2))
	s.node(schema.RELU, nil, "unused", y)
	s.run(false, y)
	wantNodes(t, s.g().Nodes, "ADD")
	if n := len(s.g().Values); n != 3 {
		t.Errorf("%d values are left, want 3", n)
	}
}

func TestCommonSubexpressions(t *testing.T) {
	s := newSketch(t)
	x := s.input(1, 2)
	c := s.floats(1, 2)
	once := s.node(schema.RELU, nil, "first", s.add(x, c))
	again := s.node(schema.RELU, nil, "second", s.add(x, c))
	nodes := s.run(false, s.node(schema.MUL, &fb.MulOptionsT{}, "mul", once, again))
	wantNodes(t, nodes, "ADD", "MUL")
	if d := cmp.Diff([]string{"first", "add"}, nodes[0].Origins); d != "" {
		t.Error(d)
	}
}

// Quantized nodes are not rearranged: each result has a scale of its own.
func TestQuantizedNodesStay(t *testing.T) {
	s := newSketch(t)
	y := s.node(schema.RESHAPE, nil, "reshape", s.input(1, 4), s.ints(2, 2))
	z := s.node(schema.RELU, nil, "relu", y)
	for i := range s.g().Values {
		if v := &s.g().Values[i]; v.DType == tensor.Float32 {
			v.DType, v.Quant = tensor.Int8, tensor.PerTensor(float32(i+1), 0)
		}
	}
	wantNodes(t, s.run(false, z), "RESHAPE", "RELU")
}

// A bias that is a parameter stays the value it is in training.
func TestBiasStaysWhole(t *testing.T) {
	s := newSketch(t)
	bias := s.param("bias", s.floats(1, 3))
	y := s.add(s.fc(s.input(-1, 2), s.floats(1, 3, 2), graph.None), bias)
	nodes := s.run(true, s.node(schema.RELU, nil, "relu", y))
	wantNodes(t, nodes, "FULLY_CONNECTED")
	b := s.g().Value(nodes[0].Inputs[2])
	if b.Param == nil || b.Param.Name != "bias" || !slices.Equal(floats(b), []float32{1, 1.125, 1.25}) {
		t.Errorf("bias is %v %v", b.Param, floats(b))
	}
	if a := fusedOf(nodes[0].Options); a != fb.ActivationFunctionTypeRELU {
		t.Errorf("fused activation %v", a)
	}
}

// What training would change is not multiplied into anything.
func TestTrainKeepsScale(t *testing.T) {
	for _, train := range []bool{false, true} {
		s := newSketch(t)
		y := s.fc(s.input(-1, 2), s.param("w", s.floats(1, 3, 2)), graph.None)
		y = s.node(schema.MUL, &fb.MulOptionsT{}, "mul", y, s.floats(2, 3))
		want := []string{"FULLY_CONNECTED"}
		if train {
			want = append(want, "MUL")
		}
		wantNodes(t, s.run(train, y), want...)
	}
}

// fc(x + c, w, b) → fc(x, w, w·c + b).
func TestReassociation(t *testing.T) {
	s := newSketch(t)
	y := s.fc(s.add(s.input(-1, 2), s.floats(1, 2)), s.floats(2, 3, 2), s.floats(3, 3))
	nodes := s.run(false, y)
	wantNodes(t, nodes, "FULLY_CONNECTED")
	// w = [[2, 2.125], [2.25, 2.375], [2.5, 2.625]], c = [1, 1.125], b = [3, 3.125, 3.25]
	want := []float32{2 + 2.390625 + 3, 2.25 + 2.671875 + 3.125, 2.5 + 2.953125 + 3.25}
	if d := cmp.Diff(want, s.constant(nodes[0].Inputs[2])); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"add", "fc"}, nodes[0].Origins); d != "" {
		t.Error(d)
	}
}

// Compensated summation keeps what a plain sum loses.
func TestDotIsCompensated(t *testing.T) {
	got := dot([]float32{1e8, 1, -1e8}, []float32{1, 1, 1}, []float32{0})
	if got[0] != 1 {
		t.Errorf("sum is %v, want 1", got[0])
	}
}

// An operator that an output needs keeps its result's number.
func TestIdentityBeforeOutput(t *testing.T) {
	s := newSketch(t)
	y := s.add(s.input(1, 2), s.floats(1, 2))
	out := s.node(schema.RESHAPE, nil, "reshape", y, s.ints(1, 2))
	s.m.Signatures = []graph.Signature{{Key: "k", Outputs: []graph.NamedValue{{Name: "y", Value: out}}}}
	wantNodes(t, s.run(false, out), "ADD")
	if v := s.m.Signatures[0].Outputs[0].Value; v != s.g().Outputs[0] || s.g().Nodes[0].Outputs[0] != v {
		t.Errorf("signature names value %d, output is %d", v, s.g().Outputs[0])
	}
}

// An input that is returned unchanged must stay a value of its own.
func TestIdentityOfInput(t *testing.T) {
	s := newSketch(t)
	x := s.input(1, 2)
	wantNodes(t, s.run(false, s.node(schema.RESHAPE, nil, "reshape", x, s.ints(1, 2))), "RESHAPE")
}

func TestNaNDoesNotHang(t *testing.T) {
	s := newSketch(t)
	nan := float32(math.NaN())
	c := s.g().Add(graph.Value{DType: tensor.Float32, Shape: tensor.Shape{}, Const: tensor.BytesOf([]float32{nan})})
	y := s.node(schema.DIV, &fb.DivOptionsT{}, "div", s.input(-1, 2), c)
	wantNodes(t, s.run(false, y), "MUL")
}
