package simd

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// requantize is the reference rule in exact arithmetic: x·2^left wraps, the
// high product rounds ties up, the right shift ties away from zero.
func requantize(x, mult, shift int32) int64 {
	if shift > 0 {
		x <<= uint(shift)
	}
	num := new(big.Int).Mul(big.NewInt(int64(x)), big.NewInt(int64(mult)))
	num.Add(num, big.NewInt(1<<30))
	high := new(big.Int).Rsh(num, 31).Int64() // Rsh floors
	if shift >= 0 {
		return high
	}
	// Round half away from zero of high / 2^-shift.
	abs := max(high, -high)
	d := int64(1) << uint(-shift)
	abs = (2*abs + d) / (2 * d)
	if high < 0 {
		return -abs
	}
	return abs
}

func clampByte(v int64, lo, hi int32) byte {
	return byte(min(max(int64(int32(v)), int64(lo)), int64(hi)))
}

func TestRequant(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		r := newRand()
		for range 300 {
			n, rows := 1+r.IntN(70), 1+r.IntN(5)
			mult, shift := make([]int32, n), make([]int32, n)
			for j := range n {
				mult[j] = []int32{1 << 30, math.MaxInt32, 0, 1<<30 + r.Int32N(1<<30)}[r.IntN(4)]
				shift[j] = r.Int32N(63) - 31
				if r.IntN(2) == 0 {
					shift[j] = -r.Int32N(12)
				}
			}
			zp, lo, hi := r.Int32N(256)-128, int32(-128), int32(127)
			if r.IntN(2) == 0 {
				zp, lo, hi = r.Int32N(256), r.Int32N(5), 255-r.Int32N(5)
			}
			q, err := NewRequant(n, mult, shift, zp, lo, hi)
			if err != nil {
				t.Fatal(err)
			}
			lda, ldd := n+r.IntN(4), n+r.IntN(4)
			acc := fill((rows-1)*lda+n, func() int32 {
				switch r.IntN(5) {
				case 0:
					return []int32{math.MinInt32, math.MaxInt32, 0, -1, 1, math.MinInt32 + 1}[r.IntN(6)]
				case 1: // ties of the right shift under a multiplier of one half
					return int32(r.IntN(1<<12)-1<<11) << r.IntN(12)
				case 2:
					return r.Int32() - 1<<30
				}
				return int32(r.IntN(1<<16) - 1<<15)
			})
			dst, check := guarded(t, (rows-1)*ldd+n, byte(0xA5))
			lv.Requant(q, dst, ldd, acc, lda, rows, 0, n)
			check()
			for i := range rows {
				for j := range n {
					want := clampByte(requantize(acc[i*lda+j], mult[j], shift[j])+int64(zp), lo, hi)
					if got := dst[i*ldd+j]; got != want {
						t.Fatalf("x=%d mult=%d shift=%d zp=%d [%d,%d]: got %d, want %d", acc[i*lda+j], mult[j], shift[j], zp, lo, hi, got, want)
					}
				}
			}
		}
	})
}

// Negative ties, by hand: -2·½ through the shift.
func TestRequantTies(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		acc := make([]int32, 16)
		copy(acc, []int32{-6, -2, 2, 6, -4, 4, -1, 1, -3, 3})
		q, err := NewRequant(16, []int32{1 << 30}, []int32{-1}, 0, -128, 127) // ÷ 4
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 16)
		lv.Requant(q, dst, 16, acc, 16, 1, 0, 16)
		// -6/2 = -3, -3/2 = -1.5 → -2; -1/2 → (ties up) 0; 1/2 → 1, 1/2 → 1.
		want := []int8{-2, -1, 1, 2, -1, 1, 0, 1, -1, 1}
		for i, w := range want {
			if int8(dst[i]) != w {
				t.Errorf("%d/4 = %d, want %d", acc[i], int8(dst[i]), w)
			}
		}
	})
}

