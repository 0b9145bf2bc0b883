package keras

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/internal/lower"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// tutorial returns the folder of the tutorial's reference run.
func tutorial(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LITEQUANT_TUTORIAL")
	if dir == "" {
		t.Skip("LITEQUANT_TUTORIAL names no folder with hub_tf1 and tf2.21/model.h5")
	}
	return dir
}

var tutorialModels = []string{"tf2.11/model.h5", "tf2.21/model.h5", "tf2.11/saved_model", "tf2.21/saved_model"}

func loadTutorial(t *testing.T, name string) *Model {
	t.Helper()
	dir := tutorial(t)
	return load(t, filepath.Join(dir, name), LoadOptions{Hub: []string{"seed/hub_tf1=" + filepath.Join(dir, "hub_tf1")}})
}

// TestTutorialLoads compares the .h5 with the SavedModel of the same training,
// and the conversion with TensorFlow's float file.
func TestTutorialLoads(t *testing.T) {
	for _, name := range tutorialModels {
		t.Run(name, func(t *testing.T) {
			m := loadTutorial(t, name)
			if diff := cmp.Diff([]string{"input_1", "keras_layer", "dense"}, m.Layers()); diff != "" {
				t.Error(diff)
			}
			if got := state(t, m); !cmp.Equal(got, state(t, loadTutorial(t, filepath.Dir(name)+"/model.h5"))) {
				t.Error("the .h5 and the SavedModel differ")
			}
			c := m.Compiled()
			if c == nil || c.Optimizer != "Adam" || c.Loss != "SparseCategoricalCrossentropy" || !c.FromLogits || !slices.Equal(c.Metrics, []string{"accuracy"}) {
				t.Errorf("compiled %+v", c)
			}
			g, err := m.Graph()
			if err != nil {
				t.Fatal(err)
			}
			got, err := lower.Graph(g, lower.Options{Signature: "serving_default"})
			if err != nil {
				t.Fatal(err)
			}
			want, err := tflite.ReadFile(filepath.Join(tutorial(t), filepath.Dir(name), "float.tflite"))
			if err != nil {
				t.Fatal(err)
			}
			have := map[string][]byte{}
			for _, v := range got.Main().Values {
				have[v.Name] = v.Const
			}
			for _, v := range want.Main().Values {
				c, ok := have[v.Name]
				if strings.HasPrefix(filepath.Dir(name), "tf2.21") && (!ok || !bytes.Equal(c, v.Const)) {
					t.Errorf("value %q differs from TensorFlow's (present: %v)", v.Name, ok)
				}
			}
			for _, w := range m.Weights() {
				if found, ok := m.Weight(strings.TrimSuffix(w.Name, ":0")); !ok || found != w {
					t.Errorf("weight %s is not found by its variable", w.Name)
				}
			}
		})
	}
}

// TestTutorialWeightsWin changes the module's weights, which those of the .h5
// replace.
func TestTutorialWeightsWin(t *testing.T) {
	m := loadTutorial(t, "tf2.21/model.h5")
	w, _ := m.Weight("keras_layer/conv1/biases")
	values, err := tensor.Values[float32](w.Value)
	if err != nil {
		t.Fatal(err)
	}
	w.Value, _ = tensor.Of(w.Shape(), slices.Repeat([]float32{3}, len(values))...)
	name := filepath.Join(t.TempDir(), "m.h5")
	if err := m.Save(name); err != nil {
		t.Fatal(err)
	}
	again := load(t, name, LoadOptions{Hub: []string{filepath.Join(tutorial(t), "hub_tf1")}})
	w, _ = again.Weight("keras_layer/conv1/biases")
	if got := w.Value.Float32s(); got[0] != 3 || got[31] != 3 {
		t.Errorf("biases %v", got)
	}
}

func TestTutorialNeedsHub(t *testing.T) {
	_, err := Load(context.Background(), filepath.Join(tutorial(t), "tf2.21/model.h5"), LoadOptions{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "--hub seed/hub_tf1=PATH") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

// TestTutorialSave has Keras load what is saved of the tutorial's model.
func TestTutorialSave(t *testing.T) {
	python := os.Getenv("LITEQUANT_PYTHON")
	if python == "" {
		t.Skip("LITEQUANT_PYTHON names no Python with tensorflow, tf-keras and tensorflow-hub")
	}
	m := loadTutorial(t, "tf2.21/model.h5")
	in := described{Shape: tensor.Shape{2, 28, 28, 1}}
	for i := range 2 * 28 * 28 {
		in.Values = append(in.Values, float32(i*i%97)/97)
	}
	inputs := map[string]described{"input_1": in}
	got, err := predict(m, inputs)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "seed/hub_tf1"), os.DirFS(filepath.Join(tutorial(t), "hub_tf1"))); err != nil {
		t.Fatal(err)
	}
	outputs := map[string]described{"dense": {tensor.Shape{2, 10}, got["dense"]}}
	var entries []checkEntry
	for _, e := range []checkEntry{
		{Path: "m.h5", How: "keras2", Compiled: true, Resave: true}, {Path: "saved_model", How: "savedmodel"},
	} {
		e.Inputs, e.Outputs = inputs, outputs
		if err := m.Save(filepath.Join(dir, e.Path)); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	module := checkEntry{Path: "module", How: "hub", Inputs: inputs, Outputs: outputs, Trainable: 2}
	if err := m.Publish(filepath.Join(dir, "module")); err != nil {
		t.Fatal(err)
	}
	checkSaved(t, python, dir, append(entries, module), "keras2")
}
