package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/npy"
	"github.com/litequant/litequant/tensor"
)

// session is a runner with the arrays it is given.
type session struct {
	f        *function
	byName   []graph.NamedValue // other names of the inputs: the signature's
	runner   *engine.Runner
	given    []tensor.Tensor
	observed map[graph.ValueID]tensor.Tensor // of this invocation, if asked for
}

// newSession makes a runner. Without --signature inputs and outputs are those of
// the main subgraph, in its order and under its tensors' names; a signature's
// names find the inputs too.
func newSession(m *graph.Model, a *app, all bool) (*session, error) {
	s := &session{}
	o := engine.Options{Kind: a.kind(), Threads: a.threads}
	if all {
		s.observed = map[graph.ValueID]tensor.Tensor{}
		o.Observe = s.observe
	}
	prog, err := engine.Compile(m, o)
	if err != nil {
		return nil, err
	}
	if s.runner, err = prog.NewRunner(a.signature); err != nil {
		return nil, err
	}
	if s.f = functionOf(m, a.signature); a.signature == "" {
		s.byName = s.f.inputs
		if main := mainOf(m); main.sub == s.f.sub {
			s.f = main
		}
	}
	s.given = make([]tensor.Tensor, len(s.f.inputs))
	return s, nil
}

// observe copies what a node computed: its memory is used again.
func (s *session) observe(e engine.Event) {
	for i, t := range e.Tensors {
		if e.Values[i] != graph.None {
			s.observed[e.Values[i]] = copyOf(t)
		}
	}
}

func copyOf(t tensor.Tensor) tensor.Tensor {
	return tensor.Raw(t.DType(), t.Shape().Clone(), t.Quant(), append(tensor.Aligned(0), t.Bytes()...))
}

func (s *session) value(i int) *graph.Value { return s.f.sub.Value(s.f.inputs[i].Value) }

// find returns the position of the input that goes by a name, -1 for none.
func (s *session) find(key string) int {
	for _, names := range [][]graph.NamedValue{s.byName, s.f.inputs} {
		for _, n := range names {
			if n.Name == key {
				return s.position(n.Value)
			}
		}
	}
	for i, n := range s.f.inputs {
		if s.f.sub.Value(n.Value).Name == key {
			return i
		}
	}
	if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(s.f.inputs) {
		return i
	}
	return -1
}

func (s *session) position(v graph.ValueID) int {
	return slices.IndexFunc(s.f.inputs, func(n graph.NamedValue) bool { return n.Value == v })
}

func (s *session) unknown(key string) error {
	return fmt.Errorf("%s: no such input, the model has %s: %w", key, names(s.f.inputs), tensor.ErrShape)
}

// give assigns an array to an input.
func (s *session) give(key string, t tensor.Tensor) error {
	i := s.find(key)
	if i < 0 {
		return s.unknown(key)
	}
	if !s.given[i].Shape().Equal(nil) || s.given[i].Bytes() != nil {
		return fmt.Errorf("%s: input %q is given twice: %w", key, s.f.inputs[i].Name, tensor.ErrMalformed)
	}
	if v := s.value(i); v.DType != t.DType() {
		return fmt.Errorf("%s: array is %v, the input takes %v: %w", key, t.DType(), v.DType, tensor.ErrType)
	}
	if t.DType() == tensor.String {
		return fmt.Errorf("%s: string inputs: %w", key, tensor.ErrUnsupported)
	}
	s.given[i] = t
	return nil
}

// complete fails unless every input has its array.
func (s *session) complete() error {
	var errs []error
	for i := range s.given {
		if s.given[i].Bytes() == nil {
			errs = append(errs, fmt.Errorf("no array for input %q (position %d): %w", s.f.inputs[i].Name, i, tensor.ErrShape))
		}
	}
	return errors.Join(errs...)
}

// results invokes the model and returns the outputs under their names, and the
// other tensors behind them if they were asked for.
func (s *session) results(ctx context.Context, steps bool) ([]npy.Array, error) {
	if !steps {
		return s.invoke(ctx, s.given)
	}
	n, err := s.sequence()
	if err != nil {
		return nil, err
	}
	var all []npy.Array
	for k := range n {
		arrays, err := s.invoke(ctx, s.at(k))
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", k, err)
		}
		if k == 0 {
			all = make([]npy.Array, len(arrays))
		}
		for i := range arrays {
			if all[i], err = appendStep(all[i], arrays[i], k, n); err != nil {
				return nil, fmt.Errorf("step %d, %s: %w", k, arrays[i].Name, err)
			}
		}
	}
	return all, nil
}

