package op

import (
	"fmt"

	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// Requant is the step from an accumulator to a quantized output that
// convolutions and fully connected layers share: a fixed-point multiplier for
// each channel (or one for all), the output's zero point and the fused
// activation's bounds.
type Requant struct {
	M      []int32
	Shift  []int
	Zero   int32
	Lo, Hi int32
}

// NewRequant builds the step for real factors, one a channel or one for all.
func NewRequant(factors []float64, act fb.ActivationFunctionType, out *Fact) (*Requant, error) {
	r := &Requant{M: make([]int32, len(factors)), Shift: make([]int, len(factors)), Zero: int32(out.Quant.Zero())}
	for i, f := range factors {
		r.M[i], r.Shift[i] = fixed.QuantizeMultiplier(f)
	}
	var err error
	r.Lo, r.Hi, err = QuantRange(act, out)
	return r, err
}

func (q *Requant) channel(c int) int {
	if len(q.M) == 1 {
		return 0
	}
	return c
}

// Apply requantizes a 32-bit accumulator of channel c.
func (q *Requant) Apply(acc int32, c int) int32 {
	c = q.channel(c)
	return min(max(fixed.MultiplyByQuantizedMultiplier(acc, q.M[c], q.Shift[c])+q.Zero, q.Lo), q.Hi)
}

// ApplyWide requantizes a 64-bit accumulator of channel c; 16x8 outputs have no
// zero point.
func (q *Requant) ApplyWide(acc int64, c int) int32 {
	c = q.channel(c)
	return min(max(fixed.MultiplyByQuantizedMultiplier64(acc, q.M[c], q.Shift[c]), q.Lo), q.Hi)
}

// PerChannelFactors is input scale · weight scale[c] / output scale in double
// precision, for n channels.
func PerChannelFactors(in, weight, out *Fact, n int) ([]float64, error) {
	scales, err := weight.ChannelScales(n, weight.DType != tensor.UInt8)
	if err != nil {
		return nil, err
	}
	f := make([]float64, n)
	for i, s := range scales {
		f[i] = float64(in.Quant.Scale()) * float64(s) / float64(out.Quant.Scale())
	}
	return f, nil
}

// PerTensorFactor is GetQuantizedConvolutionMultipler: the product of the scales
// is rounded to float before the division in double precision.
func PerTensorFactor(in, weight, out *Fact) []float64 {
	return []float64{float64(in.Quant.Scale()*weight.Quant.Scale()) / float64(out.Quant.Scale())}
}

// CheckActivations fails unless input and output are quantized per tensor and,
// for int16, symmetrically.
func CheckActivations(in, out *Fact) error {
	for _, f := range []*Fact{in, out} {
		if err := f.Quantized(); err != nil {
			return err
		}
		if f.DType == tensor.Int16 && f.Quant.Zero() != 0 {
			return fmt.Errorf("int16 with zero point %d: %w", f.Quant.Zero(), tensor.ErrUnsupported)
		}
	}
	return nil
}
