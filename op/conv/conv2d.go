// Package conv holds the convolutions and their transposes, in two and three
// dimensions.
package conv

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/window"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{Conv2D, DepthwiseConv2D, TransposeConv, TransposeConvBias, Conv3D, Conv3DTranspose}

// Conv2D is CONV_2D: input [N,H,W,C], filter [O,KH,KW,C/groups], bias [O].
var Conv2D = &op.Def{
	Code: graph.OpCode(schema.CONV_2D),
	Name: "CONV_2D",
	Operands: op.In("input", op.F32|op.Quants).In("filter", op.F32|op.I8|op.U8|op.I4).
		Opt("bias", op.F32|op.I32|op.I64).Out("output", op.F32|op.Quants).Like(0),
	Facts:   conv2DFacts,
	Version: conv2DVersion,
	Since:   []string{"1.5.0", "1.14.0", "1.14.0", "2.3.0", "2.4.0", "2.9.0", "2.11.0", "2.15.0"},
	Quant: op.Quant{
		In:      []op.Rule{op.Activation(), op.PerChannel(0), op.BiasOf(0, 1)},
		Weights: []int{1},
	},
	Ref: kernels,
}

// DepthwiseConv2D is DEPTHWISE_CONV_2D: input [N,H,W,C], filter [1,KH,KW,C·M],
// bias [C·M]; output channel c·M+m sees input channel c alone.
var DepthwiseConv2D = &op.Def{
	Code: graph.OpCode(schema.DEPTHWISE_CONV_2D),
	Name: "DEPTHWISE_CONV_2D",
	Operands: op.In("input", op.F32|op.Quants).In("filter", op.F32|op.I8|op.U8|op.I4).
		Opt("bias", op.F32|op.I32|op.I64).Out("output", op.F32|op.Quants).Like(0),
	Facts:   conv2DFacts,
	Version: depthwiseVersion,
	Since:   []string{"1.5.0", "1.12.0", "1.14.0", "2.2.0", "2.3.0", "2.3.0", "2.11.0"},
	Quant: op.Quant{
		In:      []op.Rule{op.Activation(), op.PerChannel(3), op.BiasOf(0, 1)},
		Weights: []int{1},
	},
	Ref: kernels,
}

var kernels = op.ByType(0, map[tensor.DType]op.Maker{
	tensor.Float32: op.ByType(1, map[tensor.DType]op.Maker{
		tensor.Float32: convFloat, tensor.Int8: convHybrid, tensor.Int4: convHybrid,
		tensor.UInt8: convHybrid, // bits of int8, as files before 1.14 have
	}),
	tensor.Int8:  convInt8,
	tensor.UInt8: convUint8,
	tensor.Int16: convInt16,
})

// Params are a convolution's options with the schema's defaults applied.
type Params struct {
	Padding   fb.Padding
	H, W      window.Axis
	Act       fb.ActivationFunctionType
	Depthwise bool
}

// ParamsOf reads the options of a CONV_2D or DEPTHWISE_CONV_2D node for a filter
// of the given shape.
func ParamsOf(n *graph.Node, filter tensor.Shape) (Params, error) {
	p, err := optionsOf(n)
	if err != nil {
		return p, err
	}
	return p.over(filter)
}

// optionsOf reads the options; the window's size is the filter's.
func optionsOf(n *graph.Node) (Params, error) {
	axis := func(stride, dilation int32) window.Axis {
		return window.Axis{Stride: int(stride), Dilation: int(dilation)}
	}
	switch o := n.Options.(type) {
	case *fb.Conv2DOptionsT:
		return Params{o.Padding, axis(o.StrideH, o.DilationHFactor), axis(o.StrideW, o.DilationWFactor), o.FusedActivationFunction, false}, nil
	case *fb.DepthwiseConv2DOptionsT:
		return Params{o.Padding, axis(o.StrideH, o.DilationHFactor), axis(o.StrideW, o.DilationWFactor), o.FusedActivationFunction, true}, nil
	}
	return Params{}, fmt.Errorf("options are missing: %w", tensor.ErrMalformed)
}

