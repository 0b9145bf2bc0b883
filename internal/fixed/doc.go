// Package fixed is the integer arithmetic of TensorFlow Lite's quantized
// kernels: gemmlowp's fixed-point primitives, TFLite's requantization, its
// lookup tables and the helpers that turn scales into integer parameters.
//
// Every function returns the same bits as its C++ namesake in a default
// (double rounding, non-emulated float) TFLite build, on every CPU. Where the
// C++ code has undefined behaviour, the function here is still defined and
// does not panic; its comment says what it returns.
//
// # Rounding families
//
// Three ways of multiplying an int32 accumulator by a real multiplier
// m·2^(shift-31) are in use. They differ by at most one, and only near ties:
//
//	MultiplyByQuantizedMultiplier                reference kernels, TFLM: high-mul ties up, shift ties away from zero
//	MultiplyByQuantizedMultiplierSingleRounding  ruy on ARM and portable C++: one rounding, ties up
//	MultiplyByQuantizedMultiplierRuyAVX          ruy on x86, TFLite's NEON blocks: two roundings, both ties up
//
// Two more stand apart. MultiplyByQuantizedMultiplier64 serves the int64
// accumulators of kernels with 16-bit activations; it keeps only 16 bits of
// the multiplier. MultiplyByEffectiveScale is the float64 scaling of
// FULLY_CONNECTED's reference kernels.
//
// # Fixed-point numbers
//
// gemmlowp's FixedPoint<Raw, IntegerBits> is here a raw int16 or int32 and,
// where it matters, the number of integer bits as an argument: a raw int32 x
// with b integer bits stands for x·2^(b-31), a raw int16 for x·2^(b-15).
package fixed
