package arith

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// Pow is POW: a to the power of b, with broadcasting. Integer exponents are not
// negative.
var Pow = plainDef(schema.POW, elementwise.Version1, elementwise.Kernels{
	tensor.Float32: op.Plain(powFloat),
	tensor.Int32:   op.Plain(powInt32),
}, "1.10.0")

// oneExponent reports whether the exponent is a single one that is broadcast.
func oneExponent(r *op.Run) bool {
	return r.In[1].Len() == 1 && !r.In[0].Shape().Equal(r.In[1].Shape())
}

// powFloat: TFLite multiplies where the only exponent is within 1e-5 of a positive
// integer.
func powFloat(r *op.Run) error {
	if oneExponent(r) {
		exponent := float64(op.F32s(r.In[1])[0])
		whole := math.Round(exponent)
		if math.Abs(exponent-whole) < 1e-5 && whole >= 1 && whole <= math.MaxInt32 {
			powAll(r, int32(whole), mulFinite)
			return nil
		}
	}
	elementwise.ApplyBinary(r, libm.Powf)
	return nil
}

func powAll[T float32 | int32](r *op.Run, n int32, mul func(x, y T) T) {
	out := tensor.View[T](r.Out[0].Bytes())
	for i, x := range tensor.View[T](r.In[0].Bytes()) {
		out[i] = powWhole(x, n, mul)
	}
}

// mulFinite is MUL without activation, whose bounds are the largest floats.
func mulFinite(x, y float32) float32 { return op.Clamp(x*y, -math.MaxFloat32, math.MaxFloat32) }

// powWhole is xⁿ by squaring, in the order that TFLite multiplies.
func powWhole[T float32 | int32](x T, n int32, mul func(x, y T) T) T {
	if n == 1 {
		return x
	}
	half := powWhole(x, n/2, mul)
	if n%2 == 1 {
		return mul(x, mul(half, half))
	}
	return mul(half, half)
}

func powInt32(r *op.Run) error {
	b := op.I32s(r.In[1])
	for i, e := range b {
		if e < 0 {
			return fmt.Errorf("exponent %d of element %d: %w", e, i, tensor.ErrMalformed)
		}
	}
	if oneExponent(r) && b[0] >= 1 {
		powAll(r, b[0], func(x, y int32) int32 { return x * y })
		return nil
	}
	elementwise.ApplyBinary(r, powInt)
	return nil
}

// powInt goes by double precision; where the power does not fit, the result is
// what x86 makes of it.
func powInt(x, y int32) int32 {
	p := math.Trunc(libm.Pow(float64(x), float64(y)))
	if !(math.Abs(p) <= math.MaxInt32) {
		return math.MinInt32
	}
	return int32(p)
}

// Atan2 is ATAN2: the angle of (b, a), for operands of one shape.
var Atan2 = func() *op.Def {
	d := plainDef(schema.ATAN2, elementwise.Version1, elementwise.Kernels{
		tensor.Float32:  elementwise.Binary(libm.Atan2f),
		tensor.Float64:  elementwise.Binary(libm.Atan2),
		tensor.Float16:  elementwise.HalfBinary(libm.Atan2f),
		tensor.BFloat16: elementwise.BHalfBinary(libm.Atan2f),
	}, "2.10.0")
	d.Facts = sameShapes
	return d
}()

// AddN is ADD_N: the sum of two operands or more of one shape, in order.
var AddN = &op.Def{
	Code:     graph.OpCode(schema.ADD_N),
	Name:     "ADD_N",
	Operands: op.Operands{}.ManyIn("operand", op.F32|op.I32).Like(0).Out("sum", op.F32|op.I32).Like(0),
	Facts:    sameShapes,
	Alias:    []int{0},
	Version:  elementwise.Version1,
	Since:    []string{"1.14.0"},
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: op.Plain(func(r *op.Run) error { return addN(r, addFinite) }),
		tensor.Int32:   op.Plain(func(r *op.Run) error { return addN(r, addWrapping) }),
	}),
}

// sameShapes is the rule of two operands or more of one shape.
func sameShapes(c *op.Call) error {
	if len(c.In) < 2 {
		return fmt.Errorf("%d operands, want two or more: %w", len(c.In), tensor.ErrMalformed)
	}
	shape := c.In[0].Shape.Clone()
	for i := range c.In {
		f := &c.In[i]
		if f.Unknown {
			return op.ErrLater
		}
		if len(f.Shape) != len(shape) {
			return fmt.Errorf("operands of shapes %v and %v: %w", c.In[0].Shape, f.Shape, tensor.ErrShape)
		}
		for k, d := range f.Shape {
			if shape[k] >= 0 && d >= 0 && shape[k] != d {
				return fmt.Errorf("operands of shapes %v and %v: %w", c.In[0].Shape, f.Shape, tensor.ErrShape)
			}
			shape[k] = max(shape[k], d)
		}
	}
	c.Out[0].Shape, c.Out[0].Unknown = shape, false
	return nil
}

// addFinite is ADD without activation, whose bounds are the largest floats.
func addFinite(x, y float32) float32 { return op.Clamp(x+y, -math.MaxFloat32, math.MaxFloat32) }

func addWrapping(x, y int32) int32 { return x + y }

// addN adds in the operands' order.
func addN[T float32 | int32](r *op.Run, add func(x, y T) T) error {
	out := tensor.View[T](r.Out[0].Bytes())
	for i := range out {
		sum := tensor.View[T](r.In[0].Bytes())[i]
		for k := range r.In[1:] {
			sum = add(sum, tensor.View[T](r.In[1+k].Bytes())[i])
		}
		out[i] = sum
	}
	return nil
}
