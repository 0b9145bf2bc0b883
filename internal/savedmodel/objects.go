package savedmodel

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// variableCollections are the TF1 collections that list variables, those to be
// trained last.
var variableCollections = []string{"variables", "local_variables", "model_variables", trainableCollection}

const trainableCollection = "trainable_variables"

// object is a node of the object graph with what the checkpoint knows of it.
type object struct {
	saved    *pb.SavedObject
	path     string
	variable *Variable // of a variable
}

// findVariables lists the model's variables and their checkpoint keys.
func (m *Model) findVariables() error {
	saved := m.meta.GetObjectGraphDef().GetNodes()
	if len(saved) == 0 {
		return m.findVariablesTF1()
	}
	var tracked pb.TrackableObjectGraph
	if m.bundle != nil && m.bundle.Has(objectKey) {
		v, err := m.bundle.Strings(objectKey)
		if err != nil {
			return err
		}
		if len(v) != 1 {
			return fmt.Errorf("%s: %s has %d values: %w", m.file, objectKey, len(v), tensor.ErrMalformed)
		}
		if err := unmarshal(v[0], &tracked); err != nil {
			return fmt.Errorf("%s: %w", m.file, err)
		}
	}
	if err := m.walkObjects(saved, tracked.GetNodes()); err != nil {
		return fmt.Errorf("%s: object graph: %w", m.file, err)
	}
	for _, o := range m.objects {
		if o.variable != nil {
			m.addVariable(o.variable)
		}
	}
	return nil
}

func (m *Model) addVariable(v *Variable) {
	m.variables = append(m.variables, v)
	if _, ok := m.byName[v.Name]; ok {
		v = nil
	}
	m.byName[m.variables[len(m.variables)-1].Name] = v
}

