package op

import (
	"fmt"
	"math"
	"strconv"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// NameOf returns the name of a node's operator: TFLite's, a custom operator's
// code (quoted if it is not plain text), or a number for codes the schema does not
// know.
func NameOf(n *graph.Node) string {
	if n.Op == graph.Custom {
		if q := strconv.Quote(n.Custom); q[1:len(q)-1] != n.Custom {
			return q
		}
		return n.Custom
	}
	return CodeName(n.Op)
}

// CodeName returns TFLite's name for a builtin operator's code.
func CodeName(c graph.OpCode) string { return fb.BuiltinOperator(c).String() }

// activations is the table of fused activations that are clamps.
var activations = map[fb.ActivationFunctionType]struct{ lo, hi float32 }{
	fb.ActivationFunctionTypeNONE:         {float32(math.Inf(-1)), float32(math.Inf(1))},
	fb.ActivationFunctionTypeRELU:         {0, float32(math.Inf(1))},
	fb.ActivationFunctionTypeRELU_N1_TO_1: {-1, 1},
	fb.ActivationFunctionTypeRELU6:        {0, 6},
}

// Clamps reports whether a fused activation is a clamp. The others (TANH, SIGN_BIT)
// count as NONE where a kernel knows clamps only.
func Clamps(a fb.ActivationFunctionType) bool {
	_, ok := activations[a]
	return ok
}

// clampOf is the interval of a fused activation.
func clampOf(a fb.ActivationFunctionType) (lo, hi float32) {
	if !Clamps(a) {
		a = fb.ActivationFunctionTypeNONE
	}
	return activations[a].lo, activations[a].hi
}

// FloatRange returns the interval a fused activation clamps to. TFLite's kernels
// use the largest finite floats as bounds of NONE and RELU.
func FloatRange(a fb.ActivationFunctionType) (lo, hi float32) {
	lo, hi = clampOf(a)
	return max(lo, -math.MaxFloat32), min(hi, math.MaxFloat32)
}

// QuantRange returns the interval a fused activation clamps to in the quantized
// domain of f (CalculateActivationRangeQuantized).
func QuantRange(a fb.ActivationFunctionType, f *Fact) (lo, hi int32, err error) {
	rlo, rhi := clampOf(a)
	qmin, qmax, ok := f.DType.IntRange()
	if !ok {
		return 0, 0, fmt.Errorf("fused activation on %v: %w", f.DType, tensor.ErrUnsupported)
	}
	lo, hi, ok = fixed.CalculateActivationRangeQuantized(rlo, rhi, f.Quant.Scale(), int32(f.Quant.Zero()), qmin, qmax)
	if !ok {
		return 0, 0, fmt.Errorf("activation range under scale %v: %w", f.Quant.Scale(), tensor.ErrMalformed)
	}
	return lo, hi, nil
}

// Clamp is ActivationFunctionWithMinMax, std::min(std::max(x, lo), hi); NaN passes
// through, as in C++.
func Clamp(x, lo, hi float32) float32 {
	if x < lo {
		x = lo
	}
	if hi < x {
		x = hi
	}
	return x
}

// Quantized fails unless a fact carries usable per-tensor parameters.
func (f *Fact) Quantized() error {
	if len(f.Quant.Scales) != 1 || len(f.Quant.ZeroPoints) != 1 {
		return fmt.Errorf("%v operand has %d scales and %d zero points, want one of each: %w", f.DType, len(f.Quant.Scales), len(f.Quant.ZeroPoints), tensor.ErrMalformed)
	}
	if f.Quant.Scale() == 0 {
		return fmt.Errorf("scale 0: %w", tensor.ErrMalformed)
	}
	return checkScales(f)
}

// PerTensor returns a fact's scale and zero point, 0 and 0 where there is not one of
// each: many of TFLite's kernels know no others.
func (f *Fact) PerTensor() (scale float32, zero int64) {
	if len(f.Quant.Scales) != 1 || len(f.Quant.ZeroPoints) != 1 {
		return 0, 0
	}
	return f.Quant.Scale(), f.Quant.Zero()
}

// checkScales lets 0 pass, which channels of zeros may have.
func checkScales(f *Fact) error {
	for _, s := range f.Quant.Scales {
		if !(s >= 0) || math.IsInf(float64(s), 0) {
			return fmt.Errorf("scale %v: %w", s, tensor.ErrMalformed)
		}
	}
	lo, hi, ok := f.DType.IntRange()
	for _, z := range f.Quant.ZeroPoints {
		if ok && (z < int64(lo) || z > int64(hi)) {
			return fmt.Errorf("zero point %d of %v: %w", z, f.DType, tensor.ErrMalformed)
		}
	}
	return nil
}

// ChannelScales returns one scale for each of n channels; a per-tensor scale is
// repeated. All zero points must be zero where symmetric is set.
func (f *Fact) ChannelScales(n int, symmetric bool) ([]float32, error) {
	if err := checkScales(f); err != nil {
		return nil, err
	}
	for _, z := range f.Quant.ZeroPoints {
		if symmetric && z != 0 {
			return nil, fmt.Errorf("weights with zero point %d: %w", z, tensor.ErrUnsupported)
		}
	}
	switch len(f.Quant.Scales) {
	case n:
		return f.Quant.Scales, nil
	case 1:
		s := make([]float32, n)
		for i := range s {
			s[i] = f.Quant.Scales[0]
		}
		return s, nil
	}
	return nil, fmt.Errorf("%d scales for %d channels: %w", len(f.Quant.Scales), n, tensor.ErrMalformed)
}
