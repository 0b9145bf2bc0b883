package pass

import (
	"errors"
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
)

// largestFold bounds the bytes of a folded constant that is larger than its
// operands: tiling and filling are left to the runtime beyond it.
const largestFold = 1 << 20

// fold replaces nodes whose operands are all constant by their results, computed
// by the operators' own reference kernels.
func fold(g *graph.Subgraph, o *Options) error {
	folded := make([]bool, len(g.Nodes))
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if !foldable(g, n, o) {
			continue
		}
		ok, err := foldNode(g, n, o)
		if err != nil {
			return &graph.Error{Node: fmt.Sprintf("%d %s", i, op.NameOf(n)), Origins: n.Origins, Err: err}
		}
		folded[i] = ok
	}
	g.RemoveNodes(func(i int) bool { return folded[i] })
	return nil
}

func foldable(g *graph.Subgraph, n *graph.Node, o *Options) bool {
	for _, v := range n.Inputs {
		if v != graph.None && (!g.Value(v).IsConst() || o.fixed(g.Value(v))) {
			return false
		}
	}
	return len(n.Inputs) > 0
}

func foldNode(g *graph.Subgraph, n *graph.Node, o *Options) (bool, error) {
	d, err := o.Ops.Lookup(n)
	if err != nil || d.Effect != op.Pure || d.Ref == nil {
		return false, nil // it stays; compiling the model reports what is unknown
	}
	c := CallOf(g, n)
	if err := d.Check(c); err != nil {
		return false, err
	}
	if err := d.Facts(c); errors.Is(err, op.ErrLater) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if !worthFolding(c) {
		return false, nil
	}
	outs, err := op.Evaluate(d, c)
	if err != nil {
		return false, err
	}
	Declare(g, c, false)
	for k, v := range n.Outputs {
		if v != graph.None {
			val := g.Value(v)
			val.Const, val.Origins = outs[k].Bytes(), n.Origins
		}
	}
	return true, nil
}

func worthFolding(c *op.Call) bool {
	in, out := 0, 0
	for i := range c.In {
		in += len(c.In[i].Const)
	}
	for i := range c.Out {
		n, err := c.Out[i].Shape.Bytes(c.Out[i].DType)
		if err != nil || c.Out[i].Unknown {
			return false
		}
		out += n
	}
	return out <= max(in, largestFold)
}
