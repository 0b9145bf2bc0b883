package train

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// indexed gives a source random access, reading a stream into memory once.
func indexed(ctx context.Context, src dataset.Source) (dataset.Indexed, error) {
	if x, ok := src.(dataset.Indexed); ok {
		return x, nil
	}
	c := newCollector(src.Spec(), src.Len())
	for b, err := range dataset.Batches(ctx, src, evalBatch) {
		if err != nil {
			return nil, err
		}
		c.add(b.Inputs, b.Label)
	}
	return c.source()
}

// collector gathers batches into columns.
type collector struct {
	spec   dataset.Spec
	inputs [][]byte
	label  []byte
	n      int
}

func newCollector(spec dataset.Spec, n int) *collector {
	c := &collector{spec: spec, inputs: make([][]byte, len(spec.Inputs))}
	for i, f := range spec.Inputs {
		if size, err := f.Shape.Bytes(f.DType); err == nil {
			c.inputs[i] = tensor.Aligned(size * n)[:0]
		}
	}
	return c
}

func (c *collector) add(inputs []tensor.Tensor, label tensor.Tensor) {
	for i, x := range inputs {
		c.inputs[i] = append(c.inputs[i], x.Bytes()...)
	}
	c.label = append(c.label, label.Bytes()...)
	c.n += inputs[0].Shape()[0]
}

func (c *collector) source() (dataset.Indexed, error) {
	cols := dataset.Columns{Classes: c.spec.Classes}
	column := func(f dataset.Field, data []byte) (dataset.Column, error) {
		t, err := tensor.New(f.DType, append(tensor.Shape{c.n}, f.Shape...), tensor.Quant{}, data)
		return dataset.Column{Name: f.Name, Values: t}, err
	}
	for i, f := range c.spec.Inputs {
		col, err := column(f, c.inputs[i])
		if err != nil {
			return nil, err
		}
		cols.Inputs = append(cols.Inputs, col)
	}
	if c.spec.Label != nil {
		col, err := column(*c.spec.Label, c.label)
		if err != nil {
			return nil, err
		}
		cols.Label = &col
	}
	return dataset.FromColumns(cols)
}

// evalBatch is the batch size of passes that do not train.
const evalBatch = 128

// predictor runs an inference graph over batches.
type predictor struct{ runner *engine.Runner }

func newPredictor(m *graph.Model, threads int) (*predictor, error) {
	p, err := engine.Compile(m, engine.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	r, err := p.NewRunner("")
	return &predictor{r}, err
}

func (p *predictor) run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	for i, x := range inputs {
		if err := p.runner.Resize(fmt.Sprint(i), x.Shape()); err != nil {
			return nil, err
		}
	}
	for i, x := range inputs {
		copy(p.runner.InputAt(i).Bytes(), x.Bytes())
	}
	if err := p.runner.Invoke(ctx); err != nil {
		return nil, err
	}
	out := make([]tensor.Tensor, len(p.runner.OutputNames()))
	for i := range out {
		out[i] = p.runner.OutputAt(i)
	}
	return out, nil
}

// maxFeatures bounds the memory that a frozen prefix's results may take; beyond
// it the prefix is computed again in every epoch.
const maxFeatures = 512 << 20

// featureSpec describes the prefix's results as a data set.
func featureSpec(prefix *graph.Model, spec dataset.Spec) (dataset.Spec, bool) {
	f := dataset.Spec{Label: spec.Label, Classes: spec.Classes}
	s := prefix.Main()
	for _, v := range s.Outputs {
		shape := s.Values[v].Partial()
		if s.Values[v].Unranked || len(shape) == 0 || !shape[1:].Known() {
			return f, false
		}
		f.Inputs = append(f.Inputs, dataset.Field{Name: s.Values[v].Name, DType: s.Values[v].DType, Shape: shape[1:]})
	}
	return f, true
}

func featureBytes(spec dataset.Spec, n int) int {
	total := 0
	for _, f := range spec.Inputs {
		size, err := f.Shape.Bytes(f.DType)
		if err != nil || size > maxFeatures/max(n, 1) {
			return maxFeatures + 1
		}
		total += size * n
	}
	return total
}

// features computes the prefix's results for every sample.
func features(ctx context.Context, p *predictor, spec dataset.Spec, src dataset.Source, report func(done int)) (dataset.Indexed, error) {
	c := newCollector(spec, src.Len())
	for b, err := range dataset.Batches(ctx, src, evalBatch) {
		if err != nil {
			return nil, err
		}
		out, err := p.run(ctx, b.Inputs)
		if err != nil {
			return nil, err
		}
		c.add(out, b.Label)
		report(c.n)
	}
	return c.source()
}

// labeler turns a batch's labels into what a loss takes.
type labeler struct {
	classes bool
	output  tensor.Shape // of the network, without the batch; -1 where it varies
	memory  []byte
}

func newLabeler(l Loss, m *graph.Model) (*labeler, error) {
	y := m.Main().Value(m.Main().Outputs[0])
	if y.Unranked || len(y.Partial()) < 2 {
		return nil, fmt.Errorf("output %q of shape %v, want [batch, ..., values]: %w", y.Name, y.Partial(), tensor.ErrShape)
	}
	return &labeler{classes: l.classes(), output: y.Partial()[1:]}, nil
}

// of returns a batch's labels: class numbers, one for each row of the output, or
// values of the output's shape. A last axis of 1 may be left out or added. The
// memory is used again for the next batch.
func (l *labeler) of(label tensor.Tensor) (tensor.Tensor, error) {
	s := label.Shape()
	want := l.output
	if l.classes {
		want = want[:len(want)-1]
	}
	v := label.WithQuant(tensor.Quant{}).Float32s()
	if v == nil || len(s) == 0 || !op.Compatible(dropOne(s[1:]), dropOne(want)) {
		return tensor.Tensor{}, fmt.Errorf("labels of type %v and shape %v, want numbers of shape %v a sample: %w", label.DType(), s, want, tensor.ErrShape)
	}
	if len(l.memory) < 4*len(v) {
		l.memory = tensor.Aligned(4 * len(v))
	}
	data := l.memory[:4*len(v)]
	if !l.classes {
		copy(tensor.View[float32](data), v)
		shape := append(s[:1:1], dropOne(s[1:])...)
		if want[len(want)-1] == 1 {
			shape = append(shape, 1)
		}
		return tensor.Raw(tensor.Float32, shape, tensor.Quant{}, data), nil
	}
	for i, x := range v {
		tensor.View[int32](data)[i] = int32(x)
	}
	return tensor.Raw(tensor.Int32, tensor.Shape{len(v)}, tensor.Quant{}, data), nil
}

// dropOne leaves out a last axis of 1.
func dropOne(s tensor.Shape) tensor.Shape {
	if n := len(s); n > 0 && s[n-1] == 1 {
		return s[: n-1 : n-1]
	}
	return s
}

// order returns the samples' order in an epoch.
func order(n int, o Options, epoch int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	if !o.KeepOrder {
		r := rand.New(rand.NewPCG(o.Seed, uint64(epoch)))
		r.Shuffle(n, func(i, j int) { p[i], p[j] = p[j], p[i] })
	}
	return p
}
