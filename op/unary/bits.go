package unary

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// wholeBytes are the element types of one byte or more.
const wholeBytes = op.F16 | op.BF16 | op.F32 | op.F64 | op.B | op.I8 | op.U8 | op.I16 | op.U16 | op.I32 | op.U32 | op.I64 | op.U64 | op.C64 | op.C128

// Bitcast is BITCAST: the same bytes as elements of another type. A narrower type
// adds a last axis, a wider one takes it away.
var Bitcast = &op.Def{
	Code:     graph.OpCode(schema.BITCAST),
	Name:     "BITCAST",
	Operands: op.In("input", wholeBytes).Out("output", wholeBytes),
	Facts:    bitcastFacts,
	View:     true,
	Alias:    []int{0},
	Version:  elementwise.Version1,
	Since:    []string{"2.13.0"},
	Quant:    op.Quant{None: true},
	Ref: op.Plain(func(r *op.Run) error {
		copy(r.Out[0].Bytes(), r.In[0].Bytes())
		return nil
	}),
}

func bitcastFacts(c *op.Call) error {
	in, out := &c.In[0], &c.Out[0]
	if in.Unknown {
		return op.ErrLater
	}
	from, to := in.DType.Size(), out.DType.Size()
	shape := in.Shape.Clone()
	switch {
	case from > to:
		shape = append(shape, from/to)
	case from < to:
		last := len(shape) - 1
		if last < 0 || shape[last] >= 0 && shape[last] != to/from {
			return fmt.Errorf("%v%v as %v: the last dimension must be %d: %w", in.DType, in.Shape, out.DType, to/from, tensor.ErrShape)
		}
		shape = shape[:last]
	}
	out.Shape, out.Unknown = shape, false
	return nil
}
