package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Event is one executed node.
type Event struct {
	Subgraph int // in the model; nodes of called subgraphs come before their caller
	Index    int // of the node in its subgraph
	Node     *graph.Node
	// Values and Tensors are the results, valid during the call only.
	Values   []graph.ValueID
	Tensors  []tensor.Tensor
	Duration time.Duration
}

// Runner executes a program. It owns the arena and the variables and belongs to
// one goroutine at a time.
type Runner struct {
	prog     *Program
	sub      *subProgram
	inNames  []string
	outNames []string
	inIDs    []graph.ValueID
	outIDs   []graph.ValueID
	shapes   []tensor.Shape // of the subgraph's inputs
	plan     *plan
	arena    []byte
	tensors  []tensor.Tensor // of every value
	runs     []op.Run
	done     <-chan struct{}
	ctx      context.Context // of the running Invoke, for subgraphs
	pending  error           // why the inputs' shapes do not fit each other

	children  map[int]*function // subgraphs that nodes call
	resources *op.Resources
	depth     int // of calls
	usage     *usage
	calls     *inference
	held      int   // bytes of the arena and the variables
	late      []int // bytes of each step's results that are shaped as it runs
	at        int   // the running step
}

// NewRunner makes a runner for a signature. "" stands for the only signature, or
// for the main subgraph of a model that has none or several.
func (p *Program) NewRunner(signature string) (*Runner, error) {
	return p.newRunner(signature, &op.Resources{Limit: p.opts.Limits.Bytes})
}

// Sibling makes a runner for another signature that shares r's resources, as TFLite's
// signatures do: what one assigns to a variable the other reads. The two belong to the
// same goroutine, and a Reset of either empties the resources of both.
func (r *Runner) Sibling(signature string) (*Runner, error) {
	return r.prog.newRunner(signature, r.resources)
}

func (p *Program) newRunner(signature string, resources *op.Resources) (r *Runner, err error) {
	defer p.opts.caught(&err)
	r = &Runner{prog: p, sub: p.subs[0], resources: resources, usage: &usage{limits: p.opts.Limits}}
	r.calls = &inference{subs: p.subs, opts: &p.opts, known: map[string]inferred{}}
	sig, ok := p.model.Signature(signature)
	switch {
	case ok:
		r.sub = p.subs[sig.Subgraph]
		for _, v := range sig.Inputs {
			r.inNames, r.inIDs = append(r.inNames, v.Name), append(r.inIDs, v.Value)
		}
		for _, v := range sig.Outputs {
			r.outNames, r.outIDs = append(r.outNames, v.Name), append(r.outIDs, v.Value)
		}
		if err := r.checkSignature(sig); err != nil {
			return nil, err
		}
	case signature != "":
		return nil, fmt.Errorf("no signature %q, the model has %q: %w", signature, signatureKeys(p.model), tensor.ErrMalformed)
	default:
		g := r.sub.graph
		r.inIDs, r.outIDs = g.Inputs, g.Outputs
		r.inNames, r.outNames = valueNames(g, g.Inputs), valueNames(g, g.Outputs)
	}
	for _, v := range r.sub.graph.Inputs {
		r.shapes = append(r.shapes, r.sub.graph.Values[v].Shape)
	}
	if err := r.replan(); err != nil && (len(r.shapes) < 2 || !r.sub.varies()) {
		return nil, err
	} else if err != nil { // 1 for dimensions that may vary need not fit each other
		r.pending = err
		p, err := r.sub.unplanned(r.shapes, &p.opts)
		if err != nil {
			return nil, err
		}
		return r, r.adopt(p)
	}
	return r, nil
}

// checkSignature tests that what a signature names lives as long as an input or
// output of its subgraph.
func (r *Runner) checkSignature(sig *graph.Signature) error {
	g := r.sub.graph
	input, output := make([]bool, len(g.Values)), make([]bool, len(g.Values))
	for _, v := range g.Inputs {
		input[v] = true
	}
	for _, v := range g.Outputs {
		output[v] = true
	}
	for _, v := range sig.Inputs {
		if !input[v.Value] {
			return r.sub.valueError(v.Value, fmt.Errorf("signature %q: input %q is no input of the subgraph: %w", sig.Key, v.Name, tensor.ErrMalformed))
		}
	}
	for _, v := range sig.Outputs {
		if !output[v.Value] && !input[v.Value] && !g.Values[v.Value].IsConst() {
			return r.sub.valueError(v.Value, fmt.Errorf("signature %q: output %q is no output of the subgraph: %w", sig.Key, v.Name, tensor.ErrMalformed))
		}
	}
	return nil
}

