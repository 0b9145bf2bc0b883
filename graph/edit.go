package graph

import "slices"

// Use is one place where a value is read: operand Operand of node Node.
type Use struct{ Node, Operand int }

// Uses lists, for every value, the places where it is read, in node order.
func (s *Subgraph) Uses() [][]Use {
	uses := make([][]Use, len(s.Values))
	for i := range s.Nodes {
		for k, v := range s.Nodes[i].Inputs {
			if v != None {
				uses[v] = append(uses[v], Use{i, k})
			}
		}
	}
	return uses
}

// Producers lists, for every value, the node that computes it, -1 if none does.
func (s *Subgraph) Producers() []int {
	p := make([]int, len(s.Values))
	for i := range p {
		p[i] = -1
	}
	for i := range s.Nodes {
		for _, v := range s.Nodes[i].Outputs {
			if v != None {
				p[v] = i
			}
		}
	}
	return p
}

// Add appends a value and returns its ID.
func (s *Subgraph) Add(v Value) ValueID {
	s.Values = append(s.Values, v)
	return ValueID(len(s.Values) - 1)
}

// Value returns the declaration of v, which must not be None.
func (s *Subgraph) Value(v ValueID) *Value { return &s.Values[v] }

// IsOutput reports whether v is an output of the subgraph.
func (s *Subgraph) IsOutput(v ValueID) bool { return slices.Contains(s.Outputs, v) }

// IsInput reports whether v is an input of the subgraph.
func (s *Subgraph) IsInput(v ValueID) bool { return slices.Contains(s.Inputs, v) }

// ReplaceUses makes every reader of old, the subgraph's outputs included, read
// with instead.
func (s *Subgraph) ReplaceUses(old, with ValueID) {
	for i := range s.Nodes {
		replace(s.Nodes[i].Inputs, old, with)
	}
	replace(s.Outputs, old, with)
}

func replace(ids []ValueID, old, with ValueID) {
	for i := range ids {
		if ids[i] == old {
			ids[i] = with
		}
	}
}

// Insert puts nodes before position at.
func (s *Subgraph) Insert(at int, nodes ...Node) { s.Nodes = slices.Insert(s.Nodes, at, nodes...) }

// RemoveNodes drops the nodes for which drop answers true.
func (s *Subgraph) RemoveNodes(drop func(i int) bool) {
	kept := s.Nodes[:0:0]
	for i := range s.Nodes {
		if !drop(i) {
			kept = append(kept, s.Nodes[i])
		}
	}
	s.Nodes = kept
}

// Renumber keeps the values in the order that keep lists, drops all others and
// rewrites every reference, the model's signatures included. Values that are
// still referenced must be in keep.
func (m *Model) Renumber(subgraph int, keep []ValueID) {
	s := m.Subgraphs[subgraph]
	to := make([]ValueID, len(s.Values))
	for i := range to {
		to[i] = None
	}
	values := make([]Value, len(keep))
	for i, v := range keep {
		to[v], values[i] = ValueID(i), s.Values[v]
	}
	s.Values = values
	for i := range values {
		if b := values[i].Blockwise; b != nil {
			values[i].Blockwise = &Blockwise{b.Size, renumbered(to, b.Scales), renumbered(to, b.ZeroPoints), b.Axes}
		}
	}
	apply := func(ids []ValueID) {
		for i, v := range ids {
			ids[i] = renumbered(to, v)
		}
	}
	apply(s.Inputs)
	apply(s.Outputs)
	for i := range s.Nodes {
		apply(s.Nodes[i].Inputs)
		apply(s.Nodes[i].Outputs)
		apply(s.Nodes[i].Intermediates)
	}
	for i := range m.Signatures {
		if g := &m.Signatures[i]; g.Subgraph == subgraph {
			for _, list := range [][]NamedValue{g.Inputs, g.Outputs} {
				for k := range list {
					list[k].Value = to[list[k].Value]
				}
			}
		}
	}
}

func renumbered(to []ValueID, v ValueID) ValueID {
	if v == None {
		return None
	}
	return to[v]
}

// Referenced lists the values that anything in the subgraph or a signature
// mentions, in the converter's order: inputs, constants in order of first use,
// then results in execution order.
func (m *Model) Referenced(subgraph int) []ValueID {
	s := m.Subgraphs[subgraph]
	seen := make([]bool, len(s.Values))
	var inputs, constants, results []ValueID
	var add func(list *[]ValueID, v ValueID)
	add = func(list *[]ValueID, v ValueID) {
		if v != None && !seen[v] {
			seen[v] = true
			*list = append(*list, v)
			if b := s.Values[v].Blockwise; b != nil {
				add(&constants, b.Scales)
				add(&constants, b.ZeroPoints)
			}
		}
	}
	for _, v := range s.Inputs {
		add(&inputs, v)
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		for _, v := range n.Inputs {
			add(&constants, v) // results are already seen: nodes are in execution order
		}
		for _, v := range slices.Concat(n.Outputs, n.Intermediates) {
			add(&results, v)
		}
	}
	for _, v := range s.Outputs {
		add(&results, v)
	}
	return slices.Concat(inputs, constants, results)
}

// MergeOrigins returns the union of the lists, first come first.
func MergeOrigins(lists ...[]string) []string {
	var out []string
	for _, l := range lists {
		for _, o := range l {
			if !slices.Contains(out, o) {
				out = append(out, o)
			}
		}
	}
	return out
}
