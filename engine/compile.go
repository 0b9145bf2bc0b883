// Package engine runs models. Four lifetimes keep it fast and safe to share:
// Compile turns a model into a Program (kernels, packed weights, no shapes), a
// Program makes a Plan for given input shapes (arena offsets), a Runner owns the
// memory of one execution, and Invoke touches nothing else and allocates nothing
// for static shapes. Programs and plans are immutable; use one Runner a
// goroutine.
package engine

import (
	"bytes"
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
	env := fast.NewEnv(o.Threads)
	budget := o.Limits.Constants
	for i := range m.Subgraphs {
		var s *subProgram
		err := refused[i]
		if err == nil {
			s, err = compileSubgraph(ops, kernels, m, i, env, &o, &budget)
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

func compileSubgraph(ops op.Set, kernels fast.Table, m *graph.Model, index int, env *fast.Env, o *Options, budget *int) (*subProgram, error) {
	g := m.Subgraphs[index]
	s := &subProgram{index: index, graph: g, model: m, facts: make([]op.Fact, len(g.Values))}
	var errs []error
	for i := range g.Values {
		f, err := declaredFact(g, &g.Values[i], budget)
		if err == nil && len(g.Values[i].Const) == 0 {
			err = within(o.Limits.Bytes, &f)
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
		if err := s.compileNode(ops, kernels, i, env, o, budget); err != nil {
			errs = append(errs, nodeError(g, index, i, err))
		}
	}
	return s, graph.Join(errs...)
}

// declaredFact is what a value's declaration says. Results of nodes keep their
// type and quantization only: shapes are derived.
// Sparse constants are expanded, within what is left of the budget of bytes.
func declaredFact(g *graph.Subgraph, v *graph.Value, budget *int) (op.Fact, error) {
	f := op.Declared(v)
	if !v.IsConst() {
		return f, nil
	}
	var err error
	if f.Const, err = v.Dense(*budget); err != nil {
		return f, err
	}
	if f.Sparse {
		*budget -= len(f.Const)
	}
	if v.DType.Bits() != 0 {
		n, err := v.Shape.Bytes(v.DType)
		if err != nil {
			return f, err
		}
		if n > len(f.Const) {
			return f, fmt.Errorf("constant of type %v and shape %v takes %d bytes, has %d: %w", v.DType, v.Shape, n, len(f.Const), tensor.ErrMalformed)
		}
		f.Const = f.Const[:n] // TFLite ignores what follows
	}
	const widest = 8 // what a Go type is aligned to at most; vector loads need nothing
	if !tensor.IsAligned(f.Const, max(1, min(v.DType.Size(), widest))) {
		f.Const = append(tensor.Aligned(len(f.Const))[:0], f.Const...)
	}
	f.Blocks, err = blocksOf(g, v)
	return f, err
}

// blocksOf reads the scales of a constant that is quantized in blocks.
func blocksOf(g *graph.Subgraph, v *graph.Value) (*op.Blocks, error) {
	b := v.Blockwise
	if b == nil {
		return nil, nil
	}
	if b.Axes != nil {
		return nil, fmt.Errorf("quantization along the axes %v: %w", b.Axes, tensor.ErrUnsupported)
	}
	scales := g.Value(b.Scales)
	if scales.DType != tensor.Float16 {
		return nil, fmt.Errorf("blockwise quantization with scales of type %v: %w", scales.DType, tensor.ErrUnsupported)
	}
	if len(v.Shape) != 2 || b.Size < 1 || v.Shape[1]%b.Size != 0 {
		return nil, fmt.Errorf("blocks of %d in shape %v: %w", b.Size, v.Shape, tensor.ErrMalformed)
	}
	n, err := scales.Shape.Bytes(scales.DType)
	if err != nil || n != len(scales.Const) || n/2 != v.Shape[0]*(v.Shape[1]/b.Size) {
		return nil, fmt.Errorf("scales of shape %v for blocks of %d in %v: %w", scales.Shape, b.Size, v.Shape, tensor.ErrMalformed)
	}
	return &op.Blocks{Size: b.Size, Scales: tensor.Raw(scales.DType, scales.Shape, tensor.Quant{}, scales.Const).Float32s()}, nil
}

func (s *subProgram) compileNode(ops op.Set, kernels fast.Table, i int, env *fast.Env, o *Options, budget *int) (err error) {
	defer o.caught(&err)
	n := &s.graph.Nodes[i]
	d, err := ops.Lookup(n)
	if err != nil {
		return err
	}
	c := s.call(n, s.facts)
	if err := d.Check(c); err != nil {
		return err
	}
	later := false
	if err := d.Facts(c); errors.Is(err, op.ErrLater) {
		later = true
	} else if err != nil {
		return err
	}
	for k, v := range n.Outputs {
		if v != graph.None {
			s.facts[v] = c.Out[k]
			s.facts[v].Unknown = s.facts[v].Unknown || later
			s.facts[v].Const = nil // what follows from shapes alone follows a resize
			if err := within(o.Limits.Bytes, &s.facts[v]); err != nil {
				return fmt.Errorf("result %d: %w", k, err)
			}
		}
	}
	if !later && d.Effect == op.Pure && constant(c) && afford(c.Out, budget) {
		if err := s.fold(d, c, o); err != nil {
			return err
		}
		return s.start(n)
	}
	for k, v := range n.Outputs {
		if v != graph.None && s.graph.Values[v].Variable {
			return fmt.Errorf("result %d is a variable: %w", k, tensor.ErrUnsupported)
		}
	}
	k, err := makeKernel(d, c, kernels, env)
	if err != nil {
		return err
	}
	s.steps = append(s.steps, step{i, d, k})
	return nil
}

// start makes variables of a node's constant results that are declared so: TFLite
// computes them once. Models converted to float16 have zeros there, as variables do.
func (s *subProgram) start(n *graph.Node) error {
	for k, v := range n.Outputs {
		if v == graph.None || !s.graph.Values[v].Variable {
			continue
		}
		f := &s.facts[v]
		f.Variable = true
		t, err := newVariable(f)
		if err != nil {
			return err
		}
		if !bytes.Equal(t.Bytes(), f.Const) {
			return fmt.Errorf("result %d is a variable that does not start with zeros: %w", k, tensor.ErrUnsupported)
		}
		f.Const = nil
	}
	return nil
}

func makeKernel(d *op.Def, c *op.Call, kernels fast.Table, env *fast.Env) (op.Kernel, error) {
	if mk := kernels[d.Code]; mk != nil {
		if k, ok, err := mk(env, c); ok || err != nil {
			return k, err
		}
	}
	return d.Ref(c)
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

// afford takes the bytes of results from the budget; false if they are more.
func afford(results []op.Fact, budget *int) bool {
	left := *budget
	for i := range results {
		f := &results[i]
		if !f.Present || f.DType.Bits() == 0 {
			continue
		}
		n, err := f.Shape.Bytes(f.DType)
		if err != nil || n > left {
			return false
		}
		left -= n
	}
	*budget = left
	return true
}

// fold evaluates a node over constants once, with the reference kernel: there is
// no second evaluator.
func (s *subProgram) fold(d *op.Def, c *op.Call, o *Options) error {
	outs, err := op.EvaluateWithin(o.Limits.bound(), d, c)
	if err != nil {
		return err
	}
	for k, v := range c.Node.Outputs {
		if v != graph.None {
			s.facts[v].Const = outs[k].Bytes()
		}
	}
	return nil
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
