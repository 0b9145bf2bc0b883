package activation

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// HardSwish is HARD_SWISH, x·relu6(x + 3)/6.
var HardSwish = &op.Def{
	Code:     graph.OpCode(schema.HARD_SWISH),
	Name:     "HARD_SWISH",
	Operands: op.In("input", op.F32|op.I8|op.U8).Out("output", op.F32|op.I8|op.U8).Like(0),
	Facts:    op.SameAs(0),
	Alias:    []int{0},
	Version:  elementwise.Version1,
	Since:    []string{"1.15.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}, No16: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: elementwise.Unary(func(x float32) float32 { return x * op.Clamp(x+3, 0, 6) / 6 }),
		tensor.Int8:    hardSwishInt[int8],
		tensor.UInt8:   hardSwishInt[uint8],
	}),
}

// multiplier16 is a multiplier below one in 15 bits and a power of two.
type multiplier16 struct {
	m        int16
	exponent int
}

func newMultiplier16(d float32) multiplier16 {
	m, exponent := fixed.QuantizeMultiplier(float64(d))
	return multiplier16{fixed.DownScaleInt32ToInt16Multiplier(m), exponent}
}

// hardSwishInt works in 16 bits: the input with 7 more bits, times the output
// multiplier, times relu6(x + 3)/6 as a fraction of 15 bits.
func hardSwishInt[T int8 | uint8](c *op.Call) (op.Kernel, error) {
	in, out := &c.In[0], &c.Out[0]
	if err := op.CheckActivations(in, out); err != nil {
		return op.Kernel{}, err
	}
	fine := in.Quant.Scale() / 128
	toOut, toReluish := newMultiplier16(fine/out.Quant.Scale()), newMultiplier16(fine/(3.0/32768))
	if toOut.exponent > 0 {
		return op.Kernel{}, fmt.Errorf("output scale %v is too small for input scale %v: %w", out.Quant.Scale(), in.Quant.Scale(), tensor.ErrUnsupported)
	}
	zeroIn, zeroOut := int32(in.Quant.Zero()), int32(out.Quant.Zero())
	lo, hi, _ := out.DType.IntRange()
	shift := min(-toOut.exponent, 15)
	return elementwise.Unary(func(q T) T {
		x := int16((int32(q) - zeroIn) << 7)
		y := fixed.SaturatingRoundingDoublingHighMul16(x, toOut.m)
		fraction := int16((int32(toReluish.saturating(x)) + 1<<15) >> 1)
		y = fixed.RoundingDivideByPOT(fixed.SaturatingDoublingHighMul16(fraction, y), shift)
		return T(min(max(int32(int16(int32(y)+zeroOut)), lo), hi))
	})(c)
}

// saturating is x times the multiplier: all but one bit of a left shift comes
// before the multiplication, so that what saturates there saturates at the end
// too.
func (m *multiplier16) saturating(x int16) int16 {
	if m.exponent > 0 {
		x = fixed.SaturatingLeftShift16(x, m.exponent-1)
	}
	x = fixed.SaturatingRoundingDoublingHighMul16(x, m.m)
	if m.exponent > 0 {
		return fixed.SaturatingLeftShift16(x, 1)
	}
	return fixed.RoundingDivideByPOT(x, min(-m.exponent, 15))
}
