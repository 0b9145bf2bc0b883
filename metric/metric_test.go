package metric

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/litequant/litequant/tensor"
	"pgregory.net/rapid"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func of[T tensor.Element](s tensor.Shape, v ...T) tensor.Tensor { return must(tensor.Of(s, v...)) }

type golden struct {
	Int8         []int8    `json:"int8"`
	Labels       []int64   `json:"labels"`
	Float        []float32 `json:"float"`
	Binary       []float32 `json:"binary"`
	BinaryLabels []float32 `json:"binary_labels"`
	Seg          []float32 `json:"seg"`
	SegLabels    []int32   `json:"seg_labels"`
	Argmax       float64   `json:"numpy_argmax"`
	Sparse       float64   `json:"sparse"`
	Categorical  float64   `json:"categorical"`
	BinaryValue  float64   `json:"binary_accuracy"`
	Segmentation float64   `json:"segmentation"`
	Top3         float64   `json:"top3_stable"`
	Top3Float    float64   `json:"top3_float"`
	MSE          float64   `json:"mse"`
	MAE          float64   `json:"mae"`
}

// Values equal Keras's, which are float32 means, and NumPy's.
func TestEqualsKeras(t *testing.T) {
	var g golden
	if err := json.Unmarshal(must(os.ReadFile("testdata/metric.json")), &g); err != nil {
		t.Fatal(err)
	}
	const n, classes = 200, 7
	scores, column := tensor.Shape{n, classes}, tensor.Shape{n, 1}
	onehot := make([]float32, n*classes)
	for i, y := range g.Labels {
		onehot[classes*i+int(y)] = 1
	}
	q := of(scores, g.Int8...)
	for _, c := range []struct {
		name              string
		metric            Metric
		prediction, label tensor.Tensor
		want, tolerance   float64 // of a float32 sum of n terms for Keras's, none for counts
	}{
		{"int8, argmax", Accuracy, q, of(tensor.Shape{n}, g.Labels...), g.Argmax, 0},
		{"int8, quantized", Accuracy, q.WithQuant(tensor.PerTensor(0.003, -5)), of(tensor.Shape{n}, g.Labels...), g.Argmax, 0},
		{"int8, labels [n,1]", Accuracy, q, of(column, g.Labels...), g.Sparse, 1e-7},
		{"one-hot", Accuracy, of(scores, g.Float...), of(scores, onehot...), g.Categorical, 1e-7},
		{"binary", Accuracy, of(column, g.Binary...), of(column, g.BinaryLabels...), g.BinaryValue, 1e-7},
		{"binary, labels [n]", Accuracy, of(column, g.Binary...), of(tensor.Shape{n}, g.BinaryLabels...), g.BinaryValue, 1e-7},
		{"segmentation", Accuracy, of(tensor.Shape{6, 4, 3, 5}, g.Seg...), of(tensor.Shape{6, 4, 3}, g.SegLabels...), g.Segmentation, 1e-7},
		{"top-3 with ties", TopK(3), q, of(tensor.Shape{n}, g.Labels...), g.Top3, 0},
		{"top-3", TopK(3), of(scores, g.Float...), of(tensor.Shape{n}, g.Labels...), g.Top3Float, 1e-7},
		{"top-1", TopK(1), q, of(tensor.Shape{n}, g.Labels...), g.Argmax, 0},
		{"mse", MeanSquaredError, of(scores, g.Float...), of(scores, onehot...), g.MSE, 1e-6},
		{"mae", MeanAbsoluteError, of(scores, g.Float...), of(scores, onehot...), g.MAE, 1e-6},
	} {
		counter := c.metric.New()
		if err := counter.Update(c.prediction, c.label); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := counter.Value(); math.Abs(got-c.want) > c.tolerance || counter.Count != int64(c.prediction.Shape()[0]) {
			t.Errorf("%s: %v of %d samples, want %v", c.name, got, counter.Count, c.want)
		}
	}
}

func TestScores(t *testing.T) {
	nan := float32(math.NaN())
	row := tensor.Shape{1, 3}
	for _, c := range []struct {
		name              string
		metric            Metric
		prediction, label tensor.Tensor
		want              float64
	}{
		{"tie, first", Accuracy, of(row, 1, 1, float32(0)), of(tensor.Shape{1}, uint8(0)), 1},
		{"tie, second", Accuracy, of(row, 1, 1, float32(0)), of(tensor.Shape{1}, uint8(1)), 0},
		{"NaN", Accuracy, of(row, 9, nan, float32(0)), of(tensor.Shape{1}, uint8(0)), 0},
		{"uint8 above 127", Accuracy, of(row, 3, 200, uint8(127)), of(tensor.Shape{1}, int32(1)), 1},
		{"binary at half", Accuracy, of(tensor.Shape{1, 1}, float32(0.5)), of(tensor.Shape{1}, uint8(0)), 1},
		{"binary, quantized", Accuracy, of(tensor.Shape{1, 1}, int8(1)).WithQuant(tensor.PerTensor(1./256, -128)), of(tensor.Shape{1}, uint8(1)), 1},
		{"binary, no class", Accuracy, of(tensor.Shape{1, 1}, float32(1)), of(tensor.Shape{1}, uint8(2)), 0},
		{"top-2, tie at the border", TopK(2), of(row, 2, 1, float32(1)), of(tensor.Shape{1}, uint8(2)), 0},
		{"top-2 of two", TopK(2), of(row, 1, 2, float32(0)), of(tensor.Shape{1}, uint8(0)), 1},
		{"top-9", TopK(9), of(row, 1, 2, float32(0)), of(tensor.Shape{1}, uint8(2)), 1},
		{"top-2, NaN first", TopK(2), of(row, nan, 5, float32(4)), of(tensor.Shape{1}, uint8(2)), 0},
		{"top-2, class is NaN", TopK(2), of(row, nan, nan, float32(4)), of(tensor.Shape{1}, uint8(1)), 1},
		{"top-2, class is the third NaN", TopK(2), of(row, nan, nan, nan), of(tensor.Shape{1}, uint8(2)), 0},
		{"mse [n] of [n,1]", MeanSquaredError, of(tensor.Shape{2, 1}, 1, float32(2)), of(tensor.Shape{2}, 3, float32(2)), 2},
		{"mae, quantized", MeanAbsoluteError, of(tensor.Shape{1, 2}, int8(2), 4).WithQuant(tensor.PerTensor(0.5, 0)), of(tensor.Shape{1, 2}, 0, float32(5)), 2},
	} {
		counter := c.metric.New()
		if err := counter.Update(c.prediction, c.label); err != nil || counter.Value() != c.want {
			t.Errorf("%s: %v, %v; want %v", c.name, counter.Value(), err, c.want)
		}
	}
}

