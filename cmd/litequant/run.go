package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/dataset"
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
