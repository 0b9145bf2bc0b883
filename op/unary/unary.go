// Package unary holds the operators that compute each element of the result from
// one element of their one operand: mathematical functions, conversions between
// types and the parts of complex numbers. Activations are in package activation.
package unary

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{
	Abs, Neg, Exp, Log, Sqrt, Rsqrt, Square, Sin, Cos, Floor, Ceil, Round, Sign, LogicalNot,
	Cast, Bitcast, FakeQuant, Real, Imag, ComplexAbs,
}

var (
	free = op.Quant{In: []op.Rule{op.Activation()}}
	// int8Only is the rule of operators that the 16x8 family leaves in float.
	int8Only = op.Quant{In: []op.Rule{op.Activation()}, No16: true}
	never    = op.Quant{None: true}
)

// The functions whose result has the operand's type and shape. Integers without
// parameters are plain numbers.
var (
	Abs = function(schema.ABS, free, absVersion, elementwise.Kernels{
		tensor.Float32: elementwise.Unary(absFloat),
		tensor.Int8:    absQuantized[int8],
		tensor.Int16:   absInt16,
		tensor.Int32:   elementwise.Unary(absInt[int32]),
	}, "1.13.0", "2.4.0", "2.5.0", "2.6.0", "2.12.0")
	// Neg negates integers as they are, whatever their parameters.
	Neg = function(schema.NEG, never, elementwise.Version1, elementwise.Kernels{
		tensor.Float32:  elementwise.Unary(negate[float32]),
		tensor.Float16:  elementwise.Unary(flipSign),
		tensor.BFloat16: elementwise.Unary(flipSign),
		tensor.Int8:     elementwise.Unary(negate[int8]),
		tensor.Int16:    elementwise.Unary(negate[int16]),
		tensor.Int32:    elementwise.Unary(negate[int32]),
		tensor.Int64:    elementwise.Unary(negate[int64]),
	}, "1.9.0")
	Exp = function(schema.EXP, free, quantizedVersion2, elementwise.Kernels{
		tensor.Float32: elementwise.Unary(libm.Expf),
		tensor.Int8:    elementwise.Table8[int8](elementwise.Fixed(libm.Expf)),
		tensor.Int16:   elementwise.Table16(elementwise.Fixed(libm.Expf)),
	}, "1.7.0", "2.12.0")
	Log = function(schema.LOG, free, quantizedVersion2, elementwise.Kernels{
		tensor.Float32: elementwise.Unary(libm.Logf),
		tensor.Int8:    elementwise.Table8[int8](logOrLowest),
		tensor.Int16:   elementwise.Table16(logOrLowest),
	}, "1.14.0", "2.15.0")
	Sqrt = function(schema.SQRT, int8Only, quantizedVersion2, elementwise.Kernels{
		tensor.Float32: elementwise.Unary(sqrt),
		tensor.Int8:    sqrtQuantized[int8],
		tensor.Int16:   sqrtQuantized[int16],
	}, "1.10.0", "2.21.0")
	Rsqrt = function(schema.RSQRT, free, quantizedVersion2, elementwise.Kernels{
		tensor.Float32: elementwise.Unary(rsqrt),
		tensor.Int8:    rsqrtInt8,
		tensor.Int16:   nonNegative[int16](elementwise.Table16(rsqrtOrHighest)),
	}, "1.10.0", "2.5.0", "2.15.0")
	Square = function(schema.SQUARE, never, elementwise.Version1, elementwise.Kernels{
		tensor.Float32: elementwise.Unary(func(x float32) float32 { return x * x }),
	}, "1.12.0")
	Sin   = function(schema.SIN, never, halfVersion2, floatAndHalf(libm.Sinf), "1.9.0", "2.23.0")
	Cos   = function(schema.COS, never, halfVersion2, floatAndHalf(libm.Cosf), "1.14.0", "2.23.0")
	Floor = function(schema.FLOOR, never, elementwise.Version1, floats(floor), "1.9.0")
	Ceil  = function(schema.CEIL, never, elementwise.Version1, elementwise.Kernels{
		tensor.Float32: elementwise.Unary(func(x float32) float32 { return float32(math.Ceil(float64(x))) }),
	}, "1.14.0")
	// Round rounds halves to even.
	Round = function(schema.ROUND, never, elementwise.Version1, floats(roundToNearest), "1.14.0")
	Sign  = function(schema.SIGN, never, elementwise.VersionBy(map[tensor.DType]int{tensor.Int32: 2}), elementwise.Kernels{
		tensor.Float32: elementwise.Unary(sign[float32]),
		tensor.Float64: elementwise.Unary(sign[float64]),
		tensor.Int32:   elementwise.Unary(sign[int32]),
	}, "2.11.0", "2.12.0")
	LogicalNot = function(schema.LOGICAL_NOT, never, elementwise.Version1, elementwise.Kernels{
		tensor.Bool: elementwise.Unary(func(x uint8) uint8 {
			if x == 0 {
				return 1
			}
			return 0
		}),
	}, "1.11.0")
)

