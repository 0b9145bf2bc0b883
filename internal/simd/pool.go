package simd

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Task is work cut into independent chunks. It is an interface, not a closure,
// so that handing it over allocates nothing. What a chunk computes must not
// depend on which goroutine runs it or when.
type Task interface {
	Chunk(i int)
}

// Pool runs tasks on several cores. Workers spin for a short while after a task,
// since the next one usually follows within microseconds, and then park.
// Chunks are claimed one by one, so a core that is taken away delays only the
// chunk it holds.
//
// A caller takes part in its own task. One that finds the pool busy (another
// caller, or a Run inside a Chunk) runs alone and never waits for the other.
type Pool struct {
	workers int
	busy    atomic.Bool // held by the caller of the current task
	closed  atomic.Bool

	// epoch is odd while a task is open. The fields of the task are written
	// only while epoch is even and joined is zero.
	epoch  atomic.Uint64
	_      [cacheLine]byte
	joined atomic.Int32 // workers that may be reading the task
	_      [cacheLine]byte
	next   atomic.Int64 // next chunk to claim
	_      [cacheLine]byte

	task    Task
	chunks  int64
	helpers int32 // workers wanted

	parked atomic.Int32
	wake   chan struct{}

	failure atomic.Pointer[any] // what a worker's chunk panicked with
}

// spinTime is how long a worker without work keeps its core.
const spinTime = 100 * time.Microsecond

// NewPool starts a pool for so many threads, callers included; 0 means
// GOMAXPROCS. A pool of one thread starts no worker. Most programs use Shared.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		threads = 1
	}
	p := &Pool{workers: threads - 1, wake: make(chan struct{}, threads)}
	for range p.workers {
		go p.worker()
	}
	return p
}

// Shared returns the process's pool, one thread a core.
var Shared = sync.OnceValue(func() *Pool { return NewPool(0) })

// Threads returns the number of threads, the caller's included.
func (p *Pool) Threads() int { return p.workers + 1 }

// Close ends the workers. Run still works, on the caller alone.
func (p *Pool) Close() {
	p.closed.Store(true)
	p.rouse(p.workers)
}

// rouse wakes up to n parked workers. wake has room for all of them, so a full
// channel means that enough are being woken.
func (p *Pool) rouse(n int) {
	for range n {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// Run calls task.Chunk(0) … task.Chunk(n-1), each once, on at most threads
// threads (0: all), and returns when all have returned. It allocates nothing.
// A panic in a chunk reaches the caller; other chunks may then be missing.
func (p *Pool) Run(n int, task Task, threads int) {
	if threads <= 0 || threads > p.workers+1 {
		threads = p.workers + 1
	}
	if n <= 1 || threads == 1 || p.closed.Load() || !p.busy.CompareAndSwap(false, true) {
		for i := range n {
			task.Chunk(i)
		}
		return
	}
	p.open(task, n, min(threads, n)-1)
	defer p.close()
	p.claim()
}

func (p *Pool) open(task Task, chunks, helpers int) {
	p.task, p.chunks, p.helpers = task, int64(chunks), int32(helpers)
	p.next.Store(0)
	p.epoch.Add(1)
	p.rouse(min(int(p.parked.Load()), helpers))
}

// close ends the task when no worker is in it.
func (p *Pool) close() {
	p.next.Store(p.chunks) // after a panic: no more claims
	p.epoch.Add(1)
	for i := 1; p.joined.Load() != 0; i++ {
		spin(i)
	}
	p.task = nil
	failure := p.failure.Swap(nil)
	p.busy.Store(false)
	if failure != nil {
		panic(*failure)
	}
}

// claim runs chunks until none is left.
func (p *Pool) claim() {
	for {
		i := p.next.Add(1) - 1
		if i >= p.chunks {
			return
		}
		p.task.Chunk(int(i))
	}
}

func (p *Pool) worker() {
	for seen := uint64(0); !p.closed.Load(); {
		epoch := p.await(seen)
		if epoch&1 == 1 {
			p.join(epoch)
		}
		seen = epoch
	}
}

// join takes part in the task of an epoch, unless it is over or has enough
// helpers. Joining comes before looking at epoch and close changes epoch before
// looking at joined, so either sees the other.
func (p *Pool) join(epoch uint64) {
	n := p.joined.Add(1)
	defer p.joined.Add(-1)
	if p.epoch.Load() != epoch || n > p.helpers {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			p.next.Store(p.chunks)
			p.failure.CompareAndSwap(nil, &v)
		}
	}()
	p.claim()
}

// await returns the epoch once it differs from seen, or the pool is closed.
func (p *Pool) await(seen uint64) uint64 {
	start := time.Now()
	for i := 1; ; i++ {
		if epoch := p.epoch.Load(); epoch != seen {
			return epoch
		}
		spin(i)
		if i%32 == 0 && time.Since(start) > spinTime {
			break
		}
	}
	p.parked.Add(1)
	defer p.parked.Add(-1)
	// open changes epoch before it looks at parked.
	if epoch := p.epoch.Load(); epoch != seen {
		return epoch
	}
	<-p.wake
	return p.epoch.Load()
}

// spin waits for a moment; i counts the calls of one wait. Other goroutines get
// the processor now and then.
func spin(i int) {
	pause()
	if i%64 == 0 {
		runtime.Gosched()
	}
}
