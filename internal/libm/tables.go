package libm

// Constants as double-doubles: the nearest float64 and what is left.
var (
	piOver2 = dd{0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54}
	ln2Low  = dd{0x1.9ef35793c7673p-41, 0x1.f97b57a079a19p-103}
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
)

// ln2High is log 2 cut to 40 bits: its product with any exponent is exact.
// ln2High + ln2Low is log 2.
const (
	ln2High = 0x1.62e42fefa2000p-1
	log2E   = 1.44269504088896340735992468100189214
)

// inverseFactorials returns 1/n! for count values of n from first in steps of
// step, with alternating signs if asked; up to 22! the divisor is exact.
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

func round(c []dd) []float64 {
	r := make([]float64, len(c))
	for i := range c {
		r[i] = c[i].value()
	}
	return r
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
