package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/tensor"
)

// FitGraph trains a network that has been lowered for training (lower.Options.Train),
// in which constants with a trainable Param are the weights. It returns a copy with
// the new weights, whose dropouts and batch normalizations are still the internal
// operators that mark them.
func FitGraph(ctx context.Context, m *graph.Model, d dataset.Source, o Options) (*graph.Model, *History, error) {
	f := &fitter{o: o.withDefaults(), history: &History{}, start: time.Now()}
	if err := f.prepare(ctx, m, d); err != nil {
		return nil, nil, err
	}
	for f.epoch = 1; f.epoch <= f.o.Epochs; f.epoch++ {
		if err := f.runEpoch(ctx); err != nil {
			return nil, nil, err
		}
	}
	trained := m.Clone()
	head := f.net.trained().Main()
	for _, v := range f.net.weights {
		trained.Main().Values[v].Const = head.Values[v].Const
	}
	return trained, f.history, nil
}

type fitter struct {
	o           Options
	net         *network
	labels      *labeler
	train, test dataset.Indexed
	history     *History
	start       time.Time
	epoch       int
}

// prepare splits the network, computes its frozen prefix and compiles the rest.
func (f *fitter) prepare(ctx context.Context, m *graph.Model, d dataset.Source) error {
	fields := inputFields(m.Main())
	var err error
	if f.train, err = f.open(ctx, d, fields); err != nil {
		return err
	}
	if f.o.Validation != nil {
		if f.test, err = f.open(ctx, f.o.Validation, fields); err != nil {
			return fmt.Errorf("validation data: %w", err)
		}
	}
	prefix, head, err := split(m)
	if err != nil {
		return err
	}
	if prefix != nil {
		if head, err = f.computePrefix(ctx, m, prefix, head); err != nil {
			return err
		}
	}
	if f.labels, err = newLabeler(f.o.Loss, head); err != nil {
		return err
	}
	f.net, err = newNetwork(head, f.o)
	return err
}

// open conforms labelled data to the network's inputs.
func (f *fitter) open(ctx context.Context, d dataset.Source, fields []dataset.Field) (dataset.Indexed, error) {
	if d == nil || d.Len() == 0 {
		return nil, fmt.Errorf("no samples: %w", tensor.ErrShape)
	}
	if d.Spec().Label == nil {
		return nil, fmt.Errorf("the data have no labels: %w", tensor.ErrShape)
	}
	c, err := dataset.Conform(d, fields)
	if err != nil {
		return nil, err
	}
	return indexed(ctx, c)
}

func inputFields(s *graph.Subgraph) []dataset.Field {
	fields := make([]dataset.Field, len(s.Inputs))
	for i, v := range s.Inputs {
		shape := s.Values[v].Partial()
		if len(shape) > 0 {
			shape = shape[1:]
		}
		fields[i] = dataset.Field{Name: s.Values[v].Name, DType: s.Values[v].DType, Shape: shape}
	}
	return fields
}

// computePrefix replaces the data by the prefix's results, unless they are too
// large to keep. It returns the part of the network to train.
func (f *fitter) computePrefix(ctx context.Context, m, prefix, head *graph.Model) (*graph.Model, error) {
	spec, ok := featureSpec(prefix, f.train.Spec())
	n := f.train.Len()
	if f.test != nil {
		n += f.test.Len()
	}
	if !ok || featureBytes(spec, n) > maxFeatures {
		whole := m.Clone()
		whole.Signatures = nil
		return whole, nil
	}
	start := time.Now()
	p, err := newPredictor(prefix, f.o.Threads)
	if err != nil {
		return nil, err
	}
	done := 0
	report := func(k int) {
		f.o.Progress(Progress{Phase: "prefix", Epochs: f.o.Epochs, Step: done + k, Steps: n, Elapsed: time.Since(start)})
	}
	trainSpec := spec
	if f.train, err = features(ctx, p, trainSpec, f.train, report); err != nil {
		return nil, err
	}
	if f.test != nil {
		done = f.train.Len()
		spec.Label = f.test.Spec().Label
		if f.test, err = features(ctx, p, spec, f.test, report); err != nil {
			return nil, err
		}
	}
	f.history.Prefix = time.Since(start)
	return head, nil
}

// tally keeps the running means of an epoch.
type tally struct {
	loss     metric.Mean
	counters []*metric.Counter
}

func newTally(metrics []metric.Metric) *tally {
	t := &tally{}
	for _, m := range metrics {
		t.counters = append(t.counters, m.New())
	}
	return t
}

func (t *tally) add(loss []float32, y, label tensor.Tensor) error {
	for _, l := range loss {
		t.loss.Add(float64(l), 1)
	}
	for _, c := range t.counters {
		if err := c.Update(y, label); err != nil {
			return err
		}
	}
	return nil
}

func (t *tally) values() (loss float64, metrics map[string]float64) {
	metrics = make(map[string]float64, len(t.counters))
	for _, c := range t.counters {
		metrics[c.Name()] = c.Value()
	}
	return t.loss.Value(), metrics
}

func (f *fitter) runEpoch(ctx context.Context) error {
	start, n, size := time.Now(), f.train.Len(), f.o.BatchSize
	steps := (n + size - 1) / size
	positions := order(n, f.o, f.epoch)
	t := newTally(f.o.Metrics)
	var b dataset.Batch
	for i := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.Gather(f.train, positions[i*size:min((i+1)*size, n)]); err != nil {
			return err
		}
		labels, err := f.labels.of(b.Label)
		if err != nil {
			return err
		}
		loss, y, err := f.net.run(ctx, b.Inputs, labels)
		if err != nil {
			return err
		}
		if err := t.add(loss, y, b.Label); err != nil {
			return err
		}
		if math.IsNaN(t.loss.Value()) {
			return fmt.Errorf("epoch %d, step %d: the loss is not a number; a smaller learning rate may help", f.epoch, i+1)
		}
		f.report("fit", i+1, steps, start, t, nil)
	}
	val, err := f.validate(ctx)
	if err != nil {
		return fmt.Errorf("validation: %w", err)
	}
	f.history.Epochs = append(f.history.Epochs, f.report("epoch", steps, steps, start, t, val))
	return nil
}

func (f *fitter) report(phase string, step, steps int, start time.Time, t, val *tally) EpochResult {
	var r EpochResult
	r.Loss, r.Metrics = t.values()
	if val != nil {
		r.ValLoss, r.ValMetrics = val.values()
	}
	f.o.Progress(Progress{phase, f.epoch, f.o.Epochs, step, steps, time.Since(start), r})
	return r
}

// validate evaluates the network as it is now; nil without validation data.
func (f *fitter) validate(ctx context.Context) (*tally, error) {
	if f.test == nil {
		return nil, nil
	}
	m := f.net.trained()
	loss, err := withLoss(m, f.o.Loss)
	if err != nil {
		return nil, err
	}
	p, err := newLossPredictor(loss, f.o.Threads)
	if err != nil {
		return nil, err
	}
	t := newTally(f.o.Metrics)
	for b, err := range dataset.Batches(ctx, f.test, evalBatch) {
		if err != nil {
			return nil, err
		}
		labels, err := f.labels.of(b.Label)
		if err != nil {
			return nil, err
		}
		out, err := p.run(ctx, append(slices.Clip(b.Inputs), labels))
		if err != nil {
			return nil, err
		}
		if err := t.add(tensor.View[float32](out[1].Bytes()), out[0], b.Label); err != nil {
			return nil, err
		}
	}
	return t, nil
}
