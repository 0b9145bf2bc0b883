package engine

import (
	"cmp"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
)

// block is a piece of the arena with the steps during which it is alive.
type block struct {
	value       graph.ValueID
	size        int
	first, last int
	at          int
}

const arenaAlign = 64

// searched is how many values get the best place; the smaller ones of models that have
// still more lie behind each other, so that a plan never takes long.
const searched = 50_000

func roundUp(n int) int { return (n + arenaAlign - 1) &^ (arenaAlign - 1) }

// layOut places values by size, the largest first, each into the smallest gap
// between the blocks that live at the same time: TFLite's greedy arena planner.
func (p *plan) layOut(s *subProgram, temp, limit int) error {
	p.offset, p.size = make([]int, len(p.facts)), make([]int, len(p.facts))
	for i := range p.offset {
		p.offset[i] = -1
	}
	blocks, root, err := p.liveBlocks(s)
	if err != nil {
		return err
	}
	slices.SortStableFunc(blocks, func(a, b *block) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.first, b.first))
	})
	var placed []*block
	for _, b := range blocks {
		if b.at = p.arena; len(placed) < searched {
			b.at = gap(placed, b)
			i, _ := slices.BinarySearchFunc(placed, b.at, func(x *block, at int) int { return cmp.Compare(x.at, at) })
			placed = slices.Insert(placed, i, b)
		}
		p.offset[b.value] = b.at
		p.arena = max(p.arena, b.at+b.size)
		if p.arena > limit {
			return s.valueError(b.value, tooMuch(p.arena, limit))
		}
	}
	for v := range root {
		p.offset[v] = p.offset[rootOf(root, graph.ValueID(v))]
	}
	for v := range p.facts {
		if f := &p.facts[v]; f.Variable && p.offset[v] < 0 && f.DType.Bits() != 0 {
			n, err := f.Shape.Bytes(f.DType)
			if err != nil {
				return s.valueError(graph.ValueID(v), err)
			}
			if p.variables += n; p.variables > limit {
				return s.valueError(graph.ValueID(v), tooMuch(p.variables, limit))
			}
		}
	}
	p.tempAt = roundUp(p.arena)
	p.arena = p.tempAt + roundUp(temp)
	if p.arena > limit {
		i := max(slices.Index(p.temp, temp), 0)
		return nodeError(s.graph, s.index, s.steps[i].node, tooMuch(p.arena, limit))
	}
	return nil
}

// liveBlocks finds the values that need arena memory and their lifetimes. root
// maps a view (RESHAPE's result) to the value whose memory it shares.
func (p *plan) liveBlocks(s *subProgram) (blocks []*block, root []graph.ValueID, err error) {
	g := s.graph
	byValue := make([]*block, len(p.facts))
	root = make([]graph.ValueID, len(p.facts))
	for i := range root {
		root[i] = graph.None
	}
	end := len(s.steps)
	add := func(v graph.ValueID, first int) error {
		n, err := p.facts[v].Shape.Bytes(p.facts[v].DType)
		if err != nil {
			return err
		}
		p.size[v] = n
		byValue[v] = &block{value: v, size: roundUp(n), first: first, last: first}
		blocks = append(blocks, byValue[v])
		return nil
	}
	touch := func(v graph.ValueID, at int) {
		if root[v] != graph.None {
			v = root[v]
		}
		if b := byValue[v]; b != nil {
			b.last = max(b.last, at)
		}
	}
	for _, v := range g.Inputs {
		if byValue[v] == nil && p.facts[v].DType.Bits() != 0 {
			if err := add(v, 0); err != nil {
				return nil, nil, err
			}
			if !s.consume {
				touch(v, end)
			}
		}
	}
	for i := range s.steps {
		n := &g.Nodes[s.steps[i].node]
		for _, v := range n.Inputs {
			if v != graph.None {
				touch(v, i)
			}
		}
		if i >= p.static {
			continue
		}
		for k, v := range n.Outputs {
			if v == graph.None || p.facts[v].DType.Bits() == 0 {
				continue
			}
			if src := s.viewOf(&s.steps[i], k); src != graph.None && byValue[rootOf(root, src)] != nil && sameBytes(&p.facts[v], &p.facts[src]) {
				root[v] = rootOf(root, src)
				p.size[v] = p.size[src]
				touch(v, i)
				continue
			}
			if err := add(v, i); err != nil {
				return nil, nil, nodeError(g, s.index, s.steps[i].node, err)
			}
		}
	}
	for _, v := range g.Outputs {
		touch(v, end)
	}
	return p.shareDying(s, blocks, byValue, root), root, nil
}

// shareDying lets a result take the place of an operand that nobody reads afterwards,
// where the operator's row allows it. It returns the blocks that remain.
func (p *plan) shareDying(s *subProgram, blocks, byValue []*block, root []graph.ValueID) []*block {
	gone := map[*block]bool{}
	for i := range s.steps[:p.static] {
		n := &s.graph.Nodes[s.steps[i].node]
		if len(n.Outputs) == 0 || n.Outputs[0] == graph.None {
			continue
		}
		b := byValue[n.Outputs[0]]
		if b == nil || b.first != i || s.steps[i].def.View {
			continue
		}
		for _, k := range s.steps[i].def.Alias {
			if k >= len(n.Inputs) || n.Inputs[k] == graph.None {
				continue
			}
			from := rootOf(root, n.Inputs[k])
			old := byValue[from]
			if old == nil || old.last != i || !sameBytes(&p.facts[b.value], &p.facts[n.Inputs[k]]) || readsTwice(n, root, from) {
				continue
			}
			old.last = b.last
			gone[b] = true
			byValue[b.value] = nil
			root[b.value] = from
			break
		}
	}
	return slices.DeleteFunc(blocks, func(b *block) bool { return gone[b] })
}

// readsTwice reports whether several operands lie in the same memory.
func readsTwice(n *graph.Node, root []graph.ValueID, memory graph.ValueID) bool {
	times := 0
	for _, v := range n.Inputs {
		if v != graph.None && rootOf(root, v) == memory {
			times++
		}
	}
	return times > 1
}

func rootOf(root []graph.ValueID, v graph.ValueID) graph.ValueID {
	for root[v] != graph.None { // twice at most: a view, what is in place
		v = root[v]
	}
	return v
}

// viewOf returns the operand whose memory the step's first result may share
// unchanged.
func (s *subProgram) viewOf(st *step, result int) graph.ValueID {
	if !st.def.View || result != 0 {
		return graph.None
	}
	return s.graph.Nodes[st.node].Inputs[st.def.Alias[0]]
}

func sameBytes(a, b *op.Fact) bool {
	m, err1 := a.Shape.Bytes(a.DType)
	n, err2 := b.Shape.Bytes(b.DType)
	return err1 == nil && err2 == nil && m == n
}

// gap finds the smallest hole between the placed blocks that are alive together
// with b, or the end.
func gap(placed []*block, b *block) int {
	best, bestSize, at := -1, 0, 0
	for _, o := range placed {
		if o.last < b.first || b.last < o.first {
			continue
		}
		if hole := o.at - at; hole >= b.size && (best < 0 || hole < bestSize) {
			best, bestSize = at, hole
		}
		at = max(at, o.at+o.size)
	}
	if best >= 0 {
		return best
	}
	return at
}
