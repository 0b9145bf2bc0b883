// Package training holds the internal operators that training adds to a graph:
// layers that training treats differently from inference, the loss, the gradients
// TFLite has no operator for, and the optimisers' steps. No file can hold them.
// Values are float32 throughout.
package training

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema/fb"
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
	GeluGradCode
	SumToCode
	ReshapeLikeCode
	ReduceGradCode
	MoveGradCode
	DropoutCode
	DropoutStepCode
	BatchNormCode
	BatchNormStepCode
	BatchNormGradCode
	AdamCode
	SGDCode
	RMSPropCode
)

// Defs lists the package's operators.
var Defs = []*op.Def{
	CrossEntropy, ConvInputGrad, ConvFilterGrad, DenseInputGrad, DenseWeightsGrad, BiasGrad,
	MaxPoolGrad, AveragePoolGrad, ClampGrad, SoftmaxGrad, GeluGrad, SumTo, ReshapeLike, ReduceGrad, MoveGrad,
	Dropout, DropoutStep, BatchNorm, BatchNormStep, BatchNormGrad, Adam, SGD, RMSProp,
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
			o.Grad(op.F32s(r.Out[0]), op.F32s(r.In[1]), op.F32s(r.In[0]))
			return nil
		}}, nil
	})

// Clamp is the interval of a clamp.
type Clamp struct{ Lo, Hi float32 }

// Grad computes dx from dy and the clamp's result y.
func (c *Clamp) Grad(dx, dy, y []float32) {
	for i, v := range y {
		dx[i] = 0
		if c.Lo < v && v < c.Hi {
			dx[i] = dy[i]
		}
	}
}

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

// GeluGrad is the gradient of GELU: dy·(Φ(x) + x·φ(x)), or that of its
// approximation by tanh. Options: GELU's.
var GeluGrad = def(GeluGradCode, "GELU_GRAD", op.In("x", op.F32).In("dy", op.F32).Out("dx", op.F32), like(0),
	func(c *op.Call) (op.Kernel, error) {
		slope := geluSlope
		if graph.Options[fb.GeluOptionsT](c.Node).Approximate {
			slope = tanhGeluSlope
		}
		return op.Kernel{Run: func(r *op.Run) error {
			dy, dx := op.F32s(r.In[1]), op.F32s(r.Out[0])
			for i, x := range op.F32s(r.In[0]) {
				dx[i] = dy[i] * slope(x)
			}
			return nil
		}}, nil
	})

func geluSlope(x float32) float32 {
	const invSqrtTau = 0.39894228040143267794 // 1/√(2π)
	density := float32(libm.Expf(-0.5*float32(x*x)) * invSqrtTau)
	return float32(0.5*libm.Erfcf(-x*(math.Sqrt2/2))) + float32(x*density)
}

func tanhGeluSlope(x float32) float32 {
	const a, b = 0.79788456080286535588, 0.044715 // √(2/π)
	square := float32(x * x)
	t := libm.Tanhf(a * float32(x*(1+float32(b*square))))
	inner := a * (1 + float32(3*b*square))
	return float32(0.5*(1+t)) + float32(float32(0.5*x)*float32((1-float32(t*t))*inner))
}
