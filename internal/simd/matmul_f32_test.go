package simd

import (
	"fmt"
	"math"
	"testing"
)

// product returns init + Σ a·b and Σ |a·b| in float64.
func product(k int, init float32, a, b func(s int) float32) (sum, abs float64) {
	sum, abs = float64(init), math.Abs(float64(init))
	for s := range k {
		x := float64(a(s)) * float64(b(s))
		sum, abs = sum+x, abs+math.Abs(x)
	}
	return sum, abs
}

func TestMatMulF32(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		r := newRand()
		gen := normals(r)
		shapes(r, 60, func(m, n, k int) {
			trans, accumulate, clamp := r.IntN(3) == 0, r.IntN(3) == 0, r.IntN(2) == 0
			rows, cols := m, k
			if trans {
				rows, cols = k, m
			}
			lda, ldc := cols+r.IntN(5), n+r.IntN(5)
			a := fill(max(0, (rows-1)*lda+cols), gen)
			w := fill(n*k, gen)
			c, check := guarded(t, max(0, (m-1)*ldc+n), float32(7))
			start := append([]float32(nil), c...)
			var bias []float32
			if r.IntN(3) > 0 {
				bias = fill(n, gen)
			}
			g := MatMulF32{A: a, Lda: lda, TransA: trans, B: lv.PackF32(n, k, w), Bias: bias, C: c, Ldc: ldc, M: m,
				Accumulate: accumulate, Clamp: clamp, Min: -3, Max: 4}
			g.Run()
			check()
			for i := range m {
				for j := range ldc {
					at := i*ldc + j
					if at >= len(c) {
						continue
					}
					if j >= n {
						if c[at] != 7 {
							t.Fatalf("%dx%dx%d: wrote between rows", m, n, k)
						}
						continue
					}
					init := float32(0)
					if accumulate {
						init = start[at]
					} else if bias != nil {
						init = bias[j]
					}
					want, abs := product(k, init, func(s int) float32 {
						if trans {
							return a[s*lda+i]
						}
						return a[i*lda+s]
					}, func(s int) float32 { return w[j*k+s] })
					if clamp {
						want = min(max(want, -3), 4)
					}
					if d := math.Abs(float64(c[at]) - want); !(d <= bound(k, abs)) {
						t.Fatalf("m=%d n=%d k=%d trans=%v acc=%v [%d,%d] = %g, want %g", m, n, k, trans, accumulate, i, j, c[at], want)
					}
				}
			}
		})
	})
}

// An output is the same bits alone, in any batch, in any orientation of A, and
// at every level with fused multiply-adds.
func TestMatMulF32SameBits(t *testing.T) {
	const m, n, k = 61, 77, 1500
	r := newRand()
	a, w, bias := fill(m*k, normals(r)), fill(n*k, normals(r)), fill(n, normals(r))
	at := make([]float32, k*m)
	for i := range m {
		for s := range k {
			at[s*m+i] = a[i*k+s]
		}
	}
	var fused []float32
	each(t, func(t *testing.T, lv *Level) {
		b := lv.PackF32(n, k, w)
		c, one := make([]float32, m*n), make([]float32, n)
		(&MatMulF32{A: a, Lda: k, B: b, Bias: bias, C: c, Ldc: n, M: m}).Run()
		ct := make([]float32, m*n)
		(&MatMulF32{A: at, Lda: m, TransA: true, B: b, Bias: bias, C: ct, Ldc: n, M: m}).Run()
		for i := range m {
			(&MatMulF32{A: a[i*k:], Lda: k, B: b, Bias: bias, C: one, Ldc: n, M: 1}).Run()
			for j := range n {
				if c[i*n+j] != one[j] || c[i*n+j] != ct[i*n+j] {
					t.Fatalf("[%d,%d]: %g in a batch, %g alone, %g transposed", i, j, c[i*n+j], one[j], ct[i*n+j])
				}
			}
		}
		if lv.Name() == "generic" {
			return
		}
		if fused == nil {
			fused = c
		}
		for i := range c {
			if c[i] != fused[i] {
				t.Fatalf("element %d differs between levels: %g, %g", i, c[i], fused[i])
			}
		}
	})
}

