package keras

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/hub"
	"github.com/litequant/litequant/tensor"
)

// TestPublish publishes models, loads them as Hub layers and predicts the same.
func TestPublish(t *testing.T) {
	for _, name := range []string{"keras2_cnn", "keras2_mobile", "keras3_cnn"} {
		t.Run(name, func(t *testing.T) {
			m := load(t, "testdata/"+name+".h5", LoadOptions{})
			want := readGolden(t, "testdata/"+name+".json")
			dir := filepath.Join(t.TempDir(), "module")
			if err := m.Publish(dir); err != nil {
				t.Fatal(err)
			}
			whole := inHub(t, dir, want, m)
			if trainable(whole) != trainable(m) || len(whole.Weights()) != len(m.Weights()) {
				t.Errorf("%d of %d weights are trainable, were %d of %d", trainable(whole), len(whole.Weights()), trainable(m), len(m.Weights()))
			}
			for _, suffix := range []string{".h5", ".keras"} {
				file := filepath.Join(t.TempDir(), "m"+suffix)
				if err := whole.Save(file); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(state(t, whole), state(t, load(t, file, LoadOptions{}))); diff != "" {
					t.Error(diff)
				}
			}
			for _, out := range want.Outputs {
				want.Outputs = map[string]described{"keras_layer": out}
			}
			checkPredictions(t, whole, want)
		})
	}
}

// TestHubLayers puts two modules into a model, which shares no weights, and
// freezes one.
func TestHubLayers(t *testing.T) {
	trunk := must(Sequential(Input(4), Dense{Units: 4, Activation: Tanh}))(t)
	dir := filepath.Join(t.TempDir(), "module")
	if err := trunk.Publish(dir); err != nil {
		t.Fatal(err)
	}
	mod := must(hub.Load(context.Background(), dir, hub.Options{}))(t)
	second := mod.Layer()
	second.Trainable, second.Handle = true, "some/handle"
	m := must(Sequential(Input(4), mod.Layer(), second, Dense{Units: 2}))(t)
	var got []string
	for _, w := range m.Weights() {
		if w.Trainable {
			got = append(got, w.Path)
		}
	}
	if diff := cmp.Diff([]string{"keras_layer_1/dense/kernel", "keras_layer_1/dense/bias", "dense/kernel", "dense/bias"}, got); diff != "" {
		t.Error(diff)
	}
	g := must(m.Graph())(t)
	if len(g.Variables) != 6 || g.Variables[2].Name != "dense/kernel_1" || g.Nodes[1].Scope != "sequential/keras_layer" {
		t.Errorf("graph %v", g)
	}
	file := filepath.Join(t.TempDir(), "m.h5")
	if err := m.Save(file); err != nil {
		t.Fatal(err)
	}
	_, err := Load(context.Background(), file, LoadOptions{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `layer "keras_layer_1" (KerasLayer): the Hub module "some/handle" is not here; place it with --hub some/handle=PATH`) {
		t.Errorf("error %v", err)
	}
	again := load(t, file, LoadOptions{Hub: []string{"some/handle=" + dir}})
	if diff := cmp.Diff(state(t, m), state(t, again)); diff != "" {
		t.Error(diff)
	}
	for _, l := range [][]Layer{
		{Input(5), mod.Layer()}, {Input(4, 4), mod.Layer()}, {InputLayer{Shape: tensor.Shape{4}, DType: tensor.Int32}, mod.Layer()},
	} {
		if _, err := Sequential(l...); !errors.Is(err, tensor.ErrShape) || !strings.Contains(err.Error(), "the module takes float32[?,4]") {
			t.Errorf("error %v", err)
		}
	}
	if _, err := Sequential(Input(4), hub.Layer{}); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("layer without module: %v", err)
	}
}
