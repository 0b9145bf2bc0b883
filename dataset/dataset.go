// Package dataset is where labelled and unlabelled samples come from: arrays in
// memory, .npz, .npy and IDX files, named data sets, and slices, concatenations
// and preprocessing of them.
//
// A Source yields the same samples in the same order every time it is read, so
// that calibration, training and evaluation are reproducible. Data stays in the
// element type it is stored in (60,000 uint8 images are 47 MB, not 188) and is
// converted on the way into a batch; the batch's memory is all that is written.
// Sources are immutable and may be read by several goroutines at once.
package dataset

import (
	"context"
	"fmt"
	"iter"

	"github.com/litequant/litequant/tensor"
)

// Field describes one input, or the label, of a sample: Shape has no batch axis.
type Field struct {
	Name  string
	DType tensor.DType
	Shape tensor.Shape
}

func (f Field) equal(g Field) bool {
	return f.Name == g.Name && f.DType == g.DType && f.Shape.Equal(g.Shape)
}

// Spec describes the samples of a source.
type Spec struct {
	Inputs []Field
	// Label is nil for unlabelled data.
	Label *Field
	// Classes is the number of classes, 0 where it is not known.
	Classes int
	// Preprocess is the preprocessing that the inputs went through, "none" or
	// "" if none did.
	Preprocess string
}

// Sample is one example. Its tensors have no batch axis and must not be written.
type Sample struct {
	// Index identifies the sample: its position in the whole data set, whatever
	// slice of it is read. Statistics kept by Index merge exactly.
	Index  int
	Inputs []tensor.Tensor
	// Label is the zero Tensor for unlabelled data.
	Label tensor.Tensor
}

// Source is a re-iterable sequence of samples.
type Source interface {
	// Len is the number of samples.
	Len() int
	// Spec describes every sample.
	Spec() Spec
	// All yields the samples in order, the same at every call. An error, also
	// the context's, ends the sequence.
	All(ctx context.Context) iter.Seq2[Sample, error]
}

// Indexed is a Source with random access, which shuffling needs. Every source
// that this package makes from arrays or files is one.
type Indexed interface {
	Source
	// At returns sample i of Len, in memory of its own.
	At(i int) (Sample, error)
}

// Column is one field's values for all samples: the first axis counts samples.
// Values are taken as they are stored; quantization parameters are ignored.
type Column struct {
	Name   string
	Values tensor.Tensor
}

// Columns are a data set in memory.
type Columns struct {
	Inputs []Column
	// Label is nil for unlabelled data.
	Label *Column
	// Classes is the number of classes, 0 if unknown.
	Classes int
}

// FromColumns makes a source of arrays, which it keeps and which must not
// change. It fails if there are no samples, if the columns differ in length, if
// floats are not finite, and for strings.
func FromColumns(c Columns) (Indexed, error) {
	if len(c.Inputs) == 0 {
		return nil, fmt.Errorf("data without inputs: %w", tensor.ErrShape)
	}
	a := &arrays{}
	spec := Spec{Classes: c.Classes}
	for _, in := range c.Inputs {
		f, v, err := column(in)
		if err != nil {
			return nil, err
		}
		a.inputs = append(a.inputs, v)
		spec.Inputs = append(spec.Inputs, f)
	}
	first := c.Inputs[0]
	if a.n = first.Values.Shape()[0]; a.n == 0 {
		return nil, fmt.Errorf("%s: no samples: %w", first.Name, tensor.ErrShape)
	}
	for _, in := range c.Inputs[1:] {
		if n := in.Values.Shape()[0]; n != a.n {
			return nil, fmt.Errorf("%d samples of %s, %d of %s: %w", a.n, first.Name, n, in.Name, tensor.ErrShape)
		}
	}
	if c.Label != nil {
		f, v, err := column(*c.Label)
		if err != nil {
			return nil, err
		}
		if n := c.Label.Values.Shape()[0]; n != a.n {
			return nil, fmt.Errorf("%d samples, %d labels: %w", a.n, n, tensor.ErrShape)
		}
		a.label, spec.Label = v, &f
	}
	return &table{spec, []part{{arrays: a, to: a.n}}, make([]convert, len(a.inputs))}, nil
}

