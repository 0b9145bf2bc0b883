package train

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/grad"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// Loss is what training makes small: the mean over a batch, of Keras's loss of that
// name. Implementations are of this package.
type Loss interface {
	// classes reports whether labels are class numbers, and not values like the
	// output's.
	classes() bool
	// attach appends the losses of output y against labels to a graph. Labels are an
	// int32 vector of class numbers, one for each row of y, or float32 of y's shape.
	attach(b *lossBuilder, y, labels graph.ValueID) (losses, error)
}

// losses are the values that a loss adds to a graph.
type losses struct {
	// each is the loss of every sample, or of every row of each.
	each graph.ValueID
	// seeds are the gradients of their mean, by value.
	seeds map[graph.ValueID]graph.ValueID
}

// epsilon is Keras's: probabilities are kept that far from 0 and 1.
const epsilon = 1e-7

// SparseCategoricalCrossentropy is −ln of the probability of the right class;
// labels are class numbers. Outputs are logits, or without FromLogits probabilities,
// which are clipped to [1e-7, 1−1e-7]. But as in Keras's cross-entropies the operand
// of a last softmax or sigmoid, whichever it is, is taken for the logits.
type SparseCategoricalCrossentropy struct{ FromLogits bool }

func (SparseCategoricalCrossentropy) classes() bool { return true }

func (l SparseCategoricalCrossentropy) attach(b *lossBuilder, y, labels graph.ValueID) (losses, error) {
	logits, ok := b.logits(y)
	if !ok && !l.FromLogits {
		logits = b.Of(schema.LOG, nil, b.clipped(y))
	}
	shape, err := b.Shape(y)
	if err != nil {
		return losses{}, err
	}
	if len(shape) < 2 {
		return losses{}, fmt.Errorf("output of shape %v, want one number a class: %w", shape, tensor.ErrShape)
	}
	if last := shape[len(shape)-1]; len(shape) > 2 {
		logits = b.Of(schema.RESHAPE, nil, logits, b.Ints(-1, last))
	}
	f := tensor.Float32
	out := b.Nodes(training.CrossEntropyCode, nil, []tensor.DType{f, f}, logits, labels)
	return losses{out[0], map[graph.ValueID]graph.ValueID{logits: out[1]}}, nil
}

// CategoricalCrossentropy is −Σ label·ln(probability) over the last axis; labels are
// one-hot or probabilities. Outputs are what SparseCategoricalCrossentropy takes
// them for; probabilities are also made to add up to 1.
type CategoricalCrossentropy struct{ FromLogits bool }

func (CategoricalCrossentropy) classes() bool { return false }

func (l CategoricalCrossentropy) attach(b *lossBuilder, y, labels graph.ValueID) (losses, error) {
	logits, ok := b.logits(y)
	var log graph.ValueID
	if ok || l.FromLogits {
		log = b.Of(schema.LOG_SOFTMAX, nil, logits)
	} else {
		sum := b.Of(schema.SUM, &fb.ReducerOptionsT{KeepDims: true}, y, b.Ints(-1))
		log = b.Of(schema.LOG, nil, b.clipped(b.Quotient(y, sum)))
	}
	each := b.Negative(b.Of(schema.SUM, &fb.ReducerOptionsT{}, b.Product(labels, log), b.Ints(-1)))
	return b.meanOf(each, y)
}

// BinaryCrossentropy is −(label·ln p + (1−label)·ln(1−p)), the mean over the last
// axis; labels are from 0 to 1. Outputs are what SparseCategoricalCrossentropy takes
// them for.
type BinaryCrossentropy struct{ FromLogits bool }

func (BinaryCrossentropy) classes() bool { return false }

func (l BinaryCrossentropy) attach(b *lossBuilder, y, labels graph.ValueID) (losses, error) {
	x, ok := b.logits(y)
	one := b.Constant(1)
	if ok || l.FromLogits { // max(x,0) − x·label + ln(1 + exp(−|x|))
		small := b.Of(schema.EXP, nil, b.Of(schema.MINIMUM, nil, b.Negative(x), x))
		log := b.Of(schema.LOG, nil, b.Sum(small, one))
		large := b.Difference(b.Of(schema.MAXIMUM, nil, x, b.Constant(0)), b.Product(x, labels))
		return b.meanOf(b.lastMean(b.Sum(large, log)), y)
	}
	p, tiny := b.clipped(y), b.Constant(epsilon)
	yes := b.Product(labels, b.Of(schema.LOG, nil, b.Sum(p, tiny)))
	no := b.Product(b.Difference(one, labels), b.Of(schema.LOG, nil, b.Sum(b.Difference(one, p), tiny)))
	return b.meanOf(b.Negative(b.lastMean(b.Sum(yes, no))), y)
}

