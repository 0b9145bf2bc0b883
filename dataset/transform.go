package dataset

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/litequant/litequant/tensor"
)

// Take returns the first n samples of src, all if it has fewer. What Take,
// Slice, Concat, Preprocess and Conform make of an Indexed source is Indexed.
func Take(src Source, n int) Source { return Slice(src, 0, n) }

// Slice returns the samples from to to-1 of src; bounds outside it are moved to
// its ends.
func Slice(src Source, from, to int) Source {
	from = min(max(from, 0), src.Len())
	to = min(max(to, from), src.Len())
	switch src := src.(type) {
	case *table:
		u := *src
		u.parts = cut(src.parts, from, to)
		return &u
	case Indexed:
		return indexedWindow{window{src, from, to}, src}
	}
	return window{src, from, to}
}

// cut returns the parts of samples from to to-1.
func cut(parts []part, from, to int) []part {
	var out []part
	for _, p := range parts {
		n := p.to - p.from
		if a, b := max(from, 0), min(to, n); a < b {
			q := p
			q.from, q.to = p.from+a, p.from+b
			out = append(out, q)
		}
		from, to = from-n, to-n
	}
	return out
}

// window is a slice of a foreign source.
type window struct {
	Source
	from, to int
}

func (w window) Len() int { return w.to - w.from }

func (w window) All(ctx context.Context) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		if w.from == w.to {
			return
		}
		i := 0
		for s, err := range w.Source.All(ctx) {
			if (err != nil || i >= w.from) && !yield(s, err) || err != nil {
				return
			}
			if i++; i == w.to {
				return
			}
		}
	}
}

type indexedWindow struct {
	window
	src Indexed
}

func (w indexedWindow) At(i int) (Sample, error) {
	if i < 0 || i >= w.Len() {
		return Sample{}, fmt.Errorf("sample %d of %d: %w", i, w.Len(), tensor.ErrLimit)
	}
	return w.src.At(w.from + i)
}

func (w indexedWindow) All(ctx context.Context) iter.Seq2[Sample, error] { return all(ctx, w) }

// Concat returns the samples of the sources one after the other. They must have
// the same fields. Samples of different data sets get different indices.
func Concat(srcs ...Source) (Source, error) {
	if len(srcs) == 0 {
		return nil, fmt.Errorf("concatenation of nothing: %w", tensor.ErrShape)
	}
	first := srcs[0].Spec()
	tables := true
	for i, s := range srcs {
		if err := sameFields(first, s.Spec()); err != nil {
			return nil, fmt.Errorf("source %d: %w", i, err)
		}
		_, ok := s.(*table)
		tables = tables && ok
	}
	if len(srcs) == 1 {
		return srcs[0], nil
	}
	if tables {
		return concatTables(srcs), nil
	}
	return chain{slices.Clone(srcs), first}, nil
}

func sameFields(a, b Spec) error {
	if !slices.EqualFunc(a.Inputs, b.Inputs, Field.equal) {
		return fmt.Errorf("inputs %v instead of %v: %w", b.Inputs, a.Inputs, tensor.ErrShape)
	}
	if (a.Label == nil) != (b.Label == nil) || a.Label != nil && !a.Label.equal(*b.Label) {
		return fmt.Errorf("other labels than in source 0: %w", tensor.ErrShape)
	}
	if a.Preprocess != b.Preprocess {
		return fmt.Errorf("preprocessing %q instead of %q: %w", b.Preprocess, a.Preprocess, tensor.ErrType)
	}
	return nil
}

// concatTables joins the parts and numbers each data set's samples behind those
// of the data sets before it. Tables of the same fields and preprocessing
// convert alike, so the first one's conversions serve all.
func concatTables(srcs []Source) *table {
	u := *srcs[0].(*table)
	u.parts = nil
	bases, next := map[*arrays]int{}, 0
	for _, s := range srcs {
		for _, p := range s.(*table).parts {
			if _, ok := bases[p.arrays]; !ok {
				bases[p.arrays] = next
				next += p.n
			}
			p.base = bases[p.arrays]
			u.parts = append(u.parts, p)
		}
	}
	return &u
}

// chain concatenates foreign sources.
type chain struct {
	srcs []Source
	spec Spec
}

func (c chain) Len() int {
	n := 0
	for _, s := range c.srcs {
		n += s.Len()
	}
	return n
}

func (c chain) Spec() Spec { return c.spec }

func (c chain) All(ctx context.Context) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		i := 0
		for _, src := range c.srcs {
			for s, err := range src.All(ctx) {
				s.Index = i
				if !yield(s, err) || err != nil {
					return
				}
				i++
			}
		}
	}
}

// mapInputs returns src with every input converted to the fields of spec.
func mapInputs(src Source, spec Spec, converts []convert) Source {
	m := mapped{src, spec, converts}
	if x, ok := src.(Indexed); ok {
		return indexedMapped{m, x}
	}
	return m
}

// mapped converts the inputs of a foreign source.
type mapped struct {
	Source
	spec     Spec
	converts []convert
}

func (m mapped) Spec() Spec { return m.spec }

func (m mapped) All(ctx context.Context) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		for s, err := range m.Source.All(ctx) {
			if err == nil {
				s, err = m.apply(s)
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

func (m mapped) apply(s Sample) (Sample, error) {
	before := m.Source.Spec().Inputs
	if len(s.Inputs) != len(before) {
		return Sample{}, fmt.Errorf("sample %d has %d inputs, not %d: %w", s.Index, len(s.Inputs), len(before), tensor.ErrShape)
	}
	inputs := make([]tensor.Tensor, len(s.Inputs))
	for k, x := range s.Inputs {
		if x.DType() != before[k].DType || !x.Shape().Equal(before[k].Shape) {
			return Sample{}, fmt.Errorf("sample %d: %s is %v%v, not %v%v: %w", s.Index, before[k].Name,
				x.DType(), x.Shape(), before[k].DType, before[k].Shape, tensor.ErrShape)
		}
		y, err := tensor.Zeros(m.spec.Inputs[k].DType, m.spec.Inputs[k].Shape)
		if err != nil {
			return Sample{}, err
		}
		if m.converts[k] != nil {
			m.converts[k](y.Bytes(), x.Bytes())
		} else {
			copy(y.Bytes(), x.Bytes())
		}
		inputs[k] = y
	}
	s.Inputs = inputs
	return s, nil
}

type indexedMapped struct {
	mapped
	src Indexed
}

func (m indexedMapped) At(i int) (Sample, error) {
	s, err := m.src.At(i)
	if err != nil {
		return Sample{}, err
	}
	return m.apply(s)
}
