package libm

import "math"

// erfSmall returns erf(x) for |x| ≤ 1 by its Taylor series.
func erfSmall(x float64) dd {
	z := twoProd(x, x)
	return hornerDD(z, erfCoef, horner(z.hi, erfTail)).mulFloat(x)
}

// erfcDD returns erfc(x) as m·2^k for x in [0, 27.5], with a relative error of
// about 2^-58.
func erfcDD(x float64) (m dd, k int) {
	t := twoSum(x, -4).div(twoSum(x, 4))
	p := hornerDD(t, erfcCoef, horner(t.hi, erfcTail)).div(twoSum(1, 2*x))
	m, k = expDD(twoProd(x, x).neg())
	m = m.mul(p)
	// scaleRound wants m in [1/2, 2].
	_, e := math.Frexp(m.hi)
	return m.scale(math.Ldexp(1, -e)), k + e
}

// erfcPositive returns erfc(x) for x ≥ 0.
func erfcPositive(x float64) float64 {
	if x > 27.5 {
		return 0
	}
	return scaleRound(erfcDD(x))
}

// oneMinusErfc returns c - erfc(x), for c 1 or 2 and x in [0, 6].
func oneMinusErfc(c, x float64) float64 {
	m, k := erfcDD(x)
	return m.scale(-math.Ldexp(1, k)).addFloat(c).value()
}

// Erf returns the error function of x.
func Erf(x float64) float64 {
	a := math.Abs(x)
	switch {
	case x != x || x == 0:
		return x
	case a < 0x1p-400:
		return x * twoSqrtPi.hi
	case a < 1:
		return erfSmall(x).value()
	case a > 6:
		return math.Copysign(1, x)
	}
	return math.Copysign(oneMinusErfc(1, a), x)
}

// Erfc returns 1 - Erf(x) without cancellation for large x.
func Erfc(x float64) float64 {
	switch {
	case x != x:
		return x
	case math.Abs(x) < 0x1p-60:
		return 1
	case math.Abs(x) < 0.5:
		return erfSmall(x).neg().addFloat(1).value()
	case x < -6:
		return 2
	case x < 0:
		return oneMinusErfc(2, -x)
	}
	return erfcPositive(x)
}

// erfSmallPlain64 returns erf(x) in plain float64 for |x| ≤ 1, to about 2 ulp.
func erfSmallPlain64(x float64) float64 { return float64(x * horner(float64(x*x), erfPlain)) }

// erfcPlain64 returns erfc(x) in plain float64 for float32 values x in
// [0, 11], whose squares are exact, to about 4 ulp.
func erfcPlain64(x float64) float64 {
	p := horner((x-4)/(x+4), erfcPlain) / (1 + float64(2*x))
	return float64(p * expPlain(-float64(x*x)))
}

// Erff returns the error function of x.
func Erff(x float32) float32 {
	v := float64(x)
	a := math.Abs(v)
	switch {
	case v != v || v == 0:
		return x
	case a < 1:
		return float32(erfSmallPlain64(v))
	case a > 5:
		return float32(math.Copysign(1, v))
	}
	return float32(math.Copysign(1-erfcPlain64(a), v))
}

// Erfcf returns 1 - Erff(x) without cancellation for large x.
func Erfcf(x float32) float32 {
	v := float64(x)
	switch {
	case v != v:
		return x
	case math.Abs(v) < 0.5:
		return float32(1 - erfSmallPlain64(v))
	case v < -5:
		return 2
	case v < 0:
		return float32(2 - erfcPlain64(-v))
	case v > 11:
		return 0
	}
	return float32(erfcPlain64(v))
}
