package savedmodel

import (
	"fmt"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

const (
	opConst = "Const"

	maxNodes = 1 << 20 // nodes and their inputs visited by one Freeze, all inlined calls together
	maxDepth = 64      // calls within calls
)

// value is what a tensor name stands for while a graph is frozen: an output of
// an emitted node, or a handle to a resource.
type value struct {
	ref      Ref
	resource string    // the resource's name; empty for tensors
	variable *Variable // of a handle to a known variable
}

// result holds the values of a node. Nodes that were emitted have no list: any
// output number is theirs.
type result struct {
	node int
	vals []value
}

// body is a function, or the main graph, in the course of being inlined.
type body struct {
	fn    *function
	scope string
	args  map[string]value // of a function
	attrs map[string]*pb.AttrValue
	feeds map[input]value // of the main graph: tensors that are inputs
	done  map[string]*result
}

// inliner emits nodes into one flat list.
type inliner struct {
	m           *Model
	nodes       []*Node
	visited     int
	depth       int
	constBudget int
	values      map[*Variable]tensor.Tensor
	main        *body
	handlers    map[string]handler
}

func newInliner(m *Model) *inliner {
	return &inliner{m: m, constBudget: maxListBytes, values: map[*Variable]tensor.Tensor{}, handlers: handlers()}
}

// mainBody returns the main graph for constants that functions capture.
func (in *inliner) mainBody() *body {
	if in.main == nil {
		in.main = &body{fn: in.m.library.main, done: map[string]*result{}}
	}
	return in.main
}

// placeholder emits the node of a graph's input.
func (in *inliner) placeholder(p *Port, name string) Ref {
	shape := &pb.TensorShapeProto{UnknownRank: true}
	if p.Shape != nil {
		shape = shapeProto(p.Shape)
	}
	p.Ref = in.emit(&Node{Name: name, Op: opPlaceholder, Attrs: map[string]*pb.AttrValue{
		"dtype": TypeAttr(p.DType),
		"shape": {Value: &pb.AttrValue_Shape{Shape: shape}},
	}})
	return p.Ref
}

func (in *inliner) emit(n *Node) Ref {
	in.nodes = append(in.nodes, n)
	return Ref{Node: len(in.nodes) - 1}
}

// run makes sure that the named tensors of b are computed and returns them.
func (in *inliner) run(b *body, names []string) ([]value, error) {
	vals := make([]value, len(names))
	for i, name := range names {
		t, err := parseInput(name)
		if err != nil {
			return nil, err
		}
		if err := in.visit(b, t); err != nil {
			return nil, err
		}
		if vals[i], err = in.lookup(b, t); err != nil {
			return nil, err
		}
	}
	return vals, nil
}

// isBound reports whether t is an argument or an input, which need no node.
func (b *body) isBound(t input) bool {
	if _, ok := b.args[t.node]; ok {
		return true
	}
	_, ok := b.feeds[input{node: t.node, index: t.index}]
	return ok
}

// lookup returns a value that visit has made available.
func (in *inliner) lookup(b *body, t input) (value, error) {
	if v, ok := b.args[t.node]; ok && t.index == 0 {
		return v, nil
	}
	if v, ok := b.feeds[input{node: t.node, index: t.index}]; ok {
		return v, nil
	}
	r := b.done[t.node]
	if r == nil {
		return value{}, fmt.Errorf("no node %.80q: %w", t.node, tensor.ErrMalformed)
	}
	i := t.index
	if t.arg != "" {
		var err error
		if i, err = in.m.library.outputIndex(b.fn.nodes[t.node], t.arg, t.index); err != nil {
			return value{}, err
		}
	}
	if r.vals == nil {
		return value{ref: Ref{r.node, i}}, nil
	}
	if i >= len(r.vals) {
		return value{}, fmt.Errorf("node %.80q has no output %d: %w", t.node, i, tensor.ErrMalformed)
	}
	return r.vals[i], nil
}

// visit emits the node of t after all nodes it needs. The walk keeps its own
// stack: graphs may be deeper than a goroutine's.
func (in *inliner) visit(b *body, t input) error {
	type frame struct {
		node *pb.NodeDef
		next int // input to look at
	}
	var stack []frame
	open := map[string]bool{}
	push := func(t input) error {
		if b.isBound(t) || b.done[t.node] != nil {
			return nil
		}
		n := b.fn.nodes[t.node]
		if n == nil {
			return fmt.Errorf("no node %.80q: %w", t.node, tensor.ErrMalformed)
		}
		if open[t.node] {
			return fmt.Errorf("node %.80q is part of a cycle: %w", t.node, tensor.ErrUnsupported)
		}
		if in.visited += 1 + len(n.GetInput()); in.visited > maxNodes {
			return fmt.Errorf("more than %d nodes and inputs: %w", maxNodes, tensor.ErrLimit)
		}
		open[t.node] = true
		stack = append(stack, frame{node: n})
		return nil
	}
	if err := push(t); err != nil {
		return err
	}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next < len(top.node.GetInput()) {
			s := top.node.GetInput()[top.next]
			top.next++
			if isControl(s) {
				continue
			}
			dep, err := parseInput(s)
			if err == nil {
				err = push(dep)
			}
			if err != nil {
				return fmt.Errorf("node %.80q: %w", top.node.GetName(), err)
			}
			continue
		}
		n := top.node
		stack = stack[:len(stack)-1]
		delete(open, n.GetName())
		r, err := in.node(b, n)
		if err != nil {
			return err
		}
		b.done[n.GetName()] = r
	}
	return nil
}

