package keras

import (
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

// Padding is how a window treats the border; empty is Valid.
type Padding string

// Paddings: Valid takes windows inside the image only, Same pads with zeros so
// that the output has ceil(size/stride) elements.
const (
	Valid Padding = "valid"
	Same  Padding = "same"
)

// paddingNames is TensorFlow's spelling.
var paddingNames = map[Padding]string{"": "VALID", Valid: "VALID", Same: "SAME"}

// window is the geometry that convolutions and pools share. Zeros of strides and
// dilation mean one.
type window struct {
	size, strides, dilation [2]int
	padding                 Padding
}

// orOnes replaces zeros by ones.
func orOnes(v [2]int) [2]int {
	for i := range v {
		if v[i] == 0 {
			v[i] = 1
		}
	}
	return v
}

// output returns the height and width of the result on images of shape s.
func (w window) output(s tensor.Shape) (h, width int, err error) {
	var out [2]int
	for i := range out {
		size, stride, dilation, in := w.size[i], w.strides[i], w.dilation[i], s[1+i]
		const most = 1 << 24
		if size < 1 || stride < 1 || dilation < 1 || size > most || stride > most || dilation > most {
			return 0, 0, shapeErr("window %v with strides %v and dilation %v", w.size, w.strides, w.dilation)
		}
		if out[i] = -1; in < 0 {
			continue
		}
		if w.padding != Same {
			in -= (size - 1) * dilation
		}
		if out[i] = (in + stride - 1) / stride; in < 1 {
			return 0, 0, shapeErr("window %v with dilation %v does not fit into %v", w.size, w.dilation, s)
		}
	}
	if _, ok := paddingNames[w.padding]; !ok {
		return 0, 0, unsupported("padding %q", string(w.padding))
	}
	return out[0], out[1], nil
}

// attrs returns the attributes of an operation over windows.
func (w window) attrs() attrs {
	return attrs{
		"strides":     savedmodel.IntsAttr(1, w.strides[0], w.strides[1], 1),
		"padding":     savedmodel.StringAttr(paddingNames[w.padding]),
		"data_format": savedmodel.StringAttr("NHWC"),
	}
}

// Conv2D convolves images: weights kernel [h, w, in, Filters] and bias [Filters].
type Conv2D struct {
	Filters           int
	KernelSize        [2]int
	Strides           [2]int // zero: 1
	Padding           Padding
	Dilation          [2]int // zero: 1
	Groups            int    // zero: 1
	Activation        Function
	NoBias            bool
	KernelInitializer Initializer // zero: GlorotUniform
	BiasInitializer   Initializer // zero: Zeros
	Frozen            bool
	Name              string
}

// Describe implements Layer.
func (l Conv2D) Describe() (class, name string, frozen bool) { return "Conv2D", l.Name, l.Frozen }

var conv2DRow = rowOf("Conv2D",
	func(c *config) Conv2D {
		c.channelsLast()
		return Conv2D{
			Filters: c.int("filters", 0), KernelSize: c.pair("kernel_size"), Strides: c.pair("strides"), Padding: c.padding(),
			Dilation: c.pair("dilation_rate"), Groups: c.int("groups", 1), Activation: c.activation(), NoBias: !c.bool("use_bias", true),
			KernelInitializer: c.initializer("kernel_initializer"), BiasInitializer: c.initializer("bias_initializer"),
			Frozen: c.frozen, Name: c.name,
		}
	},
	func(l Conv2D, w *writer) {
		w.set("filters", l.Filters)
		w.window(window{l.KernelSize, orOnes(l.Strides), orOnes(l.Dilation), l.Padding}, "kernel_size")
		w.set("dilation_rate", orOnes(l.Dilation))
		w.set("groups", max(l.Groups, 1))
		w.activation(l.Activation)
		w.set("use_bias", !l.NoBias)
		w.initializer("kernel_initializer", l.KernelInitializer.or(GlorotUniform))
		w.initializer("bias_initializer", l.BiasInitializer.or(Zeros))
		w.none("kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint")
	},
	func(l Conv2D, c *call) value {
		x, ok := c.image()
		if !ok {
			return value{}
		}
		groups := max(l.Groups, 1)
		if l.Filters <= 0 || l.Filters%groups != 0 || x.last()%groups != 0 {
			return c.shapeError("%d filters in %d groups on %d channels", l.Filters, groups, x.last())
		}
		w := window{l.KernelSize, orOnes(l.Strides), orOnes(l.Dilation), l.Padding}
		h, width, err := w.output(x.shape)
		if err != nil {
			return c.fail(err)
		}
		kernel := c.weight("Conv2D/ReadVariableOp", weightSpec{
			name:  "kernel",
			shape: tensor.Shape{l.KernelSize[0], l.KernelSize[1], x.last() / groups, l.Filters},
			init:  l.KernelInitializer.or(GlorotUniform),
		})
		a := w.attrs()
		a["dilations"] = savedmodel.IntsAttr(1, w.dilation[0], w.dilation[1], 1)
		y := c.op("Conv2D", "Conv2D", tensor.Shape{x.shape[0], h, width, l.Filters}, a, x, kernel)
		if !l.NoBias {
			y = c.bias(y, l.BiasInitializer)
		}
		return c.activate(l.Activation, y)
	})

// DepthwiseConv2D convolves each channel by itself: weights depthwise_kernel
// [h, w, in, DepthMultiplier] and bias [in·DepthMultiplier].
type DepthwiseConv2D struct {
	KernelSize           [2]int
	Strides              [2]int // zero: 1
	Padding              Padding
	Dilation             [2]int // zero: 1
	DepthMultiplier      int    // zero: 1
	Activation           Function
	NoBias               bool
	DepthwiseInitializer Initializer // zero: GlorotUniform
	BiasInitializer      Initializer // zero: Zeros
	Frozen               bool
	Name                 string
}

// Describe implements Layer.
func (l DepthwiseConv2D) Describe() (class, name string, frozen bool) {
	return "DepthwiseConv2D", l.Name, l.Frozen
}

var depthwiseConv2DRow = rowOf("DepthwiseConv2D",
	func(c *config) DepthwiseConv2D {
		c.channelsLast()
		return DepthwiseConv2D{
			KernelSize: c.pair("kernel_size"), Strides: c.pair("strides"), Padding: c.padding(), Dilation: c.pair("dilation_rate"),
			DepthMultiplier: c.int("depth_multiplier", 1), Activation: c.activation(), NoBias: !c.bool("use_bias", true),
			DepthwiseInitializer: c.initializer("depthwise_initializer"), BiasInitializer: c.initializer("bias_initializer"),
			Frozen: c.frozen, Name: c.name,
		}
	},
	func(l DepthwiseConv2D, w *writer) {
		w.window(window{l.KernelSize, orOnes(l.Strides), orOnes(l.Dilation), l.Padding}, "kernel_size")
		w.set("dilation_rate", orOnes(l.Dilation))
		w.set("depth_multiplier", max(l.DepthMultiplier, 1))
		w.activation(l.Activation)
		w.set("use_bias", !l.NoBias)
		w.initializer("depthwise_initializer", l.DepthwiseInitializer.or(GlorotUniform))
		w.initializer("bias_initializer", l.BiasInitializer.or(Zeros))
		w.none("depthwise_regularizer", "bias_regularizer", "activity_regularizer", "depthwise_constraint", "bias_constraint")
	},
	func(l DepthwiseConv2D, c *call) value {
		x, ok := c.image()
		if !ok {
			return value{}
		}
		m := max(l.DepthMultiplier, 1)
		w := window{l.KernelSize, orOnes(l.Strides), orOnes(l.Dilation), l.Padding}
		h, width, err := w.output(x.shape)
		if err != nil {
			return c.fail(err)
		}
		channels, err := product(tensor.Shape{x.last(), m})
		if err != nil {
			return c.fail(err)
		}
		kernel := c.weight("depthwise/ReadVariableOp", weightSpec{
			name:  "depthwise_kernel",
			shape: tensor.Shape{l.KernelSize[0], l.KernelSize[1], x.last(), m},
			init:  l.DepthwiseInitializer.or(GlorotUniform),
		})
		a := w.attrs()
		a["dilations"] = savedmodel.IntsAttr(1, w.dilation[0], w.dilation[1], 1)
		y := c.op("depthwise", "DepthwiseConv2dNative", tensor.Shape{x.shape[0], h, width, channels}, a, x, kernel)
		if !l.NoBias {
			y = c.bias(y, l.BiasInitializer)
		}
		return c.activate(l.Activation, y)
	})
