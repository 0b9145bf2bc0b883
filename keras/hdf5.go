package keras

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/atomicfile"
	"github.com/litequant/litequant/internal/hdf5"
	"github.com/litequant/litequant/tensor"
)

// loadHDF5 reads a .h5 file: attributes model_config and training_config, and
// the group model_weights with a group a layer.
func (r *reader) loadHDF5(name string) (*Model, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file, err := hdf5.Open(f, info.Size())
	if err != nil {
		return nil, err
	}
	root := file.Root()
	raw, err := textAttr(root, "model_config")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingConfig(root)
	}
	if err != nil {
		return nil, err
	}
	m, err := r.readModel([]byte(raw))
	if err != nil {
		return nil, err
	}
	group, err := root.Group("model_weights")
	if err != nil {
		return nil, err
	}
	if err := m.readGroups(group); err != nil {
		return nil, err
	}
	if raw, err := textAttr(root, "training_config"); err == nil {
		m.compiled = readTrainingConfig([]byte(raw))
		if v, err := textAttr(root, "keras_version"); err != nil || !strings.HasPrefix(v, "2.") {
			m.compiled.forget() // written again, it would be in Keras 2's form
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return m, nil
}

// missingConfig explains an HDF5 file without a model.
func missingConfig(root *hdf5.Group) error {
	if root.HasAttr("layer_names") || root.Has("layers") || root.Has("_layer_checkpoint_dependencies") {
		return unsupported("the file holds weights only; save the whole model with model.save()")
	}
	return malformed("no model_config: this HDF5 file holds no Keras model")
}

func textAttr(o hdf5.Object, name string) (string, error) {
	a, err := o.Attr(name)
	if err != nil {
		return "", err
	}
	return a.Text()
}

// namesAttr reads a list of names, which Keras cuts into name0, name1, ... where
// it is too long for one attribute.
func namesAttr(o hdf5.Object, name string) ([]string, error) {
	if o.HasAttr(name) {
		return nameList(o, name)
	}
	var all []string
	for i := 0; ; i++ {
		part := fmt.Sprintf("%s%d", name, i)
		if !o.HasAttr(part) {
			break
		}
		more, err := nameList(o, part)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if all == nil {
		return nil, malformed("no attribute %s in %s", name, o.Path())
	}
	return all, nil
}

func nameList(o hdf5.Object, name string) ([]string, error) {
	a, err := o.Attr(name)
	if err != nil || a.Len() == 0 { // NumPy's empty list has no type
		return nil, err
	}
	return a.Strings()
}

// readGroups reads the weights of all layers, each from the group of its name.
func (m *Model) readGroups(group *hdf5.Group) error {
	var problems []error
	for _, l := range m.layers {
		if weights := l.stored(); len(weights) > 0 {
			if err := readGroup(group, l.name, weights); err != nil {
				problems = append(problems, layerError(l.name, l.class, err))
			}
		}
	}
	return errors.Join(problems...)
}

// stored returns the layer's weights in the order of Keras 2's files: those that
// are trained, then the others.
func (l *layer) stored() []*Weight {
	var out, rest []*Weight
	for _, w := range l.all() {
		if w.Trainable {
			out = append(out, w)
		} else {
			rest = append(rest, w)
		}
	}
	return append(out, rest...)
}

// readGroup reads a layer's weights, by name if all names are known and by
// position, as Keras does, if not.
func readGroup(all *hdf5.Group, name string, weights []*Weight) error {
	group, err := all.Group(name)
	if err != nil {
		return err
	}
	names, err := namesAttr(group, "weight_names")
	if err != nil {
		return err
	}
	if len(names) != len(weights) {
		return fmt.Errorf("the file holds %d weights, the layer has %d: %w", len(names), len(weights), tensor.ErrShape)
	}
	for i, k := range matchNames(names, weights) {
		d, err := group.Dataset(names[k])
		if err != nil {
			return err
		}
		if err := weights[i].read(d); err != nil {
			return err
		}
	}
	return nil
}

// matchNames returns which name is each weight's.
func matchNames(names []string, weights []*Weight) []int {
	index := make([]int, len(weights))
	used := map[int]bool{}
	for i, w := range weights {
		index[i] = slices.IndexFunc(names, func(n string) bool {
			return strings.TrimSuffix(n, ":0") == strings.TrimSuffix(w.Name, ":0")
		})
		if index[i] < 0 || used[index[i]] {
			for k := range index {
				index[k] = k
			}
			break
		}
		used[index[i]] = true
	}
	return index
}

// read sets the weight's value to that of a dataset.
func (w *Weight) read(d *hdf5.Dataset) error {
	if !slices.Equal(d.Shape(), []int(w.variable.Shape)) {
		return fmt.Errorf("%s is %v, weight %s needs %v: %w", d.Path(), tensor.Shape(d.Shape()), w.Path, w.variable.Shape, tensor.ErrShape)
	}
	t, err := d.Tensor()
	if err != nil {
		return err
	}
	return w.set(t)
}

// set takes a value of the weight's shape; floats of other widths are converted.
func (w *Weight) set(t tensor.Tensor) error {
	if t.DType() != w.variable.DType {
		isFloat := slices.Contains([]tensor.DType{tensor.Float16, tensor.BFloat16, tensor.Float64}, t.DType())
		if w.variable.DType != tensor.Float32 || !isFloat {
			return fmt.Errorf("weight %s is %v, not %v: %w", w.Path, t.DType(), w.variable.DType, tensor.ErrType)
		}
		var err error
		if t, err = tensor.Of(t.Shape(), t.Float32s()...); err != nil {
			return err
		}
	}
	w.Value = t
	return w.check()
}

// saveHDF5 writes the model as Keras 2 does.
func (m *Model) saveHDF5(name string) error {
	config, err := json.Marshal(m.config(false))
	if err != nil {
		return err
	}
	b := hdf5.NewBuilder()
	root := b.Root()
	root.SetAttr("backend", "tensorflow")
	root.SetAttr("keras_version", keras2Version)
	root.SetAttr("model_config", string(config))
	if m.compiled != nil {
		training, err := m.compiled.trainingConfig()
		if err != nil {
			return err
		}
		root.SetAttr("training_config", string(training))
	}
	group := root.Group("model_weights")
	group.SetAttr("backend", "tensorflow")
	group.SetAttr("keras_version", keras2Version)
	group.Group("top_level_model_weights").SetAttr("weight_names", []string{})
	var names []string
	for _, l := range m.layers {
		if _, input := l.Layer.(InputLayer); input && m.sequential {
			continue
		}
		names = append(names, l.name)
		m.writeGroup(group.Group(l.name), l)
	}
	setNames(group, "layer_names", names)
	return atomicfile.Write(name, func(f *os.File) error {
		_, err := b.WriteTo(f)
		return err
	})
}

// writeGroup writes a layer's weights.
func (m *Model) writeGroup(group *hdf5.GroupBuilder, l *layer) {
	var names []string
	for _, w := range l.stored() {
		name := w.Name
		for i := 1; slices.Contains(names, name); i++ {
			name = fmt.Sprintf("%s_%d:0", strings.TrimSuffix(w.Name, ":0"), i)
		}
		names = append(names, name)
		group.Dataset(name, w.Value)
	}
	setNames(group, "weight_names", names)
}

// setNames sets a list of names, in parts if it is too long for one attribute.
func setNames(g *hdf5.GroupBuilder, attr string, names []string) {
	const most = 60000 // bytes of an attribute
	width := 1
	for _, n := range names {
		width = max(width, len(n))
	}
	per := max(most/width, 1)
	if len(names) <= per {
		g.SetAttr(attr, append([]string{}, names...))
		return
	}
	i := 0
	for part := range slices.Chunk(names, per) {
		g.SetAttr(fmt.Sprintf("%s%d", attr, i), part)
		i++
	}
}
