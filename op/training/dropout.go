package training

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/philox"
	"github.com/litequant/litequant/op"
)

// Dropout marks the place of a dropout in a graph lowered for training: as it
// stands it passes its operand on, as at inference. It is declared random so that
// two of them are never taken for one. Options: *DropoutOptions.
var Dropout = &op.Def{
	Code: DropoutCode, Name: "DROPOUT",
	Operands: op.In("x", op.F32).Out("y", op.F32), Facts: op.SameAs(0), Effect: op.Random,
	View: true, Alias: []int{0}, Quant: op.Quant{None: true},
	Ref: op.Plain(copyFloats),
}

// DropoutOptions are a dropout's rate, from 0 to below 1, and what its draws
// depend on besides the step: a seed and the dropout's own number in the network.
type DropoutOptions struct {
	Rate   float32
	Seed   uint64
	Stream uint32
}

// DropoutStep is dropout in training: element i of x is dropped, that is 0, where
// the i-th number of the stream of (seed, dropout, step) is below the rate, and
// divided by 1−rate elsewhere. Operands: x and the step, an int32 scalar. It is
// its own gradient: over dy it drops the same elements. Options: *DropoutOptions.
var DropoutStep = def(DropoutStepCode, "DROPOUT_STEP", op.In("x", op.F32).In("step", op.I32).Out("y", op.F32), like(0),
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[DropoutOptions](c.Node)
		return op.Kernel{Run: func(r *op.Run) error {
			x := op.F32s(r.In[0])
			o.Apply(op.F32s(r.Out[0]), x, op.I32s(r.In[1])[0], 0, len(x))
			return nil
		}}, nil
	})

// Apply computes elements [from, to) of the result; from is a multiple of 4.
// Which elements are dropped does not depend on how the range is cut.
func (o *DropoutOptions) Apply(y, x []float32, step int32, from, to int) {
	key := [2]uint32{uint32(o.Seed), uint32(o.Seed >> 32)}
	below, scale := uint32(float64(o.Rate)*(1<<32)), 1/(1-o.Rate)
	for at := from; at < to; at += 4 {
		group := uint64(at / 4)
		draws := philox.Block(key, [4]uint32{uint32(group), uint32(group >> 32), o.Stream, uint32(step)})
		for i, v := range x[at:min(at+4, to)] {
			if y[at+i] = 0; draws[i] >= below {
				y[at+i] = v * scale
			}
		}
	}
}
