package calibrate

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
)

// feed turns samples into a subgraph's inputs.
type feed struct {
	model     *graph.Model
	signature string
	subgraph  int
	inputs    []graph.ValueID // in the signature's order
	names     []string
	read      []bool // whether a node reads the input
	src       dataset.Source
	samples   int
	batch     int // samples an invocation
}

func newFeed(m *graph.Model, src dataset.Source, o Options) (*feed, error) {
	f := &feed{model: m, signature: o.Signature, samples: src.Len()}
	if o.Samples > 0 {
		f.samples = min(f.samples, o.Samples)
	}
	if sig, ok := m.Signature(o.Signature); ok {
		f.subgraph = sig.Subgraph
		for _, v := range sig.Inputs {
			f.inputs, f.names = append(f.inputs, v.Value), append(f.names, v.Name)
		}
	} else {
		f.inputs = m.Main().Inputs
		for _, v := range f.inputs {
			f.names = append(f.names, m.Main().Values[v].Name)
		}
	}
	uses := m.Subgraphs[f.subgraph].Uses()
	for _, v := range f.inputs {
		f.read = append(f.read, len(uses[v]) > 0)
	}
	return f, f.conform(src)
}

// key is the name by which a runner knows input i: its position where the name is
// not its own.
func (f *feed) key(i int) string {
	if slices.Index(f.names, f.names[i]) != i {
		return strconv.Itoa(i)
	}
	return f.names[i]
}

// conform fits the source to the inputs: samples without batch axis to inputs
// with one, or whole inputs as they are.
func (f *feed) conform(src dataset.Source) error {
	src = f.ordered(src)
	whole, rows := make([]dataset.Field, len(f.inputs)), make([]dataset.Field, len(f.inputs))
	f.batch = 1
	batched := true
	for i, v := range f.inputs {
		value := f.model.Subgraphs[f.subgraph].Value(v)
		shape := value.Partial()
		whole[i] = dataset.Field{Name: f.names[i], DType: value.DType, Shape: shape}
		if len(shape) == 0 {
			batched = false
			continue
		}
		rows[i] = dataset.Field{Name: f.names[i], DType: value.DType, Shape: shape[1:]}
		f.batch = max(f.batch, shape[0])
	}
	var err error
	if batched {
		if f.src, err = dataset.Conform(src, rows); err == nil {
			return f.checkTypes(rows)
		}
	}
	all, wholeErr := dataset.Conform(src, whole)
	if wholeErr != nil {
		if err == nil {
			err = wholeErr
		}
		return err
	}
	f.src, f.batch = all, 1
	return f.checkTypes(whole)
}

// ordered puts the source's inputs in the model's order where all go by the
// model's names: those of the signature or of the tensors.
func (f *feed) ordered(src dataset.Source) dataset.Source {
	have := src.Spec().Inputs
	g := f.model.Subgraphs[f.subgraph]
	order := make([]int, len(f.inputs))
	for i, v := range f.inputs {
		order[i] = slices.IndexFunc(have, func(h dataset.Field) bool { return h.Name == f.names[i] || h.Name == g.Values[v].Name })
		if order[i] < 0 {
			return src
		}
	}
	if len(have) != len(order) || slices.IsSorted(order) {
		return src
	}
	return &permuted{src, order}
}

func (f *feed) checkTypes(want []dataset.Field) error {
	for i, have := range f.src.Spec().Inputs {
		if have.DType != want[i].DType {
			return fmt.Errorf("input %q: data is %v, the model takes %v: %w", want[i].Name, have.DType, want[i].DType, tensor.ErrType)
		}
	}
	return nil
}

// each calls use with the samples of one invocation after another. A last batch
// that is too small is filled up with its last sample, which adds no new value.
func (f *feed) each(ctx context.Context, use func([]dataset.Sample)) error {
	var b []dataset.Sample
	n := 0
	for s, err := range f.src.All(ctx) {
		if err != nil {
			return err
		}
		b = append(b, s)
		if n++; len(b) == f.batch {
			use(b)
			b = nil
		}
		if n == f.samples {
			break
		}
	}
	if len(b) > 0 {
		for len(b) < f.batch {
			b = append(b, b[len(b)-1])
		}
		use(b)
	}
	return nil
}

// fill writes a batch into the runner's inputs.
func (f *feed) fill(r *engine.Runner, batch []dataset.Sample) error {
	for i, v := range f.inputs {
		shape := batch[0].Inputs[i].Shape()
		if declared := f.model.Subgraphs[f.subgraph].Value(v).Shape; len(shape) < len(declared) {
			shape = append(tensor.Shape{len(batch)}, shape...)
		}
		if err := r.Resize(f.key(i), shape); err != nil {
			return err
		}
	}
	for i := range f.inputs {
		dst := r.InputAt(i).Bytes()
		for _, s := range batch {
			src := s.Inputs[i].Bytes()
			if len(src) > len(dst) {
				return fmt.Errorf("sample %d, input %q: shape %v does not fit %v: %w", s.Index, f.names[i], s.Inputs[i].Shape(), r.InputAt(i).Shape(), tensor.ErrShape)
			}
			if at := firstNaN(s.Inputs[i]); at >= 0 {
				return fmt.Errorf("sample %d, input %q: element %d is NaN: %w", s.Index, f.names[i], at, tensor.ErrMalformed)
			}
			dst = dst[copy(dst, src):]
		}
		if len(dst) > 0 {
			return fmt.Errorf("samples %d to %d, input %q: differ in shape: %w", batch[0].Index, batch[len(batch)-1].Index, f.names[i], tensor.ErrShape)
		}
	}
	return nil
}

func firstNaN(t tensor.Tensor) int {
	if t.DType() != tensor.Float32 {
		return -1
	}
	return slices.IndexFunc(tensor.View[float32](t.Bytes()), func(x float32) bool { return x != x })
}
