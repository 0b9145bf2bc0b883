package grad

import (
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

func clamp(lo, hi float32) Rule {
	return unary(func(b *Builder, _, y, dy graph.ValueID) graph.ValueID { return b.clamped(y, dy, lo, hi) })
}

func softmax(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	beta := graph.Options[fb.SoftmaxOptionsT](n).Beta
	return []graph.ValueID{b.Node(training.SoftmaxGradCode, &training.Scale{Factor: beta}, n.Outputs[0], dy[0])}, nil
}

// logSoftmax: dx = dy − exp(y)·Σdy.
func logSoftmax(b *Builder, _, y, dy graph.ValueID) graph.ValueID {
	sum := b.Of(schema.SUM, &fb.ReducerOptionsT{KeepDims: true}, dy, b.Ints(-1))
	return b.Difference(dy, b.Product(b.Of(schema.EXP, nil, y), sum))
}

// logistic: y′ = y − y².
func logistic(b *Builder, _, y, dy graph.ValueID) graph.ValueID {
	return b.Product(dy, b.Difference(y, b.square(y)))
}

// tanh: y′ = 1 − y².
func tanh(b *Builder, _, y, dy graph.ValueID) graph.ValueID {
	return b.Product(dy, b.Difference(b.Constant(1), b.square(y)))
}

// elu: y′ is 1 above 0 and y + 1 below.
func elu(b *Builder, _, y, dy graph.ValueID) graph.ValueID {
	return b.Product(dy, b.Sum(b.Of(schema.MINIMUM, nil, y, b.Constant(0)), b.Constant(1)))
}

// hardSwish: with r = relu6(x+3), y′ = (r + x)/6 where r is not clamped and r/6
// elsewhere.
func hardSwish(b *Builder, x, _, dy graph.ValueID) graph.ValueID {
	r := b.Of(schema.RELU6, nil, b.Sum(x, b.Constant(3)))
	return b.Product(dy, b.Scaled(b.Sum(r, b.clamped(r, x, 0, 6)), 1./6))
}

func leakyRelu(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	alpha := graph.Options[fb.LeakyReluOptionsT](n).Alpha
	return []graph.ValueID{b.where(b.compared(schema.GREATER, n.Inputs[0], b.Constant(0)), dy[0], b.Scaled(dy[0], alpha))}, nil
}

// prelu: y = x above 0, alpha·x below.
func prelu(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	x, alpha, zero := n.Inputs[0], n.Inputs[1], b.Constant(0)
	return both(b, n, func(k int) graph.ValueID {
		if k == 0 {
			return b.where(b.compared(schema.GREATER, x, zero), dy[0], b.Product(dy[0], alpha))
		}
		return b.Product(dy[0], b.Of(schema.MINIMUM, nil, x, zero))
	}), nil
}

func gelu(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	return []graph.ValueID{b.Node(training.GeluGradCode, graph.Options[fb.GeluOptionsT](n), n.Inputs[0], dy[0])}, nil
}

func abs(b *Builder, x, _, dy graph.ValueID) graph.ValueID {
	return b.Product(dy, b.Of(schema.SIGN, nil, x))
}

func square(b *Builder, x, _, dy graph.ValueID) graph.ValueID {
	return b.Product(dy, b.Scaled(x, 2))
}

// sqrt: y′ = 1/(2y).
func sqrt(b *Builder, _, y, dy graph.ValueID) graph.ValueID {
	return b.Quotient(b.Scaled(dy, 0.5), y)
}

// rsqrt: y′ = −y³/2.
func rsqrt(b *Builder, _, y, dy graph.ValueID) graph.ValueID {
	return b.Product(b.Scaled(dy, -0.5), b.Product(y, b.square(y)))
}

func sin(b *Builder, x, _, dy graph.ValueID) graph.ValueID {
	return b.Product(dy, b.Of(schema.COS, nil, x))
}

func cos(b *Builder, x, _, dy graph.ValueID) graph.ValueID {
	return b.Product(b.Negative(dy), b.Of(schema.SIN, nil, x))
}

func (b *Builder) compared(code schema.BuiltinOperator, x, y graph.ValueID) graph.ValueID {
	return b.Nodes(graph.OpCode(code), nil, []tensor.DType{tensor.Bool}, x, y)[0]
}

func (b *Builder) where(condition, x, y graph.ValueID) graph.ValueID {
	return b.Of(schema.SELECT_V2, nil, condition, x, y)
}

// unbroadcast sums a gradient over the axes along which operand k was broadcast.
func (b *Builder) unbroadcast(n *graph.Node, k int, g graph.ValueID) graph.ValueID {
	v, y := b.Graph.Value(n.Inputs[k]), b.Graph.Value(n.Outputs[0])
	if !v.Unranked && !y.Unranked && v.Partial().Equal(y.Partial()) {
		return g
	}
	return b.Node(training.SumToCode, nil, g, n.Inputs[k])
}

// both builds the gradients of operands that are broadcast together, where wanted.
func both(b *Builder, n *graph.Node, of func(k int) graph.ValueID) []graph.ValueID {
	return b.wantedOnly(n, func(k int) graph.ValueID { return b.unbroadcast(n, k, of(k)) })
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
		return b.Negative(g)
	}), err
}

