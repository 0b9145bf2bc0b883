package simd

import "fmt"

// Requant turns int32 sums into 8-bit values by TensorFlow Lite's reference
// rule: MultiplyByQuantizedMultiplier with double rounding, plus the zero
// point, clamped.
type Requant struct {
	mult, left, right []int32 // padded to panels with zeros
	n                 int
	zp, lo, hi        int32
}

// NewRequant prepares n channels. mult and shift have n elements or one for
// all; a positive shift is a left shift (fixed.QuantizeMultiplier's form).
// mult is not negative and shift lies in [-31, 31]. Results are
// clamp(x+zp, lo, hi) in int8's or uint8's range; their low byte is stored.
func NewRequant(n int, mult, shift []int32, zp, lo, hi int32) (*Requant, error) {
	if len(mult) != len(shift) || len(mult) != 1 && len(mult) != n {
		return nil, fmt.Errorf("simd: %d multipliers and %d shifts for %d channels", len(mult), len(shift), n)
	}
	if lo > hi || lo < -128 || hi > 255 || hi-lo > 255 {
		return nil, fmt.Errorf("simd: [%d, %d] is no range of bytes", lo, hi)
	}
	padded := roundUp(n, maxNR)
	all := make([]int32, 3*padded)
	q := &Requant{n: n, zp: zp, lo: lo, hi: hi,
		mult: all[:padded:padded], left: all[padded : 2*padded : 2*padded], right: all[2*padded:]}
	for j := range n {
		c := j % len(mult)
		if mult[c] < 0 || shift[c] < -31 || shift[c] > 31 {
			return nil, fmt.Errorf("simd: channel %d: multiplier %d, shift %d is out of range", j, mult[c], shift[c])
		}
		q.mult[j], q.left[j], q.right[j] = mult[c], max(shift[c], 0), max(-shift[c], 0)
	}
	return q, nil
}

// Requant requantizes rows of acc, lda apart, into rows of dst, ldd apart, for
// channels [j0, j0+cols).
func (lv *Level) Requant(q *Requant, dst []byte, ldd int, acc []int32, lda, rows, j0, cols int) {
	need("requantized rows", dst, rows, cols, ldd)
	need("sums", acc, rows, cols, lda)
	if rows <= 0 || cols <= 0 {
		return
	}
	mult, left, right := q.mult[j0:], q.left[j0:], q.right[j0:]
	body := vectorLen(cols, lv.requant.step)
	if body > 0 {
		_ = mult[body-1]
		n := max(rowPiece/body, 1)
		for i := 0; i < rows; i += n {
			lv.requant.run(dst[i*ldd:], ldd, acc[i*lda:], lda, mult, left, right, min(n, rows-i), body, q.zp, q.lo, q.hi)
		}
	}
	if body < cols {
		requantRows(dst[body:], ldd, acc[body:], lda, mult[body:], left[body:], right[body:], rows, cols-body, q.zp, q.lo, q.hi)
	}
}
