// Package evaluate measures models on labelled data: the value of a metric, the
// size of the file and the time of an inference.
//
// Samples are run one at a time (batch 1) and their scores are summed in the
// source's order, so that the number of threads never changes a result.
package evaluate

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// Options say how a model is run. The zero value is right for most.
type Options struct {
	Engine engine.Kind
	// Threads bounds the samples that run at a time, each on one thread; 0 is
	// GOMAXPROCS.
	Threads int
	// Signature names the function to run; "" the only one.
	Signature string
	// Progress, if not nil, is called after samples with the number done so far;
	// calls do not overlap.
	Progress func(done, total int)
}

// Result is what was measured.
type Result struct {
	// Metric is the metric's name, Value its mean over Count samples.
	Metric string
	Value  float64
	Count  int
	// Bytes is the size of the model's file, 0 for a model that has none.
	Bytes int
	// Median and P90 are times of one inference of batch 1 on one thread, over the
	// first samples, while nothing else runs.
	Median, P90 time.Duration
}

// timed is the number of samples that are run alone, to measure their time.
const timed = 200

// Model evaluates a .tflite file. The model's inputs take the samples of src as
// they are where the element types agree; otherwise real values are quantized as
// the operator QUANTIZE does it, round(x/scale) + zero point with halves away
// from zero. (TensorFlow's tutorial truncates instead, which costs up to one
// step of the input's scale.) The metric compares the first output with the
// label.
//
// It fails with tensor.ErrShape or tensor.ErrType if the data does not fit the
// model, has no labels or no samples.
func Model(ctx context.Context, file []byte, src dataset.Source, m metric.Metric, o ...Options) (*Result, error) {
	g, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		return nil, err
	}
	r, err := Graph(ctx, g, src, m, o...)
	if err != nil {
		return nil, err
	}
	r.Bytes = len(file)
	return r, nil
}

// Graph is Model for a model in memory.
func Graph(ctx context.Context, g *graph.Model, src dataset.Source, m metric.Metric, o ...Options) (*Result, error) {
	e, err := newEvaluation(g, src, m, first(o))
	if err != nil {
		return nil, err
	}
	if err := e.run(ctx); err != nil {
		return nil, err
	}
	return e.result(), nil
}

func first(o []Options) Options {
	if len(o) > 0 {
		return o[0]
	}
	return Options{}
}

// evaluation is one model's run over one source.
type evaluation struct {
	opts   Options
	metric metric.Metric
	prog   *engine.Program
	inputs []input
	src    dataset.Source
	scores []float64 // by position in the source
	times  []time.Duration

	mu   sync.Mutex // guards done and Progress
	done int
}

func newEvaluation(g *graph.Model, src dataset.Source, m metric.Metric, o Options) (*evaluation, error) {
	if src.Len() == 0 {
		return nil, fmt.Errorf("no samples to evaluate: %w", tensor.ErrShape)
	}
	if src.Spec().Label == nil {
		return nil, fmt.Errorf("data has no labels to evaluate against: %w", tensor.ErrShape)
	}
	prog, err := engine.Compile(g, engine.Options{Kind: o.Engine, Threads: 1})
	if err != nil {
		return nil, err
	}
	e := &evaluation{opts: o, metric: m, prog: prog, scores: make([]float64, src.Len())}
	e.inputs, e.src, err = feed(g, src, o.Signature)
	return e, err
}

// job is a sample with its position in the source.
type job struct {
	at     int
	sample dataset.Sample
}

// run scores every sample: the first ones alone, with their time taken, the rest
// by as many workers as there are threads.
func (e *evaluation) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	alone, err := e.newWorker()
	if err != nil {
		return err
	}
	p := pool{e: e, ctx: ctx, cancel: cancel, jobs: make(chan job)}
	n := 0
	for s, err := range e.src.All(ctx) {
		switch {
		case err != nil || n == len(e.scores):
		case n < timed:
			var took time.Duration
			took, err = alone.score(ctx, job{n, s})
			e.times = append(e.times, took)
		default:
			p.score(job{n, s})
		}
		if err != nil {
			cancel(err)
		}
		if ctx.Err() != nil || n == len(e.scores) {
			break
		}
		n++
	}
	p.wait()
	if parent.Err() != nil {
		return parent.Err()
	}
	e.scores = e.scores[:n]
	return context.Cause(ctx)
}

// pool scores samples on several threads. The first error cancels ctx.
type pool struct {
	e      *evaluation
	ctx    context.Context
	cancel context.CancelCauseFunc
	jobs   chan job
	wg     sync.WaitGroup
	begun  bool
}

// score hands a sample to a worker; the first call starts them.
func (p *pool) score(j job) {
	if !p.begun {
		p.begun = true
		n := p.e.opts.Threads
		if n <= 0 {
			n = runtime.GOMAXPROCS(0)
		}
		for range n {
			p.wg.Go(p.work)
		}
	}
	select {
	case p.jobs <- j:
	case <-p.ctx.Done():
	}
}

func (p *pool) work() {
	w, err := p.e.newWorker()
	for j := range p.jobs {
		if err == nil {
			_, err = w.score(p.ctx, j)
		}
		if err != nil {
			p.cancel(err)
		}
	}
}

func (p *pool) wait() {
	close(p.jobs)
	p.wg.Wait()
}

func (e *evaluation) advance() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done++
	if e.opts.Progress != nil {
		e.opts.Progress(e.done, len(e.scores))
	}
}

func (e *evaluation) result() *Result {
	r := &Result{Metric: e.metric.Name, Count: len(e.scores)}
	var sum metric.Mean
	for _, s := range e.scores {
		sum.Add(s, 1)
	}
	r.Value = sum.Value()
	slices.Sort(e.times)
	r.Median, r.P90 = Percentile(e.times, 50), Percentile(e.times, 90)
	return r
}

// Percentile returns the p-th percentile (0 to 100) of sorted durations by the
// nearest rank, 0 for none.
func Percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (p*len(sorted) + 99) / 100
	return sorted[min(max(rank-1, 0), len(sorted)-1)]
}
