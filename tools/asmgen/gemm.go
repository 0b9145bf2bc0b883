package main

import "fmt"

// gemm describes one matrix kernel. Every kernel computes, for `rows` rows of A
// and one packed panel of B (two vectors wide),
//
//	c[i][j] = clamp(init[i][j] + Σ_s dot(a[i] at step s, b[s][j]))
//
// where a step consumes four bytes of A: one float32, two int16 or four uint8.
// The inner sum runs in order of s, so a float result does not depend on the
// tile that computed it.
type gemm struct {
	name  string
	reg   string // "Y" or "Z"
	tiles []int  // row counts with code of their own, descending, ending in 1
	shift int    // log2 of the size of an element of A
	cols  bool   // A is stored transposed: a[s*lda+i]
	float bool   // clamp to [lo, hi]
	// mac prints acc += a*b for the row's two vectors.
	mac func(a *asm, g *gemm, t *tile, set, m int)
}

// tile is the register allocation of one row count.
type tile struct {
	mr, sets, unroll int
	free             int // first register after the accumulators
}

const panelVectors = 2

func (t *tile) acc(set, m, v int) int { return (set*t.mr+m)*panelVectors + v }
func (t *tile) b(v int) int           { return t.free + v }
func (t *tile) a(m int) int           { return t.free + panelVectors + m%2 }

func (g *gemm) bytes() int {
	if g.reg == "Z" {
		return 64
	}
	return 32
}

// newTile keeps at least eight accumulators busy in integer kernels by splitting
// the sum over several sets; a float sum must stay one chain.
func (g *gemm) newTile(mr int) *tile {
	t := &tile{mr: mr, sets: 1, unroll: 2}
	if mr < 4 {
		t.unroll = 4
		if !g.float {
			t.sets = 4 / mr
		}
	}
	if g.cols {
		t.unroll = 2
	}
	t.free = t.sets * mr * panelVectors
	return t
}

// Registers: SI A, DX C, R8 lda, R9 ldc, R11 rows left, DI B, R10 steps left,
// bases: one per three rows of the tile, R14 scratch. BP is never touched.
var bases = []string{"CX", "R12", "R13", "BX", "R15"}

func (g *gemm) emit(a *asm) {
	ps := join(slices("c"), ints("ldc"), slices("a"), ints("lda"), slices("b", "init"), ints("ldi", "rows", "k"))
	if g.float {
		ps = join(ps, words("lo", "hi"))
	}
	a.text(g.name, ps)
	a.op("MOVQ %s, DX", a.arg("c"))
	a.op("MOVQ %s, R9", a.arg("ldc"))
	a.op("SHLQ $2, R9")
	a.op("MOVQ %s, SI", a.arg("a"))
	a.op("MOVQ %s, R8", a.arg("lda"))
	if g.shift > 0 {
		a.op("SHLQ $%d, R8", g.shift)
	}
	a.op("MOVQ %s, R11", a.arg("rows"))
	a.label("next")
	for _, mr := range g.tiles {
		a.op("CMPQ R11, $%d", mr)
		a.op("JGE  tile%d", mr)
	}
	a.ret()
	for _, mr := range g.tiles {
		g.tile(a, g.newTile(mr))
	}
}

func (g *gemm) tile(a *asm, t *tile) {
	a.label("tile%d", t.mr)
	g.load(a, t)
	nb := 1
	a.op("MOVQ SI, CX")
	if !g.cols && t.mr > 3 {
		a.op("LEAQ (R8)(R8*2), R14")
		for nb = 1; nb*3 < t.mr; nb++ {
			a.op("LEAQ (%s)(R14*1), %s", bases[nb-1], bases[nb])
		}
	}
	a.op("MOVQ %s, DI", a.arg("b"))
	a.op("MOVQ %s, R10", a.arg("k"))
	a.op("SUBQ $%d, R10", t.unroll)
	a.op("JLT  rest%d", t.mr)
	a.op("PCALIGN $32")
	a.label("loop%d", t.mr)
	for u := range t.unroll {
		g.step(a, t, u)
	}
	g.advance(a, t, t.unroll, nb)
	a.op("SUBQ $%d, R10", t.unroll)
	a.op("JGE  loop%d", t.mr)
	a.label("rest%d", t.mr)
	a.op("ADDQ $%d, R10", t.unroll)
	a.op("JZ   done%d", t.mr)
	a.label("one%d", t.mr)
	g.step(a, t, 0)
	g.advance(a, t, 1, nb)
	a.op("DECQ R10")
	a.op("JNZ  one%d", t.mr)
	a.label("done%d", t.mr)
	g.store(a, t)
}

// load fills the accumulators from init and leaves init at the next tile's row.
func (g *gemm) load(a *asm, t *tile) {
	mov := g.vmov()
	a.op("MOVQ %s, R14", a.arg("init"))
	a.op("MOVQ %s, R10", a.arg("ldi"))
	for m := range t.mr {
		for v := range panelVectors {
			a.op("%s %d(R14), %s%d", mov, v*g.bytes(), g.reg, t.acc(0, m, v))
		}
		a.op("LEAQ (R14)(R10*4), R14")
	}
	a.op("MOVQ R14, %s", a.arg("init"))
	for i := t.mr * panelVectors; i < t.free; i++ {
		a.op("%s %[2]s%[3]d, %[2]s%[3]d, %[2]s%[3]d", g.vxor(), g.reg, i)
	}
}

