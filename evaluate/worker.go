package evaluate

import (
	"context"
	"fmt"
	"time"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/quantop"
	"github.com/litequant/litequant/tensor"
)

// input is how one of the model's inputs is fed.
type input struct {
	name  string
	rank  int
	quant *op.Kernel // QUANTIZE to the input's parameters; nil copies
}

// feed fits src to the model's inputs.
func feed(g *graph.Model, src dataset.Source, signature string) ([]input, dataset.Source, error) {
	sub, ids, names, err := inputsOf(g, signature)
	if err != nil {
		return nil, nil, err
	}
	have := src.Spec().Inputs
	inputs, fields := make([]input, len(ids)), make([]dataset.Field, len(ids))
	for i, id := range ids {
		v := sub.Value(id)
		shape := v.Partial()
		if len(shape) == 0 {
			return nil, nil, fmt.Errorf("input %q: a scalar has no batch axis: %w", names[i], tensor.ErrShape)
		}
		inputs[i] = input{name: names[i], rank: len(shape)}
		fields[i] = dataset.Field{Name: names[i], DType: v.DType, Shape: shape[1:]}
		if i < len(have) && have[i].DType != v.DType && !v.Quant.IsZero() {
			k, err := quantizer(v)
			if err != nil {
				return nil, nil, fmt.Errorf("input %q: %w", names[i], err)
			}
			inputs[i].quant, fields[i].DType = k, tensor.Float32
		}
	}
	fit, err := dataset.Conform(src, fields)
	if err != nil {
		return nil, nil, err
	}
	for i, f := range fit.Spec().Inputs {
		if f.DType != fields[i].DType {
			return nil, nil, fmt.Errorf("input %q: data is %v, the model takes %v: %w", names[i], f.DType, fields[i].DType, tensor.ErrType)
		}
	}
	return inputs, fit, nil
}

func inputsOf(g *graph.Model, signature string) (*graph.Subgraph, []graph.ValueID, []string, error) {
	var ids []graph.ValueID
	var names []string
	if sig, ok := g.Signature(signature); ok {
		for _, v := range sig.Inputs {
			ids, names = append(ids, v.Value), append(names, v.Name)
		}
		return g.Subgraphs[sig.Subgraph], ids, names, nil
	}
	if signature != "" {
		return nil, nil, nil, fmt.Errorf("no signature %q: %w", signature, tensor.ErrMalformed)
	}
	for _, v := range g.Main().Inputs {
		ids, names = append(ids, v), append(names, g.Main().Value(v).Name)
	}
	return g.Main(), ids, names, nil
}

// quantizer makes the kernel that quantizes float32 data for an input.
func quantizer(v *graph.Value) (*op.Kernel, error) {
	real, q := op.Declared(v), op.Declared(v)
	real.DType, real.Quant = tensor.Float32, tensor.Quant{}
	c := &op.Call{Node: &graph.Node{Op: quantop.Quantize.Code}, In: []op.Fact{real}, Out: []op.Fact{q}}
	if err := quantop.Quantize.Check(c); err != nil {
		return nil, err
	}
	k, err := quantop.Quantize.Ref(c)
	return &k, err
}

// worker scores samples one at a time.
type worker struct {
	e      *evaluation
	runner *engine.Runner
	reset  bool // variables start anew with each sample
	scores []float64
}

func (e *evaluation) newWorker() (*worker, error) {
	r, err := e.prog.NewRunner(e.opts.Signature)
	if err != nil {
		return nil, err
	}
	w := &worker{e: e, runner: r}
	for _, g := range e.prog.Model().Subgraphs {
		for i := range g.Values {
			w.reset = w.reset || g.Values[i].Variable
		}
	}
	return w, nil
}

// score runs the model on a sample, notes the metric's score and returns the
// time the inference took.
func (w *worker) score(ctx context.Context, j job) (time.Duration, error) {
	if err := w.fill(j.sample); err != nil {
		return 0, fmt.Errorf("sample %d: %w", j.sample.Index, err)
	}
	if w.reset {
		w.runner.Reset()
	}
	start := time.Now()
	if err := w.runner.Invoke(ctx); err != nil {
		return 0, err
	}
	took := time.Since(start)
	label, err := j.sample.Label.Reshaped(append(tensor.Shape{1}, j.sample.Label.Shape()...))
	if err != nil {
		return 0, err
	}
	w.scores, err = w.e.metric.Score(w.scores[:0], w.runner.OutputAt(0), label)
	if err != nil {
		return 0, fmt.Errorf("sample %d: %w", j.sample.Index, err)
	}
	if len(w.scores) != 1 {
		return 0, fmt.Errorf("sample %d: %d predictions of shape %v for one sample: %w", j.sample.Index, len(w.scores), w.runner.OutputAt(0).Shape(), tensor.ErrShape)
	}
	w.e.scores[j.at] = w.scores[0]
	w.e.advance()
	return took, nil
}

// fill writes a sample into the runner's inputs.
func (w *worker) fill(s dataset.Sample) error {
	for i, in := range w.e.inputs {
		shape := append(tensor.Shape{1}, s.Inputs[i].Shape()...)
		if err := w.runner.ResizeKeeping(in.name, shape); err != nil {
			return err
		}
	}
	for i, in := range w.e.inputs {
		x, dst := s.Inputs[i], w.runner.InputAt(i)
		if in.quant != nil {
			run := op.Run{In: []tensor.Tensor{x}, Out: []tensor.Tensor{dst}}
			if err := in.quant.Run(&run); err != nil {
				return err
			}
			continue
		}
		if len(x.Bytes()) != len(dst.Bytes()) {
			return fmt.Errorf("input %q: %d bytes for %v%v: %w", in.name, len(x.Bytes()), dst.DType(), dst.Shape(), tensor.ErrShape)
		}
		copy(dst.Bytes(), x.Bytes())
	}
	return nil
}
