package keras

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

// metadataFile holds Keras's description of a SavedModel's objects: a protocol
// buffer SavedMetadata of SavedObjects (node_id 2, node_path 3, identifier 4,
// metadata 5: JSON).
const metadataFile = "keras_metadata.pb"

// loadSavedModel reads a SavedModel that Keras 2 wrote.
func (r *reader) loadSavedModel(name string) (*Model, error) {
	raw, err := os.ReadFile(filepath.Join(name, metadataFile))
	if err != nil {
		return nil, err
	}
	root, err := rootMetadata(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", metadataFile, err)
	}
	m, err := r.readModel(root)
	if err != nil {
		return nil, err
	}
	sm, err := savedmodel.Load(os.DirFS(filepath.Dir(filepath.Clean(name))), filepath.Base(filepath.Clean(name)), nil)
	if err != nil {
		return nil, err
	}
	if err := m.readVariables(sm, ""); err != nil {
		return nil, err
	}
	var training struct {
		Config json.RawMessage `json:"training_config"`
	}
	if json.Unmarshal(root, &training) == nil && len(training.Config) > 0 {
		m.compiled = readTrainingConfig(training.Config)
		m.compiled.forget()
	}
	return m, nil
}

// rootMetadata returns the JSON that describes the root object.
func rootMetadata(raw []byte) ([]byte, error) {
	const nodes, nodePath, metadata = 1, 3, 5
	var found []byte
	err := eachField(raw, func(number protowire.Number, object []byte) error {
		if number != nodes {
			return nil
		}
		var at, json []byte
		err := eachField(object, func(n protowire.Number, b []byte) error {
			switch n {
			case nodePath:
				at = b
			case metadata:
				json = b
			}
			return nil
		})
		if string(at) == "root" {
			found = json
		}
		return err
	})
	if err == nil && found == nil {
		err = unsupported("the model is no Keras network")
	}
	return found, err
}

// eachField visits the length-delimited fields of a message.
func eachField(b []byte, visit func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed("protocol buffer: %v", protowire.ParseError(n))
		}
		b = b[n:]
		if kind == protowire.BytesType {
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return malformed("protocol buffer: %v", protowire.ParseError(n))
			}
			if err := visit(number, v); err != nil {
				return err
			}
			b = b[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return malformed("protocol buffer: %v", protowire.ParseError(n))
		}
		b = b[n:]
	}
	return nil
}

// readVariables reads the weights of a model from a SavedModel. Keras tracks a
// model's i-th layer with weights as layer_with_weights-i.
func (m *Model) readVariables(sm *savedmodel.Model, prefix string) error {
	var problems []error
	n := 0
	for _, l := range m.layers {
		if len(l.all()) == 0 {
			continue
		}
		at := fmt.Sprintf("%slayer_with_weights-%d/", prefix, n)
		n++
		if l.model != nil {
			problems = append(problems, l.model.readVariables(sm, at))
			continue
		}
		for _, w := range l.weights {
			if err := w.readVariable(sm, at); err != nil {
				problems = append(problems, layerError(l.name, l.class, err))
			}
		}
	}
	return errors.Join(problems...)
}

// readVariable finds the variable at the layer's path by the weight's attribute
// or, in Hub layers, by its name.
func (w *Weight) readVariable(sm *savedmodel.Model, prefix string) error {
	i := slices.IndexFunc(sm.Variables(), func(v *savedmodel.Variable) bool {
		return v.Path == prefix+w.key || strings.HasPrefix(v.Path, prefix) && v.Name == w.key
	})
	if i < 0 {
		return fmt.Errorf("no variable %s%s: %w", prefix, w.key, tensor.ErrMalformed)
	}
	t, err := sm.Value(sm.Variables()[i])
	if err != nil {
		return err
	}
	if !t.Shape().Equal(w.variable.Shape) {
		return fmt.Errorf("variable %s is %v, weight %s needs %v: %w", sm.Variables()[i].Name, t.Shape(), w.Path, w.variable.Shape, tensor.ErrShape)
	}
	return w.set(t)
}