// over returns the options for a filter of the given shape.
func (p Params) over(filter tensor.Shape) (Params, error) {
	if len(filter) != 4 {
		return p, fmt.Errorf("filter of shape %v, want rank 4: %w", filter, tensor.ErrShape)
	}
	p.H.Kernel, p.W.Kernel = filter[1], filter[2]
	if err := p.H.Valid(); err != nil {
		return p, err
	}
	return p, p.W.Valid()
}

func conv2DFacts(c *op.Call) error {
	in, filter := &c.In[0], &c.In[1]
	if in.Unknown || filter.Unknown || !filter.Shape.Known() {
		return op.ErrLater
	}
	p, err := ParamsOf(c.Node, filter.Shape)
	if err != nil {
		return err
	}
	if len(in.Shape) != 4 {
		return fmt.Errorf("input of shape %v, want [N,H,W,C]: %w", in.Shape, tensor.ErrShape)
	}
	channels, out := in.Shape[3], filter.Shape[0]
	if channels == 0 {
		return fmt.Errorf("input of shape %v has no channels: %w", in.Shape, tensor.ErrShape)
	}
	if p.Depthwise {
		out = filter.Shape[3]
		if filter.Shape[0] != 1 || channels > 0 && out%channels != 0 {
			return fmt.Errorf("filter %v for %d input channels: %w", filter.Shape, channels, tensor.ErrShape)
		}
	} else if channels > 0 && (filter.Shape[3] < 1 || channels%filter.Shape[3] != 0 || out%(channels/filter.Shape[3]) != 0) {
		return fmt.Errorf("filter %v for %d input channels: %w", filter.Shape, channels, tensor.ErrShape)
	}
	if err := checkChannels(out, filter, c.In[2:]); err != nil {
		return err
	}
	h, err := p.H.Out(p.Padding, in.Shape[1])
	if err != nil {
		return err
	}
	w, err := p.W.Out(p.Padding, in.Shape[2])
	if err != nil {
		return err
	}
	c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{in.Shape[0], h, w, out}, false
	return nil
}

// checkChannels tests the filter's scales and the optional bias, of which there is one
// for each of n channels.
func checkChannels(n int, filter *op.Fact, bias []op.Fact) error {
	if k := len(filter.Quant.Scales); filter.DType != tensor.Float32 && k > 1 && k != n {
		return fmt.Errorf("%d scales for %d channels: %w", k, n, tensor.ErrMalformed)
	}
	if len(bias) == 0 || !bias[0].Present || bias[0].Unknown {
		return nil
	}
	if k, err := bias[0].Shape.Elems(); err != nil || k != n {
		return fmt.Errorf("bias of shape %v for %d channels: %w", bias[0].Shape, n, tensor.ErrShape)
	}
	return nil
}

// conv2DVersion follows GetBuiltinOperatorVersion. Written 16x8 files carry the
// int8 version.
func conv2DVersion(c *op.Call) int {
	in, filter := c.In[0].DType, &c.In[1]
	switch {
	case filter.DType == tensor.Int4 || filter.DType == tensor.Int2:
		return 7
	case in == tensor.Float32 && filter.DType == tensor.Int8 && filter.Quant.PerAxis():
		return 5
	case in == tensor.Float32 && filter.DType == tensor.Int8:
		return 2
	case in == tensor.Int8, in == tensor.Int16:
		return 3
	}
	return 1
}

func depthwiseVersion(c *op.Call) int {
	in, filter := c.In[0].DType, &c.In[1]
	switch {
	case filter.DType == tensor.Int4 || filter.DType == tensor.Int2:
		return 7
	case in == tensor.Float32 && filter.DType == tensor.Int8 && filter.Quant.PerAxis():
		return 6
	case in == tensor.Float32 && filter.DType == tensor.Int8:
		return 4
	case in == tensor.Int8, in == tensor.Int16:
		return 3
	}
	if o, ok := c.Node.Options.(*fb.DepthwiseConv2DOptionsT); ok && (o.DilationHFactor > 1 || o.DilationWFactor > 1) {
		return 2
	}
	return 1
}
