package lower

import (
	"errors"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

func floatAttrs(name string, v float32) map[string]*pb.AttrValue {
	return map[string]*pb.AttrValue{name: {Value: &pb.AttrValue_F{F: v}}}
}

// normGraph is a batch normalization of vectors as Keras emits it; trainable says
// whether its gamma and beta are.
func normGraph(trainable bool) *savedmodel.Graph {
	var b savedmodel.Builder
	x := b.Input("x", tensor.Float32, tensor.Shape{-1, 2})
	vector := func(name string, learns bool) savedmodel.Ref {
		v := &savedmodel.Variable{Name: name, DType: tensor.Float32, Shape: tensor.Shape{2}, Trainable: learns}
		r := b.ReadVariable(name, v)
		t, _ := tensor.Of(tensor.Shape{2}, float32(1), 2)
		b.Graph().Nodes[r.Node].Value = &t
		return r
	}
	gamma, beta := vector("gamma", trainable), vector("beta", trainable)
	mean, variance := vector("mean", false), vector("variance", false)
	epsilon, _ := tensor.Of(tensor.Shape{}, float32(0.5))
	m := b.Op("rsqrt", "Rsqrt", nil, b.Op("add", "AddV2", nil, variance, b.Const("epsilon", epsilon)))
	m = b.Op("mul", "Mul", nil, m, gamma)
	shift := b.Op("sub", "Sub", nil, beta, b.Op("mul_2", "Mul", nil, mean, m))
	y := b.Op("add_1", "AddV2", floatAttrs(savedmodel.AverageFactorAttr, 0.125), b.Op("mul_1", "Mul", nil, x, m), shift)
	b.Output("y", y, tensor.Float32, tensor.Shape{-1, 2})
	return b.Graph()
}

// codes are a model's operators.
func codes(m *graph.Model) map[graph.OpCode]*graph.Node {
	all := map[graph.OpCode]*graph.Node{}
	for i := range m.Main().Nodes {
		all[m.Main().Nodes[i].Op] = &m.Main().Nodes[i]
	}
	return all
}

// A normalization becomes an operator of its own in training only, and only where
// a parameter is trained. Its moving statistics, of equal values here, stay apart.
func TestTrainedNorm(t *testing.T) {
	for _, c := range []struct{ train, trainable, want bool }{
		{true, true, true}, {true, false, false}, {false, true, false},
	} {
		m, err := Graph(normGraph(c.trainable), Options{Train: c.train})
		if err != nil {
			t.Fatal(err)
		}
		n := codes(m)[training.BatchNormCode]
		if (n != nil) != c.want {
			t.Errorf("%+v: a normalization of its own: %v", c, n != nil)
		}
		if n == nil {
			continue
		}
		if o := graph.Options[training.NormOptions](n); *o != (training.NormOptions{Epsilon: 0.5, Factor: 0.125}) || len(m.Main().Nodes) != 1 {
			t.Errorf("options %+v in %d nodes", o, len(m.Main().Nodes))
		}
		for k, name := range []string{"gamma", "beta", "mean", "variance"} {
			if p := m.Main().Value(n.Inputs[1+k]).Param; p == nil || p.Name != name || !p.Trainable {
				t.Errorf("operand %d is %+v, want %s", 1+k, p, name)
			}
		}
	}
}

// What is marked as the end of a normalization and is none is refused.
func TestNormOfAnotherForm(t *testing.T) {
	g := normGraph(true)
	for _, n := range g.Nodes {
		if n.Op == "Rsqrt" {
			n.Op = "Sqrt"
		}
	}
	if _, err := Graph(g, Options{Train: true}); !errors.Is(err, tensor.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	if _, err := Graph(g, Options{}); err != nil {
		t.Error(err)
	}
}

// Two dropouts of one value are two; for inference there are none.
func TestDropout(t *testing.T) {
	var b savedmodel.Builder
	x := b.Input("x", tensor.Float32, tensor.Shape{-1, 2})
	drop := func(name string) savedmodel.Ref {
		return b.Op(name, "Identity", floatAttrs(savedmodel.DropoutRateAttr, 0.5), b.Relu("relu", x))
	}
	b.Output("y", b.Op("add", "AddV2", nil, drop("a"), drop("b")), tensor.Float32, tensor.Shape{-1, 2})
	for _, train := range []bool{true, false} {
		m, err := Graph(b.Graph(), Options{Train: train})
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for i := range m.Main().Nodes {
			if o, ok := m.Main().Nodes[i].Options.(*training.DropoutOptions); ok && o.Rate == 0.5 {
				count++
			}
		}
		if want := map[bool]int{true: 2}[train]; count != want {
			t.Errorf("train %v: %d dropouts, want %d", train, count, want)
		}
	}
}
