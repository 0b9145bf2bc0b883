package lower

import (
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

var normRules = table{
	"FusedBatchNorm":   {5, batchNorm},
	"FusedBatchNormV2": {5, batchNorm},
	"FusedBatchNormV3": {5, batchNorm},
}

// batchNorm is x·m + (β − μ·m) with m = γ/√(σ²+ε), which is constant in
// inference.
func batchNorm(c *call) {
	if c.boolAttr("is_training") && c.attr("is_training") != nil {
		c.unsupported("batch normalization of the batch's own statistics")
	}
	if c.channelsFirst() {
		c.unsupported("data_format NCHW")
	}
	epsilon := c.floatAttr("epsilon", 1e-4)
	gamma, beta, mean, variance := c.in[1], c.in[2], c.in[3], c.in[4]
	if factor := c.averageFactor(gamma, beta); factor > 0 {
		o := &training.NormOptions{Epsilon: epsilon, Factor: factor, Bessel: true}
		c.done(append([]graph.ValueID{c.trainedNorm(o, c.in[:5]...)}, noResults(5)...)...)
		return
	}
	var m, offset graph.ValueID
	if g, b, mu, v := c.frozen(gamma), c.frozen(beta), c.frozen(mean), c.frozen(variance); g != nil && b != nil && mu != nil && v != nil {
		m, offset = c.foldedNorm(g, b, mu, v, epsilon)
	} else {
		m = c.emit(schema.MUL, mulOptions(), c.emit(schema.RSQRT, nil, c.emit(schema.ADD, addOptions(), variance, c.float(epsilon))), gamma)
		offset = c.emit(schema.SUB, subOptions(), beta, c.emit(schema.MUL, mulOptions(), mean, m))
	}
	y := c.emit(schema.ADD, addOptions(), c.emit(schema.MUL, mulOptions(), c.in[0], m), offset)
	c.done(append([]graph.ValueID{y}, noResults(5)...)...)
}

// frozen returns the elements of a float constant that training does not change.
func (c *call) frozen(v graph.ValueID) []float32 {
	x := c.val(v)
	if !x.IsConst() || x.DType != tensor.Float32 || c.b.train && x.Param != nil && x.Param.Trainable {
		return nil
	}
	return tensor.View[float32](x.Const)
}

// foldedNorm computes the two constants. TensorFlow takes the square root's
// reciprocal from an instruction whose last bit differs from CPU to CPU for every
// full vector of channels; this is the correctly rounded one.
func (c *call) foldedNorm(gamma, beta, mean, variance []float32, epsilon float32) (m, offset graph.ValueID) {
	n := len(gamma)
	if len(beta) != n || len(mean) != n || len(variance) != n {
		c.fail("parameters of %d, %d, %d and %d channels: %w", n, len(beta), len(mean), len(variance), tensor.ErrShape)
		return graph.None, graph.None
	}
	scale, shift := tensor.Aligned(4*n), tensor.Aligned(4*n)
	for i := range n {
		s := float32(1/float32(math.Sqrt(float64(variance[i]+epsilon)))) * gamma[i]
		tensor.View[float32](scale)[i] = s
		tensor.View[float32](shift)[i] = beta[i] - float32(mean[i]*s)
	}
	add := func(data []byte) graph.ValueID {
		return c.add(graph.Value{DType: tensor.Float32, Shape: tensor.Shape{n}, Const: data, Origins: c.origins()})
	}
	return add(scale), add(shift)
}
