package keras

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

const (
	sequentialClass = "Sequential"
	functionalClass = "Functional"
	maxDepth        = 32      // of nested models
	maxCalls        = 1 << 17 // of layers, those of nested models counted each time
)

// Model is a network: layers that are connected, with their weights.
type Model struct {
	name       string
	sequential bool
	layers     []*layer
	calls      []*invocation // each after those it takes its inputs from
	inputs     []symbol
	outputs    []symbol
	weights    []*Weight
	compiled   *Compiled
}

// invocation is one call of a layer.
type invocation struct {
	layer *layer
	index int // among the layer's calls
	in    []symbol
	out   []value // set when the model was built
}

// symbol is an output of an invocation.
type symbol struct {
	from  *invocation
	index int
}

// Name returns the model's name, for example sequential.
func (m *Model) Name() string { return m.name }

// Describe implements Layer: a model may be a layer of another one.
func (m *Model) Describe() (class, name string, frozen bool) {
	if m.sequential {
		return sequentialClass, m.name, false
	}
	return functionalClass, m.name, false
}

// Layers returns the names of the model's layers in Keras's order.
func (m *Model) Layers() []string {
	names := make([]string, len(m.layers))
	for i, l := range m.layers {
		names[i] = l.name
	}
	return names
}

// Layer returns the configuration of the layer of that name.
func (m *Model) Layer(name string) (Layer, bool) {
	for _, l := range m.layers {
		if l.name == name {
			return l.Layer, true
		}
	}
	return nil, false
}

// Weights returns the model's weights in the order of the layers. Changing one
// changes the model.
func (m *Model) Weights() []*Weight { return m.weights }

// Weight returns the weight of that path; the name of a variable of Graph, which
// converted models keep as graph.Param.Name, is one too.
func (m *Model) Weight(path string) (*Weight, bool) {
	for _, w := range m.weights {
		if w.Path == path || w.variable.Name == path {
			return w, true
		}
	}
	return nil, false
}

// InputShapes and OutputShapes return the shapes, -1 for the batch, in the order
// in which the model was given its inputs and outputs.
func (m *Model) InputShapes() []tensor.Shape { return shapes(m.inputs) }

// OutputShapes is explained at InputShapes.
func (m *Model) OutputShapes() []tensor.Shape { return shapes(m.outputs) }

func shapes(all []symbol) []tensor.Shape {
	var out []tensor.Shape
	for _, s := range all {
		out = append(out, s.value().shape.Clone())
	}
	return out
}

// value is the symbol's value when the model was built.
func (s symbol) value() value {
	if s.index < len(s.from.out) {
		return s.from.out[s.index]
	}
	return value{}
}

// build calls every layer once, which checks shapes and declares the weights.
func (m *Model) build() error {
	if len(m.inputs) == 0 || len(m.outputs) == 0 {
		return fmt.Errorf("model %s has no input or no output: %w", m.name, tensor.ErrMalformed)
	}
	e := newEmitter()
	inputs := make([]value, len(m.inputs))
	for i, s := range m.inputs {
		var err error
		if inputs[i], err = e.placeholder(s.from.layer); err != nil {
			return err
		}
	}
	run := &run{e: e, scope: m.name}
	values, err := run.model(m, inputs)
	if err != nil {
		return err
	}
	for _, c := range m.calls {
		c.out = values[c]
	}
	m.placeWeights()
	return nil
}

// placeWeights lists the weights and gives them unique names.
func (m *Model) placeWeights() {
	m.weights = nil
	names, paths, listed := map[string]bool{}, map[string]bool{}, map[*Weight]bool{}
	unique := func(taken map[string]bool, name string) string {
		for i, base := 1, name; taken[name]; i++ {
			name = fmt.Sprintf("%s_%d", base, i)
		}
		taken[name] = true
		return name
	}
	for _, l := range m.layers {
		for _, w := range l.all() {
			if listed[w] {
				continue
			}
			listed[w] = true
			path := l.name + "/" + w.key
			if l.model != nil {
				path = l.name + "/" + w.Path
			}
			w.Path = unique(paths, path)
			w.variable.Path = w.Path
			w.variable.Name = unique(names, strings.TrimSuffix(w.Name, ":0"))
			w.Trainable = w.Trainable && !l.frozen
			m.weights = append(m.weights, w)
		}
	}
}

