package reduce

import (
	"math"
	"math/bits"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const numbers = op.F32 | op.I32 | op.I64 | op.Quants

// Mean is MEAN: the arithmetic mean along the axes operand 1 lists. Integer means
// truncate; the mean of nothing is NaN, or 0 for integers.
var Mean = &op.Def{
	Code:     graph.OpCode(schema.MEAN),
	Name:     "MEAN",
	Operands: op.In("input", numbers).In("axes", op.I32).Out("output", numbers),
	Facts:    facts,
	Version:  version,
	Since:    []string{"1.6.0", "1.14.0", "2.4.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: op.Plain(meanFloat),
		tensor.Int32:   op.Plain(meanInt[int32]),
		tensor.Int64:   op.Plain(meanInt[int64]),
		tensor.Int8:    quantized(meanQuantized[int8]),
		tensor.UInt8:   quantized(meanQuantized[uint8]),
		tensor.Int16:   quantized(meanQuantized[int16]),
	}),
}

// version is 2 for quantized operands: written 16x8 files carry the int8 version.
func version(c *op.Call) int {
	if d := c.In[0].DType; d == tensor.Int8 || d == tensor.Int16 {
		return 2
	}
	return 1
}

func meanFloat(r *op.Run) error {
	if r.In[0].Len() == 0 {
		return fold(r, 0, func(acc, _ float32) float32 { return acc }, func(float32, int) float32 { return float32(math.NaN()) })
	}
	return fold(r, 0, func(acc, x float32) float32 { return acc + x }, func(acc float32, n int) float32 { return acc / float32(n) })
}

func meanInt[T int32 | int64](r *op.Run) error {
	return fold(r, 0, func(acc int64, x T) int64 { return acc + int64(x) }, func(acc int64, n int) T {
		return T(acc / int64(max(n, 1)))
	})
}

// rescale is what leads from a quantized input to the output: q_out =
// (q - in)·m·2^shift + out, within [lo, hi].
type rescale struct {
	in, out, m int32
	shift      int
	lo, hi     int32
	scale      float32 // of the input over that of the output
}

func (s *rescale) clamp(q int32) int32 { return min(max(q, s.lo), s.hi) }

// perTensor fails if a fact has several scales or unusable ones. Scale and zero
// point of one without parameters are 0, with which LiteRT computes as with others.
func perTensor(facts ...*op.Fact) error {
	for _, f := range facts {
		if f.Quant.IsZero() {
			continue
		}
		if err := op.CheckActivations(f, f); err != nil {
			return err
		}
	}
	return nil
}

// quantized makes the kernel of a sum or mean over quantized values.
func quantized(run func(r *op.Run, s *rescale) error) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		in, out := &c.In[0], &c.Out[0]
		if err := perTensor(in, out); err != nil {
			return op.Kernel{}, err
		}
		s := &rescale{in: int32(in.Quant.Zero()), out: int32(out.Quant.Zero()), scale: in.Quant.Scale() / out.Quant.Scale()}
		s.m, s.shift = fixed.QuantizeMultiplier(float64(in.Quant.Scale()) / float64(out.Quant.Scale()))
		s.lo, s.hi, _ = out.DType.IntRange()
		return op.Kernel{Run: func(r *op.Run) error { return run(r, s) }}, nil
	}
}

// meanQuantized folds 1/n into the multiplier.
func meanQuantized[T int8 | uint8 | int16](r *op.Run, s *rescale) error {
	mean := *s
	_, reduced, _ := split(r)
	if n := reduced.count(); n > 0 {
		shift := min(63-bits.LeadingZeros64(uint64(n)), 32, 31+s.shift)
		mean.m = int32((int64(s.m) << shift) / int64(n))
		mean.shift -= shift
	}
	return sumQuantized[T](r, &mean)
}

// sumQuantized rescales sums in fixed point. An empty input gives zeros.
func sumQuantized[T int8 | uint8 | int16](r *op.Run, s *rescale) error {
	if r.In[0].Len() == 0 {
		clear(r.Out[0].Bytes())
		return nil
	}
	return fold(r, 0, func(acc int32, x T) int32 { return acc + int32(x) }, func(acc int32, n int) T {
		acc -= int32(int64(s.in) * int64(n))
		return T(s.clamp(fixed.MultiplyByQuantizedMultiplier(acc, s.m, s.shift) + s.out))
	})
}
