package simd

import (
	"os"
	"slices"
)

// Level is a complete set of kernels for a class of CPUs: a row of the dispatch
// table. Its methods are safe for concurrent use.
type Level struct {
	name string

	f32 gemmF32
	u8  gemmU8 // without run, uint8 products go through i16
	i16 gemmI16

	requant requantKernel
	rowKernels
}

// rowKernels are the kernels that memory bandwidth limits; they gain nothing
// from vectors wider than AVX2's.
type rowKernels struct {
	// transpose8 is nil where the Go loop serves.
	transpose8 func(dst []float32, ldd int, x []float32, ldx, k int)

	addF32, maxF32, reluGradF32 func(dst, x, y []float32)
	reduceMaxF32                func(x []float32) float32
	clampF32                    func(dst, x []float32, lo, hi float32)
	axpyF32                     func(dst, x []float32, alpha float32)
	adamF32                     func(dst, m, v, g []float32, alpha, c1, c2, eps float32)
	maxU8                       func(dst, x, y []uint8)
	maxI8                       func(dst, x, y []int8)
	flipI8                      func(dst, x []byte)
	widenU8                     func(dst []int16, x []uint8)
}

// A panel is nr columns of the packed operand: k steps of nr columns of as many
// values as a step takes. Kernels multiply up to mb rows by one panel.
type gemmF32 struct {
	nr, mb int
	rows   gemmF32Func // A is row-major
	trans  gemmF32Func // A is column-major
}

type gemmU8 struct {
	nr, mb int
	run    func(c []int32, ldc int, a []uint8, lda int, b []int8, init []int32, ldi, rows, k int)
}

type gemmI16 struct {
	nr, mb int
	run    func(c []int32, ldc int, a []int16, lda int, b []int16, init []int32, ldi, rows, k int)
}

// requantKernel takes step columns at a time.
type requantKernel struct {
	step int
	run  func(dst []byte, ldd int, acc []int32, lda int, mult, left, right []int32, rows, cols int, zp, lo, hi int32)
}

type gemmF32Func = func(c []float32, ldc int, a []float32, lda int, b, init []float32, ldi, rows, k int, lo, hi float32)

// Limits over all levels, for tiles on the stack.
const (
	maxNR = 32
	maxMB = 56
)

// Name returns "generic", "avx2" or "avx512vnni".
func (lv *Level) Name() string { return lv.name }

var (
	levels = append([]*Level{&generic}, cpuLevels()...)
	chosen = choose(levels, os.Getenv("LITEQUANT_SIMD"))
)

// Levels returns the levels this CPU can run, slowest first.
func Levels() []*Level { return slices.Clone(levels) }

// Default returns the level of this process: the best one of this CPU, or the
// one named by the environment variable LITEQUANT_SIMD if the CPU has it.
func Default() *Level { return chosen }

// choose returns the level called name; the best one if there is none.
func choose(levels []*Level, name string) *Level {
	for _, lv := range levels {
		if lv.name == name {
			return lv
		}
	}
	return levels[len(levels)-1]
}

// generic is the level without assembly.
var generic = Level{
	name:    "generic",
	f32:     gemmF32{nr: genericNR, mb: 32, rows: gemmF32Rows, trans: gemmF32Trans},
	u8:      gemmU8{nr: genericNR, mb: 32, run: gemmU8Rows},
	i16:     gemmI16{nr: genericNR, mb: 32, run: gemmI16Rows},
	requant: requantKernel{step: 1, run: requantRows},
	rowKernels: rowKernels{
		addF32:       addF32,
		maxF32:       maxF32,
		reluGradF32:  reluGradF32,
		reduceMaxF32: reduceMaxF32,
		clampF32:     clampF32,
		axpyF32:      axpyF32,
		adamF32:      adamF32,
		maxU8:        maxRow[uint8],
		maxI8:        maxRow[int8],
		flipI8:       flipI8,
		widenU8:      widenU8,
	},
}
