package quantop

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Densify is DENSIFY: a sparse constant's elements with the zeros between them.
// Engines expand sparse constants before any operator sees them, so that nothing is
// left to do.
var Densify = &op.Def{
	Code:     graph.OpCode(schema.DENSIFY),
	Name:     "DENSIFY",
	Operands: op.In("input", op.F32|op.F16|op.I8).Out("output", op.F32|op.F16|op.I8).Like(0),
	Facts: func(c *op.Call) error {
		if !c.In[0].Sparse {
			return fmt.Errorf("input is no sparse constant: %w", tensor.ErrMalformed)
		}
		return op.SameAs(0)(c)
	},
	Alias: []int{0},
	View:  true,
	Since: []string{"2.2.0"},
	Quant: op.Quant{None: true},
	Ref: op.Plain(func(r *op.Run) error {
		copy(r.Out[0].Bytes(), r.In[0].Bytes())
		return nil
	}),
}
