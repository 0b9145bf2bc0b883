package lower

import (
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

var convRules = table{
	"Conv2D":                {2, conv2D},
	"DepthwiseConv2dNative": {2, depthwiseConv2D},
	"Conv2DBackpropInput":   {3, transposeConv},
}

var poolRules = table{
	"MaxPool": {1, func(c *call) { pool(c, schema.MAX_POOL_2D) }},
	"AvgPool": {1, func(c *call) { pool(c, schema.AVERAGE_POOL_2D) }},
}

// window holds the attributes that convolutions and pools share, whatever the
// layout.
type window struct {
	first            bool // channels come first: NCHW
	padding          fb.Padding
	explicit         []int // [top, bottom, left, right]; nil unless EXPLICIT
	strideH, strideW int32
	dilateH, dilateW int32
	filterH, filterW int32
}

// window reads the attributes of a sliding window.
func (c *call) window() window {
	w := window{first: c.channelsFirst()}
	w.strideH, w.strideW = c.spatial("strides", w.first)
	w.dilateH, w.dilateW = c.spatial("dilations", w.first)
	switch p := c.stringAttr("padding", ""); p {
	case "SAME":
		w.padding = fb.PaddingSAME
	case "VALID":
		w.padding = fb.PaddingVALID
	case "EXPLICIT":
		w.padding = fb.PaddingVALID
		p := c.intsAttr("explicit_paddings")
		if len(p) != 8 {
			c.fail("%d explicit paddings, want 8: %w", len(p), tensor.ErrMalformed)
			return w
		}
		if w.explicit = p[2:6]; w.first {
			w.explicit = p[4:8]
		}
	default:
		c.unsupported("padding %.20q", p)
	}
	return w
}

// channelsFirst reports the layout that data_format names.
func (c *call) channelsFirst() bool {
	switch f := c.stringAttr("data_format", "NHWC"); f {
	case "NHWC", "":
		return false
	case "NCHW":
		return true
	default:
		c.unsupported("data_format %.20q", f)
		return false
	}
}

// spatial returns the height's and width's entry of a list that has one entry an
// axis; the others must be 1. An absent list is all ones.
func (c *call) spatial(name string, first bool) (h, w int32) {
	v := c.intsAttr(name)
	if v == nil {
		return 1, 1
	}
	if len(v) != 4 {
		c.fail("%d %s, want 4: %w", len(v), name, tensor.ErrMalformed)
		return 1, 1
	}
	if first {
		v = []int{v[0], v[2], v[3], v[1]}
	}
	if v[0] != 1 || v[3] != 1 {
		c.unsupported("%s over batch or channels", name)
	}
	for _, x := range v {
		if x != int(int32(x)) {
			c.unsupported("%s of %d", name, x)
		}
	}
	return int32(v[1]), int32(v[2])
}

// nhwc brings an image batch into TFLite's layout.
func (c *call) nhwc(v graph.ValueID, first bool) graph.ValueID {
	if !first {
		return v
	}
	return c.transpose(v, 0, 2, 3, 1)
}

// back is the inverse of nhwc.
func (c *call) back(v graph.ValueID, first bool) graph.ValueID {
	if !first {
		return v
	}
	return c.transpose(v, 0, 3, 1, 2)
}

// padded pads an NHWC image batch explicitly.
func (c *call) padded(v graph.ValueID, p []int) graph.ValueID {
	if p == nil || !slices.ContainsFunc(p, func(x int) bool { return x != 0 }) {
		return v
	}
	return c.emit(schema.PAD, &fb.PadOptionsT{}, v, c.int32s(tensor.Shape{4, 2}, c.origins(), 0, 0, p[0], p[1], p[2], p[3], 0, 0))
}

// dim returns a dimension of a filter, which must be known.
func (c *call) dim(s tensor.Shape, i int) int {
	if c.err == nil && (i >= len(s) || s[i] < 0) {
		c.fail("filter of shape %v: %w", s, tensor.ErrShape)
	}
	if c.err != nil {
		return 0
	}
	return s[i]
}

// conv2D: the filter goes from HWIO to OHWI.
func conv2D(c *call) {
	w := c.window()
	x := c.padded(c.nhwc(c.in[0], w.first), w.explicit)
	filter := c.transpose(c.in[1], 3, 0, 1, 2)
	options := &fb.Conv2DOptionsT{
		Padding: w.padding, StrideH: w.strideH, StrideW: w.strideW, DilationHFactor: w.dilateH, DilationWFactor: w.dilateW,
	}
	y := c.emit(schema.CONV_2D, options, x, filter, c.zeros(c.dim(c.shape(filter), 0)))
	c.done(c.back(y, w.first))
}

// depthwiseConv2D: the filter goes from HWCM to 1,H,W,C·M, the same bytes.
func depthwiseConv2D(c *call) {
	w := c.window()
	x := c.padded(c.nhwc(c.in[0], w.first), w.explicit)
	s := c.shape(c.in[1])
	multiplier, channels := c.dim(s, 3), c.dim(s, 2)*c.dim(s, 3)
	filter := c.reshaped(c.in[1], tensor.Shape{1, c.dim(s, 0), c.dim(s, 1), channels})
	options := &fb.DepthwiseConv2DOptionsT{
		Padding: w.padding, StrideH: w.strideH, StrideW: w.strideW, DepthMultiplier: int32(multiplier),
		DilationHFactor: w.dilateH, DilationWFactor: w.dilateW,
	}
	y := c.emit(schema.DEPTHWISE_CONV_2D, options, x, filter, c.zeros(channels))
	c.done(c.back(y, w.first))
}

// transposeConv: the filter goes from H,W,O,I to O,H,W,I.
func transposeConv(c *call) {
	w := c.window()
	if w.first || w.explicit != nil || w.dilateH != 1 || w.dilateW != 1 {
		c.unsupported("NCHW, explicit padding or dilation")
	}
	size := c.index(c.in[0])
	options := &fb.TransposeConvOptionsT{Padding: w.padding, StrideH: w.strideH, StrideW: w.strideW}
	y := c.emitAs(c.dtype(c.in[2]), schema.TRANSPOSE_CONV, options, size, c.transpose(c.in[1], 2, 0, 1, 3), c.in[2])
	if s := c.ints(size); len(s) == 4 {
		c.declare(y, s)
	}
	c.done(y)
}

func pool(c *call, code schema.BuiltinOperator) {
	w := c.window()
	w.filterH, w.filterW = c.spatial("ksize", w.first)
	if w.explicit != nil {
		c.unsupported("explicit padding of a pool")
	}
	options := &fb.Pool2DOptionsT{
		Padding: w.padding, StrideH: w.strideH, StrideW: w.strideW, FilterHeight: w.filterH, FilterWidth: w.filterW,
	}
	c.done(c.back(c.emit(code, options, c.nhwc(c.in[0], w.first)), w.first))
}
