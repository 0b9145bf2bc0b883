package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/train"
)

// TestCompiled: what a model was compiled with holds unless a flag says otherwise.
func TestCompiled(t *testing.T) {
	k := &keras.Compiled{Optimizer: "RMSprop", LearningRate: 0.5, Loss: "CategoricalCrossentropy", FromLogits: true}
	for _, c := range []struct {
		name      string
		args      []string
		compiled  *keras.Compiled
		optimizer train.Optimizer
		loss      train.Loss
	}{
		{"nothing", nil, nil, train.Adam{}, train.SparseCategoricalCrossentropy{}},
		{"compiled", nil, k, train.RMSprop{LearningRate: 0.5}, train.CategoricalCrossentropy{FromLogits: true}},
		{"rate", []string{"--learning-rate", "2"}, k, train.RMSprop{LearningRate: 2}, train.CategoricalCrossentropy{FromLogits: true}},
		{"flags", []string{"--optimizer", "sgd", "--loss", "mse"}, k, train.SGD{}, train.MeanSquaredError{}},
	} {
		f := &training{app: &app{}}
		cmd := newTrainOf(f)
		if err := cmd.ParseFlags(append(c.args, "--data", "mnist:test")); err != nil {
			t.Fatal(err)
		}
		o, err := f.options()
		if err != nil {
			t.Fatal(err)
		}
		if err := f.compiled(cmd, c.compiled, &o); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]any{c.optimizer, c.loss}, []any{o.Optimizer, o.Loss}); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestCompiledUnknown: what is not known is refused where no flag replaces it.
func TestCompiledUnknown(t *testing.T) {
	f := &training{app: &app{}}
	cmd := newTrainOf(f)
	var o train.Options
	if err := f.compiled(cmd, &keras.Compiled{Optimizer: "Ftrl"}, &o); err == nil {
		t.Error("Ftrl is taken")
	}
}
