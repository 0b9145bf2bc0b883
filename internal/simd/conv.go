package simd

import (
	"fmt"
	"math"
)

// Conv is the geometry of a 2-D convolution or pooling over NHWC images.
//
// A product whose Conv is set takes its left operand straight from images: row
// i of A is the patch of output pixel i, counted over all images. Then every
// patch must lie inside its image, so PadTop and PadLeft are 0 and the images
// were padded before (Pad). K is c.K() and the packed filter is in OHWI order.
// Results are those of Im2col and a plain product, bit for bit; it is faster
// where Segment is some dozens of values and OutW is not tiny.
type Conv struct {
	H, W, C              int // input
	KH, KW               int // filter
	StrideH, StrideW     int
	DilationH, DilationW int
	PadTop, PadLeft      int
	OutH, OutW           int
}

// K returns the length of a patch.
func (c *Conv) K() int { return c.KH * c.KW * c.C }

// Segment returns how many values of a patch are consecutive in the image.
// An 8-bit product takes patches from images only if it is a multiple of 4, a
// 16x8 product if it is even.
func (c *Conv) Segment() int {
	if c.DilationW == 1 {
		return c.KW * c.C
	}
	return c.C
}

// Pixels returns the number of output pixels of an image.
func (c *Conv) Pixels() int { return c.OutH * c.OutW }

// Direct reports whether patches are the image's pixels as they lie in memory,
// so that the image is the left operand of a plain product.
func (c *Conv) Direct() bool {
	return c.KH == 1 && c.KW == 1 && c.StrideH == 1 && c.StrideW == 1 &&
		c.PadTop == 0 && c.PadLeft == 0 && c.OutH == c.H && c.OutW == c.W
}

// check panics unless the geometry is sane and [p0, p1) are output pixels.
func (c *Conv) check(p0, p1 int) {
	if min(c.H, c.W, c.C, c.KH, c.KW, c.OutH, c.OutW) < 0 || min(c.StrideH, c.StrideW, c.DilationH, c.DilationW) < 1 {
		panic(fmt.Sprintf("simd: convolution %+v", *c))
	}
	const limit = 1 << 53 // of elements; no product below overflows
	if float64(c.H)*float64(c.W)*float64(c.C) > limit || float64(c.KH)*float64(c.KW)*float64(c.C) > limit ||
		float64(c.OutH)*float64(c.OutW) > limit {
		panic(fmt.Sprintf("simd: convolution %+v is too large", *c))
	}
	if p0 < 0 || p1 > c.Pixels() {
		panic(fmt.Sprintf("simd: pixels [%d, %d) of %d", p0, p1, c.Pixels()))
	}
}

// element is what images are made of.
type element interface{ float32 | int8 | uint8 | int16 }

// Pad copies an image [h, w, c] into dst, [h+top+bottom, w+left+right, c], and
// fills the border with pad.
func Pad[T element](dst, src []T, h, w, c, top, left, bottom, right int, pad T) {
	line := (w + left + right) * c
	need("image", src, h, w*c, w*c)
	need("padded image", dst, h+top+bottom, line, line)
	fillWith(dst[:top*line], pad)
	dst = dst[top*line:]
	for range h {
		fillWith(dst[:left*c], pad)
		copy(dst[left*c:(left+w)*c], src)
		fillWith(dst[(left+w)*c:line], pad)
		dst, src = dst[line:], src[w*c:]
	}
	fillWith(dst[:bottom*line], pad)
}

// Im2col writes the patches of output pixels [p0, p1) of src, [H, W, C], to rows
// of dst, ldd ≥ K apart, in the order of an OHWI filter: [KH, KW, C]. Positions
// outside the image are pad. Elements between K and ldd are left alone.
func Im2col[T element](c *Conv, dst []T, ldd int, src []T, pad T, p0, p1 int) {
	c.check(p0, p1)
	need("image", src, c.H, c.W*c.C, c.W*c.C)
	need("patches", dst, p1-p0, c.K(), ldd)
	for p, n := p0, 0; p < p1; p += n {
		y, x := p/c.OutW, p%c.OutW
		n = min(c.OutW-x, p1-p)
		for ky := range c.KH {
			out := dst[(p-p0)*ldd+ky*c.KW*c.C:]
			iy := y*c.StrideH - c.PadTop + ky*c.DilationH
			if iy < 0 || iy >= c.H {
				for i := range n {
					fillWith(out[i*ldd:][:c.KW*c.C], pad)
				}
				continue
			}
			patchLines(c, out, ldd, src[iy*c.W*c.C:][:c.W*c.C], pad, x, n, ky == c.KH-1)
		}
	}
}

// patchLines writes one line of the patches of n pixels from x on. Unless last
// is set, what follows it in a patch is written later.
func patchLines[T element](c *Conv, dst []T, ldd int, line []T, pad T, x, n int, last bool) {
	// Pixels [lo, hi) of the n need no padding.
	reach := (c.KW-1)*c.DilationW + 1
	lo := min(max(ceilDiv(c.PadLeft, c.StrideW)-x, 0), n)
	hi := lo
	if c.W+c.PadLeft >= reach {
		hi = max(min((c.W+c.PadLeft-reach)/c.StrideW+1-x, n), lo)
	}
	for i := range lo {
		patchLine(c, dst[i*ldd:], line, (x+i)*c.StrideW-c.PadLeft, pad)
	}
	for i := hi; i < n; i++ {
		patchLine(c, dst[i*ldd:], line, (x+i)*c.StrideW-c.PadLeft, pad)
	}
	if c.DilationW != 1 {
		for i := lo; i < hi; i++ {
			patchLine(c, dst[i*ldd:], line, (x+i)*c.StrideW-c.PadLeft, pad)
		}
		return
	}
	if lo < hi {
		copyRuns(c, dst[lo*ldd:], ldd, line[((x+lo)*c.StrideW-c.PadLeft)*c.C:], hi-lo, last)
	}
}