// placeholder emits an input of the graph.
func (e *emitter) placeholder(l *layer) (value, error) {
	in, ok := l.Layer.(InputLayer)
	if !ok {
		return value{}, fmt.Errorf("layer %q (%s) is no input: %w", l.name, l.class, tensor.ErrMalformed)
	}
	shape := in.batchShape()
	for _, d := range shape {
		if d < -1 || d == 0 || d > maxDim {
			return value{}, fmt.Errorf("layer %q (%s): input of shape %v: %w", l.name, l.class, shape, tensor.ErrShape)
		}
	}
	g := e.b.Graph()
	node := e.unique(savedmodel.DefaultSignature + "_" + l.name)
	ref := e.b.Input(node, in.DType, shape)
	p := &g.Inputs[len(g.Inputs)-1]
	p.Name, p.Tensor = l.name, node+":0"
	return value{ref, in.DType, shape}, nil
}

// run emits a model into a graph.
type run struct {
	e      *emitter
	scope  string
	depth  int
	frozen bool
}

// model calls the layers of m. It reports the problems of all layers, without
// those that follow from others.
func (r *run) model(m *Model, inputs []value) (map[*invocation][]value, error) {
	if r.depth > maxDepth {
		return nil, fmt.Errorf("models are nested deeper than %d: %w", maxDepth, tensor.ErrLimit)
	}
	values := map[*invocation][]value{}
	for i, s := range m.inputs {
		values[s.from] = []value{inputs[i]}
	}
	var problems []error
	for _, c := range m.calls {
		if _, ok := values[c]; ok {
			continue
		}
		in := make([]value, len(c.in))
		ready := true
		for i, s := range c.in {
			if from := values[s.from]; s.index < len(from) {
				in[i] = from[s.index]
			} else {
				ready = false
			}
		}
		if !ready {
			continue
		}
		out, err := r.layer(c.layer, in)
		if err != nil {
			problems = append(problems, layerError(c.layer.name, c.layer.class, err))
			continue
		}
		values[c] = out
	}
	for _, s := range m.outputs {
		if len(problems) == 0 && s.index >= len(values[s.from]) {
			problems = append(problems, fmt.Errorf("model %s: an output is not connected to the inputs: %w", m.name, tensor.ErrMalformed))
		}
	}
	return values, errors.Join(problems...)
}

// layer calls one layer.
func (r *run) layer(l *layer, in []value) ([]value, error) {
	scope := r.scope + "/" + l.name
	if r.e.calls++; r.e.calls > maxCalls {
		return nil, fmt.Errorf("more than %d calls of layers: %w", maxCalls, tensor.ErrLimit)
	}
	if l.model != nil {
		if len(in) != len(l.model.inputs) {
			return nil, fmt.Errorf("takes %d inputs, got %d: %w", len(l.model.inputs), len(in), tensor.ErrShape)
		}
		inner := &run{e: r.e, scope: scope, depth: r.depth + 1, frozen: r.frozen || l.frozen}
		values, err := inner.model(l.model, in)
		if err != nil {
			return nil, err
		}
		var out []value
		for _, s := range l.model.outputs {
			out = append(out, values[s.from][s.index])
		}
		return out, nil
	}
	c := &call{e: r.e, layer: l, scope: scope, in: in, frozen: r.frozen || l.frozen}
	out := l.call(l.Layer, c)
	return []value{out}, c.err
}