// quantizedVersion2 is the rule of functions that came to int8 and int16 later;
// written 16x8 files carry the int8 version.
var (
	quantizedVersion2 = elementwise.VersionBy(map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 2})
	halfVersion2      = elementwise.VersionBy(map[tensor.DType]int{tensor.Float16: 2})
)

func function(code schema.BuiltinOperator, q op.Quant, version func(*op.Call) int, k elementwise.Kernels, since ...string) *op.Def {
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("input", k.Types()).Out("output", k.Types()).Like(0),
		Facts:    op.SameAs(0),
		Alias:    []int{0},
		Version:  version,
		Since:    since,
		Quant:    q,
		Ref:      k.Ref(),
	}
}

func floatAndHalf(f func(float32) float32) elementwise.Kernels {
	return elementwise.Kernels{tensor.Float32: elementwise.Unary(f), tensor.Float16: elementwise.Half(f)}
}

func floats(f func(float32) float32) elementwise.Kernels {
	return elementwise.Kernels{
		tensor.Float32: elementwise.Unary(f), tensor.Float16: elementwise.Half(f), tensor.BFloat16: elementwise.BHalf(f),
	}
}

func absVersion(c *op.Call) int {
	switch d := c.In[0].DType; {
	case d == tensor.Int32:
		return 5
	case d == tensor.Int16 && c.In[0].Quant.IsZero():
		return 4
	case d == tensor.Int8 || d == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	}
	return 1
}

func absFloat(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func absInt[T int16 | int32](x T) T {
	if x < 0 {
		return -x
	}
	return x
}

func absInt16(c *op.Call) (op.Kernel, error) {
	if c.In[0].Quant.IsZero() {
		return elementwise.Unary(absInt[int16])(c)
	}
	return absQuantized[int16](c)
}

// absQuantized rescales only where the parameters differ.
func absQuantized[T int8 | int16](c *op.Call) (op.Kernel, error) {
	in, out := &c.In[0], &c.Out[0]
	if err := op.CheckActivations(in, out); err != nil {
		return op.Kernel{}, err
	}
	rescale := in.Quant.Scale() != out.Quant.Scale()
	m, shift := fixed.QuantizeMultiplier(float64(in.Quant.Scale() / out.Quant.Scale()))
	zeroIn, zeroOut := int32(in.Quant.Zero()), int32(out.Quant.Zero())
	lo, hi, _ := out.DType.IntRange()
	return elementwise.Unary(func(q T) T {
		v := int32(q) - zeroIn
		if v < 0 {
			v = -v
		}
		if rescale {
			v = fixed.MultiplyByQuantizedMultiplier(v, m, shift)
		}
		return T(min(max(v+zeroOut, lo), hi))
	})(c)
}

func negate[T float32 | int8 | int16 | int32 | int64](x T) T { return -x }

func flipSign(h uint16) uint16 { return h ^ 0x8000 }

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func rsqrt(x float32) float32 { return 1 / sqrt(x) }

func floor(x float32) float32 { return float32(math.Floor(float64(x))) }

func roundToNearest(x float32) float32 {
	f := floor(x)
	if d := x - f; d < 0.5 || d == 0.5 && math.Mod(float64(f), 2) == 0 {
		return f
	}
	return f + 1
}

func sign[T float32 | float64 | int32](x T) T {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	case x != x:
		return x
	}
	return 0
}

