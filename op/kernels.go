package op

import (
	"math"
	"slices"

	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/tensor"
)

// F32s and its kin are a tensor's elements, for kernels whose operand types have
// been checked.
func F32s(t tensor.Tensor) []float32 { return tensor.View[float32](t.Bytes()) }

// I8s returns int8 elements.
func I8s(t tensor.Tensor) []int8 { return tensor.View[int8](t.Bytes()) }

// I16s returns int16 elements.
func I16s(t tensor.Tensor) []int16 { return tensor.View[int16](t.Bytes()) }

// I32s returns int32 elements.
func I32s(t tensor.Tensor) []int32 { return tensor.View[int32](t.Bytes()) }

// I64s returns int64 elements.
func I64s(t tensor.Tensor) []int64 { return tensor.View[int64](t.Bytes()) }

// OptF32s returns the elements of optional operand i, nil if it is absent.
func OptF32s(in []tensor.Tensor, i int) []float32 { return opt(in, i, F32s) }

// OptI32s returns the elements of optional operand i, nil if it is absent.
func OptI32s(in []tensor.Tensor, i int) []int32 { return opt(in, i, I32s) }

func opt[T any](in []tensor.Tensor, i int, view func(tensor.Tensor) []T) []T {
	if i >= len(in) {
		return nil
	}
	return view(in[i])
}

// BiasValues is an optional int32 or int64 bias.
type BiasValues struct {
	narrow []int32
	wide   []int64
}

// BiasOperand returns optional operand i as a bias; an absent one adds zero.
func BiasOperand(in []tensor.Tensor, i int) BiasValues {
	switch {
	case i >= len(in):
		return BiasValues{}
	case in[i].DType() == tensor.Int64:
		return BiasValues{wide: I64s(in[i])}
	}
	return BiasValues{narrow: I32s(in[i])}
}

// At returns the bias of channel c.
func (b BiasValues) At(c int) int64 {
	switch {
	case b.narrow != nil:
		return int64(b.narrow[c])
	case b.wide != nil:
		return b.wide[c]
	}
	return 0
}

// AllEqual reports whether all scales are the same: TFLite then takes them for
// one per-tensor scale.
func AllEqual(scales []float32) bool {
	return !slices.ContainsFunc(scales, func(s float32) bool { return s != scales[0] })
}

// QuantizeSymmetric is SymmetricQuantizeFloats: q = round(x·127/r) within ±127 for
// r = max|x|. An all-zero input has scale 1.
func QuantizeSymmetric(x []float32, q []int8) (scale float32, zero int32) {
	lo, hi := minMax(x)
	r := max(-lo, hi)
	if r == 0 {
		clear(q[:len(x)])
		return 1, 0
	}
	quantizeAll(x, q, 127/r, 0, -127)
	return r / 127, 0
}

// QuantizeAsymmetric is AsymmetricQuantizeFloats: the range includes zero, the
// zero point is nudged towards the end whose error is smaller. LiteRT takes the
// scale in float32.
func QuantizeAsymmetric(x []float32, q []int8) (scale float32, zero int32) {
	const qmin, qmax = -128, 127
	lo, hi := minMax(x)
	rmin, rmax := min(0, lo), max(0, hi)
	if rmin == rmax {
		clear(q[:len(x)])
		return 1, 0
	}
	scale = (rmax - rmin) / (qmax - qmin)
	toMin, toMax := float64(rmin)/float64(scale), float64(rmax)/float64(scale)
	fromMin, fromMax := qmin-toMin, qmax-toMax
	errMin, errMax := 128-toMin, 127+toMax
	z := fromMax
	if errMin < errMax {
		z = fromMin
	}
	switch {
	case z <= qmin:
		zero = qmin
	case z >= qmax:
		zero = qmax
	default:
		zero = fixed.ToInt32(fixed.Round(z))
	}
	quantizeAll(x, q, 1/scale, zero, qmin)
	return scale, zero
}

// quantizeAll is q = round(x·inv) + zero within [lowest, 127]. LiteRT's kernel takes
// blocks of eight, in which a half is added in float32 and the sum truncated: the
// largest number below one half becomes one. The rest is rounded exactly.
func quantizeAll(x []float32, q []int8, inv float32, zero, lowest int32) {
	const half, sign, near = 0x3f000000, 1 << 31, 1 << 20
	blocks := len(x) &^ 7
	q = q[:len(x)]
	for i, v := range x[:blocks] {
		p := float32(v * inv)
		p += math.Float32frombits(math.Float32bits(p)&sign | half)
		n := int32(p)
		if !(p > -near && p < near) {
			n = fixed.ToInt32(p)
		}
		q[i] = int8(min(max(n+zero, lowest), 127))
	}
	for i := blocks; i < len(x); i++ {
		q[i] = int8(min(max(fixed.ToInt32(fixed.Round(float32(x[i]*inv)))+zero, lowest), 127))
	}
}

func minMax(x []float32) (lo, hi float32) {
	if len(x) == 0 {
		return 0, 0
	}
	lo, hi = x[0], x[0]
	for _, v := range x[1:] {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	return lo, hi
}
