package tensor

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"
)

type float16Golden struct {
	Widen string            `json:"f16_to_f32"`
	Round map[string]string `json:"f32_to_f16"`
}

func readFloat16Golden(t *testing.T) float16Golden {
	t.Helper()
	file, err := os.ReadFile("testdata/float16.json")
	if err != nil {
		t.Fatal(err)
	}
	var g float16Golden
	if err := json.Unmarshal(file, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// All 65536 halves widen as NumPy widens them.
func TestFloat16ToFloat32Exhaustive(t *testing.T) {
	var b []byte
	for h := range 1 << 16 {
		f := Float16ToFloat32(uint16(h))
		bits := math.Float32bits(f)
		if f != f {
			bits = bits&0x80000000 | 0x7fc00000
		}
		b = binary.LittleEndian.AppendUint32(b, bits)
		if f == f && Float32ToFloat16(f) != uint16(h) {
			t.Fatalf("half %#04x does not survive the round trip", h)
		}
	}
	if got := digest(b); got != readFloat16Golden(t).Widen {
		t.Errorf("digest %s is not NumPy's", got)
	}
}

// Every pattern of the bits that rounding keeps, with the dropped bits at and
// around a tie, rounds as NumPy rounds it.
func TestFloat32ToFloat16Exhaustive(t *testing.T) {
	for text, want := range readFloat16Golden(t).Round {
		low, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 0, 2<<19)
		for hi := range 1 << 19 {
			b = binary.LittleEndian.AppendUint16(b, Float32ToFloat16(math.Float32frombits(uint32(hi<<13|low))))
		}
		if got := digest(b); got != want {
			t.Errorf("low bits %#x: digest %s is not NumPy's", low, got)
		}
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestFloat16Values(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		f    float32
		want uint16
	}{
		{0, 0}, {float32(math.Copysign(0, -1)), 0x8000}, {1, 0x3c00}, {-2, 0xc000},
		{65504, 0x7bff}, {65519.996, 0x7bff}, {65520, 0x7c00}, {-1e30, 0xfc00}, {inf, 0x7c00},
		{0x1p-24, 1}, {0x1p-25, 0}, {0x1.000002p-25, 1}, {0x1.8p-24, 2}, {0x1p-14, 0x400}, {0x1.ff8p-15, 0x3ff},
		{1 + 0x1p-11, 0x3c00}, {1 + 3*0x1p-11, 0x3c02},
	} {
		if got := Float32ToFloat16(c.f); got != c.want {
			t.Errorf("Float32ToFloat16(%v) = %#04x, want %#04x", c.f, got, c.want)
		}
	}
}