// logOrLowest is log; where it is not defined, the lowest value of the result.
func logOrLowest(c *op.Call) func(float32) float32 {
	out := &c.Out[0]
	lo, _, _ := out.DType.IntRange()
	lowest := float32(lo-int32(out.Quant.Zero())) * out.Quant.Scale()
	return func(x float32) float32 {
		if x <= 0 {
			return lowest
		}
		return libm.Logf(x)
	}
}

// rsqrtOrHighest is 1/√x; at zero and below, the highest value of the result.
func rsqrtOrHighest(c *op.Call) func(float32) float32 {
	highest := math.MaxInt16 * c.Out[0].Quant.Scale()
	return func(x float32) float32 {
		if x <= 0 {
			return highest
		}
		return rsqrt(x)
	}
}

// nonNegative refuses elements that stand for negative numbers.
func nonNegative[T int8 | int16](mk op.Maker) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		k, err := mk(c)
		run, zero := k.Run, c.In[0].Quant.Zero()
		k.Run = func(r *op.Run) error {
			for i, q := range tensor.View[T](r.In[0].Bytes()) {
				if int64(q) < zero {
					return fmt.Errorf("element %d is negative: %w", i, tensor.ErrMalformed)
				}
			}
			return run(r)
		}
		return k, err
	}
}

// sqrtQuantized takes the root in float and truncates.
func sqrtQuantized[T int8 | int16](c *op.Call) (op.Kernel, error) {
	in, out := &c.In[0], &c.Out[0]
	if err := op.CheckActivations(in, out); err != nil {
		return op.Kernel{}, err
	}
	zeroIn, zeroOut := int32(in.Quant.Zero()), int32(out.Quant.Zero())
	scaleIn, scaleOut := in.Quant.Scale(), out.Quant.Scale()
	lo, hi, _ := out.DType.IntRange()
	return nonNegative[T](elementwise.Unary(func(q T) T {
		root := sqrt(scaleIn * float32(int32(q)-zeroIn))
		v := fixed.SaturatingAdd32(fixed.ToInt32(math.Trunc(float64(root/scaleOut))), zeroOut)
		return T(min(max(v, lo), hi))
	}))(c)
}

// rsqrtInt8 is fixed-point; the result at zero is 127.
func rsqrtInt8(c *op.Call) (op.Kernel, error) {
	in, out := &c.In[0], &c.Out[0]
	if err := op.CheckActivations(in, out); err != nil {
		return op.Kernel{}, err
	}
	const bits = 20 // fraction bits of the root
	m, shift := fixed.QuantizeMultiplier(1 / float64(sqrt(in.Quant.Scale())*out.Quant.Scale()))
	zeroIn, zeroOut := int32(in.Quant.Zero()), int32(out.Quant.Zero())
	return nonNegative[int8](elementwise.Unary(func(q int8) int8 {
		x := int32(q) - zeroIn
		if x == 0 {
			return math.MaxInt8
		}
		root, rootShift := fixed.GetInvSqrtQuantizedMultiplierExp(x, -1)
		v := fixed.MultiplyByQuantizedMultiplier(1, root, rootShift+bits)
		return int8(min(max(fixed.MultiplyByQuantizedMultiplier(v, m, shift-bits)+zeroOut, -128), 127))
	}))(c)
}
