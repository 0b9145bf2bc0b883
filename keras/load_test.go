package keras

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/litequant/litequant/internal/hdf5"
	"github.com/litequant/litequant/tensor"
)

func writeBytes(t *testing.T, name string, raw []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLoadErrors(t *testing.T) {
	h5 := func(fill func(*hdf5.GroupBuilder)) []byte {
		b := hdf5.NewBuilder()
		fill(b.Root())
		var w bytes.Buffer
		if _, err := b.WriteTo(&w); err != nil {
			t.Fatal(err)
		}
		return w.Bytes()
	}
	archive := func(files map[string]string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, text := range files {
			w, err := z.Create(name)
			if err == nil {
				_, err = w.Write([]byte(text))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const model = `{"class_name":"Sequential","config":{"name":"s","layers":[
		{"class_name":"Dense","config":{"name":"d","units":2,"batch_input_shape":[null,3]}}]}}`
	weights := func(shape tensor.Shape, names ...string) func(*hdf5.GroupBuilder) {
		return func(g *hdf5.GroupBuilder) {
			g.SetAttr("model_config", model)
			d := g.Group("model_weights/d")
			d.SetAttr("weight_names", names)
			k, err := tensor.Zeros(tensor.Float32, shape)
			if err != nil {
				t.Fatal(err)
			}
			d.Dataset("d/kernel:0", k)
			d.Dataset("d/bias:0", []float32{1, 2})
		}
	}
	cases := []struct {
		name string
		raw  []byte
		want error
		text string
	}{
		{"empty", nil, tensor.ErrUnsupported, "no Keras model"},
		{"text", []byte("hello"), tensor.ErrUnsupported, "no Keras model"},
		{"only magic", []byte("\x89HDF\r\n\x1a\n"), tensor.ErrMalformed, ""},
		{"zip magic", []byte("PK\x03\x04garbage"), tensor.ErrMalformed, "zip"},
		{"no model", h5(func(g *hdf5.GroupBuilder) { g.Dataset("x", []float32{1}) }), tensor.ErrMalformed, "no model_config"},
		{"weights only", h5(func(g *hdf5.GroupBuilder) { g.SetAttr("layer_names", []string{"d"}) }), tensor.ErrUnsupported, "weights only"},
		{"weights only of Keras 3", h5(func(g *hdf5.GroupBuilder) { g.Group("layers/dense/vars") }), tensor.ErrUnsupported, "weights only"},
		{"config is no JSON", h5(func(g *hdf5.GroupBuilder) { g.SetAttr("model_config", "{") }), tensor.ErrMalformed, "JSON"},
		{"no weights", h5(func(g *hdf5.GroupBuilder) { g.SetAttr("model_config", model) }), fs.ErrNotExist, "model_weights"},
		{"missing weight", h5(weights(tensor.Shape{3, 2}, "d/kernel:0")), tensor.ErrShape, "1 weights, the layer has 2"},
		{"wrong shape", h5(weights(tensor.Shape{2, 3}, "d/kernel:0", "d/bias:0")), tensor.ErrShape, "d/kernel"},
		{"dangling name", h5(weights(tensor.Shape{3, 2}, "d/kernel:0", "gone")), fs.ErrNotExist, "gone"},
		{"subclassed", h5(func(g *hdf5.GroupBuilder) { g.SetAttr("model_config", `{"class_name":"MyModel","config":{}}`) }), tensor.ErrUnsupported, "MyModel"},
		{"no config.json", archive(map[string]string{"x": "y"}), tensor.ErrMalformed, "config.json"},
		{"no weights in zip", archive(map[string]string{"config.json": model}), tensor.ErrMalformed, "model.weights.h5"},
		{"broken weights in zip", archive(map[string]string{"config.json": model, "model.weights.h5": "x"}), tensor.ErrMalformed, "hdf5"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			name := writeBytes(t, "file", c.raw)
			m, err := Load(context.Background(), name, LoadOptions{})
			if m != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), name+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %v about %q", err, c.want, c.text)
			}
		})
	}
	if m, err := Load(context.Background(), writeBytes(t, "good", h5(weights(tensor.Shape{3, 2}, "d/kernel:0", "d/bias:0"))), LoadOptions{}); err != nil || m.Layers()[0] != "d_input" {
		t.Errorf("good file: %v", err)
	}
	if _, err := Load(context.Background(), filepath.Join(t.TempDir(), "none"), LoadOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(context.Background(), t.TempDir(), LoadOptions{}); !errors.Is(err, tensor.ErrUnsupported) {
		t.Errorf("empty directory: %v", err)
	}
}

// TestTruncated cuts every model at ten places: an error each time, no panic.
func TestTruncated(t *testing.T) {
	for _, name := range goldenFiles(t) {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			cut := writeBytes(t, "cut", raw[:len(raw)*i/10])
			if _, err := Load(context.Background(), cut, LoadOptions{}); err == nil {
				t.Errorf("%s: no error at %d tenths", name, i)
			}
		}
	}
}

// TestFlipped changes single bytes: Load must end without a panic.
func TestFlipped(t *testing.T) {
	for _, name := range goldenFiles(t) {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(raw); i += 1 + len(raw)/60 {
			changed := bytes.Clone(raw)
			changed[i] ^= 0x41
			_, _ = Load(context.Background(), writeBytes(t, "changed", changed), LoadOptions{})
		}
	}
}

func TestDetect(t *testing.T) {
	m := must(digits())(t)
	dir := t.TempDir()
	for name, want := range map[string]Format{"m.h5": HDF5, "m.keras": Archive, "m": PlainSavedModel} {
		file := filepath.Join(dir, name)
		if err := m.Save(file); err != nil {
			t.Fatal(err)
		}
		if got, err := Detect(file); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := Load(context.Background(), filepath.Join(dir, "m"), LoadOptions{}); !errors.Is(err, tensor.ErrUnsupported) {
		t.Errorf("plain SavedModel: %v", err)
	}
	if err := m.Save(filepath.Join(dir, "m")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("existing directory: %v", err)
	}
	if err := m.Save(filepath.Join(dir, "missing", "m.h5")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}

func TestPlaceModules(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "beside"), 0o755); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		hub    []string
		handle string
		layers int
		want   string
		text   string
	}{
		{[]string{"/x"}, "a/b", 1, "/x", ""},
		{[]string{"/x"}, "a/b", 2, "", "--hub a/b=PATH"},
		{[]string{"a/b=/x", "c=/y"}, "c", 2, "/y", ""},
		{[]string{"a/b=/x"}, "c", 2, "", `"c" is not here; place it with --hub c=PATH`},
		{[]string{"https://tfhub.dev/a?x=1=/x"}, "https://tfhub.dev/a?x=1", 1, "/x", ""},
		{nil, "https://tfhub.dev/a/1", 1, "https://tfhub.dev/a/1", ""},
		{nil, "beside", 1, filepath.Join(dir, "beside"), ""},
		{nil, "", 1, "", "not here"},
	}
	for _, c := range cases {
		got, err := newModules(LoadOptions{Hub: c.hub}, dir).place(c.handle, c.layers)
		if got != c.want || (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v: %q, %v", c, got, err)
		}
	}
}

