package simd

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type countTask struct {
	seen           []atomic.Int32
	active, widest atomic.Int32
	wait           time.Duration
}

func (c *countTask) Chunk(i int) {
	n := c.active.Add(1)
	for {
		w := c.widest.Load()
		if n <= w || c.widest.CompareAndSwap(w, n) {
			break
		}
	}
	c.seen[i].Add(1)
	if c.wait > 0 {
		time.Sleep(c.wait)
	}
	c.active.Add(-1)
}

func (c *countTask) check(t *testing.T) {
	t.Helper()
	for i := range c.seen {
		if n := c.seen[i].Load(); n != 1 {
			t.Fatalf("chunk %d ran %d times", i, n)
		}
	}
}

func newCount(n int, wait time.Duration) *countTask {
	return &countTask{seen: make([]atomic.Int32, n), wait: wait}
}

func newTestPool(t testing.TB, threads int) *Pool {
	p := NewPool(threads)
	t.Cleanup(p.Close)
	return p
}

func TestPoolRunsEachChunkOnce(t *testing.T) {
	p := newTestPool(t, 4)
	for n := range 200 {
		c := newCount(n, 0)
		p.Run(n, c, n%5)
		c.check(t)
		if n%50 == 0 {
			time.Sleep(2 * spinTime) // let workers park
		}
	}
}

func TestPoolThreads(t *testing.T) {
	p := newTestPool(t, 4)
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("wasm has one thread")
	}
	if p.Threads() != 4 {
		t.Fatalf("%d threads", p.Threads())
	}
	for _, limit := range []int{1, 2, 3, 4, 0, 9} {
		c := newCount(24, time.Millisecond)
		p.Run(24, c, limit)
		c.check(t)
		want := int32(limit)
		if limit == 0 || limit > 4 {
			want = 4
		}
		if got := c.widest.Load(); got > want {
			t.Errorf("limit %d: %d chunks at a time", limit, got)
		}
		if limit != 1 && c.widest.Load() == 1 {
			t.Errorf("limit %d: nothing ran in parallel", limit)
		}
	}
}

func TestPoolBusyCallersRunAlone(t *testing.T) {
	p := newTestPool(t, 3)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for n := range 100 {
				c := newCount(n%17, 0)
				p.Run(n%17, c, 0)
				c.check(t)
			}
		})
	}
	wg.Wait()
}

type nested struct {
	p     *Pool
	inner []*countTask
}

func (n *nested) Chunk(i int) { n.p.Run(len(n.inner[i].seen), n.inner[i], 0) }

func TestPoolNested(t *testing.T) {
	n := &nested{p: newTestPool(t, 3)}
	for range 9 {
		n.inner = append(n.inner, newCount(7, 0))
	}
	n.p.Run(len(n.inner), n, 0)
	for _, c := range n.inner {
		c.check(t)
	}
}

type panics struct{ at int }

func (p panics) Chunk(i int) {
	time.Sleep(100 * time.Microsecond)
	if p.at < 0 || p.at == i {
		panic("chunk")
	}
}

func TestPoolPanic(t *testing.T) {
	p := newTestPool(t, 3)
	for at := -1; at < 20; at++ {
		func() {
			defer func() {
				if v := recover(); v != "chunk" {
					t.Fatalf("recovered %v", v)
				}
			}()
			p.Run(20, panics{at}, 0)
			t.Fatal("no panic")
		}()
		c := newCount(30, 0)
		p.Run(30, c, 0)
		c.check(t)
	}
}

func TestPoolClose(t *testing.T) {
	before := runtime.NumGoroutine()
	p := NewPool(5)
	p.Run(10, newCount(10, 0), 0)
	p.Close()
	c := newCount(10, 0)
	p.Run(10, c, 0)
	c.check(t)
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines left, %d before", runtime.NumGoroutine(), before)
}

func TestPoolAllocs(t *testing.T) {
	p := newTestPool(t, 2)
	c := newCount(16, 0)
	if a := testing.AllocsPerRun(100, func() { p.Run(16, c, 0) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// The number of threads changes no bit.
func TestThreadsSameBits(t *testing.T) {
	const m, n, k = 150, 300, 700
	p := newTestPool(t, 4)
	r := newRand()
	a, w := fill(m*k, normals(r)), fill(n*k, normals(r))
	a8, w8 := fill(m*k, integers[uint8](r, 0, 255)), fill(n*k, integers[int8](r, -128, 127))
	a16 := fill(m*k, integers[int16](r, -32768, 32767))
	each(t, func(t *testing.T, lv *Level) {
		f32 := func() *MatMulF32 {
			return &MatMulF32{A: a, Lda: k, B: lv.PackF32(n, k, w), C: make([]float32, m*n), Ldc: n, M: m}
		}
		i8 := func() *MatMulI8 {
			return &MatMulI8{A: a8, Lda: k, B: lv.PackI8(n, k, w8, nil, 7), Acc: make([]int32, m*n), Ldacc: n, M: m}
		}
		i16 := func() *MatMulI16 {
			return &MatMulI16{A: a16, Lda: k, B: lv.PackI16(n, k, w8), Acc: make([]int64, m*n), Ldacc: n, M: m}
		}
		f, g, h := f32(), i8(), i16()
		f.Run()
		g.Run()
		h.Run()
		for threads := 2; threads <= 4; threads++ {
			f2, g2, h2 := f32(), i8(), i16()
			if f2.Chunks() < 8 {
				t.Fatalf("only %d chunks", f2.Chunks())
			}
			p.Run(f2.Chunks(), f2, threads)
			p.Run(g2.Chunks(), g2, threads)
			p.Run(h2.Chunks(), h2, threads)
			for i := range f.C {
				if f.C[i] != f2.C[i] || g.Acc[i] != g2.Acc[i] || h.Acc[i] != h2.Acc[i] {
					t.Fatalf("%d threads: element %d differs", threads, i)
				}
			}
		}
	})
}

func BenchmarkPool(b *testing.B) {
	lv := Default()
	p := newTestPool(b, 0)
	for _, threads := range []int{1, 2} {
		for _, s := range benchShapes[:3] {
			m, k, n := s[0], s[1], s[2]
			g := &MatMulF32{A: make([]float32, m*k), Lda: k, B: lv.PackF32(n, k, make([]float32, n*k)), C: make([]float32, m*n), Ldc: n, M: m}
			b.Run(lv.Name()+"/"+string(rune('0'+threads)), func(b *testing.B) {
				for b.Loop() {
					p.Run(g.Chunks(), g, threads)
				}
				b.ReportMetric(float64(m*k*n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GMAC/s")
			})
		}
	}
}
