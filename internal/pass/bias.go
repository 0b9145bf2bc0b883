package pass

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/tensor"
)

// fuseAdd: conv(x, w, b) ± c → conv(x, w, b ± c).
func fuseAdd(r *rewriter, i int) bool {
	n := r.node(i, schema.ADD, schema.SUB)
	if n == nil {
		return false
	}
	conv, _ := r.def(n, 0, convolutions...)
	if conv == nil || !linear(conv.Options) || !r.single(conv) {
		return false
	}
	channels := r.filterChannels(conv)
	c := r.anyConstant(n, 1)
	if c == nil || perChannel(c, channels) == nil {
		return false
	}
	origins := graph.MergeOrigins(n.Origins, r.biasOrigins(conv), conv.Origins, c.Origins)
	bias, ok := r.newBias(conv, n, 1, channels, origins)
	if !ok {
		return false
	}
	r.replace(i, graph.Node{
		Op: conv.Op, Inputs: with(conv, affines[conv.Op].bias, bias), Outputs: n.Outputs,
		Options: withFused(conv.Options, fusedOf(n.Options)), Origins: origins,
	})
	return true
}

// fuseFullyConnectedAdd: fc(x, w, b) + c → fc(x, w, b + c).
func fuseFullyConnectedAdd(r *rewriter, i int) bool {
	n := r.node(i, schema.ADD)
	if n == nil {
		return false
	}
	fc, _ := r.def(n, 0, schema.FULLY_CONNECTED)
	if fc == nil || !linear(fc.Options) || !r.single(fc) || !r.keepsShape(n, r.anyConstant(n, 1)) {
		return false
	}
	channels := r.filterChannels(fc)
	if broadcast1D(r.anyConstant(n, 1), channels) == nil {
		return false
	}
	bias, ok := r.newBias(fc, n, 1, channels, n.Origins)
	if !ok {
		return false
	}
	r.replace(i, graph.Node{
		Op: fc.Op, Inputs: with(fc, affines[fc.Op].bias, bias), Outputs: n.Outputs,
		Options: withFused(fc.Options, fusedOf(n.Options)), Origins: graph.MergeOrigins(fc.Origins, n.Origins),
	})
	return true
}

func (r *rewriter) biasOrigins(n *graph.Node) []string {
	if b := r.anyConstant(n, affines[n.Op].bias); b != nil {
		return b.Origins
	}
	return nil
}

// newBias makes the constant b ± c of the affine node f followed by n, which
// adds its operand k. A parameter that is added to nothing stays whole.
func (r *rewriter) newBias(f, n *graph.Node, k, channels int, origins []string) (graph.ValueID, bool) {
	c := r.g.Value(n.Inputs[k])
	term := terms[n.Op]
	old := make([]float32, channels)
	var param *graph.Param
	switch at := affines[f.Op].bias; {
	case at >= len(f.Inputs) || f.Inputs[at] == graph.None:
		param = c.Param
	default:
		b := floats(r.constant(f, at))
		if len(b) != channels {
			return graph.None, false
		}
		if old = b; allEqual(b, 0) {
			param = c.Param
		}
	}
	added := broadcast1D(c, channels)
	whole := param != nil && n.Op == graph.OpCode(schema.ADD) && c.Shape.Equal(tensor.Shape{channels})
	if r.o.fixed(c) {
		return n.Inputs[k], whole
	}
	if !whole {
		param = nil
	}
	return r.addFloats(zip(old, added, term), tensor.Shape{channels}, origins, param), true
}

// addOfAdd: (x + a) + b → x + (a + b).
func addOfAdd(r *rewriter, i int) bool {
	n := r.node(i, schema.ADD)
	if n == nil {
		return false
	}
	inner, _ := r.def(n, 0, schema.ADD)
	if inner == nil || !linear(inner.Options) || !r.single(inner) {
		return false
	}
	a, b := r.constant(inner, 1), r.constant(n, 1)
	if a == nil || b == nil {
		return false
	}
	origins := r.fused(n, inner)
	c, ok := r.combine(a, b, sum, origins)
	if !ok {
		return false
	}
	r.replace(i, graph.Node{Op: n.Op, Inputs: []graph.ValueID{inner.Inputs[0], c}, Outputs: n.Outputs, Options: n.Options, Origins: origins})
	return true
}

// combine makes the constant f(a, b) where one of the two has one element, or
// both have the same shape up to leading ones.
func (r *rewriter) combine(a, b *graph.Value, f func(x, y float32) float32, origins []string) (graph.ValueID, bool) {
	x, y := floats(a), floats(b)
	n := max(len(x), len(y))
	shape := withRank(a.Shape, max(len(a.Shape), len(b.Shape)))
	other := withRank(b.Shape, len(shape))
	if len(x) < len(y) {
		shape, other = other, shape
	}
	if min(len(x), len(y)) != 1 && !shape.Equal(other) || n == 0 {
		return graph.None, false
	}
	return r.addFloats(zip(repeated(x, n), repeated(y, n), f), shape, origins, nil), true
}

// withRank adds leading ones.
func withRank(s tensor.Shape, rank int) tensor.Shape {
	out := make(tensor.Shape, rank)
	for i := range out {
		out[i] = 1
	}
	copy(out[rank-len(s):], s)
	return out
}