func (g *gemm) step(a *asm, t *tile, u int) {
	for v := range panelVectors {
		a.op("%s %d(DI), %s%d", g.vmov(), (u*panelVectors+v)*g.bytes(), g.reg, t.b(v))
	}
	for m := range t.mr {
		a.op("%s %s, %s%d", g.bcast(), g.rowAddr(m, u), g.reg, t.a(m))
		g.mac(a, g, t, u%t.sets, m)
	}
}

// rowAddr addresses row m of the tile at step u of the unrolled loop.
func (g *gemm) rowAddr(m, u int) string {
	if g.cols {
		return fmt.Sprintf([]string{"%d(CX)", "%d(CX)(R8*1)"}[u], 4*m)
	}
	return fmt.Sprintf([]string{"%d(%s)", "%d(%s)(R8*1)", "%d(%s)(R8*2)"}[m%3], 4*u, bases[m/3])
}

func (g *gemm) advance(a *asm, t *tile, steps, nb int) {
	a.op("ADDQ $%d, DI", steps*panelVectors*g.bytes())
	if g.cols {
		a.op("LEAQ (CX)(R8*%d), CX", steps)
		return
	}
	for _, b := range bases[:nb] {
		a.op("ADDQ $%d, %s", 4*steps, b)
	}
}

func (g *gemm) store(a *asm, t *tile) {
	for set := 1; set < t.sets; set++ {
		for i := range t.mr * panelVectors {
			a.op("VPADDD %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", g.reg, t.acc(set, 0, 0)+i, i)
		}
	}
	if g.float {
		a.op("VBROADCASTSS %s, %s%d", a.arg("lo"), g.reg, t.b(0))
		a.op("VBROADCASTSS %s, %s%d", a.arg("hi"), g.reg, t.b(1))
		// The accumulator is the second source: a NaN and a zero's sign survive.
		for i := range t.mr * panelVectors {
			a.op("VMAXPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[2]d", g.reg, i, t.b(0))
			a.op("VMINPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[2]d", g.reg, i, t.b(1))
		}
	}
	for m := range t.mr {
		for v := range panelVectors {
			a.op("%s %s%d, %d(DX)", g.vmov(), g.reg, t.acc(0, m, v), v*g.bytes())
		}
		a.op("ADDQ R9, DX")
	}
	if g.cols {
		a.op("ADDQ $%d, SI", 4*t.mr)
	} else {
		a.op("IMUL3Q $%d, R8, R14", t.mr)
		a.op("ADDQ R14, SI")
	}
	a.op("SUBQ $%d, R11", t.mr)
	a.op("JMP  next")
}

func (g *gemm) vmov() string {
	switch {
	case g.float:
		return "VMOVUPS"
	case g.reg == "Z":
		return "VMOVDQU32"
	}
	return "VMOVDQU"
}

func (g *gemm) vxor() string {
	if g.reg == "Z" {
		return "VPXORD"
	}
	return "VPXOR"
}

func (g *gemm) bcast() string {
	if g.float {
		return "VBROADCASTSS"
	}
	return "VPBROADCASTD"
}

func fma(a *asm, g *gemm, t *tile, set, m int) {
	for v := range panelVectors {
		a.op("VFMADD231PS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", g.reg, t.b(v), t.a(m), t.acc(set, m, v))
	}
}

func dotU8(a *asm, g *gemm, t *tile, set, m int) {
	for v := range panelVectors {
		a.op("VPDPBUSD %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", g.reg, t.b(v), t.a(m), t.acc(set, m, v))
	}
}

// maddI16 uses the last register as scratch for all vectors but the last, whose
// product may overwrite the broadcast.
func maddI16(a *asm, g *gemm, t *tile, set, m int) {
	const scratch = 15
	for v := range panelVectors {
		dst := scratch
		if v == panelVectors-1 {
			dst = t.a(m)
		}
		a.op("VPMADDWD %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", g.reg, t.b(v), t.a(m), dst)
		a.op("VPADDD %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", g.reg, dst, t.acc(set, m, v))
	}
}

func gemmAVX2(a *asm) {
	(&gemm{name: "gemmF32AVX2", reg: "Y", tiles: []int{6, 4, 2, 1}, shift: 2, float: true, mac: fma}).emit(a)
	(&gemm{name: "gemmF32TransAVX2", reg: "Y", tiles: []int{6, 4, 2, 1}, shift: 2, float: true, cols: true, mac: fma}).emit(a)
	(&gemm{name: "gemmI16AVX2", reg: "Y", tiles: []int{4, 2, 1}, shift: 1, mac: maddI16}).emit(a)
}

func gemmAVX512(a *asm) {
	rows := []int{14, 8, 4, 2, 1}
	(&gemm{name: "gemmF32AVX512", reg: "Z", tiles: rows, shift: 2, float: true, mac: fma}).emit(a)
	(&gemm{name: "gemmF32TransAVX512", reg: "Z", tiles: rows, shift: 2, float: true, cols: true, mac: fma}).emit(a)
	(&gemm{name: "gemmU8VNNI", reg: "Z", tiles: rows, mac: dotU8}).emit(a)
}