func TestNewRequantErrors(t *testing.T) {
	for name, f := range map[string]func() (*Requant, error){
		"lengths":    func() (*Requant, error) { return NewRequant(3, make([]int32, 2), make([]int32, 2), 0, 0, 1) },
		"range":      func() (*Requant, error) { return NewRequant(1, []int32{1}, []int32{0}, 0, 5, 4) },
		"multiplier": func() (*Requant, error) { return NewRequant(1, []int32{-1}, []int32{0}, 0, 0, 4) },
		"shift":      func() (*Requant, error) { return NewRequant(1, []int32{1}, []int32{-32}, 0, 0, 4) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func testMatMulI8(t *testing.T, lv *Level, r *rand.Rand, m, n, k int) {
	lda, ldc := k+r.IntN(5), n+r.IntN(5)
	zero := int32(r.IntN(256))
	a := fill(max(0, (m-1)*lda+k)+r.IntN(5), integers[uint8](r, 0, 255))
	w := fill(n*k, integers[int8](r, -128, 127))
	var bias []int32
	if r.IntN(3) > 0 {
		bias = fill(n, integers[int32](r, -1<<20, 1<<20))
	}
	want := func(i, j int) (acc int32) {
		for s := range k {
			acc += (int32(a[i*lda+s]) - zero) * int32(w[j*k+s])
		}
		if bias != nil {
			acc += bias[j]
		}
		return acc
	}
	g := MatMulI8{A: a, Lda: lda, B: lv.PackI8(n, k, w, bias, zero), M: m}
	acc, check := guarded(t, max(0, (m-1)*ldc+n), int32(-77))
	g.Acc, g.Ldacc = acc, ldc
	g.Run()
	check()

	mult, shift := fill(n, func() int32 { return 1<<30 + r.Int32N(1<<30) }), fill(n, func() int32 { return -4 - r.Int32N(10) })
	q, err := NewRequant(n, mult, shift, 3, -128, 127)
	if err != nil && n > 0 {
		t.Fatal(err)
	}
	out, checkOut := guarded(t, max(0, (m-1)*ldc+n), byte(0x5A))
	if n > 0 {
		g.Requant, g.Out, g.Ldo = q, out, ldc
		g.Run()
	}
	checkOut()
	for at := range acc {
		i, j := at/ldc, at%ldc
		if j >= n {
			if acc[at] != -77 || out[at] != 0x5A {
				t.Fatalf("%dx%dx%d: wrote between rows", m, n, k)
			}
			continue
		}
		x := want(i, j)
		if acc[at] != x {
			t.Fatalf("m=%d n=%d k=%d [%d,%d] = %d, want %d", m, n, k, i, j, acc[at], x)
		}
		if y := clampByte(requantize(x, mult[j], shift[j])+3, -128, 127); out[at] != y {
			t.Fatalf("m=%d n=%d k=%d [%d,%d] requantized to %d, want %d", m, n, k, i, j, int8(out[at]), int8(y))
		}
	}
	for j, s := range g.B.Sums() {
		var sum int32
		for _, x := range w[j*k:][:k] {
			sum += int32(x)
		}
		if s != sum {
			t.Fatalf("sum of output %d is %d, want %d", j, s, sum)
		}
	}
}

func TestMatMulI8(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		r := newRand()
		shapes(r, 60, func(m, n, k int) { testMatMulI8(t, lv, r, m, n, k) })
		testMatMulI8(t, lv, r, 1, 3, blockU8+5)
	})
}

// All operands at their extremes: nothing saturates on the way.
func TestMatMulI8Extremes(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		const m, n, k = 15, 33, 300
		for _, w := range []int8{-128, 127} {
			a := fill(m*k, func() uint8 { return 255 })
			acc := make([]int32, m*n)
			g := MatMulI8{A: a, Lda: k, B: lv.PackI8(n, k, fill(n*k, func() int8 { return w }), nil, 0), M: m, Acc: acc, Ldacc: n}
			g.Run()
			for i, x := range acc {
				if want := int32(k) * 255 * int32(w); x != want {
					t.Fatalf("weight %d, element %d: %d, want %d", w, i, x, want)
				}
			}
		}
	})
}

