package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

const (
	// TagServe is the tag of the graph that serves predictions.
	TagServe = "serve"

	// DefaultSignature is the key that TensorFlow gives a model's signature.
	DefaultSignature = "serving_default"

	hubSignature = "default" // the key of a TF1 Hub module's signature
	modelFile    = "saved_model.pb"
	variablesDir = "variables"
	objectKey    = "_CHECKPOINTABLE_OBJECT_GRAPH"
	valueSuffix  = "/.ATTRIBUTES/VARIABLE_VALUE"
)

// Model is one MetaGraph of a SavedModel, or a GraphDef. It is read-only and
// may be used by several goroutines.
type Model struct {
	file      string
	meta      *pb.MetaGraphDef
	bundle    *Bundle // nil if there are no variables
	library   *library
	objects   []*object
	variables []*Variable
	byName    map[string]*Variable // nil values: the name is not unique
}

// Variable is a named tensor of a checkpoint.
type Variable struct {
	Name      string // TensorFlow's name, for example dense/kernel
	Path      string // its place in the object graph, for example layer-1/kernel; empty in TF1
	Key       string // the name in the checkpoint
	DType     tensor.DType
	Shape     tensor.Shape
	Trainable bool
}

// Port is an input or output of a signature, a function or a Graph.
type Port struct {
	Name   string // the key in the signature, or the argument's name
	Tensor string // the tensor's name in the graph, for example serving_default_x:0
	DType  tensor.DType
	// Shape has -1 for unknown dimensions; nil means that not even the rank is known.
	Shape tensor.Shape
	Ref   Ref // in a Graph: the value itself
}

// Signature is a named way to call a model. Inputs and outputs are sorted by
// name.
type Signature struct {
	Key             string
	Method          string
	Inputs, Outputs []Port
}

// Load reads the SavedModel or TF-Hub module in directory dir. tags names the
// MetaGraph exactly; nil means the one tagged "serve", else the one without
// tags, else the only one.
func Load(fsys fs.FS, dir string, tags []string) (*Model, error) {
	name := path.Join(dir, modelFile)
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, missingModel(fsys, dir, err)
	}
	var sm pb.SavedModel
	if err := unmarshal(raw, &sm); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	meta, err := selectTags(&sm, tags)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m, err := newModel(name, meta)
	if err != nil {
		return nil, err
	}
	prefix := path.Join(dir, variablesDir, "variables")
	if m.bundle, err = OpenBundle(fsys, prefix); errors.Is(err, fs.ErrNotExist) && !m.needsBundle() {
		m.bundle, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m, m.findVariables()
}

// missingModel names the other forms of a SavedModel that a directory may hold.
func missingModel(fsys fs.FS, dir string, err error) error {
	for _, other := range []string{"saved_model.pbtxt", "saved_model.cpb"} {
		if _, e := fs.Stat(fsys, path.Join(dir, other)); e == nil {
			return fmt.Errorf("%s: only saved_model.pb can be read: %w", path.Join(dir, other), tensor.ErrUnsupported)
		}
	}
	return err
}

// ParseGraphDef reads a GraphDef, usually one whose variables are frozen to
// constants. name stands for the file in errors.
func ParseGraphDef(name string, raw []byte) (*Model, error) {
	var g pb.GraphDef
	if err := unmarshal(raw, &g); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(g.GetNode()) == 0 {
		return nil, fmt.Errorf("%s: a graph without nodes: %w", name, tensor.ErrMalformed)
	}
	return newModel(name, &pb.MetaGraphDef{GraphDef: &g})
}

func newModel(file string, meta *pb.MetaGraphDef) (*Model, error) {
	lib, err := newLibrary(meta)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &Model{file: file, meta: meta, library: lib, byName: map[string]*Variable{}}, nil
}

func selectTags(sm *pb.SavedModel, tags []string) (*pb.MetaGraphDef, error) {
	var found []string
	byTags := map[string]*pb.MetaGraphDef{}
	for _, m := range sm.GetMetaGraphs() {
		key := tagKey(m.GetMetaInfoDef().GetTags())
		byTags[key] = m
		found = append(found, "["+key+"]")
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no graph: %w", tensor.ErrMalformed)
	}
	wanted := []string{tagKey(tags)}
	if tags == nil {
		wanted = []string{TagServe, ""}
	}
	for _, key := range wanted {
		if m := byTags[key]; m != nil {
			return m, nil
		}
	}
	if tags == nil && len(byTags) == 1 {
		return sm.GetMetaGraphs()[0], nil
	}
	return nil, fmt.Errorf("no graph is tagged [%s], there are %s: %w", wanted[0], strings.Join(found, " "), fs.ErrNotExist)
}

