package simd

import (
	"fmt"
	"runtime"
)

// PackedI8 is the right operand of an 8-bit product: int8 weights, N outputs
// by K inputs, with the bias and the activations' zero point folded in.
type PackedI8 struct {
	lv   *Level
	n, k int
	nr   int
	w8   []int8  // [panel][k/4][nr][4], or
	w16  []int16 // [panel][k/2][nr][2] where the level has no 8-bit kernel
	bias []int32 // bias[j] - zero·Σw[j], padded to panels
	sums []int32 // Σw[j]
}

// PackI8 packs weights [n, k], row-major. Activations are uint8; zero is their
// zero point (an int8 tensor is flipped by FlipI8 and its zero point raised by
// 128). bias has n elements or is nil for zero.
func (lv *Level) PackI8(n, k int, w []int8, bias []int32, zero int32) *PackedI8 {
	need("weights", w, n, k, k)
	if bias != nil {
		need("bias", bias, 1, n, 0)
	}
	p := &PackedI8{lv: lv, n: n, k: k, nr: lv.i16.nr}
	if lv.u8.run != nil {
		p.nr = lv.u8.nr
		p.w8 = packSteps[int8](n, k, 4, p.nr, w)
	} else {
		p.w16 = packSteps[int16](n, k, 2, p.nr, w)
	}
	p.bias, p.sums = make([]int32, roundUp(n, p.nr)), make([]int32, n)
	for j := range n {
		for _, x := range w[j*k:][:k] {
			p.sums[j] += int32(x)
		}
		p.bias[j] = -zero * p.sums[j]
		if bias != nil {
			p.bias[j] += bias[j]
		}
	}
	return p
}

// packSteps lays out w as [panel][ceil(k/step)][nr][step] with zeros for what
// lies outside.
func packSteps[T int8 | int16](n, k, step, nr int, w []int8) []T {
	steps, panels := ceilDiv(k, step), ceilDiv(n, nr)
	out := makeAligned[T](panels * steps * nr * step)
	if k == 0 {
		return out
	}
	for j := range n {
		dst := out[(j/nr*steps*nr+j%nr)*step:]
		for s, x := range w[j*k:][:k] {
			dst[s/step*nr*step+s%step] = T(x)
		}
	}
	return out
}

// N returns the number of outputs.
func (p *PackedI8) N() int { return p.n }

// K returns the number of inputs of an output.
func (p *PackedI8) K() int { return p.k }

// Sums returns the sum of each output's weights, for activations whose zero
// point is known only at run time.
func (p *PackedI8) Sums() []int32 { return p.sums }

func (p *PackedI8) panels() int { return ceilDiv(p.n, p.nr) }

// MatMulI8 computes the exact sums
//
//	acc[M, N] = (A[M, K] - zero)·Bᵀ + bias      (in wrapping int32)
//
// and stores them in Acc, or requantized in Out. It is a Task.
//
// Rows of A may be read up to three bytes past K where A has them, so A is
// fastest with 3 bytes of slack after its last row.
type MatMulI8 struct {
	A    []uint8 // row-major, Lda apart
	Lda  int
	Conv *Conv // if not nil, A is images and Lda is ignored (see Conv)
	B    *PackedI8
	M    int

	Requant *Requant
	Out     []byte // uint8, or the bits of int8: the range of Requant says which
	Ldo     int

	Acc   []int32 // used without Requant
	Ldacc int
}

func (g *MatMulI8) view() view { return newView(g.Lda, g.M, g.B.k, g.Conv) }

func (g *MatMulI8) rowBlock() int {
	if g.B.w8 != nil {
		return g.B.lv.u8.mb
	}
	return g.B.lv.i16.mb
}

func (g *MatMulI8) grid(v *view) grid {
	return newGrid(g.M, g.B.panels(), g.M*g.B.n*g.B.k, v.blockRows(g.rowBlock()))
}

