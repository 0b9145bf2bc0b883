package lower

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// frozenVariables reads a network's variables.
func frozenVariables(t *testing.T, name string) map[string]tensor.Tensor {
	t.Helper()
	m, err := savedmodel.Load(os.DirFS("testdata/nets"), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]tensor.Tensor{}
	for _, v := range m.Variables() {
		if out[v.Name], err = m.Value(v); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func placeholder(name string) *savedmodel.Node {
	return &savedmodel.Node{Name: name, Op: "Placeholder", Attrs: map[string]*pb.AttrValue{}}
}

func node(name, op string, inputs ...int) *savedmodel.Node {
	n := &savedmodel.Node{Name: name, Op: op, Attrs: map[string]*pb.AttrValue{}}
	for _, i := range inputs {
		n.Inputs = append(n.Inputs, savedmodel.Ref{Node: i})
	}
	return n
}

// graphOf makes a graph of one float input and one output, the last node.
func graphOf(t interface{ Helper() }, nodes ...*savedmodel.Node) *savedmodel.Graph {
	t.Helper()
	last := len(nodes) - 1
	return &savedmodel.Graph{
		Nodes:   nodes,
		Inputs:  []savedmodel.Port{{Name: "x", Tensor: "x:0", DType: tensor.Float32, Shape: tensor.Shape{2, 2}}},
		Outputs: []savedmodel.Port{{Name: "y", Tensor: "y:0", DType: tensor.Float32, Ref: savedmodel.Ref{Node: last}}},
	}
}

func TestMalformedGraphs(t *testing.T) {
	for name, nodes := range map[string][]*savedmodel.Node{
		"no inputs":      {placeholder("x"), node("a", "Conv2D")},
		"unknown node":   {placeholder("x"), node("a", "Relu", 7)},
		"later node":     {placeholder("x"), node("a", "Relu", 2), node("b", "Relu", 1)},
		"rank":           {placeholder("x"), node("a", "MaxPool", 0)},
		"missing result": {placeholder("x"), {Name: "a", Op: "Relu", Inputs: []savedmodel.Ref{{Node: 0, Output: 3}}}},
	} {
		if _, err := Graph(graphOf(t, nodes...), Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Graphs of arbitrary operators, inputs and attributes give an error or a valid
// model, never a panic.
func TestArbitraryGraphs(t *testing.T) {
	var ops []string
	for name := range rules {
		ops = append(ops, name)
	}
	slices.Sort(ops)
	rapid.Check(t, func(rt *rapid.T) {
		nodes := []*savedmodel.Node{placeholder("x")}
		for i := range rapid.IntRange(1, 6).Draw(rt, "nodes") {
			nodes = append(nodes, arbitraryNode(rt, ops, i+1))
		}
		g := graphOf(rt, nodes...)
		rank := rapid.IntRange(0, 5).Draw(rt, "rank")
		g.Inputs[0].Shape = rapid.SliceOfN(rapid.IntRange(-1, 4), rank, rank).Draw(rt, "shape")
		m, err := Graph(g, Options{Train: rapid.Bool().Draw(rt, "train"), Signature: "s"})
		if err == nil {
			err = m.Validate()
			if err != nil {
				rt.Fatalf("invalid model: %v", err)
			}
			return
		}
		if errors.Is(err, errMissing) {
			rt.Fatalf("reported nothing but a consequence: %v", err)
		}
	})
}

func arbitraryNode(rt *rapid.T, ops []string, i int) *savedmodel.Node {
	n := node(fmt.Sprint("n", i), rapid.SampledFrom(ops).Draw(rt, "op"))
	if rapid.IntRange(0, 2).Draw(rt, "constant") == 0 {
		n.Op, n.Value = "Const", arbitraryConstant(rt)
		return n
	}
	for range rapid.IntRange(0, 5).Draw(rt, "inputs") {
		n.Inputs = append(n.Inputs, savedmodel.Ref{Node: rapid.IntRange(0, i-1).Draw(rt, "input")})
	}
	ints := func(name string) *pb.AttrValue {
		v := rapid.SliceOfN(rapid.Int64Range(-1, 3), 0, 8).Draw(rt, name)
		return &pb.AttrValue{Value: &pb.AttrValue_List{List: &pb.AttrValue_ListValue{I: v}}}
	}
	for _, name := range []string{"strides", "ksize", "dilations", "explicit_paddings", "squeeze_dims"} {
		n.Attrs[name] = ints(name)
	}
	padding := rapid.SampledFrom([]string{"SAME", "VALID", "EXPLICIT", "?"}).Draw(rt, "padding")
	n.Attrs["padding"] = &pb.AttrValue{Value: &pb.AttrValue_S{S: []byte(padding)}}
	if rapid.Bool().Draw(rt, "plain") {
		n.Attrs["strides"] = &pb.AttrValue{Value: &pb.AttrValue_List{List: &pb.AttrValue_ListValue{I: []int64{1, 1, 2, 1}}}}
		n.Attrs["ksize"] = n.Attrs["strides"]
		delete(n.Attrs, "dilations")
	}
	for _, name := range []string{"axis", "num", "num_split", "begin_mask", "shrink_axis_mask", "block_size", "batch_dims"} {
		n.Attrs[name] = &pb.AttrValue{Value: &pb.AttrValue_I{I: rapid.Int64Range(-2, 5).Draw(rt, name)}}
	}
	return n
}

func arbitraryConstant(rt *rapid.T) *tensor.Tensor {
	rank := rapid.IntRange(0, 4).Draw(rt, "rank")
	shape := tensor.Shape(rapid.SliceOfN(rapid.IntRange(0, 3), rank, rank).Draw(rt, "shape"))
	n, _ := shape.Elems()
	var t tensor.Tensor
	switch rapid.IntRange(0, 2).Draw(rt, "type") {
	case 0:
		t, _ = tensor.Of(shape, rapid.SliceOfN(rapid.Int32Range(-2, 4), n, n).Draw(rt, "int32")...)
	case 1:
		t, _ = tensor.Of(shape, rapid.SliceOfN(rapid.Int64Range(-2, 4), n, n).Draw(rt, "int64")...)
	default:
		t, _ = tensor.Of(shape, rapid.SliceOfN(rapid.Float32Range(-2, 2), n, n).Draw(rt, "float")...)
	}
	return &t
}

// Networks with some of their attributes, inputs and constants changed give an
// error or a valid model, never a panic.
func TestMutatedNets(t *testing.T) {
	models := map[string]*savedmodel.Model{}
	names := []string{"conv", "batchnorm", "mobile", "residual", "explicit", "static", "reshapes"}
	for _, name := range names {
		m, err := savedmodel.Load(os.DirFS("testdata/nets"), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		models[name] = m
	}
	rapid.Check(t, func(rt *rapid.T) {
		g, err := savedmodel.Freeze(models[rapid.SampledFrom(names).Draw(rt, "net")], "")
		if err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(1, 3).Draw(rt, "mutations") {
			mutate(rt, g)
		}
		m, err := Graph(g, Options{Train: rapid.Bool().Draw(rt, "train")})
		if err == nil {
			err = m.Validate()
			if err != nil {
				rt.Fatalf("invalid model: %v", err)
			}
		}
	})
}

func mutate(rt *rapid.T, g *savedmodel.Graph) {
	i := rapid.IntRange(1, len(g.Nodes)-1).Draw(rt, "node")
	n := g.Nodes[i]
	switch rapid.IntRange(0, 4).Draw(rt, "mutation") {
	case 0:
		if len(n.Inputs) > 0 {
			n.Inputs[rapid.IntRange(0, len(n.Inputs)-1).Draw(rt, "input")].Node = rapid.IntRange(0, i-1).Draw(rt, "from")
		}
	case 1:
		if n.Value != nil {
			n.Value = arbitraryConstant(rt)
		}
	case 2:
		for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
			n.Attrs[name] = proto.Clone(n.Attrs[name]).(*pb.AttrValue) // the model shares them
			if l := n.Attrs[name].GetList().GetI(); len(l) > 0 {
				l[rapid.IntRange(0, len(l)-1).Draw(rt, "element")] = rapid.Int64().Draw(rt, "value")
			}
		}
	case 3:
		n.Op = rapid.SampledFrom([]string{"Relu", "AddV2", "Mul", "Conv2D", "MatMul", "Reshape", "Transpose"}).Draw(rt, "op")
	default:
		n.Inputs = n.Inputs[:rapid.IntRange(0, len(n.Inputs)).Draw(rt, "inputs")]
	}
}
