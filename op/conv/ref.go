package conv

import (
	"fmt"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// shapeOf is a convolution's loop bounds for one invocation. Full and depthwise
// convolution differ in three numbers only: which input channel an output starts
// at, how many it sums, and the strides of the filter.
type shapeOf struct {
	Params
	batch, inH, inW, inC int
	outH, outW, outC     int
	beforeH, beforeW     int
	run                  int // input channels an output sums at each position
	share                int // consecutive outputs that start at the same input channel
	filterC, filterPos   int // filter stride by output channel and by position
}

// bounds reads an invocation's shapes.
func bounds(p Params, r *op.Run) (shapeOf, error) {
	in, filter, out := r.In[0].Shape(), r.In[1].Shape(), r.Out[0].Shape()
	p, err := p.over(filter)
	if err != nil {
		return shapeOf{}, err
	}
	s := shapeOf{Params: p, batch: in[0], inH: in[1], inW: in[2], inC: in[3], outH: out[1], outW: out[2], outC: out[3]}
	s.beforeH, s.beforeW = p.H.Before(s.inH, s.outH), p.W.Before(s.inW, s.outW)
	if p.Depthwise {
		s.run, s.share, s.filterC, s.filterPos = 1, s.outC/max(s.inC, 1), 1, s.outC
		return s, nil
	}
	s.run, s.filterPos = filter[3], filter[3]
	s.share, s.filterC = s.outC/max(s.inC/s.run, 1), p.H.Kernel*p.W.Kernel*s.run
	return s, nil
}

// number is what sums are made of and kept in.
type number interface {
	~int8 | ~uint8 | ~int16 | ~int32 | ~int64 | ~float32
}

// eachSum computes the sum of (input − zeroIn)·(filter − zeroW) for every output
// element and hands it to emit with its channel and index.
// Positions outside the input count as real zeros and are left out.
func eachSum[I, W, A number](r *op.Run, s *shapeOf, in []I, filter []W, zeroIn, zeroW A, emit func(sum A, c, i int)) error {
	i := 0
	for b := range s.batch {
		for y := range s.outH {
			for x := range s.outW {
				if r.Stop() {
					return op.ErrStopped
				}
				for c := range s.outC {
					emit(oneSum(s, b, y, x, c, in, filter, zeroIn, zeroW), c, i)
					i++
				}
			}
		}
	}
	return nil
}

func oneSum[I, W, A number](s *shapeOf, b, y, x, c int, in []I, filter []W, zeroIn, zeroW A) A {
	var sum A
	for ky := range s.H.Kernel {
		iy := y*s.H.Stride - s.beforeH + ky*s.H.Dilation
		if iy < 0 || iy >= s.inH {
			continue
		}
		for kx := range s.W.Kernel {
			ix := x*s.W.Stride - s.beforeW + kx*s.W.Dilation
			if ix < 0 || ix >= s.inW {
				continue
			}
			at := ((b*s.inH+iy)*s.inW+ix)*s.inC + c/s.share*s.run
			w := c*s.filterC + (ky*s.W.Kernel+kx)*s.filterPos
			for k := range s.run {
				sum += A((A(in[at+k]) - zeroIn) * (A(filter[w+k]) - zeroW))
			}
		}
	}
	return sum
}

func convFloat(c *op.Call) (op.Kernel, error) {
	p, err := optionsOf(c.Node)
	if err != nil {
		return op.Kernel{}, err
	}
	lo, hi := op.FloatRange(p.Act)
	return op.Kernel{Run: func(r *op.Run) error {
		s, err := bounds(p, r)
		if err != nil {
			return err
		}
		out, bias := op.F32s(r.Out[0]), op.OptF32s(r.In, 2)
		return eachSum(r, &s, op.F32s(r.In[0]), op.F32s(r.In[1]), 0, 0, func(sum float32, c, i int) {
			if bias != nil {
				sum += bias[c]
			}
			out[i] = op.Clamp(sum, lo, hi)
		})
	}}, nil
}

// prepareQuantized prepares an integer convolution with weights of the given types.
func prepareQuantized(c *op.Call, weights op.Types) (Params, *op.Requant, error) {
	p, err := optionsOf(c.Node)
	if err != nil {
		return p, nil, err
	}
	if !weights.Has(c.In[1].DType) {
		return p, nil, fmt.Errorf("%v input with %v filter: %w", c.In[0].DType, c.In[1].DType, tensor.ErrUnsupported)
	}
	q, err := Requant(c, p)
	return p, q, err
}

// Requant is the step from an integer convolution's sums to its outputs: uint8
// takes the product of the scales in float, the others in double and, where there are
// several, per channel.
func Requant(c *op.Call, p Params) (*op.Requant, error) {
	in, filter, out := &c.In[0], &c.In[1], &c.Out[0]
	if out.DType != in.DType {
		return nil, fmt.Errorf("%v input with %v output: %w", in.DType, out.DType, tensor.ErrUnsupported)
	}
	if err := op.CheckActivations(in, out); err != nil {
		return nil, err
	}
	if in.DType == tensor.UInt8 {
		return op.NewRequant(op.PerTensorFactor(in, filter, out), p.Act, out)
	}
	if p.Depthwise {
		filter = withoutZero(filter)
	}
	factors, err := op.PerChannelFactors(in, filter, out, max(1, len(filter.Quant.Scales)))
	if err != nil {
		return nil, err
	}
	return op.NewRequant(factors, p.Act, out)
}

// withoutZero is a filter of int8 for the kernels that ignore its zero points: all but
// CONV_2D's, which refuses them.
func withoutZero(filter *op.Fact) *op.Fact {
	f := *filter
	f.Quant.ZeroPoints = nil
	return &f
}

// convInt8 takes int8 and int4 filters.
func convInt8(c *op.Call) (op.Kernel, error) {
	p, q, err := prepareQuantized(c, op.I8|op.I4)
	if err != nil {
		return op.Kernel{}, err
	}
	zero, filter := int32(c.In[0].Quant.Zero()), op.Int8Of(c, 1)
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) { return filter.Temp(in) },
		Run: func(r *op.Run) error {
			s, err := bounds(p, r)
			if err != nil {
				return err
			}
			out, bias := op.I8s(r.Out[0]), op.BiasOperand(r.In, 2)
			return eachSum(r, &s, op.I8s(r.In[0]), filter.Values(r, r.Temp), zero, 0, func(sum int32, c, i int) {
				out[i] = int8(q.Apply(sum+int32(bias.At(c)), c))
			})
		},
	}, nil
}

