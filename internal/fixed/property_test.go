package fixed

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// The definitions below are in exact rational arithmetic.

// pow2 returns 2^e.
func pow2(e int) *big.Rat {
	r := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(max(e, -e))))
	if e < 0 {
		r.Inv(r)
	}
	return r
}

// product returns a·b·2^e.
func product(a, b int64, e int) *big.Rat {
	p := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	return new(big.Rat).Mul(new(big.Rat).SetInt(p), pow2(e))
}

// halfUp rounds r to the nearest integer, ties toward +∞.
func halfUp(r *big.Rat) int64 {
	r = new(big.Rat).Add(r, big.NewRat(1, 2))
	return new(big.Int).Div(r.Num(), r.Denom()).Int64() // Euclidean: floor for a positive divisor
}

// halfAway rounds r to the nearest integer, ties away from zero.
func halfAway(r *big.Rat) int64 {
	if r.Sign() < 0 {
		return -halfUp(new(big.Rat).Neg(r))
	}
	return halfUp(r)
}

func drawMultiplier(t *rapid.T) (m int32, shift int) {
	return rapid.Int32Range(1<<30, math.MaxInt32).Draw(t, "m"), rapid.IntRange(-31, 7).Draw(t, "shift")
}

// drawAccumulator draws x such that x·2^shift does not overflow, often on a
// tie of the right shift.
func drawAccumulator(t *rapid.T, shift int) int32 {
	limit := int32(math.MaxInt32) >> max(shift, 0)
	return rapid.Int32Range(-limit, limit).Draw(t, "x")
}

func TestHighMulDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int32().Draw(t, "a"), rapid.Int32().Draw(t, "b")
		want := min(halfUp(product(int64(a), int64(b), -31)), math.MaxInt32)
		if got := SaturatingRoundingDoublingHighMul(a, b); int64(got) != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

func TestDivideByPOTDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, e := rapid.Int32().Draw(t, "x"), rapid.IntRange(0, 31).Draw(t, "e")
		if rapid.Bool().Draw(t, "tie") && e > 0 {
			x = x>>e<<e | 1<<(e-1)
		}
		want := halfAway(product(int64(x), 1, -e))
		if got := RoundingDivideByPOT(x, e); int64(got) != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

func TestRequantizationDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, shift := drawMultiplier(t)
		x := drawAccumulator(t, shift)
		left, right := max(shift, 0), max(-shift, 0)
		high := halfUp(product(int64(x), int64(m), left-31))
		a := MultiplyByQuantizedMultiplier(x, m, shift)
		b := MultiplyByQuantizedMultiplierSingleRounding(x, m, shift)
		c := MultiplyByQuantizedMultiplierRuyAVX(x, m, shift)
		if want := halfAway(product(high, 1, -right)); int64(a) != want {
			t.Errorf("double rounding: %d, want %d", a, want)
		}
		if want := halfUp(product(int64(x), int64(m), shift-31)); int64(b) != want {
			t.Errorf("single rounding: %d, want %d", b, want)
		}
		if want := halfUp(product(high, 1, -right)); int64(c) != want {
			t.Errorf("ruy AVX: %d, want %d", c, want)
		}
		if shift <= 0 && a != MultiplyByQuantizedMultiplierSmallerThanOneExp(x, m, shift) {
			t.Error("SmallerThanOneExp differs")
		}
		if shift >= 0 && a != MultiplyByQuantizedMultiplierGreaterThanOne(x, m, shift) {
			t.Error("GreaterThanOne differs")
		}
	})
}

func TestRequantization64Definition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, shift := drawMultiplier(t)
		limit := min(int64(1)<<47-1, int64(1)<<(31-shift)-1)
		x := rapid.Int64Range(-limit, limit).Draw(t, "x")
		reduced := min(halfUp(product(int64(m), 1, -16)), math.MaxInt16)
		want := halfUp(product(x, reduced, shift-15))
		if want > math.MaxInt32 || want < math.MinInt32 {
			t.Skip("result beyond int32")
		}
		if got := MultiplyByQuantizedMultiplier64(x, m, shift); int64(got) != want {
			t.Errorf("%d, want %d", got, want)
		}
	})
}

func TestQuantizeMultiplierIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := math.Ldexp(rapid.Float64Range(0.5, 1).Draw(t, "d"), rapid.IntRange(-31, 40).Draw(t, "exponent"))
		m, shift := QuantizeMultiplier(d)
		if m < 1<<30 {
			t.Fatalf("m = %d is below 2^30", m)
		}
		want := halfAway(new(big.Rat).Mul(new(big.Rat).SetFloat64(d), pow2(31-shift)))
		if int64(m) != want {
			t.Errorf("m = %d, want %d", m, want)
		}
	})
}

func TestQuantizeMultiplierEdges(t *testing.T) {
	tests := []struct {
		d     float64
		m     int32
		shift int
	}{
		{0, 0, 0},
		{1, 1 << 30, 1},
		{0.5, 1 << 30, 0},
		{-0.5, -1 << 30, 0},
		{1 - 0x1p-53, 1 << 30, 1}, // rounds up to 2^31, which is halved
		{0x1p-32, 1 << 30, -31},
		{0x1p-33, 0, 0},
		{math.NaN(), 0, 0},
		{math.Inf(1), 0, 0},
	}
	for _, test := range tests {
		if m, shift := QuantizeMultiplier(test.d); m != test.m || shift != test.shift {
			t.Errorf("QuantizeMultiplier(%g) = %d, %d, want %d, %d", test.d, m, shift, test.m, test.shift)
		}
	}
	if m, shift := QuantizeMultiplierSingleRounding(0x1p40); m != math.MaxInt32 || shift != 30 {
		t.Errorf("single rounding saturates to %d, %d", m, shift)
	}
	for _, d := range []float64{0, 1, 2, -0.5, math.NaN()} {
		if _, _, ok := QuantizeMultiplierSmallerThanOneExp(d); ok {
			t.Errorf("SmallerThanOneExp accepts %g", d)
		}
	}
	for _, d := range []float64{0, 1, 0.5, math.NaN(), math.Inf(1)} {
		if _, _, ok := QuantizeMultiplierGreaterThanOne(d); ok {
			t.Errorf("GreaterThanOne accepts %g", d)
		}
	}
}

// Expected values: the arithmetic of CalculateActivationRangeQuantized by hand.
func TestCalculateActivationRangeQuantized(t *testing.T) {
	inf := float32(math.Inf(1))
	tests := []struct {
		name             string
		low, high, scale float32
		zero             int32
		min, max         int32
		ok               bool
	}{
		{"none", -inf, inf, 0.1, 3, -128, 127, true},
		{"relu", 0, inf, 0.1, 3, 3, 127, true},
		{"relu6", 0, 6, 0.1, -100, -100, -40, true},
		{"relu6 above qmax", 0, 6, 0.01, -100, -100, 127, true},
		{"relu_n1_to_1", -1, 1, 0.4, 0, -3, 3, true}, // ±2.5 rounds away from zero
		{"relu below qmin", 0, inf, 0.1, -300, -128, 127, true},
		{"overflow", 0, 6, 1e-30, 0, 0, 0, false},
		{"zero scale", 0, 6, 0, 0, 0, 0, false},
	}
	for _, test := range tests {
		lo, hi, ok := CalculateActivationRangeQuantized(test.low, test.high, test.scale, test.zero, -128, 127)
		if lo != test.min || hi != test.max || ok != test.ok {
			t.Errorf("%s: %d, %d, %t, want %d, %d, %t", test.name, lo, hi, ok, test.min, test.max, test.ok)
		}
	}
}

