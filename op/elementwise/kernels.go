package elementwise

import (
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Unary is the kernel of a function of one operand's elements.
func Unary[I, O tensor.Element](f func(I) O) op.Maker {
	return op.Plain(func(r *op.Run) error {
		out := tensor.View[O](r.Out[0].Bytes())
		for i, x := range tensor.View[I](r.In[0].Bytes()) {
			out[i] = f(x)
		}
		return nil
	})
}

// Half is the kernel of a float function on binary16 elements: each is widened,
// the result rounded.
func Half(f func(float32) float32) op.Maker {
	return Unary(func(h uint16) uint16 { return tensor.Float32ToFloat16(f(tensor.Float16ToFloat32(h))) })
}

// Binary is the kernel of a function of two operands' elements, broadcast.
func Binary[A, B, O tensor.Element](f func(x A, y B) O) op.Maker {
	return op.Plain(func(r *op.Run) error {
		ApplyBinary(r, f)
		return nil
	})
}

// ApplyBinary computes out = f(a, b), broadcast.
func ApplyBinary[A, B, O tensor.Element](r *op.Run, f func(x A, y B) O) {
	a, b := tensor.View[A](r.In[0].Bytes()), tensor.View[B](r.In[1].Bytes())
	out := tensor.View[O](r.Out[0].Bytes())
	w := NewWalk(r.Out[0].Shape(), r.In[0].Shape(), r.In[1].Shape())
	for run := range w.Runs() {
		i, j := w.At[0], w.At[1]
		for o := range w.Run {
			out[run*w.Run+o] = f(a[i], b[j])
			i += w.Step[0]
			j += w.Step[1]
		}
		w.Next()
	}
}

// HalfBinary is the kernel of a float function on binary16 operands.
func HalfBinary(f func(x, y float32) float32) op.Maker {
	return Binary(func(x, y uint16) uint16 {
		return tensor.Float32ToFloat16(f(tensor.Float16ToFloat32(x), tensor.Float16ToFloat32(y)))
	})
}

// Function makes the real function that a table holds; it may depend on the
// node's options and its result's parameters.
type Function func(c *op.Call) func(float32) float32

// Fixed is the Function that is the same for every node.
func Fixed(f func(float32) float32) Function {
	return func(*op.Call) func(float32) float32 { return f }
}

// Table8 is the kernel that looks a function of int8 or uint8 elements up in a
// table of 256 entries.
func Table8[T int8 | uint8](f Function) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		if err := op.CheckActivations(&c.In[0], &c.Out[0]); err != nil {
			return op.Kernel{}, err
		}
		table := table8[T](&c.In[0].Quant, &c.Out[0].Quant, f(c))
		return op.Kernel{Run: func(r *op.Run) error {
			out := tensor.View[T](r.Out[0].Bytes())
			for i, q := range tensor.View[T](r.In[0].Bytes()) {
				out[i] = table[uint8(q)]
			}
			return nil
		}}, nil
	}
}

func table8[T int8 | uint8](in, out *tensor.Quant, f func(float32) float32) *[256]T {
	var table [256]T
	if T(0)-1 > 0 {
		for i, v := range fixed.LUTPopulateUint8(in.Scale(), int32(in.Zero()), out.Scale(), int32(out.Zero()), f) {
			table[i] = T(v)
		}
		return &table
	}
	for i, v := range fixed.LUTPopulateInt8(in.Scale(), int32(in.Zero()), out.Scale(), int32(out.Zero()), f) {
		table[i] = T(v)
	}
	return &table
}

// Table16 is the kernel that interpolates a function of int16 elements in a
// table of 513 entries.
func Table16(f Function) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		if err := op.CheckActivations(&c.In[0], &c.Out[0]); err != nil {
			return op.Kernel{}, err
		}
		table := fixed.LUTPopulateInt16(c.In[0].Quant.Scale(), 0, c.Out[0].Quant.Scale(), 0, f(c))
		return op.Kernel{Run: func(r *op.Run) error {
			out := op.I16s(r.Out[0])
			for i, q := range op.I16s(r.In[0]) {
				out[i] = fixed.LUTLookupInt16(q, table)
			}
			return nil
		}}, nil
	}
}
