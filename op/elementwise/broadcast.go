// Package elementwise holds what the families of element-wise operators share:
// broadcasting, and kernels that apply a function to each element or look it up
// in a table.
package elementwise

import (
	"fmt"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const (
	// MaxRank is the highest rank that is broadcast.
	MaxRank = 8
	// maxOperands is the largest number of operands of a Walk.
	maxOperands = 3
)

// Broadcast returns the shape that operands have in common under NumPy's rules;
// an unknown dimension stays unknown unless another one decides it.
func Broadcast(shapes ...tensor.Shape) (tensor.Shape, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	if rank > MaxRank {
		return nil, fmt.Errorf("broadcast of rank %d: %w", rank, tensor.ErrUnsupported)
	}
	out := make(tensor.Shape, rank)
	for i := range out {
		out[i] = 1
		for _, s := range shapes {
			d, ok := common(out[i], dimAt(s, rank, i))
			if !ok {
				return nil, fmt.Errorf("%v do not broadcast: %w", shapes, tensor.ErrShape)
			}
			out[i] = d
		}
	}
	return out, nil
}

// common is the dimension that x and y broadcast to.
func common(x, y int) (d int, ok bool) {
	switch {
	case x == y || y == 1:
		return x, true
	case x == 1:
		return y, true
	}
	return max(x, y), x < 0 || y < 0 // the unknown one must be 1 or the same
}

func dimAt(s tensor.Shape, rank, i int) int {
	if k := i - (rank - len(s)); k >= 0 {
		return s[k]
	}
	return 1
}

// Facts is the shape rule of operands that are broadcast together.
func Facts(c *op.Call) error {
	shapes := make([]tensor.Shape, len(c.In))
	for i := range c.In {
		if c.In[i].Unknown {
			return op.ErrLater
		}
		shapes[i] = c.In[i].Shape
	}
	out, err := Broadcast(shapes...)
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	return err
}

// DeepBroadcast reports whether two operands differ in shape and the larger rank is
// above 4, which several operators count as a version of their own.
func DeepBroadcast(a, b *op.Fact) bool {
	return !a.Shape.Equal(b.Shape) && max(len(a.Shape), len(b.Shape)) > 4
}

// Walk visits the elements of an output in order. At holds the operands'
// positions of the current element.
type Walk struct {
	At      [maxOperands]int
	n, rank int
	dims    [MaxRank]int
	index   [MaxRank]int
	strides [MaxRank][maxOperands]int // 0 along broadcast axes
}

// NewWalk starts at the first element. The operands' shapes broadcast to out.
func NewWalk(out tensor.Shape, operands ...tensor.Shape) Walk {
	w := Walk{n: 1, rank: len(out)}
	size := [maxOperands]int{1, 1, 1}
	for i := w.rank - 1; i >= 0; i-- {
		w.dims[i] = out[i]
		w.n *= out[i]
		for k, s := range operands {
			if d := dimAt(s, w.rank, i); d != 1 {
				w.strides[i][k] = size[k]
				size[k] *= d
			}
		}
	}
	return w
}

// Len is the number of elements.
func (w *Walk) Len() int { return w.n }

// Next goes to the next element, after the last one to the first.
func (w *Walk) Next() {
	for i := w.rank - 1; i >= 0; i-- {
		w.index[i]++
		for k := range w.At {
			w.At[k] += w.strides[i][k]
		}
		if w.index[i] < w.dims[i] {
			return
		}
		for k := range w.At {
			w.At[k] -= w.strides[i][k] * w.index[i]
		}
		w.index[i] = 0
	}
}
