package tensor_test

import (
	"fmt"

	"github.com/litequant/litequant/tensor"
)

// A quantized tensor is bytes with a meaning: its real values are
// scale·(q − zero point).
func Example() {
	t, err := tensor.Of[uint8](tensor.Shape{1, 3}, 0, 128, 255)
	if err != nil {
		fmt.Println(err)
		return
	}
	t = t.WithQuant(tensor.PerTensor(0.5, 128))
	raw, _ := tensor.Values[uint8](t)
	fmt.Println(t.DType(), t.Shape(), raw[1], t.Float32s())
	// Output: uint8 [1,3] 128 [-64 0 63.5]
}

func ExampleValues() {
	t, _ := tensor.Of[float32](tensor.Shape{2}, 1, 2)
	_, err := tensor.Values[int32](t)
	fmt.Println(err)
	// Output: tensor holds float32, not int32: wrong element type
}

func ExampleOfStrings() {
	t, _ := tensor.OfStrings(tensor.Shape{2}, "one", "two")
	v, _ := t.Strings()
	fmt.Printf("%s\n", v)
	// Output: [one two]
}
