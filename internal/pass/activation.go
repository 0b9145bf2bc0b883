package pass

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
)

// clamps are the activations that are operators of their own and can be fused.
var clamps = map[graph.OpCode]fb.ActivationFunctionType{
	graph.OpCode(schema.RELU):         fb.ActivationFunctionTypeRELU,
	graph.OpCode(schema.RELU6):        fb.ActivationFunctionTypeRELU6,
	graph.OpCode(schema.RELU_N1_TO_1): fb.ActivationFunctionTypeRELU_N1_TO_1,
}

// fuseActivation: clamp(f(x)) → f(x) with a fused activation. A FULLY_CONNECTED
// that others read too is computed twice, as the converter has it.
func fuseActivation(r *rewriter, i int) bool {
	n := &r.g.Nodes[i]
	act, ok := clamps[n.Op]
	if !ok {
		return false
	}
	if f, _ := r.def(n, 0, schema.FULLY_CONNECTED); f != nil && linear(f.Options) {
		r.replace(i, graph.Node{
			Op: f.Op, Inputs: f.Inputs, Outputs: n.Outputs, Options: withFused(f.Options, act),
			Origins: graph.MergeOrigins(f.Origins, n.Origins),
		})
		return true
	}
	f, _ := r.def(n, 0, schema.CONV_2D, schema.DEPTHWISE_CONV_2D, schema.AVERAGE_POOL_2D, schema.MAX_POOL_2D,
		schema.ADD, schema.SUB, schema.MUL, schema.DIV)
	if f == nil || !linear(f.Options) || !r.single(f) {
		return false
	}
	r.replace(i, graph.Node{
		Op: f.Op, Inputs: f.Inputs, Outputs: n.Outputs, Options: withFused(f.Options, act),
		Origins: graph.MergeOrigins(n.Origins, f.Origins),
	})
	return true
}
