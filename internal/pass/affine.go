package pass

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/tensor"
)

// affine describes the operators that multiply by a filter and add a bias, both
// usually constant, so that arithmetic around them can be folded into those.
type affine struct {
	filter, bias int // operands
	channel      int // the filter's axis of output channels
}

var affines = map[graph.OpCode]affine{
	graph.OpCode(schema.CONV_2D):           {1, 2, 0},
	graph.OpCode(schema.DEPTHWISE_CONV_2D): {1, 2, 3},
	graph.OpCode(schema.FULLY_CONNECTED):   {1, 2, 0},
	graph.OpCode(schema.TRANSPOSE_CONV):    {1, 3, 0},
}

// convolutions are the affine operators whose bias and filter the converter
// folds arithmetic into under the same conditions.
var convolutions = []schema.BuiltinOperator{schema.CONV_2D, schema.DEPTHWISE_CONV_2D, schema.TRANSPOSE_CONV}

// filterChannels is the number of output channels of an affine node, 0 if it is
// not known.
func (r *rewriter) filterChannels(n *graph.Node) int {
	a := affines[n.Op]
	s := r.shape(n, a.filter)
	if len(s) <= a.channel {
		return 0
	}
	return s[a.channel]
}

// perChannel returns a constant as n elements that broadcast along the last axis
// only: one for all, or n with all dimensions but the last being 1, of rank 1
// or 4.
func perChannel(v *graph.Value, n int) []float32 {
	e := floats(v)
	if len(e) != 1 && len(e) != n {
		return nil
	}
	if r := len(v.Shape); r != 0 && r != 1 && r != 4 {
		return nil
	}
	return broadcast1D(v, n)
}

// broadcast1D returns a constant as n elements along the last axis: one for each
// or one for all.
func broadcast1D(v *graph.Value, n int) []float32 {
	const most = 1 << 26
	e := floats(v)
	switch {
	case n <= 0 || n > most:
		return nil
	case len(e) == 1:
		return repeated(e, n)
	case len(e) == n && last(v.Shape) == n:
		return e
	}
	return nil
}

// repeated returns n elements, one of them repeated or n as they are.
func repeated(e []float32, n int) []float32 {
	if len(e) == n {
		return e
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = e[0]
	}
	return out
}

// keepsShape reports whether n computes something of the shape of its first
// operand for sure: constant operand c does not broaden it.
func (r *rewriter) keepsShape(n *graph.Node, c *graph.Value) bool {
	in, out := r.shape(n, 0), r.valueShape(n.Outputs[0])
	if in == nil || out == nil {
		return c != nil && len(c.Shape) <= 1
	}
	return in.Equal(out)
}

// zip combines two lists elementwise; both have the same length.
func zip(a, b []float32, f func(x, y float32) float32) []float32 {
	out := tensor.View[float32](tensor.Aligned(4 * len(a)))
	for i := range a {
		out[i] = f(a[i], b[i])
	}
	return out
}

func sum(x, y float32) float32        { return x + y }
func difference(x, y float32) float32 { return x - y }
func product(x, y float32) float32    { return x * y }

// terms are the operators that add to a bias and what they do to it.
var terms = map[graph.OpCode]func(x, y float32) float32{
	graph.OpCode(schema.ADD): sum,
	graph.OpCode(schema.SUB): difference,
}

// scaled multiplies each output channel of a filter by its own factor.
func scaled(filter []float32, shape tensor.Shape, channel int, factor []float32) []float32 {
	inner := 1
	for _, d := range shape[channel+1:] {
		inner *= d
	}
	out := tensor.View[float32](tensor.Aligned(4 * len(filter)))
	for i, w := range filter {
		out[i] = w * factor[i/inner%len(factor)]
	}
	return out
}

// with returns a copy of n's inputs with operand k replaced; missing optional
// operands before it are absent.
func with(n *graph.Node, k int, v graph.ValueID) []graph.ValueID {
	in := append([]graph.ValueID{}, n.Inputs...)
	for len(in) <= k {
		in = append(in, graph.None)
	}
	in[k] = v
	return in
}
