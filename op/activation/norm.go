package activation

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// L2Normalization is L2_NORMALIZATION: rows along the last axis divided by their
// Euclidean norm, which counts as 1e-6 at least.
var L2Normalization = &op.Def{
	Code:     graph.OpCode(schema.L2_NORMALIZATION),
	Name:     "L2_NORMALIZATION",
	Operands: op.In("input", op.F32|op.I8|op.U8).Out("output", op.F32|op.I8|op.U8).Like(0),
	Facts:    l2Facts,
	Version:  elementwise.VersionBy(map[tensor.DType]int{tensor.Int8: 2}),
	Since:    []string{"1.5.0", "1.14.0"},
	Quant: op.Quant{In: []op.Rule{op.Activation()}, No16: true,
		Out: []op.Rule{{Kind: op.Pinned, Pins: []op.Pin{{Type: tensor.Int8, Scale: 1. / 128, Zero: 0}}}}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: op.Plain(l2Float),
		tensor.Int8:    resultParams(1./128, 0, l2Int[int8]),
		tensor.UInt8:   resultParams(1./128, 128, l2Int[uint8]),
	}),
}

func l2Facts(c *op.Call) error {
	if a := graph.Options[fb.L2NormOptionsT](c.Node).FusedActivationFunction; a != fb.ActivationFunctionTypeNONE {
		return fmt.Errorf("fused activation %v: %w", a, tensor.ErrUnsupported)
	}
	return rowFacts(c)
}

func l2Float(r *op.Run) error {
	const epsilon = 1e-6
	in, out, depth := op.F32s(r.In[0]), op.F32s(r.Out[0]), lastDim(r.In[0])
	for at := 0; at < len(in); at += depth {
		sum := float32(0)
		for _, x := range in[at : at+depth] {
			sum += float32(x * x)
		}
		norm := float32(math.Sqrt(float64(sum)))
		if norm < epsilon {
			norm = epsilon
		}
		for i, x := range in[at : at+depth] {
			out[at+i] = x / norm
		}
	}
	return nil
}

func l2Int[T int8 | uint8](c *op.Call) (op.Kernel, error) {
	if err := op.CheckActivations(&c.In[0], &c.Out[0]); err != nil {
		return op.Kernel{}, err
	}
	zeroIn, zeroOut := int32(c.In[0].Quant.Zero()), int32(c.Out[0].Quant.Zero())
	lo, hi, _ := c.Out[0].DType.IntRange()
	return op.Kernel{Run: func(r *op.Run) error {
		in, out, depth := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.Out[0].Bytes()), lastDim(r.In[0])
		for at := 0; at < len(in); at += depth {
			sum := int32(0)
			for _, q := range in[at : at+depth] {
				sum += (int32(q) - zeroIn) * (int32(q) - zeroIn)
			}
			m, shift := fixed.GetInvSqrtQuantizedMultiplierExp(sum, -1)
			for i, q := range in[at : at+depth] {
				out[at+i] = T(min(max(l2Rescale[T](int32(q)-zeroIn, m, shift)+zeroOut, lo), hi))
			}
		}
		return nil
	}}, nil
}

// l2Rescale is 128·x times the multiplier: the 7 bits go into the shift for int8,
// into the value for uint8.
func l2Rescale[T int8 | uint8](x, m int32, shift int) int32 {
	if T(0)-1 > 0 {
		return fixed.MultiplyByQuantizedMultiplierSmallerThanOneExp(x<<7, m, shift)
	}
	return fixed.MultiplyByQuantizedMultiplier(x, m, shift+7)
}

// LocalResponseNormalization is LOCAL_RESPONSE_NORMALIZATION along the last of
// four axes: x·(bias + alpha·Σx²)^−beta, the sum going over radius neighbours on
// both sides. LiteRT's reference kernel has one channel less; this is what its
// optimised kernel and TensorFlow compute.
var LocalResponseNormalization = &op.Def{
	Code:     graph.OpCode(schema.LOCAL_RESPONSE_NORMALIZATION),
	Name:     "LOCAL_RESPONSE_NORMALIZATION",
	Operands: op.In("input", op.F32).Out("output", op.F32),
	Facts:    lrnFacts,
	Version:  elementwise.Version1,
	Since:    []string{"1.5.0"},
	Quant:    op.Quant{None: true},
	Ref:      lrn,
}

func lrnFacts(c *op.Call) error {
	if r := graph.Options[fb.LocalResponseNormalizationOptionsT](c.Node).Radius; r < 0 {
		return fmt.Errorf("radius %d: %w", r, tensor.ErrMalformed)
	}
	if !c.In[0].Unknown && len(c.In[0].Shape) != 4 {
		return fmt.Errorf("input of rank %d, want 4: %w", len(c.In[0].Shape), tensor.ErrShape)
	}
	return op.SameAs(0)(c)
}

func lrn(c *op.Call) (op.Kernel, error) {
	o := graph.Options[fb.LocalResponseNormalizationOptionsT](c.Node)
	return op.Kernel{Run: func(r *op.Run) error {
		in, out, depth := op.F32s(r.In[0]), op.F32s(r.Out[0]), lastDim(r.In[0])
		for at := 0; at < len(in); at += depth {
			if r.Stop() {
				return op.ErrStopped
			}
			lrnRow(o, in[at:at+depth], out[at:at+depth])
		}
		return nil
	}}, nil
}

// lrnRow moves a window along a row: a square is added where it enters and
// subtracted where it leaves.
func lrnRow(o *fb.LocalResponseNormalizationOptionsT, in, out []float32) {
	radius := int(o.Radius)
	square := func(i int) float32 {
		if i < 0 || i >= len(in) {
			return 0
		}
		return float32(float32(in[i]*in[i]) * o.Alpha)
	}
	sum := float32(0)
	for i := range min(radius, len(in)) {
		sum += square(i)
	}
	for i := range in {
		sum += square(i + radius)
		out[i] = o.Bias + sum
		sum -= square(i - radius)
	}
	for i, x := range in {
		out[i] = lrnScale(x, out[i], o.Beta)
	}
}

func lrnScale(x, norm, beta float32) float32 {
	switch beta {
	case 1:
		return x * (1 / norm)
	case 0.5:
		return x * (1 / float32(math.Sqrt(float64(norm))))
	}
	return x * libm.Powf(norm, -beta)
}
