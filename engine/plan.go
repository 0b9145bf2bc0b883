package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

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
	for i, v := range slices.Backward(s.graph.Inputs) { // the first place counts where a value has several
		p.facts[v].Shape, p.facts[v].Unknown = inputs[i], false
		if err := within(o.Limits.Bytes, &p.facts[v]); err != nil {
			return nil, s.valueError(v, err)
		}
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
	for k := range c.Out {
		c.Out[k].Unknown, c.Out[k].Const = false, nil
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

// remembered is how many answers an inference keeps.
const remembered = 1000

// inference tells what subgraphs return, and remembers it. A runner shares it with the
// subgraphs it calls.
type inference struct {
	subs  []*subProgram
	opts  *Options
	known map[string]inferred // by subgraph, types and shapes of the operands
	depth int
}

type inferred struct {
	facts []op.Fact
	err   error
}

// results is op.Call's Results. What a called subgraph would fail with is left to
// its run, which may never come.
func (f *inference) results(subgraph int, in []op.Fact) ([]op.Fact, error) {
	key := strconv.Itoa(subgraph)
	for i := range in {
		key += fmt.Sprint(" ", in[i].DType, in[i].Shape, in[i].Unknown)
	}
	if r, ok := f.known[key]; ok {
		return r.facts, r.err
	}
	if len(f.known) == remembered {
		clear(f.known)
	}
	f.known[key] = inferred{err: op.ErrLater} // for a subgraph that calls itself
	f.depth++
	out, ok := f.infer(subgraph, in)
	f.depth--
	if !ok {
		return nil, op.ErrLater
	}
	f.known[key] = inferred{facts: out}
	return out, nil
}

// infer reports false where the results depend on data.
func (f *inference) infer(subgraph int, in []op.Fact) ([]op.Fact, bool) {
	if subgraph < 0 || subgraph >= len(f.subs) || f.depth > maxDepth {
		return nil, false
	}
	s := f.subs[subgraph]
	if len(in) != len(s.graph.Inputs) {
		return nil, false
	}
	shapes := make([]tensor.Shape, len(in))
	for i, v := range s.graph.Inputs {
		if shapes[i] = in[i].Shape; !known(&in[i]) || in[i].DType != s.facts[v].DType {
			return nil, false
		}
	}
	p, err := s.derive(shapes, f, f.opts)
	if err != nil || p.static < len(s.steps) {
		return nil, false
	}
	out := make([]op.Fact, len(s.graph.Outputs))
	for i, v := range s.graph.Outputs {
		if out[i] = p.facts[v]; !known(&out[i]) {
			return nil, false
		}
	}
	return out, true
}

// known reports whether a value can have a place in an arena.
func known(f *op.Fact) bool {
	return f.Present && !f.Unknown && f.Shape.Known() && f.DType.Bits() != 0
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

// block is a piece of the arena with the steps during which it is alive.
type block struct {
	value       graph.ValueID
	size        int
	first, last int
	at          int
}

const arenaAlign = 64

// searched is how many values get the best place; the smaller ones of models that have
// still more lie behind each other, so that a plan never takes long.
const searched = 50_000

func roundUp(n int) int { return (n + arenaAlign - 1) &^ (arenaAlign - 1) }

// layOut places values by size, the largest first, each into the smallest gap
// between the blocks that live at the same time: TFLite's greedy arena planner.
func (p *plan) layOut(s *subProgram, temp, limit int) error {
	p.offset, p.size = make([]int, len(p.facts)), make([]int, len(p.facts))
	for i := range p.offset {
		p.offset[i] = -1
	}
	blocks, root, err := p.liveBlocks(s)
	if err != nil {
		return err
	}
	slices.SortStableFunc(blocks, func(a, b *block) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.first, b.first))
	})
	var placed []*block
	for _, b := range blocks {
		if b.at = p.arena; len(placed) < searched {
			b.at = gap(placed, b)
			i, _ := slices.BinarySearchFunc(placed, b.at, func(x *block, at int) int { return cmp.Compare(x.at, at) })
			placed = slices.Insert(placed, i, b)
		}
		p.offset[b.value] = b.at
		p.arena = max(p.arena, b.at+b.size)
		if p.arena > limit {
			return s.valueError(b.value, tooMuch(p.arena, limit))
		}
	}
	for v := range root {
		p.offset[v] = p.offset[rootOf(root, graph.ValueID(v))]
	}
	for v := range p.facts {
		if f := &p.facts[v]; f.Variable && p.offset[v] < 0 && f.DType.Bits() != 0 {
			n, err := f.Shape.Bytes(f.DType)
			if err != nil {
				return s.valueError(graph.ValueID(v), err)
			}
			if p.variables += n; p.variables > limit {
				return s.valueError(graph.ValueID(v), tooMuch(p.variables, limit))
			}
		}
	}
	p.tempAt = roundUp(p.arena)
	p.arena = p.tempAt + roundUp(temp)
	if p.arena > limit {
		i := max(slices.Index(p.temp, temp), 0)
		return nodeError(s.graph, s.index, s.steps[i].node, tooMuch(p.arena, limit))
	}
	return nil
}