// copyRuns copies n runs of KW pixels, StrideW apart. A short run is copied as
// eight elements at once where that overwrites only what is written later.
func copyRuns[T element](c *Conv, dst []T, ldd int, line []T, n int, last bool) {
	run, step := c.KW*c.C, c.StrideW*c.C
	i := 0
	if run <= 8 && !last && 2*run >= 8 {
		for ; i < n && i*step+8 <= len(line); i++ {
			*(*[8]T)(dst[i*ldd:]) = *(*[8]T)(line[i*step:])
		}
	}
	for ; i < n; i++ {
		copy(dst[i*ldd:][:run], line[i*step:])
	}
}

// patchLine writes one line of the patch that starts at column x of the image.
func patchLine[T element](c *Conv, dst, line []T, x int, pad T) {
	if c.DilationW == 1 { // a run of pixels with padding on either side
		lo := min(max(-x, 0), c.KW) * c.C
		hi := max(min(c.W-x, c.KW)*c.C, lo)
		fillWith(dst[:lo], pad)
		if lo < hi {
			copy(dst[lo:hi], line[x*c.C+lo:])
		}
		fillWith(dst[hi:c.KW*c.C], pad)
		return
	}
	for kx := range c.KW {
		out := dst[kx*c.C:][:c.C]
		if ix := x + kx*c.DilationW; ix < 0 || ix >= c.W {
			fillWith(out, pad)
		} else {
			copy(out, line[ix*c.C:])
		}
	}
}

// Col2imF32 is the gradient of Im2col: it adds the patches of all output pixels,
// rows of src, lds ≥ K apart, to the places in dst, [H, W, C], that they are
// copies of, in order of pixels.
func (lv *Level) Col2imF32(c *Conv, dst, src []float32, lds int) {
	c.check(0, 0)
	need("image", dst, c.H, c.W*c.C, c.W*c.C)
	need("patches", src, c.Pixels(), c.K(), lds)
	for p := range c.Pixels() {
		y, x := p/c.OutW*c.StrideH-c.PadTop, p%c.OutW*c.StrideW-c.PadLeft
		for tap := range c.KH * c.KW {
			iy, ix := y+tap/c.KW*c.DilationH, x+tap%c.KW*c.DilationW
			if iy < 0 || iy >= c.H || ix < 0 || ix >= c.W {
				continue
			}
			pixel := dst[(iy*c.W+ix)*c.C:][:c.C]
			lv.AddF32(pixel, pixel, src[p*lds+tap*c.C:])
		}
	}
}

// MaxPoolF32 sets dst[p-p0], C elements for each output pixel p in [p0, p1), to
// the maximum over the part of p's window that lies in src, [H, W, C]. It is the
// lowest finite value at least, NaN never is the maximum.
func (lv *Level) MaxPoolF32(c *Conv, dst, src []float32, p0, p1 int) {
	maxPool(c, lv, (*Level).MaxF32, -math.MaxFloat32, dst, src, p0, p1)
}

// MaxPoolU8 is MaxPoolF32 for uint8.
func (lv *Level) MaxPoolU8(c *Conv, dst, src []uint8, p0, p1 int) {
	maxPool(c, lv, (*Level).MaxU8, 0, dst, src, p0, p1)
}

// MaxPoolI8 is MaxPoolF32 for int8.
func (lv *Level) MaxPoolI8(c *Conv, dst, src []int8, p0, p1 int) {
	maxPool(c, lv, (*Level).MaxI8, math.MinInt8, dst, src, p0, p1)
}

func maxPool[T any](c *Conv, lv *Level, maxRow func(lv *Level, dst, x, y []T), lowest T, dst, src []T, p0, p1 int) {
	c.check(p0, p1)
	need("image", src, c.H, c.W*c.C, c.W*c.C)
	need("pooled pixels", dst, p1-p0, c.C, c.C)
	if p0 == p1 {
		return
	}
	start := dst[(p1-p0-1)*c.C:][:c.C] // the last pixel, the others' maxima start from it
	fillWith(start, lowest)
	for p := p0; p < p1; p++ {
		out, sofar, outside := dst[(p-p0)*c.C:][:c.C], start, true
		y, x := p/c.OutW*c.StrideH-c.PadTop, p%c.OutW*c.StrideW-c.PadLeft
		y0, y1 := inside(y, c.KH, c.DilationH, c.H)
		x0, x1 := inside(x, c.KW, c.DilationW, c.W)
		for iy := y0; iy < y1; iy += c.DilationH {
			for ix := x0; ix < x1; ix += c.DilationW {
				maxRow(lv, out, sofar, src[(iy*c.W+ix)*c.C:][:c.C])
				sofar, outside = out, false
			}
		}
		if outside {
			copy(out, start)
		}
	}
}

// inside clips a window of k positions d apart, from the given one on, to [0, size).
func inside(from, k, d, size int) (first, end int) {
	first, end = from, min(from+k*d, size)
	if first < 0 {
		first += (d - 1 - first) / d * d
	}
	return first, end
}

func fillWith[T any](s []T, v T) {
	if len(s) == 0 {
		return
	}
	s[0] = v
	for n := 1; n < len(s); n *= 2 {
		copy(s[n:], s[:n])
	}
}
