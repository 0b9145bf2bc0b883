"""Writes gemmlowp.json: values of gemmlowp's fixed-point functions.

Compiles a harness against the gemmlowp headers inside the installed
TensorFlow wheel. For each function it records the FNV-1a hash of the outputs
over many inputs (every int16, or 100000 xorshift64 values) and the first
samples for diagnosis. Run: python gen_gemmlowp.py
"""
import os, subprocess, tempfile

HARNESS = r'''
#include <cstdio>
#include <cmath>
#include "external/gemmlowp/fixedpoint/fixedpoint.h"
using namespace gemmlowp;

static uint64_t state;
static uint64_t next() { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state; }
static uint64_t hash; static int shown; static bool comma;

static void begin(const char* fn, int bits, int k) {
  printf("%s\n  {\"fn\": \"%s\", \"bits\": %d, \"k\": %d, \"samples\": [", comma ? "," : "", fn, bits, k);
  comma = true; state = 88172645463325252ull; hash = 14695981039346656037ull; shown = 0;
}
static void put(int32_t a, int32_t b, int32_t out) {
  for (int i = 0; i < 4; i++) { hash ^= (uint8_t)(((uint32_t)out) >> (8 * i)); hash *= 1099511628211ull; }
  if (shown < 12) printf("%s[%d, %d, %d]", shown++ ? ", " : "", a, b, out);
}
static void end() { printf("], \"fnv\": \"%016llx\"}", (unsigned long long)hash); }

// Runs f over the inputs for one operand of type T; keep maps an input into f's domain.
template <typename T, typename Keep, typename F>
static void unary(const char* fn, int k, Keep keep, F f) {
  begin(fn, 8 * sizeof(T), k);
  int n = sizeof(T) == 2 ? 65536 : 100000;
  for (int i = 0; i < n; i++) {
    T x = sizeof(T) == 2 ? (T)(i - 32768) : (T)(next() >> 32) >> (i % 24);
    x = keep(x);
    put(x, 0, f(x));
  }
  end();
}
template <typename T, typename F> static void binary(const char* fn, F f) {
  begin(fn, 8 * sizeof(T), 0);
  for (int i = 0; i < 100000; i++) {
    T a = (T)(next() >> 32) >> (i % 12), b = (T)(next() >> 32) >> (i % 7);
    if (i % 1000 == 0) a = b = std::numeric_limits<T>::min();
    put(a, b, f(a, b));
  }
  end();
}
template <typename T> static T any(T x) { return x; }
template <typename T> static T nonpos(T x) { return x > 0 ? (T)-x : x; }
template <typename T> static T unit(T x) { return x < 0 ? (T)~x : x; }
template <typename T> static T notmin(T x) { return x == std::numeric_limits<T>::min() ? 0 : x; }

template <typename T, int K> static void functions() {
  unary<T>("exp_on_negative_values", K, nonpos<T>, [](T x) { return exp_on_negative_values(FixedPoint<T, K>::FromRaw(x)).raw(); });
  unary<T>("logistic", K, notmin<T>, [](T x) { return logistic(FixedPoint<T, K>::FromRaw(x)).raw(); });
  unary<T>("tanh", K, notmin<T>, [](T x) { return gemmlowp::tanh(FixedPoint<T, K>::FromRaw(x)).raw(); });
}
template <typename T, int E> static void pot() {
  if (E >= 0 && E < (int)(8 * sizeof(T))) unary<T>("rounding_divide_by_pot", E, any<T>, [](T x) { return RoundingDivideByPOT<T>(x, E); });
  if (E < 15 && E > -15) unary<T>("saturating_rounding_multiply_by_pot", E, any<T>, [](T x) { return SaturatingRoundingMultiplyByPOT<(E < 15 && E > -15) ? E : 0>(x); });
}
template <typename T> static void all() {
  binary<T>("saturating_rounding_doubling_high_mul", [](T a, T b) { return SaturatingRoundingDoublingHighMul(a, b); });
  binary<T>("rounding_half_sum", [](T a, T b) { return RoundingHalfSum(a, b); });
  unary<T>("one_over_one_plus_x_for_x_in_0_1", 0, unit<T>, [](T x) { return one_over_one_plus_x_for_x_in_0_1(FixedPoint<T, 0>::FromRaw(x)).raw(); });
  unary<T>("one_minus_x_over_one_plus_x_for_x_in_0_1", 0, unit<T>, [](T x) { return one_minus_x_over_one_plus_x_for_x_in_0_1(FixedPoint<T, 0>::FromRaw(x)).raw(); });
  functions<T, 0>(); functions<T, 1>(); functions<T, 2>(); functions<T, 3>(); functions<T, 4>();
  functions<T, 5>(); functions<T, 6>(); functions<T, 8>(); functions<T, 10>();
  pot<T, 0>(); pot<T, 1>(); pot<T, 2>(); pot<T, 7>(); pot<T, 14>(); pot<T, 15>(); pot<T, 30>(); pot<T, 31>();
  pot<T, -1>(); pot<T, -5>(); pot<T, 5>();
}
int main() {
  printf("[");
  all<int16_t>(); all<int32_t>();
  printf("\n]\n");
}
'''

import tensorflow
include = os.path.join(os.path.dirname(tensorflow.__file__), "include")
here = os.path.dirname(os.path.abspath(__file__))
with tempfile.TemporaryDirectory() as tmp:
    cc, exe = os.path.join(tmp, "h.cc"), os.path.join(tmp, "h")
    open(cc, "w").write(HARNESS)
    subprocess.check_call(["g++", "-std=c++17", "-O1", "-fwrapv", "-I", include, cc, "-o", exe])
    open(os.path.join(here, "gemmlowp.json"), "wb").write(subprocess.check_output([exe]))
