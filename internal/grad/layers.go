package grad

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// weighted is the rule of x·w + bias: each gradient only where it is wanted.
func (b *Builder) weighted(n *graph.Node, dy graph.ValueID, dx, dw func() graph.ValueID) []graph.ValueID {
	return b.wantedOnly(n, func(k int) graph.ValueID {
		switch k {
		case 0:
			return dx()
		case 1:
			return dw()
		}
		return b.Node(training.BiasGradCode, nil, dy)
	})
}

// conv2D is the rule of full, grouped and depthwise convolutions.
func conv2D(b *Builder, n *graph.Node, dys []graph.ValueID) ([]graph.ValueID, error) {
	var act fb.ActivationFunctionType
	switch o := n.Options.(type) {
	case *fb.Conv2DOptionsT:
		act = o.FusedActivationFunction
	case *fb.DepthwiseConv2DOptionsT:
		act = o.FusedActivationFunction
	default:
		return nil, fmt.Errorf("options are missing: %w", tensor.ErrMalformed)
	}
	dy, err := b.beforeActivation(n, act, dys[0])
	if err != nil {
		return nil, err
	}
	return b.weighted(n, dy,
		func() graph.ValueID {
			return b.Node(training.ConvInputGradCode, n.Options, n.Inputs[1], dy, n.Inputs[0])
		},
		func() graph.ValueID {
			return b.Node(training.ConvFilterGradCode, n.Options, n.Inputs[0], dy, n.Inputs[1])
		}), nil
}

// transposeConv is the gradient of a convolution's input, so that a convolution is
// its own: by the filter with inputs and outputs exchanged. Operands: the size,
// filter [O,KH,KW,I], x, bias.
func transposeConv(b *Builder, n *graph.Node, dys []graph.ValueID) ([]graph.ValueID, error) {
	o := graph.Options[fb.TransposeConvOptionsT](n)
	dy, err := b.beforeActivation(n, o.FusedActivationFunction, dys[0])
	if err != nil {
		return nil, err
	}
	conv := &fb.Conv2DOptionsT{Padding: o.Padding, StrideH: o.StrideH, StrideW: o.StrideW, DilationHFactor: 1, DilationWFactor: 1}
	exchanged := func(v graph.ValueID) graph.ValueID { return b.Of(schema.TRANSPOSE, nil, v, b.Ints(3, 1, 2, 0)) }
	return b.wantedOnly(n, func(k int) graph.ValueID {
		switch k {
		case 1:
			return exchanged(b.Node(training.ConvFilterGradCode, conv, dy, n.Inputs[2], exchanged(n.Inputs[1])))
		case 2:
			return b.Of(schema.CONV_2D, conv, dy, exchanged(n.Inputs[1]))
		}
		return b.Node(training.BiasGradCode, nil, dy)
	}), nil
}

func fullyConnected(b *Builder, n *graph.Node, dys []graph.ValueID) ([]graph.ValueID, error) {
	dy, err := b.beforeActivation(n, graph.Options[fb.FullyConnectedOptionsT](n).FusedActivationFunction, dys[0])
	if err != nil {
		return nil, err
	}
	return b.weighted(n, dy,
		func() graph.ValueID {
			return b.Node(training.DenseInputGradCode, nil, dy, n.Inputs[1], n.Inputs[0])
		},
		func() graph.ValueID {
			return b.Node(training.DenseWeightsGradCode, nil, dy, n.Inputs[0], n.Inputs[1])
		}), nil
}

// batchMatMul: of z = x·y, dx = dz·yᵀ and dy = xᵀ·dz; of a transposed operand the
// transpose of that.
func batchMatMul(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	o, dz := graph.Options[fb.BatchMatMulOptionsT](n), dy[0]
	matMul := func(x graph.ValueID, adjX bool, y graph.ValueID, adjY bool) graph.ValueID {
		return b.Of(schema.BATCH_MATMUL, &fb.BatchMatMulOptionsT{AdjX: adjX, AdjY: adjY}, x, y)
	}
	x, y := n.Inputs[0], n.Inputs[1]
	return both(b, n, func(k int) graph.ValueID {
		switch {
		case k == 0 && o.AdjX:
			return matMul(y, o.AdjY, dz, true)
		case k == 0:
			return matMul(dz, false, y, !o.AdjY)
		case o.AdjY:
			return matMul(dz, true, x, o.AdjX)
		}
		return matMul(x, !o.AdjX, dz, false)
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

// dropout drops the same elements of the gradient.
func dropout(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	return only(n, 0, b.Node(n.Op, n.Options, dy[0], n.Inputs[1])), nil
}

func batchNorm(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	f := tensor.Float32
	g := b.Nodes(training.BatchNormGradCode, nil, []tensor.DType{f, f, f}, n.Inputs[0], n.Inputs[1], dy[0], n.Outputs[1], n.Outputs[2])
	return append(g, graph.None, graph.None), nil
}
