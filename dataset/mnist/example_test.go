package mnist_test

import (
	"context"
	"fmt"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/dataset/mnist"
)

func ExampleLoad() {
	digits, err := mnist.Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	s, _ := digits.Train.At(0)
	fmt.Println(digits.Train.Len(), digits.Test.Len(), s.Inputs[0].DType(), s.Inputs[0].Shape(), s.Label.Float32s()[0])
	// Output: 60000 10000 float32 [28,28,1] 5
}

// The command registers the embedded digits by name.
func ExampleSet() {
	src, err := dataset.Open(context.Background(), "mnist:train[:1%]", dataset.Options{
		Sets: map[string]dataset.Set{"mnist": mnist.Set()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(src.Len(), src.Spec().Preprocess)
	// Output: 600 /255
}