func testMatMulI16(t *testing.T, lv *Level, r *rand.Rand, m, n, k, greatest int) {
	lda, ldc := k+r.IntN(4), n+r.IntN(4)
	a := fill(max(0, (m-1)*lda+k)+r.IntN(3), integers[int16](r, -32768, 32767))
	w := fill(n*k, integers[int8](r, -greatest-1, greatest))
	acc, check := guarded(t, max(0, (m-1)*ldc+n), int64(-77))
	g := MatMulI16{A: a, Lda: lda, B: lv.PackI16(n, k, w), M: m, Acc: acc, Ldacc: ldc}
	g.Run()
	check()
	for at, got := range acc {
		i, j := at/ldc, at%ldc
		want := int64(-77)
		if j < n {
			want = 0
			for s := range k {
				want += int64(a[i*lda+s]) * int64(w[j*k+s])
			}
		}
		if got != want {
			t.Fatalf("m=%d n=%d k=%d [%d,%d] = %d, want %d", m, n, k, i, j, got, want)
		}
	}
}

func TestMatMulI16(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		r := newRand()
		shapes(r, 40, func(m, n, k int) { testMatMulI16(t, lv, r, m, n, k, 127) })
		testMatMulI16(t, lv, r, 3, 5, 9001, 6)
		testMatMulI16(t, lv, r, 3, 5, 9001, 127)
	})
}

func TestMatMulI16Extremes(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		const m, n, k = 5, 17, 4001
		for _, x := range []int16{-32768, 32767} {
			for _, w := range []int8{-128, 127} {
				acc := make([]int64, m*n)
				g := MatMulI16{A: fill(m*k, func() int16 { return x }), Lda: k, M: m, Acc: acc, Ldacc: n,
					B: lv.PackI16(n, k, fill(n*k, func() int8 { return w }))}
				g.Run()
				for i, got := range acc {
					if want := int64(k) * int64(x) * int64(w); got != want {
						t.Fatalf("%d·%d, element %d: %d, want %d", x, w, i, got, want)
					}
				}
			}
		}
	})
}

func TestMatMulIntAllocs(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		m, n, k := 70, 45, 33
		q, err := NewRequant(n, []int32{1 << 30}, []int32{-7}, 0, -128, 127)
		if err != nil {
			t.Fatal(err)
		}
		i8 := &MatMulI8{A: make([]uint8, m*k), Lda: k, B: lv.PackI8(n, k, make([]int8, n*k), nil, 0), M: m, Requant: q, Out: make([]byte, m*n), Ldo: n}
		i16 := &MatMulI16{A: make([]int16, m*k), Lda: k, B: lv.PackI16(n, k, make([]int8, n*k)), M: m, Acc: make([]int64, m*n), Ldacc: n}
		if a := testing.AllocsPerRun(20, i8.Run); a != 0 {
			t.Errorf("MatMulI8 allocates %v times", a)
		}
		if a := testing.AllocsPerRun(20, i16.Run); a != 0 {
			t.Errorf("MatMulI16 allocates %v times", a)
		}
	})
}

func BenchmarkMatMulI8(b *testing.B) {
	benchEach(b, func(b *testing.B, lv *Level, m, k, n int) func() {
		q, err := NewRequant(n, []int32{1 << 30}, []int32{-7}, 0, 0, 255)
		if err != nil {
			b.Fatal(err)
		}
		g := &MatMulI8{A: make([]uint8, m*k+3), Lda: k, B: lv.PackI8(n, k, make([]int8, n*k), nil, 0), M: m, Requant: q, Out: make([]byte, m*n), Ldo: n}
		return g.Run
	})
}

func BenchmarkMatMulI16(b *testing.B) {
	benchEach(b, func(b *testing.B, lv *Level, m, k, n int) func() {
		w := fill(n*k, func() int8 { return 127 })
		g := &MatMulI16{A: make([]int16, m*k+1), Lda: k, B: lv.PackI16(n, k, w), M: m, Acc: make([]int64, m*n), Ldacc: n}
		return g.Run
	})
}
