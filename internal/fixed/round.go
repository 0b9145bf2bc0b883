package fixed

import "math"

// Float is a binary floating-point type.
type Float interface{ float32 | float64 }

// Round returns x rounded to an integral value, halves away from zero
// (TfLiteRound, std::round). NaN and infinities are returned as they are.
func Round[F Float](x F) F { return F(math.Round(float64(x))) }

// ToInt32 converts an integral float to int32. Outside the range of int32 it
// saturates, and NaN becomes 0: the behaviour of ARM's conversion, since C++
// leaves it undefined and Go leaves it to the CPU.
func ToInt32[F Float](x F) int32 {
	v := float64(x)
	switch {
	case v != v:
		return 0
	case v >= math.MaxInt32:
		return math.MaxInt32
	case v <= math.MinInt32:
		return math.MinInt32
	}
	return int32(v)
}
