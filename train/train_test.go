package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/dataset/mnist"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/tensor"
)

func smallNet(frozen bool) *graph.Model {
	return newNet(1, 6, 6, 2).conv("c1", 3, 3, !frozen).maxPool().conv("c2", 3, 4, true).maxPool().flatten().
		dense("d1", 7, fb.ActivationFunctionTypeRELU, true).dense("d2", 5, fb.ActivationFunctionTypeNONE, true).softmax()
}

func randomBatch(n int) (x, labels tensor.Tensor) {
	r := rand.New(rand.NewPCG(7, 0))
	values := make([]float32, n*72)
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	numbers := make([]int32, n)
	for i := range numbers {
		numbers[i] = int32(r.IntN(5))
	}
	images, _ := tensor.Of(tensor.Shape{n, 6, 6, 2}, values...)
	classes, _ := tensor.Of(tensor.Shape{n}, numbers...)
	return images, classes
}

// TestGradients compares the gradients of every weight with central differences
// of the loss that the inference path computes.
func TestGradients(t *testing.T) {
	m := smallNet(false)
	x, labels := randomBatch(9)
	// One step of plain gradient descent with rate 1 moves each weight by its gradient.
	net, err := newNetwork(part(m, func(int) bool { return false }), Options{Optimizer: SGD{LearningRate: 1}}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := net.run(context.Background(), []tensor.Tensor{x}, labels); err != nil {
		t.Fatal(err)
	}
	after := net.trained()
	for _, v := range net.weights {
		old, moved := tensor.View[float32](m.Main().Values[v].Const), tensor.View[float32](after.Main().Values[v].Const)
		for i := 0; i < len(old); i += 1 + len(old)/12 {
			got := float64(old[i] - moved[i])
			const h = 1e-2
			want := (lossAt(t, m, v, i, h, x, labels) - lossAt(t, m, v, i, -h, x, labels)) / (2 * h)
			if math.Abs(got-want) > 2e-3+0.02*math.Abs(want) {
				t.Errorf("%s[%d]: gradient %g, differences say %g", m.Main().Values[v].Name, i, got, want)
			}
		}
	}
}

func lossAt(t *testing.T, m *graph.Model, v graph.ValueID, i int, h float32, x, labels tensor.Tensor) float64 {
	c := m.Clone()
	w := append([]float32(nil), tensor.View[float32](c.Main().Values[v].Const)...)
	w[i] += h
	c.Main().Values[v].Const = tensor.BytesOf(w)
	l, err := withLoss(c, SparseCategoricalCrossentropy{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := newLossPredictor(l, 1)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.run(context.Background(), []tensor.Tensor{x, labels})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, l := range tensor.View[float32](out[1].Bytes()) {
		sum += float64(l)
	}
	return sum / float64(labels.Len())
}

// TestFastEqualsReference trains with the plain kernels and the fast ones.
func TestFastEqualsReference(t *testing.T) {
	x, labels := randomBatch(9)
	weights := func(kind engine.Kind) [][]float32 {
		net, err := newNetworkOn(part(smallNet(false), func(int) bool { return false }), Options{}.withDefaults(), kind)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, _, err := net.run(context.Background(), []tensor.Tensor{x}, labels); err != nil {
				t.Fatal(err)
			}
		}
		var all [][]float32
		for _, v := range net.weights {
			all = append(all, tensor.View[float32](net.trained().Main().Values[v].Const))
		}
		return all
	}
	fast, ref := weights(engine.Fast), weights(engine.Reference)
	for k := range ref {
		for i := range ref[k] {
			if d := math.Abs(float64(fast[k][i] - ref[k][i])); d > 1e-4 {
				t.Fatalf("weight %d[%d]: fast %g, reference %g", k, i, fast[k][i], ref[k][i])
			}
		}
	}
}

// digits are n images to train on and half as many to test; a few in short tests,
// which ask for no accuracy: under the race detector a step takes fifty times as
// long.
func digits(t *testing.T, n int) (train, test dataset.Source) {
	if testing.Short() {
		n = 100
	}
	d, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	return dataset.Take(d.Train, n), dataset.Take(d.Test, n/2)
}

func mnistNet(frozen bool) *graph.Model {
	return newNet(3, 28, 28, 1).conv("c1", 5, 8, !frozen).maxPool().conv("c2", 5, 16, !frozen).maxPool().flatten().
		dense("d1", 10, fb.ActivationFunctionTypeNONE, true).softmax()
}

// TestThreadsDoNotChangeWeights is the promise of the package comment.
func TestThreadsDoNotChangeWeights(t *testing.T) {
	train, _ := digits(t, 500)
	fit := func(threads int) *graph.Model {
		m, _, err := FitGraph(context.Background(), mnistNet(false), train, Options{Epochs: 1, Seed: 5, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	one, two := fit(1), fit(2)
	for i := range one.Main().Values {
		if a, b := one.Main().Values[i].Const, two.Main().Values[i].Const; string(a) != string(b) {
			t.Errorf("%s differs between one thread and two", one.Main().Values[i].Name)
		}
	}
}

// TestFitLearns trains both a whole network and the head of a frozen one.
func TestFitLearns(t *testing.T) {
	train, test := digits(t, 3000)
	for _, frozen := range []bool{false, true} {
		t.Run(fmt.Sprintf("frozen=%v", frozen), func(t *testing.T) {
			start := time.Now()
			phases := map[string]int{}
			_, h, err := FitGraph(context.Background(), mnistNet(frozen), train, Options{
				Epochs: 3, Metrics: []metric.Metric{metric.Accuracy}, Validation: test, Loss: SparseCategoricalCrossentropy{FromLogits: true},
				Progress: func(p Progress) { phases[p.Phase]++ },
			})
			if err != nil {
				t.Fatal(err)
			}
			last := h.Epochs[len(h.Epochs)-1]
			t.Logf("%+v in %v", last, time.Since(start))
			least := 0.85
			if frozen { // random features
				least = 0.65
			}
			if testing.Short() {
				least = 0
			}
			if last.ValMetrics["accuracy"] < least || last.Loss > h.Epochs[0].Loss || (phases["prefix"] > 0) != frozen || phases["epoch"] != 3 {
				t.Errorf("epochs %+v, phases %v", h.Epochs, phases)
			}
		})
	}
}
