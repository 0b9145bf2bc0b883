package fixed

import (
	"math"
	"math/bits"
	"unsafe"
)

// Raw is the storage of a fixed-point number.
type Raw interface{ int16 | int32 }

// rawBits returns the width of T in bits.
func rawBits[T Raw]() int { return 8 * int(unsafe.Sizeof(T(0))) }

// maxRaw returns the greatest T.
func maxRaw[T Raw]() T { return T(uint64(1)<<(rawBits[T]()-1) - 1) }

// SaturatingRoundingDoublingHighMul returns a·b/2^31 rounded to nearest, ties
// toward +∞; the one overflow, MinInt32², saturates. It is ARM's SQRDMULH.
func SaturatingRoundingDoublingHighMul(a, b int32) int32 {
	if a == b && a == math.MinInt32 {
		return math.MaxInt32
	}
	return int32((int64(a)*int64(b) + 1<<30) >> 31)
}

// SaturatingRoundingDoublingHighMul16 is SaturatingRoundingDoublingHighMul in
// 16 bits: a·b/2^15, ties toward +∞, saturating.
func SaturatingRoundingDoublingHighMul16(a, b int16) int16 {
	if a == b && a == math.MinInt16 {
		return math.MaxInt16
	}
	return int16((int32(a)*int32(b) + 1<<14) >> 15)
}

// SaturatingDoublingHighMul16 returns a·b/2^15 rounded toward zero,
// saturating (the int16 SaturatingDoublingHighMul of TFLite's HARD_SWISH).
func SaturatingDoublingHighMul16(a, b int16) int16 {
	if a == b && a == math.MinInt16 {
		return math.MaxInt16
	}
	return int16(int32(a) * int32(b) / (1 << 15))
}

// RoundingDivideByPOT returns x/2^exponent rounded to nearest, ties away from
// zero. exponent is in [0, bits of T).
func RoundingDivideByPOT[T Raw](x T, exponent int) T {
	e := uint(exponent)
	mask := T(1)<<e - 1
	threshold := mask >> 1
	if x < 0 {
		threshold++
	}
	q := x >> e
	if x&mask > threshold {
		q++
	}
	return q
}

// SaturatingRoundingMultiplyByPOT returns x·2^exponent: saturating for a
// positive exponent, RoundingDivideByPOT for a negative one. It stands for
// gemmlowp's template of this name and for TFLite's
// SaturatingRoundingMultiplyByPOTParam.
func SaturatingRoundingMultiplyByPOT[T Raw](x T, exponent int) T {
	if exponent <= 0 {
		return RoundingDivideByPOT(x, -exponent)
	}
	e := uint(exponent)
	shifted := x << e
	if shifted>>e == x {
		return shifted
	}
	if x > 0 {
		return maxRaw[T]()
	}
	return -maxRaw[T]() - 1
}

// Rescale converts raw from fromIntegerBits to toIntegerBits integer bits,
// saturating or rounding like SaturatingRoundingMultiplyByPOT.
func Rescale[T Raw](raw T, fromIntegerBits, toIntegerBits int) T {
	return SaturatingRoundingMultiplyByPOT(raw, fromIntegerBits-toIntegerBits)
}

// RoundingHalfSum returns (a+b)/2, ties away from zero.
func RoundingHalfSum[T Raw](a, b T) T {
	sum := int64(a) + int64(b)
	if sum >= 0 {
		return T((sum + 1) / 2)
	}
	return T((sum - 1) / 2)
}

// SaturatingAdd16 returns a+b, saturating.
func SaturatingAdd16(a, b int16) int16 { return SaturateInt16(int32(a) + int32(b)) }

// SaturatingAdd32 returns a+b, saturating (SaturatingAddNonGemmlowp).
func SaturatingAdd32(a, b int32) int32 { return SaturateInt32(int64(a) + int64(b)) }

// SaturatingSub32 returns a-b, saturating.
func SaturatingSub32(a, b int32) int32 { return SaturateInt32(int64(a) - int64(b)) }

// SaturatingLeftShift16 returns x·2^amount, saturating; amount is in [0, 31].
func SaturatingLeftShift16(x int16, amount int) int16 {
	return int16(min(max(int64(x)<<min(uint(amount), 31), math.MinInt16), math.MaxInt16))
}

// SaturateInt16 clamps x to the range of int16.
func SaturateInt16(x int32) int16 { return int16(min(max(x, math.MinInt16), math.MaxInt16)) }

// SaturateInt32 clamps x to the range of int32.
func SaturateInt32(x int64) int32 { return int32(min(max(x, math.MinInt32), math.MaxInt32)) }

// CountLeadingZeros returns the number of zero bits above x's highest one;
// 32 for 0.
func CountLeadingZeros(x uint32) int { return bits.LeadingZeros32(x) }

// mulRaw is gemmlowp's FixedPoint product: SaturatingRoundingDoublingHighMul
// in T's width. The integer bits of the operands add up.
func mulRaw[T Raw](a, b T) T {
	if rawBits[T]() == 16 {
		return T(SaturatingRoundingDoublingHighMul16(int16(a), int16(b)))
	}
	return T(SaturatingRoundingDoublingHighMul(int32(a), int32(b)))
}

// addSaturatingIf16Bit returns a+b: saturating in 16 bits, wrapping in 32.
func addSaturatingIf16Bit[T Raw](a, b T) T {
	if rawBits[T]() == 16 {
		return T(SaturatingAdd16(int16(a), int16(b)))
	}
	return a + b
}