func TestMatMulF32NaN(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		nan := float32(math.NaN())
		c := []float32{0, 0}
		g := MatMulF32{A: []float32{1}, Lda: 1, B: lv.PackF32(2, 1, []float32{nan, 1}), C: c, Ldc: 2, M: 1, Clamp: true, Max: 6}
		g.Run()
		if c[0] == c[0] || c[1] != 1 {
			t.Fatalf("got %v, want [NaN 1]", c)
		}
	})
}

func TestGemmF32(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		r := newRand()
		for range 120 {
			m, n, k := r.IntN(50), r.IntN(50), r.IntN(50)
			transA, transB := r.IntN(2) == 0, r.IntN(2) == 0
			beta := []float32{0, 1, 0.5, -2}[r.IntN(4)]
			lda, ldb, ldc := max(m, k)+r.IntN(3), max(n, k)+r.IntN(3), n+r.IntN(3)
			a, b := fill(50*lda, normals(r)), fill(50*ldb, normals(r))
			c := fill(50*ldc, normals(r))
			if beta == 0 {
				c[0] = float32(math.NaN())
			}
			start := append([]float32(nil), c...)
			lv.GemmF32(transA, transB, m, n, k, a, lda, b, ldb, beta, c, ldc, make([]float32, lv.PackedLenF32(n, k)))
			for i := range m {
				for j := range n {
					init := float32(0)
					if beta != 0 {
						init = beta * start[i*ldc+j]
					}
					want, abs := product(k, init, func(s int) float32 {
						if transA {
							return a[s*lda+i]
						}
						return a[i*lda+s]
					}, func(s int) float32 {
						if transB {
							return b[j*ldb+s]
						}
						return b[s*ldb+j]
					})
					if d := math.Abs(float64(c[i*ldc+j]) - want); !(d <= bound(k, abs)) {
						t.Fatalf("%v %v %dx%dx%d beta %g [%d,%d] = %g, want %g", transA, transB, m, n, k, beta, i, j, c[i*ldc+j], want)
					}
				}
			}
		}
	})
}

func TestPackTask(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		r := newRand()
		n, k := 75, 43
		w := fill(n*k, normals(r))
		wt := make([]float32, n*k)
		for j := range n {
			for s := range k {
				wt[s*n+j] = w[j*k+s]
			}
		}
		want := lv.PackF32(n, k, w)
		for _, kn := range []bool{false, true} {
			b := lv.NewPackedF32(n, k, fill(lv.PackedLenF32(n, k), normals(r)))
			task := PackTask{B: &b, Src: w, Ld: k}
			if kn {
				task = PackTask{B: &b, Src: wt, Ld: n, KN: true}
			}
			for i := range task.Chunks() {
				task.Chunk(i)
			}
			for i, v := range b.data {
				if v != want.data[i] {
					t.Fatalf("kn=%v: element %d = %g, want %g", kn, i, v, want.data[i])
				}
			}
		}
	})
}

func TestMatMulF32ShortOperands(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		b := lv.PackF32(40, 30, make([]float32, 40*30))
		s := func(n int) []float32 { return make([]float32, n) }
		for name, g := range map[string]MatMulF32{
			"A":       {A: s(89), Lda: 30, B: b, C: s(120), Ldc: 40, M: 3},
			"A trans": {A: s(89), Lda: 3, TransA: true, B: b, C: s(120), Ldc: 40, M: 3},
			"C":       {A: s(90), Lda: 30, B: b, C: s(119), Ldc: 40, M: 3},
			"bias":    {A: s(90), Lda: 30, B: b, Bias: s(39), C: s(120), Ldc: 40, M: 3},
			"stride":  {A: s(900), Lda: 29, B: b, C: s(120), Ldc: 40, M: 3},
		} {
			t.Run(name, func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				g.Run()
			})
		}
	})
}

