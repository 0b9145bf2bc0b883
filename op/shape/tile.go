package shape

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Tile is TILE: the input repeated along each axis as often as multiples say.
var Tile = &op.Def{
	Code:     graph.OpCode(schema.TILE),
	Name:     "TILE",
	Operands: op.In("input", plainTypes|op.Str).In("multiples", op.Index).Out("output", plainTypes|op.Str).As(0),
	Facts:    tileFacts,
	Version:  atType(0, map[tensor.DType]int{tensor.String: 2, tensor.Int8: 3, tensor.Int16: 3}), // written 16x8 files carry the int8 version
	Since:    []string{"1.10.1", "2.2.0", "2.8.0"},
	Quant:    op.SameScale(0),
	Ref:      mover(tile),
}

// BroadcastTo is BROADCAST_TO: the input under NumPy's broadcasting to the shape
// operand 1 names.
var BroadcastTo = &op.Def{
	Code:     graph.OpCode(schema.BROADCAST_TO),
	Name:     "BROADCAST_TO",
	Operands: op.In("input", plainTypes|op.C128).In("shape", op.Index).Out("output", plainTypes|op.C128).As(0),
	Facts:    broadcastToFacts,
	Version: func(c *op.Call) int { // version 1 was withdrawn
		if d := c.In[0].DType; d == tensor.Int8 || d == tensor.Int16 {
			return 3
		}
		return 2
	},
	Since: []string{"2.5.0", "2.5.0", "2.5.0", "2.23.0"},
	Quant: op.SameScale(0),
	Ref:   mover(broadcastTo),
}

// BroadcastArgs is BROADCAST_ARGS: the shape that two shapes have in common under
// NumPy's broadcasting.
var BroadcastArgs = &op.Def{
	Code:     graph.OpCode(schema.BROADCAST_ARGS),
	Name:     "BROADCAST_ARGS",
	Operands: op.In("shape1", op.Index).In("shape2", op.Index).Out("output", op.Index).As(0),
	Facts:    broadcastArgsFacts,
	Version:  func(*op.Call) int { return 1 },
	Since:    []string{"2.6.0"},
	Quant:    op.Quant{None: true},
	Ref:      op.Plain(broadcastArgs),
}

func tileFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	times, err := c.Ints(1)
	if err != nil {
		return err
	}
	if len(times) != len(in) {
		return fmt.Errorf("multiples %v for shape %v: %w", times, in, tensor.ErrShape)
	}
	if len(in) > maxRank/2 { // tiling splits axes in two
		return fmt.Errorf("tiling rank %d: %w", len(in), tensor.ErrUnsupported)
	}
	out := in.Clone()
	for i, m := range times {
		if m < 0 || in[i] > 0 && m > maxSize/in[i] {
			return fmt.Errorf("axis of %d repeated %d times: %w", in[i], m, tensor.ErrShape)
		}
		if in[i] >= 0 {
			out[i] *= m
		}
	}
	result(c, 0, 0, out)
	return nil
}

func tile(r *op.Run) error {
	var b box
	in := r.In[0].Shape()
	to, from := strides(r.Out[0].Shape()), strides(in)
	for i, n := range in {
		b.axis(index(r.In[1], i), n*to[i], 0)
		b.axis(n, to[i], from[i])
	}
	return b.move(r, r.Out[0], r.In[0])
}

func broadcastToFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	v, err := c.Ints(1)
	if err != nil {
		return err
	}
	out := tensor.Shape(v)
	lead := len(out) - len(in)
	if len(c.In[1].Shape) != 1 || lead < 0 || len(out) > maxRank || !out.Known() {
		return fmt.Errorf("shape %v broadcast to %v: %w", in, out, tensor.ErrShape)
	}
	for i, d := range in {
		if d >= 0 && d != 1 && d != out[lead+i] {
			return fmt.Errorf("shape %v broadcast to %v: %w", in, out, tensor.ErrShape)
		}
	}
	result(c, 0, 0, out)
	return nil
}

func broadcastTo(r *op.Run) error {
	var b box
	in, out := r.In[0].Shape(), r.Out[0].Shape()
	to, from, lead := strides(out), strides(in), len(out)-len(in)
	for i, n := range out {
		step := 0
		if i >= lead && in[i-lead] != 1 {
			step = from[i-lead]
		}
		b.axis(n, to[i], step)
	}
	return b.move(r, r.Out[0], r.In[0])
}

func broadcastArgsFacts(c *op.Call) error {
	rank := 0
	for i := range 2 {
		s, err := ranked(c, i)
		switch {
		case err != nil:
			return err
		case len(s) != 1 || c.In[i].DType != c.In[0].DType:
			return fmt.Errorf("shapes of type %v%v and %v%v: %w", c.In[0].DType, c.In[0].Shape, c.In[1].DType, c.In[1].Shape, tensor.ErrShape)
		case s[0] < 0:
			return op.ErrLater
		}
		rank = max(rank, s[0])
	}
	result(c, 0, 0, tensor.Shape{rank})
	return nil
}

func broadcastArgs(r *op.Run) error {
	rank := r.Out[0].Len()
	for i := range rank {
		d := 1
		for _, s := range r.In {
			k := i - (rank - s.Len())
			if k < 0 {
				continue
			}
			n := index(s, k)
			switch {
			case d == 1:
				d = n
			case n != 1 && n != d:
				return fmt.Errorf("dimensions %d and %d do not broadcast: %w", d, n, tensor.ErrShape)
			}
		}
		if r.Out[0].DType() == tensor.Int64 {
			op.I64s(r.Out[0])[i] = int64(d)
		} else {
			op.I32s(r.Out[0])[i] = int32(d)
		}
	}
	return nil
}
