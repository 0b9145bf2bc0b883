package stablehlo

import (
	"fmt"

	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Element-wise operators: both operands have the same shape. Integers wrap, and
// truth values are numbers that count as true unless they are zero.
var (
	Add       = binary(schema.STABLEHLO_ADD, "2.16.0", sums)
	Multiply  = binary(schema.STABLEHLO_MULTIPLY, "2.16.0", products)
	Maximum   = binary(schema.STABLEHLO_MAXIMUM, "2.16.0", maxima)
	Minimum   = binary(schema.STABLEHLO_MINIMUM, "2.16.0", minima)
	And       = binary(schema.STABLEHLO_AND, "2.17.0", ands)
	ShiftLeft = binary(schema.STABLEHLO_SHIFT_LEFT, "2.17.0", shifts)
)

// combine computes out[i] = f(a[i], b[i]) over elements of one type. out may be a
// or b.
type combine func(out, a, b []byte)

// function is a combine for each element type.
type function map[tensor.DType]combine

func each[T tensor.Element](f func(x, y T) T) combine {
	return func(out, a, b []byte) {
		z, x, y := tensor.View[T](out), tensor.View[T](a), tensor.View[T](b)
		for i := range z {
			z[i] = f(x[i], y[i])
		}
	}
}

// half computes on float16: widened, the result rounded.
func half(f func(x, y float32) float32) combine {
	return each(func(x, y uint16) uint16 {
		return tensor.Float32ToFloat16(f(tensor.Float16ToFloat32(x), tensor.Float16ToFloat32(y)))
	})
}

type integer interface {
	int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64
}

type number interface {
	integer | float32 | float64
}

var (
	sums = function{
		tensor.Float16: half(add[float32]), tensor.Float32: each(add[float32]), tensor.Float64: each(add[float64]),
		tensor.Int8: each(add[int8]), tensor.Int16: each(add[int16]), tensor.Int32: each(add[int32]), tensor.Int64: each(add[int64]),
		tensor.UInt8: each(add[uint8]), tensor.UInt16: each(add[uint16]), tensor.UInt32: each(add[uint32]), tensor.UInt64: each(add[uint64]),
		tensor.Bool: each(or),
	}
	products = function{
		tensor.Float16: half(multiply[float32]), tensor.Float32: each(multiply[float32]), tensor.Float64: each(multiply[float64]),
		tensor.Int8: each(multiply[int8]), tensor.Int16: each(multiply[int16]), tensor.Int32: each(multiply[int32]), tensor.Int64: each(multiply[int64]),
		tensor.UInt8: each(multiply[uint8]), tensor.UInt16: each(multiply[uint16]), tensor.UInt32: each(multiply[uint32]), tensor.UInt64: each(multiply[uint64]),
		tensor.Bool: each(and[uint8]),
	}
	maxima = function{
		tensor.Float16: half(larger[float32]), tensor.Float32: each(larger[float32]), tensor.Float64: each(larger[float64]),
		tensor.Int8: each(larger[int8]), tensor.Int16: each(larger[int16]), tensor.Int32: each(larger[int32]), tensor.Int64: each(larger[int64]),
		tensor.UInt8: each(larger[uint8]), tensor.UInt16: each(larger[uint16]), tensor.UInt32: each(larger[uint32]), tensor.UInt64: each(larger[uint64]),
		tensor.Bool: each(or),
	}
	minima = function{
		tensor.Float16: half(smaller[float32]), tensor.Float32: each(smaller[float32]), tensor.Float64: each(smaller[float64]),
		tensor.Int8: each(smaller[int8]), tensor.Int16: each(smaller[int16]), tensor.Int32: each(smaller[int32]), tensor.Int64: each(smaller[int64]),
		tensor.UInt8: each(smaller[uint8]), tensor.UInt16: each(smaller[uint16]), tensor.UInt32: each(smaller[uint32]), tensor.UInt64: each(smaller[uint64]),
		tensor.Bool: each(and[uint8]),
	}
	ands = function{
		tensor.Int8: each(and[int8]), tensor.Int16: each(and[int16]), tensor.Int32: each(and[int32]), tensor.Int64: each(and[int64]),
		tensor.UInt8: each(and[uint8]), tensor.UInt16: each(and[uint16]), tensor.UInt32: each(and[uint32]), tensor.UInt64: each(and[uint64]),
		tensor.Bool: each(and[uint8]),
	}
	shifts = function{tensor.Int8: each(shift[int8]), tensor.Int16: each(shift[int16]), tensor.Int32: each(shift[int32])}
)

func add[T number](x, y T) T { return x + y }

func multiply[T number](x, y T) T { return x * y }

// larger is std::max: x unless y is larger, so x where one is not a number.
func larger[T number](x, y T) T {
	if x < y {
		return y
	}
	return x
}

// smaller is std::min.
func smaller[T number](x, y T) T {
	if y < x {
		return y
	}
	return x
}

func or(x, y uint8) uint8 { return x | y }

func and[T integer](x, y T) T { return x & y }

// shift is x << y in 32 bits, as processors do it: y counts modulo 32.
func shift[T int8 | int16 | int32](x, y T) T { return T(int32(x) << (uint32(y) & 31)) }

// types is the set of element types that a table has an entry for.
func types[V any](table map[tensor.DType]V) op.Types {
	var s op.Types
	for d := range table {
		s |= 1 << d
	}
	return s
}

func binary(code schema.BuiltinOperator, since string, f function) *op.Def {
	t := types(f)
	d := def(code, since, op.In("a", t).In("b", t).Like(0).Out("result", t).Like(0), sameShapes, func(c *op.Call) (op.Kernel, error) {
		compute := f[c.In[0].DType]
		return op.Kernel{Run: func(r *op.Run) error {
			compute(r.Out[0].Bytes(), r.In[0].Bytes(), r.In[1].Bytes())
			return nil
		}}, nil
	})
	d.Alias = []int{0, 1}
	return d
}

// sameShapes is the shape rule of operands that must have the same shape.
func sameShapes(c *op.Call) error {
	if c.In[0].Unknown || c.In[1].Unknown {
		return op.ErrLater
	}
	a, b := c.In[0].Shape, c.In[1].Shape
	if len(a) != len(b) {
		return fmt.Errorf("operands of shapes %v and %v: %w", a, b, tensor.ErrShape)
	}
	out := a.Clone()
	for i, d := range b {
		if out[i] < 0 {
			out[i] = d
		}
		if d >= 0 && d != out[i] {
			return fmt.Errorf("operands of shapes %v and %v: %w", a, b, tensor.ErrShape)
		}
	}
	c.SetResult(0, c.In[0].DType, out)
	return nil
}
