package grad

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/exec/fasttrain"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// operand is an operand of the node under test: real numbers whose gradient is
// checked, or a constant.
type operand struct {
	shape    tensor.Shape
	value    []float32
	declared bool // its shape is always known
	fixed    *graph.Value
}

// reals are numbers spread over an interval in a random order. They
// are as far from each other and from the interval's middle as possible, so that
// maxima and kinks at the middle are unambiguous.
func reals(lo, hi float64, shape ...int) operand {
	n, _ := tensor.Shape(shape).Elems()
	v := make([]float32, n)
	for i, p := range rand.New(rand.NewPCG(uint64(n), 1)).Perm(n) {
		v[i] = float32(lo + (hi-lo)*(float64(p)+0.5)/float64(n))
	}
	return operand{shape: shape, value: v}
}

// weights are reals of a shape that is known whatever the batch is.
func weights(shape ...int) operand {
	o := reals(-1, 1, shape...)
	o.declared = true
	return o
}

func given(shape tensor.Shape, v ...float32) operand { return operand{shape: shape, value: v} }

// ints is a constant int32 vector.
func ints(v ...int32) operand {
	return operand{fixed: &graph.Value{DType: tensor.Int32, Shape: tensor.Shape{len(v)}, Const: tensor.BytesOf(v)}}
}

func (o operand) shaped(s ...int) operand {
	o.fixed.Shape = s
	return o
}

func bools(v ...byte) operand {
	return operand{fixed: &graph.Value{DType: tensor.Bool, Shape: tensor.Shape{len(v)}, Const: append(tensor.Aligned(len(v))[:0], v...)}}
}

// absent is an optional operand that is not there.
var absent = operand{}

// trial is a case of the table: a node, and whether all its results are used.
type trial struct {
	name    string
	code    schema.BuiltinOperator
	options any
	results int // 0 is 1
	unused  int // results at the end that nothing depends on
	in      []operand
}

// program is a node under test with the gradients of the sum of its results'
// products with random factors.
type program struct {
	runner  *engine.Runner
	inputs  []graph.ValueID // by operand, None for constants
	outputs []graph.ValueID
	grads   []graph.ValueID // by operand
	factors [][]float32
}

// build makes the program for an engine; known says whether the operands' shapes are
// declared.
func build(t *testing.T, c trial, known bool, kind engine.Kind) *program {
	t.Helper()
	s := &graph.Subgraph{Name: "main"}
	p := &program{}
	n := graph.Node{Op: graph.OpCode(c.code), Options: c.options}
	var wanted []graph.ValueID
	for i, o := range c.in {
		id := graph.None
		switch {
		case o.fixed != nil:
			id = s.Add(*o.fixed)
			p.inputs = append(p.inputs, graph.None)
		case o.value != nil:
			v := graph.Value{Name: fmt.Sprint("x", i), DType: tensor.Float32}
			v.SetPartial(o.shape)
			if !known && !o.declared && len(o.shape) > 0 {
				v.Signature = o.shape.Clone()
				v.Signature[0] = -1
			}
			id = s.Add(v)
			s.Inputs, wanted = append(s.Inputs, id), append(wanted, id)
			p.inputs = append(p.inputs, id)
		default:
			p.inputs = append(p.inputs, graph.None)
		}
		n.Inputs = append(n.Inputs, id)
	}
	for k := range max(c.results, 1) {
		n.Outputs = append(n.Outputs, s.Add(graph.Value{Name: fmt.Sprint("y", k), DType: tensor.Float32, Unranked: true}))
	}
	s.Nodes = []graph.Node{n}
	p.outputs = n.Outputs[:len(n.Outputs)-c.unused]
	p.differentiate(t, s, wanted, kind)
	return p
}

