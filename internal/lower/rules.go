package lower

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/tensor"
)

// row says how a TensorFlow operator is lowered and how many inputs it has at
// least.
type row struct {
	inputs int
	lower  func(c *call)
}

type table map[string]row

// rules is the table of TensorFlow's operators.
var rules = join(identityRules, convRules, matmulRules, poolRules, activationRules, arithRules, compareRules, reduceRules,
	normRules, shapeRules, moveRules, selectRules, resizeRules)

// join merges the families' tables; an operator in two of them is a bug.
func join(families ...table) table {
	all := table{}
	for _, f := range families {
		for name, r := range f {
			if _, ok := all[name]; ok {
				panic("lower: operator " + name + " has two rows")
			}
			all[name] = r
		}
	}
	return all
}

// identityRules pass their inputs on.
var identityRules = table{
	"Identity":               {1, identity},
	"IdentityN":              {1, passThrough},
	"StopGradient":           {1, passThrough},
	"PreventGradient":        {1, passThrough},
	"CheckNumerics":          {1, passThrough},
	"Snapshot":               {1, passThrough},
	"PlaceholderWithDefault": {1, passThrough},
	"EnsureShape":            {1, passThrough},
}

func passThrough(c *call) { c.done(c.in...) }

// unary lowers to an operator of one operand and no options.
func unary(code schema.BuiltinOperator) row {
	return row{1, func(c *call) { c.done(c.emit(code, nil, c.in[0])) }}
}

// binary lowers to an operator of two operands whose options are made anew for
// each node; options may be nil.
func binary(code schema.BuiltinOperator, options func() any) row {
	return row{2, func(c *call) { c.done(c.emit(code, optionsOf(options), c.in[0], c.in[1])) }}
}

// predicate lowers to an operator whose result is bool.
func predicate(code schema.BuiltinOperator, inputs int) row {
	return row{inputs, func(c *call) { c.done(c.emitAs(tensor.Bool, code, nil, c.in[:inputs]...)) }}
}

func optionsOf(options func() any) any {
	if options == nil {
		return nil
	}
	return options()
}

// indexed lowers to an operator of a tensor and an integer vector.
func indexed(code schema.BuiltinOperator, options func() any) row {
	return row{2, func(c *call) {
		c.done(c.emit(code, optionsOf(options), c.in[0], c.index(c.in[1])))
	}}
}

// noResults marks results that no lowering computes: batch statistics, for
// example, which inference does not need.
func noResults(n int) []graph.ValueID {
	out := make([]graph.ValueID, n)
	for i := range out {
		out[i] = graph.None
	}
	return out
}
