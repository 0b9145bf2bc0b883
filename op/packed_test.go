package op

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestUnpack(t *testing.T) {
	for _, c := range []struct {
		name   string
		src    []byte
		bits   int
		signed bool
		want   []int8
	}{
		{"int4", []byte{0x8f, 0x07}, 4, true, []int8{-1, -8, 7}},
		{"uint4", []byte{0x8f, 0x07}, 4, false, []int8{15, 8, 7}},
		{"int2", []byte{0b11_10_01_00, 0b10}, 2, true, []int8{0, 1, -2, -1, -2}},
	} {
		got := make([]int8, len(c.want))
		Unpack(got, c.src, c.bits, c.signed)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestUnpackIsInverse packs any integers and unpacks them.
func TestUnpackIsInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.SampledFrom([]int{2, 4}).Draw(t, "bits")
		want := rapid.SliceOf(rapid.Int8Range(-1<<(bits-1), 1<<(bits-1)-1)).Draw(t, "integers")
		packed := make([]byte, (len(want)*bits+7)/8)
		for i, v := range want {
			packed[i*bits/8] |= byte(v) & (1<<bits - 1) << (i * bits % 8)
		}
		got := make([]int8, len(want))
		Unpack(got, packed, bits, true)
		if d := cmp.Diff(want, got); len(want) > 0 && d != "" {
			t.Fatal(d)
		}
	})
}
