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

// weightsShape returns the numbers of units and of inputs.
func weightsShape(r *op.Run) (units, depth int) {
	w := r.In[1].Shape()
	return w[0], w[1]
}

func refFloat(c *op.Call) (op.Kernel, error) {
	lo, hi := op.FloatRange(activation(c))
	return op.Kernel{Run: func(r *op.Run) error {
		units, depth := weightsShape(r)
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

// NewRequant prepares the requantization of an integer product with dense weights
// of the given type.
func NewRequant(c *op.Call, weights tensor.DType) (*Requant, error) {
	in, w, out := &c.In[0], &c.In[1], &c.Out[0]
	if w.DType != weights || out.DType != in.DType || w.Sparse {
		return nil, fmt.Errorf("%v input with %v weights and %v output: %w", in.DType, w.DType, out.DType, tensor.ErrUnsupported)
	}
	return newRequant(c)
}

func newRequant(c *op.Call) (*Requant, error) {
	in, w, out := &c.In[0], &c.In[1], &c.Out[0]
	if err := op.CheckActivations(in, out); err != nil {
		return nil, err
	}
	scales, err := factors(in, w, out)
	if err != nil {
		return nil, err
	}
	q := &Requant{scales: scales, zero: int32(out.Quant.Zero())}
	q.lo, q.hi, err = op.QuantRange(activation(c), out)
	return q, err
}

// fixedRequant is the requantization with a fixed-point multiplier, which int16 and
// sparse weights have.
func fixedRequant(c *op.Call) (*op.Requant, error) {
	in, w, out := &c.In[0], &c.In[1], &c.Out[0]
	if err := op.CheckActivations(in, out); err != nil {
		return nil, err
	}
	if w.Quant.PerAxis() {
		f, err := channelFactors(in, w, out)
		if err != nil {
			return nil, err
		}
		return op.NewRequant(f, activation(c), out)
	}
	if err := w.Quantized(); err != nil {
		return nil, err
	}
	return op.NewRequant(op.PerTensorFactor(in, w, out), activation(c), out)
}

// factors is input scale · weight scale / output scale in double precision, one
// a unit or one for all.
func factors(in, w, out *op.Fact) ([]float64, error) {
	if w.Quant.PerAxis() {
		return channelFactors(in, w, out)
	}
	if err := w.Quantized(); err != nil {
		return nil, err
	}
	return []float64{float64(in.Quant.Scale()) * float64(w.Quant.Scale()) / float64(out.Quant.Scale())}, nil
}

func biasType(c *op.Call) fb.TensorType {
	return graph.Options[fb.FullyConnectedOptionsT](c.Node).QuantizedBiasType
}

// NarrowSums reports whether the sums of 16x8 have 32 bits: with an int32 bias, or
// without bias where the options say so.
func NarrowSums(c *op.Call) bool {
	if c.Has(2) {
		return c.In[2].DType == tensor.Int32
	}
	return biasType(c) == fb.TensorTypeINT32
}

// narrowBias is the bias of kernels that read one of int64 as int32 words, as LiteRT
// does.
func narrowBias(r *op.Run) op.BiasValues {
	if len(r.In) < 3 {
		return op.BiasValues{}
	}
	words := [1]tensor.Tensor{tensor.Raw(tensor.Int32, r.In[2].Shape(), tensor.Quant{}, r.In[2].Bytes())}
	return op.BiasOperand(words[:], 0)
}

func channelFactors(in, w, out *op.Fact) ([]float64, error) {
	symmetric := *w
	symmetric.Quant.ZeroPoints = nil
	return op.PerChannelFactors(in, &symmetric, out, len(w.Quant.Scales))
}

// weightsZero is the zero point of the weights. Those of weights with several scales
// do not count.
func weightsZero(w *op.Fact) int64 {
	if w.Quant.PerAxis() {
		return 0
	}
	return w.Quant.Zero()
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

// requantizer turns the sum of a unit into its output.
type requantizer func(sum int64, unit int) int32

// int8Requantizer is the requantization of int8 activations: sparse weights have
// another one than dense ones.
func int8Requantizer(c *op.Call) (requantizer, error) {
	if !c.In[1].Sparse {
		q, err := newRequant(c)
		return q.Apply, err
	}
	q, err := fixedRequant(c)
	if z := weightsZero(&c.In[1]); err == nil && z != 0 {
		return nil, fmt.Errorf("sparse weights with zero point %d: %w", z, tensor.ErrUnsupported)
	}
	return func(sum int64, unit int) int32 { return q.Apply(int32(sum), unit) }, err
}

// refInt8 takes int8, int4 and int2 weights.
func refInt8(c *op.Call) (op.Kernel, error) {
	apply, err := int8Requantizer(c)
	if err != nil {
		return op.Kernel{}, err
	}
	weights, err := packedWeights(c)
	if err != nil {
		return op.Kernel{}, err
	}
	zeroX, zeroW := int32(c.In[0].Quant.Zero()), int32(weightsZero(&c.In[1]))
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) { return weights.Temp(in) },
		Run: func(r *op.Run) error {
			units, depth := weightsShape(r)
			x, w, out, bias := op.I8s(r.In[0]), weights.Values(r, r.Temp), op.I8s(r.Out[0]), narrowBias(r)
			return rows(r, units, func(row, unit int) {
				sum := dot(x[row*depth:(row+1)*depth], w[unit*depth:], zeroX, zeroW)
				out[row*units+unit] = int8(apply(int64(sum+int32(bias.At(unit))), unit))
			})
		},
	}, nil
}

// packedWeights prepares reading the weights as int8; packed ones have no zero
// point.
func packedWeights(c *op.Call) (op.Int8Operand, error) {
	w := &c.In[1]
	for _, z := range w.Quant.ZeroPoints {
		if z != 0 && w.DType.Bits() < 8 {
			return op.Int8Operand{}, fmt.Errorf("%v weights with zero point %d: %w", w.DType, z, tensor.ErrUnsupported)
		}
	}
	return op.Int8Of(c, 1), nil
}

func refUint8[O uint8 | int16](c *op.Call) (op.Kernel, error) {
	q, err := newRequant(c)
	if err != nil {
		return op.Kernel{}, err
	}
	zeroX, zeroW := int32(c.In[0].Quant.Zero()), int32(c.In[1].Quant.Zero())
	return op.Kernel{Run: func(r *op.Run) error {
		units, depth := weightsShape(r)
		x, w, out, bias := r.In[0].Bytes(), r.In[1].Bytes(), tensor.View[O](r.Out[0].Bytes()), narrowBias(r)
		return rows(r, units, func(row, unit int) {
			sum := dot(x[row*depth:(row+1)*depth], w[unit*depth:], zeroX, zeroW)
			out[row*units+unit] = O(q.Apply(int64(sum+int32(bias.At(unit))), unit))
		})
	}}, nil
}

// refInt16 is 16x8: int16 activations, int8, int4 or int2 weights, sums of 64 bits.
func refInt16(c *op.Call) (op.Kernel, error) {
	q, err := newRequant(c)
	if err != nil {
		return op.Kernel{}, err
	}
	weights, err := packedWeights(c)
	if err != nil {
		return op.Kernel{}, err
	}
	narrow := NarrowSums(c)
	zeroW := weightsZero(&c.In[1])
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) { return weights.Temp(in) },
		Run: func(r *op.Run) error {
			units, depth := weightsShape(r)
			x, w, out, bias := op.I16s(r.In[0]), weights.Values(r, r.Temp), op.I16s(r.Out[0]), op.BiasOperand(r.In, 2)
			return rows(r, units, func(row, unit int) {
				sum := dot(x[row*depth:(row+1)*depth], w[unit*depth:], 0, zeroW) + bias.At(unit)
				if narrow {
					sum = int64(int32(sum))
				}
				out[row*units+unit] = int16(q.Apply(sum, unit))
			})
		},
	}, nil
}

// refInt16x16 has int16 weights, whose sums keep 64 bits whatever the bias is. That is
// read as int32 unless the options say int64.
func refInt16x16(c *op.Call) (op.Kernel, error) {
	q, err := fixedRequant(c)
	if err != nil {
		return op.Kernel{}, err
	}
	zeroW, wide := weightsZero(&c.In[1]), biasType(c) == fb.TensorTypeINT64
	return op.Kernel{Run: func(r *op.Run) error {
		units, depth := weightsShape(r)
		x, w, out, bias := op.I16s(r.In[0]), op.I16s(r.In[1]), op.I16s(r.Out[0]), narrowBias(r)
		if wide {
			bias = op.BiasOperand(r.In, 2)
		}
		return rows(r, units, func(row, unit int) {
			sum := dot(x[row*depth:(row+1)*depth], w[unit*depth:], 0, zeroW)
			out[row*units+unit] = int16(q.ApplyWide(sum+bias.At(unit), unit))
		})
	}}, nil
}
