package fixed

import "math"

// LUTPopulateInt8 tabulates f for int8 tensors: entry uint8(q) holds the
// quantized f(inputScale·(q-inputZeroPoint)), all in float32, rounded half
// away from zero and clamped (TFLite's LUTPopulate). A result of f beyond
// int32 saturates, and NaN counts as 0.
func LUTPopulateInt8(inputScale float32, inputZeroPoint int32, outputScale float32, outputZeroPoint int32, f func(float32) float32) *[256]int8 {
	return lutPopulate8[int8](inputScale, inputZeroPoint, outputScale, outputZeroPoint, f)
}

// LUTPopulateUint8 is LUTPopulateInt8 for uint8 tensors.
func LUTPopulateUint8(inputScale float32, inputZeroPoint int32, outputScale float32, outputZeroPoint int32, f func(float32) float32) *[256]uint8 {
	return lutPopulate8[uint8](inputScale, inputZeroPoint, outputScale, outputZeroPoint, f)
}

func lutPopulate8[T int8 | uint8](inputScale float32, inputZeroPoint int32, outputScale float32, outputZeroPoint int32, f func(float32) float32) *[256]T {
	lo, hi := int32(math.MinInt8), int32(math.MaxInt8)
	if T(0)-1 > 0 {
		lo, hi = 0, math.MaxUint8
	}
	inverseScale := 1 / outputScale
	table := new([256]T)
	for q := lo; q <= hi; q++ {
		x := float32(inputScale * float32(q-inputZeroPoint))
		rescaled := Round(float32(f(x) * inverseScale))
		y := min(max(rescaled+float32(outputZeroPoint), float32(lo)), float32(hi))
		table[uint8(q)] = T(ToInt32(y))
	}
	return table
}

// LUTSize16 is the length of a table over int16: 512 base values indexed by
// the upper 9 bits, and one more to interpolate the last interval.
const LUTSize16 = 513

// LUTPopulateInt16 tabulates f for int16 tensors, in float32. Each base value
// is biased by half the error that interpolation has at the middle of its
// interval (TFLite's LUTPopulate<int16_t>).
func LUTPopulateInt16(inputScale float32, inputZeroPoint int32, outputScale float32, outputZeroPoint int32, f func(float32) float32) *[LUTSize16]int16 {
	return lutPopulate16(inputScale, inputZeroPoint, outputScale, outputZeroPoint, f)
}

// LUTPopulateInt16Double is LUTPopulateInt16 in float64, which SOFTMAX uses.
func LUTPopulateInt16Double(inputScale float64, inputZeroPoint int32, outputScale float64, outputZeroPoint int32, f func(float64) float64) *[LUTSize16]int16 {
	return lutPopulate16(inputScale, inputZeroPoint, outputScale, outputZeroPoint, f)
}

func lutPopulate16[F Float](inputScale F, inputZeroPoint int32, outputScale F, outputZeroPoint int32, f func(F) F) *[LUTSize16]int16 {
	const steps = LUTSize16 - 1
	inputMin := F(inputScale * F(math.MinInt16-inputZeroPoint))
	inputMax := F(inputScale * F(math.MaxInt16-inputZeroPoint))
	outputMin := F(outputScale * F(math.MinInt16-outputZeroPoint))
	outputMax := F(outputScale * F(math.MaxInt16-outputZeroPoint))
	step := (inputMax - inputMin) / steps
	halfStep := F(step / 2)
	inverseScale := F(math.MaxUint16+1) / (outputMax - outputMin)

	table := new([LUTSize16]int16)
	for i := range steps {
		x := inputMin + F(F(i)*step)
		next := inputMin + F(F(i+1)*step)
		value := F(f(x) * inverseScale)
		midpoint := Round(F(f(x+halfStep) * inverseScale))
		sample := Round(value)
		interpolated := Round((F(f(next)*inverseScale) + sample) / 2)
		bias := Round((interpolated - midpoint) / 2)
		table[i] = clampInt16(sample - bias)
	}
	table[steps] = clampInt16(Round(F(f(inputMax) * inverseScale)))
	return table
}

// clampInt16 converts an integral float to int16, saturating.
func clampInt16[F Float](x F) int16 { return int16(ToInt32(min(max(x, math.MinInt16), math.MaxInt16))) }

// LUTLookupInt16 interpolates linearly in a table of LUTPopulateInt16.
func LUTLookupInt16(x int16, table *[LUTSize16]int16) int16 {
	i := 256 + int(x>>7)
	offset := int32(x & 0x7f)
	base := table[i]
	slope := table[i+1] - base
	return base + int16((int32(slope)*offset+64)>>7)
}
