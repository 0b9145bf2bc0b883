package keras

import (
	"errors"
	"fmt"

	"github.com/litequant/litequant/tensor"
)

// Sequential makes a model of layers that are called one after the other; the
// first is an Input. Weights are initialized with seed 0 (see Initialize).
func Sequential(layers ...Layer) (*Model, error) {
	b := newAssembly(sequentialClass)
	if len(layers) == 0 {
		return nil, fmt.Errorf("a model without layers: %w", tensor.ErrMalformed)
	}
	var at []symbol
	for i, l := range layers {
		st, err := b.layer(l)
		if err != nil {
			b.problem(err)
			continue
		}
		inv := b.invoke(st, at)
		if _, ok := st.Layer.(InputLayer); ok != (i == 0) {
			b.problem(fmt.Errorf("layer %q (%s): the first layer of a Sequential, and no other, is an Input: %w", st.name, st.class, tensor.ErrMalformed))
		}
		at = []symbol{{inv, 0}}
	}
	return b.initialized(at)
}

// Tensor is a symbolic tensor: what a layer will return.
type Tensor struct {
	layer  Layer
	inputs []*Tensor
	index  int
	call   *Tensor // whose output this is, if not its own first
}

// Apply calls a layer on symbolic tensors; without any it makes the model's input
// of an Input layer. Problems are reported by Functional.
func Apply(l Layer, inputs ...*Tensor) *Tensor { return &Tensor{layer: l, inputs: inputs} }

// Output returns output i of a nested model that t is the first output of.
func (t *Tensor) Output(i int) *Tensor { return &Tensor{call: t, index: i} }

// Functional makes a model of all calls that lead from inputs to outputs.
// Weights are initialized with seed 0 (see Initialize).
func Functional(inputs, outputs []*Tensor) (*Model, error) {
	b := newAssembly(functionalClass)
	seen := map[*Tensor]*invocation{}
	var in, out []symbol
	for _, t := range inputs {
		s := b.trace(t, seen, 0)
		in = append(in, s)
	}
	for _, t := range outputs {
		out = append(out, b.trace(t, seen, 0))
	}
	if len(b.problems) == 0 {
		b.m.inputs = in
	}
	return b.initialized(out)
}

// maxTrace bounds the longest path of a functional model.
const maxTrace = 1 << 16

// trace makes the invocations that t needs.
func (b *assembly) trace(t *Tensor, seen map[*Tensor]*invocation, depth int) symbol {
	index := 0
	if t != nil && t.call != nil {
		t, index = t.call, t.index
	}
	if t == nil || depth > maxTrace {
		b.problem(fmt.Errorf("a tensor is nil or depends on itself: %w", tensor.ErrMalformed))
		return symbol{}
	}
	if inv, ok := seen[t]; ok {
		return symbol{inv, index}
	}
	var in []symbol
	for _, s := range t.inputs {
		in = append(in, b.trace(s, seen, depth+1))
	}
	st, err := b.layer(t.layer)
	if err != nil {
		b.problem(err)
		return symbol{}
	}
	inv := b.invoke(st, in)
	seen[t] = inv
	return symbol{inv, index}
}

// assembly makes a model.
type assembly struct {
	m        *Model
	names    namer
	byPtr    map[Layer]*layer
	count    map[*layer]int
	taken    map[string]bool
	problems []error
}

func newAssembly(class string) *assembly {
	m := &Model{name: "model"}
	if class == sequentialClass {
		m.name, m.sequential = "sequential", true
	}
	return &assembly{m: m, names: namer{}, byPtr: map[Layer]*layer{}, count: map[*layer]int{}, taken: map[string]bool{}}
}

func (b *assembly) problem(err error) { b.problems = append(b.problems, err) }

// layer adds a layer, unless it is one that was added by the same pointer.
func (b *assembly) layer(given Layer) (*layer, error) {
	l, shared, err := indirect(given)
	if err != nil {
		return nil, err
	}
	if shared {
		if st, ok := b.byPtr[given]; ok {
			return st, nil
		}
	}
	class, name, frozen := l.Describe()
	st := &layer{Layer: l, name: name, frozen: frozen}
	if err := st.find(class); err != nil {
		return nil, err
	}
	if name == "" {
		for st.name = b.names.next(class); b.taken[st.name]; {
			st.name = b.names.next(class)
		}
	}
	if err := b.add(st); err != nil {
		return nil, err
	}
	if shared {
		b.byPtr[given] = st
	}
	return st, nil
}

// find sets the layer's row.
func (l *layer) find(class string) error {
	if m, ok := l.Layer.(*Model); ok {
		l.model, l.class = m, class
		return nil
	}
	r, ok := rowFor(class)
	if !ok || !r.holds(l.Layer) {
		return fmt.Errorf("layer %q of class %s: %w", l.name, class, tensor.ErrUnsupported)
	}
	l.row = r
	return nil
}

// add appends a layer with a name of its own.
func (b *assembly) add(l *layer) error {
	if b.taken[l.name] || l.name == "" {
		return fmt.Errorf("two layers are named %q: %w", l.name, tensor.ErrMalformed)
	}
	b.taken[l.name] = true
	b.m.layers = append(b.m.layers, l)
	return nil
}

// invoke adds a call of a layer.
func (b *assembly) invoke(l *layer, in []symbol) *invocation {
	inv := &invocation{layer: l, index: b.count[l], in: in}
	b.count[l]++
	b.m.calls = append(b.m.calls, inv)
	if _, ok := l.Layer.(InputLayer); ok && b.m.sequential {
		b.m.inputs = append(b.m.inputs, symbol{inv, 0})
	}
	return inv
}

// finish builds the model.
func (b *assembly) finish(outputs []symbol) (*Model, error) {
	if len(b.problems) > 0 {
		return nil, errors.Join(b.problems...)
	}
	b.m.outputs = outputs
	if err := b.m.build(); err != nil {
		return nil, err
	}
	return b.m, nil
}

// initialized builds the model and gives its weights their first values.
func (b *assembly) initialized(outputs []symbol) (*Model, error) {
	m, err := b.finish(outputs)
	if err != nil {
		return nil, fmt.Errorf("keras: %w", err)
	}
	for _, w := range m.weights {
		if w.given || len(w.Value.Bytes()) > 0 { // a nested model's
			continue
		}
		if w.Value, err = w.init.sample(w.variable.Shape, 0, w.Path); err != nil {
			return nil, fmt.Errorf("keras: weight %s: %w", w.Path, err)
		}
	}
	return m, nil
}
