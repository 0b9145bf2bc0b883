// Package fast holds the optimised kernels, one table by operator code. A maker
// that does not cover a node's combination of types and options declines, and
// the operator's reference kernel is the step of last resort. Integer results
// equal the reference kernels' bit for bit.
package fast

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Env is what the fast kernels of a program share.
type Env struct {
	Threads int // 0: all of the pool's
	Level   *simd.Level
	Pool    *simd.Pool
}

// NewEnv returns the environment of this process: its pool and its CPU's best
// kernels.
func NewEnv(threads int) *Env { return &Env{threads, simd.Default(), simd.Shared()} }

// Run runs a task's chunks on the pool.
func (e *Env) Run(n int, t simd.Task) { e.Pool.Run(n, t, e.Threads) }

// guarded is a task that stops with its invocation, chunk by chunk.
type guarded struct {
	task simd.Task
	run  *op.Run
}

// Chunk runs chunk i unless the invocation was cancelled.
func (g *guarded) Chunk(i int) {
	if !g.run.Stop() {
		g.task.Chunk(i)
	}
}

// runGuarded runs a task's chunks as long as the invocation is not cancelled.
func (e *Env) runGuarded(g *guarded, r *op.Run, n int, t simd.Task) error {
	g.task, g.run = t, r
	e.Run(n, g)
	if r.Stop() {
		return op.ErrStopped
	}
	return nil
}

// Maker makes a node's fast kernel; ok is false where it does not cover the node.
type Maker func(e *Env, c *op.Call) (k op.Kernel, ok bool, err error)

// Table holds makers by operator code.
type Table map[graph.OpCode]Maker

// Kernels is the table of inference kernels; training's are in package fasttrain,
// which a program that only runs models does not link.
var Kernels = Table{
	graph.OpCode(schema.CONV_2D):         convKernel,
	graph.OpCode(schema.FULLY_CONNECTED): denseKernel,
	graph.OpCode(schema.MAX_POOL_2D):     maxPoolKernel,
}

// form is a combination of operand types a table of makers is keyed by.
type form struct{ input, weights tensor.DType }

// weightsKnown reports whether weights and bias are constants: only then can they
// be packed once.
func weightsKnown(c *op.Call) bool {
	return c.In[1].Const != nil && !c.In[1].Sparse && (!c.Has(2) || c.In[2].Const != nil)
}

// biasOf returns the constant bias as T, nil if there is none. ok is false for a
// bias of another type.
func biasOf[T tensor.Element](c *op.Call) (bias []T, ok bool) {
	if !c.Has(2) {
		return nil, true
	}
	bias, err := tensor.Values[T](c.In[2].Tensor())
	return bias, err == nil
}

// requant turns the reference kernels' step into the vector form.
func requant(q *op.Requant, n int) (*simd.Requant, error) {
	shift := make([]int32, len(q.Shift))
	for i, s := range q.Shift {
		shift[i] = int32(s)
	}
	return simd.NewRequant(n, q.M, shift, q.Zero, q.Lo, q.Hi)
}

// slots cuts scratch memory into consecutive typed pieces, each 64-byte aligned.
type slots struct{ size int }

func (s *slots) add(bytes int) (at int) {
	at = s.size
	s.size += (bytes + 127) &^ 63 // with slack behind for vector reads
	return at
}
