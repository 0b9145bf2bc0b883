package fixed

import "math"

// Float is a binary floating-point type.
type Float interface{ float32 | float64 }

// Round returns x rounded to an integral value, halves away from zero
// (TfLiteRound, std::round). NaN and infinities are returned as they are.
func Round[F Float](x F) F { return F(math.Round(float64(x))) }

// ToInt32 converts an integral float to int32. What does not fit, NaN included, is
// the smallest int32: what x86 makes of it, and so LiteRT there, since C++ leaves it
// undefined and Go leaves it to the CPU.
func ToInt32[F Float](x F) int32 {
	if v := float64(x); v >= math.MinInt32 && v <= math.MaxInt32 {
		return int32(v)
	}
	return math.MinInt32
}
