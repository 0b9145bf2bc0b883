package simd

import (
	"fmt"
	"testing"
)

// insideConvs are geometries whose patches lie inside the images.
func insideConvs() []Conv {
	var all []Conv
	for _, outW := range []int{1, 5, 14, 40, 61} {
		for _, k := range []int{1, 3} {
			for _, stride := range []int{1, 2} {
				for _, dilation := range []int{1, 2} {
					for _, ch := range []int{4, 12} {
						c := Conv{C: ch, KH: k, KW: max(1, k-1), StrideH: stride, StrideW: 3 - stride, DilationH: dilation, DilationW: 3 - dilation, OutH: 3, OutW: outW}
						c.H = (c.OutH-1)*c.StrideH + (c.KH-1)*c.DilationH + 2
						c.W = (c.OutW-1)*c.StrideW + (c.KW-1)*c.DilationW + 2
						all = append(all, c)
					}
				}
			}
		}
	}
	return all
}

// A product from images is the product of their patches, bit for bit.
func TestMatMulConv(t *testing.T) {
	const images, n = 2, 37
	each(t, func(t *testing.T, lv *Level) {
		r := newRand()
		for _, c := range insideConvs() {
			k, m, size := c.K(), images*c.Pixels(), c.H*c.W*c.C
			w8 := fill(n*k, integers[int8](r, -128, 127))
			imF, im8 := fill(images*size, normals(r)), fill(images*size, integers[uint8](r, 0, 255))
			im16 := fill(images*size, integers[int16](r, -32768, 32767))
			pF, p8, p16 := make([]float32, m*k), make([]uint8, m*k), make([]int16, m*k)
			for i := range images {
				Im2col(&c, pF[i*c.Pixels()*k:], k, imF[i*size:], 0, 0, c.Pixels())
				Im2col(&c, p8[i*c.Pixels()*k:], k, im8[i*size:], 0, 0, c.Pixels())
				Im2col(&c, p16[i*c.Pixels()*k:], k, im16[i*size:], 0, 0, c.Pixels())
			}
			bF, b8, b16 := lv.PackF32(n, k, fill(n*k, normals(r))), lv.PackI8(n, k, w8, nil, 9), lv.PackI16(n, k, w8)
			var f [2][]float32
			var i8 [2][]int32
			var i16 [2][]int64
			for i, conv := range []*Conv{nil, &c} {
				f[i], i8[i], i16[i] = make([]float32, m*n), make([]int32, m*n), make([]int64, m*n)
				gF := MatMulF32{A: pF, Lda: k, B: bF, C: f[i], Ldc: n, M: m}
				g8 := MatMulI8{A: p8, Lda: k, B: b8, Acc: i8[i], Ldacc: n, M: m}
				g16 := MatMulI16{A: p16, Lda: k, B: b16, Acc: i16[i], Ldacc: n, M: m}
				if conv != nil {
					gF.A, gF.Lda, gF.Conv = imF, 0, conv
					g8.A, g8.Lda, g8.Conv = im8, 0, conv
					g16.A, g16.Lda, g16.Conv = im16, 0, conv
				}
				gF.Run()
				g8.Run()
				g16.Run()
			}
			for i := range m * n {
				if f[0][i] != f[1][i] || i8[0][i] != i8[1][i] || i16[0][i] != i16[1][i] {
					t.Fatalf("%+v: element %d: %g %g, %d %d, %d %d", c, i, f[0][i], f[1][i], i8[0][i], i8[1][i], i16[0][i], i16[1][i])
				}
			}
		}
	})
}

func TestMatMulConvRefusesBorders(t *testing.T) {
	lv := Default()
	c := Conv{H: 4, W: 4, C: 4, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, OutH: 2, OutW: 2}
	wide, padded := c, c
	wide.OutW, padded.PadTop = 3, 1
	for _, bad := range []Conv{wide, padded} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v: no panic", bad)
				}
			}()
			g := MatMulF32{A: make([]float32, 64), Conv: &bad, B: lv.PackF32(2, c.K(), make([]float32, 2*c.K())), C: make([]float32, 99), Ldc: 2, M: bad.Pixels()}
			g.Run()
		}()
	}
}

func TestPad(t *testing.T) {
	src := []int8{1, 2, 3, 4, 5, 6, 7, 8}
	dst, check := guarded(t, 5*5*2, int8(-1))
	Pad(dst, src, 2, 2, 2, 1, 2, 2, 1, 9)
	check()
	for i, v := range dst {
		y, x, ch := i/10-1, i/2%5-2, i%2
		want := int8(9)
		if y >= 0 && y < 2 && x >= 0 && x < 2 {
			want = src[(y*2+x)*2+ch]
		}
		if v != want {
			t.Fatalf("[%d %d %d] = %d, want %d", y, x, ch, v, want)
		}
	}
}

func BenchmarkConv5x5x32x64(b *testing.B) {
	c := Conv{H: 18, W: 18, C: 32, KH: 5, KW: 5, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, OutH: 14, OutW: 14}
	m, k, n := c.Pixels(), c.K(), 64
	for _, lv := range Levels() {
		f := &MatMulF32{A: make([]float32, 18*18*32), Conv: &c, B: lv.PackF32(n, k, make([]float32, n*k)), C: make([]float32, m*n), Ldc: n, M: m}
		i := &MatMulI8{A: make([]uint8, 18*18*32), Conv: &c, B: lv.PackI8(n, k, make([]int8, n*k), nil, 0), Acc: make([]int32, m*n), Ldacc: n, M: m}
		for name, run := range map[string]func(){"f32": f.Run, "i8": i.Run} {
			b.Run(fmt.Sprintf("%s/%s", lv.Name(), name), func(b *testing.B) {
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(m*k*n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GMAC/s")
			})
		}
	}
}
