// Package libm holds the transcendental functions of C's <math.h> that
// TensorFlow Lite's kernels call, with the same bits on every CPU.
//
// Package math does not promise that: it has assembly for some processors and
// tests for fused multiply-add at run time. Here everything is plain Go, and
// no product is fused with a sum unless math.FMA says so (a test compiles the
// package for arm64 and GOAMD64=v3 and looks). Of package math only exact
// functions are used.
//
// Names follow C: Exp is float64, Expf is float32. Special values are those of
// C99 Annex F.
//
// # The float32 functions
//
// They have the bits of glibc 2.28 to 2.40 on x86-64, so that what LiteRT
// computes there with them is reproduced and no table of integers differs:
//
//   - Expf, Logf, Powf, Sinf and Cosf as on processors with fused multiply-adds.
//     Without them glibc itself differs, of 2^32 arguments, for 2 of Expf, 12 of
//     Sinf and 22 of Cosf.
//   - Expm1f, Tanhf, Erfcf and Atan2f, which are up to 3 ulp off. glibc 2.41
//     began to replace such functions by correctly rounded ones.
//
// # The float64 functions
//
// They evaluate in double-double and round once: results are correctly rounded
// but for rare near-ties. glibc's differ from them in the last bit now and then.
//
// # Comparison with glibc 2.36
//
// Results that are not correctly rounded (at most so many ulp off), of 20.4
// million float32 arguments each, all exponents, by LIBM_GLIBC=211 go test
// -run TestGlibc; none differs from glibc's:
//
//	Expf        781 (1 ulp)
//	Expm1f    61415 (1 ulp)
//	Logf       1964 (1 ulp)
//	Tanhf    562653 (2 ulp)
//	Sinf     138741 (1 ulp)
//	Cosf     133250 (1 ulp)
//	Erfcf     96849 (3 ulp)
//	Powf      11666 (1 ulp)
//	Atan2f  2680967 (1 ulp)
//
// and of 500000 float64 arguments each, against __float128:
//
//	         here   glibc
//	Exp         0     121 (1 ulp)
//	Log         0      26 (1 ulp)
//	Log1p       0    4413 (1 ulp)
//	Sin         0     324 (1 ulp)
//	Cos         0     297 (1 ulp)
//	Pow         0     400 (1 ulp)
//	Atan2       0     194 (1 ulp)
package libm
