package recurrent

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
)

// fullQuant is the rules of the full layout: those of a cell with neither layer
// normalization nor projection, and by For those of a node.
func fullQuant() op.Quant {
	present := func(n *graph.Node, i int) bool { return i < len(n.Inputs) && n.Inputs[i] != graph.None }
	var rules [2][2]op.Quant
	for norm := range 2 {
		for projection := range 2 {
			rules[norm][projection] = fullRules(norm == 1, projection == 1)
		}
	}
	q := rules[0][0]
	q.For = func(n *graph.Node) *op.Quant {
		norm, projection := 0, 0
		if present(n, full.normOf(forgetGate)) {
			norm = 1
		}
		if present(n, full.projection) {
			projection = 1
		}
		return &rules[norm][projection]
	}
	return q
}

// fullRules: the output state has the output's parameters, and so has the hidden
// state unless it is projected. A bias has the scale of the input's product,
// which is finer than the output state's; with layer normalization that of the
// coefficients, with 10 more bits. LiteRT has no 16x8 kernel.
func fullRules(norm, projection bool) op.Quant {
	asOutput := op.Rule{Kind: op.StateOf, Of: []int{0}}
	in := make([]op.Rule, 24)
	in[full.input] = op.Activation()
	for g := range gates {
		in[full.weightsOf(g)], in[full.recurrentOf(g)] = op.PerTensor(8), op.PerTensor(8)
		if g != cellGate {
			in[full.peepholeOf(g)] = op.PerTensor(16)
		}
		in[full.normOf(g)] = op.PerTensor(16)
		in[full.biasOf(g)] = op.BiasOf(full.input, full.weightsOf(g))
		if norm {
			in[full.biasOf(g)] = op.Rule{Kind: op.Bias, Of: []int{full.normOf(g)}, Factor: 1.0 / 1024}
		}
	}
	const hidden = 4
	in[full.projection] = op.PerTensor(8)
	in[full.projectionBias] = op.Rule{Kind: op.Bias, Of: []int{full.projection}, Inner: []int{hidden}}
	in[full.output] = asOutput
	in[full.cell] = op.Rule{Kind: op.SymPOT, Bits: 16}
	inner := make([]op.Rule, 5)
	for g := range gates {
		if norm {
			inner[g] = op.Rule{Kind: op.Symmetric, Bits: 16}
		}
	}
	inner[hidden] = asOutput
	if projection {
		inner[hidden] = op.Activation()
	}
	return op.Quant{
		In: in, Out: []op.Rule{op.Activation()}, Intermediates: inner, No16: true,
		Weights: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16}, Asym: true,
	}
}

// lstmQuant is LSTM's: the BASIC kernel is never quantized.
func lstmQuant() op.Quant {
	q := fullQuant()
	rules, none := q.For, op.Quant{None: true}
	q.For = func(n *graph.Node) *op.Quant {
		if isBasic(n) {
			return &none
		}
		return rules(n)
	}
	return q
}

// hybridQuant is the rules of operators that have no form but with int8 weights
// under float activations.
func hybridQuant(weights ...int) op.Quant {
	return op.Quant{None: true, Weights: weights, Asym: true}
}