// MeanSquaredError is the mean of (output − label)² over the last axis.
type MeanSquaredError struct{}

func (MeanSquaredError) classes() bool { return false }

func (MeanSquaredError) attach(b *lossBuilder, y, labels graph.ValueID) (losses, error) {
	return b.meanOf(b.lastMean(b.Of(schema.SQUARED_DIFFERENCE, nil, y, labels)), y)
}

// MeanAbsoluteError is the mean of |output − label| over the last axis.
type MeanAbsoluteError struct{}

func (MeanAbsoluteError) classes() bool { return false }

func (MeanAbsoluteError) attach(b *lossBuilder, y, labels graph.ValueID) (losses, error) {
	return b.meanOf(b.lastMean(b.distance(y, labels)), y)
}

// Huber is d²/2 for a distance d = |output − label| up to Delta and Delta·(d − Delta/2)
// beyond, the mean over the last axis. A zero Delta is Keras's 1.
type Huber struct{ Delta float64 }

func (Huber) classes() bool { return false }

func (l Huber) attach(b *lossBuilder, y, labels graph.ValueID) (losses, error) {
	delta := float32(or(l.Delta, 1))
	d := b.distance(y, labels)
	near := b.Of(schema.MINIMUM, nil, d, b.Constant(delta)) // the loss is near²/2 + delta·(d − near)
	far := b.Scaled(b.Difference(d, near), delta)
	return b.meanOf(b.lastMean(b.Sum(b.Scaled(b.Of(schema.SQUARE, nil, near), 0.5), far)), y)
}

// lossBuilder adds losses to a graph.
type lossBuilder struct{ grad.Builder }

// logits returns the operand of the softmax or sigmoid that computes y, else y
// itself.
func (b *lossBuilder) logits(y graph.ValueID) (graph.ValueID, bool) {
	p := b.Graph.Producers()[y]
	if p < 0 {
		return y, false
	}
	n := &b.Graph.Nodes[p]
	softmax := n.Op == graph.OpCode(schema.SOFTMAX) && graph.Options[fb.SoftmaxOptionsT](n).Beta == 1
	if !softmax && n.Op != graph.OpCode(schema.LOGISTIC) {
		return y, false
	}
	return n.Inputs[0], true
}

// clipped keeps probabilities away from 0 and 1.
func (b *lossBuilder) clipped(p graph.ValueID) graph.ValueID {
	return b.Of(schema.MINIMUM, nil, b.Of(schema.MAXIMUM, nil, p, b.Constant(epsilon)), b.Constant(1-epsilon))
}

func (b *lossBuilder) distance(x, y graph.ValueID) graph.ValueID {
	return b.Of(schema.ABS, nil, b.Difference(x, y))
}

func (b *lossBuilder) lastMean(x graph.ValueID) graph.ValueID {
	return b.Of(schema.MEAN, &fb.ReducerOptionsT{}, x, b.Ints(-1))
}

// meanOf makes the mean of losses, which have the axes of output y but the last,
// the scalar whose gradients are taken.
func (b *lossBuilder) meanOf(each, y graph.ValueID) (losses, error) {
	shape, err := b.Shape(y)
	if err != nil {
		return losses{}, err
	}
	if len(shape) < 2 {
		return losses{}, fmt.Errorf("output of shape %v, want [batch, ..., values]: %w", shape, tensor.ErrShape)
	}
	axes := make([]int, len(shape)-1)
	for i := range axes {
		axes[i] = i
	}
	mean := b.Of(schema.MEAN, &fb.ReducerOptionsT{}, each, b.Ints(axes...))
	return losses{each, map[graph.ValueID]graph.ValueID{mean: b.Constant(1)}}, nil
}
