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

// expm1DD returns exp(x)-1 for |x| < 700.
func expm1DD(x float64) dd {
	if math.Abs(x) < 0.34 {
		return expm1Series(dd{hi: x})
	}
	m, k := expDD(dd{hi: x})
	return m.scale(math.Ldexp(1, k)).addFloat(-1)
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

// Expm1 returns e^x - 1 without cancellation near 0.
func Expm1(x float64) float64 {
	switch {
	case x != x || x == 0:
		return x
	case x > 699:
		return Exp(x)
	case x < -60:
		return -1
	case math.Abs(x) < 0x1p-60:
		return x
	}
	return expm1DD(x).value()
}

// Tanh returns the hyperbolic tangent of x.
func Tanh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case x != x || x == 0:
		return x
	case a < 0x1p-30:
		return x - float64(x*float64(x*x))/3
	case a > 22:
		return math.Copysign(1, x)
	}
	e := expm1DD(2 * a)
	return math.Copysign(e.div(e.addFloat(2)).value(), x)
}

// expPlain returns exp(x) in plain float64 for |x| < 700, to about 1 ulp.
func expPlain(x float64) float64 {
	k := math.RoundToEven(float64(x * log2E))
	r := x - float64(k*ln2High)
	r -= float64(k * ln2Low.hi)
	z := float64(r * r)
	m := horner(z, expEven) + float64(r*horner(z, expOdd))
	return float64(m * math.Float64frombits(uint64(1023+int(k))<<52))
}

// expm1Plain64 returns exp(x)-1 in plain float64 for |x| < 700, to about 3 ulp.
func expm1Plain64(x float64) float64 {
	if math.Abs(x) < 0.34 {
		return x * horner(x, expm1Plain)
	}
	return expPlain(x) - 1
}

// Expf returns e^x.
func Expf(x float32) float32 {
	switch {
	case x != x:
		return x
	case x > 89:
		return float32(math.Inf(1))
	case x < -104:
		return 0
	}
	return float32(expPlain(float64(x)))
}

// Expm1f returns e^x - 1 without cancellation near 0.
func Expm1f(x float32) float32 {
	switch {
	case x != x || x == 0:
		return x
	case x > 89:
		return float32(math.Inf(1))
	case x < -104:
		return -1
	}
	return float32(expm1Plain64(float64(x)))
}

// Tanhf returns the hyperbolic tangent of x.
func Tanhf(x float32) float32 {
	v := float64(x)
	a := math.Abs(v)
	switch {
	case v != v || v == 0:
		return x
	case a > 10:
		return float32(math.Copysign(1, v))
	}
	e := expm1Plain64(2 * a)
	return float32(math.Copysign(e/(e+2), v))
}

// Sigmoidf returns TFLite's float logistic, 1/(1+exp(-x)), with each step
// rounded to float32.
func Sigmoidf(x float32) float32 { return 1 / (1 + Expf(-x)) }
