package unary

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// Cast is CAST: conversion to the result's element type. Integers wrap, floats
// that become integers are truncated and saturate (NaN becomes the largest
// value), complex numbers lose their imaginary part.
var Cast = &op.Def{
	Code:     graph.OpCode(schema.CAST),
	Name:     "CAST",
	Operands: op.In("input", castFrom.Types()).Out("output", castTo),
	Facts:    op.SameAs(0),
	Version:  castVersion,
	Since:    []string{"1.5.0", "2.7.0", "2.8.0", "2.9.0", "2.12.0", "2.15.0", "2.17.0", "2.21.0", "2.23.0"},
	Quant:    op.Quant{None: true},
	Ref:      castFrom.Ref(),
}

const castTo = op.I64 | op.I32 | op.U32 | op.I16 | op.U16 | op.I8 | op.U8 | op.F16 | op.BF16 | op.F32 | op.F64 | op.B | op.C64 | op.I4 | op.I2 | u4

const u4 = op.Types(1 << tensor.UInt4)

var castFrom = elementwise.Kernels{
	tensor.Int64:     fromInt(func(x int64) int64 { return x }),
	tensor.Int32:     fromInt(func(x int32) int64 { return int64(x) }),
	tensor.UInt32:    fromInt(func(x uint32) int64 { return int64(x) }),
	tensor.Int16:     fromInt(func(x int16) int64 { return int64(x) }),
	tensor.UInt16:    fromInt(func(x uint16) int64 { return int64(x) }),
	tensor.Int8:      fromInt(func(x int8) int64 { return int64(x) }),
	tensor.UInt8:     fromInt(func(x uint8) int64 { return int64(x) }),
	tensor.Bool:      fromInt(func(x uint8) int64 { return int64(truth(x != 0)) }),
	tensor.Float32:   fromFloat32,
	tensor.Float64:   fromFloat(func(x float64) float64 { return x }),
	tensor.Float16:   fromFloat(func(x uint16) float64 { return float64(tensor.Float16ToFloat32(x)) }),
	tensor.BFloat16:  fromFloat(func(x uint16) float64 { return float64(elementwise.BFloat16ToFloat32(x)) }),
	tensor.Complex64: fromComplex,
	tensor.Int4:      fromPacked(4, true),
	tensor.UInt4:     fromPacked(4, false),
	tensor.Int2:      fromPacked(2, true),
}

// castVersions lists the types that need a version, the highest first: the first
// one that an operand or result has decides.
var castVersions = []struct {
	types   op.Types
	version int
}{
	{op.I2 | u4, 8},
	{op.BF16, 7},
	{op.I4, 6},
	{op.F64 | op.F16, 5},
	{op.U16, 4},
	{op.I8, 3},
	{op.U32, 2},
}

func castVersion(c *op.Call) int {
	for _, v := range castVersions {
		if v.types.Has(c.In[0].DType) || v.types.Has(c.Out[0].DType) {
			return v.version
		}
	}
	return 1
}

