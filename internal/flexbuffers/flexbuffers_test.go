package flexbuffers

import (
	_ "embed"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/litequant/litequant/tensor"
)

// Buffers that FlatBuffers' Python library wrote, with what they hold.
//
//go:embed testdata/maps.json
var maps []byte

type written struct {
	Buffer []byte
	Holds  map[string]any
}

func load(t testing.TB) []written {
	var list []written
	if err := json.Unmarshal(maps, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestMaps(t *testing.T) {
	for i, w := range load(t) {
		m, err := Root(w.Buffer)
		if err != nil {
			t.Fatalf("buffer %d: %v", i, err)
		}
		for name, want := range w.Holds {
			check(t, name, m.Get(name), want)
		}
		if !m.Get("no such name").IsNull() {
			t.Errorf("buffer %d has a name it has not", i)
		}
	}
}

func check(t *testing.T, name string, v Value, want any) {
	t.Helper()
	switch want := want.(type) {
	case nil:
		if v.Int() != 0 || v.Float() != 0 || v.Bool() {
			t.Errorf("%s is not null", name)
		}
	case bool:
		if v.Bool() != want || v.Int() != map[bool]int64{true: 1}[want] {
			t.Errorf("%s is %v, want %v", name, v.Bool(), want)
		}
	case float64:
		if v.Float() != want || v.Int() != truncate(want) || v.Bool() != (want != 0) {
			t.Errorf("%s is %v (%d), want %v", name, v.Float(), v.Int(), want)
		}
	case []any:
		ints, err := v.Ints()
		if err != nil || len(ints) != len(want) || !slices.EqualFunc(ints, want, func(a int64, b any) bool { return float64(a) == b }) {
			t.Errorf("%s is %v, want %v", name, ints, want)
		}
	}
}

func TestTruncate(t *testing.T) {
	for x, want := range map[float64]int64{1e300: math.MaxInt64, -1e300: math.MinInt64, -2.7: -2, math.Inf(1): math.MaxInt64} {
		if got := truncate(x); got != want {
			t.Errorf("%v becomes %d, want %d", x, got, want)
		}
	}
	if got := truncate(math.NaN()); got != 0 {
		t.Errorf("NaN becomes %d", got)
	}
}

func FuzzRoot(f *testing.F) {
	for _, w := range load(f) {
		f.Add(w.Buffer)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Root(b)
		if err != nil {
			if !errors.Is(err, tensor.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		for i := range m.values.n {
			v := m.values.element(i)
			_, _, _ = v.Int(), v.Float(), v.Bool()
			_, _ = v.Ints()
		}
		m.Get("a")
	})
}
