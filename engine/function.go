package engine

import (
	"fmt"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// function is a subgraph that a node of another one calls: a runner of its own,
// which shares the caller's resources.
type function struct {
	runner *Runner
	caller *Runner
	out    []tensor.Tensor
}

// Subgraph returns subgraph i as a function, the same at every call, with the
// subgraph's variables reset.
func (r *Runner) Subgraph(i int) (op.Function, error) {
	if f := r.children[i]; f != nil {
		if f.runner.plan != nil && f.runner.plan.variables > 0 {
			f.runner.ResetVariables()
		}
		return f, nil
	}
	if i < 0 || i >= len(r.prog.subs) {
		return nil, fmt.Errorf("subgraph %d of %d: %w", i, len(r.prog.subs), tensor.ErrMalformed)
	}
	if r.depth >= maxDepth {
		return nil, fmt.Errorf("subgraphs call each other %d deep: %w", r.depth, tensor.ErrLimit)
	}
	sub := r.prog.subs[i]
	c := &Runner{prog: r.prog, sub: sub, resources: r.resources, depth: r.depth + 1, usage: r.usage, calls: r.calls}
	c.inIDs, c.outIDs = sub.graph.Inputs, sub.graph.Outputs
	for _, v := range c.inIDs {
		c.shapes = append(c.shapes, sub.graph.Values[v].Shape)
	}
	f := &function{runner: c, caller: r, out: make([]tensor.Tensor, len(c.outIDs))}
	if r.children == nil {
		r.children = map[int]*function{}
	}
	r.children[i] = f
	return f, nil
}

// Resources are shared by all subgraphs of an execution.
func (r *Runner) Resources() *op.Resources { return r.resources }

// Call runs the subgraph over copies of the operands.
func (f *function) Call(in []tensor.Tensor) ([]tensor.Tensor, error) {
	r := f.runner
	if err := r.usage.call(); err != nil {
		return nil, err
	}
	if err := f.feed(in); err != nil {
		return nil, err
	}
	if err := r.invoke(f.caller.ctx); err != nil {
		return nil, err
	}
	for i, v := range r.outIDs {
		f.out[i] = r.tensors[v]
	}
	return f.out, nil
}

// feed shapes the runner for the operands and copies them in. Variables survive as
// long as the shapes stay.
func (f *function) feed(in []tensor.Tensor) error {
	r := f.runner
	if len(in) != len(r.inIDs) {
		return fmt.Errorf("subgraph %s takes %d operands, got %d: %w", r.sub.place(), len(r.inIDs), len(in), tensor.ErrMalformed)
	}
	same := r.plan != nil
	for i, t := range in {
		if !r.shapes[i].Equal(t.Shape()) {
			r.shapes[i], same = t.Shape().Clone(), false
		}
	}
	if !same {
		if err := r.replan(); err != nil {
			return err
		}
		r.ResetVariables()
	}
	for i, t := range in {
		if err := r.set(r.inIDs[i], t); err != nil {
			return err
		}
	}
	return nil
}
