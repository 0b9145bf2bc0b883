package libm

import "math"

// Expf, Logf, Powf, Sinf and Cosf follow the design of ARM's Optimized
// Routines, which glibc 2.28 took over, as did musl and Android: a small table, a
// short minimax polynomial in float64, one rounding. The fused multiply-adds
// stand where glibc's have them on processors that know them; the order of
// operations is part of the result.

// invalid is the NaN of x86's invalid operations, which has its sign set.
func invalid() float32 { return math.Float32frombits(0xffc00000) }

// roundShift moves the units of a float64 to the end of its mantissa: adding
// it rounds to an integer, whose low bits are then the low bits of the sum.
const roundShift = 0x1.8p52

// exp2Table holds the bits of 2^(i/32), less i in the units of k in exp2.
var exp2Table = makeExp2Table()

func makeExp2Table() (t [32]uint64) {
	for i := range t {
		t[i] = math.Float64bits(Pow(2, float64(i)/32)) - uint64(i)<<47
	}
	return t
}

// exp2 returns 2^((k+r)/32) for |r| ≤ 1/2.
func exp2(k uint64, r float64) float64 {
	const c3, c2, c1 = 0x1.c6af84b912394p-20, 0x1.ebfce50fac4f3p-13, 0x1.62e42ff0c52d6p-6
	scale := math.Float64frombits(exp2Table[k%32] + k<<47)
	high, low := math.FMA(c3, r, c2), math.FMA(c1, r, 1)
	return math.FMA(high, r*r, low) * scale
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
	const scaledLog2E = 32 * log2E
	v := float64(x)
	sum := math.FMA(scaledLog2E, v, roundShift)
	r := math.FMA(scaledLog2E, v, -(sum - roundShift))
	return float32(exp2(math.Float64bits(sum), r))
}

// logInverse holds, for sixteen intervals of [0.7, 1.4), about the inverse of
// the middle.
var logInverse = [16]float64{
	0x1.661ec79f8f3bep+0, 0x1.571ed4aaf883dp+0, 0x1.49539f0f010bp+0, 0x1.3c995b0b80385p+0,
	0x1.30d190c8864a5p+0, 0x1.25e227b0b8eap+0, 0x1.1bb4a4a1a343fp+0, 0x1.12358f08ae5bap+0,
	0x1.0953f419900a7p+0, 1, 0x1.e608cfd9a47acp-1, 0x1.ca4b31f026aap-1,
	0x1.b2036576afce6p-1, 0x1.9c2d163a1aa2dp-1, 0x1.886e6037841edp-1, 0x1.767dcf5534862p-1,
}

// logOf and log2Of hold minus the logarithms of logInverse.
var logOf, log2Of = makeLogTables()

func makeLogTables() (natural, base2 [16]float64) {
	ln2 := ln2Low.addFloat(ln2High)
	for i, c := range logInverse {
		log := logDD(c).neg()
		natural[i], base2[i] = log.value(), log.div(ln2).value()
	}
	return natural, base2
}

// splitLogf writes a positive finite x as (1+r)/logInverse[i]·2^k.
func splitLogf(x float32) (r float64, i uint32, k float64) {
	b := math.Float32bits(x)
	if b < 1<<23 { // subnormal
		b = math.Float32bits(x*(1<<23)) - 23<<23
	}
	const lowest = 0x3f330000 // 0.7
	offset := b - lowest
	i = offset >> 19 % 16
	m := math.Float32frombits(b - offset&(1<<32-1<<23))
	return math.FMA(float64(m), logInverse[i], -1), i, float64(int32(offset) >> 23)
}

// Logf returns the natural logarithm of x: -Inf at 0, NaN below.
func Logf(x float32) float32 {
	switch {
	case x != x || x > math.MaxFloat32:
		return x
	case x == 0:
		return float32(math.Inf(-1))
	case x < 0:
		return invalid()
	}
	const c4, c3, c2 = -0x1.00ea348b88334p-2, 0x1.5575b0be00b6ap-2, -0x1.ffffef20a4123p-2
	r, i, k := splitLogf(x)
	p := math.FMA(c4, r*r, math.FMA(c3, r, c2))
	return float32(math.FMA(p, r*r, math.FMA(k, math.Ln2, logOf[i])+r))
}

// log2f returns log2(x) of a positive finite x, in float64.
func log2f(x float32) float64 {
	const (
		c5, c4 = 0x1.27616c9496e0bp-2, -0x1.71969a075c67ap-2
		c3, c2 = 0x1.ec70a6ca7baddp-2, -0x1.7154748bef6c8p-1
		c1     = 0x1.71547652ab82bp0
	)
	r, i, k := splitLogf(x)
	r2 := float64(r * r)
	p := math.FMA(math.FMA(c3, r, c2), r2, math.FMA(c1, r, k+log2Of[i]))
	return math.FMA(math.FMA(c5, r, c4), r2*r2, p)
}

