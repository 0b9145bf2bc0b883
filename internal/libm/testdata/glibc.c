/* Prints, for TestGlibc, the values of this machine's libm.
 *
 * usage: glibc NAME f32 STRIDE   every float32 whose bits are a multiple of STRIDE
 *        glibc NAME f64 COUNT    COUNT float64 from xorshift64 bits
 * For each argument (pair) it writes libm's result and the result in higher
 * precision (long double, __float128) rounded once, as raw little-endian
 * values.
 * build: cc -O1 glibc.c -lquadmath -lm
 */
#include <math.h>
#include <quadmath.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *name;
  float (*f)(float);
  double (*d)(double);
  long double (*l)(long double);
  __float128 (*q)(__float128);
} unary_t;
typedef struct {
  const char *name;
  float (*f)(float, float);
  double (*d)(double, double);
  long double (*l)(long double, long double);
  __float128 (*q)(__float128, __float128);
} binary_t;

#define ROW(n) {#n, n##f, n, n##l, n##q}
static const unary_t unary[] = {
    ROW(exp), ROW(expm1), ROW(log), ROW(log1p), ROW(tanh), ROW(sin), ROW(cos), ROW(erfc),
};
static const binary_t binary[] = {ROW(pow), ROW(atan2)};

static uint64_t state = 88172645463325252ull;
static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}
static float f32(uint32_t b) { float x; memcpy(&x, &b, 4); return x; }
static double f64(uint64_t b) { double x; memcpy(&x, &b, 8); return x; }
static void put32(float a, float b) { fwrite(&a, 4, 1, stdout); fwrite(&b, 4, 1, stdout); }
static void put64(double a, double b) { fwrite(&a, 8, 1, stdout); fwrite(&b, 8, 1, stdout); }

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int single = !strcmp(argv[2], "f32");
  uint64_t n = strtoull(argv[3], 0, 10);
  for (unsigned k = 0; k < sizeof unary / sizeof *unary; k++) {
    if (strcmp(argv[1], unary[k].name)) continue;
    if (single)
      for (uint64_t b = 0; b < 1ull << 32; b += n) put32(unary[k].f(f32(b)), unary[k].l(f32(b)));
    else
      for (uint64_t i = 0; i < n; i++) {
        /* exponents in [-40, 24): where these functions are interesting */
        uint64_t r = next();
        double x = f64((r & 0x800fffffffffffffull) | ((983 + (r >> 52) % 64) << 52));
        put64(unary[k].d(x), unary[k].q(x));
      }
    return 0;
  }
  for (unsigned k = 0; k < sizeof binary / sizeof *binary; k++) {
    if (strcmp(argv[1], binary[k].name)) continue;
    uint64_t count = single ? (1ull << 32) / n : n;
    for (uint64_t i = 0; i < count; i++) {
      uint64_t r = next(), s = next();
      double x = f64((r & 0xfffffffffffffull) | ((1008 + (r >> 52) % 32) << 52));
      double y = f64((s & 0x800fffffffffffffull) | ((1013 + (s >> 52) % 16) << 52));
      if (single) put32(binary[k].f(x, y), binary[k].l((float)x, (float)y));
      else put64(binary[k].d(x, y), binary[k].q(x, y));
    }
    return 0;
  }
  return 2;
}
