package op_test

import (
	"context"
	"fmt"
	"log"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// An operator of one's own is a row added to a copy of the set.
func ExampleSet_With() {
	double := &op.Def{
		Code: graph.Custom, Name: "Double",
		Operands: op.In("x", op.F32).Out("y", op.F32),
		Facts:    op.SameAs(0),
		Ref: op.Plain(func(r *op.Run) error {
			y := op.F32s(r.Out[0])
			for i, x := range op.F32s(r.In[0]) {
				y[i] = 2 * x
			}
			return nil
		}),
	}
	m := &graph.Model{Subgraphs: []*graph.Subgraph{{
		Values: []graph.Value{
			{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{2}}, {Name: "y", DType: tensor.Float32, Shape: tensor.Shape{2}},
		},
		Inputs: []graph.ValueID{0}, Outputs: []graph.ValueID{1},
		Nodes: []graph.Node{{Op: graph.Custom, Custom: "Double", Inputs: []graph.ValueID{0}, Outputs: []graph.ValueID{1}}},
	}}}
	p, err := engine.CompileWith(all.Set().With(double), m, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	r, err := p.NewRunner("")
	if err != nil {
		log.Fatal(err)
	}
	copy(op.F32s(r.Input("x")), []float32{1, 2})
	if err := r.Invoke(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Output("y").Float32s())
	// Output: [2 4]
}
