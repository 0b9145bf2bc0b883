package train

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// Loss is what training makes small. Implementations are of this package.
type Loss interface {
	// attach appends the loss of output y against labels to a graph. It returns
	// each example's loss, and the value whose gradient it also computed.
	attach(s *graph.Subgraph, y, labels graph.ValueID) (loss, of, gradient graph.ValueID, err error)
}

// SparseCategoricalCrossentropy is Keras's: labels are class numbers. As in Keras,
// an output that is a softmax is taken before it, whatever FromLogits says.
type SparseCategoricalCrossentropy struct{ FromLogits bool }

func (l SparseCategoricalCrossentropy) attach(s *graph.Subgraph, y, labels graph.ValueID) (loss, of, gradient graph.ValueID, err error) {
	logits, ok := beforeSoftmax(s, y)
	if !ok && !l.FromLogits {
		return 0, 0, 0, fmt.Errorf("the output is no softmax and FromLogits is false: %w", tensor.ErrUnsupported)
	}
	loss = s.Add(graph.Value{Name: "loss", DType: tensor.Float32, Unranked: true})
	gradient = s.Add(graph.Value{Name: "grad/logits", DType: tensor.Float32, Unranked: true})
	s.Nodes = append(s.Nodes, graph.Node{
		Op: training.CrossEntropyCode, Inputs: []graph.ValueID{logits, labels}, Outputs: []graph.ValueID{loss, gradient},
	})
	return loss, logits, gradient, nil
}

// beforeSoftmax returns the operand of the softmax that computes y, or y itself.
func beforeSoftmax(s *graph.Subgraph, y graph.ValueID) (graph.ValueID, bool) {
	p := s.Producers()[y]
	if p < 0 || s.Nodes[p].Op != graph.OpCode(schema.SOFTMAX) || graph.Options[fb.SoftmaxOptionsT](&s.Nodes[p]).Beta != 1 {
		return y, false
	}
	return s.Nodes[p].Inputs[0], true
}