func tagKey(tags []string) string {
	sorted := slices.Sorted(slices.Values(tags))
	return strings.Join(sorted, ",")
}

// needsBundle reports whether the model has variables.
func (m *Model) needsBundle() bool {
	for _, o := range m.meta.GetObjectGraphDef().GetNodes() {
		if o.GetVariable() != nil {
			return true
		}
	}
	for _, key := range variableCollections {
		if m.meta.GetCollectionDef()[key] != nil {
			return true
		}
	}
	return false
}

// Variables returns the variables of the object graph, of a TF1 graph's
// collections, or failing both the checkpoint's tensors.
func (m *Model) Variables() []*Variable { return m.variables }

// Value reads a variable's value from the checkpoint.
func (m *Model) Value(v *Variable) (tensor.Tensor, error) {
	if m.bundle == nil || !m.bundle.Has(v.Key) {
		return tensor.Tensor{}, fmt.Errorf("%s: variable %.80q has no value in the checkpoint: %w", m.file, v.Name, tensor.ErrMalformed)
	}
	t, err := m.bundle.Tensor(v.Key)
	if err != nil {
		return t, err
	}
	if t.DType() != v.DType || !v.Shape.Fits(t.Shape()) && v.Shape != nil {
		return t, fmt.Errorf("%s: variable %.80q is %v%v, the checkpoint holds %v%v: %w", m.file, v.Name, v.DType, v.Shape, t.DType(), t.Shape(), tensor.ErrShape)
	}
	return t, nil
}

// Signatures returns the model's signatures sorted by key, without those that
// TensorFlow keeps for itself (initialization, training).
func (m *Model) Signatures() ([]Signature, error) {
	var all []Signature
	for _, key := range slices.Sorted(maps.Keys(m.meta.GetSignatureDef())) {
		if strings.HasPrefix(key, "__saved_model_") {
			continue
		}
		def := m.meta.GetSignatureDef()[key]
		in, err := m.ports(def.GetInputs())
		if err != nil {
			return nil, fmt.Errorf("%s: signature %q: %w", m.file, key, err)
		}
		out, err := m.ports(def.GetOutputs())
		if err != nil {
			return nil, fmt.Errorf("%s: signature %q: %w", m.file, key, err)
		}
		all = append(all, Signature{key, def.GetMethodName(), in, out})
	}
	return all, nil
}

func (m *Model) ports(infos map[string]*pb.TensorInfo) ([]Port, error) {
	var all []Port
	for _, key := range slices.Sorted(maps.Keys(infos)) {
		info := infos[key]
		if info.GetName() == "" {
			return nil, fmt.Errorf("%q is no dense tensor: %w", key, tensor.ErrUnsupported)
		}
		p, err := newPort(key, info.GetName(), info.GetDtype(), info.GetTensorShape())
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// newPort describes a tensor in Go's terms.
func newPort(name, tensorName string, dtype pb.DataType, shape *pb.TensorShapeProto) (Port, error) {
	d, err := DTypeOf(dtype)
	if err != nil {
		return Port{}, fmt.Errorf("%q: %w", name, err)
	}
	s, _, err := shapeOf(shape)
	if err != nil {
		return Port{}, fmt.Errorf("%q: %w", name, err)
	}
	return Port{Name: name, Tensor: tensorName, DType: d, Shape: s}, nil
}

// Signature returns the signature named key. The empty key means
// "serving_default", else a TF1 Hub module's "default", else the only one.
func (m *Model) Signature(key string) (Signature, error) {
	all, err := m.Signatures()
	if err != nil {
		return Signature{}, err
	}
	wanted := []string{key}
	if key == "" {
		wanted = []string{DefaultSignature, hubSignature}
		if len(all) == 1 {
			wanted = []string{all[0].Key}
		}
	}
	for _, w := range wanted {
		if i := slices.IndexFunc(all, func(s Signature) bool { return s.Key == w }); i >= 0 {
			return all[i], nil
		}
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Key
	}
	return Signature{}, fmt.Errorf("%s: no signature %q, there are %q: %w", m.file, wanted[0], names, fs.ErrNotExist)
}
