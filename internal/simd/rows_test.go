package simd

import (
	"fmt"
	"math"
	"testing"
)

// special yields floats that rules about NaN, zeros and infinities meet.
func special(i int) float32 {
	return []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), math.MaxFloat32, 1e-42}[i%7]
}

func floats(n int) []float32 {
	r := newRand()
	return fill(n, func() float32 {
		if r.IntN(4) == 0 {
			return special(r.IntN(7))
		}
		return float32(r.NormFloat64())
	})
}

func sameF32(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && !(got[i] != got[i] && want[i] != want[i]) {
			t.Fatalf("%s, %d elements: [%d] = %g, want %g", what, len(want), i, got[i], want[i])
		}
	}
}

func TestRowsF32(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		for n := range 70 {
			all := floats(4 * n)
			x, y, z, w := all[:n], all[n:2*n], all[2*n:3*n], all[3*n:]
			for name, c := range map[string]struct {
				row  func(dst []float32)
				want func(i int) float32
			}{
				"add": {func(d []float32) { lv.AddF32(d, x, y) }, func(i int) float32 { return x[i] + y[i] }},
				"max": {func(d []float32) { lv.MaxF32(d, x, y) }, func(i int) float32 {
					if x[i] < y[i] {
						return y[i]
					}
					return x[i]
				}},
				"relugrad": {func(d []float32) { lv.ReluGradF32(d, x, y) }, func(i int) float32 {
					if y[i] > 0 {
						return x[i]
					}
					return 0
				}},
				"clamp": {func(d []float32) { lv.ClampF32(d, x, 0, 6) }, func(i int) float32 {
					v := x[i]
					if v < 0 {
						v = 0
					}
					if 6 < v {
						v = 6
					}
					return v
				}},
				"axpy": {func(d []float32) { copy(d, y); lv.AxpyF32(d, x, -1.7) }, func(i int) float32 {
					p := float32(-1.7 * x[i])
					return y[i] + p
				}},
			} {
				dst, check := guarded(t, n, float32(9))
				c.row(dst)
				check()
				want := make([]float32, n)
				for i := range want {
					want[i] = c.want(i)
				}
				sameF32(t, name, dst, want)
			}
			testAdam(t, lv, x, y, z, w)
			testReduceMax(t, lv, x)
		}
	})
}

// Rows longer than a piece.
func TestLongRows(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		n := 2*rowPiece + 45
		x, y, z, w := floats(n), floats(n + 1)[1:], floats(n + 2)[2:], floats(n + 3)[3:]
		testAdam(t, lv, x, y, z, w)
		testReduceMax(t, lv, x)
		got, want := make([]float32, n), make([]float32, n)
		lv.AddF32(got, x, y)
		addF32(want, x, y)
		sameF32(t, "add", got, want)
		lv.ClampF32(got, x, -1, 1)
		clampF32(want, x, -1, 1)
		sameF32(t, "clamp", got, want)
		lv.AxpyF32(got, y, 3)
		axpyF32(want, y, 3)
		sameF32(t, "axpy", got, want)
		b := fill(n, integers[uint8](newRand(), 0, 255))
		wide, flipped := make([]int16, n), make([]byte, n)
		lv.WidenU8(wide, b)
		lv.FlipI8(flipped, b)
		for i, v := range b {
			if wide[i] != int16(v) || flipped[i] != v^0x80 {
				t.Fatalf("element %d: %d, %d from %d", i, wide[i], flipped[i], v)
			}
		}
	})
}

func testAdam(t *testing.T, lv *Level, w, m, v, g []float32) {
	t.Helper()
	n := len(w)
	const alpha, c1, c2, eps = 0.01, 0.1, 0.001, 1e-7
	var got, want [3][]float32
	for i, s := range [][]float32{w, m, v} {
		got[i], want[i] = append([]float32(nil), s...), append([]float32(nil), s...)
	}
	for i := range n {
		d := float32(g[i]-m[i]) * float32(c1)
		want[1][i] = m[i] + d
		sq := float32(g[i] * g[i])
		d = float32(sq-v[i]) * float32(c2)
		want[2][i] = v[i] + d
		num := float32(want[1][i] * alpha)
		den := float32(math.Sqrt(float64(want[2][i]))) + eps
		want[0][i] = w[i] - float32(num/den)
	}
	lv.AdamF32(got[0], got[1], got[2], g, alpha, c1, c2, eps)
	for i, name := range []string{"adam w", "adam m", "adam v"} {
		sameF32(t, name, got[i], want[i])
	}
}

