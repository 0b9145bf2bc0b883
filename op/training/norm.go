package training

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// NormOptions are a batch normalization's.
type NormOptions struct {
	Epsilon float32
	// Factor is the weight of a batch in the moving statistics: 1 − momentum.
	Factor float32
	// Bessel says that the moving variance follows the unbiased variance of a batch,
	// as TensorFlow's fused operation makes it, and not the one it divides by.
	Bessel bool
}

// BatchNorm marks the place of a batch normalization in a graph lowered for
// training: as it stands it normalizes by the moving statistics, as at inference.
// Operands: x [..., C], gamma, beta, mean and variance [C]. Options: *NormOptions.
var BatchNorm = def(BatchNormCode, "BATCH_NORM", normOperands().Out("y", op.F32), normFacts,
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[NormOptions](c.Node)
		return op.Kernel{
			Temp: func(in, _ []tensor.Shape) (int, error) { return in[1].Bytes(tensor.Float64) }, // two floats a channel
			Run: func(r *op.Run) error {
				p := normParams(r.In)
				x, y, temp := op.F32s(r.In[0]), op.F32s(r.Out[0]), tensor.View[float32](r.Temp)
				scale, shift := temp[:p.channels], temp[p.channels:][:p.channels]
				for c := range scale {
					scale[c] = inverseRoot(p.variance[c], o.Epsilon) * p.gamma[c]
					shift[c] = p.beta[c] - float32(p.mean[c]*scale[c])
				}
				for at := 0; at < len(x); at += len(scale) {
					for c, m := range scale {
						y[at+c] = float32(x[at+c]*m) + shift[c]
					}
				}
				return nil
			},
		}, nil
	})

func normOperands() op.Operands {
	return op.In("x", op.F32).In("gamma", op.F32).In("beta", op.F32).In("mean", op.F32).In("variance", op.F32)
}

// normFacts checks that there is one parameter a channel.
func normFacts(c *op.Call) error {
	x := &c.In[0]
	for k := range c.In[1:] {
		p := &c.In[1+k]
		if x.Unknown || p.Unknown {
			continue
		}
		if len(x.Shape) == 0 || len(p.Shape) != 1 || !op.Compatible(p.Shape, x.Shape[len(x.Shape)-1:]) {
			return fmt.Errorf("parameter of shape %v for %v: %w", p.Shape, x.Shape, tensor.ErrShape)
		}
	}
	for k := range c.Out[1:] {
		c.Out[1+k].Shape, c.Out[1+k].Unknown = c.In[1].Shape, c.In[1].Unknown
	}
	return like(0)(c)
}

func inverseRoot(variance, epsilon float32) float32 {
	return float32(1 / math.Sqrt(float64(variance+epsilon)))
}

// params are the operands of a normalization that have one element a channel.
type params struct {
	gamma, beta, mean, variance []float32
	channels                    int
}

func normParams(in []tensor.Tensor) params {
	p := params{op.F32s(in[1]), op.F32s(in[2]), op.F32s(in[3]), op.F32s(in[4]), 0}
	p.channels = len(p.gamma)
	return p
}

// BatchNormStep is BatchNorm in training: x is normalized by the mean and variance
// of the batch, which move the two moving statistics, variables that are changed
// in place: moving −= (moving − batch)·factor. Results: y, and for the gradient
// the batch's mean and 1/√(variance+ε).
var BatchNormStep = &op.Def{
	Code: BatchNormStepCode, Name: "BATCH_NORM_STEP",
	Operands: normOperands().Out("y", op.F32).Out("mean", op.F32).Out("inverse", op.F32),
	Facts:    normFacts, Effect: op.State, Quant: op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[NormOptions](c.Node)
		return op.Kernel{Run: func(r *op.Run) error {
			n := NewNorm(o, r)
			n.Forward(0, n.Channels)
			return nil
		}}, nil
	},
}

// Norm is an invocation of BatchNormStep, which may be computed in blocks of
// channels: they do not depend on each other.
type Norm struct {
	Channels      int
	o             *NormOptions
	params        params
	x, y          []float32
	mean, inverse []float32
}

// NewNorm reads the operands and results.
func NewNorm(o *NormOptions, r *op.Run) Norm {
	p := normParams(r.In)
	return Norm{p.channels, o, p, op.F32s(r.In[0]), op.F32s(r.Out[0]), op.F32s(r.Out[1]), op.F32s(r.Out[2])}
}

// blockChannels is how many channels are summed at a time.
const blockChannels = 16

// Forward computes channels [from, to). Sums are kept in double precision.
func (n *Norm) Forward(from, to int) {
	for ; from < to; from += blockChannels {
		n.forward(from, min(from+blockChannels, to))
	}
}

