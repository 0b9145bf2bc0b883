//go:build amd64 && !purego

package simd

// Stubs of the generated assembly. Each equals the Go loop named in its
// comment, on whole vectors; all lengths and strides are checked by callers.

// gemmF32Rows with nr = 16, fused multiply-adds.
//
//go:noescape
func gemmF32AVX2(c []float32, ldc int, a []float32, lda int, b, init []float32, ldi, rows, k int, lo, hi float32)

// gemmF32Trans with nr = 16, fused multiply-adds.
//
//go:noescape
func gemmF32TransAVX2(c []float32, ldc int, a []float32, lda int, b, init []float32, ldi, rows, k int, lo, hi float32)

// gemmF32Rows with nr = 32, fused multiply-adds.
//
//go:noescape
func gemmF32AVX512(c []float32, ldc int, a []float32, lda int, b, init []float32, ldi, rows, k int, lo, hi float32)

// gemmF32Trans with nr = 32, fused multiply-adds.
//
//go:noescape
func gemmF32TransAVX512(c []float32, ldc int, a []float32, lda int, b, init []float32, ldi, rows, k int, lo, hi float32)

// gemmU8Rows with nr = 32.
//
//go:noescape
func gemmU8VNNI(c []int32, ldc int, a []uint8, lda int, b []int8, init []int32, ldi, rows, k int)

// gemmI16Rows with nr = 16.
//
//go:noescape
func gemmI16AVX2(c []int32, ldc int, a []int16, lda int, b []int16, init []int32, ldi, rows, k int)

// requantRows for cols a multiple of 8.
//
//go:noescape
func requantAVX2(dst []byte, ldd int, acc []int32, lda int, mult, left, right []int32, rows, cols int, zp, lo, hi int32)

// requantRows for cols a multiple of 16.
//
//go:noescape
func requantAVX512(dst []byte, ldd int, acc []int32, lda int, mult, left, right []int32, rows, cols int, zp, lo, hi int32)

// dst[s*ldd+r] = x[r*ldx+s] for r < 8 and s < k, k a positive multiple of 8.
//
//go:noescape
func transpose8F32AVX2(dst []float32, ldd int, x []float32, ldx, k int)

//go:noescape
func addF32AVX2(dst, x, y []float32)

//go:noescape
func maxF32AVX2(dst, x, y []float32)

//go:noescape
func reluGradF32AVX2(dst, x, y []float32)

//go:noescape
func reduceMaxF32AVX2(x []float32) float32

//go:noescape
func maxU8AVX2(dst, x, y []uint8)

//go:noescape
func maxI8AVX2(dst, x, y []int8)

//go:noescape
func clampF32AVX2(dst, x []float32, lo, hi float32)

//go:noescape
func axpyF32AVX2(dst, x []float32, alpha float32)

//go:noescape
func adamF32AVX2(dst, m, v, g []float32, alpha, c1, c2, eps float32)

//go:noescape
func flipI8AVX2(dst, x []byte)

// widenU8 for len(dst) a multiple of 16.
//
//go:noescape
func widenU8AVX2(dst []int16, x []uint8)
