package simd

import (
	"math"
	"runtime"
)

// PackedF32 is the right operand of a float product, N outputs by K inputs, in
// panels of its level's width.
type PackedF32 struct {
	lv   *Level
	n, k int
	data []float32 // [panel][k][nr], columns from n on are zero
}

// PackF32 packs weights [n, k], row-major (TFLite's FULLY_CONNECTED and OHWI
// order), into new memory.
func (lv *Level) PackF32(n, k int, w []float32) *PackedF32 {
	p := lv.NewPackedF32(n, k, make([]float32, lv.PackedLenF32(n, k)))
	p.PackNK(w, k)
	return &p
}

// PackedLenF32 returns how many elements NewPackedF32 needs.
func (lv *Level) PackedLenF32(n, k int) int {
	return roundUp(n, lv.f32.nr)*k + cacheLine/4
}

// NewPackedF32 returns an operand that lives in buf, to be filled by PackNK or
// PackKN. len(buf) is at least PackedLenF32(n, k).
func (lv *Level) NewPackedF32(n, k int, buf []float32) PackedF32 {
	need("packing buffer", buf, 1, lv.PackedLenF32(n, k), 0)
	return PackedF32{lv: lv, n: n, k: k, data: aligned(buf, roundUp(n, lv.f32.nr)*k)}
}

// N returns the number of outputs.
func (p *PackedF32) N() int { return p.n }

// K returns the number of inputs of an output.
func (p *PackedF32) K() int { return p.k }

// PackNK packs src, n rows of k elements, ld apart.
func (p *PackedF32) PackNK(src []float32, ld int) {
	need("matrix to pack", src, p.n, p.k, ld)
	for j := 0; j < p.panels(); j++ {
		p.panelNK(j, src, ld)
	}
}

// PackKN packs src, k rows of n elements, ld apart: the transposed matrix.
func (p *PackedF32) PackKN(src []float32, ld int) {
	need("matrix to pack", src, p.k, p.n, ld)
	for j := 0; j < p.panels(); j++ {
		p.panelKN(j, src, ld)
	}
}

func (p *PackedF32) panels() int { return ceilDiv(p.n, p.lv.f32.nr) }

func (p *PackedF32) panel(j int) []float32 {
	size := p.k * p.lv.f32.nr
	return p.data[j*size : (j+1)*size]
}

func (p *PackedF32) panelNK(j int, src []float32, ld int) {
	nr, dst := p.lv.f32.nr, p.panel(j)
	cols := min(nr, p.n-j*nr)
	if cols < nr {
		clear(dst)
	}
	r, body := 0, p.k&^7
	if p.lv.transpose8 != nil && body > 0 {
		for ; r+8 <= cols; r += 8 {
			rows := src[(j*nr+r)*ld:]
			for s := 0; s < body; s += blockK {
				p.lv.transpose8(dst[s*nr+r:], nr, rows[s:], ld, min(blockK, body-s))
			}
			scatterRows(dst[r:], nr, rows, ld, 8, body, p.k)
		}
	}
	if r < cols {
		scatterRows(dst[r:], nr, src[(j*nr+r)*ld:], ld, cols-r, 0, p.k)
	}
}

// scatterRows sets dst[s*ldd+r] = x[r*ldx+s] for r < rows and s in [s0, s1).
func scatterRows(dst []float32, ldd int, x []float32, ldx, rows, s0, s1 int) {
	for r := range rows {
		for s := s0; s < s1; s++ {
			dst[s*ldd+r] = x[r*ldx+s]
		}
	}
}

func (p *PackedF32) panelKN(j int, src []float32, ld int) {
	nr, dst := p.lv.f32.nr, p.panel(j)
	cols := min(nr, p.n-j*nr)
	for s := range p.k {
		row := dst[s*nr : (s+1)*nr]
		clear(row[copy(row, src[s*ld+j*nr:][:cols]):])
	}
}

// PackTask packs B from Src by panels, on several threads.
type PackTask struct {
	B   *PackedF32
	Src []float32
	Ld  int
	KN  bool // Src is [K, N], else [N, K]
}

// Chunks returns the number of chunks.
func (t *PackTask) Chunks() int { return t.B.panels() }

// Chunk packs panel i.
func (t *PackTask) Chunk(i int) {
	if t.KN {
		need("matrix to pack", t.Src, t.B.k, t.B.n, t.Ld)
		t.B.panelKN(i, t.Src, t.Ld)
		return
	}
	need("matrix to pack", t.Src, t.B.n, t.B.k, t.Ld)
	t.B.panelNK(i, t.Src, t.Ld)
}

// MatMulF32 computes
//
//	C[M, N] = clamp(A[M, K]·Bᵀ + bias)
//
// It is a Task; see the package comment for the order of summation.
type MatMulF32 struct {
	A      []float32 // row-major, Lda apart; with TransA stored [K, M]
	Lda    int
	TransA bool
	Conv   *Conv // A is images and Lda is ignored (see Conv); not with TransA
	B      *PackedF32
	Bias   []float32 // N elements, or nil for zero
	C      []float32 // row-major, Ldc apart
	Ldc    int
	M      int

	// Accumulate starts at C instead of Bias.
	Accumulate bool

	// Clamp limits results to [Min, Max]; NaN stays.
	Clamp    bool
	Min, Max float32
}

// blockK keeps a panel's part of B and the rows' part of A in L2.
const blockK = 1024

func (g *MatMulF32) view() view {
	if g.TransA {
		return newView(g.Lda, g.M, g.B.k, nil)
	}
	return newView(g.Lda, g.M, g.B.k, g.Conv)
}

