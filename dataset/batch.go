package dataset

import (
	"context"
	"fmt"
	"iter"

	"github.com/litequant/litequant/tensor"
)

// Batch is samples stacked along a new first axis.
type Batch struct {
	// Indices are the samples' indices, see Sample.
	Indices []int
	Inputs  []tensor.Tensor
	// Label is the zero Tensor for unlabelled data.
	Label tensor.Tensor

	memory [][]byte // of the inputs, then of the label
}

// Batches yields the samples of src in order, size at a time, the rest in a
// smaller last batch. A batch's memory is used again for the next: it is valid
// for one turn of the loop. With an error the batch is not to be used.
func Batches(ctx context.Context, src Source, size int) iter.Seq2[*Batch, error] {
	if size < 1 {
		return func(yield func(*Batch, error) bool) {
			yield(nil, fmt.Errorf("batches of %d samples: %w", size, tensor.ErrShape))
		}
	}
	if x, ok := src.(Indexed); ok {
		return indexedBatches(ctx, x, size)
	}
	return streamBatches(ctx, src, size)
}

func indexedBatches(ctx context.Context, src Indexed, size int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		var b Batch
		positions := make([]int, 0, min(size, src.Len()))
		for at, n := 0, src.Len(); at < n; at += len(positions) {
			positions = positions[:0]
			for i := at; i < min(at+size, n); i++ {
				positions = append(positions, i)
			}
			err := ctx.Err()
			if err == nil {
				err = b.Gather(src, positions)
			}
			if !yield(&b, err) || err != nil {
				return
			}
		}
	}
}

func streamBatches(ctx context.Context, src Source, size int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		var b Batch
		pending := make([]Sample, 0, min(size, src.Len()))
		for s, err := range src.All(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if pending = append(pending, s); len(pending) < size {
				continue
			}
			if err := b.stack(src.Spec(), pending); !yield(&b, err) || err != nil {
				return
			}
			pending = pending[:0]
		}
		if len(pending) > 0 {
			yield(&b, b.stack(src.Spec(), pending))
		}
	}
}

// Gather makes b the samples of src at the given positions, in that order. The
// memory b has is used again if it fits, so a Batch that lives as long as its
// loop allocates once. After an error b's contents are undefined.
func (b *Batch) Gather(src Indexed, positions []int) error {
	t, ok := src.(*table)
	if !ok {
		samples := make([]Sample, len(positions))
		for k, i := range positions {
			s, err := src.At(i)
			if err != nil {
				return err
			}
			samples[k] = s
		}
		return b.stack(src.Spec(), samples)
	}
	if err := b.reserve(t.spec, len(positions)); err != nil {
		return err
	}
	memory := make([][]byte, 0, 8)
	for k, i := range positions {
		memory = memory[:0]
		for _, x := range b.Inputs {
			memory = append(memory, row(x, k))
		}
		index, err := t.read(i, memory, row(b.Label, k))
		if err != nil {
			return err
		}
		b.Indices[k] = index
	}
	return nil
}

// row is sample k's memory in a batched tensor, nil if there is no tensor.
func row(x tensor.Tensor, k int) []byte {
	if len(x.Shape()) == 0 {
		return nil
	}
	size := len(x.Bytes()) / x.Shape()[0]
	return x.Bytes()[k*size : (k+1)*size]
}

// reserve gives b the shapes of n samples.
func (b *Batch) reserve(spec Spec, n int) error {
	if n == 0 {
		return fmt.Errorf("batch of no samples: %w", tensor.ErrShape)
	}
	if cap(b.Indices) < n {
		b.Indices = make([]int, n)
	}
	b.Indices = b.Indices[:n]
	inputs := len(spec.Inputs)
	if len(b.Inputs) != inputs {
		b.Inputs, b.memory = make([]tensor.Tensor, inputs), make([][]byte, inputs+1)
	}
	for k, f := range spec.Inputs {
		if err := reserve(&b.Inputs[k], &b.memory[k], f, n); err != nil {
			return err
		}
	}
	if spec.Label == nil {
		b.Label = tensor.Tensor{}
		return nil
	}
	return reserve(&b.Label, &b.memory[inputs], *spec.Label, n)
}

// reserve makes x hold n samples of a field, in memory if that suffices.
func reserve(x *tensor.Tensor, memory *[]byte, f Field, n int) error {
	if s := x.Shape(); x.DType() == f.DType && len(s) > 0 && s[0] == n && s[1:].Equal(f.Shape) && len(*memory) > 0 {
		return nil
	}
	shape := append(tensor.Shape{n}, f.Shape...)
	size, err := shape.Bytes(f.DType)
	if err != nil {
		return fmt.Errorf("batch of %s: %w", f.Name, err)
	}
	if len(*memory) < size {
		*memory = tensor.Aligned(size)
	}
	*x, err = tensor.New(f.DType, shape, tensor.Quant{}, (*memory)[:size])
	return err
}

// stack copies samples that are there already.
func (b *Batch) stack(spec Spec, samples []Sample) error {
	if err := b.reserve(spec, len(samples)); err != nil {
		return err
	}
	for k, s := range samples {
		if len(s.Inputs) != len(b.Inputs) {
			return fmt.Errorf("sample %d has %d inputs, not %d: %w", s.Index, len(s.Inputs), len(b.Inputs), tensor.ErrShape)
		}
		b.Indices[k] = s.Index
		for i, x := range s.Inputs {
			if err := put(b.Inputs[i], k, x, spec.Inputs[i], s.Index); err != nil {
				return err
			}
		}
		if spec.Label != nil {
			if err := put(b.Label, k, s.Label, *spec.Label, s.Index); err != nil {
				return err
			}
		}
	}
	return nil
}

func put(dst tensor.Tensor, k int, x tensor.Tensor, f Field, index int) error {
	if x.DType() != f.DType || !x.Shape().Equal(f.Shape) {
		return fmt.Errorf("sample %d: %s is %v%v, not %v%v: %w", index, f.Name, x.DType(), x.Shape(), f.DType, f.Shape, tensor.ErrShape)
	}
	copy(row(dst, k), x.Bytes())
	return nil
}
