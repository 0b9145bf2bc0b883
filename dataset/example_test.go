package dataset_test

import (
	"context"
	"fmt"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/tensor"
)

// Read a .npz file of uint8 images in batches of float32.
func ExampleOpen() {
	ctx := context.Background()
	src, err := dataset.Open(ctx, "testdata/splits.npz:train[:5]", dataset.Options{Preprocess: "/255"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for b, err := range dataset.Batches(ctx, src, 2) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(b.Inputs[0].DType(), b.Inputs[0].Shape(), b.Label.Float32s())
	}
	// Output:
	// float32 [2,2,2] [0 1]
	// float32 [2,2,2] [2 3]
	// float32 [1,2,2] [4]
}

// Shuffled training: one Batch, filled again and again.
func ExampleBatch_Gather() {
	x, _ := tensor.Of[float32](tensor.Shape{4, 1}, 10, 11, 12, 13)
	src, err := dataset.FromColumns(dataset.Columns{Inputs: []dataset.Column{{Name: "x", Values: x}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	var b dataset.Batch
	for _, positions := range [][]int{{2, 0}, {3, 1}} {
		if err := b.Gather(src, positions); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(b.Indices, b.Inputs[0].Float32s())
	}
	// Output:
	// [2 0] [12 10]
	// [3 1] [13 11]
}

func ExampleParsePreprocessing() {
	p, err := dataset.ParsePreprocessing("/255.0, mean=0.5, std=.25")
	fmt.Println(p, err)
	// Output: /255,mean=0.5,std=0.25 <nil>
}
