package train

import (
	"context"
	"fmt"
	"slices"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/exec/fasttrain"
	"github.com/litequant/litequant/internal/grad"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// network is the trainable part of a model as one program: forward pass, loss,
// gradients and the optimiser's step.
type network struct {
	head    *graph.Model // forward only, its weights constants
	weights []graph.ValueID
	runner  *engine.Runner
	hyper   graph.ValueID
	step    graph.ValueID // its number
	opt     Optimizer
	steps   int
}

// withLabels appends the labels of output y, and the losses.
func withLabels(s *graph.Subgraph, l Loss) (losses, error) {
	y := s.Outputs[0]
	v := graph.Value{Name: "labels", DType: tensor.Int32, Shape: tensor.Shape{rows(s.Value(y).Shape)}, Signature: tensor.Shape{-1}}
	if !l.classes() {
		v.DType = tensor.Float32
		v.SetPartial(s.Value(y).Partial())
	}
	labels := s.Add(v)
	s.Inputs = append(s.Inputs, labels)
	added, err := l.attach(&lossBuilder{grad.Builder{Graph: s}}, y, labels)
	if err != nil {
		return losses{}, err
	}
	s.Outputs = append(s.Outputs, added.each)
	return added, nil
}

// rows is how many rows along the last axis a shape has.
func rows(s tensor.Shape) int {
	n := 1
	for _, d := range s[:max(len(s)-1, 0)] {
		n *= d
	}
	return n
}

// withLoss is a copy of an inference graph that also computes each sample's loss,
// as its second output, against labels, its last input.
func withLoss(m *graph.Model, l Loss) (*graph.Model, error) {
	c := m.Clone()
	c.Signatures = nil
	_, err := withLabels(c.Main(), l)
	return c, err
}

func newLossPredictor(m *graph.Model, threads int) (*predictor, error) {
	p, err := engine.CompileWith(trainingOps(), m, engine.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	r, err := p.NewRunner("")
	return &predictor{r}, err
}

// trainingOps are TFLite's operators and the internal ones.
func trainingOps() op.Set { return all.Set().With(training.Defs...) }

// newNetwork builds the program for a head whose first output is compared with
// the labels.
func newNetwork(head *graph.Model, o Options) (*network, error) {
	return newNetworkOn(head, o, engine.Fast)
}

func newNetworkOn(head *graph.Model, o Options, kind engine.Kind) (*network, error) {
	m := head.Clone()
	s := m.Main()
	n := &network{head: head, weights: trainable(s), opt: o.Optimizer}
	if len(s.Outputs) != 1 {
		return nil, fmt.Errorf("a model with %d outputs: %w", len(s.Outputs), tensor.ErrUnsupported)
	}
	n.step = s.Add(graph.Value{Name: "step", DType: tensor.Int32, Shape: tensor.Shape{}, Variable: true})
	setTraining(s, n.step, o.Seed)
	loss, err := withLabels(s, o.Loss)
	if err != nil {
		return nil, err
	}
	grads, err := grad.Backward(s, loss.seeds, n.weights)
	if err != nil {
		return nil, err
	}
	n.addSteps(s, grads)
	p, err := engine.CompileKernels(trainingOps(), fasttrain.Kernels, m, engine.Options{Kind: kind, Threads: o.Threads})
	if err != nil {
		return nil, err
	}
	if n.runner, err = p.NewRunner(""); err != nil {
		return nil, err
	}
	for _, v := range n.weights {
		copy(n.runner.Value(v).Bytes(), head.Main().Value(v).Const)
	}
	return n, nil
}

// setTraining puts layers that training treats differently into that form. Dropouts
// draw by their place in the graph.
func setTraining(s *graph.Subgraph, step graph.ValueID, seed uint64) {
	dropouts := uint32(0)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if o, ok := n.Options.(*training.DropoutOptions); ok {
			n.Op, n.Inputs = training.DropoutStepCode, append(n.Inputs, step)
			n.Options = &training.DropoutOptions{Rate: o.Rate, Seed: seed, Stream: dropouts}
			dropouts++
		}
		if _, ok := n.Options.(*training.NormOptions); ok {
			n.Op = training.BatchNormStepCode
			for _, name := range []string{"mean", "inverse"} {
				n.Outputs = append(n.Outputs, s.Add(graph.Value{Name: name, DType: tensor.Float32, Unranked: true}))
			}
		}
	}
}

// addSteps makes the weights variables and appends the optimiser's step of each
// that has a gradient.
func (n *network) addSteps(s *graph.Subgraph, grads map[graph.ValueID]graph.ValueID) {
	n.hyper = s.Add(graph.Value{Name: "hyper", DType: tensor.Float32, Shape: tensor.Shape{len(n.opt.hyper(1))}, Variable: true})
	for _, w := range n.weights {
		s.Values[w].Const, s.Values[w].Variable = nil, true
		g, ok := grads[w]
		if !ok {
			continue
		}
		in := []graph.ValueID{w}
		for range n.opt.slots() {
			in = append(in, s.Add(graph.Value{Name: s.Values[w].Name + "/slot", DType: tensor.Float32, Shape: s.Values[w].Shape, Variable: true}))
		}
		s.Nodes = append(s.Nodes, graph.Node{Op: n.opt.step(), Inputs: append(in, g, n.hyper)})
	}
}

// run runs one batch, the labels as Loss takes them. loss has an element a sample or
// more; y is the network's output.
func (n *network) run(ctx context.Context, inputs []tensor.Tensor, labels tensor.Tensor) (loss []float32, y tensor.Tensor, err error) {
	if err := n.feed(append(slices.Clip(inputs), labels)); err != nil {
		return nil, tensor.Tensor{}, err
	}
	n.steps++
	tensor.View[int32](n.runner.Value(n.step).Bytes())[0] = int32(n.steps)
	copy(tensor.View[float32](n.runner.Value(n.hyper).Bytes()), n.opt.hyper(n.steps))
	if err := n.runner.Invoke(ctx); err != nil {
		return nil, tensor.Tensor{}, err
	}
	return tensor.View[float32](n.runner.OutputAt(1).Bytes()), n.runner.OutputAt(0), nil
}

func (n *network) feed(inputs []tensor.Tensor) error {
	for i, x := range inputs {
		if err := n.runner.ResizeKeeping(fmt.Sprint(i), x.Shape()); err != nil {
			return err
		}
	}
	for i, x := range inputs {
		copy(n.runner.InputAt(i).Bytes(), x.Bytes())
	}
	return nil
}

// trained returns the head with its weights as they are now.
func (n *network) trained() *graph.Model {
	m := n.head.Clone()
	for _, v := range n.weights {
		m.Main().Values[v].Const = append(tensor.Aligned(0), n.runner.Value(v).Bytes()...)
	}
	return m
}
