package pass

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
)

// cse merges pure nodes that compute the same from the same operands into the
// first of them. Results that are outputs of the graph stay values of their own.
func cse(g *graph.Subgraph, o *Options) error {
	first, same := map[string]int{}, map[graph.ValueID]graph.ValueID{}
	merged := make([]bool, len(g.Nodes))
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for k, v := range n.Inputs {
			if w, ok := same[v]; ok {
				n.Inputs[k] = w
			}
		}
		if !pure(o, n) || slices.ContainsFunc(n.Outputs, func(v graph.ValueID) bool { return v == graph.None || g.IsOutput(v) }) {
			continue
		}
		key := fmt.Sprintf("%d %q %v %d %T%+v %x", n.Op, n.Custom, n.Inputs, len(n.Outputs), n.Options, n.Options, n.CustomOptions)
		f, ok := first[key]
		if !ok {
			first[key] = i
			continue
		}
		if !sameTypes(g, g.Nodes[f].Outputs, n.Outputs) {
			continue
		}
		for k, v := range n.Outputs {
			same[v] = g.Nodes[f].Outputs[k]
		}
		merged[i] = true
	}
	g.RemoveNodes(func(i int) bool { return merged[i] })
	return nil
}

// sameTypes reports whether values are declared alike, quantization included.
func sameTypes(g *graph.Subgraph, a, b []graph.ValueID) bool {
	for k := range a {
		x, y := g.Value(a[k]), g.Value(b[k])
		if x.DType != y.DType || fmt.Sprint(x.Quant) != fmt.Sprint(y.Quant) {
			return false
		}
	}
	return true
}
