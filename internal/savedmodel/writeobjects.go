package savedmodel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// objectWriter builds the object graph twice, with the same node numbers: for
// the SavedModel and for the checkpoint.
type objectWriter struct {
	saved   *pb.SavedObjectGraph
	tracked *pb.TrackableObjectGraph
	ids     map[*Variable]int
	keys    map[*Variable]string
}

func newObjectWriter(s Spec, captures []*Variable) (*objectWriter, error) {
	w := &objectWriter{
		saved: &pb.SavedObjectGraph{}, tracked: &pb.TrackableObjectGraph{},
		ids: map[*Variable]int{}, keys: map[*Variable]string{},
	}
	w.user("_generic_user_object")
	for _, v := range s.Variables {
		if err := w.variable(v.Variable); err != nil {
			return nil, fmt.Errorf("variable %.80q: %w", v.Name, err)
		}
	}
	bound := make([]int32, len(captures))
	for i, v := range captures {
		bound[i] = int32(w.ids[v])
	}
	if s.Hub {
		w.lists(s.Variables)
		if err := w.callable(s.Graph, bound); err != nil {
			return nil, err
		}
	}
	return w, w.signature(s.Graph, bound)
}

// key returns a variable's name in the checkpoint.
func (w *objectWriter) key(v *Variable) string { return w.keys[v] }

// add appends an object.
func (w *objectWriter) add(o *pb.SavedObject) int {
	w.saved.Nodes = append(w.saved.Nodes, o)
	w.tracked.Nodes = append(w.tracked.Nodes, &pb.TrackableObjectGraph_TrackableObject{})
	return len(w.saved.Nodes) - 1
}

func (w *objectWriter) user(identifier string) int {
	return w.add(&pb.SavedObject{Kind: &pb.SavedObject_UserObject{UserObject: &pb.SavedUserObject{
		Identifier: identifier, Version: &pb.VersionDef{Producer: 1, MinConsumer: 1},
	}}})
}

// link adds an edge to both graphs.
func (w *objectWriter) link(parent, child int, name string) {
	edge := &pb.ObjectReference{NodeId: int32(child), LocalName: name}
	w.saved.Nodes[parent].Children = append(w.saved.Nodes[parent].Children, edge)
	w.tracked.Nodes[parent].Children = append(w.tracked.Nodes[parent].Children, edge)
}

// child returns the object that an edge leads to.
func (w *objectWriter) child(parent int, name string) (int, bool) {
	for _, c := range w.saved.Nodes[parent].Children {
		if c.LocalName == name {
			return int(c.NodeId), true
		}
	}
	return 0, false
}

// reserved are the names of the root's children that are no variables.
var reserved = map[string]bool{
	"variables": true, "trainable_variables": true, "regularization_losses": true, "__call__": true, "signatures": true,
}

// variable places a variable at its path, making the objects that hold it.
func (w *objectWriter) variable(v *Variable) error {
	path := v.Path
	if path == "" {
		path = v.Name
	}
	parts := strings.Split(path, "/")
	at, key := 0, ""
	if reserved[parts[0]] || slices.Contains(parts, "") {
		return fmt.Errorf("path %.80q: %w", path, tensor.ErrMalformed)
	}
	for i, name := range parts {
		key = joinPath(key, escapeName(name))
		next, ok := w.child(at, name)
		if last := i == len(parts)-1; last && !ok {
			next = w.add(&pb.SavedObject{Kind: &pb.SavedObject_Variable{Variable: &pb.SavedVariable{
				Dtype: ProtoType(v.DType), Shape: shapeProto(v.Shape), Trainable: v.Trainable, Name: v.Name,
			}}})
		} else if !ok {
			next = w.user("_generic_user_object")
		} else if last || w.saved.Nodes[next].GetVariable() != nil {
			return fmt.Errorf("path %.80q is taken: %w", path, tensor.ErrMalformed)
		}
		if !ok {
			w.link(at, next, name)
		}
		at = next
	}
	w.ids[v], w.keys[v] = at, key+valueSuffix
	w.tracked.Nodes[at].Attributes = []*pb.TrackableObjectGraph_TrackableObject_SerializedTensor{
		{Name: "VARIABLE_VALUE", FullName: v.Name, CheckpointKey: w.keys[v]},
	}
	return nil
}

// lists adds the lists of a Hub module.
func (w *objectWriter) lists(variables []VariableValue) {
	list := func(name string, member func(*Variable) bool) {
		id, n := w.user("trackable_list_wrapper"), 0
		w.link(0, id, name)
		for _, v := range variables {
			if member(v.Variable) {
				w.link(id, w.ids[v.Variable], fmt.Sprint(n))
				n++
			}
		}
	}
	list("variables", func(*Variable) bool { return true })
	list("trainable_variables", func(v *Variable) bool { return v.Trainable })
	list("regularization_losses", func(*Variable) bool { return false })
}

