package arith

import (
	"math"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// FloorDiv, FloorMod, BitwiseXor and RightShift take integers as they are,
// whatever their parameters, and broadcast.
var (
	// FloorDiv is FLOOR_DIV: ⌊a/b⌋ in double precision. A divisor of zero is an
	// error, of floats too.
	FloorDiv = plainDef(schema.FLOOR_DIV, elementwise.VersionBy(map[tensor.DType]int{tensor.Float32: 2, tensor.Int8: 3, tensor.Int16: 3}), elementwise.Kernels{
		tensor.Float32: nonZero[float32](elementwise.Binary(func(x, y float32) float32 { return float32(floorQuotient(float64(x), float64(y))) })),
		tensor.Int8:    nonZero[int8](floorDiv[int8](math.MaxInt8)),
		tensor.Int16:   nonZero[int16](floorDiv[int16](math.MaxInt16)),
		tensor.Int32:   nonZero[int32](elementwise.Binary(floorInt[int32])),
	}, "1.14.0", "1.14.0", "2.13.0")
	// FloorMod is FLOOR_MOD: the remainder that has the divisor's sign. An integer
	// divisor of zero is an error.
	FloorMod = plainDef(schema.FLOOR_MOD, elementwise.VersionBy(map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 2}), elementwise.Kernels{
		tensor.Float32: elementwise.Binary(floorModFloat),
		tensor.Int8:    nonZero[int8](elementwise.Binary(floorMod[int8])),
		tensor.Int16:   nonZero[int16](elementwise.Binary(floorMod[int16])),
		tensor.Int32:   nonZero[int32](elementwise.Binary(floorMod[int32])),
		tensor.Int64:   nonZero[int64](elementwise.Binary(floorMod[int64])),
	}, "1.13.0", "2.13.0")
	// BitwiseXor is BITWISE_XOR.
	BitwiseXor = plainDef(schema.BITWISE_XOR, elementwise.Version1, elementwise.Kernels{
		tensor.Int8: elementwise.Binary(xor[int8]), tensor.UInt8: elementwise.Binary(xor[uint8]),
		tensor.Int16: elementwise.Binary(xor[int16]), tensor.UInt16: elementwise.Binary(xor[uint16]),
		tensor.Int32: elementwise.Binary(xor[int32]), tensor.UInt32: elementwise.Binary(xor[uint32]),
	}, "2.13.0")
	// RightShift is RIGHT_SHIFT, arithmetic for signed types. The distance is
	// clamped to what the type has bits.
	RightShift = plainDef(schema.RIGHT_SHIFT, elementwise.Version1, elementwise.Kernels{
		tensor.Int8: elementwise.Binary(rightShift[int8](8)), tensor.UInt8: elementwise.Binary(rightShift[uint8](8)),
		tensor.Int16: elementwise.Binary(rightShift[int16](16)), tensor.UInt16: elementwise.Binary(rightShift[uint16](16)),
		tensor.Int32: elementwise.Binary(rightShift[int32](32)), tensor.UInt32: elementwise.Binary(rightShift[uint32](32)),
	}, "2.13.0")
)

// plainDef is the row of an operator on two operands of one type that is never
// quantized.
func plainDef(code schema.BuiltinOperator, version func(*op.Call) int, k elementwise.Kernels, since ...string) *op.Def {
	t := k.Types()
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("a", t).In("b", t).Like(0).Out("output", t).As(0),
		Facts:    elementwise.Facts,
		Alias:    []int{0, 1},
		Version:  version,
		Since:    since,
		Quant:    op.Quant{None: true},
		Ref:      k.Ref(),
	}
}

type integer interface {
	int8 | uint8 | int16 | uint16 | int32 | uint32 | int64
}

// nonZero refuses divisors of zero.
func nonZero[T integer | float32](mk op.Maker) op.Maker { return without(T(0), mk) }

// without refuses divisors that contain the representation of zero.
func without[T integer | float32](zero T, mk op.Maker) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		k, err := mk(c)
		run := k.Run
		k.Run = func(r *op.Run) error {
			if slices.Contains(tensor.View[T](r.In[1].Bytes()), zero) {
				return errDivisor
			}
			return run(r)
		}
		return k, err
	}
}

func floorQuotient(x, y float64) float64 { return math.Floor(x / y) }

// floorInt wraps the one quotient that does not fit.
func floorInt[T int8 | int16 | int32](x, y T) T {
	return T(int64(floorQuotient(float64(x), float64(y))))
}

// floorDiv is floorInt except where LiteRT's x86 build takes eight elements at once,
// which saturates: operands of one shape, but for the rest behind the last eight.
func floorDiv[T int8 | int16](most T) op.Maker {
	return op.Plain(func(r *op.Run) error {
		if !r.In[0].Shape().Equal(r.In[1].Shape()) {
			elementwise.ApplyBinary(r, floorInt[T])
			return nil
		}
		y, out := tensor.View[T](r.In[1].Bytes()), tensor.View[T](r.Out[0].Bytes())
		for i, x := range tensor.View[T](r.In[0].Bytes()) {
			if i < len(out)&^7 && x == -most-1 && y[i] == -1 {
				out[i] = most
			} else {
				out[i] = floorInt(x, y[i])
			}
		}
		return nil
	})
}

func floorMod[T integer](x, y T) T {
	m := x % y
	if m != 0 && (y < 0) != (m < 0) {
		m += y
	}
	return m
}

func floorModFloat(x, y float32) float32 {
	m := float32(math.Mod(float64(x), float64(y)))
	if m != 0 && (y < 0) != (m < 0) {
		m += y
	}
	return m
}

func xor[T integer](x, y T) T { return x ^ y }

func rightShift[T integer](bits T) func(x, y T) T {
	return func(x, y T) T { return x >> uint(min(max(y, 0), bits-1)) }
}
