// Package arith holds element-wise arithmetic on two operands.
package arith

import (
	"fmt"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// maxRank is the highest rank the kernels broadcast.
const maxRank = 8

// Broadcast returns the shape two operands have in common under NumPy's rules;
// an unknown dimension stays unknown unless the other one decides it.
func Broadcast(a, b tensor.Shape) (tensor.Shape, error) {
	rank := max(len(a), len(b))
	if rank > maxRank {
		return nil, fmt.Errorf("broadcast of rank %d: %w", rank, tensor.ErrUnsupported)
	}
	out := make(tensor.Shape, rank)
	for i := range out {
		x, y := dimAt(a, rank, i), dimAt(b, rank, i)
		switch {
		case x == y || y == 1:
			out[i] = x
		case x == 1:
			out[i] = y
		case x < 0 || y < 0:
			out[i] = max(x, y) // the unknown one must be 1 or the same
		default:
			return nil, fmt.Errorf("%v and %v do not broadcast: %w", a, b, tensor.ErrShape)
		}
	}
	return out, nil
}

func dimAt(s tensor.Shape, rank, i int) int {
	if k := i - (rank - len(s)); k >= 0 {
		return s[k]
	}
	return 1
}

func broadcastFacts(c *op.Call) error {
	a, b := &c.In[0], &c.In[1]
	if a.Unknown || b.Unknown {
		return op.ErrLater
	}
	if a.DType != b.DType {
		return fmt.Errorf("operands of types %v and %v: %w", a.DType, b.DType, tensor.ErrType)
	}
	out, err := Broadcast(a.Shape, b.Shape)
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	return err
}

// walk visits the elements of an output in order with the operands' positions.
type walk struct {
	rank   int
	dims   [maxRank]int
	sa, sb [maxRank]int // element strides, 0 along broadcast axes
}

func newWalk(a, b, out tensor.Shape) walk {
	w := walk{rank: len(out)}
	na, nb := 1, 1
	for i := w.rank - 1; i >= 0; i-- {
		w.dims[i] = out[i]
		if d := dimAt(a, w.rank, i); d != 1 {
			w.sa[i] = na
			na *= d
		}
		if d := dimAt(b, w.rank, i); d != 1 {
			w.sb[i] = nb
			nb *= d
		}
	}
	return w
}

// each calls f with output index i and operand indices a and b.
func (w *walk) each(f func(i, a, b int)) {
	n := 1
	for _, d := range w.dims[:w.rank] {
		n *= d
	}
	var at [maxRank]int
	a, b := 0, 0
	for i := range n {
		f(i, a, b)
		for k := w.rank - 1; k >= 0; k-- {
			at[k]++
			a += w.sa[k]
			b += w.sb[k]
			if at[k] < w.dims[k] {
				break
			}
			a -= w.sa[k] * at[k]
			b -= w.sb[k] * at[k]
			at[k] = 0
		}
	}
}

// element is what the plain kernels compute on.
type element interface {
	int8 | int16 | int32 | int64 | float32
}

// plain is a kernel without quantization: f, then a clamp.
func plain[T element](f func(x, y T) T, clamp func(c *op.Call) (lo, hi T, err error)) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		lo, hi, err := clamp(c)
		if err != nil {
			return op.Kernel{}, err
		}
		return op.Kernel{Run: func(r *op.Run) error {
			a, b, out := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.In[1].Bytes()), tensor.View[T](r.Out[0].Bytes())
			w := newWalk(r.In[0].Shape(), r.In[1].Shape(), r.Out[0].Shape())
			w.each(func(i, x, y int) {
				v := f(a[x], b[y])
				if v < lo {
					v = lo
				}
				if hi < v {
					v = hi
				}
				out[i] = v
			})
			return nil
		}}, nil
	}
}
