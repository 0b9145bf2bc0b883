package keras

import (
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

const inputClass = "InputLayer"

// InputLayer is an input of a model.
type InputLayer struct {
	Shape tensor.Shape // without the batch; -1 for dimensions that vary
	Batch int          // 0 means that it varies
	DType tensor.DType
	Name  string
}

// Input is a float32 input of that shape, given without the batch.
func Input(shape ...int) InputLayer { return InputLayer{Shape: shape} }

// Describe implements Layer.
func (l InputLayer) Describe() (class, name string, frozen bool) { return inputClass, l.Name, false }

// batchShape returns the shape with the batch.
func (l InputLayer) batchShape() tensor.Shape {
	batch := l.Batch
	if batch == 0 {
		batch = -1
	}
	return append(tensor.Shape{batch}, l.Shape...)
}

var inputRow = rowOf(inputClass,
	func(c *config) InputLayer {
		l := InputLayer{Name: c.name, DType: c.inputType()}
		shape := c.shape("batch_input_shape", "batch_shape")
		if len(shape) == 0 {
			c.problem(unsupported("an input without a shape"))
			return l
		}
		if l.Shape = shape[1:]; shape[0] > 0 {
			l.Batch = shape[0]
		}
		return l
	},
	func(l InputLayer, w *writer) {
		key := "batch_input_shape"
		if w.keras3 {
			key = "batch_shape"
		}
		delete(w.values, "trainable")
		w.set(key, jsonShape(l.batchShape()))
		w.set("dtype", l.DType.String())
		w.set("sparse", false)
		w.set("ragged", false)
	},
	func(_ InputLayer, c *call) value {
		return c.fail(unsupported("an input that is not among the model's"))
	})

// Dense multiplies the last dimension by a matrix, adds a bias and applies a
// function: weights kernel [in, Units] and bias [Units].
type Dense struct {
	Units             int
	Activation        Function
	NoBias            bool
	KernelInitializer Initializer // zero: GlorotUniform
	BiasInitializer   Initializer // zero: Zeros
	Frozen            bool
	Name              string
}

// Describe implements Layer.
func (l Dense) Describe() (class, name string, frozen bool) { return "Dense", l.Name, l.Frozen }

var denseRow = rowOf("Dense",
	func(c *config) Dense {
		return Dense{
			Units: c.int("units", 0), Activation: c.activation(), NoBias: !c.bool("use_bias", true),
			KernelInitializer: c.initializer("kernel_initializer"), BiasInitializer: c.initializer("bias_initializer"),
			Frozen: c.frozen, Name: c.name,
		}
	},
	func(l Dense, w *writer) {
		w.set("units", l.Units)
		w.activation(l.Activation)
		w.set("use_bias", !l.NoBias)
		w.initializer("kernel_initializer", l.KernelInitializer.or(GlorotUniform))
		w.initializer("bias_initializer", l.BiasInitializer.or(Zeros))
		w.none("kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint")
	},
	func(l Dense, c *call) value {
		x, ok := c.one(2)
		if !ok {
			return value{}
		}
		if l.Units <= 0 {
			return c.shapeError("units is %d", l.Units)
		}
		kernel := weightSpec{name: "kernel", shape: tensor.Shape{x.last(), l.Units}, init: l.KernelInitializer.or(GlorotUniform)}
		y := c.matMul(x, kernel, withLast(x.shape, l.Units))
		if !l.NoBias {
			y = c.bias(y, l.BiasInitializer)
		}
		return c.activate(l.Activation, y)
	})

// matMul multiplies the last dimension of x; more than two dimensions take the
// way of tf.tensordot.
func (c *call) matMul(x value, kernel weightSpec, out tensor.Shape) value {
	plain := attrs{"transpose_a": savedmodel.BoolAttr(false), "transpose_b": savedmodel.BoolAttr(false)}
	if len(x.shape) == 2 {
		return c.op("MatMul", "MatMul", out, plain, x, c.weight("MatMul/ReadVariableOp", kernel))
	}
	w := c.weight("Tensordot/ReadVariableOp", kernel)
	rows := c.reshape("Tensordot/Reshape", x, tensor.Shape{-1, x.last()})
	y := c.op("Tensordot/MatMul", "MatMul", tensor.Shape{-1, out[len(out)-1]}, plain, rows, w)
	return c.reshape("Tensordot", y, out)
}

// Flatten joins all dimensions but the first.
type Flatten struct{ Name string }

// Describe implements Layer.
func (l Flatten) Describe() (class, name string, frozen bool) { return "Flatten", l.Name, false }

var flattenRow = rowOf("Flatten",
	func(c *config) Flatten {
		c.channelsLast()
		return Flatten{c.name}
	},
	func(_ Flatten, w *writer) { w.set("data_format", "channels_last") },
	func(_ Flatten, c *call) value {
		x, ok := c.one(1)
		if !ok {
			return value{}
		}
		n, err := product(x.shape[1:])
		if err != nil {
			return c.fail(err)
		}
		return c.reshape("Reshape", x, tensor.Shape{-1, n})
	})

// product multiplies dimensions; -1 if one is unknown.
func product(s tensor.Shape) (int, error) {
	if !s.Known() {
		return -1, nil
	}
	return s.Elems()
}

// Reshape gives all dimensions but the first another shape, in which one may be
// -1.
type Reshape struct {
	TargetShape tensor.Shape
	Name        string
}

// Describe implements Layer.
func (l Reshape) Describe() (class, name string, frozen bool) { return "Reshape", l.Name, false }

var reshapeRow = rowOf("Reshape",
	func(c *config) Reshape { return Reshape{c.shape("target_shape"), c.name} },
	func(l Reshape, w *writer) { w.set("target_shape", []int(l.TargetShape)) },
	func(l Reshape, c *call) value {
		x, ok := c.one(1)
		if !ok {
			return value{}
		}
		target, err := resolveReshape(x.shape[1:], l.TargetShape)
		if err != nil {
			return c.fail(err)
		}
		return c.reshape("Reshape", x, append(tensor.Shape{x.shape[0]}, target...))
	})

// resolveReshape replaces -1 in target by what is left of the elements of s.
func resolveReshape(s, target tensor.Shape) (tensor.Shape, error) {
	n, err := product(s)
	if err != nil {
		return nil, err
	}
	known, open := tensor.Shape{}, -1
	for i, d := range target {
		switch {
		case d > 0:
			known = append(known, d)
		case d == -1 && open < 0:
			open = i
		default:
			return nil, shapeErr("target_shape %v", target)
		}
	}
	have, err := known.Elems()
	if err != nil {
		return nil, err
	}
	out := target.Clone()
	if n >= 0 && open >= 0 && n%have == 0 {
		out[open] = n / have
		return out, nil
	}
	if n >= 0 && n != have {
		return nil, shapeErr("%d elements do not fit %v", n, target)
	}
	return out, nil
}
