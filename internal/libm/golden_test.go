package libm

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

var unary32 = map[string]func(float32) float32{
	"expf": Expf, "expm1f": Expm1f, "logf": Logf, "tanhf": Tanhf, "sinf": Sinf, "cosf": Cosf, "erfcf": Erfcf,
}

var unary64 = map[string]func(float64) float64{
	"exp": Exp, "log": Log, "log1p": Log1p, "sin": Sin, "cos": Cos,
}

var (
	binary32 = map[string]func(a, b float32) float32{"powf": Powf, "atan2f": Atan2f}
	binary64 = map[string]func(a, b float64) float64{"pow": Pow, "atan2": Atan2}
)

// TestGolden compares the float32 functions with glibc's values, the float64
// ones with correctly rounded ones.
func TestGolden(t *testing.T) {
	file, err := os.Open("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		checkLine(t, strings.Fields(lines.Text()))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// checkLine evaluates one line of golden.txt: function, arguments, result.
func checkLine(t *testing.T, fields []string) {
	t.Helper()
	name := fields[0]
	var v []uint64
	for _, f := range fields[1:] {
		bits, err := strconv.ParseUint(f, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		v = append(v, bits)
	}
	if strings.HasSuffix(name, "f") {
		x := math.Float32frombits(uint32(v[0]))
		var got float32
		if f := unary32[name]; f != nil {
			got = f(x)
		} else {
			got = binary32[name](x, math.Float32frombits(uint32(v[1])))
		}
		want := math.Float32frombits(uint32(v[len(v)-1]))
		if d := ulps32(got, want); d != 0 {
			t.Errorf("%s %v: %g, want %g, %d ulp", name, fields[1:], got, want, d)
		}
		return
	}
	x := math.Float64frombits(v[0])
	var got float64
	if f := unary64[name]; f != nil {
		got = f(x)
	} else {
		got = binary64[name](x, math.Float64frombits(v[1]))
	}
	want := math.Float64frombits(v[len(v)-1])
	if d := ulps64(got, want); d != 0 {
		t.Errorf("%s %v: %g, want %g, %d ulp", name, fields[1:], got, want, d)
	}
}

// ulps32 returns how many float32 values a and b are apart; NaN equals NaN.
func ulps32(a, b float32) int64 {
	if a != a && b != b {
		return 0
	}
	order := func(x float32) int64 {
		i := int64(math.Float32bits(x) &^ (1 << 31))
		if math.Signbit(float64(x)) {
			return -i - 1
		}
		return i
	}
	return abs(order(a) - order(b))
}

// ulps64 returns how many float64 values a and b are apart, at most MaxInt64;
// NaN equals NaN.
func ulps64(a, b float64) int64 {
	switch {
	case a == b && math.Signbit(a) == math.Signbit(b), a != a && b != b:
		return 0
	case math.Signbit(a) != math.Signbit(b):
		return math.MaxInt64
	}
	return abs(int64(math.Float64bits(a)) - int64(math.Float64bits(b)))
}

func abs(x int64) int64 { return max(x, -x) }
