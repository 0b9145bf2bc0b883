package dense

import (
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// refHybrid is the dynamic range form: each row of float activations is quantized
// on the way in, asymmetrically if the options say so.
func refHybrid(c *op.Call) (op.Kernel, error) {
	o := graph.Options[fb.FullyConnectedOptionsT](c.Node)
	activate := HybridActivation(o.FusedActivationFunction)
	quantize := op.QuantizeSymmetric
	if o.AsymmetricQuantizeInputs || c.In[1].Blocks != nil {
		quantize = op.QuantizeAsymmetric
	}
	value, err := productOf(&c.In[1])
	if err != nil {
		return op.Kernel{}, err
	}
	weights, err := packedWeights(c)
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			n, err := weights.Temp(in)
			return n + in[1][1], err
		},
		Run: func(r *op.Run) error {
			units, depth := weightsShape(r)
			x, out, bias := op.F32s(r.In[0]), op.F32s(r.Out[0]), op.OptF32s(r.In, 2)
			q, w := tensor.View[int8](r.Temp[:depth]), weights.Values(r, r.Temp[depth:])
			var scale float32
			var zero int32
			return rows(r, units, func(row, unit int) {
				if unit == 0 {
					scale, zero = quantize(x[row*depth:(row+1)*depth], q)
				}
				v := float32(0)
				if bias != nil {
					v = bias[unit]
				}
				v = value(q, w[unit*depth:(unit+1)*depth], unit, scale, zero, v)
				if activate != nil {
					v = activate(v)
				}
				out[row*units+unit] = v
			})
		},
	}, nil
}

// HybridActivation returns the fused activation function of the dynamic range form, nil
// for NONE: unlike other kernels, this one has those that are no clamps, leaves
// infinities alone and makes the lower bound of NaN.
func HybridActivation(a fb.ActivationFunctionType) func(float32) float32 {
	switch a {
	case fb.ActivationFunctionTypeNONE:
		return nil
	case fb.ActivationFunctionTypeTANH:
		return libm.EigenTanhf
	case fb.ActivationFunctionTypeSIGN_BIT:
		return func(x float32) float32 { return float32(math.Float32bits(x) >> 31) }
	}
	lo, hi := op.FloatRange(a)
	if a == fb.ActivationFunctionTypeRELU {
		hi = float32(math.Inf(1))
	}
	return func(x float32) float32 {
		switch {
		case hi < x:
			return hi
		case lo < x:
			return x
		}
		return lo
	}
}

// product is the real value of the product of quantized activations q, which have
// the given scale and zero point, with the weights w of a unit, and its bias.
type product func(q, w []int8, unit int, scale float32, zero int32, bias float32) float32

// productOf chooses the arithmetic by how the weights are quantized and stored.
func productOf(w *op.Fact) (product, error) {
	if w.Blocks != nil {
		return blockwise(w.Blocks), nil
	}
	// Zero points do not count.
	scales, err := w.ChannelScales(max(1, len(w.Quant.Scales)), false)
	if err != nil {
		return nil, err
	}
	if w.Sparse {
		return sparse(scales), nil
	}
	return func(q, w []int8, unit int, scale float32, zero int32, bias float32) float32 {
		return bias + float32(float32(dot(q, w, zero, 0))*float32(scale*scales[unit%len(scales)]))
	}, nil
}

// sparse takes the zero point's part and the product apart, in LiteRT's order.
func sparse(scales []float32) product {
	return func(q, w []int8, unit int, scale float32, zero int32, bias float32) float32 {
		weight := scales[unit%len(scales)]
		s := float32(scale * weight)
		if zero != 0 {
			offset := float32(s * float32(zero))
			if len(scales) > 1 {
				offset = float32(float32(scale*float32(zero)) * weight)
			}
			bias -= float32(offset * float32(sumOf(w)))
		}
		return bias + float32(float32(dot(q, w, int32(0), 0))*s)
	}
}

// blockwise sums the blocks' products in float, each with its scale, and the zero
// point's part apart. LiteRT takes the zero points of the weights as 0. (Its builtin
// kernel forgets the activation, which XNNPACK's applies.)
func blockwise(b *op.Blocks) product {
	return func(q, w []int8, unit int, scale float32, zero int32, bias float32) float32 {
		perRow := len(w) / b.Size
		var sum, weights float32
		for i, s := range b.Scales[unit*perRow : (unit+1)*perRow] {
			part := w[i*b.Size : (i+1)*b.Size]
			sum += float32(float32(dot(q[i*b.Size:(i+1)*b.Size], part, int32(0), 0)) * s)
			weights += float32(s * float32(sumOf(part)))
		}
		sum -= float32(float32(zero) * weights)
		return float32(sum*scale) + bias
	}
}

func sumOf(w []int8) int32 {
	var sum int32
	for _, v := range w {
		sum += int32(v)
	}
	return sum
}
