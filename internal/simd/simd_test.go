package simd

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

func TestLevels(t *testing.T) {
	lv := Levels()
	if lv[0].Name() != "generic" {
		t.Fatalf("first level is %s", lv[0].Name())
	}
	best := lv[len(lv)-1]
	for _, name := range []string{"generic", "avx2", "avx512vnni"} {
		want := best
		for _, l := range lv {
			if l.Name() == name {
				want = l
			}
		}
		if got := choose(lv, name); got != want {
			t.Errorf("choose(%q) = %s, want %s", name, got.Name(), want.Name())
		}
	}
	for _, l := range lv {
		for _, x := range []struct{ nr, mb int }{{l.f32.nr, l.f32.mb}, {l.u8.nr, l.u8.mb}, {l.i16.nr, l.i16.mb}} {
			if x.nr > maxNR || x.mb > maxMB || x.nr*x.mb > maxMB*maxNR {
				t.Errorf("%s: panel %v exceeds the tile on the stack", l.Name(), x)
			}
		}
	}
}

// each runs f at every level of this CPU.
func each(t *testing.T, f func(t *testing.T, lv *Level)) {
	for _, lv := range Levels() {
		t.Run(lv.Name(), func(t *testing.T) { f(t, lv) })
	}
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// fill returns n values of gen.
func fill[T any](n int, gen func() T) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = gen()
	}
	return s
}

// integers yields uniform values of [lo, hi], a third of them at the ends.
func integers[T int8 | uint8 | int16 | int32](r *rand.Rand, lo, hi int) func() T {
	return func() T {
		switch r.IntN(6) {
		case 0:
			return T(lo)
		case 1:
			return T(hi)
		}
		return T(lo + r.IntN(hi-lo+1))
	}
}

func normals(r *rand.Rand) func() float32 {
	return func() float32 { return float32(r.NormFloat64()) }
}

// guarded returns n elements whose neighbours in memory are watched: check
// fails the test if any of them was written.
func guarded[T comparable](t *testing.T, n int, mark T) (s []T, check func()) {
	t.Helper()
	const pad = 256
	all := make([]T, n+2*pad)
	for i := range all {
		all[i] = mark
	}
	return all[pad : pad+n : pad+n], func() {
		t.Helper()
		for i, v := range all {
			if (i < pad || i >= pad+n) && v != mark && v == v {
				t.Fatalf("element %d of %d was overwritten", i-pad, n)
			}
		}
	}
}

// shapes yields sizes that meet every tail.
func shapes(r *rand.Rand, n int, yield func(m, n, k int)) {
	for i := 1; i <= 70; i++ {
		yield(i, 1+r.IntN(70), 1+r.IntN(70))
		yield(1+r.IntN(70), i, 1+r.IntN(70))
		yield(1+r.IntN(20), 1+r.IntN(70), i)
	}
	for range n {
		yield(1+r.IntN(150), 1+r.IntN(150), 1+r.IntN(150))
	}
	yield(1, 100, 3136)
	yield(3, 33, 2049)
	yield(60, 40, 0)
	yield(0, 40, 3)
	yield(4, 0, 3)
}

func TestAligned(t *testing.T) {
	for n := range 40 {
		s := makeAligned[int16](n)
		if len(s) != n || uintptr(unsafe.Pointer(unsafe.SliceData(s)))%cacheLine != 0 {
			t.Fatalf("makeAligned(%d): %d elements at %p", n, len(s), s)
		}
	}
}

func TestGridCoversOnce(t *testing.T) {
	r := newRand()
	for range 2000 {
		m, p, mb := r.IntN(300), r.IntN(40), 1+r.IntN(60)
		seen := make([]int, m*p)
		g := newGrid(m, p, r.IntN(1<<26), mb)
		for i := range g.chunks() {
			m0, m1, p0, p1 := g.cell(i)
			if m0 >= m1 || p0 >= p1 {
				t.Fatalf("%+v: chunk %d is empty", g, i)
			}
			for y := m0; y < m1; y++ {
				for x := p0; x < p1; x++ {
					seen[y*p+x]++
				}
			}
		}
		for i, n := range seen {
			if n != 1 {
				t.Fatalf("%+v: cell %d covered %d times", g, i, n)
			}
		}
	}
}

// bound is the error allowed a sum of n float32 products with absolute sum s.
func bound(n int, s float64) float64 { return float64(n+2) * math.Exp2(-23) * (s + 1) }

// Sizes whose products overflow are refused.
func TestWithin(t *testing.T) {
	for _, c := range []struct {
		n, rows, cols, ld int
		ok                bool
	}{
		{0, 0, 5, 5, true}, {5, 1, 5, 0, true}, {14, 3, 4, 5, true}, {13, 3, 4, 5, false},
		{100, math.MaxInt, 1, 4, false}, {100, 3, 1, math.MaxInt, false}, {100, 2, 1, -1, false}, {4, 1, 5, 0, false},
	} {
		func() {
			defer func() {
				if ok := recover() == nil; ok != c.ok {
					t.Errorf("%+v: ok = %v", c, ok)
				}
			}()
			within("x", c.n, c.rows, c.cols, c.ld)
		}()
	}
}