// walkObjects visits the object graph from its root, breadth first, together
// with the checkpoint's own object graph: edges of the same name lead to the
// same object, the numbers of nodes may differ.
func (m *Model) walkObjects(saved []*pb.SavedObject, tracked []*pb.TrackableObjectGraph_TrackableObject) error {
	m.objects = make([]*object, len(saved))
	for i, s := range saved {
		m.objects[i] = &object{saved: s}
	}
	type pair struct{ saved, tracked int }
	seen := map[int]bool{0: true}
	queue := []pair{{0, 0}}
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		o := m.objects[at.saved]
		var t *pb.TrackableObjectGraph_TrackableObject
		if at.tracked >= 0 && at.tracked < len(tracked) {
			t = tracked[at.tracked]
		}
		if err := o.setVariable(t); err != nil {
			return err
		}
		targets := map[string]int{}
		for _, c := range t.GetChildren() {
			targets[c.GetLocalName()] = int(c.GetNodeId())
		}
		for _, c := range o.saved.GetChildren() {
			id := int(c.GetNodeId())
			if id < 0 || id >= len(saved) {
				return fmt.Errorf("child %q is node %d of %d: %w", c.GetLocalName(), id, len(saved), tensor.ErrMalformed)
			}
			if seen[id] {
				continue
			}
			seen[id] = true
			next := -1
			if k, ok := targets[c.GetLocalName()]; ok {
				next = k
			}
			m.objects[id].path = joinPath(o.path, c.GetLocalName())
			queue = append(queue, pair{id, next})
		}
	}
	// Slot variables of an optimizer are reached through no edge.
	for _, o := range m.objects {
		if o.variable == nil {
			if err := o.setVariable(nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// joinPath joins two parts of a path, either of which may be empty.
func joinPath(dir, name string) string {
	if dir == "" || name == "" {
		return dir + name
	}
	return dir + "/" + name
}

// escapeName is TensorFlow's escape of an edge's name in a checkpoint key.
var escapeName = strings.NewReplacer(".", "..", "/", ".S").Replace

// unescapeName is the inverse of escapeName.
var unescapeName = strings.NewReplacer("..", ".", ".S", "/").Replace

// setVariable fills in o.variable if o is a variable. t is the checkpoint's
// object or nil.
func (o *object) setVariable(t *pb.TrackableObjectGraph_TrackableObject) error {
	p := o.saved.GetVariable()
	if p == nil {
		return nil
	}
	d, err := DTypeOf(p.GetDtype())
	if err != nil {
		return fmt.Errorf("variable %q: %w", p.GetName(), err)
	}
	shape, _, err := shapeOf(p.GetShape())
	if err != nil {
		return fmt.Errorf("variable %q: %w", p.GetName(), err)
	}
	v := &Variable{Name: p.GetName(), Path: o.path, DType: d, Shape: shape, Trainable: p.GetTrainable()}
	for _, a := range t.GetAttributes() {
		if a.GetName() == "VARIABLE_VALUE" {
			v.Key = a.GetCheckpointKey()
		}
	}
	if path, ok := strings.CutSuffix(v.Key, valueSuffix); ok {
		v.Path = unescapeName(path)
	}
	o.variable = v
	return nil
}

// findVariablesTF1 lists the variables of the graph's collections. Their keys
// are their names, for parts of partitioned variables the slices' keys.
func (m *Model) findVariablesTF1() error {
	if m.bundle == nil {
		return nil
	}
	trainable := map[string]bool{}
	var defs []*pb.VariableDef
	for _, coll := range variableCollections {
		for _, raw := range m.meta.GetCollectionDef()[coll].GetBytesList().GetValue() {
			def := &pb.VariableDef{}
			if err := unmarshal(raw, def); err != nil {
				return fmt.Errorf("%s: collection %s: %w", m.file, coll, err)
			}
			def.VariableName = strings.TrimSuffix(def.GetVariableName(), ":0")
			defs = append(defs, def)
			if coll == trainableCollection {
				trainable[def.GetVariableName()] = true
			}
		}
	}
	if len(defs) == 0 {
		for _, key := range m.bundle.Keys() {
			defs = append(defs, &pb.VariableDef{VariableName: key})
		}
	}
	for _, def := range defs {
		name, key := def.GetVariableName(), m.checkpointKey(def)
		if d, s, ok := m.bundle.Info(key); ok && m.byName[name] == nil {
			m.addVariable(&Variable{Name: name, Key: key, DType: d, Shape: s, Trainable: trainable[name]})
		}
	}
	return nil
}

// checkpointKey returns the name of a TF1 variable's tensor in the checkpoint.
func (m *Model) checkpointKey(def *pb.VariableDef) string {
	info := def.GetSaveSliceInfoDef()
	n := len(info.GetFullShape())
	if info == nil || len(info.GetVarOffset()) != n || len(info.GetVarShape()) != n {
		return def.GetVariableName()
	}
	extents, whole := &pb.TensorSliceProto{}, &pb.TensorSliceProto{}
	for i, start := range info.GetVarOffset() {
		e := &pb.TensorSliceProto_Extent{Start: start, HasLength: &pb.TensorSliceProto_Extent_Length{Length: info.GetVarShape()[i]}}
		extents.Extent = append(extents.Extent, e)
		if start == 0 && info.GetVarShape()[i] == info.GetFullShape()[i] {
			e = &pb.TensorSliceProto_Extent{} // a whole dimension may be stored as such
		}
		whole.Extent = append(whole.Extent, e)
	}
	if key := sliceKey(info.GetFullName(), whole); m.bundle.Has(key) {
		return key
	}
	return sliceKey(info.GetFullName(), extents)
}

// Function is a concrete function: one trace of a tf.function, with the Python
// arguments that it was traced for.
type Function struct {
	Name    string // in the graph's library
	Params  []Param
	Outputs []Port // flattened; dictionary keys, or output_0, output_1, …
}

// Param is an argument of a Function. Tensor arguments have a Port; others a
// Python value that was fixed when the function was traced.
type Param struct {
	Name  string
	Ports []Port // the argument's tensors, flattened; nil for a Python value
	Value *pb.StructuredValue
}

// Bool returns the value of a Python bool, and whether the argument is one.
func (p Param) Bool() (value, ok bool) {
	v, ok := p.Value.GetKind().(*pb.StructuredValue_BoolValue)
	if !ok {
		return false, false
	}
	return v.BoolValue, true
}

// Functions returns the concrete functions of the object at path, a list of
// edge names from the root joined by slashes: "__call__",
// "signatures/serving_default". It fails with fs.ErrNotExist if there is no
// such function.
func (m *Model) Functions(path string) ([]*Function, error) {
	o, err := m.objectAt(path)
	if err != nil {
		return nil, err
	}
	names, spec := o.saved.GetFunction().GetConcreteFunctions(), o.saved.GetFunction().GetFunctionSpec()
	var keywords []string
	if b := o.saved.GetBareConcreteFunction(); b != nil {
		names, spec, keywords = []string{b.GetConcreteFunctionName()}, b.GetFunctionSpec(), b.GetArgumentKeywords()
	}
	if names == nil {
		return nil, fmt.Errorf("%s: object %q is no function: %w", m.file, path, fs.ErrNotExist)
	}
	if keywords == nil {
		keywords = argNames(spec)
	}
	var all []*Function
	for _, name := range names {
		f, err := m.newFunction(name, keywords)
		if err != nil {
			return nil, fmt.Errorf("%s: function %q: %w", m.file, name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// objectAt follows edges from the root.
func (m *Model) objectAt(path string) (*object, error) {
	if len(m.objects) == 0 {
		return nil, fmt.Errorf("%s: no object graph: %w", m.file, fs.ErrNotExist)
	}
	at := m.objects[0]
	for _, name := range strings.Split(path, "/") {
		i := slices.IndexFunc(at.saved.GetChildren(), func(c *pb.ObjectReference) bool { return c.GetLocalName() == name })
		if i < 0 {
			return nil, fmt.Errorf("%s: no object %q: %w", m.file, path, fs.ErrNotExist)
		}
		at = m.objects[at.saved.GetChildren()[i].GetNodeId()]
	}
	return at, nil
}

// Children returns the names of the edges of the object at path; the empty path
// is the root.
func (m *Model) Children(path string) ([]string, error) {
	o, err := m.objectAt(path)
	if path == "" && len(m.objects) > 0 {
		o, err = m.objects[0], nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range o.saved.GetChildren() {
		names = append(names, c.GetLocalName())
	}
	return names, nil
}

// argNames returns the parameters of a Python function without self.
func argNames(spec *pb.FunctionSpec) []string {
	var names []string
	for _, kv := range spec.GetFullargspec().GetNamedTupleValue().GetValues() {
		if kv.GetKey() != "args" {
			continue
		}
		for _, v := range kv.GetValue().GetListValue().GetValues() {
			names = append(names, v.GetStringValue())
		}
	}
	if spec.GetIsMethod() && len(names) > 0 {
		names = names[1:]
	}
	return names
}

func (m *Model) newFunction(name string, argNames []string) (*Function, error) {
	saved := m.meta.GetObjectGraphDef().GetConcreteFunctions()[name]
	if saved == nil {
		return nil, fmt.Errorf("no concrete function: %w", tensor.ErrMalformed)
	}
	f := &Function{Name: name}
	top := saved.GetCanonicalizedInputSignature().GetTupleValue().GetValues() // (args, kwargs)
	if len(top) != 2 {
		return nil, fmt.Errorf("canonical signature has %d parts: %w", len(top), tensor.ErrMalformed)
	}
	for i, v := range top[0].GetTupleValue().GetValues() {
		arg := fmt.Sprintf("arg%d", i)
		if i < len(argNames) {
			arg = argNames[i]
		}
		if err := f.addParam(arg, v); err != nil {
			return nil, err
		}
	}
	kwargs := top[1].GetDictValue().GetFields()
	for _, key := range slices.Sorted(maps.Keys(kwargs)) {
		if err := f.addParam(key, kwargs[key]); err != nil {
			return nil, err
		}
	}
	leaves, err := flatten(saved.GetOutputSignature(), "")
	if err != nil {
		return nil, err
	}
	for i, l := range leaves {
		if l.spec == nil {
			continue // a None or a Python value among the outputs
		}
		key := l.path
		if key == "" || key[0] >= '0' && key[0] <= '9' {
			key = fmt.Sprintf("output_%d", i)
		}
		p, err := newPort(key, key, l.spec.GetDtype(), l.spec.GetShape())
		if err != nil {
			return nil, err
		}
		f.Outputs = append(f.Outputs, p)
	}
	return f, nil
}

func (f *Function) addParam(name string, v *pb.StructuredValue) error {
	leaves, err := flatten(v, "")
	if err != nil {
		return fmt.Errorf("argument %q: %w", name, err)
	}
	p := Param{Name: name, Value: v}
	for _, l := range leaves {
		if l.spec == nil {
			continue
		}
		port, err := newPort(joinPath(name, l.path), l.spec.GetName(), l.spec.GetDtype(), l.spec.GetShape())
		if err != nil {
			return err
		}
		p.Ports = append(p.Ports, port)
	}
	f.Params = append(f.Params, p)
	return nil
}

// leaf is an element of a nest: a tensor's spec, or nil for any other value.
type leaf struct {
	path string
	spec *pb.TensorSpecProto
}

// flatten lists the leaves of a nest in tf.nest's order: sequences by index,
// dictionaries by sorted key. Parsing has bounded the depth.
func flatten(v *pb.StructuredValue, path string) ([]leaf, error) {
	var all []leaf
	add := func(name string, v *pb.StructuredValue) error {
		l, err := flatten(v, joinPath(path, name))
		all = append(all, l...)
		return err
	}
	list := func(values []*pb.StructuredValue) error {
		for i, e := range values {
			if err := add(fmt.Sprint(i), e); err != nil {
				return err
			}
		}
		return nil
	}
	switch k := v.GetKind().(type) {
	case *pb.StructuredValue_TensorSpecValue:
		return []leaf{{path, k.TensorSpecValue}}, nil
	case *pb.StructuredValue_ListValue:
		err := list(k.ListValue.GetValues())
		return all, err
	case *pb.StructuredValue_TupleValue:
		err := list(k.TupleValue.GetValues())
		return all, err
	case *pb.StructuredValue_NamedTupleValue:
		for _, kv := range k.NamedTupleValue.GetValues() {
			if err := add(kv.GetKey(), kv.GetValue()); err != nil {
				return nil, err
			}
		}
		return all, nil
	case *pb.StructuredValue_DictValue:
		for _, key := range slices.Sorted(maps.Keys(k.DictValue.GetFields())) {
			if err := add(key, k.DictValue.GetFields()[key]); err != nil {
				return nil, err
			}
		}
		return all, nil
	case *pb.StructuredValue_TypeSpecValue:
		return nil, fmt.Errorf("value of type %s: %w", k.TypeSpecValue.GetTypeSpecClassName(), tensor.ErrUnsupported)
	}
	return []leaf{{path, nil}}, nil
}
