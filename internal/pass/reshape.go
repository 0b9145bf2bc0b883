package pass

import (
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// mulOptions are MUL's.
func mulOptions(act fb.ActivationFunctionType) any {
	return &fb.MulOptionsT{FusedActivationFunction: act}
}

// constRight moves a constant operand of a commutative operator to the right.
func constRight(r *rewriter, i int) bool {
	n := r.node(i, schema.ADD, schema.MUL, schema.MAXIMUM, schema.MINIMUM)
	if n == nil || !r.g.Value(n.Inputs[0]).IsConst() || r.g.Value(n.Inputs[1]).IsConst() {
		return false
	}
	n.Inputs = []graph.ValueID{n.Inputs[1], n.Inputs[0]}
	return true
}

// identity drops operators that change nothing: reshapes to the same shape,
// transposes in order, sums with zero, products and quotients by one.
func identity(r *rewriter, i int) bool {
	n := r.node(i, schema.RESHAPE, schema.SQUEEZE, schema.TRANSPOSE, schema.ADD, schema.SUB, schema.MUL, schema.DIV)
	if n == nil || !linear(n.Options) {
		return false
	}
	in, out := r.shape(n, 0), r.valueShape(n.Outputs[0])
	if in == nil || !in.Equal(out) || !r.changesNothing(n, in) {
		return false
	}
	return r.forward(i, n.Inputs[0])
}

// changesNothing reports whether n's result, of the shape of its first operand,
// has that operand's elements.
func (r *rewriter) changesNothing(n *graph.Node, in tensor.Shape) bool {
	switch schema.BuiltinOperator(n.Op) {
	case schema.TRANSPOSE:
		perm := r.ints(n, 1)
		return perm != nil && inOrder(perm)
	case schema.ADD, schema.SUB:
		return allEqual(floats(r.constant(n, 1)), 0)
	case schema.MUL, schema.DIV:
		return allEqual(floats(r.constant(n, 1)), 1)
	}
	return in.Known() // the converter keeps reshapes of dynamic batches
}

// allEqual reports whether there are elements and all are x.
func allEqual(e []float32, x float32) bool {
	return len(e) > 0 && !slices.ContainsFunc(e, func(y float32) bool { return y != x })
}

// resolvable reports whether one dimension at most is unknown, so that equal
// partial shapes of the same elements are equal shapes.
func resolvable(s tensor.Shape) bool {
	unknown := 0
	for _, d := range s {
		if d < 0 {
			unknown++
		}
	}
	return unknown <= 1
}

func inOrder(perm []int) bool {
	for i, p := range perm {
		if i != p {
			return false
		}
	}
	return true
}

// ints returns the elements of an integer constant operand, nil if it is none.
func (r *rewriter) ints(n *graph.Node, k int) []int {
	c := r.constant(n, k)
	if c == nil {
		return nil
	}
	v, err := op.IntsOf(tensor.Raw(c.DType, c.Shape, c.Quant, aligned(c.Const)))
	if err != nil {
		return nil
	}
	return v
}

// doubleTranspose: transpose(transpose(x)) → transpose(x).
func doubleTranspose(r *rewriter, i int) bool {
	n := r.node(i, schema.TRANSPOSE)
	if n == nil {
		return false
	}
	inner, _ := r.def(n, 0, schema.TRANSPOSE)
	if inner == nil || !r.single(inner) {
		return false
	}
	p, q := r.ints(inner, 1), r.ints(n, 1)
	if p == nil || len(p) != len(q) {
		return false
	}
	perm := make([]int32, len(p))
	for k := range perm {
		perm[k] = int32(p[q[k]])
	}
	r.replace(i, graph.Node{
		Op: n.Op, Inputs: []graph.ValueID{inner.Inputs[0], r.addInts(perm)}, Outputs: n.Outputs,
		Options: n.Options, Origins: r.fused(n, inner),
	})
	return true
}

// doubleReshape: reshape(reshape(x)) → reshape(x).
func doubleReshape(r *rewriter, i int) bool { return mergeReshape(r, i, false) }

// earlyDoubleReshape is doubleReshape of what TensorFlow had as reshapes: its
// converter merges those before it legalizes, and keeps both origins.
func earlyDoubleReshape(r *rewriter, i int) bool { return mergeReshape(r, i, true) }

func mergeReshape(r *rewriter, i int, both bool) bool {
	n := r.node(i, schema.RESHAPE)
	if n == nil {
		return false
	}
	inner, _ := r.def(n, 0, schema.RESHAPE)
	if inner == nil || len(n.Inputs) < 2 {
		return false
	}
	origins := n.Origins
	if both {
		origins = graph.MergeOrigins(n.Origins, inner.Origins)
	}
	r.replace(i, graph.Node{Op: n.Op, Inputs: []graph.ValueID{inner.Inputs[0], n.Inputs[1]}, Outputs: n.Outputs, Options: n.Options, Origins: origins})
	return true
}

// reshapeForm: SQUEEZE with at most one unknown dimension and EXPAND_DIMS of a
// known shape are RESHAPE.
func reshapeForm(r *rewriter, i int) bool {
	n := r.node(i, schema.SQUEEZE, schema.EXPAND_DIMS)
	if n == nil {
		return false
	}
	out := r.valueShape(n.Outputs[0])
	if out == nil || !resolvable(out) || !out.Known() && n.Op == graph.OpCode(schema.EXPAND_DIMS) {
		return false
	}
	v := r.reshapeTo(out)
	r.g.Value(v).Origins = n.Origins
	r.replace(i, graph.Node{Op: graph.OpCode(schema.RESHAPE), Inputs: []graph.ValueID{n.Inputs[0], v}, Outputs: n.Outputs, Origins: n.Origins})
	return true
}

// reshapeTo adds the shape operand for a partial shape.
func (r *rewriter) reshapeTo(s tensor.Shape) graph.ValueID {
	dims := make([]int32, len(s))
	for k, d := range s {
		dims[k] = int32(d)
	}
	return r.addInts(dims)
}

var elementwise = []schema.BuiltinOperator{
	schema.CEIL, schema.EXP, schema.FLOOR, schema.NEG, schema.RELU, schema.RELU_N1_TO_1, schema.RELU6,
	schema.ROUND, schema.TANH, schema.SQRT, schema.SQUARE, schema.LOGISTIC,
}

// activationBeforeMove: f(move(x)) → move(f(x)) for operators that only move
// elements, so that f can be fused with what computes x.
func activationBeforeMove(r *rewriter, i int) bool {
	n := r.node(i, elementwise...)
	if n == nil {
		return false
	}
	move, at := r.def(n, 0, schema.DEPTH_TO_SPACE, schema.EXPAND_DIMS, schema.SQUEEZE, schema.RESHAPE, schema.TRANSPOSE)
	if move == nil || !r.single(move) {
		return false
	}
	origins := r.fused(n, move)
	r.swap(at, i, n, move, []graph.ValueID{move.Inputs[0]}, origins)
	return true
}

// swap makes node i, which follows the move at node at, come before it.
func (r *rewriter) swap(at, i int, n, move *graph.Node, inputs []graph.ValueID, origins []string) {
	x := r.g.Value(move.Inputs[0])
	inner := *n
	inner.Inputs, inner.Origins = inputs, origins
	inner.Outputs = []graph.ValueID{r.add(graph.Value{DType: r.g.Value(n.Outputs[0]).DType, Shape: x.Shape, Signature: x.Signature, Unranked: x.Unranked})}
	outer := *move
	outer.Inputs = append([]graph.ValueID{inner.Outputs[0]}, move.Inputs[1:]...)
	outer.Outputs, outer.Origins = n.Outputs, origins
	r.replace(at, inner)
	r.replace(i, outer)
}

// constBeforeReshape: reshape(x) ∘ c → reshape(x ∘ c) where c runs along the last
// axes that the reshape leaves alone.
func constBeforeReshape(r *rewriter, i int) bool {
	n := r.node(i, schema.ADD, schema.SUB, schema.DIV, schema.MUL)
	if n == nil {
		return false
	}
	move, at := r.def(n, 0, schema.RESHAPE)
	c := r.anyConstant(n, 1)
	if move == nil || c == nil || !r.single(move) || r.anyConstant(move, 1) == nil {
		return false
	}
	in, out := r.shape(move, 0), r.valueShape(move.Outputs[0])
	if !tailOf(c.Shape, in) || !tailOf(c.Shape, out) || len(in) > 4 || len(out) > 4 {
		return false
	}
	origins := graph.MergeOrigins(n.Origins, r.constantOrigins(move), move.Origins, c.Origins)
	r.swap(at, i, n, move, []graph.ValueID{move.Inputs[0], n.Inputs[1]}, origins)
	return true
}

// tailOf reports whether s ends in t.
func tailOf(t, s tensor.Shape) bool {
	return len(t) <= len(s) && s[len(s)-len(t):].Equal(t)
}
