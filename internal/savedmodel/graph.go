package savedmodel

import (
	"fmt"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// Graph is a frozen graph: functions are inlined, variables are constants, and
// every node is needed by an output. Nodes are in topological order; the
// placeholders of the inputs come first, in the inputs' order.
type Graph struct {
	Nodes     []*Node
	Inputs    []Port
	Outputs   []Port
	Variables []*Variable // those that nodes come from, in order of first use
}

// Node is an operation in TensorFlow's terms.
type Node struct {
	// Name is the name inside the function that holds the node, as TensorFlow's
	// converter shows it. A function that is called twice gives the same name twice.
	Name string
	// Scope joins the names of the calls the node was inlined through with slashes.
	Scope  string
	Op     string
	Inputs []Ref
	// Attrs holds the node's attributes, and the defaults of the others where
	// the file tells them.
	Attrs    map[string]*pb.AttrValue
	Value    *tensor.Tensor // of a Const
	Variable *Variable      // of a Const that was a variable
	// Bodies holds the frozen functions of a control-flow node by attribute
	// (then_branch, else_branch, cond, body).
	Bodies map[string]*Graph
}

// Ref names output Output of node Node.
type Ref struct{ Node, Output int }

// String lists the graph for tests and debugging, a node a line.
func (g *Graph) String() string {
	var b strings.Builder
	for i, n := range g.Nodes {
		fmt.Fprintf(&b, "%d %s %s", i, n.Name, n.Op)
		for _, in := range n.Inputs {
			fmt.Fprintf(&b, " %d:%d", in.Node, in.Output)
		}
		if n.Value != nil {
			fmt.Fprintf(&b, " %v%v", n.Value.DType(), n.Value.Shape())
		}
		if n.Variable != nil {
			fmt.Fprintf(&b, " variable=%s", n.Variable.Name)
		}
		b.WriteByte('\n')
	}
	printPorts(&b, "in", g.Inputs)
	printPorts(&b, "out", g.Outputs)
	return b.String()
}

func printPorts(b *strings.Builder, kind string, ports []Port) {
	for _, p := range ports {
		shape := "?"
		if p.Shape != nil {
			shape = p.Shape.String()
		}
		fmt.Fprintf(b, "%s %s %s %v%s %d:%d\n", kind, p.Name, p.Tensor, p.DType, shape, p.Ref.Node, p.Ref.Output)
	}
}