func (p *program) differentiate(t *testing.T, s *graph.Subgraph, wanted []graph.ValueID, kind engine.Kind) {
	t.Helper()
	ops := all.Set().With(training.Defs...)
	seeds := map[graph.ValueID]graph.ValueID{}
	rng := rand.New(rand.NewPCG(9, 9))
	for _, y := range p.outputs {
		shape := p.shapeOf(t, s, y)
		n, _ := shape.Elems()
		f := make([]float32, n)
		for i := range f {
			f[i] = float32(rng.Float64() + 0.5)
		}
		p.factors = append(p.factors, f)
		seeds[y] = s.Add(graph.Value{Name: "dy", DType: tensor.Float32, Shape: shape, Const: tensor.BytesOf(f)})
	}
	grads, err := Backward(s, seeds, wanted)
	if err != nil {
		t.Fatal(err)
	}
	s.Outputs = append(s.Outputs, p.outputs...)
	for _, x := range p.inputs {
		g, ok := grads[x]
		if !ok {
			g = graph.None
		} else {
			s.Outputs = append(s.Outputs, g)
		}
		p.grads = append(p.grads, g)
	}
	prog, err := engine.CompileKernels(ops, fasttrain.Kernels, &graph.Model{Subgraphs: []*graph.Subgraph{s}}, engine.Options{Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	if p.runner, err = prog.NewRunner(""); err != nil {
		t.Fatal(err)
	}
}

// shapeOf runs the forward node alone to learn a result's shape.
func (p *program) shapeOf(t *testing.T, s *graph.Subgraph, y graph.ValueID) tensor.Shape {
	t.Helper()
	m := (&graph.Model{Subgraphs: []*graph.Subgraph{s}}).Clone()
	m.Main().Outputs = []graph.ValueID{y}
	m.Main().Nodes = m.Main().Nodes[:1]
	prog, err := engine.CompileWith(all.Set().With(training.Defs...), m, engine.Options{Kind: engine.Reference})
	if err != nil {
		t.Fatal(err)
	}
	r, err := prog.NewRunner("")
	if err != nil {
		t.Fatal(err)
	}
	return r.OutputAt(0).Shape()
}

// run computes everything for the given operands.
func (p *program) run(t *testing.T, in []operand) {
	t.Helper()
	for i, x := range p.inputs {
		if x != graph.None {
			copy(tensor.View[float32](p.runner.Value(x).Bytes()), in[i].value)
		}
	}
	if err := p.runner.Invoke(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// loss is the sum of products after run.
func (p *program) loss() float64 {
	sum := 0.0
	for k, y := range p.outputs {
		for i, v := range p.runner.Value(y).Float32s() {
			sum += float64(v) * float64(p.factors[k][i])
		}
	}
	return sum
}

// slope is the derivative of the loss by element i of operand k: central
// differences at two distances, extrapolated (Richardson), so that what is left of
// the truncation error is of fourth order.
func (p *program) slope(t *testing.T, in []operand, k, i int, h float32) float64 {
	at := func(d float32) (loss float64, x float64) {
		moved := append([]operand(nil), in...)
		moved[k].value = append([]float32(nil), in[k].value...)
		moved[k].value[i] += d
		p.run(t, moved)
		return p.loss(), float64(moved[k].value[i])
	}
	central := func(h float32) float64 {
		a, x := at(h)
		b, y := at(-h)
		return (a - b) / (x - y)
	}
	return (4*central(h/2) - central(h)) / 3
}

// checkTrial compares every operand's gradient with differences.
func checkTrial(t *testing.T, c trial, known bool, kind engine.Kind) {
	t.Helper()
	const h = 0.04
	p := build(t, c, known, kind)
	p.run(t, c.in)
	got := make([][]float32, len(c.in))
	for k, g := range p.grads {
		if g != graph.None {
			got[k] = append([]float32(nil), p.runner.Value(g).Float32s()...)
		}
	}
	for k, o := range c.in {
		if o.value == nil {
			continue
		}
		if len(got[k]) != len(o.value) {
			t.Fatalf("operand %d of %d elements has a gradient of %d", k, len(o.value), len(got[k]))
		}
		for i := range o.value {
			want := p.slope(t, c.in, k, i, h)
			if d := math.Abs(float64(got[k][i]) - want); !(d <= 2e-4*(1+math.Abs(want))) {
				t.Errorf("operand %d: gradient[%d] at %v is %v, differences say %v", k, i, o.value[i], got[k][i], want)
			}
		}
	}
}

var relu = fb.ActivationFunctionTypeRELU
