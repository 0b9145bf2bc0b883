package fixed

import (
	"math"

	"github.com/litequant/litequant/internal/libm"
)

// CalculateActivationRangeQuantized returns the integer clamp of a fused
// activation whose real range is [low, high] (RELU: 0, +Inf; RELU6: 0, 6;
// RELU_N1_TO_1: -1, 1; none: -Inf, +Inf) on a tensor with the given scale and
// zero point whose type holds [qmin, qmax]. ok is false if low or high
// divided by scale overflows int32.
func CalculateActivationRangeQuantized(low, high, scale float32, zeroPoint, qmin, qmax int32) (actMin, actMax int32, ok bool) {
	actMin, actMax = qmin, qmax
	if !math.IsInf(float64(low), -1) {
		q, ok := quantizeBound(low, scale, zeroPoint)
		if !ok {
			return 0, 0, false
		}
		actMin = max(qmin, q)
	}
	if !math.IsInf(float64(high), 1) {
		q, ok := quantizeBound(high, scale, zeroPoint)
		if !ok {
			return 0, 0, false
		}
		actMax = min(qmax, q)
	}
	return actMin, actMax, true
}

// quantizeBound returns zeroPoint + round(f/scale), wrapping like the C++ sum.
func quantizeBound(f, scale float32, zeroPoint int32) (int32, bool) {
	r := Round(f / scale)
	// float32(MaxInt32) is 2^31, which the C++ test lets pass.
	if !(r >= math.MinInt32 && r <= math.MaxInt32) {
		return 0, false
	}
	return zeroPoint + ToInt32(r), true
}

// PreprocessSoftmaxScaling returns the multiplier that takes an input
// difference to inputIntegerBits integer bits: beta·inputScale·2^(31-bits),
// at most 2^31-1. ok is false if that is not above 1, where the C++ function
// aborts.
func PreprocessSoftmaxScaling(beta, inputScale float64, inputIntegerBits int) (m int32, leftShift int, ok bool) {
	real := math.Ldexp(beta*inputScale, 31-inputIntegerBits)
	return QuantizeMultiplierGreaterThanOne(min(real, math.MaxInt32))
}

// PreprocessLogSoftmaxScalingExp is PreprocessSoftmaxScaling together with
// the multiplier of the inverse scaling. reverseShift is ≤ 0.
func PreprocessLogSoftmaxScalingExp(beta, inputScale float64, inputIntegerBits int) (m int32, leftShift int, reverse int32, reverseShift int, ok bool) {
	m, leftShift, ok = PreprocessSoftmaxScaling(beta, inputScale, inputIntegerBits)
	if !ok || leftShift > 31 {
		return 0, 0, 0, 0, false
	}
	// 1 << (31 - leftShift) is an int in C++: negative for leftShift 0.
	reverse, reverseShift, ok = QuantizeMultiplierSmallerThanOneExp(float64(int32(1)<<(31-leftShift)) / float64(m))
	return m, leftShift, reverse, reverseShift, ok
}

// CalculateInputRadius returns the greatest input magnitude that, shifted
// left by inputLeftShift, stays inside inputIntegerBits integer bits of
// totalSignedBits bits (31 for int32 kernels, 15 for int16).
func CalculateInputRadius(inputIntegerBits, inputLeftShift, totalSignedBits int) int32 {
	largest := math.Ldexp(1, inputIntegerBits) - 1
	return ToInt32(math.Floor(math.Ldexp(largest, totalSignedBits-inputIntegerBits-inputLeftShift)))
}

// CheckedLog2 returns the integer nearest to log2(x), and whether x is a
// power of two to within 1e-3 in the exponent. x ≤ 0 and NaN are no powers of
// two.
func CheckedLog2(x float32) (log2 int, pot bool) {
	if !(x > 0) {
		return 0, false
	}
	v := float32(libm.Logf(x) * float32(1/libm.Logf(2)))
	r := Round(v)
	frac := v - r
	return int(ToInt32(r)), frac < 1e-3 && frac > -1e-3
}
