package evaluate_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/dataset/mnist"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/evaluate"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// identity returns a model whose output is its input x of shape [?,3]: for float
// data a dense layer by the unit matrix, for integers QUANTIZE to the same
// parameters.
func identity(t *testing.T, d tensor.DType, q tensor.Quant) *graph.Model {
	t.Helper()
	g := &graph.Subgraph{Name: "main"}
	x := g.Add(graph.Value{Name: "x", DType: d, Shape: tensor.Shape{1, 3}, Signature: tensor.Shape{-1, 3}, Quant: q})
	y := g.Add(graph.Value{Name: "y", DType: d, Shape: tensor.Shape{1, 3}, Signature: tensor.Shape{-1, 3}, Quant: q})
	n := graph.Node{Op: graph.OpCode(schema.QUANTIZE), Inputs: []graph.ValueID{x}, Outputs: []graph.ValueID{y}}
	if d == tensor.Float32 {
		unit := g.Add(graph.Value{Name: "unit", DType: d, Shape: tensor.Shape{3, 3}, Const: tensor.BytesOf([]float32{1, 0, 0, 0, 1, 0, 0, 0, 1})})
		n = graph.Node{
			Op: graph.OpCode(schema.FULLY_CONNECTED), Options: &fb.FullyConnectedOptionsT{},
			Inputs: []graph.ValueID{x, unit, graph.None}, Outputs: []graph.ValueID{y},
		}
	}
	g.Inputs, g.Outputs, g.Nodes = []graph.ValueID{x}, []graph.ValueID{y}, []graph.Node{n}
	return &graph.Model{Subgraphs: []*graph.Subgraph{g}}
}