func (g *MatMulF32) grid(v *view) grid {
	b := g.B
	return newGrid(g.M, b.panels(), g.M*b.n*b.k, v.blockRows(b.lv.f32.mb))
}

// Chunks returns the number of chunks; it depends on the shapes only.
func (g *MatMulF32) Chunks() int {
	v := g.view()
	return g.grid(&v).chunks()
}

// Run computes all chunks on the caller's goroutine.
func (g *MatMulF32) Run() {
	for i := range g.Chunks() {
		g.Chunk(i)
	}
}

// Chunk computes chunk i. Chunks may run concurrently.
func (g *MatMulF32) Chunk(i int) {
	v := g.view()
	g.check(&v)
	m0, m1, p0, p1 := g.grid(&v).cell(i)
	for m, rows := m0, 0; m < m1; m += rows {
		rows = v.rows(m, m1, g.B.lv.f32.mb)
		g.strip(&v, m, rows, p0, p1)
	}
}

func (g *MatMulF32) check(v *view) {
	if g.TransA {
		need("A", g.A, g.B.k, g.M, g.Lda)
	} else {
		needView(v, g.A, g.M)
	}
	need("C", g.C, g.M, g.B.n, g.Ldc)
	if g.Bias != nil {
		need("bias", g.Bias, 1, g.B.n, 0)
	}
}

// strip computes rows [m, m+rows), all of one line, of panels [p0, p1).
func (g *MatMulF32) strip(v *view, m, rows, p0, p1 int) {
	nr, k := g.B.lv.f32.nr, g.B.k
	full := min(p1, g.B.n/nr)
	for k0, k1 := 0, -1; k1 < k && p0 < full; k0 = k1 {
		k1 = v.until(k0, blockK)
		for p := p0; p < full; p++ {
			c := g.C[m*g.Ldc+p*nr:]
			switch {
			case k0 > 0 || g.Accumulate:
				g.block(v, c, g.Ldc, m, rows, p, k0, k1, c, g.Ldc)
			case g.Bias != nil:
				g.block(v, c, g.Ldc, m, rows, p, k0, k1, g.Bias[p*nr:], 0)
			default:
				g.block(v, c, g.Ldc, m, rows, p, k0, k1, zeroBias[:], 0)
			}
		}
	}
	if p1 > full {
		g.lastPanel(v, m, rows)
	}
}

// lastPanel computes the panel that is narrower than nr in a tile of its own.
func (g *MatMulF32) lastPanel(v *view, m, rows int) {
	var tile [maxMB * maxNR]float32
	nr, p := g.B.lv.f32.nr, g.B.panels()-1
	cols, c := g.B.n-p*nr, noescape(tile[:])
	for i := range rows {
		if g.Accumulate {
			copy(tile[i*nr:], g.C[(m+i)*g.Ldc+p*nr:][:cols])
		} else if g.Bias != nil {
			copy(tile[i*nr:], g.Bias[p*nr:][:cols])
		}
	}
	for k0, k1 := 0, -1; k1 < g.B.k; k0 = k1 {
		k1 = v.until(k0, blockK)
		g.block(v, c, nr, m, rows, p, k0, k1, c, nr)
	}
	for i := range rows {
		copy(g.C[(m+i)*g.Ldc+p*nr:][:cols], tile[i*nr:])
	}
}

// zeroBias stands for a missing bias.
var zeroBias [maxNR]float32

// block computes rows [m, m+rows) of panel p in c, from init on, over values
// [k0, k1), which lie in one segment. It checks the bounds of all the kernel
// touches.
func (g *MatMulF32) block(v *view, c []float32, ldc, m, rows, p, k0, k1 int, init []float32, ldi int) {
	kern, k := &g.B.lv.f32, k1-k0
	lo, hi := float32(math.Inf(-1)), float32(math.Inf(1))
	if g.Clamp && k1 == g.B.k {
		lo, hi = g.Min, g.Max
	}
	b := g.B.panel(p)[k0*kern.nr : k1*kern.nr]
	run, a, lda := kern.rows, g.A, v.lda
	if g.TransA {
		run, lda = kern.trans, g.Lda
		if k > 0 {
			a = a[k0*lda+m:]
			within("A", len(a), k, rows, lda)
		}
	} else if k > 0 {
		a = a[v.row(m)+v.at(k0):]
		within("A", len(a), rows, k, lda)
	}
	within("tile", len(c), rows, kern.nr, ldc)
	within("init", len(init), rows, kern.nr, ldi)
	run(c, ldc, a, lda, b, init, ldi, rows, k, lo, hi)
}

// GemmF32 computes C = op(A)·op(B) + beta·C on the caller's goroutine, where
// op transposes if transA or transB is set: op(A) is [m, k], op(B) is [k, n],
// all stored row-major. scratch has at least PackedLenF32(n, k) elements and
// holds the packed B. With beta = 0, C is not read.
func (lv *Level) GemmF32(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int, scratch []float32) {
	packed := lv.NewPackedF32(n, k, scratch)
	if transB {
		packed.PackNK(b, ldb)
	} else {
		packed.PackKN(b, ldb)
	}
	if beta != 0 && beta != 1 {
		need("C", c, m, n, ldc)
		for i := range m {
			row := c[i*ldc:][:n]
			for j := range row {
				row[j] *= beta
			}
		}
	}
	mm := MatMulF32{A: a, Lda: lda, TransA: transA, B: hide(&packed), C: c, Ldc: ldc, M: m, Accumulate: beta != 0}
	mm.Run()
	runtime.KeepAlive(&packed)
}
