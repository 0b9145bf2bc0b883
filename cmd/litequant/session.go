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
	has      []bool                          // given
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
	s.given, s.has = make([]tensor.Tensor, len(s.f.inputs)), make([]bool, len(s.f.inputs))
	return s, nil
}

// observe copies what a node computed: its memory is used again.
func (s *session) observe(e engine.Event) {
	if !s.f.runs(e) {
		return
	}
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
	if s.has[i] {
		return fmt.Errorf("%s: input %q is given twice: %w", key, s.f.inputs[i].Name, tensor.ErrMalformed)
	}
	if v := s.value(i); v.DType != t.DType() {
		return fmt.Errorf("%s: array is %v, the input takes %v: %w", key, t.DType(), v.DType, tensor.ErrType)
	}
	s.given[i], s.has[i] = t, true
	return nil
}

// complete fails unless every input has its array.
func (s *session) complete() error {
	var errs []error
	for i := range s.given {
		if !s.has[i] {
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
	stacks := [][]tensor.Tensor{} // by output, then by step
	var all []npy.Array
	for k := range n {
		inputs, err := s.at(k)
		if err != nil {
			return nil, err
		}
		if all, err = s.invoke(ctx, inputs); err != nil {
			return nil, fmt.Errorf("step %d: %w", k, err)
		}
		if k == 0 {
			stacks = make([][]tensor.Tensor, len(all))
		}
		for i := range all {
			stacks[i] = append(stacks[i], all[i].Tensor)
		}
	}
	for i := range all {
		if all[i].Tensor, err = stack(stacks[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", all[i].Name, err)
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
func (s *session) at(k int) ([]tensor.Tensor, error) {
	out := make([]tensor.Tensor, len(s.given))
	for i, t := range s.given {
		var err error
		if out[i], err = entry(t, k); err != nil {
			return nil, fmt.Errorf("input %q: %w", s.f.inputs[i].Name, err)
		}
	}
	return out, nil
}

// entry returns index k of a tensor's leading axis.
func entry(t tensor.Tensor, k int) (tensor.Tensor, error) {
	n, rest := t.Shape()[0], t.Shape()[1:]
	if t.DType() == tensor.String {
		v, err := t.Strings()
		if err != nil {
			return tensor.Tensor{}, err
		}
		size := len(v) / n
		return tensor.OfStrings(rest, v[k*size:(k+1)*size]...)
	}
	size := len(t.Bytes()) / n
	return tensor.New(t.DType(), rest, t.Quant(), t.Bytes()[k*size:(k+1)*size])
}

// stack joins tensors of one shape along a new leading axis.
func stack(steps []tensor.Tensor) (tensor.Tensor, error) {
	first := steps[0]
	shape := append(tensor.Shape{len(steps)}, first.Shape()...)
	var data []byte
	var strings [][]byte
	for k, t := range steps {
		if !t.Shape().Equal(first.Shape()) {
			return tensor.Tensor{}, fmt.Errorf("shape %v in step %d, %v before: %w", t.Shape(), k, first.Shape(), tensor.ErrShape)
		}
		if t.DType() != tensor.String {
			data = append(data, t.Bytes()...)
			continue
		}
		v, err := t.Strings()
		if err != nil {
			return tensor.Tensor{}, err
		}
		strings = append(strings, v...)
	}
	if first.DType() == tensor.String {
		return tensor.OfStrings(shape, strings...)
	}
	return tensor.New(first.DType(), shape, first.Quant(), data)
}

func (s *session) invoke(ctx context.Context, inputs []tensor.Tensor) ([]npy.Array, error) {
	for i, t := range inputs {
		if err := s.runner.ResizeKeeping(s.runnerName(i), t.Shape()); err != nil {
			return nil, fmt.Errorf("input %q: %w", s.f.inputs[i].Name, err)
		}
	}
	for i, t := range inputs {
		if err := s.runner.SetInput(s.runnerIndex(i), t); err != nil {
			return nil, err
		}
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

// runnerOrder lists the inputs as the runner does: a signature's have its order.
func (s *session) runnerOrder() []graph.NamedValue {
	if s.byName != nil {
		return s.byName
	}
	return s.f.inputs
}

// runnerIndex is the position of input i for the runner.
func (s *session) runnerIndex(i int) int {
	return slices.IndexFunc(s.runnerOrder(), func(n graph.NamedValue) bool { return n.Value == s.f.inputs[i].Value })
}

// runnerName is a name by which the runner knows input i alone: it takes a
// position too.
func (s *session) runnerName(i int) string {
	order, k := s.runnerOrder(), s.runnerIndex(i)
	if slices.IndexFunc(order, func(n graph.NamedValue) bool { return n.Name == order[k].Name }) != k {
		return strconv.Itoa(k)
	}
	return order[k].Name
}
