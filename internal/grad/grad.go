// Package grad is reverse-mode automatic differentiation: it extends a subgraph
// with the nodes that compute the gradients of its values. A rule says what an
// operator contributes; everything else is the chain rule.
package grad

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Rule returns the gradients of a node's operands, given its results'. An operand
// whose gradient is not asked for, or that has none, is graph.None.
type Rule func(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error)

// Builder adds nodes to a subgraph.
type Builder struct {
	Graph  *graph.Subgraph
	wanted []bool // by value: a gradient is needed
}

// Wants reports whether the gradient of v is needed.
func (b *Builder) Wants(v graph.ValueID) bool {
	return v != graph.None && int(v) < len(b.wanted) && b.wanted[v]
}

// Node appends a node with one float32 result of unknown shape and returns it.
func (b *Builder) Node(code graph.OpCode, options any, in ...graph.ValueID) graph.ValueID {
	return b.Nodes(code, options, []tensor.DType{tensor.Float32}, in...)[0]
}

// Nodes appends a node with results of the given types and unknown shapes.
func (b *Builder) Nodes(code graph.OpCode, options any, types []tensor.DType, in ...graph.ValueID) []graph.ValueID {
	out := make([]graph.ValueID, len(types))
	for i, d := range types {
		out[i] = b.Graph.Add(graph.Value{Name: fmt.Sprintf("grad/%d", len(b.Graph.Values)), DType: d, Unranked: true})
	}
	b.Graph.Nodes = append(b.Graph.Nodes, graph.Node{Op: code, Options: options, Inputs: in, Outputs: out})
	return out
}

// Of appends a node of one of TFLite's operators, with one float32 result.
func (b *Builder) Of(code schema.BuiltinOperator, options any, in ...graph.ValueID) graph.ValueID {
	return b.Node(graph.OpCode(code), options, in...)
}

// Constant appends a float32 scalar.
func (b *Builder) Constant(x float32) graph.ValueID {
	return b.Graph.Add(graph.Value{Name: fmt.Sprint(x), DType: tensor.Float32, Shape: tensor.Shape{}, Const: tensor.BytesOf([]float32{x})})
}

// Ints appends an int32 vector.
func (b *Builder) Ints(v ...int) graph.ValueID {
	data := tensor.Aligned(4 * len(v))
	for i, x := range v {
		tensor.View[int32](data)[i] = int32(x)
	}
	return b.Graph.Add(graph.Value{Name: fmt.Sprint(v), DType: tensor.Int32, Shape: tensor.Shape{len(v)}, Const: data})
}

// Known returns the elements of an integer constant.
func (b *Builder) Known(v graph.ValueID) ([]int, error) {
	if x := b.Graph.Value(v); x.IsConst() {
		return op.IntsOf(x.Tensor())
	}
	return nil, fmt.Errorf("gradient where operand %q depends on data: %w", b.Graph.Value(v).Name, tensor.ErrUnsupported)
}

// Shape returns what is known of a value's shape; not even the rank is an error.
func (b *Builder) Shape(v graph.ValueID) (tensor.Shape, error) {
	if x := b.Graph.Value(v); !x.Unranked {
		return x.Partial(), nil
	}
	return nil, fmt.Errorf("gradient of %q, whose rank is not known: %w", b.Graph.Value(v).Name, tensor.ErrUnsupported)
}

// Sum returns the sum of two gradients, either of which may be None.
func (b *Builder) Sum(x, y graph.ValueID) graph.ValueID {
	switch {
	case x == graph.None:
		return y
	case y == graph.None:
		return x
	}
	return b.Of(schema.ADD, &fb.AddOptionsT{}, x, y)
}

// Backward appends the gradients of the wanted values with respect to the scalar
// whose gradients with respect to some results are the seeds. Values that the
// scalar does not depend on have no entry in the answer.
func Backward(s *graph.Subgraph, seeds map[graph.ValueID]graph.ValueID, wanted []graph.ValueID) (map[graph.ValueID]graph.ValueID, error) {
	b := &Builder{Graph: s, wanted: Dependents(s, wanted)}
	grads := map[graph.ValueID]graph.ValueID{}
	for v, g := range seeds {
		grads[v] = g
	}
	var errs []error
	for i := len(s.Nodes) - 1; i >= 0; i-- { // nodes appended below are gradients themselves
		n := s.Nodes[i]
		if err := b.node(&n, grads); err != nil {
			errs = append(errs, &graph.Error{Node: fmt.Sprintf("%d %s", i, op.NameOf(&n)), Origins: n.Origins, Err: err})
		}
	}
	return grads, graph.Join(errs...)
}

// Dependents marks the wanted values and every result that depends on one by
// real numbers: through integers and conditions no gradient flows.
func Dependents(s *graph.Subgraph, wanted []graph.ValueID) []bool {
	mark := make([]bool, len(s.Values))
	for _, v := range wanted {
		mark[v] = true
	}
	for i := range s.Nodes {
		for _, v := range s.Nodes[i].Inputs {
			if v != graph.None && mark[v] {
				for _, o := range s.Nodes[i].Outputs {
					mark[o] = s.Value(o).DType == tensor.Float32
				}
			}
		}
	}
	return mark
}

func (b *Builder) node(n *graph.Node, grads map[graph.ValueID]graph.ValueID) error {
	dy := make([]graph.ValueID, len(n.Outputs))
	any := false
	for k, v := range n.Outputs {
		g, ok := grads[v]
		if dy[k] = graph.None; ok && b.Wants(v) {
			dy[k], any = g, true
		}
	}
	if !any {
		return nil
	}
	rule := Rules[n.Op]
	if rule == nil {
		return fmt.Errorf("no gradient rule: %w", tensor.ErrUnsupported)
	}
	dx, err := rule(b, n, dy)
	if err != nil {
		return err
	}
	for k, g := range dx {
		if v := n.Inputs[k]; g != graph.None && b.Wants(v) {
			old, ok := grads[v]
			if !ok {
				old = graph.None
			}
			grads[v] = b.Sum(old, g)
		}
	}
	return nil
}
