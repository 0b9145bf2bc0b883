package keras

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/internal/lower"
	"github.com/litequant/litequant/tensor"
)

// described is a tensor of gen_models.py.
type described struct {
	Shape  tensor.Shape `json:"shape"`
	Values []float32    `json:"values"`
}

// golden is what Keras predicts.
type golden struct{ Inputs, Outputs map[string]described }

func readGolden(t *testing.T, name string) golden {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// predict lowers the model and runs it with the reference engine.
func predict(m *Model, inputs map[string]described) (map[string][]float32, error) {
	g, err := m.Graph()
	if err != nil {
		return nil, err
	}
	lowered, err := lower.Graph(g, lower.Options{Signature: "serving_default"})
	if err != nil {
		return nil, err
	}
	p, err := engine.Compile(lowered, engine.Options{Kind: engine.Reference})
	if err != nil {
		return nil, err
	}
	r, err := p.NewRunner("")
	if err != nil {
		return nil, err
	}
	out := map[string][]float32{}
	for i := range inputs[r.InputNames()[0]].Shape[0] { // row by row: the model's batch is 1
		for name, in := range inputs {
			row := len(in.Values) / in.Shape[0]
			copy(tensor.View[float32](r.Input(name).Bytes()), in.Values[i*row:][:row])
		}
		if err := r.Invoke(context.Background()); err != nil {
			return nil, err
		}
		for _, name := range r.OutputNames() {
			out[name] = append(out[name], r.Output(name).Float32s()...)
		}
	}
	return out, nil
}

// checkPredictions compares with what Keras computed.
func checkPredictions(t *testing.T, m *Model, want golden) {
	t.Helper()
	got, err := predict(m, want.Inputs)
	if errors.Is(err, tensor.ErrUnsupported) {
		t.Skipf("the lowering or the engine lacks an operator (testdata/check_save.py has TensorFlow compute it): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range want.Outputs {
		if len(got[name]) != len(w.Values) {
			t.Fatalf("output %s has %d values, want %d (there are %d outputs)", name, len(got[name]), len(w.Values), len(got))
		}
		for i, v := range w.Values {
			if d := math.Abs(float64(got[name][i] - v)); !(d <= 1e-5*max(1, math.Abs(float64(v)))) {
				t.Fatalf("output %s[%d] is %v, Keras says %v", name, i, got[name][i], v)
			}
		}
	}
}

// goldenFiles returns the models that Keras saved.
func goldenFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"testdata/*.h5", "testdata/*.keras"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 16 {
		t.Fatalf("only %d models", len(files))
	}
	return files
}

func TestLoadPredicts(t *testing.T) {
	for _, name := range goldenFiles(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			m, err := Load(context.Background(), name, LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			checkPredictions(t, m, readGolden(t, strings.TrimSuffix(name, filepath.Ext(name))+".json"))
		})
	}
}
