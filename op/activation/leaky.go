package activation

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// LeakyRelu is LEAKY_RELU: x for x > 0, alpha·x otherwise; alpha may be negative.
var LeakyRelu = &op.Def{
	Code:     graph.OpCode(schema.LEAKY_RELU),
	Name:     "LEAKY_RELU",
	Operands: op.In("input", op.F32|op.Quants).Out("output", op.F32|op.Quants).Like(0),
	Facts:    op.SameAs(0),
	Alias:    []int{0},
	Version:  elementwise.VersionBy(map[tensor.DType]int{tensor.Int16: 2}),
	Since:    []string{"1.13.1", "2.3.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: leakyFloat,
		tensor.Int8:    leakyInt[int8],
		tensor.UInt8:   leakyInt[uint8],
		tensor.Int16:   leakyInt[int16],
	}),
}

// Alpha returns the node's slope below zero.
func Alpha(n *graph.Node) float32 { return graph.Options[fb.LeakyReluOptionsT](n).Alpha }

// PRelu is PRELU: x for x ≥ 0, alpha·x otherwise, with alpha broadcast to x.
var PRelu = &op.Def{
	Code:     graph.OpCode(schema.PRELU),
	Name:     "PRELU",
	Operands: op.In("input", op.F32|op.Quants).In("alpha", op.F32|op.I8|op.U8).Out("output", op.F32|op.Quants).Like(0),
	Facts:    preluFacts,
	Alias:    []int{0},
	Version:  elementwise.Version1,
	Since:    []string{"1.8.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation(), op.PerChannel(-1)}, No16: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: elementwise.Binary(func(x, alpha float32) float32 {
			if x >= 0 {
				return x
			}
			return x * alpha
		}),
		tensor.Int8:  preluInt[int8, int8],
		tensor.UInt8: preluInt[uint8, uint8],
		tensor.Int16: preluInt[int16, int8],
	}),
}

func leakyFloat(c *op.Call) (op.Kernel, error) {
	alpha := Alpha(c.Node)
	return elementwise.Unary(func(x float32) float32 {
		if x > 0 {
			return x
		}
		return x * alpha
	})(c)
}

// allQuantized checks that facts have one scale and zero point each.
func allQuantized(facts ...*op.Fact) error {
	for _, f := range facts {
		if err := f.Quantized(); err != nil {
			return err
		}
	}
	return nil
}

// slopes is a requantization with one multiplier from zero upwards and another
// one below.
type slopes struct {
	zeroIn, zeroOut, lo, hi int32
	m, mNegative            int32
	shift, shiftNegative    int
}

func newSlopes(in, out *op.Fact, negative float32) (*slopes, error) {
	if err := allQuantized(in, out); err != nil {
		return nil, err
	}
	s := &slopes{zeroIn: int32(in.Quant.Zero()), zeroOut: int32(out.Quant.Zero())}
	s.lo, s.hi, _ = out.DType.IntRange()
	s.m, s.shift = fixed.QuantizeMultiplier(float64(in.Quant.Scale() / out.Quant.Scale()))
	s.mNegative, s.shiftNegative = fixed.QuantizeMultiplier(float64(in.Quant.Scale() * negative / out.Quant.Scale()))
	return s, nil
}

func (s *slopes) clamp(v int32) int32 { return min(max(v+s.zeroOut, s.lo), s.hi) }

func leakyInt[T int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	if err := op.CheckActivations(&c.In[0], &c.Out[0]); err != nil {
		return op.Kernel{}, err
	}
	s, err := newSlopes(&c.In[0], &c.Out[0], Alpha(c.Node))
	if err != nil {
		return op.Kernel{}, err
	}
	sign := int32(1)
	if s.mNegative < 0 {
		sign, s.mNegative = -1, -s.mNegative
	}
	return elementwise.Unary(func(q T) T {
		x := int32(q) - s.zeroIn
		if x >= 0 {
			return T(s.clamp(fixed.MultiplyByQuantizedMultiplier(x, s.m, s.shift)))
		}
		return T(s.clamp(sign * fixed.MultiplyByQuantizedMultiplier(x, s.mNegative, s.shiftNegative)))
	})(c)
}

func preluFacts(c *op.Call) error {
	x, alpha := &c.In[0], &c.In[1]
	if want := alphaType(x.DType); alpha.DType != want {
		return fmt.Errorf("alpha is %v, want %v for input %v: %w", alpha.DType, want, x.DType, tensor.ErrType)
	}
	if err := elementwise.Facts(c); err != nil {
		return err
	}
	if out := c.Out[0].Shape; x.Shape.Known() && !out.Equal(x.Shape) {
		return fmt.Errorf("alpha %v does not broadcast to input %v: %w", alpha.Shape, x.Shape, tensor.ErrShape)
	}
	c.Out[0].Shape = x.Shape
	return nil
}

// alphaType is the type of alpha: int8 for int16 inputs.
func alphaType(d tensor.DType) tensor.DType {
	if d == tensor.Int16 {
		return tensor.Int8
	}
	return d
}

func preluInt[T int8 | uint8 | int16, A int8 | uint8](c *op.Call) (op.Kernel, error) {
	if err := c.In[1].Quantized(); err != nil {
		return op.Kernel{}, err
	}
	s, err := newSlopes(&c.In[0], &c.Out[0], c.In[1].Quant.Scale())
	if err != nil {
		return op.Kernel{}, err
	}
	zeroAlpha := int32(c.In[1].Quant.Zero())
	return elementwise.Binary(func(q T, alpha A) T {
		x := int32(q) - s.zeroIn
		if x >= 0 {
			return T(s.clamp(fixed.MultiplyByQuantizedMultiplier(x, s.m, s.shift)))
		}
		return T(s.clamp(fixed.MultiplyByQuantizedMultiplier(x*(int32(alpha)-zeroAlpha), s.mNegative, s.shiftNegative)))
	})(c)
}
