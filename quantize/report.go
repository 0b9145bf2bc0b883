package quantize

import (
	"github.com/litequant/litequant/graph"
)

// Report says what quantization did.
type Report struct {
	Scheme Scheme
	// Nodes lists the float model's nodes that compute with real numbers, in
	// order.
	Nodes []NodeReport
	// FloatBytes and Bytes are the sizes of the constants before and after.
	FloatBytes, Bytes int
}

// NodeReport is one node's outcome.
type NodeReport struct {
	// Subgraph and Index place the node in the float model.
	Subgraph, Index int
	Operator        string
	// Name is the first result's.
	Name      string
	Quantized bool
	// Reason says why a node stayed float.
	Reason string
}

// Quantized counts the quantized nodes.
func (r *Report) Quantized() int {
	n := 0
	for i := range r.Nodes {
		if r.Nodes[i].Quantized {
			n++
		}
	}
	return n
}

// constantBytes adds up the constants, those in the same memory once.
func constantBytes(m *graph.Model) int {
	n := 0
	seen := map[*byte]bool{}
	for _, g := range m.Subgraphs {
		for i := range g.Values {
			if c := g.Values[i].Const; len(c) > 0 && !seen[&c[0]] {
				seen[&c[0]] = true
				n += len(c)
			}
		}
	}
	return n
}