func truth(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// fromInt is the kernels from an integer type to every other type.
func fromInt[I tensor.Element](wide func(I) int64) op.Maker {
	return op.ByResult(map[tensor.DType]op.Maker{
		tensor.Int64:     elementwise.Unary(wide),
		tensor.Int32:     elementwise.Unary(func(x I) int32 { return int32(wide(x)) }),
		tensor.UInt32:    elementwise.Unary(func(x I) uint32 { return uint32(wide(x)) }),
		tensor.Int16:     elementwise.Unary(func(x I) int16 { return int16(wide(x)) }),
		tensor.UInt16:    elementwise.Unary(func(x I) uint16 { return uint16(wide(x)) }),
		tensor.Int8:      elementwise.Unary(func(x I) int8 { return int8(wide(x)) }),
		tensor.UInt8:     elementwise.Unary(func(x I) uint8 { return uint8(wide(x)) }),
		tensor.Bool:      elementwise.Unary(func(x I) uint8 { return truth(wide(x) != 0) }),
		tensor.Float32:   elementwise.Unary(func(x I) float32 { return float32(wide(x)) }),
		tensor.Float64:   elementwise.Unary(func(x I) float64 { return float64(wide(x)) }),
		tensor.Float16:   elementwise.Unary(func(x I) uint16 { return tensor.Float32ToFloat16(float32(wide(x))) }),
		tensor.BFloat16:  elementwise.Unary(func(x I) uint16 { return elementwise.Float32ToBFloat16(float32(wide(x))) }),
		tensor.Complex64: elementwise.Unary(func(x I) complex64 { return complex(float32(wide(x)), 0) }),
	})
}

// floatTo is the kernels from a floating-point type to the other byte-sized
// types.
func floatTo[I tensor.Element](wide func(I) float64) map[tensor.DType]op.Maker {
	return map[tensor.DType]op.Maker{
		tensor.Int64:     elementwise.Unary(func(x I) int64 { return saturate(wide(x), math.MinInt64, math.MaxInt64) }),
		tensor.Int32:     elementwise.Unary(func(x I) int32 { return int32(saturate(wide(x), math.MinInt32, math.MaxInt32)) }),
		tensor.UInt32:    elementwise.Unary(func(x I) uint32 { return uint32(saturate(wide(x), 0, math.MaxUint32)) }),
		tensor.Int16:     elementwise.Unary(func(x I) int16 { return int16(saturate(wide(x), math.MinInt16, math.MaxInt16)) }),
		tensor.UInt16:    elementwise.Unary(func(x I) uint16 { return uint16(saturate(wide(x), 0, math.MaxUint16)) }),
		tensor.Int8:      elementwise.Unary(func(x I) int8 { return int8(saturate(wide(x), math.MinInt8, math.MaxInt8)) }),
		tensor.UInt8:     elementwise.Unary(func(x I) uint8 { return uint8(saturate(wide(x), 0, math.MaxUint8)) }),
		tensor.Bool:      elementwise.Unary(func(x I) uint8 { return truth(wide(x) != 0) }),
		tensor.Float32:   elementwise.Unary(func(x I) float32 { return float32(wide(x)) }),
		tensor.Float64:   elementwise.Unary(wide),
		tensor.Float16:   elementwise.Unary(func(x I) uint16 { return tensor.Float32ToFloat16(float32(wide(x))) }),
		tensor.BFloat16:  elementwise.Unary(func(x I) uint16 { return elementwise.Float32ToBFloat16(float32(wide(x))) }),
		tensor.Complex64: elementwise.Unary(func(x I) complex64 { return complex(float32(wide(x)), 0) }),
	}
}

func fromFloat[I tensor.Element](wide func(I) float64) op.Maker { return op.ByResult(floatTo(wide)) }

// fromFloat32 reaches the packed types too.
func fromFloat32(c *op.Call) (op.Kernel, error) {
	k := floatTo(func(x float32) float64 { return float64(x) })
	k[tensor.Int4], k[tensor.UInt4], k[tensor.Int2] = toPacked(4, -8, 7), toPacked(4, 0, 15), toPacked(2, -2, 1)
	return op.ByResult(k)(c)
}

func fromComplex(c *op.Call) (op.Kernel, error) {
	k := floatTo(func(x complex64) float64 { return float64(real(x)) })
	k[tensor.Complex64] = elementwise.Unary(func(x complex64) complex64 { return x })
	return op.ByResult(k)(c)
}

// saturate truncates x to an integer within [lo, hi]; NaN becomes hi.
func saturate(x float64, lo, hi int64) int64 {
	switch {
	case x != x || x >= float64(hi):
		return hi
	case x <= float64(lo):
		return lo
	}
	return int64(x)
}

// toPacked is the kernel from float32 to integers of the given width, the first
// in the lowest bits of a byte.
func toPacked(width uint, lo, hi int64) op.Maker {
	per := 8 / int(width)
	return op.Plain(func(r *op.Run) error {
		out := r.Out[0].Bytes()
		clear(out)
		for i, x := range op.F32s(r.In[0]) {
			v := byte(saturate(float64(x), lo, hi)) & (1<<width - 1)
			out[i/per] |= v << (uint(i%per) * width)
		}
		return nil
	})
}

// fromPacked is the kernel from integers narrower than a byte to float32.
func fromPacked(width uint, signed bool) op.Maker {
	per := 8 / int(width)
	run := func(r *op.Run) error {
		in, out := r.In[0].Bytes(), op.F32s(r.Out[0])
		for i := range out {
			v := in[i/per] >> (uint(i%per) * width) << (8 - width)
			if signed {
				out[i] = float32(int8(v) >> (8 - width))
			} else {
				out[i] = float32(v >> (8 - width))
			}
		}
		return nil
	}
	return func(c *op.Call) (op.Kernel, error) {
		if c.Out[0].DType != tensor.Float32 {
			return op.Kernel{}, fmt.Errorf("CAST of %v to %v: %w", c.In[0].DType, c.Out[0].DType, tensor.ErrUnsupported)
		}
		return op.Kernel{Run: run}, nil
	}
}
