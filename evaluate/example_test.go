package evaluate_test

import (
	"context"
	"fmt"
	"log"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/evaluate"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/tensor"
)

// A model's metric over labelled samples: here the scores are the inputs.
func Example() {
	m, err := graph.Parse(`model "example"
subgraph "main" inputs=%0 outputs=%1
  %0 float32[?,2] "x"
  %1 float32[?,2] "y"
  RELU(%0) -> %1
`)
	if err != nil {
		log.Fatal(err)
	}
	x, err := tensor.Of[float32](tensor.Shape{4, 2}, 1, 0, 0, 1, 1, 0, 0, 1)
	if err != nil {
		log.Fatal(err)
	}
	y, err := tensor.Of[uint8](tensor.Shape{4}, 0, 1, 0, 0)
	if err != nil {
		log.Fatal(err)
	}
	data, err := dataset.FromColumns(dataset.Columns{
		Inputs: []dataset.Column{{Name: "x", Values: x}}, Label: &dataset.Column{Name: "y", Values: y},
	})
	if err != nil {
		log.Fatal(err)
	}
	r, err := evaluate.Graph(context.Background(), m, data, metric.Accuracy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Metric, r.Value, r.Count)
	// Output: accuracy 0.75 4
}
