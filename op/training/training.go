// Package training holds the internal operators that training adds to a graph:
// the loss, the gradients TFLite has no operator for, and the optimisers' steps.
// No file can hold them. Values are float32 throughout.
package training

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// The operators' codes.
const (
	CrossEntropyCode graph.OpCode = graph.Internal + iota
	ConvInputGradCode
	ConvFilterGradCode
	DenseInputGradCode
	DenseWeightsGradCode
	BiasGradCode
	MaxPoolGradCode
	AveragePoolGradCode
	ClampGradCode
	SoftmaxGradCode
	SumToCode
	ReshapeLikeCode
	AdamCode
	SGDCode
)

// Defs lists the package's operators.
var Defs = []*op.Def{
	CrossEntropy, ConvInputGrad, ConvFilterGrad, DenseInputGrad, DenseWeightsGrad, BiasGrad,
	MaxPoolGrad, AveragePoolGrad, ClampGrad, SoftmaxGrad, SumTo, ReshapeLike, Adam, SGD,
}

// def is a row of this package: float operands, no version, no quantization.
func def(code graph.OpCode, name string, operands op.Operands, facts func(*op.Call) error, ref op.Maker) *op.Def {
	return &op.Def{Code: code, Name: name, Operands: operands, Facts: facts, Quant: op.Quant{None: true}, Ref: ref}
}

// like makes result 0 look like operand i.
func like(i int) func(c *op.Call) error {
	return func(c *op.Call) error {
		c.Out[0].DType, c.Out[0].Shape, c.Out[0].Unknown = c.In[i].DType, c.In[i].Shape, c.In[i].Unknown
		return nil
	}
}

// BiasGrad sums a gradient over all axes but the last: dy [..., C] to [C].
var BiasGrad = def(BiasGradCode, "BIAS_GRAD", op.In("dy", op.F32).Out("dbias", op.F32),
	func(c *op.Call) error {
		if s := c.In[0].Shape; len(s) > 0 {
			c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{s[len(s)-1]}, false
			return nil
		}
		return fmt.Errorf("gradient of a scalar: %w", tensor.ErrShape)
	},
	op.Plain(func(r *op.Run) error {
		out := op.F32s(r.Out[0])
		clear(out)
		for i, g := range op.F32s(r.In[0]) {
			out[i%len(out)] += g
		}
		return nil
	}))

// ClampGrad is the gradient of a clamp to [Lo, Hi] by its result: dy where
// Lo < y < Hi, else 0. Options: *Clamp.
var ClampGrad = def(ClampGradCode, "CLAMP_GRAD", op.In("y", op.F32).In("dy", op.F32).Out("dx", op.F32), like(1),
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[Clamp](c.Node)
		return op.Kernel{Run: func(r *op.Run) error {
			y, dy, dx := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0])
			for i, v := range y {
				dx[i] = 0
				if o.Lo < v && v < o.Hi {
					dx[i] = dy[i]
				}
			}
			return nil
		}}, nil
	})

// Clamp is the interval of a clamp.
type Clamp struct{ Lo, Hi float32 }

// SoftmaxGrad is the gradient of a softmax by its result: beta·y·(dy − Σ y·dy),
// over the last axis. Options: *Scale.
var SoftmaxGrad = def(SoftmaxGradCode, "SOFTMAX_GRAD", op.In("y", op.F32).In("dy", op.F32).Out("dx", op.F32), like(1),
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[Scale](c.Node)
		return op.Kernel{Run: func(r *op.Run) error {
			y, dy, dx := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0])
			s := r.In[0].Shape()
			depth := max(s[len(s)-1], 1)
			for at := 0; at < len(y); at += depth {
				dot := float32(0)
				for i := at; i < at+depth; i++ {
					dot += float32(y[i] * dy[i])
				}
				for i := at; i < at+depth; i++ {
					dx[i] = o.Factor * float32(y[i]*(dy[i]-dot))
				}
			}
			return nil
		}}, nil
	})

// Scale is a factor.
type Scale struct{ Factor float32 }

// ReshapeLike gives operand 0 the shape of operand 1, which has as many elements.
var ReshapeLike = &op.Def{
	Code: ReshapeLikeCode, Name: "RESHAPE_LIKE",
	Operands: op.In("x", op.F32).In("shape of", op.Any).Out("y", op.F32),
	Facts: func(c *op.Call) error {
		c.Out[0].Shape, c.Out[0].Unknown = c.In[1].Shape, c.In[1].Unknown
		return nil
	},
	View: true, Alias: []int{0}, Quant: op.Quant{None: true},
	Ref: op.Plain(func(r *op.Run) error {
		copy(op.F32s(r.Out[0]), op.F32s(r.In[0]))
		return nil
	}),
}

// SumTo sums operand 0 over the axes along which operand 1 was broadcast to it.
var SumTo = def(SumToCode, "SUM_TO", op.In("dy", op.F32).In("shape of", op.F32).Out("dx", op.F32),
	func(c *op.Call) error {
		c.Out[0].Shape, c.Out[0].Unknown = c.In[1].Shape, c.In[1].Unknown
		return nil
	},
	op.Plain(func(r *op.Run) error {
		dy, dx := op.F32s(r.In[0]), op.F32s(r.Out[0])
		clear(dx)
		stride := strides(r.In[0].Shape(), r.Out[0].Shape())
		s := r.In[0].Shape()
		for i, g := range dy {
			at, rest := 0, i
			for k := len(s) - 1; k >= 0; k-- {
				at += rest % s[k] * stride[k]
				rest /= s[k]
			}
			dx[at] += g
		}
		return nil
	}))

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
