package unary

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// FakeQuant is FAKE_QUANT: floats rounded to what an integer of the options'
// width could hold over the options' range.
var FakeQuant = &op.Def{
	Code:     graph.OpCode(schema.FAKE_QUANT),
	Name:     "FAKE_QUANT",
	Operands: op.In("input", op.F32).Out("output", op.F32),
	Facts:    fakeQuantFacts,
	Alias:    []int{0},
	Version: func(c *op.Call) int {
		if graph.Options[fb.FakeQuantOptionsT](c.Node).NarrowRange {
			return 2
		}
		return 1
	},
	Since: []string{"1.5.0", "1.10.0"},
	Quant: op.Quant{None: true},
	Ref:   fakeQuant,
}

func fakeQuantFacts(c *op.Call) error {
	o := graph.Options[fb.FakeQuantOptionsT](c.Node)
	switch {
	case o.NarrowRange: // for weights: no runtime implements it
		return fmt.Errorf("narrow range: %w", tensor.ErrUnsupported)
	case o.NumBits < 1 || o.NumBits > 16:
		return fmt.Errorf("%d bits: %w", o.NumBits, tensor.ErrMalformed)
	}
	return op.SameAs(0)(c)
}

func fakeQuant(c *op.Call) (op.Kernel, error) {
	o := graph.Options[fb.FakeQuantOptionsT](c.Node)
	lo, hi, scale := nudge(o.Min, o.Max, float32(int(1)<<o.NumBits-1))
	inverse := 1 / scale
	return elementwise.Unary(func(x float32) float32 {
		if !(lo < x) { // NaN counts as low
			x = lo
		}
		if hi < x {
			x = hi
		}
		return float32(fixed.Round(float32((x-lo)*inverse))*scale) + lo
	})(c)
}

// nudge is NudgeQuantizationRange with levels from 0 to top: the range moves so
// that zero falls on a level. An empty range gives NaN.
func nudge(lo, hi, top float32) (nudgedLo, nudgedHi, scale float32) {
	scale = (hi - lo) / top
	zero := -lo / scale
	zero = float32(math.Round(float64(min(max(zero, 0), top))))
	return -zero * scale, (top - zero) * scale, scale
}
