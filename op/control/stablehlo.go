package control

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Composite is STABLEHLO_COMPOSITE: an operator by name, which is computed by the
// subgraph that it decomposes into.
var Composite = def(schema.STABLEHLO_COMPOSITE, op.Operands{}.ManyIn("operands", op.Any).MaybeOut("results", op.Any), "2.17.0",
	func(n *graph.Node) []int32 {
		return []int32{graph.Options[fb.StableHLOCompositeOptionsT](n).DecompositionSubgraphIndex}
	}, 0,
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.StableHLOCompositeOptionsT](c.Node)
		return op.Kernel{State: newResults(c), Run: func(r *op.Run) error { return call(r, int(o.DecompositionSubgraphIndex), r.In) }}, nil
	})

// Case is STABLEHLO_CASE: operand 0 says which of several subgraphs is called with
// the others, the last one where there is none of that number.
var Case = def(schema.STABLEHLO_CASE, op.In("branch", op.I32).MaybeIn("operands", op.Any).MaybeOut("results", op.Any), "2.17.0",
	func(n *graph.Node) []int32 {
		return graph.Options[fb.StablehloCaseOptionsT](n).BranchSubgraphIndices
	}, 1,
	func(c *op.Call) (op.Kernel, error) {
		branches := graph.Options[fb.StablehloCaseOptionsT](c.Node).BranchSubgraphIndices
		if len(branches) == 0 {
			return op.Kernel{}, fmt.Errorf("no branches: %w", tensor.ErrMalformed)
		}
		return op.Kernel{State: newResults(c), Run: func(r *op.Run) error {
			i := op.I32s(r.In[0])
			if len(i) != 1 {
				return fmt.Errorf("a branch number of shape %v: %w", r.In[0].Shape(), tensor.ErrShape)
			}
			branch := len(branches) - 1
			if i[0] >= 0 && int(i[0]) < branch {
				branch = int(i[0])
			}
			return call(r, int(branches[branch]), r.In[1:])
		}}, nil
	})
