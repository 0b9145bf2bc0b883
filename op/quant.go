package op

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
)

// Quant says how an operator is quantized. Its rules are a closed vocabulary, so
// that quantizers need no knowledge of single operators.
type Quant struct {
	// In has a rule an operand; operands without one are plainly untouched
	// (shapes, axes, indices). Out has a rule a result; a missing rule is Free.
	In, Out []Rule
	// Intermediates has a rule for each intermediate the quantized form needs: the
	// calibrator measures them inside the kernel.
	Intermediates []Rule
	// For, if not nil, chooses the rules by a node's options and operands; see Of.
	For func(n *graph.Node) *Quant
	// Int16 replaces the rules in the 16x8 family; nil means the same rules,
	// unless No16 says that the operator stays float there.
	Int16 *Quant
	No16  bool
	// Weights lists the operands that dynamic range quantization stores as
	// integers, Asym whether the runtime then quantizes activations
	// asymmetrically (asymmetric_quantize_inputs).
	Weights []int
	Asym    bool
	// Same marks operators whose float operands and results share one set of
	// parameters (TFLite's "same scale" operators).
	Same bool
	// Dense marks fully connected layers, which TensorFlow can be told to quantize
	// per tensor.
	Dense bool
	// None marks operators whose operands and results never are integers for real
	// values; Weights may name some all the same.
	None bool
}

// RuleKind says where an operand's quantization parameters come from.
type RuleKind uint8

const (
	Untouched RuleKind = iota // not a real-valued operand
	Free                      // its own range, measured
	Pinned                    // fixed by the kernel's arithmetic
	Weight                    // symmetric, per channel along Axis (-1: per tensor), narrow range
	Bias                      // int32 (int64 in 16x8), scale = product of the operands in Of
	SymPOT                    // measured, symmetric, a power of two
	StateOf                   // shares the parameters of result Of[0]
	Symmetric                 // measured, symmetric
)

// Rule is one operand's, result's or intermediate's.
type Rule struct {
	Kind RuleKind
	Axis int
	Of   []int
	// Inner and Factor are further factors of a bias' scale: the scales of
	// intermediates and a constant (0 stands for 1).
	Inner  []int
	Factor float32
	// Bits is the width where it is not the kind's own, 8 for Weight and 16 for
	// SymPOT and Symmetric. A narrower one lies in the next wider type, over
	// ±(2^(Bits−1) − 1) for weights.
	Bits int
	Pins []Pin
}

// Pin is a fixed set of parameters for one element type.
type Pin struct {
	Type  tensor.DType
	Scale float32
	Zero  int64
}

// Activation is the rule of a measured operand or result.
func Activation() Rule { return Rule{Kind: Free} }

// PerChannel is the rule of weights with one scale for each index of axis.
func PerChannel(axis int) Rule { return Rule{Kind: Weight, Axis: axis} }

// PerTensor is the rule of weights with one scale, bits wide.
func PerTensor(bits int) Rule { return Rule{Kind: Weight, Axis: -1, Bits: bits} }

// BiasOf is the rule of a bias that is added to the product of two operands.
func BiasOf(a, b int) Rule { return Rule{Kind: Bias, Of: []int{a, b}} }

// Pin8And16 is the rule of results whose parameters the kernel fixes: int8 and,
// symmetric, int16.
func Pin8And16(scale8 float32, zero8 int64, scale16 float32) Rule {
	return Rule{Kind: Pinned, Pins: []Pin{{tensor.Int8, scale8, zero8}, {tensor.Int16, scale16, 0}}}
}

// Pin returns the fixed parameters for an element type.
func (r Rule) Pin(d tensor.DType) (Pin, bool) {
	for _, p := range r.Pins {
		if p.Type == d {
			return p, true
		}
	}
	return Pin{}, false
}

// InRule returns the rule of operand i.
func (q *Quant) InRule(i int) Rule {
	if i < len(q.In) {
		return q.In[i]
	}
	return Rule{}
}

// OutRule returns the rule of result i.
func (q *Quant) OutRule(i int) Rule {
	if i < len(q.Out) {
		return q.Out[i]
	}
	return Activation()
}

// Of returns the rules of a node of the operator.
func (q *Quant) Of(n *graph.Node) *Quant {
	if q.For != nil {
		return q.For(n)
	}
	return q
}

// For16 returns the rules of the 16x8 family and whether it quantizes the
// operator at all.
func (q *Quant) For16() (*Quant, bool) {
	if q.None || q.No16 {
		return nil, false
	}
	if q.Int16 != nil {
		return q.Int16, true
	}
	return q, true
}

// SameScale is the whole rule of operators that move or select elements of the
// listed operands.
func SameScale(operands ...int) Quant {
	n := 0
	for _, i := range operands {
		n = max(n, i)
	}
	q := Quant{Same: true, In: make([]Rule, n+1), Out: []Rule{Activation()}}
	for _, i := range operands {
		q.In[i] = Activation()
	}
	return q
}