func convUint8(c *op.Call) (op.Kernel, error) {
	p, q, err := prepareQuantized(c, op.U8)
	if err != nil {
		return op.Kernel{}, err
	}
	if err := c.In[1].Quantized(); err != nil {
		return op.Kernel{}, err
	}
	zero, filterZero := int32(c.In[0].Quant.Zero()), int32(c.In[1].Quant.Zero())
	return op.Kernel{Run: func(r *op.Run) error {
		s, err := bounds(p, r)
		if err != nil {
			return err
		}
		out, bias := r.Out[0].Bytes(), op.BiasOperand(r.In, 2)
		return eachSum(r, &s, r.In[0].Bytes(), r.In[1].Bytes(), zero, filterZero, func(sum int32, c, i int) {
			out[i] = uint8(q.Apply(sum+int32(bias.At(c)), c))
		})
	}}, nil
}

// convInt16 is 16x8: int16 activations without zero point, int8 or int4 weights,
// bias int64 with a 16-bit multiplier, or int32 with the usual one.
func convInt16(c *op.Call) (op.Kernel, error) {
	p, q, err := prepareQuantized(c, op.I8|op.I4)
	if err != nil {
		return op.Kernel{}, err
	}
	narrow, filter := c.Has(2) && c.In[2].DType == tensor.Int32, op.Int8Of(c, 1)
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) { return filter.Temp(in) },
		Run: func(r *op.Run) error {
			s, err := bounds(p, r)
			if err != nil {
				return err
			}
			out, bias := op.I16s(r.Out[0]), op.BiasOperand(r.In, 2)
			return eachSum(r, &s, op.I16s(r.In[0]), filter.Values(r, r.Temp), 0, 0, func(sum int64, c, i int) {
				sum += bias.At(c)
				if narrow {
					out[i] = int16(q.Apply(int32(sum), c))
					return
				}
				out[i] = int16(q.ApplyWide(sum, c))
			})
		},
	}, nil
}

