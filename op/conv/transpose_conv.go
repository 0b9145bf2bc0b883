package conv

import (
	"encoding/binary"
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/window"
	"github.com/litequant/litequant/tensor"
)

// Operands of TRANSPOSE_CONV and CONV_3D_TRANSPOSE.
const (
	transposeShape = iota
	transposeFilter
	transposeInput
	transposeBias
)

// TransposeConv is TRANSPOSE_CONV: the result's shape [N,H,W,O], filter
// [O,KH,KW,I], input [N,h,w,I], bias [O].
var TransposeConv = &op.Def{
	Code: graph.OpCode(schema.TRANSPOSE_CONV),
	Name: "TRANSPOSE_CONV",
	Operands: op.In("output_shape", op.I32).In("filter", op.F32|op.I8|op.U8).In("input", op.F32|op.Quants).
		Opt("bias", op.F32|op.I32|op.I64).Out("output", op.F32|op.Quants).Like(transposeInput),
	Facts:   transposeFacts,
	Version: transposeVersion,
	Since:   []string{"1.9.0", "2.2.0", "2.3.0", "2.13.0", "2.15.0"},
	Quant: op.Quant{
		In:      []op.Rule{{}, op.PerChannel(0), op.Activation(), op.BiasOf(transposeInput, transposeFilter)},
		Weights: []int{transposeFilter},
	},
	Ref: op.ByType(transposeInput, map[tensor.DType]op.Maker{
		tensor.Float32: op.ByType(transposeFilter, map[tensor.DType]op.Maker{tensor.Float32: transposeFloat, tensor.Int8: transposeHybrid}),
		tensor.Int8:    transposeInt8,
		tensor.UInt8:   transposeUint8,
		tensor.Int16:   transposeInt16,
	}),
}

func transposeVersion(c *op.Call) int {
	switch {
	case graph.Options[fb.TransposeConvOptionsT](c.Node).FusedActivationFunction != fb.ActivationFunctionTypeNONE:
		return 4
	case c.Has(transposeBias):
		return 3
	case c.In[transposeFilter].DType == tensor.Int8:
		return 2
	}
	return 1
}

func transposeParams(n *graph.Node) (*transposed, error) {
	o, ok := n.Options.(*fb.TransposeConvOptionsT)
	if !ok {
		return nil, fmt.Errorf("options are missing: %w", tensor.ErrMalformed)
	}
	return &transposed{
		padding: o.Padding, act: o.FusedActivationFunction, outChannels: 0, spatial: 1, inChannels: 3,
		axes: []window.Axis{{Stride: int(o.StrideH), Dilation: 1}, {Stride: int(o.StrideW), Dilation: 1}},
	}, nil
}

func transposeFacts(c *op.Call) error {
	return transposedFacts(c, transposeParams)
}

// transposedFacts is the shape rule of transposed convolutions whose operand 0 is
// the result's shape. The batch is the input's, as in XNNPACK: files hold constant
// shapes for a batch of 1.
func transposedFacts(c *op.Call, params func(*graph.Node) (*transposed, error)) error {
	in, filter := &c.In[transposeInput], &c.In[transposeFilter]
	if in.Unknown || filter.Unknown || !filter.Shape.Known() {
		return op.ErrLater
	}
	t, err := params(c.Node)
	if err != nil {
		return err
	}
	dims, err := c.Ints(transposeShape)
	if err != nil {
		return err
	}
	for _, d := range dims {
		if d < 0 {
			return fmt.Errorf("output shape %v: %w", dims, tensor.ErrShape)
		}
	}
	if len(dims) > 0 && len(in.Shape) > 0 {
		dims[0] = in.Shape[0]
	}
	c.Out[0].Shape, c.Out[0].Unknown = dims, false
	return t.check(in, filter, c.In[transposeBias:], dims)
}

func transposeFloat(c *op.Call) (op.Kernel, error) {
	t, err := transposeParams(c.Node)
	if err != nil {
		return op.Kernel{}, err
	}
	return floatScatter(t, transposeInput, transposeFilter, transposeBias)
}

