// Package calibrate runs a float model over representative samples and records
// the range of every value, which post-training quantization takes its scales
// from.
//
// The ranges are those of TensorFlow's calibrator: the smallest and greatest
// element over all samples, NaN skipped, the greatest never below the smallest
// positive normal float, and the range of an operand over which TFLite's kernel
// may write its result joined with the result's. Since minima and maxima do not
// depend on order, the number of threads never changes a result, and statistics
// of parts of a data set merge into those of the whole, bit for bit.
package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// Options say how a model is calibrated. The zero value is right for most.
type Options struct {
	// Samples bounds the samples used, the source's first ones; 0 uses all.
	Samples int
	// Threads bounds the samples that run at a time; 0 is GOMAXPROCS. Models with
	// variables run one by one, since each sample starts where the last one ended.
	Threads int
	// Engine computes the values: engine.Fast, the zero value, or
	// engine.Reference, whose ranges are the same bits on every CPU.
	Engine engine.Kind
	// Signature names the function to run; "" the only one.
	Signature string
	// Operators is the set the model uses; nil stands for all of TFLite's.
	Operators *op.Set
}

// Run returns the ranges of the model's float32 values over the samples of src,
// whose inputs must fit the model's (see dataset.Conform). It fails with
// tensor.ErrShape if there is no sample or one does not fit, and with
// tensor.ErrMalformed if an input holds NaN.
func Run(ctx context.Context, m *graph.Model, src dataset.Source, o Options) (*Statistics, error) {
	if src == nil || src.Len() == 0 {
		return nil, fmt.Errorf("calibrate: no representative samples: %w", tensor.ErrShape)
	}
	stats, err := run(ctx, m, src, o)
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	return stats, nil
}

func run(ctx context.Context, m *graph.Model, src dataset.Source, o Options) (*Statistics, error) {
	rec := newRecorder(m)
	ops := all.Set()
	if o.Operators != nil {
		ops = *o.Operators
	}
	prog, err := engine.CompileWith(ops, m, engine.Options{Kind: o.Engine, Threads: 1, Observe: rec.observe})
	if err != nil {
		return nil, err
	}
	f, err := newFeed(m, src, o)
	if err != nil {
		return nil, err
	}
	if err := runAll(ctx, prog, rec, f, threads(m, o.Threads)); err != nil {
		return nil, err
	}
	return rec.statistics(f.samples, src.Spec().Preprocess), nil
}

func threads(m *graph.Model, n int) int {
	for _, s := range m.Subgraphs {
		for i := range s.Values {
			if s.Values[i].Variable {
				return 1
			}
		}
	}
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return n
}

// runAll hands the feed's batches to workers with a runner each.
func runAll(ctx context.Context, prog *engine.Program, rec *recorder, f *feed, workers int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := make(chan []dataset.Sample)
	var wg sync.WaitGroup
	for range workers {
		r, err := prog.NewRunner(f.signature)
		if err != nil {
			return err
		}
		wg.Go(func() {
			w := worker{r, rec, f}
			for b := range batches {
				if err := w.run(ctx, b); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := f.each(ctx, func(b []dataset.Sample) {
		select {
		case batches <- b:
		case <-ctx.Done():
		}
	})
	close(batches)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return cause
	}
	return err
}

type worker struct {
	*engine.Runner
	rec  *recorder
	feed *feed
}

// run invokes the model over one batch. Variables are recorded before and after,
// as inputs are that a kernel changes.
func (w *worker) run(ctx context.Context, batch []dataset.Sample) error {
	if ctx.Err() != nil {
		return nil
	}
	if err := w.feed.fill(w.Runner, batch); err != nil {
		return err
	}
	for i, v := range w.feed.inputs {
		if w.feed.read[i] {
			w.rec.add(w.feed.subgraph, v, w.Value(v))
		}
	}
	w.variables()
	if err := w.Invoke(ctx); err != nil {
		return fmt.Errorf("sample %d: %w", batch[0].Index, err)
	}
	w.variables()
	w.folded()
	return nil
}

func (w *worker) variables() {
	g := w.feed.model.Subgraphs[w.feed.subgraph]
	for v := range g.Values {
		if g.Values[v].Variable {
			w.rec.add(w.feed.subgraph, graph.ValueID(v), w.Value(graph.ValueID(v)))
		}
	}
}

// folded records results that the engine computed while compiling, for which
// there is no event.
func (w *worker) folded() {
	g := w.feed.model.Subgraphs[w.feed.subgraph]
	for i := range g.Nodes {
		for _, v := range g.Nodes[i].Outputs {
			if v != graph.None && !w.rec.has(w.feed.subgraph, v) {
				w.rec.add(w.feed.subgraph, v, w.Value(v))
			}
		}
	}
}

// extrema are what has been seen of one value.
type extrema struct {
	count    int64
	min, max float32
}

// none is the calibrator's start: FLT_MAX and FLT_MIN, so that a maximum is never
// below the smallest positive normal float.
var none = extrema{0, math.MaxFloat32, 0x1p-126}

func (e *extrema) join(o extrema) {
	e.count += o.count
	e.min, e.max = min(e.min, o.min), max(e.max, o.max)
}

func scan(x []float32) extrema {
	e := none
	for _, v := range x {
		if v != v {
			continue
		}
		e.count++
		if v < e.min {
			e.min = v
		}
		if v > e.max {
			e.max = v
		}
	}
	return e
}

// recorder gathers the extrema of a model's values. It may be used by several
// goroutines.
type recorder struct {
	model  *graph.Model
	mu     sync.Mutex
	values [][]extrema // by subgraph and value
}

func newRecorder(m *graph.Model) *recorder {
	r := &recorder{model: m}
	for _, s := range m.Subgraphs {
		values := make([]extrema, len(s.Values))
		for v := range values {
			values[v] = none
		}
		r.values = append(r.values, values)
	}
	return r
}

func (r *recorder) observe(e engine.Event) {
	for i, v := range e.Values {
		if v != graph.None {
			r.add(e.Subgraph, v, e.Tensors[i])
		}
	}
}

func (r *recorder) has(subgraph int, v graph.ValueID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.values[subgraph][v].count > 0
}

func (r *recorder) add(subgraph int, v graph.ValueID, t tensor.Tensor) {
	if t.DType() != tensor.Float32 {
		return
	}
	e := scan(tensor.View[float32](t.Bytes()))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[subgraph][v].join(e)
}

func (r *recorder) statistics(samples int, preprocess string) *Statistics {
	s := &Statistics{Model: Fingerprint(r.model), Samples: samples, Preprocess: preprocess}
	for i, g := range r.model.Subgraphs {
		seen := make([]extrema, len(g.Values))
		copy(seen, r.values[i])
		for _, w := range overwritten(g) {
			result := r.values[i][w.result]
			seen[w.operand].min = min(seen[w.operand].min, result.min)
			seen[w.operand].max = max(seen[w.operand].max, result.max)
		}
		for v, e := range seen {
			if e.count > 0 {
				s.Tensors = append(s.Tensors, Tensor{i, v, g.Values[v].Name, e.count, Range{e.min, e.max}})
			}
		}
	}
	return s
}
