package elementwise

import (
	"math"

	"github.com/litequant/litequant/op"
)

// BFloat16ToFloat32 widens a bfloat16 value exactly.
func BFloat16ToFloat32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// Float32ToBFloat16 rounds to the nearest bfloat16, ties to even; NaN stays NaN.
func Float32ToBFloat16(f float32) uint16 {
	b := math.Float32bits(f)
	if f != f {
		return uint16(b>>16)&0x8000 | 0x7fc0
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// BHalf is the kernel of a float function on bfloat16 elements: each is widened,
// the result rounded.
func BHalf(f func(float32) float32) op.Maker {
	return Unary(func(h uint16) uint16 { return Float32ToBFloat16(f(BFloat16ToFloat32(h))) })
}

// BHalfBinary is the kernel of a float function on bfloat16 operands.
func BHalfBinary(f func(x, y float32) float32) op.Maker {
	return Binary(func(x, y uint16) uint16 {
		return Float32ToBFloat16(f(BFloat16ToFloat32(x), BFloat16ToFloat32(y)))
	})
}
