package simd

import (
	"fmt"
	"math"
	"unsafe"
)

// cacheLine is the alignment of packed operands, in bytes.
const cacheLine = 64

// aligned returns n elements of buf, starting at a cache line. buf holds at
// least n + cacheLine/sizeof(T) - 1 elements and is aligned to its element.
func aligned[T any](buf []T, n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % cacheLine / uintptr(size))
	return buf[off : off+n : off+n]
}

// makeAligned allocates n zero elements at a cache line.
func makeAligned[T any](n int) []T {
	return aligned(make([]T, n+cacheLine/int(unsafe.Sizeof(*new(T)))), n)
}

// hide returns p, unseen by escape analysis. Kernels are called through the
// dispatch table, where the compiler must assume that arguments escape; they
// retain none, so tiles may live on the caller's stack. The owner of *p refers
// to it after the last use of the result, at least by runtime.KeepAlive.
//
// No call may come between the two lines, since a call can move the stack: hence
// no pointer checks (which -race switches on), and no stack check of its own.
//
//go:nosplit
//go:nocheckptr
func hide[T any](p *T) *T {
	u := uintptr(unsafe.Pointer(p))
	return *(**T)(unsafe.Pointer(&u))
}

// noescape is hide for a slice.
//
//go:nocheckptr
func noescape[T any](s []T) []T {
	return unsafe.Slice(hide(unsafe.SliceData(s)), len(s))
}

// need panics unless s can hold rows rows of cols elements, ld apart.
func need[T any](what string, s []T, rows, cols, ld int) {
	if rows < 0 || cols < 0 || ld < cols && rows > 1 {
		panic(fmt.Sprintf("simd: %s: %d rows of %d, stride %d", what, rows, cols, ld))
	}
	within(what, len(s), rows, cols, ld)
}

// within panics unless the last of rows rows of cols elements, ld apart, ends at
// or before n. Rows may overlap.
func within(what string, n, rows, cols, ld int) {
	const limit = math.MaxInt32 // keeps the product below 2^62
	if rows > 0 && (rows > limit || ld < 0 || ld > limit || cols > n || int64(rows-1)*int64(ld) > int64(n-cols)) {
		panic(fmt.Sprintf("simd: %s: %d elements are too few for %d rows of %d, stride %d", what, n, rows, cols, ld))
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func roundUp(a, b int) int { return ceilDiv(a, b) * b }

// grid cuts an output of rows × panels into chunks. The cut changes no result.
type grid struct {
	rows, panels int // of a chunk
	m, p         int // of the whole
	across       int // chunks side by side
}

const (
	chunkWork = 1 << 18 // multiply-adds worth a claim: some microseconds
	maxChunks = 64
)

// newGrid cuts m rows by blocks of mb first, since a panel's cache lines are
// shared by the rows of a block, and panels only if there are too few blocks.
func newGrid(m, p, work, mb int) grid {
	g := grid{rows: m, panels: p, m: m, p: p, across: 1}
	chunks := min(work/chunkWork, maxChunks)
	if chunks <= 1 || m <= 0 || p <= 0 {
		return g
	}
	blocks := ceilDiv(m, mb)
	g.rows = mb * ceilDiv(blocks, min(blocks, chunks))
	down := ceilDiv(m, g.rows)
	g.panels = ceilDiv(p, min(p, ceilDiv(chunks, down)))
	g.across = ceilDiv(p, g.panels)
	return g
}

func (g grid) chunks() int {
	if g.m <= 0 || g.p <= 0 {
		return 0
	}
	return ceilDiv(g.m, g.rows) * g.across
}

// cell returns the rows [m0, m1) and panels [p0, p1) of chunk i.
func (g grid) cell(i int) (m0, m1, p0, p1 int) {
	m0, p0 = i/g.across*g.rows, i%g.across*g.panels
	return m0, min(m0+g.rows, g.m), p0, min(p0+g.panels, g.p)
}
