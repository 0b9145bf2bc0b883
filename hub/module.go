package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

// Module is a loaded module, frozen at one way to call it.
type Module struct {
	handle    string
	signature string // as hub.KerasLayer takes it; empty for a call of the object
	outputKey string
	graph     *savedmodel.Graph
	variables []Variable
}

// Variable is a variable of a module. Name is TensorFlow's, for example
// conv1/weights.
type Variable struct {
	Name      string
	Trainable bool
	Value     tensor.Tensor
	// In is the variable that the nodes of Graph refer to.
	In *savedmodel.Variable
}

// Handle returns the handle that the module was loaded by.
func (m *Module) Handle() string { return m.handle }

// Signature returns the signature the module is frozen at and the output taken,
// as hub.KerasLayer's arguments signature and output_key name them. Both are
// empty where the loaded object itself is called.
func (m *Module) Signature() (signature, outputKey string) { return m.signature, m.outputKey }

// Graph returns what the module computes: one input, one output, variables
// frozen to constants. It must not be changed.
func (m *Module) Graph() *savedmodel.Graph { return m.graph }

// Variables returns the module's variables in the order in which hub.KerasLayer
// lists its weights: those to be trained first.
func (m *Module) Variables() []Variable { return m.variables }

// Layer returns the module as a layer with fixed weights.
func (m *Module) Layer() Layer { return Layer{Module: m} }

// Layer is a module as a layer of a Keras network: hub.KerasLayer.
type Layer struct {
	Module *Module
	// Trainable lets training change the variables that the module marks so.
	Trainable bool
	// Name is the layer's name; empty means keras_layer, with a number if taken.
	Name string
	// Handle is written to files in place of the handle the module was loaded by.
	Handle string
}

// Describe implements keras.Layer.
func (l Layer) Describe() (class, name string, frozen bool) {
	return "KerasLayer", l.Name, !l.Trainable
}

// open reads the module in directory dir.
func open(dir string, o Options) (*Module, error) {
	fsys, base := os.DirFS(filepath.Dir(dir)), filepath.Base(dir)
	m, err := savedmodel.Load(fsys, base, o.Tags)
	if err != nil {
		return nil, err
	}
	out := &Module{signature: o.Signature, outputKey: o.OutputKey}
	if _, err := os.Stat(filepath.Join(dir, "tfhub_module.pb")); err == nil && out.signature == "" {
		out.signature = "default" // as hub.KerasLayer does for the TF1 Hub format
	}
	if err := out.freeze(m); err != nil {
		return nil, err
	}
	return out, out.readVariables(m)
}

// freeze extracts the graph that calling the module runs.
func (m *Module) freeze(sm *savedmodel.Model) (err error) {
	if m.signature == "" {
		m.graph, err = freezeCall(sm)
		if errors.Is(err, fs.ErrNotExist) {
			sig, e := sm.Signature("")
			if e != nil {
				return e
			}
			m.signature = sig.Key
		} else if err != nil {
			return err
		}
	}
	if m.graph == nil {
		if m.graph, err = savedmodel.Freeze(sm, m.signature); err != nil {
			return err
		}
	}
	return m.selectOutput()
}

// selectOutput leaves one output. A module whose outputs are a dictionary needs
// a key; TF1's key "default" is chosen if there is one.
func (m *Module) selectOutput() error {
	g := m.graph
	if len(g.Inputs) != 1 {
		return fmt.Errorf("a module of %d inputs: %w", len(g.Inputs), tensor.ErrUnsupported)
	}
	keys := make([]string, len(g.Outputs))
	for i, p := range g.Outputs {
		keys[i] = p.Name
	}
	key := m.outputKey
	switch {
	case key != "":
	case len(keys) == 1:
		key = keys[0]
	case slices.Contains(keys, "default"):
		key = "default"
	}
	i := slices.Index(keys, key)
	if i < 0 {
		return fmt.Errorf("no output %q, the module has %q: %w", key, keys, tensor.ErrUnsupported)
	}
	if m.signature != "" || m.outputKey != "" {
		m.outputKey = key
	}
	g.Outputs = g.Outputs[i : i+1]
	return nil
}

// freezeCall extracts the module's __call__ as it is traced for inference. It
// fails with fs.ErrNotExist if the module cannot be called.
func freezeCall(sm *savedmodel.Model) (*savedmodel.Graph, error) {
	all, err := sm.Functions("__call__")
	if err != nil {
		return nil, err
	}
	var best *savedmodel.Function
	rank := 0
	for _, f := range all {
		if r := rankCall(f); r > rank {
			best, rank = f, r
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no trace of __call__ takes one tensor: %w", fs.ErrNotExist)
	}
	return savedmodel.FreezeFunction(sm, best)
}

// rankCall says how well a trace suits inference on batches of any size; 0 is
// not at all.
func rankCall(f *savedmodel.Function) int {
	if len(f.Params) == 0 || len(f.Params[0].Ports) != 1 {
		return 0
	}
	r := 1
	if s := f.Params[0].Ports[0].Shape; len(s) > 0 && s[0] < 0 {
		r++
	}
	for _, p := range f.Params[1:] {
		if len(p.Ports) > 0 {
			return 0
		}
		if training, ok := p.Bool(); ok && training {
			return 0
		}
		if strings.Contains(p.Name, "training") {
			r++ // an explicit False, not a trace without the argument
		}
	}
	return r
}

// readVariables reads the values of the module's variables.
func (m *Module) readVariables(sm *savedmodel.Model) error {
	list, trainable := sm.VariablesOf("variables"), sm.VariablesOf("trainable_variables")
	isTrainable := func(v *savedmodel.Variable) bool { return slices.Contains(trainable, v) }
	if list == nil {
		list = sm.Variables()
		isTrainable = func(v *savedmodel.Variable) bool { return v.Trainable }
		for _, v := range list {
			if v.Trainable {
				trainable = append(trainable, v)
			}
		}
	}
	order := slices.Clone(trainable)
	for _, more := range [][]*savedmodel.Variable{list, m.graph.Variables} {
		for _, v := range more {
			if !slices.Contains(order, v) {
				order = append(order, v)
			}
		}
	}
	for _, v := range order {
		value, err := sm.Value(v)
		if err != nil {
			return err
		}
		m.variables = append(m.variables, Variable{Name: v.Name, Trainable: isTrainable(v), Value: value, In: v})
	}
	return nil
}
