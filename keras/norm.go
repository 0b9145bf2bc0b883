package keras

import (
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

// BatchNormalization normalizes each channel of the last dimension: weights
// gamma, beta, moving_mean and moving_variance. A frozen one keeps its moving
// statistics in training, as Keras's does.
type BatchNormalization struct {
	Momentum float64 // zero: 0.99
	Epsilon  float64 // zero: 0.001
	NoCenter bool    // without beta
	NoScale  bool    // without gamma
	Axis     int     // zero: the last, which is the only one supported
	Frozen   bool
	Name     string
}

// Describe implements Layer.
func (l BatchNormalization) Describe() (class, name string, frozen bool) {
	return "BatchNormalization", l.Name, l.Frozen
}

func (l BatchNormalization) momentum() float64 { return orDefault(l.Momentum, 0.99) }
func (l BatchNormalization) epsilon() float64  { return orDefault(l.Epsilon, 0.001) }

func orDefault(v, def float64) float64 {
	if v == 0 {
		return def
	}
	return v
}

var batchNormalizationRow = rowOf("BatchNormalization",
	func(c *config) BatchNormalization {
		return BatchNormalization{
			Axis:     c.axis("axis"),
			Momentum: c.float("momentum", 0.99), Epsilon: c.float("epsilon", 0.001),
			NoCenter: !c.bool("center", true), NoScale: !c.bool("scale", true), Frozen: c.frozen, Name: c.name,
		}
	},
	func(l BatchNormalization, w *writer) {
		w.set("axis", -1)
		w.set("momentum", l.momentum())
		w.set("epsilon", l.epsilon())
		w.set("center", !l.NoCenter)
		w.set("scale", !l.NoScale)
		w.initializer("beta_initializer", Zeros)
		w.initializer("gamma_initializer", Ones)
		w.initializer("moving_mean_initializer", Zeros)
		w.initializer("moving_variance_initializer", Ones)
		w.none("beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint")
	},
	func(l BatchNormalization, c *call) value {
		x, ok := c.one(2)
		switch {
		case !ok || !c.lastAxis(l.Axis, x):
			return value{}
		case len(x.shape) == 4:
			return l.fused(c, x)
		}
		return l.decomposed(c, x)
	})

// training marks the last node of a normalization that training does not freeze.
func (l BatchNormalization) training(c *call, a attrs) attrs {
	if !c.frozen {
		a[savedmodel.AverageFactorAttr] = floatAttr(float32(1 - l.momentum()))
	}
	return a
}

// fused emits the one operation that images take.
func (l BatchNormalization) fused(c *call, x value) value {
	gamma, beta := l.scale(c, x, "ReadVariableOp"), l.offset(c, x, "ReadVariableOp_1")
	mean := l.statistic(c, x, "FusedBatchNormV3/ReadVariableOp", "moving_mean", Zeros)
	variance := l.statistic(c, x, "FusedBatchNormV3/ReadVariableOp_1", "moving_variance", Ones)
	return c.op("FusedBatchNormV3", "FusedBatchNormV3", x.shape, l.training(c, attrs{
		"U": savedmodel.TypeAttr(tensor.Float32), "epsilon": floatAttr(float32(l.epsilon())),
		"is_training": savedmodel.BoolAttr(false), "data_format": savedmodel.StringAttr("NHWC"),
	}), x, gamma, beta, mean, variance)
}

// decomposed emits x·m + (beta − mean·m) with m = gamma/√(variance + ε).
func (l BatchNormalization) decomposed(c *call, x value) value {
	gamma, beta := l.scale(c, x, "batchnorm/mul/ReadVariableOp"), l.offset(c, x, "batchnorm/ReadVariableOp_2")
	mean := l.statistic(c, x, "batchnorm/ReadVariableOp_1", "moving_mean", Zeros)
	variance := l.statistic(c, x, "batchnorm/ReadVariableOp", "moving_variance", Ones)
	if c.err != nil {
		return value{}
	}
	m := c.same("batchnorm/add", "AddV2", variance, c.scalar("batchnorm/add/y", float32(l.epsilon())))
	m = c.same("batchnorm/Rsqrt", "Rsqrt", m)
	m = c.same("batchnorm/mul", "Mul", m, gamma)
	scaled := c.same("batchnorm/mul_1", "Mul", x, m)
	shift := c.same("batchnorm/sub", "Sub", beta, c.same("batchnorm/mul_2", "Mul", mean, m))
	return c.op("batchnorm/add_1", "AddV2", x.shape, l.training(c, attrs{}), scaled, shift)
}

// scale and offset are gamma and beta, or constants in their place.
func (l BatchNormalization) scale(c *call, x value, node string) value {
	return l.parameter(c, x, node, "gamma", Ones, l.NoScale)
}

func (l BatchNormalization) offset(c *call, x value, node string) value {
	return l.parameter(c, x, node, "beta", Zeros, l.NoCenter)
}

func (l BatchNormalization) parameter(c *call, x value, node, name string, init Initializer, absent bool) value {
	shape := tensor.Shape{x.last()}
	if !absent {
		return c.weight(node, weightSpec{name: name, shape: shape, init: init})
	}
	if x.last() < 0 || x.last() > maxWeight {
		return c.shapeError("%d channels", x.last())
	}
	t, err := init.sample(shape, 0, "")
	if err != nil {
		return c.fail(err)
	}
	return c.constant(node, t)
}

func (l BatchNormalization) statistic(c *call, x value, node, name string, init Initializer) value {
	return c.weight(node, weightSpec{name: name, shape: tensor.Shape{x.last()}, init: init, fixed: true})
}

// lastAxis reports an axis other than the last; zero stands for it.
func (c *call) lastAxis(axis int, x value) bool {
	if axis != 0 && axis != -1 && axis != len(x.shape)-1 {
		c.fail(unsupported("axis %d, which is not the last of %v", axis, x.shape))
		return false
	}
	return true
}
