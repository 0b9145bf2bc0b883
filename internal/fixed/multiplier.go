package fixed

import "math"

// QuantizeMultiplier writes d as m·2^(shift-31) with |m| in [2^30, 2^31), m
// rounded half away from zero; a positive shift is a left shift. Multipliers
// below about 2^-32 become (0, 0), as do 0, NaN and infinities (the C++
// function aborts on the last two).
func QuantizeMultiplier(d float64) (m int32, shift int) {
	if d == 0 || math.IsNaN(d) || math.IsInf(d, 0) {
		return 0, 0
	}
	q, shift := math.Frexp(d)
	fixed := int64(math.Round(q * (1 << 31)))
	// The C++ function tests only +2^31; -2^31 fits int32 and stays.
	if fixed == 1<<31 {
		fixed /= 2
		shift++
	}
	if shift < -31 {
		return 0, 0
	}
	return int32(fixed), shift
}

// QuantizeMultiplierSingleRounding is QuantizeMultiplier for
// MultiplyByQuantizedMultiplierSingleRounding, which knows no shift above 30:
// greater multipliers saturate to (MaxInt32, 30).
func QuantizeMultiplierSingleRounding(d float64) (m int32, shift int) {
	m, shift = QuantizeMultiplier(d)
	if shift > 30 {
		return math.MaxInt32, 30
	}
	return m, shift
}

// QuantizeMultiplierSmallerThanOneExp is QuantizeMultiplier for d in (0, 1).
// ok is false for any d whose shift would be positive, where the C++ function
// aborts.
func QuantizeMultiplierSmallerThanOneExp(d float64) (m int32, shift int, ok bool) {
	if !(d > 0 && d < 1) {
		return 0, 0, false
	}
	m, shift = QuantizeMultiplier(d)
	return m, shift, shift <= 0
}

// QuantizeMultiplierGreaterThanOne is QuantizeMultiplier for d > 1. ok is
// false otherwise, where the C++ function aborts.
func QuantizeMultiplierGreaterThanOne(d float64) (m int32, shift int, ok bool) {
	if !(d > 1) || math.IsInf(d, 1) {
		return 0, 0, false
	}
	m, shift = QuantizeMultiplier(d)
	return m, shift, true
}

// MultiplyByQuantizedMultiplier returns x·m·2^(shift-31) in the reference
// kernels' double rounding: x·2^max(shift,0) wraps in int32, the high product
// rounds with ties toward +∞, the right shift with ties away from zero.
// shift is at least -31.
func MultiplyByQuantizedMultiplier(x, m int32, shift int) int32 {
	left, right := max(shift, 0), max(-shift, 0)
	return RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(x<<uint(left), m), right)
}

// MultiplyByQuantizedMultiplierSmallerThanOneExp is
// MultiplyByQuantizedMultiplier for shift in [-31, 0].
func MultiplyByQuantizedMultiplierSmallerThanOneExp(x, m int32, shift int) int32 {
	return RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(x, m), -shift)
}

// MultiplyByQuantizedMultiplierGreaterThanOne is
// MultiplyByQuantizedMultiplier for shift ≥ 0.
func MultiplyByQuantizedMultiplierGreaterThanOne(x, m int32, shift int) int32 {
	return SaturatingRoundingDoublingHighMul(x<<uint(shift), m)
}

// MultiplyByQuantizedMultiplierSingleRounding returns x·m·2^(shift-31)
// rounded once, ties toward +∞: ruy's portable and NEON kernels, and TFLite
// built with TFLITE_SINGLE_ROUNDING. shift is in [-31, 30].
func MultiplyByQuantizedMultiplierSingleRounding(x, m int32, shift int) int32 {
	right := uint(31 - shift)
	return int32((int64(x)*int64(m) + int64(1)<<(right-1)) >> right)
}

// MultiplyByQuantizedMultiplierRuyAVX returns x·m·2^(shift-31) as ruy's AVX,
// AVX2 and AVX-512 kernels and TFLite's 128-bit NEON blocks do: like
// MultiplyByQuantizedMultiplier, but the right shift too has ties toward +∞.
// shift is at least -31.
func MultiplyByQuantizedMultiplierRuyAVX(x, m int32, shift int) int32 {
	left, right := uint(max(shift, 0)), uint(max(-shift, 0))
	high := (int64(x<<left)*int64(m) + 1<<30) >> 31
	return int32((high + int64(1)<<right>>1) >> right)
}

// MultiplyByQuantizedMultiplier64 returns x·m·2^(shift-31) for the int64
// accumulators of 16-bit activations: m is first rounded to 16 bits, then one
// rounding with ties toward +∞. m ≥ 0, shift in [-31, 7], |x| < 2^47.
func MultiplyByQuantizedMultiplier64(x int64, m int32, shift int) int32 {
	reduced := int64(math.MaxInt16)
	if m < 0x7FFF0000 {
		reduced = int64((m + 1<<15) >> 16)
	}
	right := uint(15 - shift)
	return int32((x*reduced + int64(1)<<(right-1)) >> right)
}

// MultiplyByEffectiveScale returns acc·scale in float64, rounded half away
// from zero and saturated: what LiteRT's reference FULLY_CONNECTED does in
// place of a quantized multiplier, with int32 (8-bit) and int64 (16-bit)
// accumulators. scale is inputScale·filterScale/outputScale, each widened to
// float64 first.
func MultiplyByEffectiveScale(acc int64, scale float64) int32 {
	return ToInt32(Round(float64(acc) * scale))
}

// DownScaleInt32ToInt16Multiplier rounds m, which is ≥ 0, to its upper 16
// bits, saturating at MaxInt16.
func DownScaleInt32ToInt16Multiplier(m int32) int16 {
	const offset = 1 << 15
	if m >= math.MaxInt32-offset {
		return math.MaxInt16
	}
	return int16((m + offset) >> 16)
}
