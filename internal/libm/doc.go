// Package libm holds the transcendental functions of C's <math.h> that
// TensorFlow Lite's kernels call, with the same bits on every CPU.
//
// Package math does not promise that: it has assembly for some processors and
// tests for fused multiply-add at run time. Here everything is plain Go, and
// no product is fused with a sum (a test compiles the package for arm64 and
// GOAMD64=v3 and looks). Of package math only exact functions are used.
//
// Names follow C: Exp is float64, Expf is float32. The float32 functions
// evaluate in float64, the float64 functions in double-double, and both round
// once. Results are therefore correctly rounded but for rare near-ties, and
// do not depend on which C library a reference result came from. Special
// values are those of C99 Annex F.
//
// # Comparison with glibc 2.36
//
// Results that are not correctly rounded (at most so many ulp off), of 20.4
// million float32 arguments each, all exponents, by LIBM_GLIBC=211 go test
// -run TestGlibc; since none differs here, glibc's count is also the number of
// results in which the two differ:
//
//	         here   glibc
//	Expf        0       781 (1 ulp)
//	Expm1f      0     61415 (1 ulp)
//	Logf        0      1964 (1 ulp)
//	Log1pf      0     54736 (1 ulp)
//	Tanhf       0    562653 (2 ulp)
//	Sinf        0    138741 (1 ulp)
//	Cosf        0    133250 (1 ulp)
//	Erff        0    600932 (1 ulp)
//	Erfcf       0     96849 (3 ulp)
//	Cbrtf       0   2145977 (1 ulp)
//	Powf        0     11666 (1 ulp)
//	Atan2f      0   2680967 (1 ulp)
//
// and of 500000 float64 arguments each, against __float128:
//
//	         here   glibc
//	Exp         0       121 (1 ulp)
//	Expm1       0      7214 (1 ulp)
//	Log         0        26 (1 ulp)
//	Log1p       0      4413 (1 ulp)
//	Tanh        0     87329 (2 ulp)
//	Sin         0       324 (1 ulp)
//	Cos         0       297 (1 ulp)
//	Erf         1     30399 (1 ulp)
//	Erfc       20     11882 (3 ulp)
//	Cbrt        0    280272 (3 ulp)
//	Pow         0       400 (1 ulp)
//	Atan2       0       194 (1 ulp)
package libm
