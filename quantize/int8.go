package quantize

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// int8 rewrites the subgraph with int8 activations.
func (j *job) int8() error {
	if err := j.checkRanges(); err != nil {
		return err
	}
	nodes := j.classify(func(q *op.Quant) (*op.Quant, bool) { return q, int8Form(q) })
	d := newDriver(j, nodes)
	d.propagate()
	quantized := d.decide()
	if err := j.conclude(nodes, quantized); err != nil {
		return err
	}
	newRewriter(d, quantized).run()
	return nil
}

// int8Form reports whether the int8 schemes apply an operator's rules. They leave
// operators with state alone, whose intermediates are measured inside the kernel.
func int8Form(q *op.Quant) bool { return !q.None && stateless(q) }

func stateless(q *op.Quant) bool {
	state := func(r op.Rule) bool { return r.Kind == op.SymPOT || r.Kind == op.Symmetric || r.Kind == op.StateOf }
	return len(q.Intermediates) == 0 && !slices.ContainsFunc(q.In, state) && !slices.ContainsFunc(q.Out, state)
}

// checkRanges refuses ranges no scale can express.
func (j *job) checkRanges() error {
	for v := range j.src.Values {
		r, ok := j.ranges[graph.ValueID(v)]
		if width := r.Max - r.Min; ok && width-width != 0 {
			return &graph.Error{
				Value: fmt.Sprintf("%d %q", v, j.src.Values[v].Name),
				Err:   fmt.Errorf("range [%v, %v] is not finite: %w", r.Min, r.Max, tensor.ErrMalformed),
			}
		}
	}
	return nil
}

// decide returns which nodes compute in integers: those all of whose real
// operands and results have parameters.
func (d *driver) decide() []bool {
	quantized := make([]bool, len(d.nodes))
	for i := range d.nodes {
		n := &d.nodes[i]
		if n.q != nil && !n.excluded {
			quantized[i] = d.complete(n, i)
		}
	}
	for i := range d.nodes {
		n := &d.nodes[i]
		if quantized[i] && len(d.realResults(n.Node)) == 0 && !d.reached(i, quantized) {
			quantized[i], n.why = false, "an operand of it is read by a float operator or an output first"
		}
	}
	return quantized
}

// complete reports whether node i has all parameters, and says in why what lacks.
func (d *driver) complete(n *node, i int) bool {
	operands, results := d.realOperands(n.Node), d.realResults(n.Node)
	for _, k := range operands {
		if d.operand(i, k) == nil || n.in(k).Kind == op.Untouched {
			n.why = fmt.Sprintf("operand %d, %q, has no range", k, d.src.Values[n.Inputs[k]].Name)
			return false
		}
	}
	for _, k := range results {
		if d.own(n.Outputs[k]) == nil {
			n.why = fmt.Sprintf("result %d, %q, has no range", k, d.src.Values[n.Outputs[k]].Name)
			return false
		}
	}
	return len(operands)+len(results) > 0
}

// reached models how the converter gets to a node without real results: from an
// operand, by its readers, the last one first (the first one first for inputs),
// until one of them stays float. An output counts as the last reader.
func (d *driver) reached(i int, quantized []bool) bool {
	for _, k := range d.realOperands(d.nodes[i].Node) {
		v := d.nodes[i].Inputs[k]
		if d.src.Values[v].IsConst() || d.requant[graph.Use{Node: i, Operand: k}] != nil {
			return true
		}
		input := d.src.IsInput(v)
		if d.src.IsOutput(v) && !input {
			continue
		}
		blocked := slices.ContainsFunc(d.uses[v], func(u graph.Use) bool {
			before := u.Node > i
			if input {
				before = u.Node < i
			}
			return before && !quantized[u.Node]
		})
		if !blocked {
			return true
		}
	}
	return false
}
