package lower

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// identity is a dropout's place in a graph for training.
func identity(c *call) {
	if rate := c.floatAttr(savedmodel.DropoutRateAttr, 0); c.b.train && rate > 0 {
		c.done(c.emit(schema.BuiltinOperator(training.DropoutCode), &training.DropoutOptions{Rate: rate}, c.in[0]))
		return
	}
	passThrough(c)
}

// averageFactor returns the weight of a batch in the moving statistics of a batch
// normalization, 0 where it uses them as they are: at inference, and in training
// where the layer or all its parameters are frozen.
func (c *call) averageFactor(gamma, beta graph.ValueID) float32 {
	if !c.b.train || c.isFrozen(gamma) && !c.isTrainable(beta) || c.isFrozen(beta) && !c.isTrainable(gamma) {
		return 0
	}
	return c.floatAttr(savedmodel.AverageFactorAttr, 0)
}

func (c *call) isTrainable(v graph.ValueID) bool { p := c.val(v).Param; return p != nil && p.Trainable }
func (c *call) isFrozen(v graph.ValueID) bool    { p := c.val(v).Param; return p != nil && !p.Trainable }

// trainedNorm emits a batch normalization that moves its statistics: operands x,
// gamma, beta, mean, variance.
func (c *call) trainedNorm(o *training.NormOptions, in ...graph.ValueID) graph.ValueID {
	for _, v := range in[len(in)-2:] {
		x := c.val(v)
		if !x.IsConst() || x.Param == nil {
			c.unsupported("a batch normalization whose statistics are no variables")
			return graph.None
		}
		p := *x.Param
		p.Trainable = true
		x.Param = &p
	}
	return c.emit(schema.BuiltinOperator(training.BatchNormCode), o, in...)
}

// addV2 may end a batch normalization.
func addV2(c *call) {
	if c.b.train && c.attr(savedmodel.AverageFactorAttr) != nil {
		c.decomposedNorm()
		return
	}
	c.done(c.emit(schema.ADD, addOptions(), c.in[0], c.in[1]))
}

// decomposedNorm is a batch normalization of other shapes than images':
// x·m + (beta − mean·m) with m = gamma/√(variance + ε).
func (c *call) decomposedNorm() {
	scaled, shift := c.source(c.n, 0, "Mul"), c.source(c.n, 1, "Sub")
	m := c.source(scaled, 1, "Mul")
	variance := c.source(c.source(m, 0, "Rsqrt"), 0, "AddV2")
	x, gamma, beta := c.input(scaled, 0), c.input(m, 1), c.input(shift, 0)
	mean, epsilon := c.input(c.source(shift, 1, "Mul"), 0), c.frozen(c.input(variance, 1))
	if c.err == nil && len(epsilon) != 1 {
		c.unsupported("a batch normalization whose epsilon is no constant")
	}
	if c.err != nil {
		return
	}
	factor := c.averageFactor(gamma, beta)
	if factor == 0 {
		c.done(c.emit(schema.ADD, addOptions(), c.in[0], c.in[1]))
		return
	}
	c.done(c.trainedNorm(&training.NormOptions{Epsilon: epsilon[0], Factor: factor}, x, gamma, beta, mean, c.input(variance, 0)))
}

// source returns the node that computes input k of n, which must be of the given
// operator.
func (c *call) source(n *savedmodel.Node, k int, op string) *savedmodel.Node {
	if c.err != nil {
		return nil
	}
	nodes := c.b.src.Nodes
	if k < len(n.Inputs) {
		if i := n.Inputs[k].Node; i >= 0 && i < len(nodes) && nodes[i].Op == op {
			return nodes[i]
		}
	}
	c.unsupported("a batch normalization without %s", op)
	return nil
}

// input returns the value of input k of n.
func (c *call) input(n *savedmodel.Node, k int) graph.ValueID {
	if c.err != nil {
		return graph.None
	}
	if k >= len(n.Inputs) {
		c.fail("node %.80q has %d inputs: %w", n.Name, len(n.Inputs), tensor.ErrMalformed)
		return graph.None
	}
	v, err := c.b.value(n.Inputs[k])
	if err != nil {
		c.fail("%w", err)
	}
	return v
}
