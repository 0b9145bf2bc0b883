package train

import (
	"context"
	"fmt"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/lower"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/tensor"
)

// Fit trains a model's trainable weights on labelled data and changes them in
// place. On an error they keep their old values.
func Fit(ctx context.Context, m *keras.Model, d dataset.Source, o Options) (*History, error) {
	g, err := m.Graph()
	if err != nil {
		return nil, err
	}
	lowered, err := lower.Graph(g, lower.Options{Train: true})
	if err != nil {
		return nil, err
	}
	trained, history, err := FitGraph(ctx, lowered, d, o)
	if err != nil {
		return nil, err
	}
	return history, store(m, trained.Main())
}

// store copies trained values back into a model's weights, in Keras's layout.
func store(m *keras.Model, s *graph.Subgraph) error {
	values := map[*keras.Weight]tensor.Tensor{}
	for _, v := range trainable(s) {
		value := s.Value(v)
		w, ok := m.Weight(value.Param.Name)
		if !ok {
			return fmt.Errorf("no weight %q: %w", value.Param.Name, tensor.ErrMalformed)
		}
		data := unpermute(tensor.View[float32](value.Const), value.Shape, value.Param.Perm)
		t, err := tensor.Of(w.Shape(), data...)
		if err != nil {
			return fmt.Errorf("weight %s: %w", w.Name, err)
		}
		values[w] = t
	}
	for w, t := range values {
		w.Value = t
	}
	return nil
}

// unpermute undoes a transpose: x has the given shape, whose axis i is axis
// perm[i] of the answer.
func unpermute(x []float32, shape tensor.Shape, perm []int) []float32 {
	if perm == nil {
		return x
	}
	stride := make([]int, len(perm)) // of the answer, by x's axes
	n := 1
	for axis := len(perm) - 1; axis >= 0; axis-- {
		for i, p := range perm {
			if p == axis {
				stride[i] = n
				n *= shape[i]
			}
		}
	}
	out := make([]float32, len(x))
	for i, v := range x {
		at, rest := 0, i
		for k := len(shape) - 1; k >= 0; k-- {
			at += rest % shape[k] * stride[k]
			rest /= shape[k]
		}
		out[at] = v
	}
	return out
}
