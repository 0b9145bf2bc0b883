package simd

import (
	"syscall"
	"testing"
	"unsafe"
)

// fence returns n elements that end right before a page without access: a read
// or write past the end is a fault.
func fence[T any](t *testing.T, n int) []T {
	t.Helper()
	page := syscall.Getpagesize()
	size := n * int(unsafe.Sizeof(*new(T)))
	pages := (size + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, pages+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(mem) })
	if err := syscall.Mprotect(mem[pages:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[pages-size])), n)
}

// fenced returns a copy of s that ends at a fence.
func fenced[T any](t *testing.T, s []T) []T {
	t.Helper()
	f := fence[T](t, len(s))
	copy(f, s)
	return f
}

// Nothing is read or written past the end of any operand.
func TestFences(t *testing.T) {
	each(t, func(t *testing.T, lv *Level) {
		r := newRand()
		for range 60 {
			m, n, k := 1+r.IntN(20), 1+r.IntN(70), 1+r.IntN(70)
			a, w := fenced(t, fill(m*k, normals(r))), fenced(t, fill(n*k, normals(r)))
			packed := lv.NewPackedF32(n, k, fence[float32](t, lv.PackedLenF32(n, k)))
			packed.PackNK(w, k)
			f := MatMulF32{A: a, Lda: k, B: &packed, Bias: fence[float32](t, n), C: fence[float32](t, m*n), Ldc: n, M: m}
			f.Run()
			packed.PackKN(w, n)
			f.A, f.Lda, f.TransA = a, m, true
			f.Run()

			w8 := fenced(t, fill(n*k, integers[int8](r, -128, 127)))
			q, err := NewRequant(n, []int32{1 << 30}, []int32{-7}, 0, -128, 127)
			if err != nil {
				t.Fatal(err)
			}
			i8 := MatMulI8{A: fence[uint8](t, m*k), Lda: k, M: m, Acc: fence[int32](t, m*n), Ldacc: n, B: lv.PackI8(n, k, w8, fence[int32](t, n), 3)}
			i8.Run()
			i8.Requant, i8.Out, i8.Ldo = q, fence[byte](t, m*n), n
			i8.Run()
			lv.Requant(q, i8.Out, n, i8.Acc, n, m, 0, n)
			i16 := MatMulI16{A: fence[int16](t, m*k), Lda: k, M: m, Acc: fence[int64](t, m*n), Ldacc: n, B: lv.PackI16(n, k, w8)}
			i16.Run()

			c := Conv{H: 4 + m, W: 9, C: 4, KH: 3, KW: 2, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, OutH: 2 + m, OutW: 8}
			size, pixels, ck := c.H*c.W*c.C, c.Pixels(), c.K()
			cw := fill(n*ck, integers[int8](r, -128, 127))
			(&MatMulF32{A: fence[float32](t, size), Conv: &c, B: lv.PackF32(n, ck, make([]float32, n*ck)), C: fence[float32](t, pixels*n), Ldc: n, M: pixels}).Run()
			(&MatMulI8{A: fence[uint8](t, size), Conv: &c, B: lv.PackI8(n, ck, cw, nil, 1), Acc: fence[int32](t, pixels*n), Ldacc: n, M: pixels}).Run()
			(&MatMulI16{A: fence[int16](t, size), Conv: &c, B: lv.PackI16(n, ck, cw), Acc: fence[int64](t, pixels*n), Ldacc: n, M: pixels}).Run()

			x, y, z, d := fence[float32](t, n), fence[float32](t, n), fence[float32](t, n), fence[float32](t, n)
			lv.AddF32(d, x, y)
			lv.MaxF32(d, x, y)
			lv.ReluGradF32(d, x, y)
			lv.ClampF32(d, x, 0, 6)
			lv.AxpyF32(d, x, 2)
			lv.AdamF32(d, x, y, z, 1, 1, 1, 1)
			lv.ReduceMaxF32(d)
			b := fence[byte](t, n)
			lv.MaxU8(b, b, b)
			lv.FlipI8(b, b)
			lv.MaxI8(w8, w8, w8)
			lv.WidenU8(fence[int16](t, n), b)
		}
	})
}
