package activation

import (
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Relu, Relu6, ReluN1To1 and Relu0To1 clamp to an interval.
var (
	Relu      = clampDef("RELU", graph.OpCode(schema.RELU), 0, float32(math.Inf(1)), "1.5.0", "2.1.0", "2.5.0")
	Relu6     = clampDef("RELU6", graph.OpCode(schema.RELU6), 0, 6, "1.5.0", "1.14.0", "2.5.0")
	ReluN1To1 = clampDef("RELU_N1_TO_1", graph.OpCode(schema.RELU_N1_TO_1), -1, 1, "1.5.0")
	Relu0To1  = clampDef("RELU_0_TO_1", graph.OpCode(schema.RELU_0_TO_1), 0, 1, "2.10.0")
)

func clampDef(name string, code graph.OpCode, lo, hi float32, since ...string) *op.Def {
	return &op.Def{
		Code:     code,
		Name:     name,
		Operands: op.In("input", op.F32|op.Quants).Out("output", op.F32|op.Quants).Like(0),
		Facts:    op.SameAs(0),
		Alias:    []int{0},
		Version: func(c *op.Call) int {
			if d := c.In[0].DType; len(since) > 1 && (d == tensor.Int8 || d == tensor.Int16) {
				return 2
			}
			return 1
		},
		Since: since,
		Quant: op.Quant{In: []op.Rule{op.Activation()}},
		Ref: op.ByType(0, map[tensor.DType]op.Maker{
			tensor.Float32: clampFloat(lo, hi),
			tensor.Int8:    clampInt[int8](lo, hi),
			tensor.UInt8:   clampInt[uint8](lo, hi),
			tensor.Int16:   clampInt[int16](lo, hi),
		}),
	}
}

func clampFloat(lo, hi float32) op.Maker {
	return op.Plain(func(r *op.Run) error {
		out := op.F32s(r.Out[0])
		for i, x := range op.F32s(r.In[0]) {
			out[i] = op.Clamp(x, lo, hi)
		}
		return nil
	})
}

// clampInt rescales to the output's parameters, then clamps (QuantizedReluX).
func clampInt[T int8 | uint8 | int16](lo, hi float32) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		in, out := &c.In[0], &c.Out[0]
		if err := op.CheckActivations(in, out); err != nil {
			return op.Kernel{}, err
		}
		m, shift := fixed.QuantizeMultiplier(float64(in.Quant.Scale() / out.Quant.Scale()))
		zeroIn, zeroOut := int32(in.Quant.Zero()), int32(out.Quant.Zero())
		qlo, qhi, _ := out.DType.IntRange()
		bound := func(real float32) int32 { return zeroOut + fixed.ToInt32(fixed.Round(real/out.Quant.Scale())) }
		qlo = max(qlo, bound(lo))
		if !math.IsInf(float64(hi), 1) {
			qhi = min(qhi, bound(hi))
		}
		return op.Kernel{Run: func(r *op.Run) error {
			dst := tensor.View[T](r.Out[0].Bytes())
			for i, q := range tensor.View[T](r.In[0].Bytes()) {
				v := fixed.MultiplyByQuantizedMultiplier(int32(q)-zeroIn, m, shift) + zeroOut
				dst[i] = T(min(max(v, qlo), qhi))
			}
			return nil
		}}, nil
	}
}
