package keras_test

import (
	"fmt"

	"github.com/litequant/litequant/keras"
)

func ExampleSequential() {
	m, err := keras.Sequential(
		keras.Input(28, 28, 1),
		keras.Conv2D{Filters: 8, KernelSize: [2]int{3, 3}, Activation: keras.ReLU},
		keras.MaxPooling2D{},
		keras.Flatten{},
		keras.Dense{Units: 10, Activation: keras.Softmax},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range m.Weights() {
		fmt.Println(w.Name, w.Shape())
	}
	// Output:
	// conv2d/kernel:0 [3,3,1,8]
	// conv2d/bias:0 [8]
	// dense/kernel:0 [1352,10]
	// dense/bias:0 [10]
}

// A branch is added to its own input; a layer given by pointer shares its weights.
func ExampleFunctional() {
	shared := &keras.Dense{Units: 4, Activation: keras.Tanh}
	x := keras.Apply(keras.Input(4))
	y := keras.Apply(shared, keras.Apply(shared, x))
	m, err := keras.Functional([]*keras.Tensor{x}, []*keras.Tensor{keras.Apply(keras.Add{}, x, y)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(m.Summary())
	// Output:
	// Model: "model"
	// Layer (type)          Output Shape  Param #
	// ===========================================
	// input_1 (InputLayer)  [?,4]               0
	// dense (Dense)         [?,4]              20
	// add (Add)             [?,4]               0
	// Total params: 20
	// Trainable params: 20
	// Non-trainable params: 0
}
