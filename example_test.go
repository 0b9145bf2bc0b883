package litequant_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/litequant/litequant"
	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/dataset/mnist"
	"github.com/litequant/litequant/evaluate"
	"github.com/litequant/litequant/hub"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/train"
)

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// The tutorial: a Hub layer, a fit, a conversion, a full integer quantization, and
// the proof. A real handle is https://tfhub.dev/…; this one is made on the spot.
func Example() {
	ctx := context.Background()
	digits := must(mnist.Load()) // pixels in [0,1]
	handle := publishTrunk(ctx, digits)
	defer os.RemoveAll(handle)

	trunk := must(hub.Load(ctx, handle, hub.Options{}))
	model := must(keras.Sequential(
		keras.Input(28, 28, 1),
		trunk.Layer(), // frozen
		keras.Dense{Units: 10, Activation: keras.Softmax},
	))
	check(model.Initialize(1))
	must(train.Fit(ctx, model, dataset.Take(digits.Train, 4000), train.Options{
		Optimizer: train.Adam{LearningRate: 0.01},
		Loss:      train.SparseCategoricalCrossentropy{FromLogits: true},
		Metrics:   []metric.Metric{metric.Accuracy},
		Epochs:    5,
	}))

	c := litequant.FromKeras(model)
	float := must(c.Convert(ctx))

	c.Optimizations = []litequant.Optimize{litequant.OptimizeDefault}
	c.RepresentativeDataset = dataset.Take(digits.Train, 100)
	c.TargetSpec.SupportedOps = []litequant.OpsSet{litequant.TFLiteBuiltinsInt8}
	c.InferenceInputType, c.InferenceOutputType = tensor.UInt8, tensor.UInt8
	small := must(c.Convert(ctx))

	it := must(litequant.NewInterpreter(small))
	fmt.Println(it.InputDetails()[0].DType, it.OutputDetails()[0].DType)
	var accuracy [2]float64
	for i, file := range [][]byte{float, small} {
		accuracy[i] = must(evaluate.Model(ctx, file, digits.Test, metric.Accuracy)).Value
	}
	fmt.Println("right on 9 of 10:", accuracy[0] > 0.9)
	fmt.Println("drop below one point:", accuracy[0]-accuracy[1] < 0.01)
	fmt.Println("three times smaller:", len(float) > 3*len(small))
	// Output:
	// uint8 uint8
	// right on 9 of 10: true
	// drop below one point: true
	// three times smaller: true
}

// publishTrunk trains a small network and publishes all but its last activation
// as a Hub module.
func publishTrunk(ctx context.Context, digits *mnist.Digits) (dir string) {
	m := must(keras.Sequential(
		keras.Input(28, 28, 1),
		keras.Conv2D{Filters: 8, KernelSize: [2]int{5, 5}, Strides: [2]int{2, 2}, Activation: keras.ReLU},
		keras.MaxPooling2D{},
		keras.Flatten{},
		keras.Dense{Units: 64, Activation: keras.ReLU},
		keras.Dense{Units: 10},
	))
	check(m.Initialize(1))
	must(train.Fit(ctx, m, dataset.Take(digits.Train, 4000), train.Options{
		Loss: train.SparseCategoricalCrossentropy{FromLogits: true}, Epochs: 3,
	}))
	dir = must(os.MkdirTemp("", "litequant-example-"))
	check(m.Publish(dir))
	return dir
}