func (n *Norm) forward(from, to int) {
	var sum, squares [blockChannels]float64
	rows := float64(len(n.x) / max(n.Channels, 1))
	for at := 0; at < len(n.x); at += n.Channels {
		for i, v := range n.x[at+from : at+to] {
			sum[i] += float64(v)
		}
	}
	for i := range sum {
		sum[i] /= rows
	}
	for at := 0; at < len(n.x); at += n.Channels {
		for i, v := range n.x[at+from : at+to] {
			d := float64(v) - sum[i]
			squares[i] += float64(d * d)
		}
	}
	var scale, shift [blockChannels]float32
	for c := from; c < to; c++ {
		i := c - from
		mean, variance := float32(sum[i]), float32(squares[i]/rows)
		n.mean[c], n.inverse[c] = mean, inverseRoot(variance, n.o.Epsilon)
		scale[i] = n.inverse[c] * n.params.gamma[c]
		shift[i] = n.params.beta[c] - float32(mean*scale[i])
		if n.o.Bessel && rows > 1 {
			variance = float32(squares[i] / (rows - 1))
		}
		n.move(&n.params.mean[c], mean)
		n.move(&n.params.variance[c], variance)
	}
	for at := 0; at < len(n.x); at += n.Channels {
		y := n.y[at+from : at+to]
		for i, v := range n.x[at+from : at+to] {
			y[i] = float32(v*scale[i]) + shift[i]
		}
	}
}

// move takes a moving statistic towards a batch's.
func (n *Norm) move(moving *float32, batch float32) {
	*moving -= float32((*moving - batch) * n.o.Factor)
}

// BatchNormGrad is the gradient of BatchNormStep: operands x, gamma, dy, and the
// batch's mean and 1/√(variance+ε); results dx, dgamma, dbeta. With x̂ the
// normalized x and N elements a channel,
//
//	dbeta = Σdy, dgamma = Σdy·x̂, dx = gamma/√(variance+ε)·(dy − (dbeta + x̂·dgamma)/N)
var BatchNormGrad = def(BatchNormGradCode, "BATCH_NORM_GRAD",
	op.In("x", op.F32).In("gamma", op.F32).In("dy", op.F32).In("mean", op.F32).In("inverse", op.F32).
		Out("dx", op.F32).Out("dgamma", op.F32).Out("dbeta", op.F32),
	func(c *op.Call) error {
		for k := range c.Out[1:] {
			c.Out[1+k].Shape, c.Out[1+k].Unknown = c.In[1].Shape, c.In[1].Unknown
		}
		return like(0)(c)
	},
	op.Plain(func(r *op.Run) error {
		n := NewNormGrad(r)
		n.Backward(0, n.Channels)
		return nil
	}))

// NormGrad is an invocation of BatchNormGrad, which may be computed in blocks of
// channels.
type NormGrad struct {
	Channels                    int
	x, gamma, dy, mean, inverse []float32
	dx, dgamma, dbeta           []float32
}

// NewNormGrad reads the operands and results.
func NewNormGrad(r *op.Run) NormGrad {
	return NormGrad{
		r.In[1].Len(), op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.In[2]), op.F32s(r.In[3]), op.F32s(r.In[4]),
		op.F32s(r.Out[0]), op.F32s(r.Out[1]), op.F32s(r.Out[2]),
	}
}

// Backward computes channels [from, to).
func (n *NormGrad) Backward(from, to int) {
	for ; from < to; from += blockChannels {
		n.backward(from, min(from+blockChannels, to))
	}
}

func (n *NormGrad) backward(from, to int) {
	var sum, dot [blockChannels]float64
	mean, inverse := n.mean[from:to], n.inverse[from:to]
	for at := 0; at < len(n.x); at += n.Channels {
		x := n.x[at+from : at+to]
		for i, g := range n.dy[at+from : at+to] {
			sum[i] += float64(g)
			dot[i] += float64(float64(g) * float64((x[i]-mean[i])*inverse[i]))
		}
	}
	rows := float64(len(n.x) / max(n.Channels, 1))
	var factor, center, slope [blockChannels]float32
	for i := range inverse {
		n.dbeta[from+i], n.dgamma[from+i] = float32(sum[i]), float32(dot[i])
		factor[i] = n.gamma[from+i] * inverse[i]
		center[i], slope[i] = float32(sum[i]/rows), float32(dot[i]/rows)*inverse[i]
	}
	for at := 0; at < len(n.x); at += n.Channels {
		x, dx := n.x[at+from:at+to], n.dx[at+from:at+to]
		for i, g := range n.dy[at+from : at+to] {
			dx[i] = factor[i] * (g - center[i] - float32((x[i]-mean[i])*slope[i]))
		}
	}
}
