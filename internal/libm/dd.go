package libm

// dd is a double-double: the unevaluated sum hi+lo with |lo| ≤ ulp(hi)/2,
// about 106 bits. Every product below is converted before it is added to, so
// that no compiler fuses the two.
type dd struct{ hi, lo float64 }

// quickTwoSum returns a+b exactly, for |a| ≥ |b| or a = 0 (Dekker).
func quickTwoSum(a, b float64) dd {
	s := a + b
	return dd{s, b - (s - a)}
}

// twoSum returns a+b exactly (Knuth).
func twoSum(a, b float64) dd {
	s := a + b
	v := s - a
	return dd{s, (a - (s - v)) + (b - v)}
}

// split returns a as the sum of two halves of 26 bits (Veltkamp); |a| is
// below 2^996.
func split(a float64) (hi, lo float64) {
	c := float64((1<<27 + 1) * a)
	hi = c - (c - a)
	return hi, a - hi
}

// twoProd returns a·b exactly, barring underflow of the low part (Dekker).
func twoProd(a, b float64) dd {
	p := float64(a * b)
	ah, al := split(a)
	bh, bl := split(b)
	e := float64(ah*bh) - p
	e += float64(ah * bl)
	e += float64(al * bh)
	return dd{p, e + float64(al*bl)}
}

func (a dd) neg() dd { return dd{-a.hi, -a.lo} }

// scale returns a·p, exact for a power of two p.
func (a dd) scale(p float64) dd { return dd{float64(a.hi * p), float64(a.lo * p)} }

func (a dd) add(b dd) dd {
	s := twoSum(a.hi, b.hi)
	return quickTwoSum(s.hi, s.lo+(a.lo+b.lo))
}

func (a dd) addFloat(b float64) dd {
	s := twoSum(a.hi, b)
	return quickTwoSum(s.hi, s.lo+a.lo)
}

func (a dd) mul(b dd) dd {
	p := twoProd(a.hi, b.hi)
	cross := float64(a.hi*b.lo) + float64(a.lo*b.hi)
	return quickTwoSum(p.hi, p.lo+cross)
}

func (a dd) mulFloat(b float64) dd {
	p := twoProd(a.hi, b)
	return quickTwoSum(p.hi, p.lo+float64(a.lo*b))
}

func (a dd) div(b dd) dd {
	q := a.hi / b.hi
	r := a.add(b.mulFloat(q).neg())
	return quickTwoSum(q, r.hi/b.hi)
}

// value rounds a to float64.
func (a dd) value() float64 { return a.hi + a.lo }

// horner evaluates c[0] + c[1]·x + c[2]·x² + … in float64.
func horner(x float64, c []float64) float64 {
	var sum float64
	for i := len(c) - 1; i >= 0; i-- {
		sum = float64(sum*x) + c[i]
	}
	return sum
}

// hornerDD evaluates c[0] + c[1]·x + … + tail·x^len(c) in double-double.
func hornerDD(x dd, c []dd, tail float64) dd {
	sum := dd{hi: tail}
	for i := len(c) - 1; i >= 0; i-- {
		sum = sum.mul(x).add(c[i])
	}
	return sum
}