// callable adds __call__(x, training=False) with a trace for either value.
func (w *objectWriter) callable(g *Graph, bound []int32) error {
	spec := argSpec([]string{g.Inputs[0].Name, "training"}, nil, tupleOf(boolValue(false)))
	id := w.add(&pb.SavedObject{Kind: &pb.SavedObject_Function{Function: &pb.SavedFunction{
		ConcreteFunctions: []string{callName, trainingName}, FunctionSpec: spec,
	}}})
	w.link(0, id, "__call__")
	for training, name := range []string{callName, trainingName} {
		in := tupleOf(specValue(g.Inputs[0]), boolValue(training == 1))
		w.concrete(name, bound, tupleOf(in, dictOf(nil)), specValue(g.Outputs[0]))
	}
	return nil
}

// signature adds signatures["serving_default"].
func (w *objectWriter) signature(g *Graph, bound []int32) error {
	var keywords []string
	in, out := map[string]*pb.StructuredValue{}, map[string]*pb.StructuredValue{}
	for _, i := range sortedPorts(g.Inputs) {
		keywords = append(keywords, g.Inputs[i].Name)
		in[g.Inputs[i].Name] = specValue(g.Inputs[i])
	}
	for _, p := range g.Outputs {
		out[p.Name] = specValue(p)
	}
	id := w.user("signature_map")
	w.link(0, id, "signatures")
	fn := w.add(&pb.SavedObject{Kind: &pb.SavedObject_BareConcreteFunction{BareConcreteFunction: &pb.SavedBareConcreteFunction{
		ConcreteFunctionName: signatureName, ArgumentKeywords: keywords, AllowedPositionalArguments: int64(len(keywords)),
		FunctionSpec: argSpec(nil, keywords, noneValue()),
	}}})
	w.link(id, fn, DefaultSignature)
	w.concrete(signatureName, bound, tupleOf(tupleOf(), dictOf(in)), dictOf(out))
	return nil
}

func (w *objectWriter) concrete(name string, bound []int32, in, out *pb.StructuredValue) {
	if w.saved.ConcreteFunctions == nil {
		w.saved.ConcreteFunctions = map[string]*pb.SavedConcreteFunction{}
	}
	w.saved.ConcreteFunctions[name] = &pb.SavedConcreteFunction{
		BoundInputs: bound, CanonicalizedInputSignature: in, OutputSignature: out,
	}
}

// argSpec describes the parameters of a Python function.
func argSpec(args, keywordOnly []string, defaults *pb.StructuredValue) *pb.FunctionSpec {
	fields := []*pb.PairValue{
		{Key: "args", Value: stringList(args)},
		{Key: "varargs", Value: noneValue()},
		{Key: "varkw", Value: noneValue()},
		{Key: "defaults", Value: defaults},
		{Key: "kwonlyargs", Value: stringList(keywordOnly)},
		{Key: "kwonlydefaults", Value: noneValue()},
		{Key: "annotations", Value: dictOf(nil)},
	}
	return &pb.FunctionSpec{
		Fullargspec: &pb.StructuredValue{Kind: &pb.StructuredValue_NamedTupleValue{
			NamedTupleValue: &pb.NamedTupleValue{Name: "FullArgSpec", Values: fields},
		}},
		InputSignature: noneValue(),
	}
}

func noneValue() *pb.StructuredValue {
	return &pb.StructuredValue{Kind: &pb.StructuredValue_NoneValue{NoneValue: &pb.NoneValue{}}}
}

func boolValue(v bool) *pb.StructuredValue {
	return &pb.StructuredValue{Kind: &pb.StructuredValue_BoolValue{BoolValue: v}}
}

func tupleOf(v ...*pb.StructuredValue) *pb.StructuredValue {
	return &pb.StructuredValue{Kind: &pb.StructuredValue_TupleValue{TupleValue: &pb.TupleValue{Values: v}}}
}

func dictOf(m map[string]*pb.StructuredValue) *pb.StructuredValue {
	return &pb.StructuredValue{Kind: &pb.StructuredValue_DictValue{DictValue: &pb.DictValue{Fields: m}}}
}

func stringList(v []string) *pb.StructuredValue {
	l := &pb.ListValue{}
	for _, s := range v {
		l.Values = append(l.Values, &pb.StructuredValue{Kind: &pb.StructuredValue_StringValue{StringValue: s}})
	}
	return &pb.StructuredValue{Kind: &pb.StructuredValue_ListValue{ListValue: l}}
}

func specValue(p Port) *pb.StructuredValue {
	return &pb.StructuredValue{Kind: &pb.StructuredValue_TensorSpecValue{TensorSpecValue: &pb.TensorSpecProto{
		Name: p.Name, Shape: portShape(p.Shape), Dtype: ProtoType(p.DType),
	}}}
}
