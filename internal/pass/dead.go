package pass

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
)

// dead drops pure nodes whose results nobody reads and values that nothing
// mentions, and numbers the values as the converter does: inputs, constants,
// results.
func dead(m *graph.Model, o *Options) error {
	for i, g := range m.Subgraphs {
		dropDead(g, o)
		m.Renumber(i, m.Referenced(i))
	}
	return nil
}

func dropDead(g *graph.Subgraph, o *Options) {
	needed := make([]bool, len(g.Values))
	mark := func(ids []graph.ValueID) {
		for _, v := range ids {
			if v != graph.None {
				needed[v] = true
			}
		}
	}
	mark(g.Outputs)
	drop := make([]bool, len(g.Nodes))
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := &g.Nodes[i]
		if drop[i] = pure(o, n) && !anyOf(needed, n.Outputs); !drop[i] {
			mark(n.Inputs)
		}
	}
	g.RemoveNodes(func(i int) bool { return drop[i] })
}

func anyOf(set []bool, ids []graph.ValueID) bool {
	for _, v := range ids {
		if v != graph.None && set[v] {
			return true
		}
	}
	return false
}

// pure reports whether a node does nothing but compute its results.
func pure(o *Options, n *graph.Node) bool {
	d, err := o.Ops.Lookup(n)
	return err == nil && d.Effect == op.Pure
}
