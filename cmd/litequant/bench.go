package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/evaluate"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// bench is the flags of the bench command.
type bench struct {
	app     *app
	runs    int
	warmup  int
	maxSecs float64
	profile bool
	json    bool
}

func newBench(a *app) *cobra.Command {
	b := &bench{app: a}
	c := &cobra.Command{
		Use:   "bench MODEL...",
		Short: "Measure latency",
		Long: "bench runs each model on random inputs and prints the least, the median, the 90th\n" +
			"percentile and the mean time of an invocation.",
		Example: "  litequant bench float.tflite int8.tflite\n  litequant bench int8.tflite --runs 1000 --threads 1 --profile",
		RunE: func(c *cobra.Command, args []string) error {
			names, err := a.models(c, args, 1, -1)
			if err != nil {
				return err
			}
			return b.run(c.Context(), names)
		},
	}
	f := c.Flags()
	f.IntVar(&b.runs, "runs", 100, "invocations to measure at most")
	f.IntVar(&b.warmup, "warmup", 5, "invocations before")
	f.Float64Var(&b.maxSecs, "max-secs", 10, "stop a model's measurement after this many seconds")
	f.BoolVar(&b.profile, "profile", false, "time by operator")
	f.BoolVar(&b.json, "json", false, "print JSON: a list of one object a model")
	return c
}

type benchJSON struct {
	Model    string        `json:"model"`
	Threads  int           `json:"threads"`
	Engine   string        `json:"engine"`
	Runs     int           `json:"runs"`
	MinUS    number        `json:"min_us"`
	MedianUS number        `json:"median_us"`
	P90US    number        `json:"p90_us"`
	MeanUS   number        `json:"mean_us"`
	LoadMS   number        `json:"load_ms"`
	Bytes    int64         `json:"bytes"`
	Arena    int           `json:"arena_bytes"`
	Profile  []profileJSON `json:"profile,omitempty"`
}

type profileJSON struct {
	Index  int    `json:"index"`
	Op     string `json:"op"`
	Name   string `json:"name"`
	MeanUS number `json:"mean_us"`
	Share  number `json:"share"`
}

func (b *bench) run(ctx context.Context, names []string) error {
	if b.runs < 1 || b.warmup < 0 || !(b.maxSecs > 0) {
		return usagef("--runs of 1 and more, --warmup of 0 and more, --max-secs above 0", "nothing to measure")
	}
	var results []benchJSON
	for _, name := range names {
		r, err := b.model(ctx, name)
		if err != nil {
			return in(name, err)
		}
		results = append(results, r)
	}
	if b.json {
		return b.app.json(results)
	}
	var rows [][]any
	for _, r := range results {
		rows = append(rows, []any{r.Model, us(r.MinUS), us(r.MedianUS), us(r.P90US), us(r.MeanUS), r.Runs, r.Threads,
			fmt.Sprintf("%.1f", r.LoadMS), grouped(r.Bytes)})
	}
	b.app.table("", []string{"model", ">min µs", ">median µs", ">p90 µs", ">mean µs", ">runs", ">threads", ">load ms", ">bytes"}, rows)
	for _, r := range results {
		b.showProfile(r)
	}
	return nil
}

func us(n number) string { return fmt.Sprintf("%.1f", float64(n)) }

func (b *bench) showProfile(r benchJSON) {
	var rows [][]any
	for _, p := range r.Profile {
		rows = append(rows, []any{p.Index, p.Op, p.Name, us(p.MeanUS), percent(float64(p.Share), 1)})
	}
	b.app.section(r.Model, []string{">node", "operator", "result", ">mean µs", ">share"}, rows)
}

