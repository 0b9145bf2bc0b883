package pass

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/tensor"
)

// fuseScale: conv(x, w, b)·c → conv(x, w·c, b·c).
func fuseScale(r *rewriter, i int) bool {
	n := r.node(i, schema.MUL)
	if n == nil {
		return false
	}
	conv, _ := r.def(n, 0, convolutions...)
	if conv == nil {
		return false
	}
	origins := graph.MergeOrigins(n.Origins, r.constantOrigins(conv), conv.Origins, r.constantOrigins(n))
	return r.scaleConv(i, n, conv, origins, origins)
}

// earlyScale is fuseScale of CONV_2D, which the converter does before it
// legalizes: the product then leaves no trace in the origins.
func earlyScale(r *rewriter, i int) bool {
	n := r.node(i, schema.MUL)
	if n == nil {
		return false
	}
	conv, _ := r.def(n, 0, schema.CONV_2D)
	if conv == nil || r.constant(conv, 1) == nil {
		return false
	}
	return r.scaleConv(i, n, conv, conv.Origins, r.constant(conv, 1).Origins)
}

// scaleConv folds the product n of conv and a constant, node i, into conv.
func (r *rewriter) scaleConv(i int, n, conv *graph.Node, origins, filterOrigins []string) bool {
	if !linear(conv.Options) || !r.single(conv) {
		return false
	}
	a := affines[conv.Op]
	filter, c := r.constant(conv, a.filter), r.constant(n, 1)
	factor := perChannel(c, r.filterChannels(conv))
	if floats(filter) == nil || factor == nil {
		return false
	}
	in := append([]graph.ValueID{}, conv.Inputs...)
	if a.bias < len(in) && in[a.bias] != graph.None {
		b := floats(r.constant(conv, a.bias))
		if len(b) != len(factor) {
			return false
		}
		in[a.bias] = r.addFloats(zip(b, factor, product), tensor.Shape{len(b)}, origins, nil)
	}
	in[a.filter] = r.addFloats(scaled(floats(filter), filter.Shape, a.channel, factor), filter.Shape, filterOrigins, nil)
	r.replace(i, graph.Node{Op: conv.Op, Inputs: in, Outputs: n.Outputs, Options: withFused(conv.Options, fusedOf(n.Options)), Origins: origins})
	return true
}

// fuseFullyConnectedScale: fc(x, w, b)·c → fc(x, w·c, b·c).
func fuseFullyConnectedScale(r *rewriter, i int) bool {
	n := r.node(i, schema.MUL)
	if n == nil {
		return false
	}
	fc, _ := r.def(n, 0, schema.FULLY_CONNECTED)
	if fc == nil || !linear(fc.Options) || !r.single(fc) || !r.keepsShape(n, r.anyConstant(n, 1)) {
		return false
	}
	filter, channels := r.constant(fc, 1), r.filterChannels(fc)
	factor := broadcast1D(r.constant(n, 1), channels)
	if floats(filter) == nil || factor == nil {
		return false
	}
	in := append([]graph.ValueID{}, fc.Inputs...)
	if len(in) > 2 && in[2] != graph.None {
		b := floats(r.constant(fc, 2))
		if len(b) != channels {
			return false
		}
		in[2] = r.addFloats(zip(b, factor, product), tensor.Shape{channels}, n.Origins, nil)
	}
	in[1] = r.addFloats(scaled(floats(filter), filter.Shape, 0, factor), filter.Shape, n.Origins, nil)
	r.replace(i, graph.Node{
		Op: fc.Op, Inputs: in, Outputs: n.Outputs, Options: withFused(fc.Options, fusedOf(n.Options)),
		Origins: graph.MergeOrigins(fc.Origins, n.Origins),
	})
	return true
}

// scaleOfBiased: (conv(x) + a)·c → conv(x)·c + a·c, so that the product reaches
// the filter and the sum the bias.
func scaleOfBiased(r *rewriter, i int) bool {
	n := r.node(i, schema.MUL)
	if n == nil || !linear(n.Options) {
		return false
	}
	add, at := r.def(n, 0, schema.ADD)
	if add == nil || !linear(add.Options) || !r.single(add) {
		return false
	}
	conv, _ := r.def(add, 0, schema.CONV_2D)
	if conv == nil || !linear(conv.Options) || !r.single(conv) || r.constant(conv, 1) == nil {
		return false
	}
	a, c := r.constant(add, 1), r.constant(n, 1)
	channels := r.filterChannels(conv)
	if perChannel(a, channels) == nil || perChannel(c, channels) == nil {
		return false
	}
	origins := graph.MergeOrigins(n.Origins, c.Origins, a.Origins, add.Origins)
	bias := r.addFloats(zip(perChannel(a, channels), perChannel(c, channels), product), tensor.Shape{channels}, origins, nil)
	inner := graph.Node{Op: n.Op, Inputs: []graph.ValueID{add.Inputs[0], n.Inputs[1]}, Outputs: add.Outputs, Options: n.Options, Origins: origins}
	outer := graph.Node{Op: add.Op, Inputs: []graph.ValueID{add.Outputs[0], bias}, Outputs: n.Outputs, Options: add.Options, Origins: origins}
	r.replace(at, inner)
	r.replace(i, outer)
	return true
}

// divToMul: x/c → x·(1/c).
func divToMul(r *rewriter, i int) bool {
	n := r.node(i, schema.DIV)
	if n == nil {
		return false
	}
	c := r.constant(n, 1)
	e := floats(c)
	if len(e) == 0 {
		return false
	}
	origins := r.fused(n)
	inverse := make([]float32, len(e))
	for k, x := range e {
		inverse[k] = 1 / x
	}
	v := r.addFloats(inverse, c.Shape, origins, nil)
	r.replace(i, graph.Node{
		Op: graph.OpCode(schema.MUL), Inputs: []graph.ValueID{n.Inputs[0], v}, Outputs: n.Outputs,
		Options: mulOptions(fusedOf(n.Options)), Origins: origins,
	})
	return true
}