// transposeRequant prepares an integer kernel with a filter of one type; uint8
// takes the product of the scales in float, the others in double and per channel.
func transposeRequant(c *op.Call, weights tensor.DType) (*transposed, *op.Requant, error) {
	in, filter, out := &c.In[transposeInput], &c.In[transposeFilter], &c.Out[0]
	t, err := transposeParams(c.Node)
	if err != nil {
		return nil, nil, err
	}
	if filter.DType != weights {
		return nil, nil, fmt.Errorf("%v input with %v filter: %w", in.DType, filter.DType, tensor.ErrUnsupported)
	}
	if err := op.CheckActivations(in, out); err != nil {
		return nil, nil, err
	}
	if weights == tensor.UInt8 {
		if err := filter.Quantized(); err != nil {
			return nil, nil, err
		}
		q, err := op.NewRequant(op.PerTensorFactor(in, filter, out), t.act, out)
		return t, q, err
	}
	factors, err := op.PerChannelFactors(in, withoutZero(filter), out, max(1, len(filter.Quant.Scales)))
	if err != nil {
		return nil, nil, err
	}
	q, err := op.NewRequant(factors, t.act, out)
	return t, q, err
}

// accumulators is the scratch memory of sums of the given size for one image.
func accumulators(size int) func(in, out []tensor.Shape) (int, error) {
	return func(_, out []tensor.Shape) (int, error) {
		n, err := out[0][1:].Elems()
		return n * size, err
	}
}

func transposeInt8(c *op.Call) (op.Kernel, error) {
	t, q, err := transposeRequant(c, tensor.Int8)
	if err != nil {
		return op.Kernel{}, err
	}
	zero := int32(c.In[transposeInput].Quant.Zero())
	return op.Kernel{Temp: accumulators(4), Run: func(r *op.Run) error {
		s := t.bounds(r, transposeInput, transposeFilter)
		out, bias := op.I8s(r.Out[0]), op.BiasOperand(r.In, transposeBias)
		acc := tensor.View[int32](r.Temp)[:s.image()]
		return products(r, &s, op.I8s(r.In[transposeInput]), op.I8s(r.In[transposeFilter]), zero, 0, acc, func(sum int32, c, i int) {
			out[i] = int8(q.Apply(sum+int32(bias.At(c)), c))
		})
	}}, nil
}

func transposeUint8(c *op.Call) (op.Kernel, error) {
	t, q, err := transposeRequant(c, tensor.UInt8)
	if err != nil {
		return op.Kernel{}, err
	}
	zeroIn, zeroW := int32(c.In[transposeInput].Quant.Zero()), int32(c.In[transposeFilter].Quant.Zero())
	return op.Kernel{Temp: accumulators(4), Run: func(r *op.Run) error {
		s := t.bounds(r, transposeInput, transposeFilter)
		out, bias := r.Out[0].Bytes(), op.BiasOperand(r.In, transposeBias)
		acc := tensor.View[int32](r.Temp)[:s.image()]
		return products(r, &s, r.In[transposeInput].Bytes(), r.In[transposeFilter].Bytes(), zeroIn, zeroW, acc, func(sum int32, c, i int) {
			out[i] = uint8(q.Apply(sum+int32(bias.At(c)), c))
		})
	}}, nil
}

// transposeInt16 is 16x8. Sums have 32 bits with an int32 bias, or where the
// options demand it, and 64 otherwise.
func transposeInt16(c *op.Call) (op.Kernel, error) {
	t, q, err := transposeRequant(c, tensor.Int8)
	if err != nil {
		return op.Kernel{}, err
	}
	narrow := graph.Options[fb.TransposeConvOptionsT](c.Node).QuantizedBiasType == fb.TensorTypeINT32
	if c.Has(transposeBias) {
		narrow = c.In[transposeBias].DType == tensor.Int32
	}
	return op.Kernel{Temp: accumulators(8), Run: func(r *op.Run) error {
		s := t.bounds(r, transposeInput, transposeFilter)
		out, bias := op.I16s(r.Out[0]), op.BiasOperand(r.In, transposeBias)
		acc := tensor.View[int64](r.Temp)[:s.image()]
		return products(r, &s, op.I16s(r.In[transposeInput]), op.I8s(r.In[transposeFilter]), 0, 0, acc, func(sum int64, c, i int) {
			sum += bias.At(c)
			if narrow {
				out[i] = int16(q.Apply(int32(sum), c))
				return
			}
			out[i] = int16(q.ApplyWide(sum, c))
		})
	}}, nil
}

