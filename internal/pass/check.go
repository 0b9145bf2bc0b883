package pass

import (
	"errors"
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
)

// check tests every node against its operator's row, so that later passes may
// rely on operands that are there and shapes that fit. Operators without a row
// are left alone.
func check(g *graph.Subgraph, o *Options) error {
	var errs []error
	for i := range g.Nodes {
		n := &g.Nodes[i]
		d, err := o.Ops.Lookup(n)
		if err != nil {
			continue
		}
		c := CallOf(g, n)
		if err = d.Check(c); err == nil {
			err = d.Facts(c)
		}
		if err != nil && !errors.Is(err, op.ErrLater) {
			errs = append(errs, &graph.Error{Node: fmt.Sprintf("%d %s", i, op.NameOf(n)), Origins: n.Origins, Err: err})
		}
	}
	return errors.Join(errs...)
}