func TestMatMulF32Allocs(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		m, n, k := 70, 45, 33
		g := &MatMulF32{A: make([]float32, m*k), Lda: k, B: lv.PackF32(n, k, make([]float32, n*k)), C: make([]float32, m*n), Ldc: n, M: m}
		scratch := make([]float32, lv.PackedLenF32(n, k))
		b := make([]float32, n*k)
		if a := testing.AllocsPerRun(20, g.Run); a != 0 {
			t.Errorf("MatMulF32 allocates %v times", a)
		}
		if a := testing.AllocsPerRun(20, func() {
			lv.GemmF32(false, true, m, n, k, g.A, k, b, k, 1, g.C, n, scratch)
		}); a != 0 {
			t.Errorf("GemmF32 allocates %v times", a)
		}
	})
}

// benchShapes are M, K, N of the tutorial's network.
var benchShapes = [][3]int{{784, 25, 32}, {196, 800, 64}, {1, 3136, 1024}, {1, 1024, 10}, {32 * 784, 25, 32}, {32 * 196, 800, 64}, {32, 3136, 1024}, {32, 1024, 10}}

func benchEach(b *testing.B, f func(b *testing.B, lv *Level, m, k, n int) func()) {
	for _, lv := range Levels() {
		for _, s := range benchShapes {
			m, k, n := s[0], s[1], s[2]
			b.Run(fmt.Sprintf("%s/%dx%dx%d", lv.Name(), m, k, n), func(b *testing.B) {
				run := f(b, lv, m, k, n)
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(m*k*n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GMAC/s")
			})
		}
	}
}

func BenchmarkMatMulF32(b *testing.B) {
	benchEach(b, func(b *testing.B, lv *Level, m, k, n int) func() {
		g := &MatMulF32{A: make([]float32, m*k), Lda: k, B: lv.PackF32(n, k, make([]float32, n*k)), C: make([]float32, m*n), Ldc: n, M: m}
		return g.Run
	})
}

// Products of a training step of the tutorial's network, batch 32.
func BenchmarkGemmF32(b *testing.B) {
	for _, s := range []struct {
		name           string
		transA, transB bool
		m, n, k        int
	}{
		{"conv1 dW", true, false, 32, 25, 25088},
		{"conv2 dW", true, false, 64, 800, 6272},
		{"conv2 dX", false, false, 6272, 800, 64},
		{"fc1 y", false, true, 32, 1024, 3136},
		{"fc1 dW", true, false, 1024, 3136, 32},
		{"fc1 dX", false, false, 32, 3136, 1024},
	} {
		lv := Default()
		x, y, c := make([]float32, s.m*s.k), make([]float32, s.n*s.k), make([]float32, s.m*s.n)
		lda, ldb := s.k, s.n
		if s.transA {
			lda = s.m
		}
		if s.transB {
			ldb = s.k
		}
		scratch := make([]float32, lv.PackedLenF32(s.n, s.k))
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				lv.GemmF32(s.transA, s.transB, s.m, s.n, s.k, x, lda, y, ldb, 0, c, s.n, scratch)
			}
			b.ReportMetric(float64(s.m*s.k*s.n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GMAC/s")
		})
	}
}

func BenchmarkPackF32(b *testing.B) {
	const n, k = 1024, 3136
	lv, w := Default(), make([]float32, n*k)
	p := lv.NewPackedF32(n, k, make([]float32, lv.PackedLenF32(n, k)))
	for _, kn := range []bool{false, true} {
		b.Run(fmt.Sprintf("KN=%v", kn), func(b *testing.B) {
			b.SetBytes(4 * n * k)
			for b.Loop() {
				if kn {
					p.PackKN(w, n)
				} else {
					p.PackNK(w, k)
				}
			}
		})
	}
}
