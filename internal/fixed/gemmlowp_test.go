package fixed

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"testing"
)

// gemmlowpCase is one record of testdata/gemmlowp.json.
type gemmlowpCase struct {
	Fn      string
	Bits, K int
	Samples [][3]int32
	FNV     string
}

// inputs yields the operands the generator used for c.
func (c gemmlowpCase) inputs(yield func(a, b int32) bool) {
	state := uint64(88172645463325252)
	next := func() int32 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		v := int32(state >> 32)
		if c.Bits == 16 {
			return int32(int16(v))
		}
		return v
	}
	lowest := int32(math.MinInt32)
	if c.Bits == 16 {
		lowest = math.MinInt16
	}
	if c.binary() {
		for i := range 100000 {
			a := next() >> (i % 12)
			b := next() >> (i % 7)
			if i%1000 == 0 {
				a, b = lowest, lowest
			}
			if !yield(a, b) {
				return
			}
		}
		return
	}
	n := 100000
	if c.Bits == 16 {
		n = 65536
	}
	for i := range n {
		x := int32(i - 32768)
		if c.Bits == 32 {
			x = next() >> (i % 24)
		}
		switch c.Fn {
		case "exp_on_negative_values":
			x = min(x, -x)
		case "one_over_one_plus_x_for_x_in_0_1", "one_minus_x_over_one_plus_x_for_x_in_0_1":
			x = max(x, ^x)
		case "logistic", "tanh":
			if x == lowest {
				x = 0
			}
		}
		if !yield(x, 0) {
			return
		}
	}
}

func (c gemmlowpCase) binary() bool {
	return c.Fn == "saturating_rounding_doubling_high_mul" || c.Fn == "rounding_half_sum"
}

// gemmlowpFunction returns the function under test for c, nil if unknown.
func gemmlowpFunction[T Raw](c gemmlowpCase) func(a, b T) T {
	switch c.Fn {
	case "saturating_rounding_doubling_high_mul":
		return mulRaw[T]
	case "rounding_half_sum":
		return RoundingHalfSum[T]
	case "rounding_divide_by_pot":
		return func(a, _ T) T { return RoundingDivideByPOT(a, c.K) }
	case "saturating_rounding_multiply_by_pot":
		return func(a, _ T) T { return SaturatingRoundingMultiplyByPOT(a, c.K) }
	case "one_over_one_plus_x_for_x_in_0_1":
		return func(a, _ T) T { return OneOverOnePlusXForXIn01(a) }
	case "one_minus_x_over_one_plus_x_for_x_in_0_1":
		return func(a, _ T) T { return OneMinusXOverOnePlusXForXIn01(a) }
	case "exp_on_negative_values":
		return func(a, _ T) T { return ExpOnNegativeValues(a, c.K) }
	case "logistic":
		return func(a, _ T) T { return Logistic(a, c.K) }
	case "tanh":
		return func(a, _ T) T { return Tanh(a, c.K) }
	}
	return nil
}

func TestGemmlowp(t *testing.T) {
	var cases []gemmlowpCase
	readJSON(t, "testdata/gemmlowp.json", &cases)
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/int%d/%d", c.Fn, c.Bits, c.K), func(t *testing.T) {
			if c.Bits == 16 {
				checkGemmlowp[int16](t, c)
			} else {
				checkGemmlowp[int32](t, c)
			}
		})
	}
}

func checkGemmlowp[T Raw](t *testing.T, c gemmlowpCase) {
	f := gemmlowpFunction[T](c)
	for _, s := range c.Samples {
		if got := f(T(s[0]), T(s[1])); int32(got) != s[2] {
			t.Fatalf("f(%d, %d) = %d, want %d", s[0], s[1], got, s[2])
		}
	}
	h := fnv.New64a()
	for a, b := range c.inputs {
		v := uint32(int32(f(T(a), T(b))))
		h.Write([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
	}
	if got := fmt.Sprintf("%016x", h.Sum64()); got != c.FNV {
		t.Errorf("hash of all outputs %s, want %s", got, c.FNV)
	}
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}