func (b *bench) model(ctx context.Context, name string) (benchJSON, error) {
	a := b.app
	start := time.Now()
	l, err := a.load(ctx, name)
	if err != nil {
		return benchJSON{}, err
	}
	prof := profiler{f: functionOf(l.graph, a.signature)}
	if prof.f == nil {
		return benchJSON{}, fmt.Errorf("no signature %q: %w", a.signature, tensor.ErrMalformed)
	}
	o := engine.Options{Kind: a.kind(), Threads: a.threads}
	if b.profile {
		o.Observe = prof.observe
	}
	prog, err := engine.Compile(l.graph, o)
	if err != nil {
		return benchJSON{}, err
	}
	runner, err := prog.NewRunner(a.signature)
	if err != nil {
		return benchJSON{}, err
	}
	loadTime := time.Since(start)
	for i := range prof.f.inputs {
		randomize(runner.InputAt(i))
	}
	bar := a.progress(name, b.runs)
	times, err := b.measure(ctx, runner, &prof, bar)
	bar.finish()
	if err != nil {
		return benchJSON{}, err
	}
	var sum time.Duration
	for _, t := range times {
		sum += t
	}
	slices.Sort(times)
	return benchJSON{
		Model: name, Threads: a.cores(), Engine: a.engineName, Runs: len(times),
		MinUS: micros(times[0]), MedianUS: micros(evaluate.Percentile(times, 50)), P90US: micros(evaluate.Percentile(times, 90)),
		MeanUS: micros(sum / time.Duration(len(times))), LoadMS: number(float64(loadTime.Microseconds()) / 1e3),
		Bytes: l.size, Arena: runner.ArenaBytes(), Profile: prof.rows(len(times)),
	}, nil
}

// measure returns the time of each invocation after the warm-up.
func (b *bench) measure(ctx context.Context, r *engine.Runner, prof *profiler, bar *progress) ([]time.Duration, error) {
	for range b.warmup {
		if err := r.Invoke(ctx); err != nil {
			return nil, err
		}
	}
	prof.nodes = nil
	times := make([]time.Duration, 0, b.runs)
	for begin := time.Now(); len(times) < b.runs && (len(times) == 0 || time.Since(begin).Seconds() < b.maxSecs); {
		start := time.Now()
		if err := r.Invoke(ctx); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
		bar.set(len(times))
	}
	return times, nil
}

// profiler sums the time of each node of a function.
type profiler struct {
	f     *function
	nodes []profiledNode // in the order they first ran
	at    map[int]int
}

type profiledNode struct {
	event engine.Event
	sum   time.Duration
}

func (p *profiler) observe(e engine.Event) {
	if !p.f.runs(e) {
		return
	}
	if p.nodes == nil {
		p.at = map[int]int{}
	}
	i, ok := p.at[e.Index]
	if !ok {
		i = len(p.nodes)
		p.at[e.Index] = i
		p.nodes = append(p.nodes, profiledNode{event: e})
	}
	p.nodes[i].sum += e.Duration
}

func (p *profiler) rows(runs int) []profileJSON {
	var total time.Duration
	for _, n := range p.nodes {
		total += n.sum
	}
	var rows []profileJSON
	for _, n := range p.nodes {
		name := ""
		if v := n.event.Values; len(v) > 0 && v[0] >= 0 {
			name = p.f.sub.Value(v[0]).Name
		}
		rows = append(rows, profileJSON{n.event.Index, op.NameOf(n.event.Node), name,
			micros(n.sum / time.Duration(runs)), number(float64(n.sum) / float64(max(total, 1)))})
	}
	return rows
}

// randomize fills a float or quantized input with a fixed sequence of random
// values; indices and the like stay zero.
func randomize(t tensor.Tensor) {
	r := rand.New(rand.NewPCG(1, 2))
	switch {
	case t.DType() == tensor.Float32:
		for i, v := 0, tensor.View[float32](t.Bytes()); i < len(v); i++ {
			v[i] = r.Float32()
		}
	case !t.Quant().IsZero():
		for i, b := 0, t.Bytes(); i < len(b); i++ {
			b[i] = byte(r.Uint32())
		}
	}
}
