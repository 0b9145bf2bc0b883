package quantize

import (
	"math"
	"slices"

	"github.com/litequant/litequant/calibrate"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/tensor"
)

// params are quantization parameters while they are being worked out. Scales are
// doubles, as in the converter; files hold them rounded to float.
type params struct {
	dtype  tensor.DType
	scales []float64
	zeros  []int64
	axis   int // -1 for one scale
	narrow bool
}

func perTensor(d tensor.DType, scale float64, zero int64) *params {
	return &params{dtype: d, scales: []float64{scale}, zeros: []int64{zero}, axis: -1}
}

func (p *params) equal(q *params) bool {
	return p == q || p != nil && q != nil && p.dtype == q.dtype && p.axis == q.axis && p.narrow == q.narrow &&
		slices.Equal(p.scales, q.scales) && slices.Equal(p.zeros, q.zeros)
}

// quant returns the parameters as a file holds them.
func (p *params) quant() tensor.Quant {
	q := tensor.Quant{Scales: make([]float32, len(p.scales)), ZeroPoints: slices.Clone(p.zeros), Axis: max(p.axis, 0)}
	for i, s := range p.scales {
		q.Scales[i] = float32(s)
	}
	return q
}

// withScales returns the same parameters on other scales.
func (p *params) withScales(s []float64) *params {
	q := *p
	q.scales = s
	return &q
}

// nearZero is kNearZeroTolerance: narrower ranges are widened.
const nearZero = 1e-6

// activation8 returns the parameters of a measured value (ConvertStatsToQDQs): the
// range includes zero; one narrower than nearZero grows by that much on each side.
func activation8(r calibrate.Range) *params {
	lo, hi := min(float64(r.Min), 0), max(float64(r.Max), 0)
	if hi-lo < nearZero {
		lo, hi = lo-nearZero, hi+nearZero
	}
	return asymmetric8(lo, hi)
}

// constant8 returns the parameters of a constant that is no weight: its own range
// with zero; nil if an element is not finite.
func constant8(x []float32) *params {
	if len(x) == 0 || !finite(x) {
		return nil
	}
	lo, hi := 0.0, 0.0
	for _, v := range x {
		lo, hi = min(lo, float64(v)), max(hi, float64(v))
	}
	lo, hi = expand(lo, hi)
	return asymmetric8(lo, hi)
}

// expand is ExpandVerySmallRange: a range of at most nearZero is widened to
// straddle zero with half of that on each side.
func expand(lo, hi float64) (float64, float64) {
	if hi-lo > nearZero {
		return lo, hi
	}
	return min(lo, -nearZero/2), max(hi, nearZero/2)
}

// asymmetric8 is DownCastScale for int8: the scale is computed in float, the zero
// point from it in double and rounded to float before it is rounded to an integer.
func asymmetric8(lo, hi float64) *params {
	scale := float64((float32(hi) - float32(lo)) / 255)
	z := float32(-128 - lo/scale)
	switch {
	case z < -128:
		z = -128
	case z > 127:
		z = 127
	}
	return perTensor(tensor.Int8, scale, int64(fixed.Round(z)))
}

// weight8 returns the symmetric parameters of int8 weights in ±127 along axis, or
// for the whole tensor if axis is negative. legacy computes the scale in float.
// It returns nil if an element is not finite or there is none.
func weight8(x []float32, s tensor.Shape, axis int, legacy bool) *params {
	if len(x) == 0 || axis >= len(s) || !finite(x) {
		return nil
	}
	tops := maxAbs(x, s, axis)
	p := &params{dtype: tensor.Int8, scales: make([]float64, len(tops)), zeros: make([]int64, len(tops)), axis: axis, narrow: true}
	for i, m := range tops {
		lo, hi := expand(-float64(m), float64(m))
		if p.scales[i] = (hi - lo) / 254; legacy {
			p.scales[i] = float64((float32(hi) - float32(lo)) / 254)
		}
	}
	return p
}

// maxAbs returns the greatest magnitude along axis, or of all if it is negative.
func maxAbs(x []float32, s tensor.Shape, axis int) []float32 {
	n, inner := channels(s, axis)
	tops := make([]float32, n)
	eachRun(len(x), n, inner, func(c, from, to int) {
		m := tops[c]
		for _, v := range x[from:to] {
			m = max(m, float32(math.Abs(float64(v))))
		}
		tops[c] = m
	})
	return tops
}

// channels returns the number of indices of axis and the number of consecutive
// elements that share one; a negative axis is one channel of everything.
func channels(s tensor.Shape, axis int) (n, inner int) {
	inner = 1
	for _, d := range s[max(axis+1, 0):] {
		inner *= d
	}
	if axis < 0 {
		return 1, max(inner, 1)
	}
	return s[axis], inner
}

// eachRun visits the runs [from,to) of consecutive elements of one channel.
func eachRun(total, n, inner int, f func(c, from, to int)) {
	for at, c := 0, 0; at < total; at += inner {
		f(c, at, at+inner)
		if c++; c == n {
			c = 0
		}
	}
}

// bias32 returns the int32 parameters of a bias that is added to the product of
// values with parameters a and b: scales multiply in double and are rounded to
// float. It returns nil if the numbers of channels differ.
func bias32(a, b *params) *params {
	if len(a.scales) > 1 && len(b.scales) > 1 && len(a.scales) != len(b.scales) {
		return nil
	}
	n := max(len(a.scales), len(b.scales))
	p := &params{dtype: tensor.Int32, scales: make([]float64, n), zeros: make([]int64, n), axis: -1}
	if n > 1 {
		p.axis = 0
	}
	for i := range p.scales {
		p.scales[i] = float64(float32(a.scales[min(i, len(a.scales)-1)] * b.scales[min(i, len(b.scales)-1)]))
	}
	return p
}

func finite(x []float32) bool {
	return !slices.ContainsFunc(x, func(v float32) bool { return v-v != 0 })
}
