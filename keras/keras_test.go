package keras

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/tensor"
)

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func digits() (*Model, error) {
	return Sequential(
		Input(28, 28, 1),
		Conv2D{Filters: 4, KernelSize: [2]int{5, 5}, Padding: Same, Activation: ReLU},
		MaxPooling2D{},
		Conv2D{Filters: 8, KernelSize: [2]int{5, 5}, Padding: Same, Activation: ReLU, Frozen: true},
		MaxPooling2D{},
		Flatten{},
		Dense{Units: 16, Activation: ReLU},
		Dense{Units: 10, Activation: Softmax},
	)
}

func TestSequential(t *testing.T) {
	m := must(digits())(t)
	const want = `Model: "sequential"
Layer (type)                    Output Shape  Param #
=====================================================
input_1 (InputLayer)            [?,28,28,1]         0
conv2d (Conv2D)                 [?,28,28,4]       104
max_pooling2d (MaxPooling2D)    [?,14,14,4]         0
conv2d_1 (Conv2D)               [?,14,14,8]       808
max_pooling2d_1 (MaxPooling2D)  [?,7,7,8]           0
flatten (Flatten)               [?,392]             0
dense (Dense)                   [?,16]           6288
dense_1 (Dense)                 [?,10]            170
Total params: 7370
Trainable params: 6562
Non-trainable params: 808
`
	if diff := cmp.Diff(want, m.Summary()); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, w := range m.Weights() {
		names = append(names, w.Name)
	}
	wantNames := []string{
		"conv2d/kernel:0", "conv2d/bias:0", "conv2d_1/kernel:0", "conv2d_1/bias:0",
		"dense/kernel:0", "dense/bias:0", "dense_1/kernel:0", "dense_1/bias:0",
	}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Error(diff)
	}
	g := must(m.Graph())(t)
	var nodes []string
	for _, n := range g.Nodes {
		nodes = append(nodes, n.Name)
	}
	// The names that tf_keras gives the same network.
	wantNodes := []string{
		"serving_default_input_1",
		"sequential/conv2d/Conv2D/ReadVariableOp", "sequential/conv2d/Conv2D", "sequential/conv2d/BiasAdd/ReadVariableOp",
		"sequential/conv2d/BiasAdd", "sequential/conv2d/Relu", "sequential/max_pooling2d/MaxPool",
		"sequential/conv2d_1/Conv2D/ReadVariableOp", "sequential/conv2d_1/Conv2D", "sequential/conv2d_1/BiasAdd/ReadVariableOp",
		"sequential/conv2d_1/BiasAdd", "sequential/conv2d_1/Relu", "sequential/max_pooling2d_1/MaxPool",
		"sequential/flatten/Reshape/shape", "sequential/flatten/Reshape",
		"sequential/dense/MatMul/ReadVariableOp", "sequential/dense/MatMul", "sequential/dense/BiasAdd/ReadVariableOp",
		"sequential/dense/BiasAdd", "sequential/dense/Relu",
		"sequential/dense_1/MatMul/ReadVariableOp", "sequential/dense_1/MatMul", "sequential/dense_1/BiasAdd/ReadVariableOp",
		"sequential/dense_1/BiasAdd", "sequential/dense_1/Softmax", "Identity",
	}
	if diff := cmp.Diff(wantNodes, nodes); diff != "" {
		t.Error(diff)
	}
	if w, _ := m.Weight("conv2d_1/kernel"); w == nil || w.Trainable || w.Shape().String() != "[5,5,4,8]" {
		t.Errorf("weight of the frozen layer: %+v", w)
	}
}

func TestInitialize(t *testing.T) {
	a, b := must(digits())(t), must(digits())(t)
	if !cmp.Equal(state(t, a), state(t, b)) {
		t.Error("two models made alike differ")
	}
	before := state(t, a)
	if err := a.Initialize(1); err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(before, state(t, a)) {
		t.Error("seed 1 gives the values of seed 0")
	}
	if err := a.Initialize(0); err != nil || !cmp.Equal(before, state(t, a)) {
		t.Errorf("seed 0 does not give its values again (%v)", err)
	}
}

