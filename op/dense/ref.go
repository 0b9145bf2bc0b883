package dense

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func activation(c *op.Call) fb.ActivationFunctionType {
	return graph.Options[fb.FullyConnectedOptionsT](c.Node).FusedActivationFunction
}

// rows visits the product's elements row by row.
func rows(r *op.Run, units int, f func(row, unit int)) error {
	n := r.Out[0].Len() / max(units, 1)
	for row := range n {
		if r.Stop() {
			return op.ErrStopped
		}
		for unit := range units {
			f(row, unit)
		}
	}
	return nil
}

func refFloat(c *op.Call) (op.Kernel, error) {
	lo, hi, err := op.FloatRange(activation(c))
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{Run: func(r *op.Run) error {
		units, depth := r.In[1].Shape()[0], r.In[1].Shape()[1]
		x, w, out, bias := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0]), op.OptF32s(r.In, 2)
		return rows(r, units, func(row, unit int) {
			sum := float32(0)
			a, b := x[row*depth:(row+1)*depth], w[unit*depth:(unit+1)*depth]
			for k, v := range a {
				sum += float32(v * b[k])
			}
			if bias != nil {
				sum += bias[unit]
			}
			out[row*units+unit] = op.Clamp(sum, lo, hi)
		})
	}}, nil
}

// Requant is the step from a sum to a quantized output. LiteRT's reference
// kernels take it in double precision, without a fixed-point multiplier:
// round(sum · input scale · weight scale / output scale) + zero point, clamped.
type Requant struct {
	scales []float64 // one a unit, or one for all
	zero   int32
	lo, hi int32
}

// Apply requantizes a sum of the given unit.
func (q *Requant) Apply(sum int64, unit int) int32 {
	if len(q.scales) == 1 {
		unit = 0
	}
	return min(max(fixed.MultiplyByEffectiveScale(sum, q.scales[unit])+q.zero, q.lo), q.hi)
}

// NewRequant prepares the requantization of an integer product with weights of
// the given type.
func NewRequant(c *op.Call, weights tensor.DType) (*Requant, error) {
	in, w, out := &c.In[0], &c.In[1], &c.Out[0]
	if w.DType != weights || out.DType != in.DType {
		return nil, fmt.Errorf("%v input with %v weights and %v output: %w", in.DType, w.DType, out.DType, tensor.ErrUnsupported)
	}
	if err := op.CheckActivations(in, out); err != nil {
		return nil, err
	}
	if w.Unknown || len(w.Shape) != 2 || w.Shape[0] < 0 {
		return nil, fmt.Errorf("weights of unknown shape: %w", tensor.ErrUnsupported)
	}
	scales, err := factors(in, w, out)
	if err != nil {
		return nil, err
	}
	q := &Requant{scales: scales, zero: int32(out.Quant.Zero())}
	q.lo, q.hi, err = op.QuantRange(activation(c), out)
	return q, err
}

// factors is input scale · weight scale / output scale in double precision, one
// a unit or one for all; only the latter allows weights a zero point.
func factors(in, w, out *op.Fact) ([]float64, error) {
	if w.Quant.PerAxis() {
		return op.PerChannelFactors(in, w, out, w.Shape[0])
	}
	if err := w.Quantized(); err != nil {
		return nil, err
	}
	return []float64{float64(in.Quant.Scale()) * float64(w.Quant.Scale()) / float64(out.Quant.Scale())}, nil
}

type integer interface {
	~int8 | ~uint8 | ~int16 | ~int32 | ~int64
}

// dot is Σ (x − zeroX)·(w − zeroW).
func dot[X, W, A integer](x []X, w []W, zeroX, zeroW A) A {
	var sum A
	for k, v := range x {
		sum += (A(v) - zeroX) * (A(w[k]) - zeroW)
	}
	return sum
}

