package libm

// Constants as double-doubles: the nearest float64 and what is left.
var (
	piOver2   = dd{0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54}
	twoSqrtPi = dd{0x1.20dd750429b6dp+0, 0x1.1ae3a914fed80p-56} // 2/√π
	ln2Low    = dd{0x1.9ef35793c7673p-41, 0x1.f97b57a079a19p-103}
)

// Coefficients of the double-double series: the first ones in double-double
// (Coef), the others in float64 (Tail).
var (
	expCoef = inverseFactorials(1, 1, 7, false) // (exp(x)-1)/x
	expTail = round(inverseFactorials(8, 1, 10, false))
	logCoef = inverseOdds(5) // atanh(s)/s, in s²
	logTail = round(inverseOdds(16)[5:])
	sinCoef = inverseFactorials(1, 2, 5, true) // sin(x)/x, in x²
	sinTail = round(inverseFactorials(1, 2, 13, true)[5:])
	cosCoef = inverseFactorials(0, 2, 5, true) // cos(x), in x²
	cosTail = round(inverseFactorials(0, 2, 13, true)[5:])
	erfCoef = makeErfCoef()[:8] // erf(x)/x, in x²
	erfTail = round(makeErfCoef()[8:])
)

// Coefficients of the float64 series behind the float32 functions.
var (
	expEven    = round(inverseFactorials(0, 2, 7, false))  // cosh(x), in x²
	expOdd     = round(inverseFactorials(1, 2, 7, false))  // sinh(x)/x, in x²
	expm1Plain = round(inverseFactorials(1, 1, 14, false)) // (exp(x)-1)/x
	logPlain   = round(inverseOdds(13)[1:])                // (atanh(s)-s)/s³, in s²
	sinPlain   = round(inverseFactorials(1, 2, 9, true))
	cosPlain   = round(inverseFactorials(0, 2, 9, true))
	erfPlain   = round(makeErfCoef())
	erfcPlain  = append(round(erfcCoef), erfcTail...)
)

// ln2High is log 2 cut to 40 bits: its product with any exponent is exact.
// ln2High + ln2Low is log 2.
const (
	ln2High = 0x1.62e42fefa2000p-1
	log2E   = 1.44269504088896340735992468100189214
)

// inverseFactorials returns 1/n!, which is exact in its divisor up to 22!, for count values of n from first in steps of
// step, with alternating signs if asked.
func inverseFactorials(first, step, count int, alternate bool) []dd {
	c := make([]dd, count)
	for i := range c {
		factorial := 1.0
		for n := 2; n <= first+i*step; n++ {
			factorial *= float64(n)
		}
		if alternate && i%2 == 1 {
			factorial = -factorial
		}
		c[i] = dd{hi: 1}.div(dd{hi: factorial})
	}
	return c
}

// inverseOdds returns 1, 1/3, 1/5 … 1/(2·count-1).
func inverseOdds(count int) []dd {
	c := make([]dd, count)
	for i := range c {
		c[i] = dd{hi: 1}.div(dd{hi: float64(2*i + 1)})
	}
	return c
}

// makeErfCoef returns the Taylor coefficients of erf(x)/x in x²:
// 2/√π·(-1)^n/(n!·(2n+1)), n = 0 … 18.
func makeErfCoef() []dd {
	c := inverseFactorials(0, 1, 19, true)
	for n := range c {
		c[n] = c[n].mul(twoSqrtPi).div(dd{hi: float64(2*n + 1)})
	}
	return c
}

func round(c []dd) []float64 {
	r := make([]float64, len(c))
	for i := range c {
		r[i] = c[i].value()
	}
	return r
}

// erfcCoef and erfcTail are the polynomial in t = (x-4)/(x+4) that interpolates
// erfc(x)·exp(x²)·(1+2x) for x ≥ 0 at Chebyshev's points, to 1e-18. See
// testdata/gen_tables.py.
var erfcCoef = []dd{
	{1.2329951186255526, -4.625318921008717e-17},
	{-0.1396211168405625, 2.023087078623621e-18},
	{0.015379652102620042, -3.554325051520133e-19},
	{0.06809705425469036, -5.783330451875148e-18},
	{-0.10103906603632504, 3.4272574188047932e-18},
	{0.09373283499843951, -7.66901912141444e-20},
	{-0.0663303658116485, -2.1655886540651785e-18},
	{0.03716751553591141, 1.5035501782197473e-18},
}

var erfcTail = []float64{
	-0.01619773406595253,
	0.005031969992810925,
	-0.0007577732195352293,
	-0.0001992567764579197,
	0.00015062130746391778,
	-2.4398942309069806e-05,
	-1.1220753452725425e-05,
	5.709201212226352e-06,
	2.909062968371427e-07,
	-8.249127434964572e-07,
	7.89343963476142e-08,
	1.1009041560728304e-07,
	-2.1917128684776733e-08,
	-1.470518755238763e-08,
	3.979908209935334e-09,
	1.7887492189077536e-09,
	-5.47796315403793e-10,
	-1.37212432109558e-10,
	4.335744696880128e-11,
}

// atanCoef is the polynomial in x² that interpolates atan(x)/x on [0, 1] at
// Chebyshev's points, to 1e-10. See testdata/gen_tables.py.
var atanCoef = []float64{
	0.999999999939012,
	-0.33333331518197895,
	0.1999990995701,
	-0.14283948421100978,
	0.11092984786569239,
	-0.08979051045349812,
	0.0724228413388048,
	-0.05421530832059711,
	0.03413342296292345,
	-0.016055160693713,
	0.004827227823616511,
	-0.0006804972861522193,
}

// twoOverPi holds the fraction bits of 2/π after 64 zero bits.
var twoOverPi = [20]uint64{
	0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041,
	0xfe5163abdebbc561, 0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e,
	0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b,
	0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
	0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
}
