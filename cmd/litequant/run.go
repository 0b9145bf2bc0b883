package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/npy"
	"github.com/litequant/litequant/tensor"
)

// invocation is the flags of the run command.
type invocation struct {
	app        *app
	inputs     string
	input      []string
	out        output
	allTensors bool
	steps      bool
	preprocess string
	json       bool
}

func newRun(a *app) *cobra.Command {
	r := &invocation{app: a, out: output{app: a}}
	c := &cobra.Command{
		Use:   "run MODEL --inputs IN.npz -o OUT.npz",
		Short: "Run a model once",
		Long: "run invokes a model once. The arrays of IN go by signature names, tensor names or\n" +
			"positions (0, 1, …); OUT holds an array an output. Without -o a summary is printed.",
		Example: "  litequant run int8.tflite --inputs in.npz -o out.npz\n" +
			"  litequant run float.tflite --input 0=digit.png\n" +
			"  litequant run lstm.tflite --inputs sequence.npz --steps -o out.npz",
		RunE: func(c *cobra.Command, args []string) error {
			name, err := a.exactModel(c, args)
			if err != nil {
				return err
			}
			return r.run(c, name)
		},
	}
	f := c.Flags()
	f.StringVar(&r.inputs, "inputs", "", "IN.npz, - for stdin")
	f.StringArrayVar(&r.input, "input", nil, "NAME=FILE.npy or NAME=FILE.png, any number of times")
	f.BoolVar(&r.allTensors, "all-tensors", false, "write every intermediate tensor too")
	f.BoolVar(&r.steps, "steps", false, "the leading axis of every input is a sequence of invocations, state kept")
	f.StringVar(&r.preprocess, "preprocess", "/255", "what turns an image's pixels into real values")
	f.BoolVar(&r.json, "json", false, "print the summary as JSON")
	r.out.flags(c, ".npz file")
	return c
}

func (r *invocation) run(c *cobra.Command, name string) error {
	a := r.app
	if r.inputs == "" && len(r.input) == 0 {
		return usagef("give --inputs IN.npz or --input NAME=FILE", "run needs inputs")
	}
	if r.out.path != "" {
		if err := r.out.check(c); err != nil {
			return err
		}
	}
	l, err := a.load(c.Context(), name)
	if err != nil {
		return err
	}
	s, err := newSession(l.graph, a, r.allTensors)
	if err != nil {
		return in(name, err)
	}
	if err := r.read(s); err != nil {
		return err
	}
	results, err := s.results(c.Context(), r.steps)
	if err != nil {
		return in(name, err)
	}
	if r.out.path == "" {
		return r.summarize(results)
	}
	return r.out.write(func(w io.Writer) error { return npy.WriteAll(w, results) })
}

// read gives every input its array.
func (r *invocation) read(s *session) error {
	if r.inputs != "" {
		if err := r.readArchive(s); err != nil {
			return in(r.inputs, err)
		}
	}
	for _, arg := range r.input {
		key, file, ok := strings.Cut(arg, "=")
		if !ok {
			return usagef("NAME=FILE.npy or NAME=FILE.png", "--input=%s names no file", arg)
		}
		if err := r.readOne(s, key, file); err != nil {
			return in(file, err)
		}
	}
	return s.complete()
}

func (r *invocation) readArchive(s *session) error {
	b, err := r.app.readFile(r.inputs)
	if err != nil {
		return err
	}
	arrays, err := npy.ReadAll(bytes.NewReader(b), int64(len(b)), dataset.DefaultMaxBytes)
	if err != nil {
		return err
	}
	for _, x := range arrays {
		if err := s.give(x.Name, x.Tensor); err != nil {
			return err
		}
	}
	return nil
}

func (r *invocation) readOne(s *session, key, file string) error {
	b, err := r.app.readFile(file)
	if err != nil {
		return err
	}
	if !isImage(b) {
		t, err := npy.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return err
		}
		return s.give(key, t)
	}
	i := s.find(key)
	if i < 0 {
		return s.unknown(key)
	}
	t, err := imageFor(b, s.value(i), r.preprocess)
	if err != nil {
		return err
	}
	return s.give(key, t)
}

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

// topN is the number of classes the summary lists.
const topN = 5

type summaryJSON struct {
	Name  string       `json:"name"`
	DType string       `json:"dtype"`
	Shape tensor.Shape `json:"shape"`
	Min   number32     `json:"min"`
	Max   number32     `json:"max"`
	Top   []topJSON    `json:"top,omitempty"`
}

type topJSON struct {
	Class int      `json:"class"`
	Score number32 `json:"score"`
}

// summarize prints what came out.
func (r *invocation) summarize(results []npy.Array) error {
	var list []summaryJSON
	var rows [][]any
	for _, x := range results {
		s := summaryOf(x)
		list = append(list, s)
		rows = append(rows, []any{s.Name, s.DType, x.Tensor.Shape(), fmt.Sprintf("%.6g", s.Min), fmt.Sprintf("%.6g", s.Max)})
	}
	if r.json {
		return r.app.json(list)
	}
	r.app.table("", []string{"output", "dtype", "shape", ">min", ">max"}, rows)
	for _, s := range list {
		var top [][]any
		for _, t := range s.Top {
			top = append(top, []any{t.Class, fmt.Sprintf("%.6f", t.Score)})
		}
		r.app.section("Top classes of "+s.Name, []string{">class", ">score"}, top)
	}
	return nil
}

func summaryOf(x npy.Array) summaryJSON {
	v := x.Tensor.Float32s()
	s := summaryJSON{Name: x.Name, DType: x.Tensor.DType().String(), Shape: listOf(x.Tensor.Shape())}
	if len(v) == 0 {
		return s
	}
	s.Min, s.Max = number32(math.Inf(1)), number32(math.Inf(-1))
	for _, f := range v {
		s.Min, s.Max = min(s.Min, number32(f)), max(s.Max, number32(f))
	}
	if shape := x.Tensor.Shape(); isScores(shape) {
		s.Top = topOf(v)
	}
	return s
}

// isScores reports whether an output of this shape is one score a class, for one
// sample.
func isScores(s tensor.Shape) bool {
	switch len(s) {
	case 1:
		return s[0] > 1
	case 2:
		return s[0] == 1 && s[1] > 1
	}
	return false
}

// topOf returns the greatest scores, of equal ones the first class.
func topOf(scores []float32) []topJSON {
	top := make([]topJSON, len(scores))
	for i, s := range scores {
		top[i] = topJSON{i, number32(s)}
	}
	slices.SortStableFunc(top, func(a, b topJSON) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	return top[:min(topN, len(top))]
}