// sequence returns the number of steps, the inputs' common leading dimension.
func (s *session) sequence() (int, error) {
	n := -1
	for i, t := range s.given {
		shape := t.Shape()
		switch {
		case len(shape) == 0:
			return 0, fmt.Errorf("input %q: a scalar has no axis of steps: %w", s.f.inputs[i].Name, tensor.ErrShape)
		case n >= 0 && shape[0] != n:
			return 0, fmt.Errorf("input %q: %d steps, others have %d: %w", s.f.inputs[i].Name, shape[0], n, tensor.ErrShape)
		}
		n = shape[0]
	}
	if n <= 0 {
		return 0, fmt.Errorf("no steps: %w", tensor.ErrShape)
	}
	return n, nil
}

// at returns the inputs of step k.
func (s *session) at(k int) []tensor.Tensor {
	out := make([]tensor.Tensor, len(s.given))
	for i, t := range s.given {
		size := len(t.Bytes()) / t.Shape()[0]
		out[i] = tensor.Raw(t.DType(), t.Shape()[1:], t.Quant(), t.Bytes()[k*size:(k+1)*size])
	}
	return out
}

// appendStep puts step k of n behind those before it.
func appendStep(all, step npy.Array, k, n int) (npy.Array, error) {
	t := step.Tensor
	shape := append(tensor.Shape{n}, t.Shape()...)
	if k == 0 {
		return npy.Array{Name: step.Name, Tensor: tensor.Raw(t.DType(), shape, t.Quant(), slices.Clone(t.Bytes()))}, nil
	}
	if !all.Tensor.Shape().Equal(shape) {
		return all, fmt.Errorf("shape %v, before it was %v: %w", t.Shape(), all.Tensor.Shape()[1:], tensor.ErrShape)
	}
	all.Tensor = tensor.Raw(t.DType(), shape, t.Quant(), append(all.Tensor.Bytes(), t.Bytes()...))
	return all, nil
}

func (s *session) invoke(ctx context.Context, inputs []tensor.Tensor) ([]npy.Array, error) {
	for i, t := range inputs {
		if err := s.runner.Resize(s.runnerName(i), t.Shape()); err != nil {
			return nil, fmt.Errorf("input %q: %w", s.f.inputs[i].Name, err)
		}
	}
	for i, t := range inputs {
		copy(s.runner.Value(s.f.inputs[i].Value).Bytes(), t.Bytes())
	}
	if err := s.runner.Invoke(ctx); err != nil {
		return nil, err
	}
	var out []npy.Array
	taken := map[string]bool{}
	add := func(name string, position int, t tensor.Tensor) {
		if name == "" || taken[name] {
			name = strconv.Itoa(position)
		}
		for taken[name] { // the position is another's name
			name += "_"
		}
		taken[name] = true
		out = append(out, npy.Array{Name: name, Tensor: copyOf(t)})
	}
	for i, o := range s.f.outputs {
		add(o.Name, i, s.runner.Value(o.Value))
	}
	s.others(add)
	return out, nil
}

// others adds the observed tensors that are no outputs, in the order of the
// file's tensors; their position is the index among these.
func (s *session) others(add func(name string, position int, t tensor.Tensor)) {
	for i := range s.f.sub.Values {
		v := graph.ValueID(i)
		t, ok := s.observed[v]
		if ok && !slices.ContainsFunc(s.f.outputs, func(o graph.NamedValue) bool { return o.Value == v }) {
			add(s.f.sub.Value(v).Name, i, t)
		}
	}
}

// runnerName is the name by which the runner knows input i: the engine takes a
// position for it too, in the order of the runner's own names.
func (s *session) runnerName(i int) string {
	order := s.f.inputs
	if s.byName != nil {
		order = s.byName
	}
	k := slices.IndexFunc(order, func(n graph.NamedValue) bool { return n.Value == s.f.inputs[i].Value })
	name := order[k].Name
	if slices.IndexFunc(order, func(n graph.NamedValue) bool { return n.Name == name }) != k {
		return strconv.Itoa(k)
	}
	return name
}
