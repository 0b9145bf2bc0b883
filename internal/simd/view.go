package simd

import "fmt"

// view locates the rows of a product's left operand: those of a plain matrix,
// or the patches of an image as they lie in memory. A row is a few segments of
// consecutive values; the rows of a line are equally far apart.
type view struct {
	lda   int // from a row to the next of its line
	width int // rows of a line
	seg   int // values of a segment
	k     int
	conv  *Conv // nil for a plain matrix
}

func newView(lda, m, k int, c *Conv) view {
	if c == nil {
		return view{lda: lda, width: max(m, 1), seg: max(k, 1), k: k}
	}
	return view{lda: c.StrideW * c.C, width: c.OutW, seg: c.Segment(), k: k, conv: c}
}

// row returns the offset of row i.
func (v *view) row(i int) int {
	c := v.conv
	if c == nil {
		return i * v.lda
	}
	line, x := i/c.OutW, i%c.OutW
	image, y := line/c.OutH, line%c.OutH
	return ((image*c.H+y*c.StrideH)*c.W + x*c.StrideW) * c.C
}

// at returns the offset of value k from its row's first.
func (v *view) at(k int) int {
	c := v.conv
	if c == nil {
		return k
	}
	tap, ch := k/c.C, k%c.C
	return (tap/c.KW*c.DilationH*c.W+tap%c.KW*c.DilationW)*c.C + ch
}

// until returns the end of a block of values from k on: at most limit of them,
// all in one segment.
func (v *view) until(k, limit int) int {
	return min(k+limit, (k/v.seg+1)*v.seg, v.k)
}

// rows returns how many rows from m on form a block: at most limit, below m1,
// all in one line.
func (v *view) rows(m, m1, limit int) int {
	return min(limit, m1-m, v.width-m%v.width)
}

// blockRows rounds mb down to whole lines where a block can hold one.
func (v *view) blockRows(mb int) int {
	if v.width < mb {
		return mb - mb%v.width
	}
	return mb
}

// needView panics unless a holds the m rows that v describes.
func needView[T any](v *view, a []T, m int) {
	c := v.conv
	if c == nil {
		need("A", a, m, v.k, v.lda)
		return
	}
	c.check(0, 0)
	if v.k != c.K() || c.PadTop != 0 || c.PadLeft != 0 ||
		(c.OutH-1)*c.StrideH+(c.KH-1)*c.DilationH >= c.H || (c.OutW-1)*c.StrideW+(c.KW-1)*c.DilationW >= c.W {
		panic(fmt.Sprintf("simd: patches of %+v are not all inside the image, or not of %d values", *c, v.k))
	}
	if c.Pixels() > 0 {
		need("images", a, ceilDiv(m, c.Pixels()), c.H*c.W*c.C, c.H*c.W*c.C)
	}
}
