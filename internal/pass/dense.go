package pass

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// FULLY_CONNECTED takes the leading dimensions of its input as one, or with
// keep_num_dims as they are, which makes reshapes around it superfluous.

// keepNumDims returns a copy of a FULLY_CONNECTED's options with keep_num_dims
// set.
func keepNumDims(n *graph.Node) any {
	o := *graph.Options[fb.FullyConnectedOptionsT](n)
	o.KeepNumDims = true
	return &o
}

func keepsNumDims(n *graph.Node) bool { return graph.Options[fb.FullyConnectedOptionsT](n).KeepNumDims }

// reshapeBeforeFullyConnected: fc(reshape(x)) → fc(x) if the last dimension stays.
func reshapeBeforeFullyConnected(r *rewriter, i int) bool {
	n := r.node(i, schema.FULLY_CONNECTED)
	if n == nil || keepsNumDims(n) {
		return false
	}
	move, _ := r.def(n, 0, schema.RESHAPE)
	if move == nil {
		return false
	}
	in, mid, out := r.shape(move, 0), r.shape(n, 0), r.valueShape(n.Outputs[0])
	if !static(in) || !static(mid) || !static(out) || len(out) != 2 || last(in) != last(mid) {
		return false
	}
	r.replace(i, graph.Node{Op: n.Op, Inputs: with(n, 0, move.Inputs[0]), Outputs: n.Outputs, Options: n.Options, Origins: n.Origins})
	return true
}

// reshapeAfterFullyConnected: reshape(fc(x)) → fc(x) with keep_num_dims if it
// restores x's leading dimensions.
func reshapeAfterFullyConnected(r *rewriter, i int) bool {
	n := r.node(i, schema.RESHAPE)
	if n == nil {
		return false
	}
	fc, _ := r.def(n, 0, schema.FULLY_CONNECTED)
	if fc == nil || keepsNumDims(fc) || !r.single(fc) {
		return false
	}
	in, mid, out := r.shape(fc, 0), r.shape(n, 0), r.valueShape(n.Outputs[0])
	if !static(in) || !static(mid) || !static(out) || last(mid) != last(out) || !in[:len(in)-1].Equal(out[:len(out)-1]) {
		return false
	}
	r.replace(i, graph.Node{Op: fc.Op, Inputs: fc.Inputs, Outputs: n.Outputs, Options: keepNumDims(fc), Origins: n.Origins})
	return true
}

// keepBeforeReshape sets keep_num_dims where a reshape follows anyway.
func keepBeforeReshape(r *rewriter, i int) bool {
	n := r.node(i, schema.RESHAPE)
	if n == nil {
		return false
	}
	fc, at := r.def(n, 0, schema.FULLY_CONNECTED)
	if fc == nil || keepsNumDims(fc) || !r.single(fc) {
		return false
	}
	in, out := r.shape(fc, 0), r.valueShape(fc.Outputs[0])
	if len(in) < 2 || len(in) == 2 || out == nil {
		return false
	}
	wide := in.Clone()
	wide[len(wide)-1] = last(out)
	r.g.Value(fc.Outputs[0]).SetPartial(wide)
	r.replace(at, graph.Node{Op: fc.Op, Inputs: fc.Inputs, Outputs: fc.Outputs, Options: keepNumDims(fc), Origins: fc.Origins})
	return true
}

func static(s tensor.Shape) bool { return len(s) > 0 && s.Known() }

func last(s tensor.Shape) int { return s[len(s)-1] }
