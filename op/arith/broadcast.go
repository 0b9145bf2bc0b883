// Package arith holds element-wise arithmetic on two operands or more.
package arith

import (
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

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
			w := elementwise.NewWalk(r.Out[0].Shape(), r.In[0].Shape(), r.In[1].Shape())
			for i := range w.Len() {
				v := f(a[w.At[0]], b[w.At[1]])
				if v < lo {
					v = lo
				}
				if hi < v {
					v = hi
				}
				out[i] = v
				w.Next()
			}
			return nil
		}}, nil
	}
}
