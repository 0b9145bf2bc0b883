// Package engine runs models. Four lifetimes keep it fast and safe to share:
// Compile turns a model into a Program (kernels, packed weights, no shapes), a
// Program makes a Plan for given input shapes (arena offsets), a Runner owns the
// memory of one execution, and Invoke touches nothing else and allocates nothing
// for static shapes. Programs and plans are immutable; use one Runner a
// goroutine.
package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// Kind selects an engine.
type Kind uint8

const (
	// Fast uses optimised kernels where there are any. Integer results equal the
	// reference engine's; float results differ in the last bits.
	Fast Kind = iota
	// Reference runs the plain kernels of package op, whose results are the same
	// bits on every operating system and CPU.
	Reference
)

// Options tune a Program. The zero value is right for most.
type Options struct {
	Kind Kind
	// Threads bounds the threads of one invocation; 0 is GOMAXPROCS. It never
	// changes a result.
	Threads int
	Limits  Limits
	// Observe, if not nil, is called after each node with the tensors it
	// computed, which are valid during the call only.
	Observe func(Event)
	// Panics lets the panic of a defect through, which is an error otherwise. Tests
	// set it.
	Panics bool
}

// Program is a compiled model: immutable, shared by any number of goroutines.
type Program struct {
	model *graph.Model
	opts  Options
	subs  []*subProgram
}

// subProgram is a compiled subgraph.
type subProgram struct {
	index int
	graph *graph.Subgraph
	model *graph.Model
	facts []op.Fact // of every value, as far as known without input shapes
	steps []step
	// consume lets results take the place of the subgraph's inputs; for tests.
	consume bool
	// refused says why a subgraph that may remain uncompiled does not compile.
	refused error
}

// step is a node with its kernel.
type step struct {
	node   int
	def    *op.Def
	kernel op.Kernel
}

// Compile prepares a model that uses TFLite's operators.
func Compile(m *graph.Model, o Options) (*Program, error) { return CompileWith(all.Set(), m, o) }

// CompileWith prepares a model that uses the operators of the given set only. All
// unsupported operators are reported at once; those of a further signature's subgraph
// when a runner for it is made.
func CompileWith(ops op.Set, m *graph.Model, o Options) (*Program, error) {
	return CompileKernels(ops, fast.Kernels, m, o)
}

// CompileKernels is CompileWith with another table of fast kernels, for programs
// with internal operators.
func CompileKernels(ops op.Set, kernels fast.Table, m *graph.Model, o Options) (p *Program, err error) {
	o.Limits = o.Limits.orDefault()
	defer o.caught(&err)
	spare := spared(ops, m)
	refused := make([]error, len(m.Subgraphs))
	for i := range m.Subgraphs {
		if refused[i] = unsupported(ops, m, i); !spare[i] {
			err = graph.Join(err, refused[i])
		}
	}
	if err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	p = &Program{model: m, opts: o}
	if o.Kind == Reference {
		kernels = nil
	}
	c := compiler{ops, kernels, fast.NewEnv(o.Threads), m, &o, o.Limits.bound()}
	for i := range m.Subgraphs {
		var s *subProgram
		err := refused[i]
		if err == nil {
			s, err = c.subgraph(i)
		}
		if err != nil && spare[i] {
			s, err = &subProgram{index: i, graph: m.Subgraphs[i], refused: err}, nil
		}
		if err != nil {
			return nil, err
		}
		p.subs = append(p.subs, s)
	}
	return p, nil
}

// spared lists the subgraphs that need not compile until something runs them: those
// that name a function and those of signatures, but for the main one.
func spared(ops op.Set, m *graph.Model) map[int]bool {
	set := map[int]bool{}
	for i := range m.Signatures {
		set[m.Signatures[i].Subgraph] = true
	}
	for _, g := range m.Subgraphs {
		for i := range g.Nodes {
			if d, err := ops.Lookup(&g.Nodes[i]); err == nil && d.Names != nil {
				set[d.Names(&g.Nodes[i])] = true
			}
		}
	}
	delete(set, 0)
	return set
}

// unsupported names every operator of a subgraph that is not in the set, with all its
// nodes.
func unsupported(ops op.Set, m *graph.Model, index int) error {
	g := m.Subgraphs[index]
	var errs []error
	byName := map[string]*graph.Error{}
	for k := range g.Nodes {
		_, err := ops.Lookup(&g.Nodes[k])
		if err == nil {
			continue
		}
		name := op.NameOf(&g.Nodes[k])
		if e := byName[name]; e != nil {
			e.Node = fmt.Sprintf("%s, %d %s", strings.TrimSuffix(e.Node, " "+name), k, name)
			continue
		}
		byName[name] = nodeError(g, index, k, err)
		errs = append(errs, byName[name])
	}
	return graph.Join(errs...)
}

// Model returns the model the program was compiled from.
func (p *Program) Model() *graph.Model { return p.model }

// compiler is what the subgraphs of a program are compiled with.
type compiler struct {
	ops     op.Set
	kernels fast.Table
	env     *fast.Env
	model   *graph.Model
	opts    *Options
	left    op.Bound // bytes of constants and time to fold nodes
}

