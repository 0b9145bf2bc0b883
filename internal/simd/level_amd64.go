//go:build amd64 && !purego

package simd

import "golang.org/x/sys/cpu"

// cpuLevels returns the levels with assembly that this CPU and operating
// system support, slowest first.
func cpuLevels() []*Level {
	x := &cpu.X86
	if !(x.HasAVX2 && x.HasFMA) {
		return nil
	}
	if !(x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI) {
		return []*Level{&avx2}
	}
	return []*Level{&avx2, &avx512vnni}
}

var avx2 = Level{
	name:       "avx2",
	f32:        gemmF32{nr: 16, mb: 48, rows: gemmF32AVX2, trans: gemmF32TransAVX2},
	i16:        gemmI16{nr: 16, mb: 32, run: gemmI16AVX2},
	requant:    requantKernel{step: 8, run: requantAVX2},
	rowKernels: rowsAVX2,
}

var avx512vnni = Level{
	name:       "avx512vnni",
	f32:        gemmF32{nr: 32, mb: 56, rows: gemmF32AVX512, trans: gemmF32TransAVX512},
	u8:         gemmU8{nr: 32, mb: 56, run: gemmU8VNNI},
	i16:        gemmI16{nr: 16, mb: 32, run: gemmI16AVX2},
	requant:    requantKernel{step: 16, run: requantAVX512},
	rowKernels: rowsAVX2,
}

var rowsAVX2 = rowKernels{
	transpose8:   transpose8F32AVX2,
	addF32:       addF32AVX2,
	maxF32:       maxF32AVX2,
	reluGradF32:  reluGradF32AVX2,
	reduceMaxF32: reduceMaxF32AVX2,
	clampF32:     clampF32AVX2,
	axpyF32:      axpyF32AVX2,
	adamF32:      adamF32AVX2,
	maxU8:        maxU8AVX2,
	maxI8:        maxI8AVX2,
	flipI8:       flipI8AVX2,
	widenU8:      widenU8AVX2,
}