// node translates one node whose inputs are available.
func (in *inliner) node(b *body, n *pb.NodeDef) (*result, error) {
	var inputs []value
	for _, s := range n.GetInput() {
		if isControl(s) {
			continue
		}
		t, err := parseInput(s)
		if err != nil {
			return nil, err
		}
		v, err := in.lookup(b, t)
		if err != nil {
			return nil, fmt.Errorf("node %.80q: %w", n.GetName(), err)
		}
		inputs = append(inputs, v)
	}
	c := call{in, b, n, inputs}
	h, ok := in.handlers[n.GetOp()]
	switch {
	case ok:
	case in.m.library.functions[n.GetOp()] != nil: // an operation may be a function's name
		h = callFunction
	default:
		h = emitNode
	}
	r, err := h(&c)
	if err != nil {
		return nil, c.fail(err)
	}
	return r, nil
}

// tensor returns the reference of a value that must be a tensor.
func (in *inliner) tensor(v value, what string) (Ref, error) {
	if v.resource != "" {
		return Ref{}, fmt.Errorf("%s is the resource %.80q, not a tensor: %w", what, v.resource, tensor.ErrUnsupported)
	}
	return v.ref, nil
}

// inline runs a function on args and returns its results in the order of its
// signature. scope is the name of the calling node with its own scope.
func (in *inliner) inline(fn *function, name, scope string, args []value, attrs map[string]*pb.AttrValue) ([]value, error) {
	if in.depth++; in.depth > maxDepth {
		return nil, fmt.Errorf("function %.80q: calls are nested deeper than %d: %w", name, maxDepth, tensor.ErrLimit)
	}
	defer func() { in.depth-- }()
	sig := fn.def.GetSignature()
	if len(args) != len(sig.GetInputArg()) {
		return nil, fmt.Errorf("function %.80q takes %d arguments, got %d: %w", name, len(sig.GetInputArg()), len(args), tensor.ErrMalformed)
	}
	if n := fn.effect; n != nil { // reading the variable as a constant would be wrong
		return nil, fmt.Errorf("function %.80q: node %.80q (%s) changes a variable, which cannot be frozen: %w", name, n.GetName(), n.GetOp(), tensor.ErrUnsupported)
	}
	b := &body{fn: fn, scope: scope, args: map[string]value{}, attrs: attrs, done: map[string]*result{}}
	for i, a := range sig.GetInputArg() {
		b.args[a.GetName()] = args[i]
	}
	rets := make([]string, len(sig.GetOutputArg()))
	for i, a := range sig.GetOutputArg() {
		ret, ok := fn.def.GetRet()[a.GetName()]
		if !ok {
			return nil, fmt.Errorf("function %.80q does not return %q: %w", name, a.GetName(), tensor.ErrMalformed)
		}
		rets[i] = ret
	}
	return in.run(b, rets)
}
