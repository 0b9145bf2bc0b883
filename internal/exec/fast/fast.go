// Package fast holds the optimised kernels, one table by operator code. A kernel
// that does not cover a node's combination of types and options declines, and
// the operator's reference kernel is the step of last resort.
package fast

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
)

// Env is what fast kernels share within a program.
type Env struct {
	Threads int // 0: GOMAXPROCS
}

// Maker makes a node's fast kernel; ok is false where it does not cover the node.
type Maker func(e *Env, c *op.Call) (k op.Kernel, ok bool, err error)

// Kernels is the table of fast kernels.
var Kernels = map[graph.OpCode]Maker{}