func TestInitializers(t *testing.T) {
	shape := tensor.Shape{5, 5, 40, 20} // fans 1000 and 500
	cases := []struct {
		init       Initializer
		mean, dev  float64
		low, high  float64
		everywhere bool
	}{
		{init: Zeros, everywhere: true},
		{init: Ones, mean: 1, low: 1, high: 1, everywhere: true},
		{init: Constant(2.5), mean: 2.5, low: 2.5, high: 2.5, everywhere: true},
		{init: GlorotUniform, dev: 0.036515, low: -0.0632456, high: 0.0632456}, // sqrt(6/1500)
		{init: HeUniform, dev: 0.0447214, low: -0.0774597, high: 0.0774597},    // sqrt(6/1000)
		{init: HeNormal, dev: 0.0447214, low: -0.1016829, high: 0.1016829},     // 2·sqrt(2/1000)/0.8796
		{init: LecunNormal, dev: 0.0316228, low: -0.0719007, high: 0.0719007},  // 2·sqrt(1/1000)/0.8796
		{init: TruncatedNormal(1, 0.1), mean: 1, dev: 0.087962, low: 0.8, high: 1.2},
		{init: RandomNormal(-1, 0.1), mean: -1, dev: 0.1, low: -1.6, high: -0.4},
		{init: RandomUniform(2, 4), mean: 3, dev: 0.57735, low: 2, high: 4},
	}
	for _, c := range cases {
		v := must(c.init.sample(shape, 3, "w"))(t).Float32s()
		var sum, square float64
		for _, x := range v {
			sum += float64(x)
		}
		mean := sum / float64(len(v))
		for _, x := range v {
			square += (float64(x) - mean) * (float64(x) - mean)
		}
		variance := square / float64(len(v))
		if lo, hi := float64(slices.Min(v)), float64(slices.Max(v)); lo < c.low-1e-6 || hi > c.high+1e-6 {
			t.Errorf("%s: values from %v to %v", c.init.class, lo, hi)
		}
		if d := mean - c.mean; d > 0.01 || d < -0.01 || variance < 0.97*c.dev*c.dev || variance > 1.03*c.dev*c.dev {
			t.Errorf("%s: mean %v, variance %v", c.init.class, mean, variance)
		}
		if c.everywhere && variance != 0 {
			t.Errorf("%s is not constant", c.init.class)
		}
	}
	if _, err := (Initializer{class: "Orthogonal"}).sample(shape, 0, ""); !errors.Is(err, tensor.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

func TestFunctional(t *testing.T) {
	inner := must(Sequential(Input(3), Dense{Units: 3, Activation: Tanh}))(t)
	a, b := Apply(Input(4)), Apply(Input(3))
	shared := &Dense{Units: 3}
	x := Apply(Dense{Units: 3}, a)
	y, z := Apply(shared, x), Apply(shared, b)
	sum := Apply(Add{}, y, z, Apply(inner, y))
	m := must(Functional([]*Tensor{a, b}, []*Tensor{sum, y}))(t)
	if diff := cmp.Diff([]string{"input_1", "input_2", "dense", "dense_1", "sequential", "add"}, m.Layers()); diff != "" {
		t.Error(diff)
	}
	var paths []string
	for _, w := range m.Weights() {
		paths = append(paths, w.Path)
	}
	if diff := cmp.Diff([]string{"dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias", "sequential/dense/kernel", "sequential/dense/bias"}, paths); diff != "" {
		t.Error(diff)
	}
	// Variables of nested models share names; those of the graph must not.
	g := must(m.Graph())(t)
	seen := map[string]bool{}
	for _, v := range g.Variables {
		if seen[v.Name] {
			t.Errorf("two variables are named %s", v.Name)
		}
		seen[v.Name] = true
	}
	if len(g.Outputs) != 2 || g.Outputs[0].Name != "add" || g.Outputs[1].Name != "dense_1" || len(g.Inputs) != 2 {
		t.Errorf("ports %v %v", g.Inputs, g.Outputs)
	}
	for _, file := range []string{"/m.h5", "/m.keras"} {
		file = t.TempDir() + file
		if err := m.Save(file); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(state(t, m), state(t, load(t, file, LoadOptions{}))); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

// strange is a layer that this package does not know.
type strange struct{}

func (strange) Describe() (class, name string, frozen bool) { return "Strange", "odd", false }

// impostor claims the class of another layer.
type impostor struct{}

func (impostor) Describe() (class, name string, frozen bool) { return "Dense", "fake", false }

func TestConstructErrors(t *testing.T) {
	loop := &Tensor{layer: Add{}}
	loop.inputs = []*Tensor{loop, loop}
	x := Apply(Input(4))
	sequential := func(l ...Layer) func() (*Model, error) { return func() (*Model, error) { return Sequential(l...) } }
	functional := func(in, out *Tensor) func() (*Model, error) {
		return func() (*Model, error) { return Functional([]*Tensor{in}, []*Tensor{out}) }
	}
	cases := []struct {
		name string
		make func() (*Model, error)
		want error
		text string
	}{
		{"no layers", sequential(), tensor.ErrMalformed, "without layers"},
		{"no input", sequential(Dense{Units: 2}), tensor.ErrMalformed, `layer "dense" (Dense)`},
		{"two inputs", sequential(Input(2), Input(2)), tensor.ErrMalformed, `"input_2"`},
		{"nil layer", sequential(Input(2), nil), tensor.ErrMalformed, "nil"},
		{"nil pointer", sequential(Input(2), (*Dense)(nil)), tensor.ErrMalformed, "nil"},
		{"unknown layer", sequential(Input(2), strange{}), tensor.ErrUnsupported, `"odd" of class Strange`},
		{"impostor", sequential(Input(2), impostor{}), tensor.ErrUnsupported, `"fake" of class Dense`},
		{"same name", sequential(Input(2), Dense{Units: 1, Name: "a"}, Dense{Units: 1, Name: "a"}), tensor.ErrMalformed, `"a"`},
		{"no units", sequential(Input(2), Dense{}), tensor.ErrShape, "units"},
		{"unknown last dimension", sequential(Input(-1), Dense{Units: 1}), tensor.ErrShape, "unknown dimension"},
		{"no image", sequential(Input(4, 4), MaxPooling2D{}), tensor.ErrShape, "dimensions"},
		{"window too large", sequential(Input(4, 4, 1), MaxPooling2D{PoolSize: [2]int{5, 1}}), tensor.ErrShape, "does not fit"},
		{"negative stride", sequential(Input(4, 4, 1), MaxPooling2D{Strides: [2]int{-1, 1}}), tensor.ErrShape, "strides"},
		{"padding", sequential(Input(4, 4, 1), MaxPooling2D{Padding: "full"}), tensor.ErrUnsupported, "full"},
		{"groups", sequential(Input(4, 4, 3), Conv2D{Filters: 4, KernelSize: [2]int{1, 1}, Groups: 2}), tensor.ErrShape, "groups"},
		{"activation", sequential(Input(4), Activation{Function: "strange"}), tensor.ErrUnsupported, "strange"},
		{"softmax axis", sequential(Input(4, 4), SoftmaxLayer{Axis: 1}), tensor.ErrUnsupported, "axis"},
		{"reshape", sequential(Input(4), Reshape{TargetShape: tensor.Shape{3}}), tensor.ErrShape, "4 elements"},
		{"reshape zero", sequential(Input(4), Reshape{TargetShape: tensor.Shape{0, -1}}), tensor.ErrShape, "target_shape"},
		{"dropout", sequential(Input(4), Dropout{Rate: 1}), tensor.ErrShape, "rate"},
		{"weight too large", sequential(Input(1<<20), Dense{Units: 1 << 20}), tensor.ErrLimit, "elements"},
		{"overflow", sequential(Input(1<<40), Dense{Units: 1 << 40}), tensor.ErrLimit, "elements"},
		{"dimension", sequential(Input(1<<50), Flatten{}), tensor.ErrShape, "input"},
		{"not connected", functional(Apply(Input(4)), Apply(Dense{Units: 2}, x)), tensor.ErrUnsupported, "not among the model's"},
		{"loop", functional(x, loop), tensor.ErrMalformed, "depends on itself"},
		{"nil tensor", functional(x, nil), tensor.ErrMalformed, "nil"},
		{"input is a result", functional(Apply(Dense{Units: 1}, x), x), tensor.ErrMalformed, "is no input"},
		{"shapes", functional(x, Apply(Add{}, x, Apply(Dense{Units: 3}, x))), tensor.ErrShape, "broadcast"},
		{"one input", functional(x, Apply(Add{}, x)), tensor.ErrShape, "two inputs"},
		{"two outputs of one", functional(x, Apply(Dense{Units: 3}, x, x)), tensor.ErrShape, "one input"},
		{"no such output", functional(x, Apply(Dense{Units: 3}, x).Output(2)), tensor.ErrMalformed, "output"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.make()
			if m != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %v about %q", err, c.want, c.text)
			}
		})
	}
}

// TestAllProblems reports what is wrong with two layers at once.
func TestAllProblems(t *testing.T) {
	_, err := readConfig(`{"class_name":"Sequential","config":{"name":"s","layers":[
		{"class_name":"InputLayer","config":{"name":"i","batch_input_shape":[null,4]}},
		{"class_name":"LSTM","config":{"name":"recurrent","units":3}},
		{"class_name":"Dense","config":{"name":"d","units":3,"activation":"odd"}},
		{"class_name":"Conv2D","config":{"name":"c","data_format":"channels_first"}}]}}`)
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	want := []string{
		`layer "recurrent" (LSTM): this layer class: not supported`,
		`layer "d" (Dense): activation "odd": not supported`,
		`layer "c" (Conv2D): data_format channels_first: not supported`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

// readConfig reads a model's configuration.
func readConfig(raw string) (*Model, error) {
	r := &reader{ctx: context.Background(), modules: newModules(LoadOptions{}, ".")}
	return r.readModel([]byte(raw))
}

func TestSnakeCase(t *testing.T) {
	for class, want := range map[string]string{
		"Dense": "dense", "Conv2D": "conv2d", "DepthwiseConv2D": "depthwise_conv2d", "MaxPooling2D": "max_pooling2d",
		"GlobalAveragePooling2D": "global_average_pooling2d", "ReLU": "re_lu", "BatchNormalization": "batch_normalization",
		"ZeroPadding2D": "zero_padding2d", "KerasLayer": "keras_layer", "PReLU": "p_re_lu", "LSTM": "lstm", "InputLayer": "input_layer",
	} {
		if got := snakeCase(class); got != want {
			t.Errorf("%s: %s, want %s", class, got, want)
		}
	}
}

// TestWrongValue refuses to write a weight whose value does not fit.
func TestWrongValue(t *testing.T) {
	m := must(digits())(t)
	m.Weights()[0].Value = tensor.Tensor{}
	for _, name := range []string{"/m.h5", "/m.keras", "/m"} {
		if err := m.Save(t.TempDir() + name); !errors.Is(err, tensor.ErrShape) || !strings.Contains(err.Error(), "conv2d/kernel") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
