package train

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/tensor"
)

// variedNet has the layers that training treats differently, and those with fast
// gradients of their own. Its activations are smooth.
func variedNet(t *testing.T) *keras.Model {
	t.Helper()
	m, err := keras.Sequential(keras.Input(6, 6, 2),
		keras.DepthwiseConv2D{KernelSize: [2]int{3, 3}, Padding: keras.Same},
		keras.BatchNormalization{Momentum: 0.9},
		keras.Activation{Function: keras.Sigmoid},
		keras.Dropout{Rate: 0.3},
		keras.Conv2D{Filters: 4, KernelSize: [2]int{2, 2}},
		keras.AveragePooling2D{},
		keras.Dropout{Rate: 0.3},
		keras.Flatten{},
		keras.Dense{Units: 6, Activation: keras.Tanh},
		keras.BatchNormalization{},
		keras.Dense{Units: 5, Activation: keras.Softmax})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Initialize(4); err != nil {
		t.Fatal(err)
	}
	return m
}

// firstLoss is the loss of the first step, in training's form, and the head as that
// step leaves it.
func firstLoss(t *testing.T, head *graph.Model, o Options, x, labels tensor.Tensor) (float64, *graph.Model) {
	t.Helper()
	net, err := newNetwork(head, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	loss, _, err := net.run(context.Background(), []tensor.Tensor{x}, labels)
	if err != nil {
		t.Fatal(err)
	}
	return meanLoss(loss), net.trained()
}

// TestGradientsOfTrainingLayers compares gradients through batch statistics and
// dropouts with central differences of the training program itself, whose dropouts
// are the same for the same step.
func TestGradientsOfTrainingLayers(t *testing.T) {
	head := lowered(t, variedNet(t))
	x, labels := randomBatch(9)
	o := Options{Optimizer: SGD{LearningRate: 1}}
	_, after := firstLoss(t, head, o, x, labels)
	const h = 1e-2
	at := func(v graph.ValueID, i int, d float32) float64 {
		c := head.Clone()
		w := append([]float32(nil), tensor.View[float32](c.Main().Values[v].Const)...)
		w[i] += d
		c.Main().Values[v].Const = tensor.BytesOf(w)
		loss, _ := firstLoss(t, c, o, x, labels)
		return loss
	}
	checked := 0
	for _, v := range trainable(head.Main()) {
		value := head.Main().Value(v)
		if p := value.Param.Name; p == "" || isStatistic(p) {
			continue
		}
		old, moved := tensor.View[float32](value.Const), tensor.View[float32](after.Main().Values[v].Const)
		for i := 0; i < len(old); i += 1 + len(old)/4 {
			got, want := float64(old[i]-moved[i]), (at(v, i, h)-at(v, i, -h))/(2*h)
			if math.Abs(got-want) > 1e-3+0.01*math.Abs(want) {
				t.Errorf("%s[%d]: gradient %g, differences say %g", value.Param.Name, i, got, want)
			}
			checked++
		}
	}
	if checked < 30 {
		t.Errorf("only %d elements were checked", checked)
	}
}

func isStatistic(name string) bool {
	for _, s := range []string{"moving_mean", "moving_variance"} {
		if len(name) >= len(s) && name[len(name)-len(s):] == s {
			return true
		}
	}
	return false
}

// TestVariedNet: fast kernels do what the plain ones do, and threads change no bit.
func TestVariedNet(t *testing.T) {
	x, labels := randomBatch(9)
	weights := func(kind engine.Kind, threads int) []float32 {
		net, err := newNetworkOn(lowered(t, variedNet(t)), Options{Seed: 3, Threads: threads, Optimizer: SGD{Momentum: 0.9}}.withDefaults(), kind)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if _, _, err := net.run(context.Background(), []tensor.Tensor{x}, labels); err != nil {
				t.Fatal(err)
			}
		}
		var all []float32
		for _, v := range net.weights {
			all = append(all, net.runner.Value(v).Float32s()...)
		}
		return all
	}
	one, ref := weights(engine.Fast, 1), weights(engine.Reference, 1)
	if d := cmp.Diff(one, weights(engine.Fast, 2)); d != "" {
		t.Errorf("two threads: %s", d)
	}
	for i := range ref {
		if math.Abs(float64(one[i]-ref[i])) > 1e-4 {
			t.Fatalf("weight %d: fast %g, reference %g", i, one[i], ref[i])
		}
	}
}

