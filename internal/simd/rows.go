package simd

// Element-wise rows. Slices other than dst are at least as long as dst; dst may
// be any of them. Every level gives the same bits.

// rowPiece bounds the elements of one call of an assembly kernel.
const rowPiece = 1 << 14

// vectorLen rounds n down to whole vectors of step elements, a power of two.
func vectorLen(n, step int) int { return n &^ (step - 1) }

// AddF32 computes dst[i] = x[i] + y[i].
func (lv *Level) AddF32(dst, x, y []float32) { binaryRow(lv.addF32, addF32, 8, dst, x, y) }

// MaxF32 computes dst[i] = y[i] if y[i] > x[i], else x[i], as std::max(x, y).
func (lv *Level) MaxF32(dst, x, y []float32) { binaryRow(lv.maxF32, maxF32, 8, dst, x, y) }

// ReluGradF32 computes dst[i] = g[i] if y[i] > 0, else 0.
func (lv *Level) ReluGradF32(dst, g, y []float32) {
	binaryRow(lv.reluGradF32, reluGradF32, 8, dst, g, y)
}

// MaxU8 computes dst[i] = max(x[i], y[i]).
func (lv *Level) MaxU8(dst, x, y []uint8) { binaryRow(lv.maxU8, maxRow[uint8], 32, dst, x, y) }

// MaxI8 computes dst[i] = max(x[i], y[i]).
func (lv *Level) MaxI8(dst, x, y []int8) { binaryRow(lv.maxI8, maxRow[int8], 32, dst, x, y) }

// binaryRow gives whole vectors of step elements to kernel and the rest to loop.
func binaryRow[T any](kernel, loop func(dst, x, y []T), step int, dst, x, y []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	v := vectorLen(len(dst), step)
	for i := 0; i < v; i += rowPiece {
		j := min(i+rowPiece, v)
		kernel(dst[i:j], x[i:j], y[i:j])
	}
	loop(dst[v:], x[v:], y[v:])
}

// ClampF32 computes dst[i] = min(max(x[i], lo), hi); NaN stays.
func (lv *Level) ClampF32(dst, x []float32, lo, hi float32) {
	x = x[:len(dst)]
	v := vectorLen(len(dst), 8)
	for i := 0; i < v; i += rowPiece {
		j := min(i+rowPiece, v)
		lv.clampF32(dst[i:j], x[i:j], lo, hi)
	}
	clampF32(dst[v:], x[v:], lo, hi)
}

// AxpyF32 computes dst[i] += alpha*x[i], rounding the product.
func (lv *Level) AxpyF32(dst, x []float32, alpha float32) {
	x = x[:len(dst)]
	v := vectorLen(len(dst), 8)
	for i := 0; i < v; i += rowPiece {
		j := min(i+rowPiece, v)
		lv.axpyF32(dst[i:j], x[i:j], alpha)
	}
	axpyF32(dst[v:], x[v:], alpha)
}

// ReduceMaxF32 returns the greatest element of x, ignoring NaN; -Inf if there is
// none. Which zero it returns for zeros of both signs is unspecified.
func (lv *Level) ReduceMaxF32(x []float32) float32 {
	v := vectorLen(len(x), 8)
	greatest := reduceMaxF32(x[v:])
	for i := 0; i < v; i += rowPiece {
		greatest = max(greatest, lv.reduceMaxF32(x[i:min(i+rowPiece, v)]))
	}
	return greatest
}

// AdamF32 updates the variables w and their moments m and v by the gradients g
// as Keras's Adam does, every operation rounded to float32:
//
//	m += (g-m)*c1; v += (g²-v)*c2; w -= (m*alpha) / (sqrt(v)+eps)
//
// where c1 = 1-beta1, c2 = 1-beta2 and alpha = lr*sqrt(1-beta2^t)/(1-beta1^t).
func (lv *Level) AdamF32(w, m, v, g []float32, alpha, c1, c2, eps float32) {
	n := len(w)
	m, v, g = m[:n], v[:n], g[:n]
	b := vectorLen(n, 8)
	for i := 0; i < b; i += rowPiece {
		j := min(i+rowPiece, b)
		lv.adamF32(w[i:j], m[i:j], v[i:j], g[i:j], alpha, c1, c2, eps)
	}
	adamF32(w[b:], m[b:], v[b:], g[b:], alpha, c1, c2, eps)
}

// FlipI8 computes dst[i] = x[i] ^ 0x80: int8 to uint8 with a zero point raised by
// 128, and back.
func (lv *Level) FlipI8(dst, x []byte) {
	x = x[:len(dst)]
	v := vectorLen(len(dst), 32)
	for i := 0; i < v; i += rowPiece {
		j := min(i+rowPiece, v)
		lv.flipI8(dst[i:j], x[i:j])
	}
	flipI8(dst[v:], x[v:])
}

// WidenU8 computes dst[i] = x[i].
func (lv *Level) WidenU8(dst []int16, x []uint8) {
	x = x[:len(dst)]
	v := vectorLen(len(dst), 16)
	for i := 0; i < v; i += rowPiece {
		j := min(i+rowPiece, v)
		lv.widenU8(dst[i:j], x[i:j])
	}
	widenU8(dst[v:], x[v:])
}
