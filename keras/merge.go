package keras

import (
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

// Add adds its inputs, with broadcasting.
type Add struct{ Name string }

// Describe implements Layer.
func (l Add) Describe() (class, name string, frozen bool) { return "Add", l.Name, false }

var addRow = rowOf("Add",
	func(c *config) Add { return Add{c.name} },
	func(Add, *writer) {},
	func(_ Add, c *call) value { return c.fold("add", "AddV2") })

// Multiply multiplies its inputs, with broadcasting.
type Multiply struct{ Name string }

// Describe implements Layer.
func (l Multiply) Describe() (class, name string, frozen bool) { return "Multiply", l.Name, false }

var multiplyRow = rowOf("Multiply",
	func(c *config) Multiply { return Multiply{c.name} },
	func(Multiply, *writer) {},
	func(_ Multiply, c *call) value { return c.fold("mul", "Mul") })

// fold joins all inputs by a binary operation, from the first on.
func (c *call) fold(name, op string) value {
	if len(c.in) < 2 {
		return c.shapeError("takes two inputs or more, got %d", len(c.in))
	}
	y := c.in[0]
	for _, x := range c.in[1:] {
		shape, err := broadcast(y.shape, x.shape)
		if err != nil {
			return c.fail(err)
		}
		y = c.op(name, op, shape, nil, y, x)
	}
	return y
}

// broadcast returns the shape of an element-wise operation, by NumPy's rule; an
// unknown dimension beside one other than 1 is taken to be that one.
func broadcast(a, b tensor.Shape) (tensor.Shape, error) {
	out := make(tensor.Shape, max(len(a), len(b)))
	at := func(s tensor.Shape, i int) int {
		if i -= len(out) - len(s); i >= 0 {
			return s[i]
		}
		return 1
	}
	for i := range out {
		x, y := at(a, i), at(b, i)
		switch {
		case x == y || y == 1:
			out[i] = x
		case x == 1 || x < 0:
			out[i] = y
		case y < 0:
			out[i] = x
		default:
			return nil, shapeErr("shapes %v and %v do not broadcast", a, b)
		}
	}
	return out, nil
}

// Concatenate joins its inputs along an axis.
type Concatenate struct {
	Axis int // zero: -1, the last
	Name string
}

// Describe implements Layer.
func (l Concatenate) Describe() (class, name string, frozen bool) {
	return "Concatenate", l.Name, false
}

func (l Concatenate) axis() int {
	if l.Axis == 0 {
		return -1
	}
	return l.Axis
}

var concatenateRow = rowOf("Concatenate",
	func(c *config) Concatenate { return Concatenate{c.int("axis", -1), c.name} },
	func(l Concatenate, w *writer) { w.set("axis", l.axis()) },
	func(l Concatenate, c *call) value {
		if len(c.in) == 0 {
			return c.shapeError("takes one input or more")
		}
		shape := c.in[0].shape.Clone()
		axis, err := shape.Axis(l.axis())
		if err != nil {
			return c.fail(err)
		}
		for _, x := range c.in[1:] {
			if len(x.shape) != len(shape) {
				return c.shapeError("shapes %v and %v", shape, x.shape)
			}
			for i, d := range x.shape {
				switch {
				case i == axis && (d < 0 || shape[i] < 0):
					shape[i] = -1
				case i == axis:
					shape[i] += d
				case shape[i] < 0:
					shape[i] = d
				case d >= 0 && d != shape[i]:
					return c.shapeError("shapes %v and %v differ beside axis %d", shape, x.shape, axis)
				}
			}
		}
		in := append(c.in[:len(c.in):len(c.in)], c.ints("concat/axis", tensor.Shape{}, axis))
		return c.op("concat", "ConcatV2", shape, attrs{
			"N": intAttr(len(c.in)), "Tidx": savedmodel.TypeAttr(tensor.Int32),
		}, in...)
	})

// ZeroPadding2D adds zeros around images.
type ZeroPadding2D struct {
	Padding [2][2]int // rows above and below, columns left and right
	Name    string
}

// Describe implements Layer.
func (l ZeroPadding2D) Describe() (class, name string, frozen bool) {
	return "ZeroPadding2D", l.Name, false
}

var zeroPadding2DRow = rowOf("ZeroPadding2D",
	func(c *config) ZeroPadding2D {
		c.channelsLast()
		return ZeroPadding2D{c.borders("padding"), c.name}
	},
	func(l ZeroPadding2D, w *writer) {
		w.set("padding", l.Padding)
		w.set("data_format", "channels_last")
	},
	func(l ZeroPadding2D, c *call) value {
		x, ok := c.image()
		if !ok {
			return value{}
		}
		shape := x.shape.Clone()
		for i, p := range l.Padding {
			if p[0] < 0 || p[1] < 0 || p[0] > maxPad || p[1] > maxPad {
				return c.shapeError("padding %v", l.Padding)
			}
			if shape[1+i] >= 0 {
				shape[1+i] += p[0] + p[1]
			}
		}
		p := l.Padding
		pads := c.ints("Pad/paddings", tensor.Shape{4, 2}, 0, 0, p[0][0], p[0][1], p[1][0], p[1][1], 0, 0)
		return c.op("Pad", "Pad", shape, attrs{"Tpaddings": savedmodel.TypeAttr(tensor.Int32)}, x, pads)
	})

// maxPad bounds the zeros on one side of an image.
const maxPad = 1 << 24
