package metric_test

import (
	"fmt"

	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/tensor"
)

func Example() {
	scores, _ := tensor.Of[int8](tensor.Shape{3, 2}, -10, 5, 7, 7, 1, 0)
	labels, _ := tensor.Of[uint8](tensor.Shape{3}, 1, 0, 1)
	c := metric.Accuracy.New()
	if err := c.Update(scores, labels); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %.4f of %d\n", c.Name(), c.Value(), c.Count)
	// Output: accuracy 0.6667 of 3
}

// Losses arrive as means of batches, the last of which may be smaller.
func ExampleMean() {
	var loss metric.Mean
	loss.Add(0.5, 32)
	loss.Add(0.2, 16)
	fmt.Printf("%.2f\n", loss.Value())
	// Output: 0.40
}
