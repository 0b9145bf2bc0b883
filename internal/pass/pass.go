// Package pass rewrites models in TFLite's operators into cheaper models that
// compute the same. pipeline.go is the ordered list of what runs; one file holds
// one pass or one family of fusion rules.
//
// It promises that
//
//   - a model that was valid stays valid, and its signatures, inputs and outputs
//     keep their names and order;
//   - the fusions, their order and their rounding are those of TensorFlow 2.21's
//     converter, so that constants come out with the same bits;
//   - every node and value that remains carries the origins of all it stands
//     for, in the converter's order: joined by ";" they are the names its files
//     have. An empty origin stands for a constant that TensorFlow merged early;
//   - with Options.Train no value that holds a trainable parameter is changed:
//     such values may become a bias, which is used as it is, nothing else.
package pass

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
)

// Options say what passes may do.
type Options struct {
	// Ops are the operators the model may use.
	Ops op.Set
	// Train keeps trainable parameters as they are, so that gradients reach them.
	Train bool
}

// Pass is one step of a pipeline. It edits the model in place; constants and
// option structs are replaced, never written into.
type Pass struct {
	Name string
	Run  func(m *graph.Model, o *Options) error
}

// Run applies passes in order. The model must not be shared: see graph.Model.Clone.
func Run(m *graph.Model, o Options, passes []Pass) error {
	for _, p := range passes {
		if err := p.Run(m, &o); err != nil {
			return fmt.Errorf("pass %s: %w", p.Name, err)
		}
	}
	return nil
}

// fixed reports whether passes must leave a value's bytes alone.
func (o *Options) fixed(v *graph.Value) bool {
	return v.Variable || o.Train && v.Param != nil && v.Param.Trainable
}

// eachSubgraph makes a pass of an edit on one subgraph.
func eachSubgraph(edit func(g *graph.Subgraph, o *Options) error) func(*graph.Model, *Options) error {
	return func(m *graph.Model, o *Options) error {
		for _, g := range m.Subgraphs {
			if err := edit(g, o); err != nil {
				return err
			}
		}
		return nil
	}
}
