package calibrate_test

import (
	"fmt"

	"github.com/litequant/litequant/calibrate"
)

// Statistics of two halves of a data set are those of the whole.
func ExampleMerge() {
	first, _ := calibrate.Decode([]byte(`{"logits": [-1.5, 2]}`))
	second, _ := calibrate.Decode([]byte(`{"logits": [-0.5, 2.25]}`))
	all, err := calibrate.Merge(first, second)
	if err != nil {
		panic(err)
	}
	fmt.Println(all.Tensors[0].Name, all.Tensors[0].Range)
	// Output: logits {-1.5 2.25}
}
