package libm

import "math"

const (
	// Beyond these, exp overflows to +Inf and rounds to 0.
	expOverflow  = 709.782712893384
	expUnderflow = -745.1332191019412
)

// reduceLn2 writes a as k·log 2 + r with |r| ≤ log 2/2; |a| is below 2^12.
func reduceLn2(a dd) (r dd, k float64) {
	k = math.RoundToEven(float64(a.hi * log2E))
	r = dd{hi: a.hi}.addFloat(-float64(k * ln2High))
	return r.add(dd{hi: a.lo}).add(ln2Low.mulFloat(-k)), k
}

// expm1Series returns exp(r)-1 for |r| ≤ 0.36 with a relative error of about
// 2^-78.
func expm1Series(r dd) dd {
	return hornerDD(r, expCoef, horner(r.hi, expTail)).mul(r)
}

// expDD returns exp(a) as m·2^k; |a| is below 2^12.
func expDD(a dd) (m dd, k int) {
	r, kf := reduceLn2(a)
	return expm1Series(r).addFloat(1), int(kf)
}

// scaleRound returns m·2^k rounded once, also where the result is subnormal;
// m is in [1/2, 2].
func scaleRound(m dd, k int) float64 {
	if k >= -1021 {
		return math.Ldexp(m.value(), k)
	}
	// Round m to the grid of the result's units.
	unit := math.Ldexp(1, -1074-k)
	r := float64(math.RoundToEven(m.hi/unit) * unit)
	switch rest := (m.hi - r) + m.lo; {
	case rest > unit/2:
		r += unit
	case rest < -unit/2:
		r -= unit
	}
	return math.Ldexp(r, k)
}

// Exp returns e^x.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > expOverflow:
		return math.Inf(1)
	case x < expUnderflow:
		return 0
	}
	return scaleRound(expDD(dd{hi: x}))
}

// Sigmoidf returns TFLite's float logistic, 1/(1+exp(-x)), with each step
// rounded to float32.
func Sigmoidf(x float32) float32 { return 1 / (1 + Expf(-x)) }
