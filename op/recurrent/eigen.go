package recurrent

import (
	"math"

	"github.com/litequant/litequant/internal/libm"
)

// LiteRT's LSTM kernels multiply matrices and compute tanh and logistic with Eigen,
// built for SSE without fused multiply-adds: four floats are a packet. Here are the
// same sums in the same order and the same approximations, so that results are equal.

// eigenProduct adds the products of weights [units, size] with the rows of x to
// sums. Infinite products, or sums where there is one row, become the largest floats
// (optimized_ops::FullyConnected). Eigen cuts sums of several rows that have more
// than 680 or 1016 terms, by the size of the CPU's first cache; here they are whole.
func eigenProduct(sums, w, x []float32, units, size int) {
	rows := len(sums) / units
	for i := range sums {
		row, unit := i/units, i%units
		dot := eigenOrder(rows, units, size, row, unit)
		y := dot(part(w, unit, 1, size), part(x, row, 1, size))
		if rows == 1 {
			sums[i] = finite(sums[i] + y)
		} else {
			sums[i] += finite(y)
		}
	}
}

func finite(x float32) float32 { return max(-math.MaxFloat32, min(x, math.MaxFloat32)) }

// eigenOrder returns the dot product of Eigen's for an element of a result [rows,
// units]: dot, gemv, a lazy product, and gebp_kernel's tiles of 8 and 4 units and
// single ones, those of 4 rows having several sums.
func eigenOrder(rows, units, size, row, unit int) func(w, x []float32) float32 {
	switch {
	case rows == 1 && units == 1:
		return dotPackets
	case rows == 1 || units == 1:
		return dotPacket
	case rows+units+size < 20:
		return dotTwoPackets
	case row >= rows&^3 || unit < units&^7:
		return dotInOrder
	case unit < units&^3:
		return dotAlternating
	}
	return dotFourApart
}

// fourSums returns the sums of the products of elements that are four apart, without
// the last len(x)%4.
func fourSums(w, x []float32) (a, b, c, d float32) {
	w = w[:len(x)]
	for len(x) >= 4 {
		a += float32(w[0] * x[0])
		b += float32(w[1] * x[1])
		c += float32(w[2] * x[2])
		d += float32(w[3] * x[3])
		w, x = w[4:], x[4:]
	}
	return a, b, c, d
}

// addInOrder adds the products from element first on to a sum.
func addInOrder(sum float32, w, x []float32, first int) float32 {
	w = w[:len(x)]
	for i := first; i < len(x); i++ {
		sum += float32(w[i] * x[i])
	}
	return sum
}

func dotInOrder(w, x []float32) float32 { return addInOrder(0, w, x, 0) }

// dotPacket has one packet of sums.
func dotPacket(w, x []float32) float32 {
	a, b, c, d := fourSums(w, x)
	return addInOrder((a+c)+(b+d), w, x, len(x)&^3)
}

// dotTwoPackets has two packets of sums and adds a last single one to their sum.
func dotTwoPackets(w, x []float32) float32 {
	var s [8]float32
	n := len(x) &^ 7
	interleave(s[:], w[:n], x[:n])
	s = [8]float32{s[0] + s[4], s[1] + s[5], s[2] + s[6], s[3] + s[7]}
	end := len(x) &^ 3
	interleave(s[:4], w[n:end], x[n:end])
	return addInOrder((s[0]+s[2])+(s[1]+s[3]), w, x, end)
}

// dotPackets has four packets of sums.
func dotPackets(w, x []float32) float32 {
	var s [16]float32
	end := len(x) &^ 3
	interleave(s[:], w[:end], x[:end])
	for i := 11; i >= 0; i-- {
		s[i] += s[i+4]
	}
	return addInOrder((s[0]+s[2])+(s[1]+s[3]), w, x, end)
}

// dotAlternating has a sum of even and one of odd elements.
func dotAlternating(w, x []float32) float32 {
	var s [2]float32
	end := len(x) &^ 7
	interleave(s[:], w[:end], x[:end])
	return addInOrder(s[0]+s[1], w, x, end)
}

func dotFourApart(w, x []float32) float32 {
	a, b, c, d := fourSums(w, x)
	return addInOrder((a+b)+(c+d), w, x, len(x)&^3)
}

// interleave adds the products to the sums in turn.
func interleave(sums, w, x []float32) {
	for i, v := range x {
		sums[i%len(sums)] += float32(w[i] * v)
	}
}

// logistic is Eigen's scalar_logistic_op over a vector: packets are those that are
// aligned in the result, which lies that many elements after an aligned one. What
// is left at both ends is computed with C's exp.
func logistic(dst, src []float32, after int) {
	for i, x := range src {
		dst[i] = logisticAt(x, i, len(src), after)
	}
}

// logisticAt is element i of logistic over n elements.
func logisticAt(x float32, i, n, after int) float32 {
	first := min(-after&3, n)
	if last := first + (n-first)&^3; i >= first && i < last {
		return libm.EigenLogisticf(x)
	}
	e := libm.Expf(min(x, libm.EigenLogisticTop))
	return e / (1 + e)
}