func refInt8(c *op.Call) (op.Kernel, error) {
	q, err := NewRequant(c, tensor.Int8)
	if err != nil {
		return op.Kernel{}, err
	}
	zeroX, zeroW := int32(c.In[0].Quant.Zero()), int32(c.In[1].Quant.Zero())
	return op.Kernel{Run: func(r *op.Run) error {
		units, depth := r.In[1].Shape()[0], r.In[1].Shape()[1]
		x, w, out, bias := op.I8s(r.In[0]), op.I8s(r.In[1]), op.I8s(r.Out[0]), op.BiasOperand(r.In, 2)
		return rows(r, units, func(row, unit int) {
			sum := dot(x[row*depth:(row+1)*depth], w[unit*depth:], zeroX, zeroW)
			out[row*units+unit] = int8(q.Apply(int64(sum+int32(bias.At(unit))), unit))
		})
	}}, nil
}

func refUint8(c *op.Call) (op.Kernel, error) {
	q, err := NewRequant(c, tensor.UInt8)
	if err != nil {
		return op.Kernel{}, err
	}
	zeroX, zeroW := int32(c.In[0].Quant.Zero()), int32(c.In[1].Quant.Zero())
	return op.Kernel{Run: func(r *op.Run) error {
		units, depth := r.In[1].Shape()[0], r.In[1].Shape()[1]
		x, w, out, bias := r.In[0].Bytes(), r.In[1].Bytes(), r.Out[0].Bytes(), op.BiasOperand(r.In, 2)
		return rows(r, units, func(row, unit int) {
			sum := dot(x[row*depth:(row+1)*depth], w[unit*depth:], zeroX, zeroW)
			out[row*units+unit] = uint8(q.Apply(int64(sum+int32(bias.At(unit))), unit))
		})
	}}, nil
}

// refInt16 is 16x8: int16 activations, int8 weights, sums of 64 bits.
func refInt16(c *op.Call) (op.Kernel, error) {
	q, err := NewRequant(c, tensor.Int8)
	if err != nil {
		return op.Kernel{}, err
	}
	narrow := c.Has(2) && c.In[2].DType == tensor.Int32
	zeroW := int64(c.In[1].Quant.Zero())
	return op.Kernel{Run: func(r *op.Run) error {
		units, depth := r.In[1].Shape()[0], r.In[1].Shape()[1]
		x, w, out, bias := op.I16s(r.In[0]), op.I8s(r.In[1]), op.I16s(r.Out[0]), op.BiasOperand(r.In, 2)
		return rows(r, units, func(row, unit int) {
			sum := dot(x[row*depth:(row+1)*depth], w[unit*depth:], 0, zeroW) + bias.At(unit)
			if narrow {
				sum = int64(int32(sum))
			}
			out[row*units+unit] = int16(q.Apply(sum, unit))
		})
	}}, nil
}

// refHybrid is the dynamic range form: each row of float activations is quantized
// on the way in, asymmetrically if the options say so.
func refHybrid(c *op.Call) (op.Kernel, error) {
	o := graph.Options[fb.FullyConnectedOptionsT](c.Node)
	lo, hi, err := op.FloatRange(o.FusedActivationFunction)
	if err != nil {
		return op.Kernel{}, err
	}
	w := &c.In[1]
	if w.Unknown || len(w.Shape) != 2 || w.Shape[0] < 0 {
		return op.Kernel{}, fmt.Errorf("weights of unknown shape: %w", tensor.ErrUnsupported)
	}
	scales, err := w.ChannelScales(w.Shape[0], true)
	if err != nil {
		return op.Kernel{}, err
	}
	quantize := op.QuantizeSymmetric
	if o.AsymmetricQuantizeInputs {
		quantize = op.QuantizeAsymmetric
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) { return in[1][1], nil },
		Run: func(r *op.Run) error {
			units, depth := r.In[1].Shape()[0], r.In[1].Shape()[1]
			x, w, out, bias := op.F32s(r.In[0]), op.I8s(r.In[1]), op.F32s(r.Out[0]), op.OptF32s(r.In, 2)
			q := tensor.View[int8](r.Temp)
			var scale float32
			var zero int32
			return rows(r, units, func(row, unit int) {
				if unit == 0 {
					scale, zero = quantize(x[row*depth:(row+1)*depth], q)
				}
				sum := dot(q, w[unit*depth:], zero, 0)
				v := float32(0)
				if bias != nil {
					v = bias[unit]
				}
				v += float32(float32(sum) * float32(scale*scales[unit]))
				out[row*units+unit] = op.Clamp(v, lo, hi)
			})
		},
	}, nil
}
