package libm

import "math"

// Expm1f, Tanhf, Erfcf and Atan2f follow fdlibm (Sun Microsystems, 1993), which
// glibc for x86-64 compiles in float32 without fused multiply-adds: every step
// rounds.

// hornerf evaluates c[0] + c[1]·x + c[2]·x² + … in float32, from the highest
// power on.
func hornerf(x float32, c []float32) float32 {
	sum := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		sum = float32(sum*x) + c[i]
	}
	return sum
}

func absf(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// expm1Ratio is the polynomial in x²/2 of a rational function that gives exp.
var expm1Ratio = []float32{1, -3.3333335072e-02, 1.5873016091e-03, -7.9365076090e-05, 4.0082177293e-06, -2.0109921195e-07}

// ln2Highf is log 2 cut to 16 bits, ln2Lowf what is left.
const ln2Highf, ln2Lowf float32 = 6.9313812256e-01, 9.0580006145e-06

// Expm1f returns e^x - 1 without cancellation near 0.
func Expm1f(x float32) float32 {
	switch a := absf(x); {
	case x != x || a < 0x1p-25:
		return x
	case x >= 88.72283935546875: // 128·log 2
		return float32(math.Inf(1))
	case x <= -18.714973: // -27·log 2
		return -1
	case a <= 0.34657359: // log 2/2
		half := float32(0.5 * x)
		square := float32(x * half)
		return x - (float32(x*expm1Rest(x, half, square)) - square)
	}
	r, c, k := reduceLn2f(x)
	half := float32(0.5 * r)
	square := float32(r * half)
	e := expm1Rest(r, half, square)
	e = float32(r*(e-c)) - c
	return scaledExpm1f(r, e-square, k)
}

// expm1Rest is what exp(x)-1 needs beyond x + x²/2, over x.
func expm1Rest(x, half, square float32) float32 {
	ratio := hornerf(square, expm1Ratio)
	t := 3 - float32(ratio*half)
	return float32(square * ((ratio - t) / (6 - float32(x*t))))
}

// reduceLn2f writes x as k·log 2 + r + c, c being what r was rounded by.
func reduceLn2f(x float32) (r, c float32, k int) {
	half := float32(0.5)
	if x < 0 {
		half = -half
	}
	k = int(2 * half)
	if absf(x) >= 1.0397208 { // 3/2·log 2
		k = int(float32(1.4426950216*x) + half)
	}
	high, low := x-float32(float32(k)*ln2Highf), float32(float32(k)*ln2Lowf)
	r = high - low
	return r, (high - r) - low, k
}

// scaledExpm1f returns (1 + r - e)·2^k - 1.
func scaledExpm1f(r, e float32, k int) float32 {
	scale := func(y float32) float32 { return math.Float32frombits(math.Float32bits(y) + uint32(k)<<23) }
	power := func(k int) float32 { return math.Float32frombits(uint32(127+k) << 23) }
	switch {
	case k == -1:
		return float32(0.5*(r-e)) - 0.5
	case k == 1 && r < -0.25:
		return -2 * (e - (r + 0.5))
	case k == 1:
		return 1 + float32(2*(r-e))
	case k <= -2 || k > 56:
		return scale(1-(e-r)) - 1
	case k < 23:
		return scale((1 - power(-k)) - (e - r))
	}
	return scale((r - (e + power(-k))) + 1)
}

// Tanhf returns the hyperbolic tangent of x.
func Tanhf(x float32) float32 {
	a := absf(x)
	var t float32
	switch {
	case x != x || a < 0x1p-55:
		return x
	case a < 1:
		e := Expm1f(-2 * a)
		t = -e / (e + 2)
	case a < 22:
		t = 1 - 2/(Expm1f(2*a)+2)
	default:
		t = 1
	}
	if x < 0 {
		return -t
	}
	return t
}

// Numerators and denominators of Erfcf's rational functions: erf(x)/x - 1 up to
// 0.84375, erf(x) - erfcOffset up to 1.25, log(x·erfc(x)) + x² + 0.5625 beyond,
// with a change at 1/0.35. The middle one is in x - 1, the last two in 1/x².
var (
	erfcSmallP = []float32{1.2837916613e-01, -3.2504209876e-01, -2.8481749818e-02, -5.7702702470e-03, -2.3763017452e-05}
	erfcSmallQ = []float32{1, 3.9791721106e-01, 6.5022252500e-02, 5.0813062117e-03, 1.3249473704e-04, -3.9602282413e-06}
	erfcOneP   = []float32{-2.3621185683e-03, 4.1485610604e-01, -3.7220788002e-01, 3.1834661961e-01, -1.1089469492e-01, 3.5478305072e-02, -2.1663755178e-03}
	erfcOneQ   = []float32{1, 1.0642088205e-01, 5.4039794207e-01, 7.1828655899e-02, 1.2617121637e-01, 1.3637083583e-02, 1.1984500103e-02}
	erfcMidP   = []float32{-9.8649440333e-03, -6.9385856390e-01, -1.0558626175e+01, -6.2375331879e+01, -1.6239666748e+02, -1.8460508728e+02, -8.1287437439e+01, -9.8143291473e+00}
	erfcMidQ   = []float32{1, 1.9651271820e+01, 1.3765776062e+02, 4.3456588745e+02, 6.4538726807e+02, 4.2900814819e+02, 1.0863500214e+02, 6.5702495575e+00, -6.0424413532e-02}
	erfcFarP   = []float32{-9.8649431020e-03, -7.9928326607e-01, -1.7757955551e+01, -1.6063638306e+02, -6.3756646729e+02, -1.0250950928e+03, -4.8351919556e+02}
	erfcFarQ   = []float32{1, 3.0338060379e+01, 3.2579251099e+02, 1.5367296143e+03, 3.1998581543e+03, 2.5530502930e+03, 4.7452853394e+02, -2.2440952301e+01}
)

const erfcOffset float32 = 8.4506291151e-01

// Erfcf returns the complementary error function of x.
func Erfcf(x float32) float32 {
	a := absf(x)
	switch {
	case x != x:
		return x
	case a < 0x1p-26:
		return 1 - x
	case a < 0.84375:
		z := float32(x * x)
		y := hornerf(z, erfcSmallP) / hornerf(z, erfcSmallQ)
		if x < 0.25 {
			return 1 - (x + float32(x*y))
		}
		return 0.5 - (float32(x*y) + (x - 0.5))
	case a < 1.25:
		s := a - 1
		ratio := hornerf(s, erfcOneP) / hornerf(s, erfcOneQ)
		if x < 0 {
			return 1 + (erfcOffset + ratio)
		}
		return (1 - erfcOffset) - ratio
	case x <= -6:
		return 2
	case x >= 28:
		return 0
	}
	tail := erfcTail(a)
	if x < 0 {
		return 2 - tail
	}
	return tail
}

// erfcTail returns erfc(x) for x in [1.25, 28).
func erfcTail(x float32) float32 {
	p, q := erfcFarP, erfcFarQ
	if math.Float32bits(x) < 0x4036DB6D { // about 1/0.35
		p, q = erfcMidP, erfcMidQ
	}
	s := 1 / float32(x*x)
	ratio := hornerf(s, p) / hornerf(s, q)
	// x² is split: that of the upper bits is exact.
	z := math.Float32frombits(math.Float32bits(x) &^ (1<<13 - 1))
	r := float32(Expf(float32(-z*z)-0.5625) * Expf(float32((z-x)*(z+x))+ratio))
	return r / x
}

// Even and odd coefficients of (x - atan(x))/x³, in x⁴.
var (
	atanEven = []float32{3.3333334327e-01, 1.4285714924e-01, 9.0908870101e-02, 6.6610731184e-02, 4.9768779427e-02, 1.6285819933e-02}
	atanOdd  = []float32{-2.0000000298e-01, -1.1111110449e-01, -7.6918758452e-02, -5.8335702866e-02, -3.6531571299e-02}
)

// atanBase holds atan(1/2), atan(1), atan(3/2) and π/2 with what rounding took.
var atanBase = [4]struct{ high, low float32 }{
	{4.6364760399e-01, 5.0121582440e-09}, {7.8539812565e-01, 3.7748947079e-08},
	{9.8279368877e-01, 3.4473217170e-08}, {1.5707962513e+00, 7.5497894159e-08},
}

// atanf returns atan(x) for x ≥ 0.
func atanf(x float32) float32 {
	var i int
	var t float32 // tan(atan(x) - atanBase[i])
	switch {
	case x >= 0x1p25:
		return atanBase[3].high + atanBase[3].low
	case x < 0x1p-29:
		return x
	case x < 0.4375:
		return x - float32(x*atanSeries(x))
	case x < 0.6875:
		i, t = 0, (float32(2*x)-1)/(2+x)
	case x < 1.1875:
		i, t = 1, (x-1)/(x+1)
	case x < 2.4375:
		i, t = 2, (x-1.5)/(1+float32(1.5*x))
	default:
		i, t = 3, -1/x
	}
	base := &atanBase[i]
	return base.high - ((float32(t*atanSeries(t)) - base.low) - t)
}

// atanSeries returns 1 - atan(x)/x.
func atanSeries(x float32) float32 {
	z := float32(x * x)
	w := float32(z * z)
	return float32(z*hornerf(w, atanEven)) + float32(w*hornerf(w, atanOdd))
}

// Atan2f returns the angle of the point (x, y) in [-π, π], with the special
// cases of C's atan2f.
func Atan2f(y, x float32) float32 {
	if x-x != 0 || y-y != 0 || x == 0 || y == 0 { // zero, infinite or NaN
		return float32(Atan2(float64(y), float64(x)))
	}
	const pi, piLow float32 = 3.1415927410, -8.7422776573e-08
	apart := (int32(math.Float32bits(absf(y))) - int32(math.Float32bits(absf(x)))) >> 23
	var a float32
	switch {
	case apart > 60:
		a = pi/2 + piLow/2
	case x < 0 && apart < -60:
		a = 0
	default:
		a = atanf(absf(y / x))
	}
	if x < 0 {
		a = pi - (a - piLow)
	}
	if y < 0 {
		return -a
	}
	return a
}
