package libm

import "math"

// Pow returns x^y with the special cases of C's pow.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case x != x || y != y:
		return math.NaN()
	}
	negative := false // the result is -|x|^y
	if math.Signbit(x) {
		integral := math.Trunc(y) == y
		if x != 0 && !math.IsInf(x, 0) && !integral {
			return math.NaN()
		}
		negative = integral && isOdd(y)
		x = -x
	}
	p := powPositive(x, y)
	if negative {
		return -p
	}
	return p
}

// isOdd reports whether the integral y is odd. Beyond 2^53 all are even.
func isOdd(y float64) bool { return math.Abs(y) < 1<<53 && int64(y)&1 != 0 }

// powPositive returns x^y for x in [0, +Inf] and y not 0 nor NaN.
func powPositive(x, y float64) float64 {
	switch {
	case x == 1:
		return 1
	case math.IsInf(y, 0):
		return powInf(x, y)
	case x == 0 || math.IsInf(x, 1):
		if (x == 0) == (y > 0) {
			return 0
		}
		return math.Inf(1)
	}
	log := logDD(x)
	// |log x| is 0 or at least 2^-53: beyond this y the result is 0 or +Inf.
	if math.Abs(y) > 0x1p70 {
		return powInf(x, y)
	}
	a := log.mulFloat(y)
	switch {
	case a.hi > expOverflow+1:
		return math.Inf(1)
	case a.hi < expUnderflow-1:
		return 0
	}
	return scaleRound(expDD(a))
}

// powInf returns the limit of x^y for y → ±Inf; x ≥ 0.
func powInf(x, y float64) float64 {
	switch {
	case x == 1:
		return 1
	case (x > 1) == (y > 0):
		return math.Inf(1)
	}
	return 0
}
