package simd

import (
	"math"

	"github.com/litequant/litequant/internal/fixed"
)

// genericNR is the width of the generic level's panels.
const genericNR = 8

// gemmF32Rows computes, for i < rows and j < nr,
//
//	c[i*ldc+j] = min(max(init[i*ldi+j] + Σ_s a[i*lda+s]*b[s*nr+j], lo), hi)
//
// summing in order of s < k. c may be init.
func gemmF32Rows(c []float32, ldc int, a []float32, lda int, b, init []float32, ldi, rows, k int, lo, hi float32) {
	gemmF32Strided(c, ldc, a, lda, 1, b, init, ldi, rows, k, lo, hi)
}

// gemmF32Trans is gemmF32Rows with a[s*lda+i] in place of a[i*lda+s].
func gemmF32Trans(c []float32, ldc int, a []float32, lda int, b, init []float32, ldi, rows, k int, lo, hi float32) {
	gemmF32Strided(c, ldc, a, 1, lda, b, init, ldi, rows, k, lo, hi)
}

// gemmF32Strided reads A at a[i*rowStride+s*stepStride]. The sums are eight
// variables because an array would not live in registers.
func gemmF32Strided(c []float32, ldc int, a []float32, rowStride, stepStride int, b, init []float32, ldi, rows, k int, lo, hi float32) {
	for i := range rows {
		in := (*[genericNR]float32)(init[i*ldi:])
		c0, c1, c2, c3, c4, c5, c6, c7 := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]
		at := i * rowStride
		for rest := b[:k*genericNR]; len(rest) >= genericNR; rest = rest[genericNR:] {
			x, w := a[at], (*[genericNR]float32)(rest)
			c0 += float32(x * w[0])
			c1 += float32(x * w[1])
			c2 += float32(x * w[2])
			c3 += float32(x * w[3])
			c4 += float32(x * w[4])
			c5 += float32(x * w[5])
			c6 += float32(x * w[6])
			c7 += float32(x * w[7])
			at += stepStride
		}
		acc := [genericNR]float32{c0, c1, c2, c3, c4, c5, c6, c7}
		clampF32(c[i*ldc:][:genericNR], acc[:], lo, hi)
	}
}

// gemmU8Rows computes, for i < rows and j < nr,
//
//	c[i*ldc+j] = init[i*ldi+j] + Σ_s Σ_{t<4} a[i*lda+4s+t]*b[(s*nr+j)*4+t]
//
// in wrapping int32 arithmetic, s < k.
func gemmU8Rows(c []int32, ldc int, a []uint8, lda int, b []int8, init []int32, ldi, rows, k int) {
	for i := range rows {
		acc := [genericNR]int32(init[i*ldi:])
		row := a[i*lda:][:4*k]
		for s := range k {
			x0, x1, x2, x3 := int32(row[4*s]), int32(row[4*s+1]), int32(row[4*s+2]), int32(row[4*s+3])
			w := (*[4 * genericNR]int8)(b[s*4*genericNR:])
			for j := range genericNR {
				acc[j] += x0*int32(w[4*j]) + x1*int32(w[4*j+1]) + x2*int32(w[4*j+2]) + x3*int32(w[4*j+3])
			}
		}
		*(*[genericNR]int32)(c[i*ldc:]) = acc
	}
}

// gemmI16Rows computes, for i < rows and j < nr,
//
//	c[i*ldc+j] = init[i*ldi+j] + Σ_s Σ_{t<2} a[i*lda+2s+t]*b[(s*nr+j)*2+t]
//
// in wrapping int32 arithmetic, s < k.
func gemmI16Rows(c []int32, ldc int, a []int16, lda int, b []int16, init []int32, ldi, rows, k int) {
	for i := range rows {
		acc := [genericNR]int32(init[i*ldi:])
		row := a[i*lda:][:2*k]
		for s := range k {
			x0, x1 := int32(row[2*s]), int32(row[2*s+1])
			w := (*[2 * genericNR]int16)(b[s*2*genericNR:])
			for j := range genericNR {
				acc[j] += x0*int32(w[2*j]) + x1*int32(w[2*j+1])
			}
		}
		*(*[genericNR]int32)(c[i*ldc:]) = acc
	}
}

// requantRows computes, for i < rows and j < cols, the low byte of
//
//	clamp(MultiplyByQuantizedMultiplier(acc[i*lda+j], mult[j], left[j]-right[j]) + zp, lo, hi)
//
// where one of left and right is 0 and neither exceeds 31.
func requantRows(dst []byte, ldd int, acc []int32, lda int, mult, left, right []int32, rows, cols int, zp, lo, hi int32) {
	for i := range rows {
		out, in := dst[i*ldd:][:cols], acc[i*lda:][:cols]
		for j, x := range in {
			v := fixed.MultiplyByQuantizedMultiplier(x, mult[j], int(left[j]-right[j])) + zp
			out[j] = byte(min(max(v, lo), hi))
		}
	}
}

// addF32 computes dst[i] = x[i] + y[i].
func addF32(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] + y[i]
	}
}

// maxF32 computes dst[i] = y[i] if y[i] > x[i], else x[i].
func maxF32(dst, x, y []float32) { maxRow(dst, x, y) }

// maxRow computes dst[i] = y[i] if y[i] > x[i], else x[i].
func maxRow[T float32 | uint8 | int8 | int16](dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range x {
		if y[i] > v {
			v = y[i]
		}
		dst[i] = v
	}
}

// reluGradF32 computes dst[i] = y[i] > 0 ? x[i] : 0.
func reluGradF32(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range x {
		if !(y[i] > 0) {
			v = 0
		}
		dst[i] = v
	}
}

// reduceMaxF32 returns the greatest of x, -Inf if there is none; NaN never is.
func reduceMaxF32(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

// clampF32 computes dst[i] = min(max(x[i], lo), hi) with std::min and std::max:
// a NaN stays, and so does the sign of a zero that equals a bound.
func clampF32(dst, x []float32, lo, hi float32) {
	x = x[:len(dst)]
	for i, v := range x {
		if v < lo {
			v = lo
		}
		if hi < v {
			v = hi
		}
		dst[i] = v
	}
}

// axpyF32 computes dst[i] += alpha*x[i], both operations rounded.
func axpyF32(dst, x []float32, alpha float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] += float32(alpha * v)
	}
}

// adamF32 computes, every operation rounded,
//
//	m += (g-m)*c1; v += (g²-v)*c2; dst -= (m*alpha) / (sqrt(v)+eps)
func adamF32(dst, m, v, g []float32, alpha, c1, c2, eps float32) {
	m, v, g = m[:len(dst)], v[:len(dst)], g[:len(dst)]
	for i, x := range g {
		m[i] += float32((x - m[i]) * c1)
		v[i] += float32((float32(x*x) - v[i]) * c2)
		dst[i] -= float32(m[i]*alpha) / (float32(math.Sqrt(float64(v[i]))) + eps)
	}
}

// flipI8 computes dst[i] = x[i] ^ 0x80.
func flipI8(dst, x []byte) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = v ^ 0x80
	}
}

// widenU8 computes dst[i] = x[i].
func widenU8(dst []int16, x []uint8) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = int16(v)
	}
}