// dropNet is a dropout over the input and a sum.
func dropNet(t *testing.T, rate float64) *graph.Model {
	t.Helper()
	m, err := keras.Sequential(keras.Input(1000), keras.Dropout{Rate: rate}, keras.Dense{Units: 1, NoBias: true, KernelInitializer: keras.Ones})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Initialize(1); err != nil {
		t.Fatal(err)
	}
	return lowered(t, m)
}

// TestDropout: the share that is dropped, the scale of the rest, what draws depend
// on, and that inference drops nothing.
func TestDropout(t *testing.T) {
	x, _ := tensor.Of(tensor.Shape{2, 1000}, make([]float32, 2000)...)
	for i := range x.Float32s() {
		tensor.View[float32](x.Bytes())[i] = 1
	}
	label, _ := tensor.Of(tensor.Shape{2, 1}, 0, float32(0))
	outputs := func(seed uint64, steps int) (all [][]float32) {
		net, err := newNetwork(dropNet(t, 0.25), Options{Loss: MeanSquaredError{}, Optimizer: SGD{LearningRate: 1e-30}, Seed: seed}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		for range steps {
			_, y, err := net.run(context.Background(), []tensor.Tensor{x}, label)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, append([]float32(nil), y.Float32s()...))
		}
		return all
	}
	a := outputs(1, 3)
	if d := cmp.Diff(a, outputs(1, 3)); d != "" {
		t.Errorf("the same seed: %s", d)
	}
	if b := outputs(2, 1); b[0][0] == a[0][0] && b[0][1] == a[0][1] {
		t.Error("another seed draws the same")
	}
	if a[0][0] == a[1][0] && a[0][1] == a[1][1] {
		t.Error("another step draws the same")
	}
	sum := 0.0
	for _, y := range a {
		sum += float64(y[0]) + float64(y[1])
		if kept := float64(y[0]) * 0.75; math.Abs(kept-math.Round(kept)) > 0.02 {
			t.Errorf("sum %v is no multiple of 1/(1-rate)", y[0])
		}
	}
	if mean := sum / 6; math.Abs(mean-1000) > 30 { // 4 standard deviations
		t.Errorf("a sum of 1000 is %v on average", mean)
	}
}

// TestDropoutAtValidation: only training drops, though nothing before the dropout
// is trained.
func TestDropoutAtValidation(t *testing.T) {
	ones := make([]float32, 1000)
	for i := range ones {
		ones[i] = 1
	}
	x, _ := tensor.Of(tensor.Shape{1, 1000}, ones...)
	y, _ := tensor.Of(tensor.Shape{1, 1}, float32(1000))
	src, err := dataset.FromColumns(dataset.Columns{Inputs: []dataset.Column{{Name: "x", Values: x}}, Label: &dataset.Column{Name: "y", Values: y}})
	if err != nil {
		t.Fatal(err)
	}
	_, h, err := FitGraph(context.Background(), dropNet(t, 0.5), src, Options{Loss: MeanSquaredError{}, Optimizer: SGD{LearningRate: 1e-30}, Validation: src})
	if err != nil {
		t.Fatal(err)
	}
	if e := h.Epochs[0]; e.Loss == 0 || e.ValLoss != 0 {
		t.Errorf("loss %v, validation loss %v; want only the first to be off", e.Loss, e.ValLoss)
	}
}

