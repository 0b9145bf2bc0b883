package keras

import (
	"math"

	"github.com/litequant/litequant/internal/savedmodel"
)

// Function is an activation function by Keras's name; empty is linear.
type Function string

// Activation functions. (The layers of the same names are SoftmaxLayer and
// ReLULayer.)
const (
	Linear      Function = "linear"
	ReLU        Function = "relu"
	ReLU6       Function = "relu6"
	Softmax     Function = "softmax"
	LogSoftmax  Function = "log_softmax"
	Sigmoid     Function = "sigmoid"
	Tanh        Function = "tanh"
	ELU         Function = "elu"
	SELU        Function = "selu"
	Softplus    Function = "softplus"
	Softsign    Function = "softsign"
	Exponential Function = "exponential"
	LeakyReLU   Function = "leaky_relu" // slope 0.2
	SiLU        Function = "silu"       // x·sigmoid(x)
	Swish       Function = "swish"      // Keras 2's name of SiLU
	GELU        Function = "gelu"       // x·(1 + erf(x/√2))/2
)

// activations is the table of activation functions.
var activations = map[Function]func(*call, value) value{
	Linear:      func(_ *call, x value) value { return x },
	ReLU:        simple("Relu"),
	ReLU6:       simple("Relu6"),
	Softmax:     simple("Softmax"),
	LogSoftmax:  simple("LogSoftmax"),
	Sigmoid:     simple("Sigmoid"),
	Tanh:        simple("Tanh"),
	ELU:         simple("Elu"),
	SELU:        simple("Selu"),
	Softplus:    simple("Softplus"),
	Softsign:    simple("Softsign"),
	Exponential: simple("Exp"),
	LeakyReLU:   func(c *call, x value) value { return c.leakyReLU(x, 0.2) },
	SiLU:        silu,
	Swish:       silu,
	GELU:        gelu,
}

// simple is a function that is one operation.
func simple(op string) func(*call, value) value {
	return func(c *call, x value) value { return c.same(op, op, x) }
}

func silu(c *call, x value) value {
	return c.same("mul", "Mul", x, c.same("Sigmoid", "Sigmoid", x))
}

func gelu(c *call, x value) value {
	half := c.same("Gelu/mul", "Mul", x, c.scalar("Gelu/mul/x", 0.5))
	erf := c.same("Gelu/Erf", "Erf", c.same("Gelu/truediv", "RealDiv", x, c.scalar("Gelu/Cast/x", math.Sqrt2)))
	return c.same("Gelu/mul_1", "Mul", half, c.same("Gelu/add", "AddV2", erf, c.scalar("Gelu/add/x", 1)))
}

func (c *call) leakyReLU(x value, slope float64) value {
	return c.op("LeakyRelu", "LeakyRelu", x.shape, attrs{"alpha": floatAttr(float32(slope))}, x)
}

// activate applies a function; the config's reader has refused unknown names.
func (c *call) activate(f Function, x value) value {
	if f == "" {
		f = Linear
	}
	apply, ok := activations[f]
	if !ok {
		return c.fail(unsupported("activation %q", string(f)))
	}
	if c.err != nil {
		return value{}
	}
	return apply(c, x)
}

// Activation is the layer that applies a function.
type Activation struct {
	Function Function
	Name     string
}

// Describe implements Layer.
func (l Activation) Describe() (class, name string, frozen bool) { return "Activation", l.Name, false }

var activationRow = rowOf("Activation",
	func(c *config) Activation { return Activation{Function: c.activation(), Name: c.name} },
	func(l Activation, w *writer) { w.activation(l.Function) },
	func(l Activation, c *call) value {
		x, ok := c.one(0)
		if !ok {
			return value{}
		}
		return c.activate(l.Function, x)
	})

// ReLULayer is Keras's layer ReLU: f(x) = min(x, MaxValue) for x ≥ Threshold, else
// NegativeSlope·(x − Threshold). MaxValue 0 means none.
type ReLULayer struct {
	MaxValue, NegativeSlope, Threshold float64
	Name                               string
}

// Describe implements Layer.
func (l ReLULayer) Describe() (class, name string, frozen bool) { return "ReLU", l.Name, false }

var reluRow = rowOf("ReLU",
	func(c *config) ReLULayer {
		return ReLULayer{c.float("max_value", 0), c.float("negative_slope", 0), c.float("threshold", 0), c.name}
	},
	func(l ReLULayer, w *writer) {
		w.set("max_value", nilIfZero(l.MaxValue))
		w.set("negative_slope", l.NegativeSlope)
		w.set("threshold", l.Threshold)
	},
	func(l ReLULayer, c *call) value {
		x, ok := c.one(0)
		switch {
		case !ok:
			return value{}
		case l.Threshold != 0 || l.MaxValue != 0 && l.NegativeSlope != 0:
			return c.fail(unsupported("threshold %v with max_value %v and negative_slope %v", l.Threshold, l.MaxValue, l.NegativeSlope))
		case l.NegativeSlope != 0:
			return c.leakyReLU(x, l.NegativeSlope)
		case l.MaxValue == 0:
			return c.same("Relu", "Relu", x)
		case l.MaxValue == 6:
			return c.same("Relu6", "Relu6", x)
		}
		y := c.same("Relu", "Relu", x)
		return c.same("Minimum", "Minimum", y, c.scalar("Minimum/y", float32(l.MaxValue)))
	})

func nilIfZero(v float64) any {
	if v == 0 {
		return nil
	}
	return v
}

// SoftmaxLayer is Keras's layer Softmax.
type SoftmaxLayer struct {
	Axis int // zero: the last, which is the only one supported
	Name string
}

// Describe implements Layer.
func (l SoftmaxLayer) Describe() (class, name string, frozen bool) { return "Softmax", l.Name, false }

var softmaxRow = rowOf("Softmax",
	func(c *config) SoftmaxLayer { return SoftmaxLayer{c.axis("axis"), c.name} },
	func(_ SoftmaxLayer, w *writer) { w.set("axis", -1) },
	func(l SoftmaxLayer, c *call) value {
		x, ok := c.one(1)
		if !ok || !c.lastAxis(l.Axis, x) {
			return value{}
		}
		return c.same("Softmax", "Softmax", x)
	})

// Dropout sets a fraction Rate of its inputs to zero in training and scales the
// others up; at inference it passes its input on.
type Dropout struct {
	Rate float64
	Name string
}

// Describe implements Layer.
func (l Dropout) Describe() (class, name string, frozen bool) { return "Dropout", l.Name, false }

var dropoutRow = rowOf("Dropout",
	func(c *config) Dropout { return Dropout{c.float("rate", 0), c.name} },
	func(l Dropout, w *writer) {
		w.set("rate", l.Rate)
		w.set("noise_shape", nil)
		w.set("seed", nil)
	},
	func(l Dropout, c *call) value {
		x, ok := c.one(0)
		if !ok {
			return value{}
		}
		if l.Rate < 0 || l.Rate >= 1 {
			return c.shapeError("rate %v is not in [0,1)", l.Rate)
		}
		return c.op("Identity", "Identity", x.shape, attrs{savedmodel.DropoutRateAttr: floatAttr(float32(l.Rate))}, x)
	})
