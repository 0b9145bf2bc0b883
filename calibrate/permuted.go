package calibrate

import (
	"context"
	"iter"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/tensor"
)

// permuted is a source whose input i is the base's input order[i].
type permuted struct {
	dataset.Source
	order []int
}

func (p *permuted) Spec() dataset.Spec {
	s := p.Source.Spec()
	inputs := make([]dataset.Field, len(p.order))
	for i, k := range p.order {
		inputs[i] = s.Inputs[k]
	}
	s.Inputs = inputs
	return s
}

func (p *permuted) All(ctx context.Context) iter.Seq2[dataset.Sample, error] {
	return func(yield func(dataset.Sample, error) bool) {
		for s, err := range p.Source.All(ctx) {
			if err == nil {
				inputs := make([]tensor.Tensor, len(p.order))
				for i, k := range p.order {
					inputs[i] = s.Inputs[k]
				}
				s.Inputs = inputs
			}
			if !yield(s, err) {
				return
			}
		}
	}
}
