package pass

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// clampForm names pairs of MAXIMUM and MINIMUM with constants after the clamp
// they are.
func clampForm(r *rewriter, i int) bool {
	n := r.node(i, schema.MAXIMUM, schema.MINIMUM, schema.RELU)
	if n == nil {
		return false
	}
	for _, f := range clampForms {
		if graph.OpCode(f.outer) != n.Op || !r.isConst(n, 1, f.outerC) || !r.has(f.as) {
			continue
		}
		inner, _ := r.def(n, 0, f.inner)
		switch {
		case f.inner == 0:
			r.replace(i, graph.Node{Op: graph.OpCode(f.as), Inputs: n.Inputs[:1], Outputs: n.Outputs, Origins: n.Origins})
		case inner != nil && r.isConst(inner, 1, f.innerC):
			r.replace(i, graph.Node{Op: graph.OpCode(f.as), Inputs: inner.Inputs[:1], Outputs: n.Outputs, Origins: f.origins(r, n, inner)})
		default:
			continue
		}
		return true
	}
	return false
}

// none stands for an operator that has no constant operand.
const none = -1e9

// clampForms are the patterns outer(inner(x, innerC), outerC) and the clamp each
// is; no inner operator stands for outer(x, outerC).
var clampForms = []clampPattern{
	{schema.MINIMUM, 1, schema.MAXIMUM, -1, schema.RELU_N1_TO_1},
	{schema.MAXIMUM, -1, schema.MINIMUM, 1, schema.RELU_N1_TO_1},
	{schema.MINIMUM, 6, schema.RELU, none, schema.RELU6},
	{schema.RELU, none, schema.MINIMUM, 6, schema.RELU6},
	{schema.MAXIMUM, 0, 0, 0, schema.RELU},
}

type clampPattern struct {
	outer  schema.BuiltinOperator
	outerC float32
	inner  schema.BuiltinOperator
	innerC float32
	as     schema.BuiltinOperator
}

// origins: of the two bounds of [-1, 1] the converter keeps the names, of others
// it does not.
func (f *clampPattern) origins(r *rewriter, n, inner *graph.Node) []string {
	if f.as == schema.RELU_N1_TO_1 {
		return r.fused(n, inner)
	}
	return graph.MergeOrigins(n.Origins, inner.Origins)
}

// isConst reports whether operand k is the float constant c, one element. The
// constant none asks for no operand.
func (r *rewriter) isConst(n *graph.Node, k int, c float32) bool {
	if c == none {
		return true
	}
	v := floats(r.constant(n, k))
	return len(v) == 1 && v[0] == c
}

// hardSwish: x·relu6(x+3)/6, in the four orders of the products, → HARD_SWISH.
func hardSwish(r *rewriter, i int) bool {
	n := r.node(i, schema.MUL)
	if n == nil || !linear(n.Options) || !r.has(schema.HARD_SWISH) {
		return false
	}
	var factors []graph.ValueID
	var inner []string
	for k, v := range n.Inputs {
		if m, _ := r.def(n, k, schema.MUL); m != nil && linear(m.Options) && r.single(m) {
			factors = append(factors, m.Inputs...)
			inner = graph.MergeOrigins(inner, m.Origins)
			continue
		}
		factors = append(factors, v)
	}
	if len(factors) != 3 {
		return false
	}
	x, gate := r.hardSwishFactors(factors)
	if gate == nil || !r.valueShape(x).Equal(r.valueShape(n.Outputs[0])) {
		return false
	}
	r.replace(i, graph.Node{
		Op: graph.OpCode(schema.HARD_SWISH), Inputs: []graph.ValueID{x}, Outputs: n.Outputs,
		Origins: graph.MergeOrigins(n.Origins, r.constantOrigins(gate), gate.Origins, inner),
	})
	return true
}

// hardSwishFactors finds x, relu6(x+3) and 1/6 among three factors.
func (r *rewriter) hardSwishFactors(f []graph.ValueID) (x graph.ValueID, gate *graph.Node) {
	const sixth = float32(1) / 6
	sixths, gateAt := -1, -1
	for k, v := range f {
		if c := r.g.Value(v); c.IsConst() && c.DType == tensor.Float32 && !r.o.fixed(c) {
			if e := floats(c); len(e) == 1 && (e[0] == sixth || e[0] == 0.166666666) {
				sixths = k
			}
		} else if p := r.producer[v]; p >= 0 {
			a := r.node(p, schema.ADD)
			if a != nil && fusedOf(a.Options) == fb.ActivationFunctionTypeRELU6 && r.isConst(a, 1, 3) {
				gate, gateAt = a, k
			}
		}
	}
	if sixths < 0 || gate == nil {
		return graph.None, nil
	}
	if x = f[3-sixths-gateAt]; gate.Inputs[0] != x {
		return graph.None, nil
	}
	return x, gate
}

// leakyForm: max(x·c, x) with c below one → LEAKY_RELU.
func leakyForm(r *rewriter, i int) bool {
	n := r.node(i, schema.MAXIMUM)
	if n == nil || !r.has(schema.LEAKY_RELU) {
		return false
	}
	mul, _ := r.def(n, 0, schema.MUL)
	if mul == nil || !linear(mul.Options) || !r.single(mul) || mul.Inputs[0] != n.Inputs[1] {
		return false
	}
	c := floats(r.constant(mul, 1))
	if len(c) != 1 || !(abs(c[0]) < 1) {
		return false
	}
	r.replace(i, graph.Node{
		Op: graph.OpCode(schema.LEAKY_RELU), Inputs: mul.Inputs[:1], Outputs: n.Outputs,
		Options: &fb.LeakyReluOptionsT{Alpha: c[0]}, Origins: r.fused(n, mul),
	})
	return true
}

// preluForm: relu(x) + relu(−x)·(−a), as Keras writes it, → PRELU.
func preluForm(r *rewriter, i int) bool {
	n := r.node(i, schema.ADD)
	if n == nil || !linear(n.Options) || !r.has(schema.PRELU) {
		return false
	}
	pos, _ := r.def(n, 0, schema.RELU)
	mul, _ := r.def(n, 1, schema.MUL)
	if pos == nil || mul == nil || !r.single(pos) || !r.single(mul) || !linear(mul.Options) {
		return false
	}
	relu, _ := r.def(mul, 0, schema.RELU)
	if relu == nil {
		return false
	}
	neg, _ := r.def(relu, 0, schema.NEG)
	a := r.constant(mul, 1)
	if neg == nil || !r.single(neg) || neg.Inputs[0] != pos.Inputs[0] || floats(a) == nil || len(a.Shape) != len(r.shape(pos, 0))-1 {
		return false
	}
	origins := graph.MergeOrigins(n.Origins, pos.Origins, neg.Origins, relu.Origins, mul.Origins)
	alpha := make([]float32, len(floats(a)))
	for k, x := range floats(a) {
		alpha[k] = -x
	}
	r.replace(i, graph.Node{
		Op: graph.OpCode(schema.PRELU), Inputs: []graph.ValueID{pos.Inputs[0], r.addFloats(alpha, a.Shape, origins, nil)},
		Outputs: n.Outputs, Origins: origins,
	})
	return true
}

// has reports whether an operator may be used.
func (r *rewriter) has(code schema.BuiltinOperator) bool {
	return r.o.Ops.ByCode(graph.OpCode(code)) != nil
}
