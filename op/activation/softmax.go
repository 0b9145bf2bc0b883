// Package activation holds the operators that map elements through a function.
package activation

import (
	"fmt"
	"math"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{
	Relu, Relu6, ReluN1To1, Relu0To1, Softmax, LogSoftmax, Logistic, Tanh, HardSwish, LeakyRelu, PRelu, Elu, Gelu,
	L2Normalization, LocalResponseNormalization,
}

// Softmax is SOFTMAX over the last axis.
var Softmax = &op.Def{
	Code:     graph.OpCode(schema.SOFTMAX),
	Name:     "SOFTMAX",
	Operands: op.In("logits", op.F32|op.Quants).Out("probabilities", op.F32|op.Quants),
	Facts:    softmaxFacts,
	Version:  softmaxVersion,
	Since:    []string{"1.5.0", "1.14.0", "2.3.0", "2.23.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}, Out: []op.Rule{op.Pin8And16(1./256, -128, 1./32768)}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: op.ByResult(map[tensor.DType]op.Maker{tensor.Float32: softmaxFloat}),
		tensor.Int8: op.ByResult(map[tensor.DType]op.Maker{
			tensor.Int8:  softmaxInt[int8, int8],
			tensor.Int16: softmaxInt[int8, int16],
		}),
		tensor.UInt8: op.ByResult(map[tensor.DType]op.Maker{
			tensor.UInt8: softmaxInt[uint8, uint8],
			tensor.Int16: softmaxInt[uint8, int16],
		}),
		tensor.Int16: op.ByResult(map[tensor.DType]op.Maker{tensor.Int16: softmaxInt16}),
	}),
}

// Beta returns the node's factor on the logits.
func Beta(n *graph.Node) float32 { return graph.Options[fb.SoftmaxOptionsT](n).Beta }

func softmaxFacts(c *op.Call) error {
	if !c.In[0].Unknown && len(c.In[0].Shape) == 0 {
		return fmt.Errorf("softmax of a scalar: %w", tensor.ErrShape)
	}
	return op.SameAs(0)(c)
}

func softmaxVersion(c *op.Call) int {
	if d := c.In[0].DType; d == tensor.Int8 || d == tensor.Int16 {
		return 2
	}
	return 1
}

func softmaxFloat(c *op.Call) (op.Kernel, error) {
	beta := Beta(c.Node)
	return op.Kernel{Run: func(r *op.Run) error {
		in, out, depth := op.F32s(r.In[0]), op.F32s(r.Out[0]), lastDim(r.In[0])
		for at := 0; at < len(in); at += depth {
			if r.Stop() {
				return op.ErrStopped
			}
			softmaxRow(in[at:at+depth], out[at:at+depth], beta)
		}
		return nil
	}}, nil
}

