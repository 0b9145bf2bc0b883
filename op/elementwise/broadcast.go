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

// Walk visits the elements of an output in order, in runs of Run elements: the
// i-th of the current one is computed from element At[k] + i·Step[k] of operand k.
type Walk struct {
	At, Step  [maxOperands]int
	Run, runs int
	rank      int
	axes      [MaxRank]axis // innermost first; the first one is the run
}

// axis is one loop; strides are 0 where an operand is broadcast.
type axis struct {
	n, index int
	strides  [maxOperands]int
}

// NewWalk starts at the first run. The operands' shapes broadcast to out.
func NewWalk(out tensor.Shape, operands ...tensor.Shape) Walk {
	var w Walk
	size := [maxOperands]int{1, 1, 1}
	n := 1
	for i := len(out) - 1; i >= 0; i-- {
		a := axis{n: out[i]}
		n *= a.n
		for k, s := range operands {
			if d := dimAt(s, len(out), i); d != 1 {
				a.strides[k] = size[k]
				size[k] *= d
			}
		}
		w.push(a)
	}
	w.Run, w.Step = 1, w.axes[0].strides
	if w.rank > 0 {
		w.Run = w.axes[0].n
	}
	if n > 0 {
		w.runs = n / w.Run
	}
	return w
}

// push adds the next outer axis, or extends the last one where every operand goes
// on as it did.
func (w *Walk) push(a axis) {
	if a.n == 1 {
		return
	}
	if w.rank > 0 {
		last := &w.axes[w.rank-1]
		next := last.strides
		for k := range next {
			next[k] *= last.n
		}
		if next == a.strides {
			last.n *= a.n
			return
		}
	}
	w.axes[w.rank] = a
	w.rank++
}

// Runs is the number of runs.
func (w *Walk) Runs() int { return w.runs }

// Next goes to the next run, after the last one to the first.
func (w *Walk) Next() {
	for i := 1; i < w.rank; i++ {
		a := &w.axes[i]
		a.index++
		for k := range w.At {
			w.At[k] += a.strides[k]
		}
		if a.index < a.n {
			return
		}
		for k := range w.At {
			w.At[k] -= a.strides[k] * a.n
		}
		a.index = 0
	}
}
