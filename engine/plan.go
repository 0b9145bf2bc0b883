package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// plan is a subgraph laid out in memory for given input shapes. It is immutable.
type plan struct {
	facts []op.Fact // of every value, shapes known unless dynamic
	// offset of each value in the arena, -1 for constants and for values that
	// live elsewhere (variables, results whose shape depends on data).
	offset []int
	size   []int
	// temp is the scratch of each step; all share one region at tempAt.
	temp   []int
	tempAt int
	arena  int
	// variables is the size of those outside the arena.
	variables int
	// static is the number of leading steps whose shapes are all known; the
	// others are shaped as they run.
	static int
}

// reshape derives every shape from the inputs' and lays the values out.
func (s *subProgram) reshape(inputs []tensor.Shape, calls *inference, o *Options) (*plan, error) {
	p, err := s.derive(inputs, calls, o)
	if err != nil {
		return nil, err
	}
	if err := p.layOut(s, slices.Max(append(p.temp, 0)), o.Limits.Bytes); err != nil {
		return nil, err
	}
	return p, nil
}

// derive finds the shapes and the scratch memory of the leading steps whose shapes do
// not depend on data.
func (s *subProgram) derive(inputs []tensor.Shape, calls *inference, o *Options) (*plan, error) {
	if s.refused != nil {
		return nil, s.refused
	}
	p := &plan{facts: slices.Clone(s.facts), temp: make([]int, len(s.steps))}
	if err := p.setInputs(s, inputs, o.Limits.Bytes); err != nil {
		return nil, err
	}
	for p.static = 0; p.static < len(s.steps); p.static++ {
		st := &s.steps[p.static]
		ok, err := s.shapeStep(st, p.facts, calls, o)
		if err != nil {
			return nil, nodeError(s.graph, s.index, st.node, err)
		}
		if !ok {
			break
		}
		if p.temp[p.static], err = s.tempOf(st, p.facts); err != nil {
			return nil, nodeError(s.graph, s.index, st.node, err)
		}
	}
	return p, nil
}

// varies reports whether an input has a dimension that may vary.
func (s *subProgram) varies() bool {
	return slices.ContainsFunc(s.graph.Inputs, func(v graph.ValueID) bool { return !s.graph.Values[v].Partial().Known() })
}

// unplanned is a plan in which only the inputs have a place.
func (s *subProgram) unplanned(inputs []tensor.Shape, o *Options) (*plan, error) {
	p := &plan{facts: slices.Clone(s.facts), temp: make([]int, len(s.steps))}
	if err := p.setInputs(s, inputs, o.Limits.Bytes); err != nil {
		return nil, err
	}
	return p, p.layOut(s, 0, o.Limits.Bytes)
}

// setInputs gives the inputs their shapes.
func (p *plan) setInputs(s *subProgram, shapes []tensor.Shape, limit int) error {
	for i, v := range slices.Backward(s.graph.Inputs) { // the first place counts where a value has several
		p.facts[v].Shape, p.facts[v].Unknown = shapes[i], false
		if err := within(limit, &p.facts[v]); err != nil {
			return s.valueError(v, err)
		}
	}
	return nil
}

// place names the subgraph in errors.
func (s *subProgram) place() string { return fmt.Sprintf("%d %q", s.index, s.graph.Name) }

func (s *subProgram) valueError(v graph.ValueID, err error) error {
	return &graph.Error{Subgraph: s.place(), Value: fmt.Sprintf("%d %q", v, s.graph.Values[v].Name), Err: err}
}

// shapeStep completes the facts about a step's results; false means that they
// depend on data not known yet. Small integer results over known operands are
// evaluated, so that shape arithmetic stays static.
func (s *subProgram) shapeStep(st *step, facts []op.Fact, calls *inference, o *Options) (ok bool, err error) {
	defer o.caught(&err)
	n := &s.graph.Nodes[st.node]
	if s.variableSize(n, facts) {
		return false, nil
	}
	c := s.call(n, facts)
	c.Results = calls.results
	for k, v := range n.Outputs {
		if v != graph.None {
			c.Out[k] = s.resultFact(v)
		}
	}
	if err := st.def.Facts(c); errors.Is(err, op.ErrLater) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	for k, v := range n.Outputs {
		if v == graph.None {
			continue
		}
		if c.Out[k].Unknown || !c.Out[k].Shape.Known() {
			return false, nil
		}
		if err := within(o.Limits.Bytes, &c.Out[k]); err != nil {
			return false, err
		}
		facts[v] = c.Out[k]
	}
	if st.def.Effect == op.Pure && shapeLike(c) && constant(c) {
		outs, err := op.EvaluateWithin(o.Limits.bound(), st.def, c)
		if err != nil {
			return false, err
		}
		for k, v := range n.Outputs {
			facts[v].Const = outs[k].Bytes()
		}
	}
	return true, nil
}

// resultFact is what is known about a node's result before its shape rule: the type
// that compilation found, the declared shape.
func (s *subProgram) resultFact(v graph.ValueID) op.Fact {
	f := s.facts[v]
	return op.Fact{Present: true, DType: f.DType, Shape: s.graph.Values[v].Partial(), Quant: f.Quant}
}

// variableSize reports whether an operand or result has elements without a fixed
// width: strings have no place in the arena.
func (s *subProgram) variableSize(n *graph.Node, facts []op.Fact) bool {
	for _, v := range n.Inputs {
		if v != graph.None && facts[v].DType.Bits() == 0 && facts[v].Const == nil {
			return true
		}
	}
	for _, v := range n.Outputs {
		if v != graph.None && facts[v].DType.Bits() == 0 {
			return true
		}
	}
	return false
}

// shapeLike reports whether a node computes what shape operands are made of:
// integers, and few.
func shapeLike(c *op.Call) bool {
	const few = 64
	for i := range c.Out {
		n, err := c.Out[i].Shape.Elems()
		if err != nil || n > few || !op.Index.Has(c.Out[i].DType) {
			return false
		}
	}
	return true
}

func (s *subProgram) tempOf(st *step, facts []op.Fact) (int, error) {
	if st.kernel.Temp == nil {
		return 0, nil
	}
	n := &s.graph.Nodes[st.node]
	return st.kernel.Temp(factShapes(n.Inputs, facts), factShapes(n.Outputs, facts))
}

func factShapes(ids []graph.ValueID, facts []op.Fact) []tensor.Shape {
	r := make([]tensor.Shape, len(ids))
	for i, v := range ids {
		if v != graph.None {
			r[i] = facts[v].Shape
		}
	}
	return r
}
