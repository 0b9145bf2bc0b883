package calibrate

import (
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
)

// TensorFlow's calibrator logs an operator's operands again after it has run. A
// kernel that wrote its result over an operand (TFLite's in-place operators)
// therefore adds the result's range to the operand's. The two tables are the
// inplace_operator flags of TFLite's registrations.
var (
	// overwrites lists the operands whose memory the first result may take.
	overwrites = map[graph.OpCode][]int{
		graph.OpCode(schema.ADD):                  {0, 1},
		graph.OpCode(schema.SUB):                  {0, 1},
		graph.OpCode(schema.MUL):                  {0, 1},
		graph.OpCode(schema.DIV):                  {0, 1},
		graph.OpCode(schema.SOFTMAX):              {0},
		graph.OpCode(schema.DYNAMIC_UPDATE_SLICE): {0},
	}
	// views lists the operators whose result is operand 0 in the same memory.
	views = map[graph.OpCode]bool{
		graph.OpCode(schema.RESHAPE):     true,
		graph.OpCode(schema.EXPAND_DIMS): true,
		graph.OpCode(schema.SQUEEZE):     true,
		graph.OpCode(schema.BITCAST):     true,
	}
)

// overwrite is a result that takes an operand's memory.
type overwrite struct{ operand, result graph.ValueID }

// overwritten finds where TFLite's memory planner lets a result take an operand's
// memory (ArenaPlanner::IdentifyInPlaceTensors).
func overwritten(g *graph.Subgraph) []overwrite {
	p := planner{g: g, refs: references(g), root: make([]graph.ValueID, len(g.Values))}
	for i := range p.root {
		p.root[i] = graph.ValueID(i)
	}
	var found []overwrite
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if len(n.Outputs) == 0 || len(n.Inputs) == 0 || n.Outputs[0] == graph.None {
			continue
		}
		result := n.Outputs[0]
		if views[n.Op] && p.arena(n.Inputs[0]) && !g.IsOutput(result) {
			p.root[result] = p.root[n.Inputs[0]]
			continue
		}
		for _, k := range overwrites[n.Op] {
			if k >= len(n.Inputs) || !p.shareable(n.Inputs[k], result) {
				continue
			}
			if root := p.root[n.Inputs[k]]; p.refs[root] <= 1 {
				p.root[result] = root
				found = append(found, overwrite{n.Inputs[k], result})
			}
			break
		}
	}
	return found
}

type planner struct {
	g    *graph.Subgraph
	refs []int           // readers of each value, the caller among them
	root []graph.ValueID // whose memory each value lives in
}

func references(g *graph.Subgraph) []int {
	refs := make([]int, len(g.Values))
	for _, v := range slices.Concat(g.Inputs, g.Outputs) {
		refs[v]++
	}
	for i := range g.Nodes {
		for _, v := range g.Nodes[i].Inputs {
			if v != graph.None {
				refs[v]++
			}
		}
	}
	return refs
}

// arena reports whether a value lives in the planner's memory and may give it up.
func (p *planner) arena(v graph.ValueID) bool {
	return v != graph.None && !p.g.Values[v].IsConst() && !p.g.Values[v].Variable && !p.g.IsInput(v)
}

// shareable holds for operands of the result's size, above four bytes, that only
// this node reads. Dynamic dimensions count as 1.
func (p *planner) shareable(operand, result graph.ValueID) bool {
	if !p.arena(operand) || p.g.IsOutput(result) || p.refs[operand] > 1 {
		return false
	}
	a, b := &p.g.Values[operand], &p.g.Values[result]
	m, err1 := a.Shape.Bytes(a.DType)
	n, err2 := b.Shape.Bytes(b.DType)
	return err1 == nil && err2 == nil && m == n && m > 4
}