// convHybrid is the dynamic range form: float activations are quantized for each
// image, asymmetrically where the filter has a scale per channel.
func convHybrid(c *op.Call) (op.Kernel, error) {
	p, err := optionsOf(c.Node)
	if err != nil {
		return op.Kernel{}, err
	}
	lo, hi := op.FloatRange(p.Act)
	scales, err := c.In[1].ChannelScales(max(1, len(c.In[1].Quant.Scales)), false)
	if err != nil {
		return op.Kernel{}, err
	}
	filter := op.Int8Of(c, 1)
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			n, err := filter.Temp(in)
			if err != nil {
				return 0, err
			}
			image, err := in[0][1:].Elems()
			return n + image, err
		},
		Run: func(r *op.Run) error {
			s, err := bounds(p, r)
			if err != nil {
				return err
			}
			in, out, bias := op.F32s(r.In[0]), op.F32s(r.Out[0]), op.OptF32s(r.In, 2)
			h := NewHybrid(p, s.inC == s.run, scales)
			image := s.inH * s.inW * s.inC
			q, w := tensor.View[int8](r.Temp[:image]), filter.Values(r, r.Temp[image:])
			for b := range s.batch {
				scale, zero := h.Quantize(in[b*len(q):(b+1)*len(q)], q)
				one := s
				one.batch = 1
				out := out[b*s.outH*s.outW*s.outC:]
				err := eachSum(r, &one, q, w, zero, 0, func(sum int32, c, i int) {
					v := h.Real(sum, c, scale)
					if bias != nil {
						v += bias[c]
					}
					out[i] = op.Clamp(v, lo, hi)
				})
				if err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

// Hybrid is the arithmetic around a hybrid convolution's integer sums. TFLite has
// three kernels: ungrouped CONV_2D takes equal scales for one per-tensor scale and
// then quantizes symmetrically; other CONV_2D multiplies by one scale after the
// other, DEPTHWISE_CONV_2D by their product.
type Hybrid struct {
	// Quantize quantizes an image's activations.
	Quantize func(x []float32, q []int8) (scale float32, zero int32)
	scales   []float32
	product  bool
}

// NewHybrid prepares the arithmetic for a filter with the given scales, of which
// every output sees all input channels if whole is set.
func NewHybrid(p Params, whole bool, scales []float32) Hybrid {
	h := Hybrid{op.QuantizeAsymmetric, scales, p.Depthwise}
	if whole && !p.Depthwise && op.AllEqual(scales) {
		h.Quantize, h.product = op.QuantizeSymmetric, true
	}
	return h
}

// RealRow is Real for one sum a channel, after offsets[c]·zero is subtracted. There are
// as many scales as channels.
func (h *Hybrid) RealRow(out []float32, sums, offsets []int32, zero int32, scale float32) {
	out, offsets, scales := out[:len(sums)], offsets[:len(sums)], h.scales[:len(sums)]
	if h.product {
		for c, sum := range sums {
			out[c] = float32(sum-zero*offsets[c]) * float32(scales[c]*scale)
		}
		return
	}
	for c, sum := range sums {
		out[c] = float32(float32(float32(sum-zero*offsets[c])*scales[c]) * scale)
	}
}

// Real is the real value of channel c's sum over activations of the given scale.
func (h *Hybrid) Real(sum int32, c int, scale float32) float32 {
	if h.product {
		return float32(sum) * float32(h.scales[c%len(h.scales)]*scale)
	}
	return float32(float32(float32(sum)*h.scales[c%len(h.scales)]) * scale)
}
