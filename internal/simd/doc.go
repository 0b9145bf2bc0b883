// Package simd holds the optimised numerics of the fast engine and of training:
// matrix products, requantization, patch extraction, a few element-wise rows
// and the worker pool. It works on plain slices and knows nothing of tensors,
// graphs or operators.
//
// # Levels
//
// A [Level] is one row of the dispatch table: a complete set of kernels for a
// class of CPUs.
//
//	generic      plain Go, everywhere
//	avx2         AVX2 + FMA
//	avx512vnni   AVX-512 F, BW, DQ, VL and VNNI
//
// [Default] is the best level of this CPU, chosen once; the environment
// variable LITEQUANT_SIMD lowers it. [Levels] lists every level this CPU can
// run, so that tests run them all. The build tag purego leaves the assembly
// out. Packed operands belong to the level that packed them and are multiplied
// by it.
//
// # Promises
//
//   - Integer results are exact and the same at every level; requantization is
//     TensorFlow Lite's reference rule, internal/fixed's MultiplyByQuantizedMultiplier,
//     bit for bit.
//   - A float32 product is, for every output, one chain of multiply-adds in order
//     of k that starts at the bias. It does not depend on M, N, the position in the
//     matrix or the number of threads. avx2 and avx512vnni fuse the multiply-adds and
//     agree bit for bit; generic rounds each product and so may differ from them.
//   - Element-wise rows give the same bits at every level.
//   - Nothing here allocates after packing, and no argument is retained by a call.
//   - Assembly gets only memory whose bounds were checked in Go, never reads or
//     writes outside the slices passed, and stays well below a millisecond a call, since
//     assembly is not preempted. An operand that is too short panics in Go before
//     any assembly runs.
//
// # Work and threads
//
// A product is a [Task]. Weights are packed once and shared; then fill in a
// [MatMulF32], [MatMulI8] or [MatMulI16] and
//
//	pool.Run(mm.Chunks(), mm, threads)   // or mm.Run() on the caller alone
//
// A convolution is a product too: of the image itself ([Conv.Direct]), of patches
// that a kernel reads from a padded image (the field Conv), or, for few channels, of
// patches copied by [Im2col].
//
// # How to add a kernel
//
//  1. Write the plain Go loop in generic.go; its comment is the contract.
//  2. Print the assembly in tools/asmgen (a module of its own), run go generate, and
//     declare the stub in kernels_amd64.go with the same argument names.
//  3. Add a field to Level (or rowKernels), and the function to the rows in level.go
//     and level_amd64.go.
//  4. Wrap it in a method that checks bounds and passes whole vectors to the
//     kernel and the rest to the generic loop.
//  5. Test the method over Levels() against a loop written in the test. go vet
//     compares stubs and assembly; TestGenerated compares the assembly with
//     its generator.
package simd

//go:generate go -C ../../tools/asmgen run . -dir ../../internal/simd