// transposeHybrid is the dynamic range form: each image is quantized
// asymmetrically, and every product is scaled before it is added.
func transposeHybrid(c *op.Call) (op.Kernel, error) {
	t, err := transposeParams(c.Node)
	if err != nil {
		return op.Kernel{}, err
	}
	scales, err := c.In[transposeFilter].ChannelScales(max(1, len(c.In[transposeFilter].Quant.Scales)), false)
	if err != nil {
		return op.Kernel{}, err
	}
	lo, hi := op.FloatRange(t.act)
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) { return in[transposeInput][1:].Elems() },
		Run: func(r *op.Run) error {
			s := t.bounds(r, transposeInput, transposeFilter)
			in, w, bias := op.F32s(r.In[transposeInput]), op.I8s(r.In[transposeFilter]), op.OptF32s(r.In, transposeBias)
			q := tensor.View[int8](r.Temp)
			for b := range s.batch {
				image := op.F32s(r.Out[0])[b*s.image() : (b+1)*s.image()]
				clear(image)
				scale, zero := op.QuantizeAsymmetric(in[b*len(q):(b+1)*len(q)], q)
				err := s.each(r, b, func(out, c, i, k int) {
					p := (int32(q[i-b*len(q)]) - zero) * int32(w[k])
					image[out] += float32(float32(float32(p)*scales[c%len(scales)]) * scale)
				})
				if err != nil {
					return err
				}
				finish(image, bias, s.outC, lo, hi)
			}
			return nil
		},
	}, nil
}

// TransposeConvBias is MediaPipe's Convolution2DTransposeBias: input [N,h,w,I],
// filter [O,KH,KW,I], bias [O]. Its options are a TfLiteTransposeConvParams. The
// result is h·stride high with padding SAME and (h − 1)·stride + KH with VALID, in the
// former case less and in the latter plus as much as makes it differ from the declared
// size by a whole number of strides.
var TransposeConvBias = &op.Def{
	Code:     graph.Custom,
	Name:     "Convolution2DTransposeBias",
	Operands: op.In("input", op.F32).In("filter", op.F32).In("bias", op.F32).Out("output", op.F32),
	Facts:    transposeBiasFacts,
	Quant:    op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		t, err := transposeBiasParams(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		return floatScatter(t, 0, 1, 2)
	},
}

// C's TfLitePadding, which has another zero than the schema's.
var customPadding = map[int32]fb.Padding{1: fb.PaddingSAME, 2: fb.PaddingVALID}

func transposeBiasParams(n *graph.Node) (*transposed, error) {
	if len(n.CustomOptions) < 12 {
		return nil, fmt.Errorf("custom options of %d bytes, want 12: %w", len(n.CustomOptions), tensor.ErrMalformed)
	}
	field := func(i int) int32 { return int32(binary.LittleEndian.Uint32(n.CustomOptions[4*i:])) }
	padding, ok := customPadding[field(0)]
	if !ok {
		return nil, fmt.Errorf("padding %d: %w", field(0), tensor.ErrMalformed)
	}
	return &transposed{
		padding: padding, outChannels: 0, spatial: 1, inChannels: 3,
		axes: []window.Axis{{Stride: int(field(2)), Dilation: 1}, {Stride: int(field(1)), Dilation: 1}},
	}, nil
}

func transposeBiasFacts(c *op.Call) error {
	in, filter := &c.In[0], &c.In[1]
	if in.Unknown || filter.Unknown || !filter.Shape.Known() {
		return op.ErrLater
	}
	t, err := transposeBiasParams(c.Node)
	if err != nil {
		return err
	}
	if err := t.kernel(filter.Shape); err != nil {
		return err
	}
	if len(in.Shape) != 4 {
		return fmt.Errorf("input of shape %v, want [N,H,W,C]: %w", in.Shape, tensor.ErrShape)
	}
	declared := c.Out[0].Shape
	if c.Out[0].Unknown || len(declared) != 4 {
		declared = make(tensor.Shape, 4)
	}
	out := tensor.Shape{in.Shape[0], 0, 0, filter.Shape[0]}
	for i, a := range t.axes {
		if out[i+1], err = transposeBiasOut(t.padding, a, in.Shape[i+1], max(0, declared[i+1])); err != nil {
			return err
		}
	}
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	if !out.Known() {
		return nil
	}
	if _, err := out.Elems(); err != nil {
		return err
	}
	return t.check(in, filter, c.In[2:], out)
}

// transposeBiasOut is the size of the result along an axis on which n elements lie.
func transposeBiasOut(p fb.Padding, a window.Axis, n, declared int) (int, error) {
	out, err := window.Spread(n, a.Stride)
	switch {
	case err != nil || out < 0:
		return out, err
	case p == fb.PaddingSAME:
		return max(0, out-(a.Stride-declared%a.Stride)%a.Stride), nil
	}
	return max(0, out-a.Stride+a.Kernel+max(0, declared-a.Kernel)%a.Stride), nil
}