func testReduceMax(t *testing.T, lv *Level, x []float32) {
	t.Helper()
	want := math.Inf(-1)
	for _, v := range x {
		if float64(v) > want {
			want = float64(v)
		}
	}
	if got := lv.ReduceMaxF32(x); float64(got) != want {
		t.Fatalf("max of %v = %g, want %g", x, got, want)
	}
}

func TestRowsBytes(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		r := newRand()
		for n := range 100 {
			x, y := fill(n, integers[uint8](r, 0, 255)), fill(n, integers[uint8](r, 0, 255))
			sx, sy := fill(n, integers[int8](r, -128, 127)), fill(n, integers[int8](r, -128, 127))
			u, checkU := guarded(t, n, uint8(0xEE))
			s, checkS := guarded(t, n, int8(0x1E))
			f, checkF := guarded(t, n, uint8(0xEE))
			w, checkW := guarded(t, n, int16(-9))
			lv.MaxU8(u, x, y)
			lv.MaxI8(s, sx, sy)
			lv.FlipI8(f, x)
			lv.WidenU8(w, x)
			for _, check := range []func(){checkU, checkS, checkF, checkW} {
				check()
			}
			for i := range n {
				if u[i] != max(x[i], y[i]) || s[i] != max(sx[i], sy[i]) || f[i] != x[i]^0x80 || w[i] != int16(x[i]) {
					t.Fatalf("n=%d: element %d", n, i)
				}
			}
		}
	})
}

// convs are geometries with every kind of border.
func convs() []Conv {
	var all []Conv
	for _, k := range []int{1, 2, 3, 5} {
		for _, stride := range []int{1, 2} {
			for _, dilation := range []int{1, 2} {
				for _, pad := range []int{0, 1, 7} {
					for _, c := range []int{1, 3, 33} {
						cv := Conv{H: 6, W: 7, C: c, KH: k, KW: max(1, k-1), StrideH: stride, StrideW: 3 - stride, DilationH: dilation, DilationW: dilation, PadTop: pad, PadLeft: pad / 2}
						cv.OutH, cv.OutW = (6+2*pad)/stride, (7+pad)/(3-stride)
						all = append(all, cv)
					}
				}
			}
		}
	}
	return append(all, Conv{H: 6, W: 7, C: 2, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, OutH: 6, OutW: 7})
}

// at returns the image's value at the tap (ky, kx, ch) of output pixel p.
func (c *Conv) at(src []float32, p, ky, kx, ch int) (float32, bool) {
	y := p/c.OutW*c.StrideH + ky*c.DilationH - c.PadTop
	x := p%c.OutW*c.StrideW + kx*c.DilationW - c.PadLeft
	if y < 0 || y >= c.H || x < 0 || x >= c.W {
		return 0, false
	}
	return src[(y*c.W+x)*c.C+ch], true
}

func TestIm2col(t *testing.T) {
	for _, c := range convs() {
		src := fill(c.H*c.W*c.C, normals(newRand()))
		ld := c.K() + 2
		p0, p1 := c.Pixels()/5, c.Pixels()
		dst, check := guarded(t, (p1-p0-1)*ld+c.K(), float32(5))
		Im2col(&c, dst, ld, src, -1, p0, p1)
		check()
		for p := p0; p < p1; p++ {
			at := (p - p0) * ld
			for ky := range c.KH {
				for kx := range c.KW {
					for ch := range c.C {
						want, ok := c.at(src, p, ky, kx, ch)
						if !ok {
							want = -1
						}
						if dst[at] != want {
							t.Fatalf("%+v pixel %d [%d %d %d] = %g, want %g", c, p, ky, kx, ch, dst[at], want)
						}
						at++
					}
				}
			}
			if at < len(dst) && dst[at] != 5 {
				t.Fatalf("%+v: wrote between rows", c)
			}
		}
		if c.Direct() {
			sameF32(t, "direct", dst[:c.K()], src[p0*c.C:][:c.K()])
		}
	}
}

