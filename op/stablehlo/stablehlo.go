// Package stablehlo holds the StableHLO operators that LiteRT has kernels for,
// DILATE, and REDUCE_WINDOW, which STABLEHLO_REDUCE_WINDOW replaces. LiteRT
// registers no other StableHLO operators: they are refused by name.
package stablehlo

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{
	Add, Multiply, Maximum, Minimum, And, ShiftLeft, Pad, Dilate, Gather, Scatter, StablehloReduceWindow, ReduceWindow, RngBitGenerator,
}

// def is a row of this package: none has more than one version or a quantized form.
func def(code schema.BuiltinOperator, since string, operands op.Operands, facts func(*op.Call) error, ref op.Maker) *op.Def {
	return &op.Def{
		Code: graph.OpCode(code), Name: code.String(), Operands: operands, Facts: facts,
		Version: elementwise.Version1, Since: []string{since}, Quant: op.Quant{None: true}, Ref: ref,
	}
}

// named completes a row whose function is the one node of a subgraph.
func named(d *op.Def, names func(n *graph.Node) int) *op.Def {
	d.Effect, d.Names = op.Control, names
	return d
}

// body returns the nodes of a subgraph that names a function.
func body(c *op.Call, subgraph int32) ([]graph.Node, error) {
	if subgraph < 0 || int(subgraph) >= len(c.Subgraphs) {
		return nil, fmt.Errorf("subgraph %d of %d: %w", subgraph, len(c.Subgraphs), tensor.ErrMalformed)
	}
	nodes := c.Subgraphs[subgraph].Nodes
	if len(nodes) > 1 {
		return nil, fmt.Errorf("a function of %d operators, at most one is supported: %w", len(nodes), tensor.ErrUnsupported)
	}
	return nodes, nil
}

const (
	// wholeBytes are the element types of one byte or more.
	wholeBytes = op.F16 | op.BF16 | op.F32 | op.F64 | op.B | op.I8 | op.U8 | op.I16 | op.U16 | op.I32 | op.U32 | op.I64 | op.U64 | op.C64 | op.C128
	// maxRank is the highest rank: LiteRT's options hold as many dimensions.
	maxRank = 8
	// maxSize bounds the numbers that sizes are computed from; TFLite's sizes are
	// int32. The product of two stays far from overflow.
	maxSize = 1<<31 - 1
)

// dims holds a number for each axis.
type dims [maxRank]int

// next counts up in row-major order; behind the last index comes the first.
func (d *dims) next(s []int) {
	for i := len(s) - 1; i >= 0; i-- {
		if d[i]++; d[i] < s[i] {
			return
		}
		d[i] = 0
	}
}

// ranked returns operand i's shape, whose rank must be in [least, most].
func ranked(c *op.Call, i, least, most int) (tensor.Shape, error) {
	if c.In[i].Unknown {
		return nil, op.ErrLater
	}
	s := c.In[i].Shape
	if len(s) < least || len(s) > most {
		return nil, fmt.Errorf("operand %d has rank %d, want %d to %d: %w", i, len(s), least, most, tensor.ErrUnsupported)
	}
	for _, d := range s {
		if d > maxSize {
			return nil, fmt.Errorf("operand %d of shape %v: %w", i, s, tensor.ErrLimit)
		}
	}
	return s, nil
}

// polled is how many steps a kernel makes between two looks at Run.Stop.
const polled = 1 << 16
