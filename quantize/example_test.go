package quantize_test

import (
	"context"
	"fmt"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/quantize"
	"github.com/litequant/litequant/tensor"
)

// A softmax, calibrated with two samples, with uint8 outputs.
func ExampleModel() {
	model := &graph.Model{Subgraphs: []*graph.Subgraph{{
		Values: []graph.Value{
			{Name: "logits", DType: tensor.Float32, Shape: tensor.Shape{1, 3}, Signature: tensor.Shape{-1, 3}},
			{Name: "probabilities", DType: tensor.Float32, Shape: tensor.Shape{1, 3}, Signature: tensor.Shape{-1, 3}},
		},
		Inputs: []graph.ValueID{0}, Outputs: []graph.ValueID{1},
		Nodes: []graph.Node{{
			Op: graph.OpCode(schema.SOFTMAX), Options: &fb.SoftmaxOptionsT{Beta: 1},
			Inputs: []graph.ValueID{0}, Outputs: []graph.ValueID{1},
		}},
	}}}
	logits, err := tensor.Of(tensor.Shape{2, 3}, float32(-1), 0, 4.1, 0.5, 2, 3)
	if err != nil {
		panic(err)
	}
	data, err := dataset.FromColumns(dataset.Columns{Inputs: []dataset.Column{{Name: "logits", Values: logits}}})
	if err != nil {
		panic(err)
	}
	small, report, err := quantize.Model(context.Background(), model, quantize.Recipe{
		Scheme:     quantize.Int8Only,
		OutputType: tensor.UInt8,
	}, data)
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Quantized(), "of", len(report.Nodes), "operators quantized")
	for _, v := range small.Main().Values {
		fmt.Println(v.Name, v.DType, v.Quant.Scale(), v.Quant.Zero())
	}
	// Output:
	// 1 of 1 operators quantized
	// logits float32 0 0
	// tfl.quantize int8 0.02 -78
	// probabilities1 int8 0.00390625 -128
	// probabilities uint8 0.00390625 0
}
