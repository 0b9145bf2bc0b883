package spectral

import (
	"math"
	"math/bits"

	"github.com/litequant/litequant/internal/libm"
)

// transform is the discrete Fourier transform of n complex numbers, n a power of
// two: X[k] = Σ x[j]·exp(−2πi·jk/n). It holds the roots of unity.
type transform struct {
	n        int
	cos, sin []float64 // of 2πk/n for k < n/2
}

// resize prepares the transform for n numbers.
func (t *transform) resize(n int) {
	if t.n == n {
		return
	}
	t.n = n
	t.cos, t.sin = make([]float64, n/2), make([]float64, n/2)
	for k := range t.cos {
		angle := 2 * math.Pi * float64(k) / float64(n)
		t.cos[k], t.sin[k] = libm.Cos(angle), libm.Sin(angle)
	}
}

// forward transforms in place, by decimation in time.
func (t *transform) forward(re, im []float64) {
	n := t.n
	re, im = re[:n], im[:n]
	shift := 64 - bits.Len(uint(n-1))
	for i := range n {
		if j := int(bits.Reverse64(uint64(i)) >> shift); n > 1 && i < j {
			re[i], re[j] = re[j], re[i]
			im[i], im[j] = im[j], im[i]
		}
	}
	for half := 1; half < n; half *= 2 {
		step := n / (2 * half)
		for start := 0; start < n; start += 2 * half {
			for k := range half {
				a, b := start+k, start+k+half
				c, s := t.cos[k*step], t.sin[k*step]
				x := float64(re[b]*c) + float64(im[b]*s)
				y := float64(im[b]*c) - float64(re[b]*s)
				re[a], re[b] = re[a]+x, re[a]-x
				im[a], im[b] = im[a]+y, im[a]-y
			}
		}
	}
}
