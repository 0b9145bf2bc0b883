package pass

import (
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/tensor"
)

// rule rewrites the nodes around node i, the last one of its pattern, and
// reports whether it did. Patterns end at i, so that a rule may read whatever
// comes before it.
type rule func(r *rewriter, i int) bool

// rewriter is a subgraph in the course of being rewritten. Nodes are replaced in
// place; those that nobody reads any more are emptied when their turn comes.
type rewriter struct {
	g        *graph.Subgraph
	o        *Options
	producer []int // of each value, -1 where no node computes it
	uses     []int // of each value, reads by nodes and outputs
	gone     []bool
}

// fuseWith makes an edit that applies rules until none matches, sweeping from the
// last node to the first. A node that was rewritten is tried again at once, its
// readers in the next sweep; what it replaced still counts as a reader until the
// sweep has reached it. This is the order of MLIR's greedy driver, which decides
// what an operator between two others is fused with.
func fuseWith(rules []rule) func(*graph.Subgraph, *Options) error {
	return func(g *graph.Subgraph, o *Options) error {
		r := newRewriter(g, o)
		for r.sweep(rules) {
		}
		g.RemoveNodes(func(i int) bool { return r.gone[i] })
		return nil
	}
}

func newRewriter(g *graph.Subgraph, o *Options) *rewriter {
	r := &rewriter{g: g, o: o, producer: g.Producers(), uses: make([]int, len(g.Values)), gone: make([]bool, len(g.Nodes))}
	for i := range g.Nodes {
		r.count(g.Nodes[i].Inputs, 1)
	}
	r.count(g.Outputs, 1)
	return r
}

func (r *rewriter) count(ids []graph.ValueID, by int) {
	for _, v := range ids {
		if v != graph.None {
			r.uses[v] += by
		}
	}
}

// sweep walks once over the graph and reports whether a rule matched.
func (r *rewriter) sweep(rules []rule) (changed bool) {
	for i := len(r.g.Nodes) - 1; i >= 0; i-- {
		for r.apply(rules, i) {
			changed = true
		}
	}
	return changed
}

func (r *rewriter) apply(rules []rule, i int) bool {
	n := &r.g.Nodes[i]
	if r.gone[i] || !pure(r.o, n) {
		return false
	}
	if !slices.ContainsFunc(n.Outputs, func(v graph.ValueID) bool { return v != graph.None && r.uses[v] > 0 }) {
		r.gone[i] = true
		r.count(n.Inputs, -1)
		return false
	}
	if v := n.Outputs[0]; v == graph.None || !r.g.Value(v).Quant.IsZero() {
		return false // requantization makes each result a step of its own
	}
	for _, f := range rules {
		if f(r, i) {
			return true
		}
	}
	return false
}

// node returns node i if it is of one of the given operators, else nil.
func (r *rewriter) node(i int, codes ...schema.BuiltinOperator) *graph.Node {
	n := &r.g.Nodes[i]
	if r.gone[i] || !slices.Contains(codes, schema.BuiltinOperator(n.Op)) {
		return nil
	}
	return n
}

// def returns the node that computes operand k of n and its index, if it is of
// one of the given operators.
func (r *rewriter) def(n *graph.Node, k int, codes ...schema.BuiltinOperator) (*graph.Node, int) {
	if k >= len(n.Inputs) || n.Inputs[k] == graph.None || r.producer[n.Inputs[k]] < 0 {
		return nil, -1
	}
	i := r.producer[n.Inputs[k]]
	return r.node(i, codes...), i
}

// single reports whether the first result of n is read once.
func (r *rewriter) single(n *graph.Node) bool { return r.uses[n.Outputs[0]] == 1 }

// constant returns operand k of n if it is a constant that may be changed.
func (r *rewriter) constant(n *graph.Node, k int) *graph.Value {
	v := r.anyConstant(n, k)
	if v == nil || r.o.fixed(v) {
		return nil
	}
	return v
}