// Graph returns what the model computes at inference, as a frozen TensorFlow
// graph under Keras's names. Constants that are weights refer to a variable,
// whose name Weight finds. Inputs and outputs are named after their layers and
// sorted by name, as in the signature that Keras writes.
func (m *Model) Graph() (*savedmodel.Graph, error) {
	if err := m.checkWeights(); err != nil {
		return nil, err
	}
	e := newEmitter()
	inputs := make([]value, len(m.inputs))
	for _, i := range sortedByName(m.inputs) {
		var err error
		if inputs[i], err = e.placeholder(m.inputs[i].from.layer); err != nil {
			return nil, err
		}
	}
	values, err := (&run{e: e, scope: m.name}).model(m, inputs)
	if err != nil {
		return nil, err
	}
	g := e.b.Graph()
	taken := map[string]int{}
	for k, i := range sortedByName(m.outputs) {
		s := m.outputs[i]
		v, name := values[s.from][s.index], s.from.layer.name
		ref := e.b.Op(e.unique("Identity"), "Identity", attrs{"T": savedmodel.TypeAttr(v.dtype)}, v.ref)
		if n := taken[name]; n > 0 {
			name = fmt.Sprintf("%s_%d", name, n)
		}
		taken[s.from.layer.name]++
		e.b.Output(name, ref, v.dtype, v.shape)
		g.Outputs[k].Tensor = fmt.Sprintf("StatefulPartitionedCall:%d", k)
	}
	seen := map[*savedmodel.Variable]bool{nil: true}
	for _, n := range g.Nodes {
		if !seen[n.Variable] {
			seen[n.Variable] = true
			g.Variables = append(g.Variables, n.Variable)
		}
	}
	return g, nil
}

// checkWeights checks the values of all weights.
func (m *Model) checkWeights() error {
	var problems []error
	for _, w := range m.weights {
		w.variable.Trainable = w.Trainable
		problems = append(problems, w.check())
	}
	return errors.Join(problems...)
}

// sortedByName returns the order of symbols by the names of their layers.
func sortedByName(all []symbol) []int {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(all[a].from.layer.name, all[b].from.layer.name) })
	return order
}

// Initialize gives every weight a new value by its initializer, except those
// that came with a layer (a Hub module's). The same seed gives the same values on
// every machine, whatever the order of the layers.
func (m *Model) Initialize(seed uint64) error {
	var problems []error
	for _, w := range m.weights {
		if w.given {
			continue
		}
		v, err := w.init.sample(w.variable.Shape, seed, w.Path)
		if err != nil {
			problems = append(problems, fmt.Errorf("weight %s: %w", w.Path, err))
			continue
		}
		w.Value = v
	}
	return errors.Join(problems...)
}

// Summary returns a table of the layers, their output shapes and their numbers
// of parameters, like Keras's summary().
func (m *Model) Summary() string {
	lines := [][3]string{{"Layer (type)", "Output Shape", "Param #"}}
	total, trainable := 0, 0
	for _, l := range m.layers {
		n := 0
		for _, w := range l.all() {
			k, _ := w.variable.Shape.Elems() // checked when the model was built
			n += k
			if w.Trainable {
				trainable += k
			}
		}
		total += n
		shape := "?"
		for _, c := range m.calls {
			if c.layer == l && len(c.out) > 0 {
				shape = c.out[0].shape.String()
			}
		}
		lines = append(lines, [3]string{fmt.Sprintf("%s (%s)", l.name, l.class), shape, fmt.Sprint(n)})
	}
	var width [3]int
	for _, l := range lines {
		for i, s := range l {
			width[i] = max(width[i], len(s))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Model: %q\n", m.name)
	for i, l := range lines {
		fmt.Fprintf(&b, "%-*s  %-*s  %*s\n", width[0], l[0], width[1], l[1], width[2], l[2])
		if i == 0 {
			b.WriteString(strings.Repeat("=", width[0]+width[1]+width[2]+4) + "\n")
		}
	}
	fmt.Fprintf(&b, "Total params: %d\nTrainable params: %d\nNon-trainable params: %d\n", total, trainable, total-trainable)
	return b.String()
}
