package quantize

import (
	"math"

	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/tensor"
)

// legacyConstant quantizes a constant as the converter does after calibration
// (QuantizeLegacy).
func legacyConstant(x []float32, s tensor.Shape, p *params) []byte {
	switch {
	case p.dtype == tensor.Int32:
		return symmetricBias[int32](x, p.quant().Scales, math.MaxInt32)
	case p.dtype == tensor.Int8 && p.narrow && p.axis < 0:
		// The range is taken from the content again unless the scale says clearly
		// that it has been changed.
		if r := maxAbs(x, s, -1)[0]; math.Abs(float64(r/127)-p.scales[0]) <= 1e-3 {
			return symmetric8(x, s, -1, []float32{inverse(127, r)})
		}
	case p.dtype == tensor.Int8 && p.narrow:
		inv := make([]float32, len(p.scales))
		for i, scale := range p.scales {
			inv[i] = float32(1 / float64(float32(scale)))
		}
		return symmetric8(x, s, p.axis, inv)
	}
	return affine8(x, s, p)
}

// inverse is a/r, 0 for r = 0.
func inverse(a, r float32) float32 {
	if r == 0 {
		return 0
	}
	return a / r
}

// symmetric8 multiplies by the inverse scale in float, rounds halves away from
// zero and clamps to ±127.
func symmetric8(x []float32, s tensor.Shape, axis int, inv []float32) []byte {
	q := make([]int8, len(x))
	n, inner := channels(s, axis)
	eachRun(len(x), n, inner, func(c, from, to int) {
		k := inv[c]
		for i, v := range x[from:to] {
			q[from+i] = int8(min(max(fixed.Round(v*k), -127), 127))
		}
	})
	return tensor.BytesOf(q)
}

// affine8 divides by the scale in double, adds the zero point, rounds halves away
// from zero and clamps (UniformQuantizedValueConverter).
func affine8(x []float32, s tensor.Shape, p *params) []byte {
	lo, hi := -128.0, 127.0
	if p.narrow {
		lo = -127
	}
	q := make([]int8, len(x))
	n, inner := channels(s, p.axis)
	eachRun(len(x), n, inner, func(c, from, to int) {
		scale, zero := p.scales[c], float64(p.zeros[c])
		for i, v := range x[from:to] {
			q[from+i] = int8(min(max(math.Round(float64(v)/scale+zero), lo), hi))
		}
	})
	return tensor.BytesOf(q)
}

// symmetric16 is SymmetricQuantizeFloatsToInt16: within ±32767, zero point 0.
func symmetric16(x []float32, scale float32) []byte {
	inv := float32(0)
	if scale != 0 {
		inv = float32(1 / float64(scale))
	}
	q := make([]int16, len(x))
	for i, v := range x {
		q[i] = int16(min(max(fixed.Round(v*inv), -32767), 32767))
	}
	return tensor.BytesOf(q)
}

// symmetricBias is SymmetricBiasQuantize: one scale for all or one an element;
// saturates at ±most.
func symmetricBias[T int32 | int64](x, scales []float32, most T) []byte {
	q := make([]T, len(x))
	for i, v := range x {
		scale := scales[min(i, len(scales)-1)]
		inv := float32(0)
		if scale != 0 {
			inv = float32(1 / float64(scale))
		}
		switch r := float64(fixed.Round(v * inv)); {
		case r >= float64(most):
			q[i] = most
		case r <= -float64(most):
			q[i] = -most
		case r == r:
			q[i] = T(r)
		}
	}
	return tensor.BytesOf(q)
}

// half converts to float16, clamped to its finite range.
func half(x []float32) []byte {
	const most = 65504
	h := make([]uint16, len(x))
	for i, v := range x {
		if v == v {
			v = min(max(v, -most), most)
		}
		h[i] = tensor.Float32ToFloat16(v)
	}
	return tensor.BytesOf(h)
}