// TestSplitKeepsDropouts: a dropout behind a frozen layer is part of what is
// computed in every step.
func TestSplitKeepsDropouts(t *testing.T) {
	m, err := keras.Sequential(keras.Input(4), keras.Dense{Units: 3, Frozen: true}, keras.Dropout{Rate: 0.5}, keras.Activation{Function: keras.Tanh}, keras.Dense{Units: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Initialize(1); err != nil {
		t.Fatal(err)
	}
	prefix, head, err := split(lowered(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if p, h := len(prefix.Main().Nodes), len(head.Main().Nodes); p != 1 || h != 3 {
		t.Errorf("%d nodes in the prefix and %d in the head, want 1 and 3", p, h)
	}
}

// TestLabels: what a loss takes for labels.
func TestLabels(t *testing.T) {
	values := func(output tensor.Shape) *labeler { return &labeler{output: output} }
	classes := func(output tensor.Shape) *labeler { return &labeler{classes: true, output: output} }
	for _, c := range []struct {
		name  string
		l     *labeler
		label tensor.Shape
		want  tensor.Shape // nil: refused
	}{
		{"classes", classes(tensor.Shape{5}), tensor.Shape{2}, tensor.Shape{2}},
		{"classes in a column", classes(tensor.Shape{5}), tensor.Shape{2, 1}, tensor.Shape{2}},
		{"classes of rows", classes(tensor.Shape{3, 5}), tensor.Shape{2, 3}, tensor.Shape{6}},
		{"one-hot for classes", classes(tensor.Shape{5}), tensor.Shape{2, 5}, nil},
		{"values", values(tensor.Shape{5}), tensor.Shape{2, 5}, tensor.Shape{2, 5}},
		{"a value", values(tensor.Shape{1}), tensor.Shape{2}, tensor.Shape{2, 1}},
		{"a value in a column", values(tensor.Shape{1}), tensor.Shape{2, 1}, tensor.Shape{2, 1}},
		{"images", values(tensor.Shape{3, 3, 1}), tensor.Shape{2, 3, 3}, tensor.Shape{2, 3, 3, 1}},
		{"classes for values", values(tensor.Shape{5}), tensor.Shape{2}, nil},
		{"unknown", values(tensor.Shape{-1, 2}), tensor.Shape{2, 7, 2}, tensor.Shape{2, 7, 2}},
	} {
		label, err := tensor.Zeros(tensor.Int64, c.label)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.l.of(label)
		if c.want == nil {
			if !errors.Is(err, tensor.ErrShape) {
				t.Errorf("%s: error %v", c.name, err)
			}
		} else if err != nil || !got.Shape().Equal(c.want) {
			t.Errorf("%s: labels %v, error %v, want %v", c.name, got.Shape(), err, c.want)
		}
	}
}

// TestSparseRows: the loss of an output with a row of classes for each of several
// positions is the mean over all rows.
func TestSparseRows(t *testing.T) {
	m, err := keras.Sequential(keras.Input(3, 4), keras.Dense{Units: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Initialize(1); err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Weights() { // all logits are 0
		if w.Value, err = tensor.Zeros(tensor.Float32, w.Shape()); err != nil {
			t.Fatal(err)
		}
	}
	x, _ := tensor.Zeros(tensor.Float32, tensor.Shape{2, 3, 4})
	labels, _ := tensor.Of(tensor.Shape{6}, []int32{0, 1, 2, 3, 4, 0}...)
	loss, _ := firstLoss(t, lowered(t, m), Options{Loss: SparseCategoricalCrossentropy{FromLogits: true}}, x, labels)
	if math.Abs(loss-math.Log(5)) > 1e-6 {
		t.Errorf("loss %v, want ln 5", loss)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]Loss{
		"sparse_categorical_crossentropy": SparseCategoricalCrossentropy{}, "SparseCategoricalCrossentropy": SparseCategoricalCrossentropy{},
		"binary_crossentropy_from_logits": BinaryCrossentropy{FromLogits: true}, "mse": MeanSquaredError{}, "Huber": Huber{},
	} {
		if got, err := ParseLoss(name); err != nil || got != want {
			t.Errorf("%s is %#v, error %v", name, got, err)
		}
	}
	for name, want := range map[string]Optimizer{
		"adam": Adam{LearningRate: 0.5}, "AdamW": AdamW{LearningRate: 0.5}, "SGD": SGD{LearningRate: 0.5}, "RMSprop": RMSprop{LearningRate: 0.5},
	} {
		if got, err := ParseOptimizer(name, 0.5); err != nil || got != want {
			t.Errorf("%s is %#v, error %v", name, got, err)
		}
	}
	if _, err := ParseLoss("hinge"); !errors.Is(err, tensor.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := ParseOptimizer("lion", 0); !errors.Is(err, tensor.ErrUnsupported) {
		t.Error(err)
	}
}
