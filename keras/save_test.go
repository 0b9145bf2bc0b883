package keras

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/hub"
)

// checkEntry is a line of check_save.py's list.
type checkEntry struct {
	Path      string               `json:"path"`
	How       string               `json:"how"`
	Inputs    map[string]described `json:"inputs"`
	Outputs   map[string]described `json:"outputs"`
	Compiled  bool                 `json:"compiled,omitempty"`
	Trainable int                  `json:"trainable,omitempty"`
	Resave    bool                 `json:"resave,omitempty"`
}

func load(t *testing.T, name string, o LoadOptions) *Model {
	t.Helper()
	m, err := Load(context.Background(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// state is what a file must keep of a model.
func state(t *testing.T, m *Model) any {
	t.Helper()
	g, err := m.Graph()
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string]any{}
	for _, w := range m.Weights() {
		weights[w.Path] = []any{w.Name, w.Trainable, w.Value.DType(), w.Value.Shape(), sha256.Sum256(w.Value.Bytes())}
	}
	return []any{g.String(), weights, m.Summary()}
}

func TestSaveLoad(t *testing.T) {
	for _, name := range goldenFiles(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			m := load(t, name, LoadOptions{})
			want := state(t, m)
			dir := t.TempDir()
			for _, out := range []string{"m.h5", "m.keras"} {
				out = filepath.Join(dir, out)
				if err := m.Save(out); err != nil {
					t.Fatal(err)
				}
				again := load(t, out, LoadOptions{})
				if diff := cmp.Diff(want, state(t, again)); diff != "" {
					t.Errorf("%s: %s", out, diff)
				}
				if (m.Compiled() == nil) != (again.Compiled() == nil) {
					t.Errorf("%s: compiled %v, was %v", out, again.Compiled(), m.Compiled())
				} else if c := again.Compiled(); c != nil && (c.Optimizer != "Adam" || c.Loss != "SparseCategoricalCrossentropy" || !c.FromLogits || len(c.Metrics) != 1) {
					t.Errorf("%s: compiled %+v", out, c)
				}
			}
			if left, _ := os.ReadDir(dir); len(left) != 2 {
				t.Errorf("files %v are left", left)
			}
		})
	}
}

// TestSaveKeras has TensorFlow, tf_keras, Keras 3 and tensorflow_hub load what
// is saved, published and read back.
func TestSaveKeras(t *testing.T) {
	python := os.Getenv("LITEQUANT_PYTHON")
	if python == "" {
		t.Skip("LITEQUANT_PYTHON names no Python with tensorflow, tf-keras, keras and tensorflow-hub")
	}
	dir := t.TempDir()
	var entries []checkEntry
	for _, name := range goldenFiles(t) {
		m := load(t, name, LoadOptions{})
		g := readGolden(t, strings.TrimSuffix(name, filepath.Ext(name))+".json")
		base := strings.ReplaceAll(filepath.Base(name), ".", "_")
		add := func(e checkEntry, write func(string) error) {
			e.Inputs, e.Outputs = g.Inputs, g.Outputs
			if err := write(filepath.Join(dir, e.Path)); err != nil {
				t.Fatal(err)
			}
			entries = append(entries, e)
		}
		compiled := m.Compiled() != nil
		add(checkEntry{Path: base + "_saved_model", How: "savedmodel"}, m.Save)
		keras2 := !strings.Contains(name, "keras3_activations") // Keras 2 has no function leaky_relu
		if keras2 {
			resave := !strings.Contains(name, "keras3_rare") // tf_keras does not read its own log_softmax again
			add(checkEntry{Path: base + ".h5", How: "keras2", Compiled: compiled, Resave: resave}, m.Save)
		}
		add(checkEntry{Path: base + ".keras", How: "keras3", Compiled: compiled}, m.Save)
		if len(m.inputs) == 1 {
			add(checkEntry{Path: base + "_hub", How: "hub", Trainable: trainable(m)}, m.Publish)
			whole := inHub(t, filepath.Join(dir, base+"_hub"), g, m)
			add(checkEntry{Path: base + "_in_hub.h5", How: "keras2", Compiled: true, Resave: true}, whole.Save)
		}
	}
	checkSaved(t, python, dir, entries, "keras2", "keras3")
}

// checkSaved runs check_save.py.
func checkSaved(t *testing.T, python, dir string, entries []checkEntry, kinds ...string) {
	t.Helper()
	writeJSON(t, filepath.Join(dir, "check.json"), entries)
	for _, kind := range kinds {
		out, err := exec.Command(python, "testdata/check_save.py", kind, dir).CombinedOutput()
		if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
			t.Errorf("%s: %v\n%s", kind, err, out)
		}
	}
}

func trainable(m *Model) int {
	n := 0
	for _, w := range m.Weights() {
		if w.Trainable {
			n++
		}
	}
	return n
}

// inHub makes a model of the published module alone, compiled.
func inHub(t *testing.T, dir string, g golden, m *Model) *Model {
	t.Helper()
	mod, err := hub.Load(context.Background(), dir, hub.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := mod.Layer()
	l.Trainable = true
	in := Input(m.InputShapes()[0][1:]...)
	for in.Name = range g.Inputs {
	}
	whole, err := Sequential(in, l)
	if err != nil {
		t.Fatal(err)
	}
	whole.SetCompiled(&Compiled{Optimizer: "Adam", Loss: "SparseCategoricalCrossentropy", FromLogits: true, Metrics: []string{"accuracy"}})
	return whole
}

func writeJSON(t *testing.T, name string, v any) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
