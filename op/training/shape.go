package training

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// ReshapeLike gives operand 0 the shape of operand 1, which has as many elements.
var ReshapeLike = &op.Def{
	Code: ReshapeLikeCode, Name: "RESHAPE_LIKE",
	Operands: op.In("x", op.F32).In("shape of", op.Any).Out("y", op.F32),
	Facts: func(c *op.Call) error {
		c.Out[0].Shape, c.Out[0].Unknown = c.In[1].Shape, c.In[1].Unknown
		return nil
	},
	View: true, Alias: []int{0}, Quant: op.Quant{None: true},
	Ref: op.Plain(copyFloats),
}

func copyFloats(r *op.Run) error {
	copy(op.F32s(r.Out[0]), op.F32s(r.In[0]))
	return nil
}

// SumTo sums operand 0 over the axes along which operand 1 was broadcast to it.
var SumTo = def(SumToCode, "SUM_TO", op.In("dy", op.F32).In("shape of", op.F32).Out("dx", op.F32), like(1),
	op.Plain(func(r *op.Run) error {
		dy, dx := op.F32s(r.In[0]), op.F32s(r.Out[0])
		clear(dx)
		s := r.In[0].Shape()
		if len(r.Out[0].Shape()) > len(s) {
			return fmt.Errorf("%v is no broadcast of %v: %w", s, r.Out[0].Shape(), tensor.ErrShape)
		}
		eachRow(s, strides(s, r.Out[0].Shape()), func(at, small, n, step int) {
			for i, g := range dy[at : at+n] {
				dx[small+i*step] += g
			}
		})
		return nil
	}))

// ReduceGrad spreads the gradient of a sum, or of a mean, over what was summed:
// operands dy, with the summed axes kept or not, and x for its shape. Options:
// *Reduction.
var ReduceGrad = def(ReduceGradCode, "REDUCE_GRAD", op.In("dy", op.F32).In("shape of", op.F32).Out("dx", op.F32), like(1),
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[Reduction](c.Node)
		return op.Kernel{Run: func(r *op.Run) error {
			dy, dx, s := op.F32s(r.In[0]), op.F32s(r.Out[0]), r.Out[0].Shape()
			kept := s.Clone()
			for _, a := range o.Axes {
				i, err := s.Axis(a)
				if err != nil {
					return err
				}
				kept[i] = 1
			}
			if n, err := kept.Elems(); err != nil || n != len(dy) {
				return fmt.Errorf("gradient %v of a reduction of %v to %v: %w", r.In[0].Shape(), s, kept, tensor.ErrShape)
			}
			count := float32(1)
			if o.Mean {
				count = float32(len(dx) / max(len(dy), 1))
			}
			eachRow(s, strides(s, kept), func(at, small, n, step int) {
				for i := range n {
					dx[at+i] = dy[small+i*step] / count
				}
			})
			return nil
		}}, nil
	})

// Reduction says which axes were reduced and how.
type Reduction struct {
	Axes []int // negative ones count from the last
	Mean bool
}

// strides returns, for each axis of the broadcast shape, the stride in the
// smaller one, 0 along broadcast axes.
func strides(big, small tensor.Shape) []int {
	st := make([]int, len(big))
	n := 1
	for k := len(small) - 1; k >= 0; k-- {
		if small[k] != 1 {
			st[k+len(big)-len(small)] = n
		}
		n *= small[k]
	}
	return st
}

// eachRow visits the rows along the last axis of shape s: a row begins at index
// at, has n elements, and corresponds to small, small+step, ... of the other
// tensor.
func eachRow(s tensor.Shape, stride []int, f func(at, small, n, step int)) {
	total, err := s.Elems()
	if err != nil || total == 0 {
		return
	}
	last := len(s) - 1
	if last < 0 {
		f(0, 0, 1, 0)
		return
	}
	pos, small := make([]int, last), 0
	for at := 0; at < total; at += s[last] {
		f(at, small, s[last], stride[last])
		for k := last - 1; k >= 0; k-- {
			pos[k]++
			small += stride[k]
			if pos[k] < s[k] {
				break
			}
			small -= pos[k] * stride[k]
			pos[k] = 0
		}
	}
}

// MoveGrad is the gradient of any operator that only moves elements, repeats them
// or leaves some out: each element of dy is added where the operator took it from.
// Operands: dy, then the operator's own. Options: *Move.
//
// Where from is found by running the operator over the elements' own positions;
// it is done again only for operands that depend on data, such as the indices of
// a GATHER.
var MoveGrad = def(MoveGradCode, "MOVE_GRAD", op.In("dy", op.F32).ManyIn("operands", op.Any).Out("dx", op.F32),
	func(c *op.Call) error { return like(1 + graph.Options[Move](c.Node).Data)(c) },
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[Move](c.Node)
		fixed := true
		for i := range c.In[1:] {
			fixed = fixed && (i == o.Data || c.In[1+i].Const != nil)
		}
		return op.Kernel{
			State: func() any { return new(sources) },
			Run: func(r *op.Run) error {
				from := r.State.(*sources)
				if from.list == nil || !fixed {
					if err := from.find(o, r.In[1:]); err != nil {
						return err
					}
				}
				dy, dx := op.F32s(r.In[0]), op.F32s(r.Out[0])
				if len(from.list) != len(dy) {
					return fmt.Errorf("%s of %d elements has a gradient of %d: %w", o.Def.Name, len(from.list), len(dy), tensor.ErrShape)
				}
				clear(dx)
				for i, p := range from.list {
					if p > 0 {
						dx[p-1] += dy[i]
					}
				}
				return nil
			},
		}, nil
	})

// Move is an operator that moves elements of operand Data, and the node that did.
type Move struct {
	Def  *op.Def
	Node *graph.Node
	Data int
}

// sources lists for each element of a result which element of the operand it is,
// counting from 1; 0 is none of them.
type sources struct{ list []int32 }

// find runs the operator over positions. They travel as the bits of floats: moving
// does not look at them.
func (s *sources) find(o *Move, operands []tensor.Tensor) error {
	c := &op.Call{Node: o.Node, In: make([]op.Fact, len(operands)), Out: []op.Fact{{Present: true, DType: tensor.Float32}}}
	for i, x := range operands {
		c.In[i] = op.Fact{Present: true, DType: x.DType(), Shape: x.Shape(), Const: x.Bytes()}
	}
	n := operands[o.Data].Len()
	if n > math.MaxInt32 {
		return fmt.Errorf("gradient of %d elements: %w", n, tensor.ErrLimit)
	}
	positions := tensor.Aligned(4 * n)
	for i := range n {
		tensor.View[int32](positions)[i] = int32(i + 1)
	}
	c.In[o.Data].Const = positions
	if err := o.Def.Facts(c); err != nil {
		return err
	}
	out, err := op.Evaluate(o.Def, c)
	if err != nil {
		return err
	}
	s.list = tensor.View[int32](out[0].Bytes())
	return nil
}
