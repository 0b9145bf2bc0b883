package grad

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// Rules is the table of gradients by operator.
var Rules = map[graph.OpCode]Rule{
	graph.OpCode(schema.CONV_2D):         conv2D,
	graph.OpCode(schema.FULLY_CONNECTED): fullyConnected,
	graph.OpCode(schema.MAX_POOL_2D):     maxPool,
	graph.OpCode(schema.AVERAGE_POOL_2D): averagePool,
	graph.OpCode(schema.RESHAPE):         reshape,
	graph.OpCode(schema.SQUEEZE):         reshape,
	graph.OpCode(schema.EXPAND_DIMS):     reshape,
	graph.OpCode(schema.SOFTMAX):         softmax,
	graph.OpCode(schema.RELU):            clamp(0, float32(math.Inf(1))),
	graph.OpCode(schema.RELU6):           clamp(0, 6),
	graph.OpCode(schema.RELU_N1_TO_1):    clamp(-1, 1),
	graph.OpCode(schema.RELU_0_TO_1):     clamp(0, 1),
	graph.OpCode(schema.ADD):             add,
	graph.OpCode(schema.SUB):             sub,
	graph.OpCode(schema.MUL):             mul,
}

// beforeActivation takes a gradient back through a node's fused activation.
func (b *Builder) beforeActivation(n *graph.Node, act fb.ActivationFunctionType, dy graph.ValueID) (graph.ValueID, error) {
	if act == fb.ActivationFunctionTypeNONE {
		return dy, nil
	}
	lo, hi, err := op.FloatRange(act)
	if err != nil {
		return graph.None, err
	}
	return b.Node(training.ClampGradCode, &training.Clamp{Lo: lo, Hi: hi}, n.Outputs[0], dy), nil
}

func clamp(lo, hi float32) Rule {
	return func(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
		return []graph.ValueID{b.Node(training.ClampGradCode, &training.Clamp{Lo: lo, Hi: hi}, n.Outputs[0], dy[0])}, nil
	}
}

// weighted is the rule of x·w + bias: each gradient only where it is wanted.
func weighted(b *Builder, n *graph.Node, dy graph.ValueID, dx, dw func() graph.ValueID) []graph.ValueID {
	out := make([]graph.ValueID, len(n.Inputs))
	for k, v := range n.Inputs {
		out[k] = graph.None
		if !b.Wants(v) {
			continue
		}
		switch k {
		case 0:
			out[k] = dx()
		case 1:
			out[k] = dw()
		case 2:
			out[k] = b.Node(training.BiasGradCode, nil, dy)
		}
	}
	return out
}

func conv2D(b *Builder, n *graph.Node, dys []graph.ValueID) ([]graph.ValueID, error) {
	o, ok := n.Options.(*fb.Conv2DOptionsT)
	if !ok {
		return nil, fmt.Errorf("options are missing: %w", tensor.ErrMalformed)
	}
	x, w := b.Graph.Value(n.Inputs[0]), b.Graph.Value(n.Inputs[1])
	if s := x.Partial(); len(s) == 4 && len(w.Shape) == 4 && s[3] != w.Shape[3] {
		return nil, fmt.Errorf("gradient of a grouped convolution: %w", tensor.ErrUnsupported)
	}
	dy, err := b.beforeActivation(n, o.FusedActivationFunction, dys[0])
	if err != nil {
		return nil, err
	}
	return weighted(b, n, dy,
		func() graph.ValueID {
			return b.Node(training.ConvInputGradCode, o, n.Inputs[1], dy, n.Inputs[0])
		},
		func() graph.ValueID {
			return b.Node(training.ConvFilterGradCode, o, n.Inputs[0], dy, n.Inputs[1])
		}), nil
}

func fullyConnected(b *Builder, n *graph.Node, dys []graph.ValueID) ([]graph.ValueID, error) {
	dy, err := b.beforeActivation(n, graph.Options[fb.FullyConnectedOptionsT](n).FusedActivationFunction, dys[0])
	if err != nil {
		return nil, err
	}
	return weighted(b, n, dy,
		func() graph.ValueID {
			return b.Node(training.DenseInputGradCode, nil, dy, n.Inputs[1], n.Inputs[0])
		},
		func() graph.ValueID {
			return b.Node(training.DenseWeightsGradCode, nil, dy, n.Inputs[0], n.Inputs[1])
		}), nil
}

func maxPool(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	o := graph.Options[fb.Pool2DOptionsT](n)
	g, err := b.beforeActivation(n, o.FusedActivationFunction, dy[0])
	if err != nil {
		return nil, err
	}
	return []graph.ValueID{b.Node(training.MaxPoolGradCode, o, n.Inputs[0], n.Outputs[0], g)}, nil
}

func averagePool(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	o := graph.Options[fb.Pool2DOptionsT](n)
	g, err := b.beforeActivation(n, o.FusedActivationFunction, dy[0])
	if err != nil {
		return nil, err
	}
	return []graph.ValueID{b.Node(training.AveragePoolGradCode, o, n.Inputs[0], g)}, nil
}

func reshape(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	return onlyFirst(n, b.Node(training.ReshapeLikeCode, nil, dy[0], n.Inputs[0])), nil
}

func softmax(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	beta := graph.Options[fb.SoftmaxOptionsT](n).Beta
	return []graph.ValueID{b.Node(training.SoftmaxGradCode, &training.Scale{Factor: beta}, n.Outputs[0], dy[0])}, nil
}

// onlyFirst is the answer of rules whose other operands have no gradient.
func onlyFirst(n *graph.Node, g graph.ValueID) []graph.ValueID {
	out := make([]graph.ValueID, len(n.Inputs))
	for k := range out {
		out[k] = graph.None
	}
	out[0] = g
	return out
}

// unbroadcast sums a gradient over the axes along which operand k was broadcast.
func (b *Builder) unbroadcast(n *graph.Node, k int, g graph.ValueID) graph.ValueID {
	v, other := b.Graph.Value(n.Inputs[k]), b.Graph.Value(n.Inputs[1-k])
	if !v.Unranked && !other.Unranked && v.Partial().Equal(other.Partial()) {
		return g
	}
	return b.Node(training.SumToCode, nil, g, n.Inputs[k])
}

// both builds the gradients of a binary operator's operands where wanted.
func both(b *Builder, n *graph.Node, of func(k int) graph.ValueID) []graph.ValueID {
	out := []graph.ValueID{graph.None, graph.None}
	for k, v := range n.Inputs {
		if b.Wants(v) {
			out[k] = b.unbroadcast(n, k, of(k))
		}
	}
	return out
}

func add(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	g, err := b.beforeActivation(n, graph.Options[fb.AddOptionsT](n).FusedActivationFunction, dy[0])
	return both(b, n, func(int) graph.ValueID { return g }), err
}

func sub(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	g, err := b.beforeActivation(n, graph.Options[fb.SubOptionsT](n).FusedActivationFunction, dy[0])
	return both(b, n, func(k int) graph.ValueID {
		if k == 0 {
			return g
		}
		return b.product(g, b.Constant(-1))
	}), err
}

func mul(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	g, err := b.beforeActivation(n, graph.Options[fb.MulOptionsT](n).FusedActivationFunction, dy[0])
	return both(b, n, func(k int) graph.ValueID { return b.product(g, n.Inputs[1-k]) }), err
}

func (b *Builder) product(x, y graph.ValueID) graph.ValueID {
	return b.Node(graph.OpCode(schema.MUL), &fb.MulOptionsT{}, x, y)
}
