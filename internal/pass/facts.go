package pass

import (
	"errors"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// CallOf gathers what the graph declares about a node's operands and results.
func CallOf(g *graph.Subgraph, n *graph.Node) *op.Call {
	c := &op.Call{Node: n, In: make([]op.Fact, len(n.Inputs)), Out: make([]op.Fact, len(n.Outputs))}
	for k, v := range n.Inputs {
		if v != graph.None {
			c.In[k] = factOf(g.Value(v))
		}
	}
	for k, v := range n.Outputs {
		if v != graph.None {
			c.Out[k] = factOf(g.Value(v))
		}
	}
	return c
}

func factOf(v *graph.Value) op.Fact {
	f := op.Fact{Present: true, DType: v.DType, Shape: v.Partial(), Unknown: v.Unranked, Quant: v.Quant, Variable: v.Variable}
	if v.IsConst() {
		f.Shape, f.Const = v.Shape, aligned(v.Const)
	}
	return f
}

// aligned returns b itself where kernels can view it, else a copy.
func aligned(b []byte) []byte {
	if tensor.IsAligned(b, 16) {
		return b
	}
	c := tensor.Aligned(len(b))
	copy(c, b)
	return c
}

// Derive checks a node against its row and declares its results' types and
// shapes as the row derives them; a shape that depends on data is unranked.
func Derive(ops op.Set, g *graph.Subgraph, n *graph.Node) error {
	d, err := ops.Lookup(n)
	if err != nil {
		return err
	}
	c := CallOf(g, n)
	for k := range c.Out {
		c.Out[k].Unknown = false
	}
	if err := d.Check(c); err != nil {
		return err
	}
	err = d.Facts(c)
	later := errors.Is(err, op.ErrLater)
	if err != nil && !later {
		return err
	}
	Declare(g, c, later)
	return nil
}

// Declare writes the facts about a call's results into the graph.
func Declare(g *graph.Subgraph, c *op.Call, later bool) {
	for k, v := range c.Node.Outputs {
		if v == graph.None {
			continue
		}
		val := g.Value(v)
		val.DType = c.Out[k].DType
		if val.Unranked = later || c.Out[k].Unknown; val.Unranked {
			val.Shape, val.Signature = tensor.Shape{}, nil
			continue
		}
		val.SetPartial(c.Out[k].Shape)
	}
}