func TestUpdateRejects(t *testing.T) {
	scores := of(tensor.Shape{2, 3}, make([]float32, 6)...)
	words := must(tensor.OfStrings(tensor.Shape{2}, "a", "b"))
	for _, c := range []struct {
		name              string
		metric            Metric
		prediction, label tensor.Tensor
		err               error
	}{
		{"too few labels", Accuracy, scores, of(tensor.Shape{1}, uint8(0)), tensor.ErrShape},
		{"label beyond", Accuracy, scores, of(tensor.Shape{2}, 0, uint8(3)), tensor.ErrShape},
		{"negative label", Accuracy, scores, of(tensor.Shape{2}, 0, int8(-1)), tensor.ErrShape},
		{"fraction", Accuracy, scores, of(tensor.Shape{2}, 0, float32(1.5)), tensor.ErrShape},
		{"NaN label", Accuracy, scores, of(tensor.Shape{2}, 0, float32(math.NaN())), tensor.ErrShape},
		{"other classes", Accuracy, scores, of(tensor.Shape{2, 4}, make([]float32, 8)...), tensor.ErrShape},
		{"no classes", TopK(2), of(tensor.Shape{2}, 0, float32(1)), of(tensor.Shape{2}, 0, uint8(1)), tensor.ErrShape},
		{"empty classes", TopK(2), of[float32](tensor.Shape{2, 0}), of(tensor.Shape{2}, 0, uint8(1)), tensor.ErrShape},
		{"scalars", Accuracy, of(nil, float32(1)), of(nil, uint8(1)), tensor.ErrShape},
		{"strings", Accuracy, scores, words, tensor.ErrType},
		{"string predictions", MeanSquaredError, words, of(tensor.Shape{2}, 0, uint8(1)), tensor.ErrType},
		{"mse of other shapes", MeanSquaredError, scores, of(tensor.Shape{2}, 0, float32(1)), tensor.ErrShape},
	} {
		counter := c.metric.New()
		err := counter.Update(c.prediction, c.label)
		if !errors.Is(err, c.err) || !strings.HasPrefix(err.Error(), c.metric.Name+": ") || counter.Count != 0 {
			t.Errorf("%s: %v, %d counted", c.name, err, counter.Count)
		}
	}
}

// Merged counters of any split hold the bits of one counter.
func TestMergeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		p := rapid.SliceOfN(rapid.Int8Range(-3, 3), 4*n, 4*n).Draw(t, "predictions")
		y := rapid.SliceOfN(rapid.Uint8Range(0, 3), n, n).Draw(t, "labels")
		cut := rapid.IntRange(0, n).Draw(t, "cut")
		count := func(from, to int) *Counter {
			c := Accuracy.New()
			if err := c.Update(of(tensor.Shape{to - from, 4}, p[4*from:4*to]...), of(tensor.Shape{to - from}, y[from:to]...)); err != nil {
				t.Fatal(err)
			}
			return c
		}
		whole, a, b := count(0, n), count(0, cut), count(cut, n)
		b.Merge(a.Mean)
		if b.Mean != whole.Mean {
			t.Fatalf("merged %v, whole %v", b.Mean, whole.Mean)
		}
	})
}

func TestMean(t *testing.T) {
	var m Mean
	if m.Value() != 0 {
		t.Errorf("empty mean is %v", m.Value())
	}
	m.Add(2, 32)
	m.Add(5, 16)
	if m.Value() != 3 || m.Count != 48 {
		t.Errorf("mean %v of %d", m.Value(), m.Count)
	}
	if m.Reset(); m != (Mean{}) {
		t.Error("Reset keeps values")
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]string{"accuracy": "accuracy", "acc": "accuracy", "top-5": "top-5", "mean_squared_error": "mse", "mae": "mae"} {
		if m, err := Parse(name); err != nil || m.Name != want || m.New().Name() != want {
			t.Errorf("Parse(%q) = %q, %v", name, m.Name, err)
		}
	}
	for _, name := range []string{"", "f1", "top-", "top-0", "top--1", "top-x"} {
		if _, err := Parse(name); !errors.Is(err, tensor.ErrUnsupported) {
			t.Errorf("Parse(%q): %v", name, err)
		}
	}
}

func TestArgMax(t *testing.T) {
	if ArgMax([]int8{-5, 3, 3}) != 1 || ArgMax([]float32{}) != -1 || ArgMax([]float64{1, math.NaN(), 2}) != 1 {
		t.Error("not NumPy's")
	}
}