func source(t *testing.T, n int, x []float32, y []uint8) dataset.Source {
	t.Helper()
	values, err := tensor.Of(tensor.Shape{n, 3}, x...)
	if err != nil {
		t.Fatal(err)
	}
	c := dataset.Columns{Inputs: []dataset.Column{{Name: "x", Values: values}}}
	if y != nil {
		labels, err := tensor.Of(tensor.Shape{n}, y...)
		if err != nil {
			t.Fatal(err)
		}
		c.Label = &dataset.Column{Name: "y", Values: labels}
	}
	src, err := dataset.FromColumns(c)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// many is 1,000 samples of which a quarter is labelled wrong.
func many(t *testing.T) dataset.Source {
	const n = 1000
	x, y := make([]float32, 3*n), make([]uint8, n)
	for i := range n {
		x[3*i+i%3] = 1
		y[i] = uint8(i % 3)
		if i%4 == 0 {
			y[i] = uint8((i + 1) % 3)
		}
	}
	return source(t, n, x, y)
}

func TestAccuracy(t *testing.T) {
	quant := map[tensor.DType]tensor.Quant{
		tensor.Float32: {},
		tensor.Int8:    tensor.PerTensor(1./255, -128),
		tensor.UInt8:   tensor.PerTensor(1./255, 0),
		tensor.Int16:   tensor.PerTensor(1./32767, 0),
	}
	for d, q := range quant {
		for _, threads := range []int{1, 3} {
			calls := 0
			r, err := evaluate.Graph(t.Context(), identity(t, d, q), many(t), metric.Accuracy, evaluate.Options{
				Threads: threads, Engine: engine.Reference,
				Progress: func(done, total int) {
					if calls++; done != calls || total != 1000 {
						t.Errorf("progress %d of %d at call %d", done, total, calls)
					}
				},
			})
			if err != nil {
				t.Fatalf("%v: %v", d, err)
			}
			if r.Value != 0.75 || r.Count != 1000 || r.Metric != "accuracy" || calls != 1000 {
				t.Errorf("%v, %d threads: %+v, %d calls", d, threads, r, calls)
			}
			if r.Median <= 0 || r.P90 < r.Median {
				t.Errorf("%v: median %v, p90 %v", d, r.Median, r.P90)
			}
		}
	}
}

// Real values are quantized as the operator QUANTIZE does it: the nearest step,
// not the one below.
func TestRounding(t *testing.T) {
	m := identity(t, tensor.UInt8, tensor.PerTensor(0.5, 0))
	x := []float32{0.24, 0.74, 0.76, 10, 10.3, 0, 0, 0.25, 1000}
	want := []float32{0, 0.5, 1, 10, 10.5, 0, 0, 0.5, 127.5}
	labels, _ := tensor.Of(tensor.Shape{3, 3}, want...)
	values, _ := tensor.Of(tensor.Shape{3, 3}, x...)
	src, err := dataset.FromColumns(dataset.Columns{
		Inputs: []dataset.Column{{Name: "x", Values: values}}, Label: &dataset.Column{Name: "y", Values: labels},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := evaluate.Graph(t.Context(), m, src, metric.MeanAbsoluteError)
	if err != nil {
		t.Fatal(err)
	}
	if r.Value != 0 {
		t.Errorf("error %v, want 0", r.Value)
	}
}

// Integer data of the input's own type is not quantized again.
func TestStoredIntegers(t *testing.T) {
	m := identity(t, tensor.UInt8, tensor.PerTensor(0.5, 3))
	values, _ := tensor.Of(tensor.Shape{1, 3}, uint8(0), 3, 255)
	labels, _ := tensor.Of(tensor.Shape{1, 3}, float32(-1.5), 0, 126)
	src, err := dataset.FromColumns(dataset.Columns{
		Inputs: []dataset.Column{{Name: "x", Values: values}}, Label: &dataset.Column{Name: "y", Values: labels},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := evaluate.Graph(t.Context(), m, src, metric.MeanAbsoluteError)
	if err != nil {
		t.Fatal(err)
	}
	if r.Value != 0 {
		t.Errorf("error %v, want 0", r.Value)
	}
}

// Sums of scores that round do not depend on the number of threads.
func TestThreadsKeepBits(t *testing.T) {
	const n = 700
	x := make([]float32, 3*n)
	for i := range x {
		x[i] = float32(i%97) * 0.013
	}
	values, _ := tensor.Of(tensor.Shape{n, 3}, x...)
	labels := make([]float32, 3*n)
	for i := range labels {
		labels[i] = float32(i%89) * 0.017
	}
	y, _ := tensor.Of(tensor.Shape{n, 3}, labels...)
	src, err := dataset.FromColumns(dataset.Columns{
		Inputs: []dataset.Column{{Name: "x", Values: values}}, Label: &dataset.Column{Name: "y", Values: y},
	})
	if err != nil {
		t.Fatal(err)
	}
	var first float64
	for threads := 1; threads < 5; threads++ {
		r, err := evaluate.Graph(t.Context(), identity(t, tensor.Float32, tensor.Quant{}), src, metric.MeanSquaredError, evaluate.Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if threads == 1 {
			first = r.Value
		}
		if math.Float64bits(r.Value) != math.Float64bits(first) || r.Value == 0 {
			t.Errorf("%d threads: %v, with one %v", threads, r.Value, first)
		}
	}
}

func TestModel(t *testing.T) {
	file, err := tflite.Encode(identity(t, tensor.Float32, tensor.Quant{}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := evaluate.Model(t.Context(), file, many(t), metric.Accuracy)
	if err != nil || r.Bytes != len(file) || r.Value != 0.75 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRefusals(t *testing.T) {
	float := identity(t, tensor.Float32, tensor.Quant{})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	wide, _ := tensor.Of(tensor.Shape{1, 4}, float32(1), 2, 3, 4)
	label, _ := tensor.Of(tensor.Shape{1}, uint8(0))
	wrong, err := dataset.FromColumns(dataset.Columns{
		Inputs: []dataset.Column{{Name: "x", Values: wide}}, Label: &dataset.Column{Name: "y", Values: label},
	})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		ctx  context.Context
		src  dataset.Source
		o    evaluate.Options
		want error
	}{
		{"no labels", t.Context(), source(t, 1, []float32{1, 2, 3}, nil), evaluate.Options{}, tensor.ErrShape},
		{"no samples", t.Context(), dataset.Take(many(t), 0), evaluate.Options{}, tensor.ErrShape},
		{"wrong shape", t.Context(), wrong, evaluate.Options{}, tensor.ErrShape},
		{"no class", t.Context(), source(t, 1, []float32{1, 2, 3}, []uint8{3}), evaluate.Options{}, nil},
		{"unknown signature", t.Context(), many(t), evaluate.Options{Signature: "f"}, tensor.ErrMalformed},
		{"cancelled", cancelled, many(t), evaluate.Options{}, context.Canceled},
	}
	for _, c := range cases {
		r, err := evaluate.Graph(c.ctx, float, c.src, metric.Accuracy, c.o)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
	}
}

func TestPercentile(t *testing.T) {
	ms := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for p, want := range map[int]time.Duration{0: 1, 50: 5, 90: 9, 91: 10, 100: 10} {
		if got := evaluate.Percentile(ms, p); got != want {
			t.Errorf("percentile %d is %d, want %d", p, got, want)
		}
	}
	if evaluate.Percentile(nil, 50) != 0 {
		t.Error("percentile of nothing")
	}
}

// Accuracies that TensorFlow measured on its own files (see the README beside
// them), which are too large for the repository.
func TestTutorial(t *testing.T) {
	dir := os.Getenv("LITEQUANT_TUTORIAL")
	if dir == "" {
		t.Skip("LITEQUANT_TUTORIAL does not name the tutorial's files")
	}
	digits, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"float": 0.9906, "dynamic": 0.9906, "float16": 0.9906, "int8": 0.9907, "uint8": 0.9906, "int16x8": 0.9906,
	} {
		file, err := os.ReadFile(filepath.Join(dir, "tf2.21", name+".tflite"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := evaluate.Model(t.Context(), file, digits.Test, metric.Accuracy)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.Value-want) > 0.0002+1e-12 {
			t.Errorf("%s: accuracy %v, TensorFlow %v", name, r.Value, want)
		}
		t.Logf("%-8s %.4f %8d bytes %v", name, r.Value, r.Bytes, r.Median)
	}
}
