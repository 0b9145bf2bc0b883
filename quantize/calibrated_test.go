package quantize

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/litequant/litequant/calibrate"
	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/dataset/mnist"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/npy"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// near is how far results from one's own float sums may be from TensorFlow's:
// sums in another order than Eigen's differ in their last bits.
var near = tolerance{scale: 1e-6, bias: 1}

// samples are the inputs TensorFlow calibrated a network of testdata with; their
// first axis counts samples, times the batch if that is fixed.
func samples(t *testing.T, files map[string][]byte) dataset.Source {
	t.Helper()
	var columns dataset.Columns
	for k := 0; ; k++ {
		b, ok := files[fmt.Sprintf("in%d.npy", k)]
		if !ok {
			break
		}
		x, err := npy.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		columns.Inputs = append(columns.Inputs, dataset.Column{Name: fmt.Sprintf("input_%d", k+1), Values: x})
	}
	src, err := dataset.FromColumns(columns)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// supported reports whether package op has all of a model's operators.
func supported(m *graph.Model) bool {
	ops := all.Set()
	for i := range m.Main().Nodes {
		if _, err := ops.Lookup(&m.Main().Nodes[i]); err != nil {
			return false
		}
	}
	return true
}

// TestOwnCalibration calibrates TensorFlow's float models itself, and compares
// ranges and quantized models with TensorFlow's.
func TestOwnCalibration(t *testing.T) {
	for _, name := range goldens(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".zip"), func(t *testing.T) {
			files := unzip(t, name)
			m := decode(t, files["float.tflite"])
			if !supported(m) {
				t.Skip("package op lacks an operator of the network")
			}
			for _, kind := range []engine.Kind{engine.Fast, engine.Reference} {
				stats, err := calibrate.Run(context.Background(), m, samples(t, files), calibrate.Options{Engine: kind})
				if err != nil {
					t.Fatal(err)
				}
				sameRanges(t, stats, files["calibration.json"])
				for _, file := range []string{"int8.tflite", "int16x8.tflite"} {
					if files[file] == nil {
						continue
					}
					sameModels(t, decode(t, encoded(t, files["float.tflite"], recipes[file], stats)), decode(t, files[file]), near)
				}
			}
		})
	}
}

// sameRanges compares statistics with TensorFlow's, to 1e-6 of each range's greatest
// magnitude.
func sameRanges(t *testing.T, got *calibrate.Statistics, file []byte) {
	t.Helper()
	want, err := calibrate.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]calibrate.Range{}
	for _, x := range got.Tensors {
		have[x.Name] = x.Range
	}
	for _, w := range want.Tensors {
		g, ok := have[w.Name]
		eps := 1e-6 * math.Max(math.Abs(float64(w.Min)), math.Abs(float64(w.Max)))
		if !ok || math.Abs(float64(g.Min)-float64(w.Min)) > eps || math.Abs(float64(g.Max)-float64(w.Max)) > eps {
			t.Errorf("%q: range %v, TensorFlow's is %v", w.Name, g, w.Range)
		}
	}
	if len(have) != len(want.Tensors) {
		t.Errorf("%d ranges, TensorFlow has %d", len(have), len(want.Tensors))
	}
}

// TestOwnCalibrationTutorial is the tutorial: 100 training images, every scheme.
func TestOwnCalibrationTutorial(t *testing.T) {
	float := tutorial(t, "float.tflite")
	digits, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	m := decode(t, float)
	stats, err := calibrate.Run(context.Background(), m, digits.Train, calibrate.Options{Samples: 100})
	if err != nil {
		t.Fatal(err)
	}
	sameRanges(t, stats, tutorial(t, "calibration.json"))
	for file, r := range map[string]Recipe{
		"int8.tflite":    {Scheme: Int8},
		"uint8.tflite":   {Scheme: Int8Only, InputType: tensor.UInt8, OutputType: tensor.UInt8},
		"int16x8.tflite": {Scheme: Int16x8},
	} {
		t.Run(file, func(t *testing.T) {
			sameModels(t, decode(t, encoded(t, float, r, stats)), decode(t, tutorial(t, file)), near)
		})
	}
}