// Powf returns x^y with the special cases of C's powf.
func Powf(x, y float32) float32 {
	v, w := float64(x), float64(y)
	switch {
	case x == 0 || y == 0 || x-x != 0 || y-y != 0: // zero, infinite or NaN
		return float32(Pow(v, w))
	case x > 0:
		return powfPositive(x, w)
	case math.Trunc(w) != w:
		return invalid()
	case isOdd(w):
		return -powfPositive(-x, w)
	}
	return powfPositive(-x, w)
}

// powfPositive returns x^y for a positive finite x.
func powfPositive(x float32, y float64) float32 {
	log := float64(y * log2f(x))
	switch {
	case log >= 128:
		return float32(math.Inf(1))
	case log <= -150:
		return 0
	}
	sum := float64(32*log) + roundShift
	return float32(exp2(math.Float64bits(sum), float64(32*log)-(sum-roundShift)))
}

// Sinf returns the sine of x radians.
func Sinf(x float32) float32 {
	switch {
	case x != x:
		return x
	case x-x != 0: // infinite
		return invalid()
	case -0x1p-12 < x && x < 0x1p-12:
		return x
	case -120 < x && x < 120:
		quadrant, r := reduceSmallf(x)
		return float32(quadrantSin(quadrant, r))
	}
	quadrant, r := reduceLargef(x)
	sin := float32(quadrantSin(quadrant, r))
	if x < 0 {
		return -sin
	}
	return sin
}

// Cosf returns the cosine of x radians.
func Cosf(x float32) float32 {
	switch {
	case x != x:
		return x
	case x-x != 0: // infinite
		return invalid()
	case -120 < x && x < 120:
		quadrant, r := reduceSmallf(x)
		return float32(quadrantSin(quadrant+1, r))
	}
	quadrant, r := reduceLargef(x)
	return float32(quadrantSin(quadrant+1, r))
}

// reduceSmallf writes x as quadrant·π/2 + r for |x| < 120.
func reduceSmallf(x float32) (quadrant int, r float64) {
	const unit = 1 << 24 // the quotient is truncated to 24 bits, then rounded
	n := (int32(float64(x)*(unit*2/math.Pi)) + unit/2) >> 24
	return int(n), math.FMA(-float64(n), math.Pi/2, float64(x))
}

// reduceLargef writes |x| as quadrant·π/2 + r modulo 2π, for a finite
// |x| ≥ 2: 96 bits of 2/π, from those on that count, times the mantissa.
func reduceLargef(x float32) (quadrant int, r float64) {
	b := math.Float32bits(x)
	mantissa := uint64(b&(1<<23-1)|1<<23) << (b >> 23 % 8)
	offset := 40 + b>>26%16*8 // of the first bit; twoOverPi has 64 zeros before
	word, shift := offset/64, offset%64
	high := twoOverPi[word]<<shift | twoOverPi[word+1]>>(64-shift)
	low := (twoOverPi[word+1]<<shift | twoOverPi[word+2]>>(64-shift)) >> 32
	quotient := mantissa*high + mantissa*low>>32 // in units of 2^-62
	n := (quotient + 1<<61) >> 62
	return int(n), float64(int64(quotient-n<<62)) * (math.Pi / 2 * 0x1p-62)
}

// quadrantSin returns sin(quadrant·π/2 + r) for about |r| ≤ π/4.
func quadrantSin(quadrant int, r float64) float64 {
	var v float64
	if quadrant&1 == 0 {
		v = sinPoly(r)
	} else {
		v = cosPoly(r)
	}
	if quadrant&2 != 0 {
		return -v
	}
	return v
}

func sinPoly(x float64) float64 {
	const c3, c5, c7 = -0x1.555545995a603p-3, 0x1.1107605230bc4p-7, -0x1.994eb3774cf24p-13
	x2 := float64(x * x)
	x3 := float64(x2 * x)
	return math.FMA(math.FMA(c7, x2, c5), x2*x3, math.FMA(c3, x3, x))
}

func cosPoly(x float64) float64 {
	const c2, c4, c6, c8 = -0x1.ffffffd0c621cp-2, 0x1.55553e1068f19p-5, -0x1.6c087e89a359dp-10, 0x1.99343027bf8c3p-16
	x2 := float64(x * x)
	x4 := float64(x2 * x2)
	return math.FMA(math.FMA(c8, x2, c6), x2*x4, math.FMA(c4, x4, math.FMA(c2, x2, 1)))
}
