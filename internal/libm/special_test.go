package libm

import (
	"math"
	"testing"
)

var (
	inf = math.Inf(1)
	nan = math.NaN()
	nz  = math.Copysign(0, -1) // -0
)

// Special values of C99 Annex F: argument, then result.
var special = map[string][][2]float64{
	"exp":   {{0, 1}, {nz, 1}, {inf, inf}, {-inf, 0}, {nan, nan}, {1000, inf}, {-1000, 0}},
	"expm1": {{0, 0}, {nz, nz}, {inf, inf}, {-inf, -1}, {nan, nan}, {1000, inf}, {-1000, -1}},
	"log":   {{0, -inf}, {nz, -inf}, {1, 0}, {-1, nan}, {-inf, nan}, {inf, inf}, {nan, nan}},
	"log1p": {{0, 0}, {nz, nz}, {-1, -inf}, {-2, nan}, {inf, inf}, {-inf, nan}, {nan, nan}},
	"tanh":  {{0, 0}, {nz, nz}, {inf, 1}, {-inf, -1}, {nan, nan}},
	"sin":   {{0, 0}, {nz, nz}, {inf, nan}, {-inf, nan}, {nan, nan}},
	"cos":   {{0, 1}, {nz, 1}, {inf, nan}, {-inf, nan}, {nan, nan}},
	"erfc":  {{0, 1}, {nz, 1}, {inf, 0}, {-inf, 2}, {nan, nan}},
}

// Two arguments, then the result.
var special2 = map[string][][3]float64{
	"pow": {
		{0, 3, 0}, {nz, 3, nz}, {nz, 2, 0}, {0, -3, inf}, {nz, -3, -inf}, {nz, -2, inf}, {0, -inf, inf}, {0, inf, 0},
		{-1, inf, 1}, {-1, -inf, 1}, {1, nan, 1}, {nan, 0, 1}, {nan, 1, nan}, {2, nan, nan}, {-2, 0.5, nan},
		{0.5, -inf, inf}, {2, -inf, 0}, {0.5, inf, 0}, {-2, inf, inf}, {-0.5, inf, 0},
		{-inf, -3, nz}, {-inf, -2, 0}, {-inf, 3, -inf}, {-inf, 2, inf}, {inf, -1, 0}, {inf, 0.5, inf},
		{-8, 3, -512}, {2, 1e300, inf}, {2, -1e300, 0}, {10, 22, 1e22},
	},
	"atan2": {
		{0, 1, 0}, {nz, 1, nz}, {0, -1, math.Pi}, {nz, -1, -math.Pi}, {0, 0, 0}, {nz, 0, nz}, {0, nz, math.Pi}, {nz, nz, -math.Pi},
		{1, 0, math.Pi / 2}, {-1, 0, -math.Pi / 2}, {1, nz, math.Pi / 2},
		{inf, inf, math.Pi / 4}, {inf, -inf, 3 * math.Pi / 4}, {-inf, inf, -math.Pi / 4}, {-inf, -inf, -3 * math.Pi / 4},
		{inf, 5, math.Pi / 2}, {-inf, 5, -math.Pi / 2}, {5, inf, 0}, {-5, inf, nz}, {5, -inf, math.Pi}, {-5, -inf, -math.Pi},
		{nan, 1, nan}, {1, nan, nan}, {1, 1, math.Pi / 4}, {1, -1, 3 * math.Pi / 4},
	},
}

func TestSpecialValues(t *testing.T) {
	for name, cases := range special {
		double, single := unary64[name], unary32[name+"f"]
		for _, c := range cases {
			if double != nil && ulps64(double(c[0]), c[1]) != 0 {
				t.Errorf("%s(%g) = %g, want %g", name, c[0], double(c[0]), c[1])
			}
			if single != nil && ulps32(single(float32(c[0])), float32(c[1])) != 0 {
				t.Errorf("%sf(%g) = %g, want %g", name, c[0], single(float32(c[0])), c[1])
			}
		}
	}
	for name, cases := range special2 {
		for _, c := range cases {
			if got := binary64[name](c[0], c[1]); ulps64(got, c[2]) != 0 {
				t.Errorf("%s(%g, %g) = %g, want %g", name, c[0], c[1], got, c[2])
			}
			if got := binary32[name+"f"](float32(c[0]), float32(c[1])); ulps32(got, float32(c[2])) != 0 {
				t.Errorf("%sf(%g, %g) = %g, want %g", name, c[0], c[1], got, c[2])
			}
		}
	}
}

// Every function is defined and does not panic for any bits.
func FuzzNoPanic(f *testing.F) {
	f.Add(uint64(0), uint64(1)<<63)
	f.Add(uint64(0x7fefffffffffffff), uint64(1))
	f.Add(uint64(0x3ff0000000000001), uint64(0xffefffffffffffff))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		x, y := math.Float64frombits(a), math.Float64frombits(b)
		for name, f := range unary64 {
			if got := f(x); got != got && x == x && !math.IsInf(x, 0) && !(x < 0) {
				t.Errorf("%s(%g) is NaN", name, x)
			}
		}
		for _, f := range binary64 {
			f(x, y)
		}
		for _, f := range unary32 {
			f(math.Float32frombits(uint32(a)))
		}
		for _, f := range binary32 {
			f(math.Float32frombits(uint32(a)), math.Float32frombits(uint32(b)))
		}
	})
}

func BenchmarkFloat32(b *testing.B) {
	for name, f := range unary32 {
		b.Run(name, func(b *testing.B) {
			var sum float32
			for i := range b.N {
				sum += f(float32(i%1000) * 0.004)
			}
			sink = float64(sum)
		})
	}
}

func BenchmarkFloat64(b *testing.B) {
	for name, f := range unary64 {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				sink += f(float64(i%1000) * 0.004)
			}
		})
	}
}

var sink float64
