package train_test

import (
	"context"
	"fmt"
	"log"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/train"
)

// A line is fitted to three points.
func ExampleFit() {
	m, err := keras.Sequential(keras.Input(1), keras.Dense{Units: 1})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Initialize(1); err != nil {
		log.Fatal(err)
	}
	x, err := tensor.Of[float32](tensor.Shape{3, 1}, 0, 1, 2)
	if err != nil {
		log.Fatal(err)
	}
	y, err := tensor.Of[float32](tensor.Shape{3, 1}, 1, 3, 5)
	if err != nil {
		log.Fatal(err)
	}
	data, err := dataset.FromColumns(dataset.Columns{
		Inputs: []dataset.Column{{Name: "x", Values: x}}, Label: &dataset.Column{Name: "y", Values: y},
	})
	if err != nil {
		log.Fatal(err)
	}
	h, err := train.Fit(context.Background(), m, data, train.Options{
		Optimizer: train.SGD{LearningRate: 0.2}, Loss: train.MeanSquaredError{}, Epochs: 300,
	})
	if err != nil {
		log.Fatal(err)
	}
	w := m.Weights()
	fmt.Printf("%.2f·x + %.2f, loss below 1e-3: %v\n", w[0].Value.Float32s()[0], w[1].Value.Float32s()[0], h.Epochs[299].Loss < 1e-3)
	// Output: 2.00·x + 1.00, loss below 1e-3: true
}
