package libm

import (
	"math"
	"math/bits"
)

// reducePiOver2 writes a finite x ≥ 0 as quadrant·π/2 + r modulo 2π, with
// |r| ≤ π/4 and quadrant in [0, 4) (Payne and Hanek).
func reducePiOver2(x float64) (quadrant int, r dd) {
	if x < math.Pi/4 {
		return 0, dd{hi: x}
	}
	b := math.Float64bits(x)
	exponent := int(b>>52) - 1023 - 52
	mantissa := b&(1<<52-1) | 1<<52
	// mantissa·2^exponent·2/π modulo 4: bits of 2/π above 2^(2-exponent) only
	// add multiples of 4, so 192 bits from there suffice.
	word, shift := uint(exponent+62)/64, uint(exponent+62)%64
	window := func(i uint) uint64 {
		return twoOverPi[i]<<shift | twoOverPi[i+1]>>(64-shift)
	}
	carryHi, _ := bits.Mul64(window(word+2), mantissa)
	midHi, midLo := bits.Mul64(window(word+1), mantissa)
	lo, carry := bits.Add64(midLo, carryHi, 0)
	hi, _ := bits.Add64(window(word)*mantissa, midHi, carry)

	quadrant = int(hi >> 62)
	hi, lo = hi<<2|lo>>62, lo<<2
	negative := hi>>63 == 1 // fraction ≥ 1/2: take the next quadrant
	if negative {
		quadrant = (quadrant + 1) & 3
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	r = fractionDD(hi, lo).mul(piOver2)
	if negative {
		r = r.neg()
	}
	return quadrant, r
}

// fractionDD returns (hi·2^64 + lo)/2^128.
func fractionDD(hi, lo uint64) dd {
	// Pieces that convert exactly: 32 bits each.
	top := twoSum(float64(float64(hi>>32)*0x1p-32), float64(float64(hi&(1<<32-1))*0x1p-64))
	low := twoSum(float64(float64(lo>>32)*0x1p-96), float64(float64(lo&(1<<32-1))*0x1p-128))
	return top.add(low)
}

// sinSeries and cosSeries return sin(r) and cos(r) for |r| ≤ π/4 + 2^-10.
func sinSeries(r dd) dd {
	z := r.mul(r)
	return hornerDD(z, sinCoef, horner(z.hi, sinTail)).mul(r)
}

func cosSeries(r dd) dd {
	z := r.mul(r)
	return hornerDD(z, cosCoef, horner(z.hi, cosTail))
}

// sinCosDD returns sin(x) and cos(x) for a finite x.
func sinCosDD(x float64) (sin, cos dd) {
	quadrant, r := reducePiOver2(math.Abs(x))
	sin, cos = sinSeries(r), cosSeries(r)
	switch quadrant {
	case 1:
		sin, cos = cos, sin.neg()
	case 2:
		sin, cos = sin.neg(), cos.neg()
	case 3:
		sin, cos = cos.neg(), sin
	}
	if math.Signbit(x) {
		sin = sin.neg()
	}
	return sin, cos
}

// Sin returns the sine of x radians.
func Sin(x float64) float64 {
	if x != x || math.IsInf(x, 0) {
		return math.NaN()
	}
	switch {
	case x == 0:
		return x
	case math.Abs(x) < 0x1p-30:
		return x - float64(x*float64(x*x))/6
	}
	sin, _ := sinCosDD(x)
	return sin.value()
}

// Cos returns the cosine of x radians.
func Cos(x float64) float64 {
	if x != x || math.IsInf(x, 0) {
		return math.NaN()
	}
	_, cos := sinCosDD(x)
	return cos.value()
}

// Atan2 returns the angle of the point (x, y) in [-π, π], with the special
// cases of C's atan2.
func Atan2(y, x float64) float64 {
	ax, ay := math.Abs(x), math.Abs(y)
	var a dd
	switch {
	case x != x || y != y:
		return math.NaN()
	case ay == 0:
	case ax == 0:
		a = piOver2
	case math.IsInf(ax, 1) && math.IsInf(ay, 1):
		a = piOver2.scale(0.5)
	case math.IsInf(ay, 1):
		a = piOver2
	case math.IsInf(ax, 1):
	default:
		a = atan2Positive(ay, ax)
	}
	if math.Signbit(x) {
		a = piOver2.scale(2).add(a.neg())
	}
	return math.Copysign(a.value(), y)
}

// atan2Positive returns atan(y/x) for finite x, y > 0: one Newton step in
// double-double from a polynomial good to 1e-10.
func atan2Positive(y, x float64) dd {
	// Far apart, the angle is y/x or π/2 to all bits that count.
	_, ex := math.Frexp(x)
	_, ey := math.Frexp(y)
	switch {
	case ey-ex > 80:
		return piOver2
	case ex-ey > 80:
		// Rounds once even if subnormal, but for a lost -ulp/3 at most.
		return dd{hi: y / x}
	}
	x, y = math.Ldexp(x, -ex), math.Ldexp(y, -ex)
	t := min(x, y) / max(x, y)
	angle := float64(t * horner(float64(t*t), atanCoef))
	if y > x {
		angle = math.Pi/2 - angle
	}
	sin, cos := sinCosDD(angle)
	num := cos.mulFloat(y).add(sin.mulFloat(x).neg())
	den := cos.mulFloat(x).add(sin.mulFloat(y))
	return dd{hi: angle}.add(num.div(den))
}