func TestCol2im(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		for _, c := range convs() {
			r := newRand()
			ld := c.K() + 1
			src := fill(c.Pixels()*ld, func() float32 { return float32(r.IntN(64)) })
			dst := fill(c.H*c.W*c.C, func() float32 { return 1 })
			lv.Col2imF32(&c, dst, src, ld)
			// Im2col of the elements' positions says where each value belongs.
			pos := make([]float32, len(dst))
			for i := range pos {
				pos[i] = float32(i)
			}
			want := fill(len(dst), func() float32 { return 1 })
			for p := range c.Pixels() {
				for i := range c.K() {
					if at, ok := c.at(pos, p, i/c.C/c.KW, i/c.C%c.KW, i%c.C); ok {
						want[int(at)] += src[p*ld+i]
					}
				}
			}
			sameF32(t, fmt.Sprintf("%+v", c), dst, want)
		}
	})
}

func TestMaxPool(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		for _, c := range convs() {
			r := newRand()
			u := fill(c.H*c.W*c.C, integers[uint8](r, 0, 255))
			f, s := make([]float32, len(u)), make([]int8, len(u))
			for i, v := range u {
				f[i], s[i] = float32(v)-128, int8(v^0x80)
			}
			f[0], f[len(f)-1], f[len(f)/2] = float32(math.NaN()), float32(math.Inf(-1)), float32(math.NaN())
			s[0], s[len(s)-1], s[len(s)/2] = -128, -128, -128
			u[0], u[len(u)-1], u[len(u)/2] = 0, 0, 0
			n := c.Pixels() * c.C
			df, ds, du := make([]float32, n), make([]int8, n), make([]uint8, n)
			lv.MaxPoolF32(&c, df, f, 0, c.Pixels())
			lv.MaxPoolI8(&c, ds, s, 0, c.Pixels())
			lv.MaxPoolU8(&c, du, u, 0, c.Pixels())
			for i := range n {
				want := float32(-math.MaxFloat32)
				for ky := range c.KH {
					for kx := range c.KW {
						if v, ok := c.at(f, i/c.C, ky, kx, i%c.C); ok && v > want {
							want = v
						}
					}
				}
				integer := max(want, -128)
				if df[i] != want || float32(ds[i]) != integer || float32(du[i])-128 != integer {
					t.Fatalf("%+v: element %d = %g %d %d, want %g", c, i, df[i], ds[i], du[i], want)
				}
			}
		}
	})
}

func TestRowsAllocs(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		x, m, v, g := floats(99), floats(99), floats(99), floats(99)
		c := Conv{H: 6, W: 6, C: 2, KH: 2, KW: 2, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, OutH: 5, OutW: 5}
		patches := make([]float32, 25*c.K())
		if a := testing.AllocsPerRun(10, func() {
			lv.AddF32(x, m, v)
			lv.AxpyF32(x, m, 2)
			lv.AdamF32(x, m, v, g, .1, .1, .1, .1)
			lv.ReduceMaxF32(x)
			lv.MaxPoolF32(&c, m, x, 0, 25)
			Im2col(&c, patches, c.K(), x, 0, 0, 25)
		}); a != 0 {
			t.Errorf("%v allocations", a)
		}
	})
}

func BenchmarkAdamF32(b *testing.B) {
	for _, lv := range Levels() {
		b.Run(fmt.Sprint(lv.Name()), func(b *testing.B) {
			w, m, v, g := make([]float32, 1<<14), make([]float32, 1<<14), make([]float32, 1<<14), make([]float32, 1<<14)
			for b.Loop() {
				lv.AdamF32(w, m, v, g, .1, .1, .1, 1e-7)
			}
			b.SetBytes(7 << 16)
		})
	}
}

func BenchmarkMaxPool2x2(b *testing.B) {
	c := Conv{H: 28, W: 28, C: 32, KH: 2, KW: 2, StrideH: 2, StrideW: 2, DilationH: 1, DilationW: 1, OutH: 14, OutW: 14}
	src, dst := make([]float32, 28*28*32), make([]float32, 14*14*32)
	for _, lv := range Levels() {
		b.Run(lv.Name(), func(b *testing.B) {
			for b.Loop() {
				lv.MaxPoolF32(&c, dst, src, 0, c.Pixels())
			}
		})
	}
}

func BenchmarkIm2col5x5(b *testing.B) {
	for _, ch := range []int{1, 32} {
		b.Run(fmt.Sprint(ch), func(b *testing.B) {
			c := Conv{H: 28, W: 28, C: ch, KH: 5, KW: 5, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: 2, PadLeft: 2, OutH: 28, OutW: 28}
			src, dst := make([]uint8, 28*28*ch), make([]uint8, 28*28*25*ch)
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				Im2col(&c, dst, c.K(), src, 128, 0, c.Pixels())
			}
		})
	}
}
