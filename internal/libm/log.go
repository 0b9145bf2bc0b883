package libm

import "math"

// splitLog writes a positive finite x as m·2^k with m in [√½, √2).
func splitLog(x float64) (m float64, k int) {
	m, k = math.Frexp(x)
	if m < math.Sqrt2/2 {
		return 2 * m, k - 1
	}
	return m, k
}

// atanhSeries returns 2·atanh(s) = log((1+s)/(1-s)) for |s| ≤ 0.172, with a
// relative error of about 2^-80.
func atanhSeries(s dd) dd {
	z := s.mul(s)
	return hornerDD(z, logCoef, horner(z.hi, logTail)).mul(s).scale(2)
}

// logDD returns log(x) for a positive finite x.
func logDD(x float64) dd {
	m, k := splitLog(x)
	// m-1 is exact; log m = 2·atanh((m-1)/(m+1)).
	log := atanhSeries(dd{hi: m - 1}.div(twoSum(m, 1)))
	if k == 0 {
		return log
	}
	return dd{hi: float64(float64(k) * ln2High)}.add(ln2Low.mulFloat(float64(k))).add(log)
}

// Log returns the natural logarithm of x: -Inf at 0, NaN below.
func Log(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x == 0:
		return math.Inf(-1)
	case x < 0:
		return math.NaN()
	}
	return logDD(x).value()
}

// Log1p returns log(1+x) without cancellation near 0.
func Log1p(x float64) float64 {
	switch {
	case x != x || x == 0 || x > math.MaxFloat64:
		return x
	case x == -1:
		return math.Inf(-1)
	case x < -1:
		return math.NaN()
	case math.Abs(x) < 0x1p-60:
		return x
	case math.Abs(x) < 0.3:
		return atanhSeries(dd{hi: x}.div(twoSum(2, x))).value()
	}
	u := twoSum(1, x)
	return logDD(u.hi).addFloat(u.lo / u.hi).value()
}