func mul(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	g, err := b.beforeActivation(n, graph.Options[fb.MulOptionsT](n).FusedActivationFunction, dy[0])
	return both(b, n, func(k int) graph.ValueID { return b.Product(g, n.Inputs[1-k]) }), err
}

// div: of z = x/y, dx = dz/y and dy = −(dz/y)·(x/y).
func div(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	g, err := b.beforeActivation(n, graph.Options[fb.DivOptionsT](n).FusedActivationFunction, dy[0])
	x, y := n.Inputs[0], n.Inputs[1]
	return both(b, n, func(k int) graph.ValueID {
		dx := b.Quotient(g, y)
		if k == 0 {
			return dx
		}
		return b.Negative(b.Product(dx, b.Quotient(x, y)))
	}), err
}

// pow: of z = x^y, dx = dz·y·x^(y−1) and dy = dz·z·ln x, 0 where x ≤ 0.
func pow(b *Builder, n *graph.Node, dz []graph.ValueID) ([]graph.ValueID, error) {
	x, y, z := n.Inputs[0], n.Inputs[1], n.Outputs[0]
	return both(b, n, func(k int) graph.ValueID {
		if k == 0 {
			return b.Product(dz[0], b.Product(y, b.Of(schema.POW, nil, x, b.Difference(y, b.Constant(1)))))
		}
		least := b.Of(schema.MAXIMUM, nil, x, b.Constant(math.SmallestNonzeroFloat32))
		log := b.where(b.compared(schema.GREATER, x, b.Constant(0)), b.Of(schema.LOG, nil, least), b.Constant(0))
		return b.Product(dz[0], b.Product(z, log))
	}), nil
}

func addN(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	return b.wantedOnly(n, func(int) graph.ValueID { return dy[0] }), nil
}

// extremum sends the gradient of MAXIMUM and MINIMUM to the operand that was
// chosen, of equal ones the first.
func extremum(first schema.BuiltinOperator) Rule {
	return func(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
		chosen := b.compared(first, n.Inputs[0], n.Inputs[1])
		return both(b, n, func(k int) graph.ValueID { return b.branch(schema.SELECT_V2, chosen, dy[0], k) }), nil
	}
}

// branch is the gradient of alternative k of a condition's two.
func (b *Builder) branch(code schema.BuiltinOperator, condition, dy graph.ValueID, k int) graph.ValueID {
	zero := b.Of(schema.ZEROS_LIKE, nil, dy)
	if k == 0 {
		return b.Of(code, nil, condition, dy, zero)
	}
	return b.Of(code, nil, condition, zero, dy)
}

// choose is the rule of SELECT and SELECT_V2: operands condition, x, y.
func choose(code schema.BuiltinOperator) Rule {
	return func(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
		return both(b, n, func(k int) graph.ValueID { return b.branch(code, n.Inputs[0], dy[0], k-1) }), nil
	}
}

// squaredDifference: of (x−y)², dx = 2·(x−y) and dy = −dx.
func squaredDifference(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
	return both(b, n, func(k int) graph.ValueID {
		return b.Product(dy[0], b.Scaled(b.Difference(n.Inputs[k], n.Inputs[1-k]), 2))
	}), nil
}