func signatureKeys(m *graph.Model) []string {
	keys := make([]string, len(m.Signatures))
	for i := range m.Signatures {
		keys[i] = m.Signatures[i].Key
	}
	return keys
}

func valueNames(g *graph.Subgraph, ids []graph.ValueID) []string {
	names := make([]string, len(ids))
	for i, v := range ids {
		names[i] = g.Values[v].Name
	}
	return names
}

// InputNames lists the inputs in order: a signature's names or tensor names.
func (r *Runner) InputNames() []string { return r.inNames }

// OutputNames lists the outputs in order.
func (r *Runner) OutputNames() []string { return r.outNames }

// Input returns the memory of an input, to be written before Invoke. The name is
// a signature's, a tensor's, or a position ("0"). The zero Tensor means that
// there is none of that name. A view is good until the next Resize.
func (r *Runner) Input(name string) tensor.Tensor {
	if v := r.find(name, r.inNames, r.inIDs); v != graph.None {
		return r.tensors[v]
	}
	return tensor.Tensor{}
}

// Output returns an output's memory, valid until the next Invoke or Resize.
func (r *Runner) Output(name string) tensor.Tensor {
	if v := r.find(name, r.outNames, r.outIDs); v != graph.None {
		return r.tensors[v]
	}
	return tensor.Tensor{}
}

// InputAt and OutputAt return the i-th input's and output's memory.
func (r *Runner) InputAt(i int) tensor.Tensor { return r.tensors[r.inIDs[i]] }

// OutputAt returns the i-th output's memory.
func (r *Runner) OutputAt(i int) tensor.Tensor { return r.tensors[r.outIDs[i]] }

// SetInput copies t into the i-th input. Strings, whose size varies, can only be
// set in this way.
func (r *Runner) SetInput(i int, t tensor.Tensor) error {
	if i < 0 || i >= len(r.inIDs) {
		return fmt.Errorf("input %d of %d: %w", i, len(r.inIDs), tensor.ErrShape)
	}
	return r.set(r.inIDs[i], t)
}

func (r *Runner) set(v graph.ValueID, t tensor.Tensor) error {
	in := r.tensors[v]
	if f := &r.plan.facts[v]; f.DType != t.DType() {
		return fmt.Errorf("input %q takes %v, got %v: %w", r.sub.graph.Values[v].Name, f.DType, t.DType(), tensor.ErrType)
	}
	if t.DType().Bits() == 0 {
		r.tensors[v] = tensor.Raw(t.DType(), t.Shape().Clone(), t.Quant(), bytes.Clone(t.Bytes()))
		return nil
	}
	if !in.Shape().Equal(t.Shape()) {
		if r.pending != nil {
			return r.pending
		}
		return fmt.Errorf("input %q takes %v, got %v: %w", r.sub.graph.Values[v].Name, in.Shape(), t.Shape(), tensor.ErrShape)
	}
	copy(in.Bytes(), t.Bytes())
	return nil
}

// Value returns the memory of any value of the subgraph: a variable's, a
// constant's, or after Invoke a result's as long as nothing later reuses its
// place.
func (r *Runner) Value(v graph.ValueID) tensor.Tensor { return r.tensors[v] }

