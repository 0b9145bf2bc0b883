package keras

import (
	"fmt"

	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

// Weight is a weight of a layer, in Keras's layout (Dense [in, out], Conv2D HWIO).
type Weight struct {
	// Name is Keras's name, for example dense/kernel:0. Layers may share names.
	Name string
	// Path is unique in the model: the layer's name, within nested models the
	// models' names before it, and the weight's.
	Path string
	// Trainable says whether training changes the weight.
	Trainable bool
	// Value may be replaced by a tensor of the same type and shape. Its bytes may be
	// shared with other models and must not be changed.
	Value tensor.Tensor

	key      string // within the layer
	init     Initializer
	given    bool // the value came with the layer and is no initializer's
	variable *savedmodel.Variable
}

// Shape returns the shape that Value must have.
func (w *Weight) Shape() tensor.Shape { return w.variable.Shape }

// check reports a value that does not fit.
func (w *Weight) check() error {
	if v := w.variable; w.Value.DType() != v.DType || !w.Value.Shape().Equal(v.Shape) || len(w.Value.Bytes()) == 0 && w.Value.Len() > 0 {
		return fmt.Errorf("weight %s is %v%v, its value %v%v: %w", w.Path, v.DType, v.Shape, w.Value.DType(), w.Value.Shape(), tensor.ErrShape)
	}
	return nil
}

// layer is a layer of a model.
type layer struct {
	Layer
	row
	name    string
	frozen  bool
	weights []*Weight
	model   *Model         // of a nested model
	raw     map[string]any // the configuration it was read from
}

// weight returns the weight that s declares, making it at the layer's first call.
func (l *layer) weight(s weightSpec, frozen bool) (*Weight, error) {
	for _, w := range l.weights {
		if w.key != s.name {
			continue
		}
		if !w.variable.Shape.Equal(s.shape) {
			return nil, fmt.Errorf("weight %s is %v, this call needs %v: %w", s.name, w.variable.Shape, s.shape, tensor.ErrShape)
		}
		return w, nil
	}
	name, dtype := l.name+"/"+s.name, tensor.Float32
	if s.whole {
		name, dtype = s.name, s.value.DType()
	}
	if _, err := s.shape.Bytes(dtype); err != nil {
		return nil, err
	}
	w := &Weight{
		Name: name + ":0", Trainable: !s.fixed && !frozen, Value: s.value, key: s.name, init: s.init, given: s.whole,
		variable: &savedmodel.Variable{Name: name, DType: dtype, Shape: s.shape.Clone()},
	}
	l.weights = append(l.weights, w)
	return w, nil
}

// all returns the layer's weights, those of a nested model included.
func (l *layer) all() []*Weight {
	if l.model == nil {
		return l.weights
	}
	return l.model.Weights()
}