// Chunks returns the number of chunks; it depends on the shapes only.
func (g *MatMulI8) Chunks() int {
	v := g.view()
	return g.grid(&v).chunks()
}

// Run computes all chunks on the caller's goroutine.
func (g *MatMulI8) Run() {
	for i := range g.Chunks() {
		g.Chunk(i)
	}
}

// Chunk computes chunk i. Chunks may run concurrently.
func (g *MatMulI8) Chunk(i int) {
	v := g.view()
	g.check(&v)
	m0, m1, p0, p1 := g.grid(&v).cell(i)
	if g.B.w8 != nil {
		g.chunkU8(&v, m0, m1, p0, p1)
	} else {
		g.chunkI16(&v, m0, m1, p0, p1)
	}
}

func (g *MatMulI8) chunkU8(v *view, m0, m1, p0, p1 int) {
	var t tileU8
	for m, rows := m0, 0; m < m1; m += rows {
		rows = v.rows(m, m1, g.B.lv.u8.mb)
		g.stripU8(v, &t, m, rows, p0, p1)
	}
	runtime.KeepAlive(&t)
}

func (g *MatMulI8) chunkI16(v *view, m0, m1, p0, p1 int) {
	var t tileI16
	for m, rows := m0, 0; m < m1; m += rows {
		rows = v.rows(m, m1, g.B.lv.i16.mb)
		g.stripI16(v, &t, m, rows, p0, p1)
	}
	runtime.KeepAlive(&t)
}

func (g *MatMulI8) check(v *view) {
	needView(v, g.A, g.M)
	if g.Conv != nil && v.seg%4 != 0 {
		panic(fmt.Sprintf("simd: segments of %d values, not a multiple of 4", v.seg))
	}
	if g.Requant == nil {
		need("sums", g.Acc, g.M, g.B.n, g.Ldacc)
		return
	}
	need("output", g.Out, g.M, g.B.n, g.Ldo)
	if g.Requant.n != g.B.n {
		panic(fmt.Sprintf("simd: requantization of %d channels for %d outputs", g.Requant.n, g.B.n))
	}
}

// blockU8 bounds the values of K that one kernel call sums.
const blockU8 = 1 << 14

// tileU8 is the scratch memory of stripU8.
type tileU8 struct {
	sums [maxMB * maxNR]int32
	tail [maxMB * 4]uint8
}

// stripU8 computes rows [m, m+rows), all of one line, of panels [p0, p1) with
// the uint8 kernel, whose step is four values of K.
func (g *MatMulI8) stripU8(v *view, t *tileU8, m, rows, p0, p1 int) {
	b, kern, c, tail := g.B, &g.B.lv.u8, noescape(t.sums[:]), noescape(t.tail[:])
	steps := ceilDiv(b.k, 4)
	a := g.A[v.row(m):]
	whole := b.k // values that are read from A itself
	if b.k%4 != 0 && (rows-1)*v.lda+4*steps > len(a) {
		whole = b.k &^ 3
		copyTail(tail, 4, a, v.lda, rows, whole, b.k)
	}
	for p := p0; p < p1; p++ {
		w := b.w8[p*steps*4*b.nr : (p+1)*steps*4*b.nr]
		init, ldi := b.bias[p*b.nr:(p+1)*b.nr], 0
		for k0, k1 := 0, -1; k1 < whole; k0 = k1 {
			k1 = min(v.until(k0, blockU8), whole)
			n := ceilDiv(k1-k0, 4)
			from := a
			if n > 0 {
				from = a[v.at(k0):]
				within("A", len(from), rows, 4*n, v.lda)
			}
			kern.run(c, b.nr, from, v.lda, w[k0*b.nr:], init, ldi, rows, n)
			init, ldi = c, b.nr
		}
		if whole < b.k {
			kern.run(c, b.nr, tail, 4, w[whole*b.nr:], c, b.nr, rows, 1)
		}
		g.finish(c, b.nr, m, rows, p*b.nr, min(b.nr, b.n-p*b.nr))
	}
}