func (r *Runner) find(name string, names []string, ids []graph.ValueID) graph.ValueID {
	if i := slices.Index(names, name); i >= 0 {
		return ids[i]
	}
	for _, v := range ids {
		if r.sub.graph.Values[v].Name == name {
			return v
		}
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(ids) {
		return ids[i]
	}
	return graph.None
}

// Resize gives an input another shape; dimensions the model declares as fixed may
// change too, as TFLite's non-strict resize allows. The other inputs keep their
// shapes, their contents are lost, and variables are reset; resources stay what they
// are. Where several inputs must change together, shapes that do not fit each other
// yet are no error: Invoke reports those that still do not.
func (r *Runner) Resize(name string, s tensor.Shape) error {
	changed, err := r.resize(name, s)
	if changed {
		r.ResetVariables()
	}
	return err
}

// ResizeKeeping is Resize, except that variables keep their values.
func (r *Runner) ResizeKeeping(name string, s tensor.Shape) error {
	_, err := r.resize(name, s)
	return err
}

func (r *Runner) resize(name string, s tensor.Shape) (changed bool, err error) {
	defer r.prog.opts.caught(&err)
	v := r.find(name, r.inNames, r.inIDs)
	if v == graph.None {
		return false, fmt.Errorf("no input %q, the model has %q: %w", name, r.inNames, tensor.ErrShape)
	}
	if !s.Known() {
		return false, fmt.Errorf("input %q: shape %v is not fully known: %w", name, s, tensor.ErrShape)
	}
	i := slices.Index(r.sub.graph.Inputs, v)
	old := r.shapes[i]
	if old.Equal(s) {
		return false, nil
	}
	r.shapes[i] = s.Clone()
	r.pending = r.replan()
	switch {
	case r.pending == nil:
		return true, nil
	case len(r.shapes) > 1:
		return true, nil
	}
	err = r.pending
	r.shapes[i], r.pending = old, nil
	return false, err
}

// replan lays out the arena for the current input shapes and wires every node to
// its memory.
func (r *Runner) replan() error {
	p, err := r.sub.reshape(r.shapes, r.calls, &r.prog.opts)
	if err != nil {
		return err
	}
	return r.adopt(p)
}

// adopt allocates what a plan lays out.
func (r *Runner) adopt(p *plan) (err error) {
	if err := r.usage.hold(&r.held, p.arena+p.variables+r.overhead()); err != nil {
		return &graph.Error{Subgraph: r.sub.place(), Err: err}
	}
	arena := tensor.Aligned(p.arena)
	tensors := make([]tensor.Tensor, len(p.facts))
	for i := range tensors {
		if tensors[i], err = r.place(p, arena, graph.ValueID(i)); err != nil {
			return r.sub.valueError(graph.ValueID(i), err)
		}
	}
	r.plan, r.arena, r.tensors = p, arena, tensors
	r.initInputs()
	r.freeLate()
	r.runs = make([]op.Run, len(r.sub.steps))
	for i := range r.sub.steps {
		n := &r.sub.graph.Nodes[r.sub.steps[i].node]
		r.runs[i] = op.Run{
			In: r.gather(n.Inputs), Out: r.gather(n.Outputs),
			Temp:    arena[p.tempAt : p.tempAt+p.temp[i] : p.tempAt+p.temp[i]],
			Stopped: r.stopped, Host: r,
		}
		if mk := r.sub.steps[i].kernel.State; mk != nil {
			r.runs[i].State = mk()
		}
	}
	return nil
}

// overhead is about what a runner itself takes. It counts for called subgraphs, whose
// runners multiply: one for each way that leads there.
func (r *Runner) overhead() int {
	if r.depth == 0 {
		return 0
	}
	const each = 512
	return each * (1 + len(r.sub.graph.Values) + len(r.sub.steps))
}

// initInputs gives inputs that the model has bytes for those.
func (r *Runner) initInputs() {
	for _, v := range r.sub.graph.Inputs {
		if c := r.sub.graph.Values[v].Const; c != nil && len(c) == len(r.tensors[v].Bytes()) {
			copy(r.tensors[v].Bytes(), c)
		}
	}
}

// freeLate forgets the results that were shaped as they ran.
func (r *Runner) freeLate() {
	for i := range r.late {
		_ = r.usage.hold(&r.late[i], 0) // less is never too much
	}
	r.late = make([]int, len(r.sub.steps))
}

func (r *Runner) place(p *plan, arena []byte, v graph.ValueID) (tensor.Tensor, error) {
	f := &p.facts[v]
	switch {
	case p.offset[v] >= 0:
		at := p.offset[v]
		return tensor.Raw(f.DType, f.Shape, f.Quant, arena[at:at+p.size[v]:at+p.size[v]]), nil
	case f.Const != nil:
		return f.Tensor(), nil
	case f.Variable && r.tensors != nil && r.tensors[v].Shape().Equal(f.Shape):
		return r.tensors[v], nil
	case f.Variable:
		return newVariable(f)
	}
	return tensor.Raw(f.DType, f.Shape, f.Quant, nil), nil
}

// newVariable allocates a variable at its initial value: zero bytes, for int8 the
// zero point (ResetVariableTensor).
func newVariable(f *op.Fact) (tensor.Tensor, error) {
	t, err := tensor.Zeros(f.DType, f.Shape)
	if err != nil {
		return t, err
	}
	t = t.WithQuant(f.Quant)
	resetVariable(t)
	return t, nil
}

func resetVariable(t tensor.Tensor) {
	zero := byte(0)
	if t.DType() == tensor.Int8 {
		zero = byte(t.Quant().Zero())
	}
	b := t.Bytes()
	for i := range b {
		b[i] = zero
	}
}

func (r *Runner) gather(ids []graph.ValueID) []tensor.Tensor {
	ts := make([]tensor.Tensor, len(ids))
	for i, v := range ids {
		if v != graph.None {
			ts[i] = r.tensors[v]
		}
	}
	return ts
}

// Reset puts the variables back to their initial values and empties resources.
func (r *Runner) Reset() {
	r.resources.Clear()
	r.ResetVariables()
}

// ResetVariables puts the variables back to their initial values: state within
// operators, not resources. Those of called subgraphs are reset whenever a node runs
// the subgraph.
func (r *Runner) ResetVariables() {
	for i := range r.plan.facts {
		if r.plan.facts[i].Variable {
			resetVariable(r.tensors[i])
		}
	}
}

func (r *Runner) stopped() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Invoke runs the subgraph once over the inputs' current contents. It stops
// between nodes and inside long ones when ctx is done, and then returns the
// context's error with the place.
func (r *Runner) Invoke(ctx context.Context) (err error) {
	if r.pending != nil {
		return r.pending
	}
	r.usage.operators, r.usage.calls = 0, 0
	defer r.caught(&err)
	return r.invoke(ctx)
}

// caught is Options.caught, with the running node.
func (r *Runner) caught(err *error) {
	if r.prog.opts.Panics {
		return
	}
	if v := recover(); v != nil {
		*err = nodeError(r.sub.graph, r.sub.index, r.sub.steps[r.at].node, defect(v))
	}
}

func (r *Runner) invoke(ctx context.Context) error {
	r.done, r.ctx = ctx.Done(), ctx
	for i := range r.sub.steps {
		r.at = i
		if err := r.step(i); err != nil {
			if err == op.ErrStopped {
				err = ctx.Err()
			}
			return r.located(err, i)
		}
	}
	return nil
}

// located adds the step's place, unless the error is from a subgraph that a called one
// calls: the first and the last place say enough.
func (r *Runner) located(err error, i int) error {
	var inner *graph.Error
	if r.depth > 0 && errors.As(err, &inner) && inner.Node != "" {
		return err
	}
	return nodeError(r.sub.graph, r.sub.index, r.sub.steps[i].node, err)
}

func (r *Runner) step(i int) error {
	if r.done != nil && r.stopped() {
		return op.ErrStopped
	}
	if err := r.usage.operator(); err != nil {
		return err
	}
	st := &r.sub.steps[i]
	if i >= r.plan.static {
		if err := r.shapeLate(i); err != nil {
			return err
		}
	}
	observe := r.prog.opts.Observe
	if observe == nil {
		return r.run(i)
	}
	start := time.Now()
	if err := r.run(i); err != nil {
		return err
	}
	n := &r.sub.graph.Nodes[st.node]
	observe(Event{r.sub.index, st.node, n, n.Outputs, r.runs[i].Out, time.Since(start)})
	return nil
}

// run executes a step, and takes over the results that its kernel made.
func (r *Runner) run(i int) error {
	st := &r.sub.steps[i]
	if err := st.kernel.Run(&r.runs[i]); err != nil || i < r.plan.static {
		return err
	}
	held := len(r.runs[i].Temp)
	for k, v := range r.sub.graph.Nodes[st.node].Outputs {
		if v != graph.None {
			r.tensors[v] = r.runs[i].Out[k]
			held += len(r.tensors[v].Bytes())
		}
	}
	return r.usage.hold(&r.late[i], held)
}

// ArenaBytes is the memory one runner holds for values and scratch.
func (r *Runner) ArenaBytes() int { return len(r.arena) }
