package train

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/tensor"
)

func TestUnpermute(t *testing.T) {
	// [2,3] transposed to [3,2] by [1,0].
	got := unpermute([]float32{1, 4, 2, 5, 3, 6}, tensor.Shape{3, 2}, []int{1, 0})
	if d := cmp.Diff([]float32{1, 2, 3, 4, 5, 6}, got); d != "" {
		t.Error(d)
	}
}

func TestFitKeras(t *testing.T) {
	train, test := digits(t, 2000)
	m, err := keras.Sequential(keras.Input(28, 28, 1), keras.Conv2D{Filters: 8, KernelSize: [2]int{3, 3}, Activation: keras.ReLU},
		keras.MaxPooling2D{}, keras.Flatten{}, keras.Dense{Units: 10, Activation: keras.Softmax})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Initialize(1); err != nil {
		t.Fatal(err)
	}
	h, err := Fit(context.Background(), m, train, Options{Epochs: 5, Metrics: []metric.Metric{metric.Accuracy}, Validation: test})
	if err != nil {
		t.Fatal(err)
	}
	// A second fit of no change in the weights starts where the first ended.
	again, err := Fit(context.Background(), m, train, Options{Optimizer: SGD{LearningRate: 1e-30}, Metrics: []metric.Metric{metric.Accuracy}, Validation: test})
	if err != nil {
		t.Fatal(err)
	}
	last, next := h.Epochs[4], again.Epochs[0]
	if !testing.Short() && last.ValMetrics["accuracy"] < 0.85 || last.ValLoss != next.ValLoss {
		t.Errorf("first fit ends with %+v, the second begins with %+v", last, next)
	}
}
