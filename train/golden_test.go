package train

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/lower"
	"github.com/litequant/litequant/internal/npy"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/tensor"
)

// goldens are networks that Keras has trained: see testdata/gen_fit.py.
var goldens = []struct {
	name, net string
	loss      Loss
	opt       Optimizer
}{
	{"conv_norm", "conv_norm", SparseCategoricalCrossentropy{}, Adam{LearningRate: 0.01}},
	{"dense_norm", "dense_norm", CategoricalCrossentropy{FromLogits: true}, SGD{LearningRate: 0.05, Momentum: 0.9, Nesterov: true}},
	{"depthwise", "depthwise", BinaryCrossentropy{}, RMSprop{LearningRate: 0.01, Momentum: 0.5}},
	{"branches", "branches", Huber{}, AdamW{LearningRate: 0.02, WeightDecay: 0.1}},
	{"frozen_norm", "frozen_norm", MeanAbsoluteError{}, SGD{LearningRate: 0.05, Momentum: 0.5}},
	{"sigmoid", "sigmoid", SparseCategoricalCrossentropy{}, SGD{LearningRate: 0.1}},
	{"sparse", "probabilities", SparseCategoricalCrossentropy{}, SGD{LearningRate: 0.1}},
	{"categorical", "probabilities", CategoricalCrossentropy{}, RMSprop{LearningRate: 0.01}},
	{"binary", "probabilities", BinaryCrossentropy{}, SGD{LearningRate: 0.1}},
	{"squares", "probabilities", MeanSquaredError{}, Adam{LearningRate: 0.01}},
}

const goldenSteps = 3

// bound is how far a weight may be from Keras's after a step, and a loss: relative
// to the weight's largest element, and to the loss.
const bound = 1e-5

type golden struct {
	t      *testing.T
	model  *keras.Model
	arrays map[string]tensor.Tensor
}

func loadGolden(t *testing.T, net, name string) *golden {
	t.Helper()
	m, err := keras.Load(context.Background(), "testdata/fit/"+net+".h5", keras.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("testdata/fit/" + name + ".npz")
	if err != nil {
		t.Fatal(err)
	}
	arrays, err := npy.ReadAll(bytes.NewReader(raw), int64(len(raw)), 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{t, m, map[string]tensor.Tensor{}}
	for _, a := range arrays {
		g.arrays[a.Name] = a.Tensor
	}
	return g
}

func (g *golden) array(format string, args ...any) tensor.Tensor {
	g.t.Helper()
	name := fmt.Sprintf(format, args...)
	a, ok := g.arrays[name]
	if !ok {
		g.t.Fatalf("no array %s", name)
	}
	return a
}

// weights compares all weights with those after a step.
func (g *golden) weights(step int) {
	g.t.Helper()
	for _, w := range g.model.Weights() {
		want, got := g.array("w%d/%s", step, strings.TrimSuffix(w.Name, ":0")).Float32s(), w.Value.Float32s()
		largest, worst := 0.0, 0.0
		for i := range want {
			largest = max(largest, math.Abs(float64(want[i])))
			worst = max(worst, math.Abs(float64(got[i]-want[i])))
		}
		if !(worst <= bound*largest) {
			g.t.Errorf("step %d: %s differs by %.1e of its largest element", step, w.Name, worst/largest)
		}
	}
}

func (g *golden) loss(what string, got float64, want tensor.Tensor) {
	g.t.Helper()
	if w := float64(want.Float32s()[0]); !(math.Abs(got-w) <= bound*w) {
		g.t.Errorf("%s is %v, want %v", what, got, w)
	}
}

func lowered(t *testing.T, m *keras.Model) *graph.Model {
	t.Helper()
	g, err := m.Graph()
	if err != nil {
		t.Fatal(err)
	}
	l, err := lower.Graph(g, lower.Options{Train: true})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func meanLoss(loss []float32) float64 {
	sum := 0.0
	for _, l := range loss {
		sum += float64(l)
	}
	return sum / float64(len(loss))
}

// TestGolden trains step by step with both kinds of kernels and compares every
// weight and every loss with Keras's.
func TestGolden(t *testing.T) {
	for _, c := range goldens {
		for name, kind := range map[string]engine.Kind{"fast": engine.Fast, "reference": engine.Reference} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				g := loadGolden(t, c.net, c.name)
				head := lowered(t, g.model)
				net, err := newNetworkOn(head, Options{Loss: c.loss, Optimizer: c.opt}.withDefaults(), kind)
				if err != nil {
					t.Fatal(err)
				}
				labels, err := newLabeler(c.loss, head)
				if err != nil {
					t.Fatal(err)
				}
				for i := range goldenSteps {
					y, err := labels.of(g.array("y%d", i))
					if err != nil {
						t.Fatal(err)
					}
					loss, _, err := net.run(context.Background(), []tensor.Tensor{g.array("x%d", i)}, y)
					if err != nil {
						t.Fatal(err)
					}
					g.loss(fmt.Sprintf("loss %d", i), meanLoss(loss), g.array("loss%d", i))
					if err := store(g.model, net.trained().Main()); err != nil {
						t.Fatal(err)
					}
					g.weights(i)
				}
			})
		}
	}
}

// TestFitGolden does the same by way of Fit, with a validation.
func TestFitGolden(t *testing.T) {
	for _, c := range goldens {
		t.Run(c.name, func(t *testing.T) {
			g := loadGolden(t, c.net, c.name)
			h, err := Fit(context.Background(), g.model, g.data(0, 1, 2), Options{
				Loss: c.loss, Optimizer: c.opt, BatchSize: g.array("x0").Shape()[0], KeepOrder: true, Validation: g.data(0),
			})
			if err != nil {
				t.Fatal(err)
			}
			g.weights(goldenSteps - 1)
			g.loss("validation loss", h.Epochs[0].ValLoss, g.array("val_loss"))
		})
	}
}

// data joins batches.
func (g *golden) data(batches ...int) dataset.Source {
	g.t.Helper()
	join := func(name string) tensor.Tensor {
		first := g.array("%s%d", name, batches[0])
		s, data := first.Shape().Clone(), []byte{}
		s[0] *= len(batches)
		for _, i := range batches {
			data = append(data, g.array("%s%d", name, i).Bytes()...)
		}
		x, err := tensor.New(first.DType(), s, tensor.Quant{}, data)
		if err != nil {
			g.t.Fatal(err)
		}
		return x
	}
	y := dataset.Column{Name: "y", Values: join("y")}
	src, err := dataset.FromColumns(dataset.Columns{Inputs: []dataset.Column{{Name: "x", Values: join("x")}}, Label: &y})
	if err != nil {
		g.t.Fatal(err)
	}
	return src
}
