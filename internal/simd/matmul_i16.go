package simd

import (
	"fmt"
	"runtime"
)

// PackedI16 is the right operand of a 16x8 product: int8 weights, N outputs by
// K inputs, widened to int16.
type PackedI16 struct {
	lv   *Level
	n, k int
	w    []int16 // [panel][k/2][nr][2]

	// block is how many products an int32 sum can take.
	block int
}

// drainK is how many products an int32 sum can take whatever the operands: two
// products are at most 2·32768·128 = 2^23 in magnitude, and 255·2^23 < 2^31.
const drainK = 2 * 255

// PackI16 packs weights [n, k], row-major.
func (lv *Level) PackI16(n, k int, w []int8) *PackedI16 {
	need("weights", w, n, k, k)
	p := &PackedI16{lv: lv, n: n, k: k, w: packSteps[int16](n, k, 2, lv.i16.nr, w), block: drainK}
	greatest := 0
	for j := range n {
		sum := 0
		for _, x := range w[j*k:][:k] {
			sum += max(int(x), -int(x))
		}
		greatest = max(greatest, sum)
	}
	// No sum of an output's products, partial or whole, leaves int32.
	if greatest < 1<<16 {
		p.block = blockU8
	}
	return p
}

// N returns the number of outputs.
func (p *PackedI16) N() int { return p.n }

// K returns the number of inputs of an output.
func (p *PackedI16) K() int { return p.k }

func (p *PackedI16) panels() int { return ceilDiv(p.n, p.lv.i16.nr) }

// MatMulI16 computes the exact sums
//
//	Acc[M, N] = A[M, K]·Bᵀ
//
// of int16 activations and int8 weights; bias and requantization are the
// caller's. It is a Task.
//
// Rows of A may be read one element past K where A has it.
type MatMulI16 struct {
	A     []int16 // row-major, Lda apart
	Lda   int
	Conv  *Conv // if not nil, A is images and Lda is ignored (see Conv)
	B     *PackedI16
	M     int
	Acc   []int64 // row-major, Ldacc apart
	Ldacc int
}

func (g *MatMulI16) view() view { return newView(g.Lda, g.M, g.B.k, g.Conv) }

func (g *MatMulI16) grid(v *view) grid {
	return newGrid(g.M, g.B.panels(), g.M*g.B.n*g.B.k, v.blockRows(g.B.lv.i16.mb))
}

// Chunks returns the number of chunks; it depends on the shapes only.
func (g *MatMulI16) Chunks() int {
	v := g.view()
	return g.grid(&v).chunks()
}

// Run computes all chunks on the caller's goroutine.
func (g *MatMulI16) Run() {
	for i := range g.Chunks() {
		g.Chunk(i)
	}
}

// Chunk computes chunk i. Chunks may run concurrently.
func (g *MatMulI16) Chunk(i int) {
	v := g.view()
	needView(&v, g.A, g.M)
	if g.Conv != nil && v.seg%2 != 0 {
		panic(fmt.Sprintf("simd: segments of %d values, not even", v.seg))
	}
	need("sums", g.Acc, g.M, g.B.n, g.Ldacc)
	m0, m1, p0, p1 := g.grid(&v).cell(i)
	var t tile16x8
	for m, rows := m0, 0; m < m1; m += rows {
		rows = v.rows(m, m1, g.B.lv.i16.mb)
		g.strip(&v, &t, m, rows, p0, p1)
	}
	runtime.KeepAlive(&t)
}

// tile16x8 is the scratch memory of strip.
type tile16x8 struct {
	sums [maxMB * maxNR]int32
	zero [maxNR]int32
	tail [maxMB * 2]int16
}

// strip computes rows [m, m+rows), all of one line, of panels [p0, p1). A step
// of the kernel is two values of K.
func (g *MatMulI16) strip(v *view, t *tile16x8, m, rows, p0, p1 int) {
	b, kern, c, init, tail := g.B, &g.B.lv.i16, noescape(t.sums[:]), noescape(t.zero[:]), noescape(t.tail[:])
	nr, size := kern.nr, 2*ceilDiv(b.k, 2)*kern.nr
	a := g.A[v.row(m):]
	whole := b.k // values that are read from A itself
	if b.k%2 != 0 && (rows-1)*v.lda+b.k+1 > len(a) {
		whole--
		copyTail(tail, 2, a, v.lda, rows, whole, b.k)
	}
	for p := p0; p < p1; p++ {
		w := b.w[p*size : (p+1)*size]
		for k0, k1 := 0, -1; k1 < whole; k0 = k1 {
			k1 = min(v.until(k0, b.block), whole)
			n := ceilDiv(k1-k0, 2)
			from := a
			if n > 0 {
				from = a[v.at(k0):]
				within("A", len(from), rows, 2*n, v.lda)
			}
			kern.run(c, nr, from, v.lda, w[k0*nr:], init, 0, rows, n)
			g.drain(c, m, rows, p, k0 == 0)
		}
		if whole < b.k {
			kern.run(c, nr, tail, 2, w[whole*nr:], init, 0, rows, 1)
			g.drain(c, m, rows, p, false)
		}
	}
}

// drain moves a tile of panel p to the int64 sums; first overwrites them.
func (g *MatMulI16) drain(tile []int32, m, rows, p int, first bool) {
	nr := g.B.lv.i16.nr
	cols := min(nr, g.B.n-p*nr)
	for i := range rows {
		acc, sums := g.Acc[(m+i)*g.Ldacc+p*nr:][:cols], tile[i*nr:][:cols]
		if first {
			clear(acc)
		}
		for j, x := range sums {
			acc[j] += int64(x)
		}
	}
}