func softmaxRow(in, out []float32, beta float32) {
	top := float32(-math.MaxFloat32)
	for _, v := range in {
		if top < v {
			top = v
		}
	}
	sum := float32(0)
	for i, v := range in {
		out[i] = libm.Expf((v - top) * beta)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
}

// lastDim is the length of a row, 1 for an empty tensor so that loops end.
func lastDim(t tensor.Tensor) int {
	s := t.Shape()
	return max(s[len(s)-1], 1)
}

const (
	scaledDiffBits = 5  // integer bits of the scaled differences to the maximum
	sumBits        = 12 // integer bits of the sum of exponentials
)

// softmaxInt is the fixed-point softmax of gemmlowp's exp and reciprocal, for
// 8-bit logits.
func softmaxInt[I int8 | uint8, O int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	if err := c.In[0].Quantized(); err != nil {
		return op.Kernel{}, err
	}
	m, left, ok := fixed.PreprocessSoftmaxScaling(float64(Beta(c.Node)), float64(c.In[0].Quant.Scale()), scaledDiffBits)
	if !ok {
		return softmaxTable[I, O](c)
	}
	diffMin := int32(-fixed.CalculateInputRadius(scaledDiffBits, left, 31))
	lo, hi, _ := c.Out[0].DType.IntRange()
	bits := 8 * c.Out[0].DType.Size()
	return op.Kernel{Run: func(r *op.Run) error {
		in, out, depth := tensor.View[I](r.In[0].Bytes()), tensor.View[O](r.Out[0].Bytes()), lastDim(r.In[0])
		for at := 0; at < len(in); at += depth {
			x, y := in[at:at+depth], out[at:at+depth]
			top := x[0]
			for _, v := range x {
				top = max(top, v)
			}
			exp := func(v I) (int32, bool) {
				diff := int32(v) - int32(top)
				if diff < diffMin {
					return 0, false
				}
				return fixed.ExpOnNegativeValues(fixed.MultiplyByQuantizedMultiplierGreaterThanOne(diff, m, left), scaledDiffBits), true
			}
			sum := int32(0)
			for _, v := range x {
				if e, ok := exp(v); ok {
					sum += fixed.Rescale(e, 0, sumBits)
				}
			}
			scale, over := fixed.GetReciprocal(sum, sumBits)
			shift := over + 31 - bits
			if shift > 31 { // every probability rounds to 0; LiteRT aborts
				scale, shift = 0, 31
			}
			for i, v := range x {
				y[i] = O(lo)
				if e, ok := exp(v); ok {
					q := fixed.RoundingDivideByPOT(fixed.SaturatingRoundingDoublingHighMul(scale, e), shift)
					y[i] = O(max(min(q+lo, hi), lo))
				}
			}
		}
		return nil
	}}, nil
}

// softmaxTable is LiteRT's optimised kernel, for logits whose scale is too small for the
// fixed-point one: exp of the 256 differences to the maximum is a table.
func softmaxTable[I int8 | uint8, O int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	var table [256]float32
	step := -c.In[0].Quant.Scale() * Beta(c.Node)
	for diff := range table {
		table[diff] = libm.Expf(float32(step * float32(diff)))
	}
	scale, zero := c.Out[0].Quant.Scale(), int32(c.Out[0].Quant.Zero())
	lo, hi, _ := c.Out[0].DType.IntRange()
	round := func(p float32) int32 { return fixed.ToInt32(fixed.Round(p)) + zero }
	if c.Out[0].DType == tensor.UInt8 {
		round = func(p float32) int32 { return fixed.ToInt32(p + 0.5) }
	}
	return op.Kernel{Run: func(r *op.Run) error {
		in, out, depth := tensor.View[I](r.In[0].Bytes()), tensor.View[O](r.Out[0].Bytes()), lastDim(r.In[0])
		for at := 0; at < len(in); at += depth {
			x, y := in[at:at+depth], out[at:at+depth]
			top := slices.Max(x)
			sum := float32(0)
			for _, v := range x {
				sum += table[int(top)-int(v)]
			}
			inverse := 1 / float32(sum*scale)
			for i, v := range x {
				y[i] = O(min(max(round(float32(table[int(top)-int(v)]*inverse)), lo), hi))
			}
		}
		return nil
	}}, nil
}

// softmaxInt16 looks exp on [-10,0] and 1/(1+x) on [0,1] up in 513-entry tables.
func softmaxInt16(c *op.Call) (op.Kernel, error) {
	if err := op.CheckActivations(&c.In[0], &c.Out[0]); err != nil {
		return op.Kernel{}, err
	}
	const span = 65535
	exp := fixed.LUTPopulateInt16Double(10.0/float64(span), 32767, 2.0/float64(span), 0, libm.Exp)
	inv := fixed.LUTPopulateInt16Double(1.0/float64(span), -32768, 2.0/float64(span), 0, func(x float64) float64 { return 1 / (1 + x) })
	m, shift := fixed.QuantizeMultiplier(float64(c.In[0].Quant.Scale()*Beta(c.Node)) / (10.0 / float64(span)))
	return op.Kernel{Run: func(r *op.Run) error {
		in, out, depth := op.I16s(r.In[0]), op.I16s(r.Out[0]), lastDim(r.In[0])
		for at := 0; at < len(in); at += depth {
			x, y := in[at:at+depth], out[at:at+depth]
			top := x[0]
			for _, v := range x {
				top = max(top, v)
			}
			sum := int32(0) // Q16.15
			for i, v := range x {
				diff := fixed.MultiplyByQuantizedMultiplier(int32(v)-int32(top), m, shift)
				y[i] = fixed.LUTLookupInt16(fixed.SaturateInt16(diff+32767), exp)
				sum += int32(y[i])
			}
			// The sum's leading bit is at 31−headroom; sums that overflowed stay harmless.
			headroom := min(max(fixed.CountLeadingZeros(uint32(sum)), 1), 30)
			shifted := int32((int64(sum)<<(headroom-1) + 1<<13) >> 14)
			reciprocal := fixed.LUTLookupInt16(fixed.SaturateInt16(shifted-(1<<15+1<<16)), inv)
			right := 31 - headroom
			for i, e := range y {
				q := int32((int64(e)*int64(reciprocal) + int64(1)<<(right-1)) >> right)
				y[i] = int16(min(max(q, 0), 32767))
			}
		}
		return nil
	}}, nil
}