// copyTail copies columns [k0, k1) of a's rows into rows of step elements,
// filled up with zeros.
func copyTail[T any](dst []T, step int, a []T, lda, rows, k0, k1 int) {
	for i := range rows {
		row := dst[i*step:][:step]
		clear(row[copy(row, a[i*lda+k0:i*lda+k1]):])
	}
}

// Blocking of the path that widens A: so many columns share a widened block.
const (
	widenK    = 256
	widenRows = 32
	widenCols = 128
)

// tileI16 is the scratch memory of stripI16.
type tileI16 struct {
	sums [widenRows * widenCols]int32
	wide [widenRows * widenK]int16
}

// stripI16 computes rows [m, m+rows), all of one line and at most widenRows, of
// panels [p0, p1) by widening A block by block for the int16 kernel, whose
// step is two values of K.
func (g *MatMulI8) stripI16(v *view, t *tileI16, m, rows, p0, p1 int) {
	b, kern, c, a := g.B, &g.B.lv.i16, noescape(t.sums[:]), noescape(t.wide[:])
	size, group := 2*ceilDiv(b.k, 2)*b.nr, widenCols/b.nr
	for ; p0 < p1; p0 += group {
		p2 := min(p0+group, p1)
		for k0, k1 := 0, -1; k1 < b.k; k0 = k1 {
			k1 = v.until(k0, widenK)
			lda := g.widen(v, a, m, rows, k0, k1-k0)
			for p := p0; p < p2; p++ {
				dst := c[(p-p0)*b.nr:]
				init, ldi := dst, widenCols
				if k0 == 0 {
					init, ldi = b.bias[p*b.nr:(p+1)*b.nr], 0
				}
				n := ceilDiv(k1-k0, 2)
				w := b.w16[p*size+k0*b.nr:][:2*n*b.nr]
				kern.run(dst, widenCols, a, lda, w, init, ldi, rows, n)
			}
		}
		g.finish(c, widenCols, m, rows, p0*b.nr, min(p2*b.nr, b.n)-p0*b.nr)
	}
}

// widen stores values [k0, k0+kk) of rows [m, m+rows) of A as int16, each row
// followed by at least one value that may be read, and returns the stride.
func (g *MatMulI8) widen(v *view, dst []int16, m, rows, k0, kk int) int {
	lv, a := g.B.lv, g.A[v.row(m):]
	// Short rows go in one piece; an image's overlap, so that the last one ends
	// behind rows·lda.
	if n := (rows-1)*v.lda + kk; kk == g.B.k && n < len(dst) {
		lv.WidenU8(dst[:n], a[:n])
		dst[n] = 0
		return v.lda
	}
	for i := range rows {
		row := dst[i*widenK:][:widenK]
		lv.WidenU8(row[:kk], a[i*v.lda+v.at(k0):][:kk])
		if kk < widenK {
			row[kk] = 0
		}
	}
	return widenK
}

// finish stores a tile of sums: rows from m on, cols columns from j on.
func (g *MatMulI8) finish(tile []int32, ldt, m, rows, j, cols int) {
	if g.Requant == nil {
		for i := range rows {
			copy(g.Acc[(m+i)*g.Ldacc+j:][:cols], tile[i*ldt:])
		}
		return
	}
	lv, step := g.B.lv, g.B.lv.requant.step
	vectors := vectorLen(cols, step)
	lv.Requant(g.Requant, g.Out[m*g.Ldo+j:], g.Ldo, tile, ldt, rows, j, vectors)
	if vectors == cols {
		return
	}
	// The columns left over go through a tile of bytes, as a whole vector.
	var last [maxMB * maxNR]byte
	lv.Requant(g.Requant, noescape(last[:]), step, tile[vectors:], ldt, rows, j+vectors, step)
	for i := range rows {
		copy(g.Out[(m+i)*g.Ldo+j+vectors:][:cols-vectors], last[i*step:])
	}
}
