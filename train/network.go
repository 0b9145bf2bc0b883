package train

import (
	"context"
	"fmt"

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
	labels  string
	hyper   graph.ValueID
	opt     Optimizer
	steps   int
}

const labelsName = "labels"

// addLabels appends the input of class numbers.
func addLabels(s *graph.Subgraph) graph.ValueID {
	v := s.Add(graph.Value{Name: labelsName, DType: tensor.Int32, Shape: tensor.Shape{1}, Signature: tensor.Shape{-1}})
	s.Inputs = append(s.Inputs, v)
	return v
}

// withLoss is a copy of an inference graph that also computes each example's loss,
// as its second output, against labels, its last input.
func withLoss(m *graph.Model, l Loss) (*graph.Model, error) {
	c := m.Clone()
	c.Signatures = nil
	s := c.Main()
	loss, _, _, err := l.attach(s, s.Outputs[0], addLabels(s))
	s.Outputs = append(s.Outputs, loss)
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

func int32Tensor(v []int32) tensor.Tensor {
	return tensor.Raw(tensor.Int32, tensor.Shape{len(v)}, tensor.Quant{}, tensor.BytesOf(v))
}

// newNetwork builds the program for a head whose first output is compared with
// the labels.
func newNetwork(head *graph.Model, o Options) (*network, error) {
	return newNetworkOn(head, o, engine.Fast)
}

func newNetworkOn(head *graph.Model, o Options, kind engine.Kind) (*network, error) {
	m := head.Clone()
	s := m.Main()
	n := &network{head: head, weights: trainable(s), opt: o.Optimizer, labels: labelsName}
	if len(s.Outputs) != 1 {
		return nil, fmt.Errorf("a model with %d outputs: %w", len(s.Outputs), tensor.ErrUnsupported)
	}
	labels := addLabels(s)
	loss, of, seed, err := o.Loss.attach(s, s.Outputs[0], labels)
	if err != nil {
		return nil, err
	}
	s.Outputs = append(s.Outputs, loss)
	grads, err := grad.Backward(s, map[graph.ValueID]graph.ValueID{of: seed}, n.weights)
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

// addSteps makes the weights variables and appends the optimiser's step of each.
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

// step runs one batch. loss has an element an example; y is the network's output.
func (n *network) step(ctx context.Context, inputs []tensor.Tensor, labels []int32) (loss []float32, y tensor.Tensor, err error) {
	if err := n.feed(inputs, labels); err != nil {
		return nil, tensor.Tensor{}, err
	}
	n.steps++
	copy(tensor.View[float32](n.runner.Value(n.hyper).Bytes()), n.opt.hyper(n.steps))
	if err := n.runner.Invoke(ctx); err != nil {
		return nil, tensor.Tensor{}, err
	}
	return tensor.View[float32](n.runner.OutputAt(1).Bytes()), n.runner.OutputAt(0), nil
}

func (n *network) feed(inputs []tensor.Tensor, labels []int32) error {
	for i, x := range inputs {
		if err := n.runner.ResizeKeeping(fmt.Sprint(i), x.Shape()); err != nil {
			return err
		}
	}
	if err := n.runner.ResizeKeeping(n.labels, tensor.Shape{len(labels)}); err != nil {
		return err
	}
	for i, x := range inputs {
		copy(n.runner.InputAt(i).Bytes(), x.Bytes())
	}
	copy(tensor.View[int32](n.runner.InputAt(len(inputs)).Bytes()), labels)
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