// column checks a column and returns its field and its rows.
func column(c Column) (Field, rows, error) {
	v := c.Values
	s := v.Shape()
	switch {
	case len(s) == 0:
		return Field{}, rows{}, fmt.Errorf("%s: a scalar has no sample axis: %w", c.Name, tensor.ErrShape)
	case v.DType().Size() == 0:
		return Field{}, rows{}, fmt.Errorf("%s: %v data: %w", c.Name, v.DType(), tensor.ErrUnsupported)
	}
	if i, kind := notFinite(v); i >= 0 {
		return Field{}, rows{}, fmt.Errorf("%s: sample %d holds %s: %w", c.Name, i/max(v.Len()/s[0], 1), kind, tensor.ErrMalformed)
	}
	size, err := s[1:].Bytes(v.DType())
	if err != nil {
		return Field{}, rows{}, fmt.Errorf("%s: %w", c.Name, err)
	}
	data := v.Bytes()
	if !tensor.IsAligned(data, v.DType().Size()) {
		data = append(tensor.Aligned(0), data...)
	}
	return Field{c.Name, v.DType(), s[1:].Clone()}, rows{data, size}, nil
}

// rows are equally sized records, one a sample.
type rows struct {
	data []byte
	size int
}

func (r rows) at(i int) []byte { return r.data[i*r.size : (i+1)*r.size] }

// arrays are the values of one data set.
type arrays struct {
	n      int
	inputs []rows
	label  rows
}

// part is a range of one data set's samples. Sample i has the index base+i.
type part struct {
	*arrays
	from, to int
	base     int
}

// convert writes the elements of one sample's input to dst; nil copies.
type convert func(dst, src []byte)

// table is the package's one source: ranges of arrays, converted on the way.
type table struct {
	spec     Spec
	parts    []part
	converts []convert
}

func (t *table) Len() int {
	n := 0
	for _, p := range t.parts {
		n += p.to - p.from
	}
	return n
}

func (t *table) Spec() Spec { return t.spec }

// locate returns the part and the row in it of sample i.
func (t *table) locate(i int) (part, int, error) {
	k := i
	for _, p := range t.parts {
		n := p.to - p.from
		if k >= 0 && k < n {
			return p, p.from + k, nil
		}
		k -= n
	}
	return part{}, 0, fmt.Errorf("sample %d of %d: %w", i, t.Len(), tensor.ErrLimit)
}

// read writes sample i, converted, to memory of the size its fields ask for, and
// returns its index.
func (t *table) read(i int, inputs [][]byte, label []byte) (int, error) {
	p, row, err := t.locate(i)
	if err != nil {
		return 0, err
	}
	for k, dst := range inputs {
		if src := p.inputs[k].at(row); t.converts[k] != nil {
			t.converts[k](dst, src)
		} else {
			copy(dst, src)
		}
	}
	if t.spec.Label != nil {
		copy(label, p.label.at(row))
	}
	return p.base + row, nil
}

func (t *table) At(i int) (Sample, error) {
	s := Sample{Inputs: make([]tensor.Tensor, len(t.spec.Inputs))}
	memory := make([][]byte, len(s.Inputs))
	for k, f := range t.spec.Inputs {
		x, err := tensor.Zeros(f.DType, f.Shape)
		if err != nil {
			return Sample{}, err
		}
		s.Inputs[k], memory[k] = x, x.Bytes()
	}
	if f := t.spec.Label; f != nil {
		x, err := tensor.Zeros(f.DType, f.Shape)
		if err != nil {
			return Sample{}, err
		}
		s.Label = x
	}
	var err error
	s.Index, err = t.read(i, memory, s.Label.Bytes())
	return s, err
}

func (t *table) All(ctx context.Context) iter.Seq2[Sample, error] {
	return all(ctx, t)
}

// all yields the samples of an indexed source.
func all(ctx context.Context, src Indexed) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		for i := range src.Len() {
			if err := ctx.Err(); err != nil {
				yield(Sample{}, err)
				return
			}
			s, err := src.At(i)
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}
