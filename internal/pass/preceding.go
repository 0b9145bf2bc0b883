package pass

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// fuseAddFullyConnected: fc(x + c, w, b) → fc(x, w, w·c + b), c of rank 1.
func fuseAddFullyConnected(r *rewriter, i int) bool {
	n := r.node(i, schema.FULLY_CONNECTED)
	if n == nil {
		return false
	}
	add, _ := r.def(n, 0, schema.ADD)
	if add == nil || !linear(add.Options) {
		return false
	}
	c, w, b := r.constant(add, 1), r.constant(n, 1), r.constant(n, 2)
	x, weights, bias := floats(c), floats(w), floats(b)
	if x == nil || weights == nil || bias == nil || len(c.Shape) != 1 || len(w.Shape) != 2 || len(x) != w.Shape[1] || len(bias) != w.Shape[0] {
		return false
	}
	v := r.addFloats(dot(weights, x, bias), b.Shape, n.Origins, nil)
	r.replace(i, graph.Node{
		Op: n.Op, Inputs: []graph.ValueID{add.Inputs[0], n.Inputs[1], v}, Outputs: n.Outputs,
		Options: n.Options, Origins: graph.MergeOrigins(add.Origins, n.Origins),
	})
	return true
}

// dot is weights·x + bias with Neumaier's compensated summation, each row on its
// own, as the converter folds it.
func dot(weights, x, bias []float32) []float32 {
	out := tensor.View[float32](tensor.Aligned(4 * len(bias)))
	for o, s := range bias {
		compensation := float32(0)
		for i, w := range weights[o*len(x) : (o+1)*len(x)] {
			addend := float32(x[i] * w)
			next := s + addend
			if abs(s) >= abs(addend) {
				compensation += (s - next) + addend
			} else {
				compensation += (addend - next) + s
			}
			s = next
		}
		out[o] = s + compensation
	}
	return out
}

func abs(x float32) float32 {
	if x < 0 {
		return -x
	}
	return x
}

// fuseScaleFullyConnected: fc(x·c, w, b) → fc(x, w·c, b), c of rank 1 along the
// weights' columns.
func fuseScaleFullyConnected(r *rewriter, i int) bool {
	n := r.node(i, schema.FULLY_CONNECTED)
	if n == nil {
		return false
	}
	mul, _ := r.def(n, 0, schema.MUL)
	if mul == nil || !linear(mul.Options) {
		return false
	}
	c, w := r.constant(mul, 1), r.constant(n, 1)
	factor, weights := floats(c), floats(w)
	if factor == nil || weights == nil || len(c.Shape) != 1 || len(w.Shape) != 2 || len(factor) != w.Shape[1] && len(factor) != 1 {
		return false
	}
	origins := graph.MergeOrigins(mul.Origins, n.Origins)
	v := r.addFloats(scaled(weights, w.Shape, 1, factor), w.Shape, origins, nil)
	in := with(n, 1, v)
	in[0] = mul.Inputs[0]
	r.replace(i, graph.Node{Op: n.Op, Inputs: in, Outputs: n.Outputs, Options: n.Options, Origins: origins})
	return true
}

// fusePrecedingScalar: f(x + c) → w·x + (b + Σw·c) and f(x·c) → (w·c)·x + b for a
// scalar c. Sums need VALID padding: what is padded is not x + c.
func fusePrecedingScalar(r *rewriter, i int) bool {
	n := r.node(i, schema.CONV_2D, schema.DEPTHWISE_CONV_2D, schema.FULLY_CONNECTED)
	if n == nil {
		return false
	}
	pre, _ := r.def(n, 0, schema.ADD, schema.SUB, schema.MUL, schema.DIV)
	if pre == nil || !linear(pre.Options) || !r.valueShape(pre.Inputs[0]).Equal(r.valueShape(pre.Outputs[0])) {
		return false
	}
	scalar, w := floats(r.constant(pre, 1)), r.constant(n, 1)
	if len(scalar) != 1 || floats(w) == nil {
		return false
	}
	c, in := scalar[0], append([]graph.ValueID{}, n.Inputs...)
	in[0] = pre.Inputs[0]
	if _, ok := terms[pre.Op]; !ok {
		in[1] = r.addFloats(timesScalar(floats(w), c, pre.Op == graph.OpCode(schema.DIV)), w.Shape, n.Origins, nil)
	} else {
		if pre.Op == graph.OpCode(schema.SUB) {
			c = -c
		}
		b, ok := r.scalarBias(n, w, c)
		if !ok {
			return false
		}
		in = with(n, 2, r.addFloats(b, tensor.Shape{len(b)}, n.Origins, nil))
		in[0] = pre.Inputs[0]
	}
	r.replace(i, graph.Node{Op: n.Op, Inputs: in, Outputs: n.Outputs, Options: n.Options, Origins: n.Origins})
	return true
}

// scalarBias is the bias of n plus c times each channel's weights, added one
// after another in the filter's order.
func (r *rewriter) scalarBias(n *graph.Node, w *graph.Value, c float32) ([]float32, bool) {
	if p := paddingOf(n.Options); p != fb.PaddingVALID {
		return nil, false
	}
	a := affines[n.Op]
	if len(w.Shape) <= a.channel {
		return nil, false
	}
	channels := w.Shape[a.channel]
	out := make([]float32, channels)
	if len(n.Inputs) > a.bias && n.Inputs[a.bias] != graph.None {
		b := broadcast1D(r.constant(n, a.bias), channels)
		if b == nil {
			return nil, false
		}
		copy(out, b)
	}
	inner := 1
	for _, d := range w.Shape[a.channel+1:] {
		inner *= d
	}
	for k, x := range floats(w) {
		out[k/inner%channels] += float32(x * c)
	}
	return out, true
}

func timesScalar(w []float32, c float32, divide bool) []float32 {
	out := tensor.View[float32](tensor.Aligned(4 * len(w)))
	for k, x := range w {
		if divide {
			out[k] = x / c
		} else {
			out[k] = x * c
		}
	}
	return out
}

// paddingOf returns the padding of a convolution, VALID for operators without.
func paddingOf(options any) fb.Padding {
	switch o := options.(type) {
	case *fb.Conv2DOptionsT:
		return o.Padding
	case *fb.DepthwiseConv2DOptionsT:
		return o.Padding
	}
	return fb.PaddingVALID
}
