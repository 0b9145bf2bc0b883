package activation

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// LogSoftmax is LOG_SOFTMAX over the last axis.
var LogSoftmax = &op.Def{
	Code:     graph.OpCode(schema.LOG_SOFTMAX),
	Name:     "LOG_SOFTMAX",
	Operands: op.In("logits", op.F32|op.I8|op.U8).Out("output", op.F32|op.I8|op.U8).Like(0),
	Facts:    rowFacts,
	Version:  elementwise.VersionBy(map[tensor.DType]int{tensor.Int8: 2}),
	Since:    []string{"1.14.0", "1.14.0"},
	Quant: op.Quant{In: []op.Rule{op.Activation()}, No16: true,
		Out: []op.Rule{{Kind: op.Pinned, Pins: []op.Pin{{Type: tensor.Int8, Scale: 16. / 256, Zero: 127}}}}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: op.Plain(logSoftmaxFloat),
		tensor.Int8:    resultParams(16./256, 127, logSoftmaxInt[int8]),
		tensor.UInt8:   resultParams(16./256, 255, logSoftmaxInt[uint8]),
	}),
}

// rowFacts is the rule of operators on rows along the last axis.
func rowFacts(c *op.Call) error {
	if !c.In[0].Unknown && len(c.In[0].Shape) == 0 {
		return fmt.Errorf("a scalar has no last axis: %w", tensor.ErrShape)
	}
	return op.SameAs(0)(c)
}

// resultParams refuses results of other parameters than the kernel computes in.
func resultParams(scale float32, zero int64, mk op.Maker) op.Maker {
	return resultScale(scale, func(c *op.Call) (op.Kernel, error) {
		if z := c.Out[0].Quant.Zero(); z != zero {
			return op.Kernel{}, fmt.Errorf("result of zero point %d, want %d: %w", z, zero, tensor.ErrUnsupported)
		}
		return mk(c)
	})
}

func logSoftmaxFloat(r *op.Run) error {
	in, out, depth := op.F32s(r.In[0]), op.F32s(r.Out[0]), lastDim(r.In[0])
	for at := 0; at < len(in); at += depth {
		if r.Stop() {
			return op.ErrStopped
		}
		logSoftmaxRow(in[at:at+depth], out[at:at+depth])
	}
	return nil
}

func logSoftmaxRow(in, out []float32) {
	top := float32(-math.MaxFloat32)
	for _, v := range in {
		if top < v {
			top = v
		}
	}
	sum := float32(0)
	for _, v := range in {
		sum += libm.Expf(v - top)
	}
	log := libm.Logf(sum)
	for i, v := range in {
		out[i] = v - top - log
	}
}

// logSoftmaxInt is the fixed-point kernel: exponentials with 5 integer bits,
// summed with 12, and the logarithm of the sum with 5 again.
func logSoftmaxInt[T int8 | uint8](c *op.Call) (op.Kernel, error) {
	if err := op.CheckActivations(&c.In[0], &c.Out[0]); err != nil {
		return op.Kernel{}, err
	}
	m, shift, reverse, reverseShift, ok := fixed.PreprocessLogSoftmaxScalingExp(1, float64(c.In[0].Quant.Scale()), scaledDiffBits)
	if !ok {
		return op.Kernel{}, fmt.Errorf("input scale %v is out of range: %w", c.In[0].Quant.Scale(), tensor.ErrUnsupported)
	}
	s := &logSoftmax{m: m, reverse: reverse, shift: shift, reverseShift: reverseShift,
		diffMin: -fixed.CalculateInputRadius(scaledDiffBits, shift, 31)}
	s.lo, s.hi, _ = c.Out[0].DType.IntRange()
	return op.Kernel{Run: func(r *op.Run) error {
		in, out, depth := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.Out[0].Bytes()), lastDim(r.In[0])
		for at := 0; at < len(in); at += depth {
			logSoftmaxRowInt(s, in[at:at+depth], out[at:at+depth])
		}
		return nil
	}}, nil
}

type logSoftmax struct {
	m, reverse, diffMin, lo, hi int32
	shift, reverseShift         int
}

func logSoftmaxRowInt[T int8 | uint8](s *logSoftmax, in, out []T) {
	const outputBits = 4
	top := in[0]
	for _, v := range in {
		top = max(top, v)
	}
	sum := int32(0)
	for _, v := range in {
		if diff := int32(v) - int32(top); diff >= s.diffMin {
			e := fixed.ExpOnNegativeValues(fixed.MultiplyByQuantizedMultiplier(diff, s.m, s.shift), scaledDiffBits)
			sum += fixed.Rescale(e, 0, sumBits)
		}
	}
	log := fixed.LogXForXGreaterThanOrEqualTo1(sum, sumBits, scaledDiffBits)
	// Below this difference the subtraction of the logarithm would overflow.
	least := max(s.diffMin-1, fixed.MultiplyByQuantizedMultiplier(log+math.MinInt32, s.reverse, s.reverseShift))
	for i, v := range in {
		out[i] = T(s.lo)
		if diff := int32(v) - int32(top); diff > least {
			q := fixed.MultiplyByQuantizedMultiplier(diff, s.m, s.shift) - log
			out[i] = T(max(min(fixed.RoundingDivideByPOT(q, 31-scaledDiffBits-outputBits)+s.hi, s.hi), s.lo))
		}
	}
}
