package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/dataset/mnist"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
)

// data is the flags that name data.
type data struct {
	name       string
	preprocess string
	samples    int
}

// allSamples is the default of --samples that stands for all.
const allSamples = -1

// flags adds --data, --preprocess and --samples with its default.
func (d *data) flags(c *cobra.Command, what string, samples int) {
	f := c.Flags()
	f.StringVar(&d.name, "data", "", what+": mnist:test, mnist:train[:100], FILE.npz, FILE.npy, IDX, X,Y")
	f.StringVar(&d.preprocess, "preprocess", "", "steps such as /255 or [-1,1] or mean=…,std=… or none")
	f.IntVar(&d.samples, "samples", samples, "use the first `N` samples (also --limit)")
	if samples == allSamples {
		f.Lookup("samples").DefValue = "all"
	}
}

// check fails for numbers of samples that make no sense.
func (d *data) check() error {
	switch {
	case d.samples == 0:
		return &hinted{fmt.Errorf("--samples=0 leaves no samples: %w", tensor.ErrShape), "1 or more"}
	case d.samples < allSamples:
		return usagef("1 or more", "--samples=%d is negative", d.samples)
	}
	return nil
}

// sets are the data sets that go by a name.
func sets() map[string]dataset.Set { return map[string]dataset.Set{"mnist": mnist.Set()} }

// openNamed opens data under a name that is not the flag's own.
func (d *data) openNamed(ctx context.Context, name string, inputs []dataset.Field) (dataset.Source, error) {
	return dataset.Open(ctx, name, dataset.Options{
		Sets: sets(), Preprocess: d.preprocess, Inputs: inputs, Limit: max(d.samples, 0),
	})
}

func (d *data) open(ctx context.Context, inputs []dataset.Field) (dataset.Source, error) {
	return d.openNamed(ctx, d.name, inputs)
}

// fieldsOf lists a model's inputs without batch axis, as they are stored; nil for
// a model that has an input without one.
func fieldsOf(m *graph.Model, signature string) []dataset.Field {
	f := functionOf(m, signature)
	if f == nil {
		return nil
	}
	var fields []dataset.Field
	for _, in := range f.inputs {
		v := f.sub.Value(in.Value)
		shape := v.Partial()
		if len(shape) == 0 {
			return nil
		}
		fields = append(fields, dataset.Field{Name: in.Name, DType: v.DType, Shape: shape[1:]})
	}
	return fields
}

// function is what one invocation computes: a signature, or the main subgraph.
type function struct {
	index           int // of the subgraph
	sub             *graph.Subgraph
	inputs, outputs []graph.NamedValue
}

// runs reports whether an event is of one of the function's own nodes, not of a
// subgraph's that it calls.
func (f *function) runs(e engine.Event) bool { return e.Subgraph == f.index }

// functionOf returns the function that the engine runs for a signature, nil if
// there is none.
func functionOf(m *graph.Model, signature string) *function {
	if sig, ok := m.Signature(signature); ok {
		return &function{sig.Subgraph, m.Subgraphs[sig.Subgraph], sig.Inputs, sig.Outputs}
	}
	if signature != "" {
		return nil
	}
	return mainOf(m)
}

// mainOf returns the main subgraph under its tensors' names.
func mainOf(m *graph.Model) *function {
	f := &function{sub: m.Main()}
	for _, v := range f.sub.Inputs {
		f.inputs = append(f.inputs, graph.NamedValue{Name: f.sub.Value(v).Name, Value: v})
	}
	for _, v := range f.sub.Outputs {
		f.outputs = append(f.outputs, graph.NamedValue{Name: f.sub.Value(v).Name, Value: v})
	}
	return f
}