// anyConstant returns operand k of n if it is a constant, also one that holds a
// parameter in training.
func (r *rewriter) anyConstant(n *graph.Node, k int) *graph.Value {
	if k >= len(n.Inputs) || n.Inputs[k] == graph.None {
		return nil
	}
	if v := r.g.Value(n.Inputs[k]); v.IsConst() && v.Quant.IsZero() {
		return v
	}
	return nil
}

// floats returns the elements of a float32 constant, nil for other values.
func floats(v *graph.Value) []float32 {
	if v == nil || v.DType != tensor.Float32 {
		return nil
	}
	return tensor.View[float32](aligned(v.Const))
}

// shape returns the partial shape of operand k, nil if it is not known.
func (r *rewriter) shape(n *graph.Node, k int) tensor.Shape {
	if k >= len(n.Inputs) {
		return nil
	}
	return r.valueShape(n.Inputs[k])
}

func (r *rewriter) valueShape(id graph.ValueID) tensor.Shape {
	if id == graph.None {
		return nil
	}
	if v := r.g.Value(id); !v.Unranked {
		return v.Partial()
	}
	return nil
}

// addFloats adds a float32 constant.
func (r *rewriter) addFloats(v []float32, s tensor.Shape, origins []string, p *graph.Param) graph.ValueID {
	return r.add(graph.Value{DType: tensor.Float32, Shape: s.Clone(), Const: tensor.BytesOf(v), Origins: origins, Param: p})
}

// addInts adds an int32 constant of rank 1.
func (r *rewriter) addInts(v []int32) graph.ValueID {
	return r.add(graph.Value{DType: tensor.Int32, Shape: tensor.Shape{len(v)}, Const: tensor.BytesOf(v)})
}

func (r *rewriter) add(v graph.Value) graph.ValueID {
	r.producer, r.uses = append(r.producer, -1), append(r.uses, 0)
	return r.g.Add(v)
}

// replace puts n in the place of node i.
func (r *rewriter) replace(i int, n graph.Node) {
	n.Inputs, n.Outputs = slices.Clone(n.Inputs), slices.Clone(n.Outputs)
	r.count(n.Inputs, 1)
	r.count(r.g.Nodes[i].Inputs, -1)
	r.g.Nodes[i] = n
	for _, v := range n.Outputs {
		r.producer[v] = i
	}
}

// forward drops node i, whose result equals v, and lets its readers read v. It
// fails where both are inputs, constants or outputs of the graph, which must stay
// values of their own.
func (r *rewriter) forward(i int, v graph.ValueID) bool {
	kept, dropped := v, r.g.Nodes[i].Outputs[0]
	if r.g.IsOutput(dropped) {
		p := r.producer[v]
		if p < 0 || r.g.IsOutput(v) {
			return false
		}
		outs := slices.Clone(r.g.Nodes[p].Outputs)
		outs[slices.Index(outs, v)] = dropped
		r.g.Nodes[p].Outputs = outs
		r.producer[dropped], r.producer[v] = p, -1
		kept, dropped = dropped, v
	}
	r.gone[i] = true
	r.uses[v]-- // node i's own read
	r.g.ReplaceUses(dropped, kept)
	r.uses[kept] += r.uses[dropped]
	r.uses[dropped] = 0
	return true
}

// fused merges the origins of a pattern: its last node, then for each inner node
// its constants and the node itself, then the last node's constants.
func (r *rewriter) fused(root *graph.Node, inner ...*graph.Node) []string {
	o := root.Origins
	for _, n := range inner {
		o = graph.MergeOrigins(o, r.constantOrigins(n), n.Origins)
	}
	return graph.MergeOrigins(o, r.constantOrigins(root))
}

func (r *rewriter) constantOrigins(n *graph.Node) (o []string) {
	for _, v := range n.Inputs {
		if v != graph.None && r.g.Value(v).IsConst() {
			o = graph.MergeOrigins(o, r.g.Value(v).Origins)
		}
	}
	return o
}