func TestRound(t *testing.T) {
	for _, test := range []struct{ x, want float64 }{
		{0.5, 1}, {-0.5, -1}, {2.5, 3}, {-2.5, -3}, {0.49999999999999994, 0}, {1.4999, 1}, {math.Inf(1), math.Inf(1)},
	} {
		if got := Round(test.x); got != test.want {
			t.Errorf("Round(%g) = %g, want %g", test.x, got, test.want)
		}
	}
	if got := Round(float32(-8388607.5)); got != -8388608 {
		t.Errorf("float32: %g", got)
	}
}

func TestToInt32(t *testing.T) {
	for _, test := range []struct {
		x    float64
		want int32
	}{
		{1e30, math.MinInt32}, {-1e30, math.MinInt32}, {math.NaN(), math.MinInt32}, {math.Inf(-1), math.MinInt32},
		{math.MaxInt32, math.MaxInt32}, {-7, -7},
	} {
		if got := ToInt32(test.x); got != test.want {
			t.Errorf("ToInt32(%g) = %d, want %d", test.x, got, test.want)
		}
	}
}

func TestCheckedLog2(t *testing.T) {
	for e := -149; e < 128; e++ {
		if log2, pot := CheckedLog2(float32(math.Ldexp(1, e))); log2 != e || !pot {
			t.Errorf("CheckedLog2(2^%d) = %d, %t", e, log2, pot)
		}
	}
	for _, x := range []float32{0, -1, 3, 0.3, float32(math.NaN()), float32(math.Inf(1)), 1.001} {
		if _, pot := CheckedLog2(x); pot {
			t.Errorf("CheckedLog2(%g) finds a power of two", x)
		}
	}
}

// No argument may panic, also where C++ is undefined.
func TestUndefinedInputsDoNotPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := rapid.Int32().Draw(t, "x"), rapid.Int32().Draw(t, "y")
		n := rapid.IntRange(-40, 80).Draw(t, "n")
		bits := rapid.IntRange(0, 31).Draw(t, "bits")
		_ = MultiplyByQuantizedMultiplier(x, y, n)
		_ = MultiplyByQuantizedMultiplierSmallerThanOneExp(x, y, n)
		_ = MultiplyByQuantizedMultiplierGreaterThanOne(x, y, n)
		_ = MultiplyByQuantizedMultiplierSingleRounding(x, y, n)
		_ = MultiplyByQuantizedMultiplierRuyAVX(x, y, n)
		_ = MultiplyByQuantizedMultiplier64(int64(x)<<20, y, n)
		SaturatingRoundingMultiplyByPOT(x, n)
		SaturatingRoundingMultiplyByPOT(int16(x), n)
		SaturatingLeftShift16(int16(x), n)
		ExpOnNegativeValues(x, bits)
		ExpOnNegativeValues(int16(x), bits)
		Logistic(x, bits)
		Tanh(int16(x), bits)
		LogXForXGreaterThanOrEqualTo1(x, bits, 5)
		GetReciprocal(x, bits)
		GetInvSqrtQuantizedMultiplierExp(x, -1)
		Logistic16(int16(x), y, n)
		Tanh16(int16(x), y, n)
		PreprocessSoftmaxScaling(1, float64(x), bits)
		PreprocessLogSoftmaxScalingExp(1, float64(x), bits)
		scale := math.Float32frombits(uint32(x))
		PrepareLogistic16(scale)
		CalculateActivationRangeQuantized(-1, 1, scale, y, -128, 127)
		CalculateInputRadius(bits, n, 31)
	})
}

func TestInvSqrtAccuracy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Int32Range(2, math.MaxInt32).Draw(t, "x")
		m, shift := GetInvSqrtQuantizedMultiplierExp(x, -1)
		got := math.Ldexp(float64(m), shift-31) * math.Sqrt(float64(x))
		if math.Abs(got-1) > 0x1p-19 {
			t.Errorf("relative error %g", got-1)
		}
	})
}
