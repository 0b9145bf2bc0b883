package pass

import (
	"bytes"
	"hash/maphash"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
)

// dedup merges constants of the same type, shape and bytes. A merged constant
// has no origins and is nobody's parameter any more.
func dedup(g *graph.Subgraph, o *Options) error {
	read := make([]bool, len(g.Values))
	for i := range g.Nodes {
		for _, v := range g.Nodes[i].Inputs {
			if v != graph.None {
				read[v] = true
			}
		}
	}
	type key struct {
		dtype tensor.DType
		shape string
		hash  uint64
	}
	seed, first := maphash.MakeSeed(), map[key]graph.ValueID{}
	merged := map[graph.ValueID]graph.ValueID{}
	for i := range g.Values {
		v, id := &g.Values[i], graph.ValueID(i)
		if !read[i] || !v.IsConst() || !v.Quant.IsZero() || o.fixed(v) || g.IsOutput(id) {
			continue
		}
		k := key{v.DType, v.Shape.String(), maphash.Bytes(seed, v.Const)}
		same, ok := first[k]
		if !ok {
			first[k] = id
		} else if bytes.Equal(g.Value(same).Const, v.Const) {
			merged[id] = same
			g.Value(same).Origins, g.Value(same).Param = nil, nil
		}
	}
	for i := range g.Nodes {
		for k, v := range g.Nodes[i].Inputs {
			if same, ok := merged[v]; ok {
				g.Nodes[i].Inputs[k] = same
			}
		}
	}
	return nil
}
