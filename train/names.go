package train

import (
	"fmt"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// fromLogits ends the name of a loss whose outputs are logits.
const fromLogits = "_from_logits"

// lossNames lists the losses under Keras's names.
var lossNames = []struct {
	name string
	loss Loss
}{
	{"sparse_categorical_crossentropy", SparseCategoricalCrossentropy{}},
	{"sparse_categorical_crossentropy" + fromLogits, SparseCategoricalCrossentropy{FromLogits: true}},
	{"categorical_crossentropy", CategoricalCrossentropy{}},
	{"categorical_crossentropy" + fromLogits, CategoricalCrossentropy{FromLogits: true}},
	{"binary_crossentropy", BinaryCrossentropy{}},
	{"binary_crossentropy" + fromLogits, BinaryCrossentropy{FromLogits: true}},
	{"mean_squared_error", MeanSquaredError{}},
	{"mean_absolute_error", MeanAbsoluteError{}},
	{"huber", Huber{}},
	{"mse", MeanSquaredError{}},
	{"mae", MeanAbsoluteError{}},
}

// optimizerNames lists the optimisers under Keras's names.
var optimizerNames = []struct {
	name string
	make func(rate float64) Optimizer
}{
	{"adam", func(rate float64) Optimizer { return Adam{LearningRate: rate} }},
	{"adamw", func(rate float64) Optimizer { return AdamW{LearningRate: rate} }},
	{"sgd", func(rate float64) Optimizer { return SGD{LearningRate: rate} }},
	{"rmsprop", func(rate float64) Optimizer { return RMSprop{LearningRate: rate} }},
}

// ParseLoss returns the loss of a name: Keras's function or class, such as
// sparse_categorical_crossentropy, MeanSquaredError or mse; _from_logits behind a
// cross-entropy says that outputs are logits.
func ParseLoss(name string) (Loss, error) {
	var known []string
	for _, l := range lossNames {
		if plain(l.name) == plain(name) {
			return l.loss, nil
		}
		known = append(known, l.name)
	}
	return nil, unknownName("loss", name, known)
}

// ParseOptimizer returns the optimiser of Keras's name, in any case, with a
// learning rate, of which 0 is Keras's default: adam, adamw, sgd or rmsprop.
func ParseOptimizer(name string, learningRate float64) (Optimizer, error) {
	var known []string
	for _, o := range optimizerNames {
		if plain(o.name) == plain(name) {
			return o.make(learningRate), nil
		}
		known = append(known, o.name)
	}
	return nil, unknownName("optimizer", name, known)
}

func unknownName(what, name string, known []string) error {
	return fmt.Errorf("unknown %s %q (known: %s): %w", what, name, strings.Join(known, ", "), tensor.ErrUnsupported)
}

// plain makes MeanSquaredError and mean_squared_error one.
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }
