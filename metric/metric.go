// Package metric measures predictions against labels: accuracy, top-k accuracy,
// mean squared and absolute error, running means of losses.
//
// A Metric is an immutable description that any number of evaluations share; a
// Counter is one evaluation's state. Every metric is a mean of one score a
// sample. Counters merge; for accuracies of single labels the counts are whole
// numbers, so that any split of the data gives the same bits. For the errors,
// whose sums round, Metric.Score gives the samples' scores for a caller that
// must fold them in one order.
package metric

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// Metric describes how predictions are scored.
type Metric struct {
	// Name is what tables and JSON call the value.
	Name string
	// HigherIsBetter tells in which direction a model gets worse.
	HigherIsBetter bool
	// Score appends one score for each sample of a batch to dst. The first axis
	// of prediction and label is the batch; a quantized prediction means its real
	// values.
	Score func(dst []float64, prediction, label tensor.Tensor) ([]float64, error)
}

// The metrics without parameters. They are descriptions, not to be assigned.
var (
	// Accuracy is the share of right classes. As in Keras the shapes decide what
	// right means: a prediction whose last axis is 1 is binary, right if
	// (prediction > 0.5) equals the label; else labels of one axis less, or with a
	// last axis of 1, are class numbers, and labels of the prediction's shape are
	// one-hot or probabilities, of which the largest counts. Of equal predictions
	// the first is the class, as with NumPy's argmax; quantized predictions are
	// compared as the integers they are.
	Accuracy = Metric{"accuracy", true, scoreAccuracy}
	// MeanSquaredError is the mean of (prediction-label)² over all elements.
	MeanSquaredError = Metric{"mse", false, meanOf(func(d float64) float64 { return d * d })}
	// MeanAbsoluteError is the mean of |prediction-label| over all elements.
	MeanAbsoluteError = Metric{"mae", false, meanOf(func(d float64) float64 { return max(d, -d) })}
)

// TopK is the share of samples whose class is among the k largest predictions,
// of equal ones the first, so that TopK(1) is Accuracy's number. (TensorFlow's
// in_top_k counts all that tie with the k-th, which flatters quantized models.)
func TopK(k int) Metric {
	return Metric{fmt.Sprintf("top-%d", k), true, scoreTopK(k)}
}

// byName lists the names that Keras and users give the metrics.
var byName = map[string]Metric{
	"accuracy": Accuracy, "acc": Accuracy,
	"sparse_categorical_accuracy": Accuracy, "categorical_accuracy": Accuracy, "binary_accuracy": Accuracy,
	"mse": MeanSquaredError, "mean_squared_error": MeanSquaredError,
	"mae": MeanAbsoluteError, "mean_absolute_error": MeanAbsoluteError,
}

// Parse returns the metric of a name: accuracy, mse, mae, Keras's longer names,
// or top-K such as top-5.
func Parse(name string) (Metric, error) {
	if m, ok := byName[name]; ok {
		return m, nil
	}
	if digits, ok := strings.CutPrefix(name, "top-"); ok {
		if k, err := strconv.Atoi(digits); err == nil && k > 0 {
			return TopK(k), nil
		}
	}
	return Metric{}, fmt.Errorf("unknown metric %q (known: accuracy, top-K, mse, mae): %w", name, tensor.ErrUnsupported)
}

// New returns a counter at zero.
func (m Metric) New() *Counter { return &Counter{metric: m} }

// Counter accumulates a metric over batches. It belongs to one goroutine.
type Counter struct {
	Mean
	metric Metric
	scores []float64
}

// Name is the metric's name.
func (c *Counter) Name() string { return c.metric.Name }

// Update adds a batch. It fails, and adds nothing, if shapes or types do not fit
// or a label is no class.
func (c *Counter) Update(prediction, label tensor.Tensor) error {
	scores, err := c.metric.Score(c.scores[:0], prediction, label)
	if err != nil {
		return fmt.Errorf("%s: %w", c.metric.Name, err)
	}
	for _, s := range scores {
		c.Add(s, 1)
	}
	c.scores = scores
	return nil
}

// Mean is a weighted running mean, as of losses: the zero value is empty.
type Mean struct {
	Sum   float64
	Count int64
}

// Add adds a value that is the mean of n samples.
func (m *Mean) Add(value float64, n int) {
	m.Sum += float64(value * float64(n))
	m.Count += int64(n)
}

// Merge adds what o has counted.
func (m *Mean) Merge(o Mean) { m.Sum, m.Count = m.Sum+o.Sum, m.Count+o.Count }

// Value returns the mean, 0 (like Keras) if nothing was added.
func (m *Mean) Value() float64 {
	if m.Count == 0 {
		return 0
	}
	return m.Sum / float64(m.Count)
}

// Reset empties the mean.
func (m *Mean) Reset() { *m = Mean{} }

// batch returns the size of the first axis that both tensors must have.
func batch(prediction, label tensor.Tensor) (int, error) {
	p, l := prediction.Shape(), label.Shape()
	if len(p) == 0 || len(l) == 0 || p[0] != l[0] {
		return 0, fmt.Errorf("predictions %v, labels %v: %w", p, l, tensor.ErrShape)
	}
	return p[0], nil
}

// numbers returns a tensor's real values, which there must be one an element.
func numbers(what string, t tensor.Tensor) ([]float32, error) {
	v := t.Float32s()
	if v == nil {
		return nil, fmt.Errorf("%s are %v: %w", what, t.DType(), tensor.ErrType)
	}
	return v, nil
}

// meanOf scores a sample by the mean of f over the differences of its elements.
func meanOf(f func(float64) float64) func([]float64, tensor.Tensor, tensor.Tensor) ([]float64, error) {
	return func(dst []float64, prediction, label tensor.Tensor) ([]float64, error) {
		n, err := batch(prediction, label)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(dropLastOne(prediction.Shape()), dropLastOne(label.Shape())) {
			return nil, fmt.Errorf("predictions %v, labels %v: %w", prediction.Shape(), label.Shape(), tensor.ErrShape)
		}
		p, err := numbers("predictions", prediction)
		if err != nil {
			return nil, err
		}
		l, err := numbers("labels", label)
		if err != nil {
			return nil, err
		}
		size := len(p) / max(n, 1)
		for i := range n {
			var m Mean
			for k := i * size; k < (i+1)*size; k++ {
				m.Add(f(float64(p[k])-float64(l[k])), 1)
			}
			dst = append(dst, m.Value())
		}
		return dst, nil
	}
}

// dropLastOne lets [n] and [n,1] agree.
func dropLastOne(s tensor.Shape) tensor.Shape {
	if n := len(s); n > 1 && s[n-1] == 1 {
		return s[:n-1]
	}
	return s
}
