package keras

import (
	"encoding/json"
	"strings"
)

// Compiled is what compile() fixed: files carry it beside the model.
type Compiled struct {
	Optimizer    string  // Keras's class, for example Adam; empty: none
	LearningRate float64 // zero: Keras's default
	Loss         string  // Keras's class, for example SparseCategoricalCrossentropy
	FromLogits   bool
	Metrics      []string // Keras's names, for example accuracy

	raw json.RawMessage // the training_config it was read from
}

// Compiled returns what the model was compiled with, nil if it was not.
func (m *Model) Compiled() *Compiled { return m.compiled }

// SetCompiled sets what Save writes beside the model; nil for nothing.
func (m *Model) SetCompiled(c *Compiled) { m.compiled = c }

// forget drops the form it was read in.
func (c *Compiled) forget() {
	if c != nil {
		c.raw = nil
	}
}

// readTrainingConfig reads a .h5 file's training_config; nil if it says nothing
// that is understood.
func readTrainingConfig(raw []byte) *Compiled {
	var v map[string]any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	c := compiledOf(v, v["optimizer_config"])
	c.raw = raw
	return c
}

// readCompileConfig reads the compile_config of a .keras file's configuration.
func readCompileConfig(config []byte) *Compiled {
	var v struct {
		Compile map[string]any `json:"compile_config"`
	}
	if json.Unmarshal(config, &v) != nil || len(v.Compile) == 0 {
		return nil
	}
	return compiledOf(v.Compile, v.Compile["optimizer"])
}

func compiledOf(v map[string]any, optimizer any) *Compiled {
	c := &Compiled{}
	if name, ok := optimizer.(string); ok {
		c.Optimizer = name
	} else {
		name, _ := asMap(optimizer)["class_name"].(string)
		c.Optimizer = name[strings.LastIndexByte(name, '>')+1:]
		c.LearningRate, _ = asMap(asMap(optimizer)["config"])["learning_rate"].(float64)
	}
	if name, ok := v["loss"].(string); ok {
		c.Loss = name
	} else {
		c.Loss, _ = asMap(v["loss"])["class_name"].(string)
		c.FromLogits, _ = asMap(asMap(v["loss"])["config"])["from_logits"].(bool)
	}
	c.Metrics = metricNames(v["metrics"], nil, 0)
	return c
}

// metricNames collects the names of metrics, which come in lists of lists.
func metricNames(v any, names []string, depth int) []string {
	switch v := v.(type) {
	case string:
		return append(names, v)
	case map[string]any:
		if name, ok := asMap(v["config"])["name"].(string); ok {
			return append(names, name)
		}
	case []any:
		for _, e := range v {
			if depth < 4 {
				names = metricNames(e, names, depth+1)
			}
		}
	}
	return names
}

// lossConfig returns the loss as Keras writes it: a name, or a class with its
// configuration.
func (c *Compiled) lossConfig(keras3 bool) any {
	if c.Loss == "" {
		return nil
	}
	if c.Loss == snakeCase(c.Loss) { // a function's name
		return c.Loss
	}
	conf := map[string]any{"reduction": "auto", "name": snakeCase(c.Loss), "from_logits": c.FromLogits}
	if !strings.HasSuffix(c.Loss, "Crossentropy") {
		delete(conf, "from_logits")
	}
	out := map[string]any{"class_name": c.Loss, "config": conf}
	if keras3 {
		conf["reduction"] = "sum_over_batch_size"
		out["module"], out["registered_name"] = "keras.losses", nil
	}
	return out
}

func (c *Compiled) optimizerConfig(keras3 bool) any {
	if c.Optimizer == "" {
		return nil
	}
	rate := c.LearningRate
	if rate == 0 {
		rate = 0.001
	}
	class := c.Optimizer
	if class == strings.ToLower(class) {
		class = strings.ToUpper(class[:1]) + class[1:]
	}
	if class == "Sgd" {
		class = "SGD"
	}
	out := map[string]any{"class_name": class, "config": map[string]any{"learning_rate": rate}}
	if keras3 {
		out["module"], out["registered_name"] = "keras.optimizers", nil
	}
	return out
}

// trainingConfig returns Keras 2's training_config.
func (c *Compiled) trainingConfig() ([]byte, error) {
	if c.raw != nil {
		return c.raw, nil
	}
	return json.Marshal(map[string]any{
		"loss": c.lossConfig(false), "metrics": append([]string{}, c.Metrics...), "weighted_metrics": nil, "loss_weights": nil,
		"optimizer_config": c.optimizerConfig(false),
	})
}

// compileConfig returns Keras 3's compile_config.
func (c *Compiled) compileConfig() map[string]any {
	return map[string]any{
		"optimizer": c.optimizerConfig(true), "loss": c.lossConfig(true), "loss_weights": nil,
		"metrics": append([]string{}, c.Metrics...), "weighted_metrics": nil, "run_eagerly": false,
		"steps_per_execution": 1, "jit_compile": false,
	}
}
