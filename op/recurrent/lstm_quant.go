package recurrent

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
)

// fullQuant is the rules of the full layout without layer normalization; For
// has those with it.
//
// The output state has the output's parameters. Biases have the scale of the
// input's product, which is smaller than the output state's; with layer
// normalization that of the coefficients with 10 more bits. LiteRT has no 16x8
// kernel.
func fullQuant() op.Quant {
	plain, normalized := fullRules(false), fullRules(true)
	q := plain
	q.For = func(n *graph.Node) *op.Quant {
		if i := full.normOf(forgetGate); i < len(n.Inputs) && n.Inputs[i] != graph.None {
			return &normalized
		}
		return &plain
	}
	return q
}

func fullRules(norm bool) op.Quant {
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
	const hidden = 4 // the intermediate before projection
	in[full.projection] = op.PerTensor(8)
	in[full.projectionBias] = op.Rule{Kind: op.Bias, Of: []int{full.projection}, Inner: []int{hidden}}
	in[full.output] = op.Rule{Kind: op.StateOf, Of: []int{0}}
	in[full.cell] = op.Rule{Kind: op.SymPOT, Bits: 16}
	inner := make([]op.Rule, 5)
	for g := range gates {
		if norm {
			inner[g] = op.Rule{Kind: op.Symmetric, Bits: 16}
		}
	}
	inner[hidden] = op.Activation()
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
