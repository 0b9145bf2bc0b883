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
	activate, err := activationOf(o.FusedActivationFunction)
	if err != nil {
		return op.Kernel{}, err
	}
	if err := knownWeights(c); err != nil {
		return op.Kernel{}, err
	}
	h := hybrid{units: c.In[1].Shape[0], depth: c.In[1].Shape[1], quantize: op.QuantizeSymmetric}
	if o.AsymmetricQuantizeInputs {
		h.quantize = op.QuantizeAsymmetric
	}
	if h.real, err = realOf(c, &h); err != nil {
		return op.Kernel{}, err
	}
	weights, err := packedWeights(c)
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			n, err := weights.Temp(in)
			return n + h.depth, err
		},
		Run: func(r *op.Run) error {
			if err := c.In[1].Fixed(r, 1); err != nil {
				return err
			}
			x, out, bias := op.F32s(r.In[0]), op.F32s(r.Out[0]), op.OptF32s(r.In, 2)
			q, w := tensor.View[int8](r.Temp[:h.depth]), weights.Values(r, r.Temp[h.depth:])
			var scale float32
			var zero int32
			return rows(r, h.units, func(row, unit int) {
				if unit == 0 {
					scale, zero = h.quantize(x[row*h.depth:(row+1)*h.depth], q)
				}
				b := float32(0)
				if bias != nil {
					b = bias[unit]
				}
				v := h.real(q, w[unit*h.depth:(unit+1)*h.depth], unit, scale, zero, b)
				out[row*h.units+unit] = activate(v)
			})
		},
	}, nil
}

// activationOf returns a fused activation function. Only the hybrid kernel has those
// that are no clamps.
func activationOf(a fb.ActivationFunctionType) (func(float32) float32, error) {
	switch a {
	case fb.ActivationFunctionTypeTANH:
		return libm.Tanhf, nil
	case fb.ActivationFunctionTypeSIGN_BIT:
		return func(x float32) float32 { return float32(math.Float32bits(x) >> 31) }, nil
	}
	lo, hi, err := op.FloatRange(a)
	return func(x float32) float32 { return op.Clamp(x, lo, hi) }, err
}

// hybrid is the arithmetic of a dynamic range product, up to the activation
// function.
type hybrid struct {
	units, depth int
	quantize     func(x []float32, q []int8) (scale float32, zero int32)
	real         product
}

// product is the real value of the product of quantized activations q, which have
// the given scale and zero point, with the weights w of a unit, and its bias.
type product func(q, w []int8, unit int, scale float32, zero int32, bias float32) float32

// realOf chooses the arithmetic by how the weights are quantized and stored.
func realOf(c *op.Call, h *hybrid) (product, error) {
	w := &c.In[1]
	if w.Blocks != nil {
		h.quantize = op.QuantizeAsymmetric
		return blockwise(w.Blocks, h.depth/w.Blocks.Size), nil
	}
	scales, err := w.ChannelScales(h.units, w.DType != tensor.UInt8)
	if err != nil {
		return nil, err
	}
	if w.Sparse {
		return sparse(scales, w.Quant.PerAxis()), nil
	}
	return func(q, w []int8, unit int, scale float32, zero int32, bias float32) float32 {
		return bias + float32(float32(dot(q, w, zero, 0))*float32(scale*scales[unit]))
	}, nil
}

// sparse takes the zero point's part and the product apart, in LiteRT's order.
func sparse(scales []float32, perChannel bool) product {
	return func(q, w []int8, unit int, scale float32, zero int32, bias float32) float32 {
		s := float32(scale * scales[unit])
		if zero != 0 {
			offset := float32(s * float32(zero))
			if perChannel {
				offset = float32(float32(scale*float32(zero)) * scales[unit])
			}
			bias -= float32(offset * float32(sumOf(w)))
		}
		return bias + float32(float32(dot(q, w, int32(0), 0))*s)
	}
}

// blockwise sums the blocks' products in float, each with its scale, and the zero
// point's part apart. LiteRT takes the zero points of the weights as 0.
func blockwise(b *op.Blocks, perRow int) product {
	return func(q, w []int8, unit int, scale float32, zero int32, bias float32) float32 {
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
