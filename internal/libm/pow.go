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

// Powf returns x^y with the special cases of C's powf.
func Powf(x, y float32) float32 { return float32(Pow(float64(x), float64(y))) }

// Cbrt returns the cube root of x.
func Cbrt(x float64) float64 {
	if x == 0 || x != x || math.IsInf(x, 0) {
		return x
	}
	m, e := math.Frexp(math.Abs(x))
	// m·2^e = a·2^(3q) with a in [1/2, 4).
	q := e / 3
	r := e - 3*q
	if r < 0 {
		q, r = q-1, r+3
	}
	a := math.Ldexp(m, r)
	y := 0.75 + float64(a/4)
	for range 4 {
		y -= (y - a/float64(y*y)) / 3
	}
	// One more step with the residual in double-double.
	residual := dd{hi: y}.mulFloat(y).mulFloat(y).addFloat(-a)
	y2 := float64(y * y)
	y -= residual.value() / float64(3*y2)
	return math.Copysign(math.Ldexp(y, q), x)
}

// Cbrtf returns the cube root of x.
func Cbrtf(x float32) float32 { return float32(Cbrt(float64(x))) }