// liveBlocks finds the values that need arena memory and their lifetimes. root
// maps a view (RESHAPE's result) to the value whose memory it shares.
func (p *plan) liveBlocks(s *subProgram) (blocks []*block, root []graph.ValueID, err error) {
	g := s.graph
	byValue := make([]*block, len(p.facts))
	root = make([]graph.ValueID, len(p.facts))
	for i := range root {
		root[i] = graph.None
	}
	end := len(s.steps)
	add := func(v graph.ValueID, first int) error {
		n, err := p.facts[v].Shape.Bytes(p.facts[v].DType)
		if err != nil {
			return err
		}
		p.size[v] = n
		byValue[v] = &block{value: v, size: roundUp(n), first: first, last: first}
		blocks = append(blocks, byValue[v])
		return nil
	}
	touch := func(v graph.ValueID, at int) {
		if root[v] != graph.None {
			v = root[v]
		}
		if b := byValue[v]; b != nil {
			b.last = max(b.last, at)
		}
	}
	for _, v := range g.Inputs {
		if byValue[v] == nil && p.facts[v].DType.Bits() != 0 {
			if err := add(v, 0); err != nil {
				return nil, nil, err
			}
			if !s.consume {
				touch(v, end)
			}
		}
	}
	for i := range s.steps {
		n := &g.Nodes[s.steps[i].node]
		for _, v := range n.Inputs {
			if v != graph.None {
				touch(v, i)
			}
		}
		if i >= p.static {
			continue
		}
		for k, v := range n.Outputs {
			if v == graph.None || p.facts[v].DType.Bits() == 0 {
				continue
			}
			if src := s.viewOf(&s.steps[i], k); src != graph.None && byValue[rootOf(root, src)] != nil && sameBytes(&p.facts[v], &p.facts[src]) {
				root[v] = rootOf(root, src)
				p.size[v] = p.size[src]
				touch(v, i)
				continue
			}
			if err := add(v, i); err != nil {
				return nil, nil, nodeError(g, s.index, s.steps[i].node, err)
			}
		}
	}
	for _, v := range g.Outputs {
		touch(v, end)
	}
	return p.shareDying(s, blocks, byValue, root), root, nil
}

// shareDying lets a result take the place of an operand that nobody reads afterwards,
// where the operator's row allows it. It returns the blocks that remain.
func (p *plan) shareDying(s *subProgram, blocks, byValue []*block, root []graph.ValueID) []*block {
	gone := map[*block]bool{}
	for i := range s.steps[:p.static] {
		n := &s.graph.Nodes[s.steps[i].node]
		if len(n.Outputs) == 0 || n.Outputs[0] == graph.None {
			continue
		}
		b := byValue[n.Outputs[0]]
		if b == nil || b.first != i || s.steps[i].def.View {
			continue
		}
		for _, k := range s.steps[i].def.Alias {
			if k >= len(n.Inputs) || n.Inputs[k] == graph.None {
				continue
			}
			from := rootOf(root, n.Inputs[k])
			old := byValue[from]
			if old == nil || old.last != i || !sameBytes(&p.facts[b.value], &p.facts[n.Inputs[k]]) || readsTwice(n, root, from) {
				continue
			}
			old.last = b.last
			gone[b] = true
			byValue[b.value] = nil
			root[b.value] = from
			break
		}
	}
	return slices.DeleteFunc(blocks, func(b *block) bool { return gone[b] })
}

// readsTwice reports whether several operands lie in the same memory.
func readsTwice(n *graph.Node, root []graph.ValueID, memory graph.ValueID) bool {
	times := 0
	for _, v := range n.Inputs {
		if v != graph.None && rootOf(root, v) == memory {
			times++
		}
	}
	return times > 1
}

func rootOf(root []graph.ValueID, v graph.ValueID) graph.ValueID {
	for root[v] != graph.None { // twice at most: a view, what is in place
		v = root[v]
	}
	return v
}

// viewOf returns the operand whose memory the step's first result may share
// unchanged.
func (s *subProgram) viewOf(st *step, result int) graph.ValueID {
	if !st.def.View || result != 0 {
		return graph.None
	}
	return s.graph.Nodes[st.node].Inputs[st.def.Alias[0]]
}

func sameBytes(a, b *op.Fact) bool {
	m, err1 := a.Shape.Bytes(a.DType)
	n, err2 := b.Shape.Bytes(b.DType)
	return err1 == nil && err2 == nil && m == n
}

// gap finds the smallest hole between the placed blocks that are alive together
// with b, or the end.
func gap(placed []*block, b *block) int {
	best, bestSize, at := -1, 0, 0
	for _, o := range placed {
		if o.last < b.first || b.last < o.first {
			continue
		}
		if hole := o.at - at; hole >= b.size && (best < 0 || hole < bestSize) {
			best, bestSize = at, hole
		}
		at = max(at, o.at+o.size)
	}
	if best >= 0 {
		return best
	}
	return at
}
