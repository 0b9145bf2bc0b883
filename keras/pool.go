package keras

import (
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

// MaxPooling2D takes the maximum over windows of images.
type MaxPooling2D struct {
	PoolSize [2]int // zero: 2
	Strides  [2]int // zero: PoolSize
	Padding  Padding
	Name     string
}

// Describe implements Layer.
func (l MaxPooling2D) Describe() (class, name string, frozen bool) {
	return "MaxPooling2D", l.Name, false
}

// AveragePooling2D takes the mean over windows of images, without the padding.
type AveragePooling2D struct {
	PoolSize [2]int // zero: 2
	Strides  [2]int // zero: PoolSize
	Padding  Padding
	Name     string
}

// Describe implements Layer.
func (l AveragePooling2D) Describe() (class, name string, frozen bool) {
	return "AveragePooling2D", l.Name, false
}

var maxPooling2DRow = rowOf("MaxPooling2D",
	func(c *config) MaxPooling2D {
		c.channelsLast()
		return MaxPooling2D{c.pair("pool_size"), c.pair("strides"), c.padding(), c.name}
	},
	func(l MaxPooling2D, w *writer) { w.window(poolWindow(l.PoolSize, l.Strides, l.Padding), "pool_size") },
	func(l MaxPooling2D, c *call) value {
		return c.pool("MaxPool", poolWindow(l.PoolSize, l.Strides, l.Padding))
	})

var averagePooling2DRow = rowOf("AveragePooling2D",
	func(c *config) AveragePooling2D {
		c.channelsLast()
		return AveragePooling2D{c.pair("pool_size"), c.pair("strides"), c.padding(), c.name}
	},
	func(l AveragePooling2D, w *writer) {
		w.window(poolWindow(l.PoolSize, l.Strides, l.Padding), "pool_size")
	},
	func(l AveragePooling2D, c *call) value {
		return c.pool("AvgPool", poolWindow(l.PoolSize, l.Strides, l.Padding))
	})

// poolWindow applies the defaults of pools.
func poolWindow(size, strides [2]int, p Padding) window {
	for i := range size {
		if size[i] == 0 {
			size[i] = 2
		}
		if strides[i] == 0 {
			strides[i] = size[i]
		}
	}
	return window{size, strides, [2]int{1, 1}, p}
}

// pool emits a pooling operation.
func (c *call) pool(op string, w window) value {
	x, ok := c.image()
	if !ok {
		return value{}
	}
	h, width, err := w.output(x.shape)
	if err != nil {
		return c.fail(err)
	}
	a := w.attrs()
	a["ksize"] = savedmodel.IntsAttr(1, w.size[0], w.size[1], 1)
	return c.op(op, op, tensor.Shape{x.shape[0], h, width, x.last()}, a, x)
}

// GlobalAveragePooling2D takes the mean of each channel of an image.
type GlobalAveragePooling2D struct {
	KeepDims bool
	Name     string
}

// Describe implements Layer.
func (l GlobalAveragePooling2D) Describe() (class, name string, frozen bool) {
	return "GlobalAveragePooling2D", l.Name, false
}

var globalAveragePooling2DRow = rowOf("GlobalAveragePooling2D",
	func(c *config) GlobalAveragePooling2D {
		c.channelsLast()
		return GlobalAveragePooling2D{c.bool("keepdims", false), c.name}
	},
	func(l GlobalAveragePooling2D, w *writer) {
		w.set("data_format", "channels_last")
		w.set("keepdims", l.KeepDims)
	},
	func(l GlobalAveragePooling2D, c *call) value {
		x, ok := c.image()
		if !ok {
			return value{}
		}
		shape := tensor.Shape{x.shape[0], x.last()}
		if l.KeepDims {
			shape = tensor.Shape{x.shape[0], 1, 1, x.last()}
		}
		axes := c.ints("Mean/reduction_indices", tensor.Shape{2}, 1, 2)
		return c.op("Mean", "Mean", shape, attrs{
			"Tidx": savedmodel.TypeAttr(tensor.Int32), "keep_dims": savedmodel.BoolAttr(l.KeepDims),
		}, x, axes)
	})