func (c *compiler) subgraph(index int) (*subProgram, error) {
	g := c.model.Subgraphs[index]
	s := &subProgram{index: index, graph: g, model: c.model, facts: make([]op.Fact, len(g.Values))}
	var errs []error
	for i := range g.Values {
		f, err := c.declaredFact(g, &g.Values[i])
		if err == nil && len(f.Const) == 0 {
			err = within(c.opts.Limits.Bytes, &f)
		}
		if err != nil {
			errs = append(errs, &graph.Error{Subgraph: fmt.Sprintf("%d %q", index, g.Name), Value: fmt.Sprintf("%d %q", i, g.Values[i].Name), Err: err})
		}
		s.facts[i] = f
	}
	if len(errs) > 0 {
		return nil, graph.Join(errs...)
	}
	for _, v := range g.Inputs {
		s.facts[v].Const = nil // may be overwritten
	}
	for i := range g.Nodes {
		if err := c.node(s, i); err != nil {
			errs = append(errs, nodeError(g, index, i, err))
		}
	}
	return s, graph.Join(errs...)
}

func (c *compiler) node(s *subProgram, i int) (err error) {
	defer c.opts.caught(&err)
	n := &s.graph.Nodes[i]
	d, err := c.ops.Lookup(n)
	if err != nil {
		return err
	}
	call := s.call(n, s.facts)
	if err := d.Check(call); err != nil {
		return err
	}
	later := false
	if err := d.Facts(call); errors.Is(err, op.ErrLater) {
		later = true
	} else if err != nil {
		return err
	}
	for k, v := range n.Outputs {
		if v != graph.None {
			s.facts[v] = call.Out[k]
			s.facts[v].Unknown = s.facts[v].Unknown || later
			s.facts[v].Const = nil // what follows from shapes alone follows a resize
			if err := within(c.opts.Limits.Bytes, &s.facts[v]); err != nil {
				return fmt.Errorf("result %d: %w", k, err)
			}
		}
	}
	if !later && d.Effect == op.Pure && constant(call) && c.afford(call.Out) {
		if err := c.fold(s, d, call); err != nil {
			return err
		}
		return s.start(n)
	}
	for k, v := range n.Outputs {
		if v != graph.None && s.graph.Values[v].Variable {
			return fmt.Errorf("result %d is a variable: %w", k, tensor.ErrUnsupported)
		}
	}
	k, err := c.kernel(d, call)
	if err != nil {
		return err
	}
	s.steps = append(s.steps, step{i, d, k})
	return nil
}

// kernel is the fast one, or the reference kernel where there is none.
func (c *compiler) kernel(d *op.Def, call *op.Call) (op.Kernel, error) {
	if mk := c.kernels[d.Code]; mk != nil {
		if k, ok, err := mk(c.env, call); ok || err != nil {
			return k, err
		}
	}
	return d.Ref(call)
}

// call gathers a node's facts.
func (s *subProgram) call(n *graph.Node, facts []op.Fact) *op.Call {
	c := &op.Call{Node: n, In: make([]op.Fact, len(n.Inputs)), Out: make([]op.Fact, len(n.Outputs)), Subgraphs: s.model.Subgraphs}
	for k, v := range n.Inputs {
		if v != graph.None {
			c.In[k] = facts[v]
		}
	}
	for k, v := range n.Outputs {
		if v != graph.None {
			c.Out[k] = facts[v]
		}
	}
	if len(n.Intermediates) > 0 {
		c.Intermediates = make([]op.Fact, len(n.Intermediates))
	}
	for k, v := range n.Intermediates {
		if v != graph.None {
			c.Intermediates[k] = facts[v]
		}
	}
	return c
}

func constant(c *op.Call) bool {
	for i := range c.In {
		if c.In[i].Present && c.In[i].Const == nil {
			return false
		}
	}
	for i := range c.Out {
		if c.Out[i].Unknown || !c.Out[i].Shape.Known() {
			return false
		}
	}
	return true
}

// within fails for a value that takes more than limit bytes, or would if it had one
// element instead of none: kernels may prepare tables as long as a dimension of their
// operands.
func within(limit int, f *op.Fact) error {
	if f.Unknown || !f.Shape.Known() {
		return nil
	}
	d := f.DType
	if d.Bits() == 0 {
		d = tensor.Int32 // a string's offset
	}
	n, err := atLeastOne(f.Shape).Bytes(d)
	if err == nil && n > limit {
		err = fmt.Errorf("a value of %d bytes, %d are allowed: %w", n, limit, tensor.ErrLimit)
	}
	return err
}

// atLeastOne is the shape with 1 for 0.
func atLeastOne(s tensor.Shape) tensor.Shape {
	if !slices.Contains(s, 0) {
		return s
	}
	s = s.Clone()
	for i := range s {
		s[i] = max(s[i], 1)
	}
	return s
}

func shapesOf(ts []tensor.Tensor) []tensor.Shape {
	s := make([]tensor.Shape, len(ts))
	for i := range ts {
		s[i] = ts[i].Shape()
	}
	return s
}

func nodeError(g *graph.Subgraph, sub, node int, err error) *graph.Error {
	n := &g.Nodes[node]
	e := &graph.Error{Subgraph: fmt.Sprintf("%d %q", sub, g.Name), Node: fmt.Sprintf("%d %s", node, op.NameOf(n)), Origins: n.Origins, Err: err}
	for _, v := range slices.Concat(n.Outputs, n.Inputs) { // results say best which node it is
		if v >= 0 && int(v) < len(g.Values) {
			e.Value = fmt.Sprintf("%d %q", v, g.Values[v].Name)
			break
		}
	}
	return e
}
