package recurrent

import (
	"math"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// matrix is the weights of a product: float, or int8 with one scale. A diagonal
// one holds only its diagonal and is float. The zero matrix is absent weights.
type matrix struct {
	f        []float32
	q        []int8
	scale    float32
	diagonal bool
}

// matrixOf returns operand i, or the zero matrix if it is absent or i is -1.
func matrixOf(in []tensor.Tensor, i int) matrix {
	if i < 0 || i >= len(in) || len(in[i].Bytes()) == 0 {
		return matrix{}
	}
	t := in[i]
	if hybrid(t.DType()) {
		return matrix{q: op.I8s(t), scale: t.Quant().Scale()}
	}
	return matrix{f: op.F32s(t), diagonal: len(t.Shape()) == 1}
}

func (m *matrix) present() bool { return m.f != nil || m.q != nil }

// at returns weight i as a float.
func (m *matrix) at(i int) float32 {
	if m.q != nil {
		return float32(m.scale * float32(m.q[i]))
	}
	return m.f[i]
}

// row returns row i of size weights as floats, in the memory of row if need be.
func (m *matrix) row(i, size int, row []float32) []float32 {
	if m.q == nil {
		return part(m.f, i, 1, size)
	}
	for k := range row {
		row[k] = m.at(i*size + k)
	}
	return row
}

// vectors are the right operands of a step's products: rows of one size, for int8
// weights also quantized, each row by itself.
type vectors struct {
	x    []float32
	size int
	// zero marks rows that are all zero, where products are skipped.
	zero bool

	q     []int8
	scale []float32
	point []int32
}

// reserve lays out the memory to quantize n rows of the given size.
func (v *vectors) reserve(m *memory, n, size int) {
	v.q, v.scale, v.point = take[int8](m, n*size), take[float32](m, n), take[int32](m, n)
}

// set makes v the rows x.
func (v *vectors) set(x []float32, size int, skipZero bool) {
	v.x, v.size = x, size
	v.zero = skipZero && isZero(x)
}

// quantize gives every row its own scale and, if asymmetric, zero point.
func (v *vectors) quantize(asymmetric bool) {
	if v.zero {
		return
	}
	quantize := op.QuantizeSymmetric
	if asymmetric {
		quantize = op.QuantizeAsymmetric
	}
	for r := range len(v.x) / v.size {
		v.scale[r], v.point[r] = quantize(part(v.x, r, 1, v.size), part(v.q, r, 1, v.size))
	}
}

// isZero is NeonIsZeroVector, to which NaN counts as zero where four are compared at
// once.
func isZero(x []float32) bool {
	fours := len(x) &^ 3
	for i, v := range x {
		if v > 0 || v < 0 || v != v && i >= fours {
			return false
		}
	}
	return true
}

// product adds the products of float weights [units, size] with each of the rows x
// to sums.
type product func(sums, w, x []float32, units, size int)

// accumulate adds the products of the weights with each of v's rows to sums,
// whose rows have the given number of units.
func (m *matrix) accumulate(sums []float32, units int, v *vectors, float product) {
	if !m.present() || v.zero {
		return
	}
	if m.f != nil && !m.diagonal {
		float(sums, m.f, v.x, units, v.size)
		return
	}
	for r := range len(sums) / units {
		sum := part(sums, r, 1, units)
		if m.diagonal {
			for u, x := range part(v.x, r, 1, units) {
				sum[u] += float32(m.f[u] * x)
			}
			continue
		}
		scale, x := float32(v.scale[r]*m.scale), part(v.q, r, 1, v.size)
		for u := range sum {
			sum[u] += float32(float32(dot(part(m.q, u, 1, v.size), x, v.point[r])) * scale)
		}
	}
}

// dot is Σ w·(x − zero).
func dot[W, X int8 | int16](w []W, x []X, zero int32) int32 {
	sum := int32(0)
	for i, v := range x {
		sum += int32(w[i]) * (int32(v) - zero)
	}
	return sum
}

// neonProduct is the product of TFLite's NEON kernels, which are translated to SSE
// on x86: four sums, and what is left of a row one by one.
func neonProduct(sums, w, x []float32, units, size int) {
	for i := range sums {
		sums[i] = neonDot(sums[i], part(w, i%units, 1, size), part(x, i/units, 1, size))
	}
}

// neonDot adds the products of w and x to a sum.
func neonDot(sum float32, w, x []float32) float32 {
	a, b, c, d := fourSums(w, x)
	return addInOrder(sum+(a+b+c+d), w, x, len(x)&^3)
}

// neonSum is Σ x in the order of neonDot.
func neonSum(x []float32) float32 {
	var s [4]float32
	end := len(x) &^ 3
	for i, v := range x[:end] {
		s[i%4] += v
	}
	sum := s[0] + s[1] + s[2] + s[3]
	for _, v := range x[end:] {
		sum += v
	}
	return sum
}

// spread repeats a bias over rows; without one the rows become zero.
func spread[T float32 | int32](rows, bias []T) {
	if bias == nil {
		clear(rows)
		return
	}
	for len(rows) > 0 {
		rows = rows[copy(rows, bias):]
	}
}

// normalize is a layer normalization of each row: MeanStddevNormalization, then
// the coefficients and the bias.
func normalize(rows, coefficients, bias []float32) {
	const guard = 1e-8
	size := len(coefficients)
	for r := range len(rows) / size {
		x := part(rows, r, 1, size)
		sum := float32(0)
		for _, v := range x {
			sum += v
		}
		mean := sum / float32(size)
		sum = 0
		for _, v := range x {
			sum += float32((v - mean) * (v - mean))
		}
		variance := sum / float32(size)
		inverse := 1 / float32(math.Sqrt(float64(variance+guard)))
		for i, v := range x {
			x[i] = float32(float32((v-mean)*inverse)*coefficients[i]) + bias[i]
		}
	}
}
