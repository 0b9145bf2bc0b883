package engine

import (
	"fmt"
	"math"
	"time"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Limits bound what an untrusted model may use. Time is bounded by Invoke's context.
type Limits struct {
	// Bytes bounds the memory of a runner together with the subgraphs that it
	// calls: arenas, variables, results that are shaped as they run; 0 is 4 GiB.
	// Resource variables and hash tables may take as much again.
	Bytes int
	// Constants bounds the bytes that Compile computes: sparse constants expanded,
	// nodes over constants folded; 0 is 4 GiB, or Bytes if that is less.
	Constants int
	// Folding bounds the time that Compile takes to fold nodes, and a plan to fold one;
	// 0 is a minute.
	Folding time.Duration
	// Operators bounds the nodes that one invocation runs; 0 is ten thousand
	// million.
	Operators int
	// Calls bounds the calls of subgraphs in one invocation, the turns of loops
	// among them; 0 is a hundred million.
	Calls int
}

const (
	defaultBytes     = min(4<<30, math.MaxInt)
	defaultFolding   = time.Minute
	defaultOperators = min(10_000_000_000, math.MaxInt)
	defaultCalls     = 100_000_000
	maxDepth         = 64 // of subgraphs calling subgraphs
)

// orDefault replaces zeros.
func (l Limits) orDefault() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Bytes, defaultBytes)
	def(&l.Constants, min(l.Bytes, defaultBytes))
	def(&l.Operators, defaultOperators)
	def(&l.Calls, defaultCalls)
	if l.Folding <= 0 {
		l.Folding = defaultFolding
	}
	return l
}

// bound is what folding may use, from now on.
func (l *Limits) bound() op.Bound {
	end := time.Now().Add(l.Folding)
	return op.Bound{Bytes: l.Constants, Stopped: func() bool { return time.Now().After(end) }}
}

// usage is what an invocation has used so far; a runner shares it with the subgraphs
// it calls.
type usage struct {
	limits           Limits
	bytes            int // held, also between invocations
	operators, calls int
}

// hold replaces a piece of memory of *held bytes by one of n.
func (u *usage) hold(held *int, n int) error {
	if u.bytes += n - *held; u.bytes > u.limits.Bytes {
		total := u.bytes
		u.bytes -= n - *held
		return tooMuch(total, u.limits.Bytes)
	}
	*held = n
	return nil
}

func tooMuch(bytes, limit int) error {
	return fmt.Errorf("the model needs %d bytes of memory, %d are allowed: %w", bytes, limit, tensor.ErrLimit)
}

func (u *usage) operator() error {
	if u.operators++; u.operators > u.limits.Operators {
		return fmt.Errorf("more than %d operators run: %w", u.limits.Operators, tensor.ErrLimit)
	}
	return nil
}

func (u *usage) call() error {
	if u.calls++; u.calls > u.limits.Calls {
		return fmt.Errorf("more than %d calls of subgraphs: %w", u.limits.Calls, tensor.ErrLimit)
	}
	return nil
}

// caught turns a panic, which is a defect of this program, into an error. It is
// deferred at the boundary.
func (o *Options) caught(err *error) {
	if o.Panics {
		return
	}
	if v := recover(); v != nil {
		*err = defect(v)
	}
}

func defect(v any) error { return fmt.Errorf("defect: %v: %w", v, tensor.ErrUnsupported) }