// FuzzConfig reads configurations. What is accepted is written and read again.
func FuzzConfig(f *testing.F) {
	for _, name := range []string{"keras2_branches", "keras3_branches", "keras2_mobile", "keras3_cnn"} {
		z, err := zip.OpenReader("testdata/" + name + ".keras")
		if err != nil {
			f.Fatal(err)
		}
		raw, err := zipEntry(&z.Reader, archiveConfig, maxConfigBytes)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(`{"class_name":"__tuple__","items":[]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		m, err := readConfig(raw)
		if err != nil {
			return
		}
		_ = m.Summary()
		for _, keras3 := range []bool{false, true} {
			text := jsonText(t, m.config(keras3))
			again, err := readConfig(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if again.Summary() != m.Summary() {
				t.Fatalf("written and read again:\n%s\nwas:\n%s", again.Summary(), m.Summary())
			}
		}
	})
}

// FuzzMetadata reads keras_metadata.pb.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte("\x0a\x0d\x10\x00\x1a\x04root\x2a\x02{}"))
	f.Fuzz(func(t *testing.T, raw []byte) { _, _ = rootMetadata(raw) })
}

// TestHostileConfig replaces every value of a configuration, one at a time. What
// is accepted must be what it says when written and read again.
func TestHostileConfig(t *testing.T) {
	hostile := []any{nil, -1.0, 0.0, 1e18, 1.5, "x", []any{}, map[string]any{}, true, []any{1e15, 1e15}}
	for _, name := range []string{"keras2_mobile", "keras3_branches", "keras2_cnn"} {
		z, err := zip.OpenReader("testdata/" + name + ".keras")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := zipEntry(&z.Reader, archiveConfig, maxConfigBytes)
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(raw, &tree); err != nil {
			t.Fatal(err)
		}
		n := 0
		for range 4 { // every value meets four hostile ones
			eachValue(tree, func(v any, set func(any)) {
				n++
				set(hostile[n%len(hostile)])
				if m, err := readConfig(jsonText(t, tree)); err == nil {
					if _, err := readConfig(jsonText(t, m.config(true))); err != nil {
						t.Errorf("written, it is refused: %v", err)
					}
				}
				set(v)
			})
			n++
		}
		if n < 800 {
			t.Errorf("%s: %d values", name, n)
		}
	}
}

// eachValue visits the values of a JSON tree in a fixed order.
func eachValue(v any, visit func(v any, set func(any))) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			visit(v[k], func(x any) { v[k] = x })
			eachValue(v[k], visit)
		}
	case []any:
		for i := range v {
			visit(v[i], func(x any) { v[i] = x })
			eachValue(v[i], visit)
		}
	}
}

// TestNestedCalls bounds models that call nested ones twice, level by level.
func TestNestedCalls(t *testing.T) {
	config := `{"class_name":"Activation","config":{"name":"a","activation":"linear"},"name":"a","inbound_nodes":[[["i",0,0,{}]]]}`
	for range 25 {
		config = `{"class_name":"Functional","name":"a","inbound_nodes":[[["i",0,0,{}]],[["a",0,0,{}]]],"config":{"name":"a",
			"input_layers":[["i",0,0]],"output_layers":[["a",0,0]],"layers":[
			{"class_name":"InputLayer","config":{"name":"i","batch_input_shape":[null,2]},"name":"i","inbound_nodes":[]},` + config + `]}}`
	}
	if _, err := readConfig(config); !errors.Is(err, tensor.ErrLimit) {
		t.Errorf("error %.300v", err)
	}
}
