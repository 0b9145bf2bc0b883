package keras

import (
	"path/filepath"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel"
)

// The versions of Keras whose formats are written.
const (
	keras2Version = "2.15.0"
	keras3Version = "3.8.0"
)

// Save writes the model: to a .h5 file that Keras 2 (tf_keras) loads, to a .keras
// file that Keras 3 loads, or to a TensorFlow SavedModel if name has no such
// suffix. A file is replaced whole or not at all; a directory must not exist or
// be empty. A model with Hub layers needs custom_objects={"KerasLayer":
// hub.KerasLayer} to be loaded by Keras.
func (m *Model) Save(name string) error {
	save, ok := map[string]func(string) error{
		".h5": m.saveHDF5, ".hdf5": m.saveHDF5, ".keras": m.saveArchive,
	}[strings.ToLower(filepath.Ext(name))]
	if !ok {
		return m.writeSavedModel(name, false)
	}
	err := m.checkWeights()
	if err == nil {
		err = save(name)
	}
	if err != nil {
		return inFile(name, err)
	}
	return nil
}

// Publish writes the model as a TF2 Hub module to the directory name, which must
// not exist or be empty: hub.load and hub.KerasLayer(name, trainable=True) take
// it. The model has one input and one output.
func (m *Model) Publish(name string) error { return m.writeSavedModel(name, true) }

// writeSavedModel writes a TensorFlow 2 SavedModel.
func (m *Model) writeSavedModel(name string, asModule bool) error {
	g, err := m.Graph()
	if err != nil {
		return inFile(name, err)
	}
	s := savedmodel.Spec{Graph: g, Hub: asModule}
	for _, w := range m.weights {
		s.Variables = append(s.Variables, savedmodel.VariableValue{Variable: w.variable, Value: w.Value})
	}
	return savedmodel.Write(name, s)
}

// config returns the model's configuration as Keras 2 or 3 writes it.
func (m *Model) config(keras3 bool) map[string]any {
	conf := map[string]any{"name": m.name}
	var layers []any
	for _, l := range m.layers {
		entry := l.config(keras3)
		if build := m.buildConfig(l); keras3 && len(l.weights) > 0 && build != nil {
			entry["build_config"] = build
		}
		if !m.sequential {
			entry["name"] = l.name
			entry["inbound_nodes"] = m.inboundNodes(l, keras3)
		}
		layers = append(layers, entry)
	}
	conf["layers"] = layers
	class, _, _ := m.Describe()
	if !m.sequential {
		conf["input_layers"], conf["output_layers"] = endNodes(m.inputs, keras3), endNodes(m.outputs, keras3)
		conf["trainable"] = true
	}
	out := map[string]any{"class_name": class, "config": conf}
	if keras3 {
		out["module"], out["registered_name"] = "keras", nil
		if !m.sequential {
			out["module"], out["registered_name"] = "keras.src.models.functional", "Functional"
		}
	}
	return out
}

func endNodes(all []symbol, keras3 bool) []any {
	var out []any
	for _, s := range all {
		out = append(out, s.ref(keras3))
	}
	return out
}

// ref names the symbol as Keras does: layer, node, tensor. Keras 2 counts the
// nested model's own making as its node 0.
func (s symbol) ref(keras3 bool) []any {
	node := s.from.index
	if s.from.layer.model != nil && !keras3 {
		node++
	}
	return []any{s.from.layer.name, node, s.index}
}

// config returns the layer's configuration: {class_name, config}.
func (l *layer) config(keras3 bool) map[string]any {
	if l.model != nil {
		out := l.model.config(keras3)
		conf := out["config"].(map[string]any)
		conf["name"], conf["trainable"] = l.name, !l.frozen
		return out
	}
	w := &writer{keras3: keras3, values: map[string]any{"name": l.name, "trainable": !l.frozen, "dtype": "float32"}}
	l.write(l.Layer, w)
	for k, v := range w.values {
		if raw := l.raw[k]; v == nil && raw != nil { // such as a regularizer
			w.values[k] = raw
		}
	}
	out := map[string]any{"class_name": l.class, "config": w.values}
	if keras3 {
		out["module"], out["registered_name"] = "keras.layers", nil
	}
	return out
}

// buildConfig tells Keras 3 the shape for which to make a layer's weights.
func (m *Model) buildConfig(l *layer) map[string]any {
	for _, c := range m.calls {
		if c.layer == l && len(c.in) == 1 {
			return map[string]any{"input_shape": jsonShape(c.in[0].value().shape)}
		}
	}
	return nil
}

// inboundNodes returns the calls of a layer.
func (m *Model) inboundNodes(l *layer, keras3 bool) []any {
	calls := []any{}
	for _, c := range m.calls {
		if c.layer != l || len(c.in) == 0 {
			continue
		}
		var in []any
		for _, s := range c.in {
			ref := s.ref(keras3)
			if !keras3 {
				in = append(in, append(ref, map[string]any{}))
				continue
			}
			v := s.value()
			in = append(in, map[string]any{"class_name": "__keras_tensor__", "config": map[string]any{
				"shape": jsonShape(v.shape), "dtype": v.dtype.String(), "keras_history": ref,
			}})
		}
		if !keras3 {
			calls = append(calls, in)
			continue
		}
		args := in
		if l.merges || l.model != nil && len(l.model.inputs) > 1 {
			args = []any{in}
		}
		calls = append(calls, map[string]any{"args": args, "kwargs": map[string]any{}})
	}
	return calls
}
