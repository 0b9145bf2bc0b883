package savedmodel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// Spec says what Write writes.
type Spec struct {
	// Graph is what the model computes. Its inputs must have distinct names, its
	// outputs too; constants that have a Variable become reads of it.
	Graph *Graph
	// Variables are all variables of the model, in the order of their lists. Their
	// Path places them in the object graph; an empty one is made of the name. Key
	// is not used.
	Variables []VariableValue
	// Hub adds what TF-Hub's KerasLayer and callers of the loaded object need:
	// __call__(x, training=False) and the lists variables, trainable_variables and
	// regularization_losses. The graph must have one input and one output.
	Hub bool
}

// VariableValue is a variable with its value.
type VariableValue struct {
	*Variable
	Value tensor.Tensor
}

// Write writes a TensorFlow 2 SavedModel with the signature serving_default to
// the directory dir, which must not exist or be empty. It appears whole or not
// at all. The same spec gives the same bytes.
func Write(dir string, s Spec) (err error) {
	entries, err := os.ReadDir(dir)
	exists := err == nil
	if len(entries) > 0 {
		return fmt.Errorf("%s: %w", dir, fs.ErrExist)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := newModelWriter(s)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	dir = filepath.Clean(dir)
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	if err := w.writeFiles(tmp); err != nil {
		return err
	}
	if exists { // not every system renames over a directory
		if err := os.Remove(dir); err != nil {
			return err
		}
	}
	return os.Rename(tmp, dir)
}

// modelWriter holds a checked spec and the protocol buffers made of it.
type modelWriter struct {
	spec     Spec
	captures []*Variable // the variables that the graph reads
	objects  *objectWriter
	keys     []string // in the checkpoint, of each variable
	meta     *pb.MetaGraphDef
}

// The functions of a written model. TensorFlow strips the prefix and the number.
const (
	callName      = "__inference_call_0"
	trainingName  = "__inference_call_1"
	signatureName = "__inference_signature_wrapper_2"
)

func newModelWriter(s Spec) (*modelWriter, error) {
	w := &modelWriter{spec: s}
	if err := w.check(); err != nil {
		return nil, err
	}
	for _, v := range s.Variables {
		used := slices.ContainsFunc(s.Graph.Nodes, func(n *Node) bool { return n.Variable == v.Variable })
		if used {
			w.captures = append(w.captures, v.Variable)
		}
	}
	call, err := writeFunction(callName, s.Graph, w.captures)
	if err != nil {
		return nil, err
	}
	if w.objects, err = newObjectWriter(s, w.captures); err != nil {
		return nil, err
	}
	for _, v := range s.Variables {
		w.keys = append(w.keys, w.objects.key(v.Variable))
	}
	return w, w.buildMeta(call)
}

// check finds what the other steps rely on.
func (w *modelWriter) check() error {
	g := w.spec.Graph
	if g == nil || len(g.Outputs) == 0 {
		return fmt.Errorf("a model without outputs: %w", tensor.ErrMalformed)
	}
	if w.spec.Hub && (len(g.Inputs) != 1 || len(g.Outputs) != 1) {
		return fmt.Errorf("a Hub module has one input and one output, not %d and %d: %w", len(g.Inputs), len(g.Outputs), tensor.ErrUnsupported)
	}
	for _, ports := range [][]Port{g.Inputs, g.Outputs} {
		seen := map[string]bool{}
		for _, p := range ports {
			if p.Name == "" || seen[p.Name] {
				return fmt.Errorf("two inputs or outputs are named %q: %w", p.Name, tensor.ErrMalformed)
			}
			seen[p.Name] = true
		}
	}
	seen := map[*Variable]bool{}
	for _, v := range w.spec.Variables {
		if v.Variable == nil || seen[v.Variable] || v.Name == "" {
			return fmt.Errorf("a variable is missing, nameless or given twice: %w", tensor.ErrMalformed)
		}
		seen[v.Variable] = true
		if v.Value.DType() != v.DType || !v.Value.Shape().Equal(v.Shape) {
			return fmt.Errorf("variable %.80q is %v%v, its value %v%v: %w", v.Name, v.DType, v.Shape, v.Value.DType(), v.Value.Shape(), tensor.ErrShape)
		}
	}
	return nil
}

// sortedPorts returns the order of ports by name, in which signatures have them.
func sortedPorts(ports []Port) []int {
	order := make([]int, len(ports))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(ports[a].Name, ports[b].Name) })
	return order
}

// buildMeta makes the MetaGraphDef: the library, the main graph, the signature
// and the object graph.
func (w *modelWriter) buildMeta(call *pb.FunctionDef) error {
	g := w.spec.Graph
	in, out := sortedPorts(g.Inputs), sortedPorts(g.Outputs)
	signature := writeCaller(signatureName, call, g, in, out)
	library := []*pb.FunctionDef{call, signature}
	if w.spec.Hub {
		library = append(library, writeCaller(trainingName, call, g, identityOrder(g.Inputs), identityOrder(g.Outputs)))
	}
	main, def, err := w.mainGraph(signature, in, out)
	if err != nil {
		return err
	}
	w.meta = &pb.MetaGraphDef{
		MetaInfoDef: &pb.MetaGraphDef_MetaInfoDef{
			StrippedOpList:       &pb.OpList{},
			Tags:                 []string{TagServe},
			TensorflowVersion:    "2.11.0",
			StrippedDefaultAttrs: true,
		},
		GraphDef: &pb.GraphDef{
			Node:     main,
			Library:  &pb.FunctionDefLibrary{Function: library},
			Versions: &pb.VersionDef{Producer: graphProducer, MinConsumer: 12},
		},
		SaverDef: &pb.SaverDef{
			FilenameTensorName: saverFilename + ":0", SaveTensorName: saverSave + ":0", RestoreOpName: saverRestore,
			Version: pb.SaverDef_V2,
		},
		SignatureDef:   map[string]*pb.SignatureDef{DefaultSignature: def},
		ObjectGraphDef: w.objects.saved,
	}
	return nil
}

func identityOrder(ports []Port) []int {
	order := make([]int, len(ports))
	for i := range order {
		order[i] = i
	}
	return order
}

// The nodes by which sessions restore and save variables.
const (
	saverFilename = "saver_filename"
	saverSave     = "save/filename"
	saverRestore  = "save/restore_all"
)

// mainGraph makes the graph that sessions run: placeholders, variables, the
// call of the signature's function, restore and save.
func (w *modelWriter) mainGraph(signature *pb.FunctionDef, in, out []int) ([]*pb.NodeDef, *pb.SignatureDef, error) {
	g, taken := w.spec.Graph, names{saverFilename: true, saverSave: true, saverRestore: true}
	def := &pb.SignatureDef{
		Inputs: map[string]*pb.TensorInfo{}, Outputs: map[string]*pb.TensorInfo{}, MethodName: "tensorflow/serving/predict",
	}
	var nodes []*pb.NodeDef
	var args []string
	call := taken.unique("StatefulPartitionedCall")
	for _, i := range in {
		p := g.Inputs[i]
		name := taken.unique(nodeName(DefaultSignature + "_" + p.Name))
		nodes = append(nodes, &pb.NodeDef{Name: name, Op: opPlaceholder, Attr: map[string]*pb.AttrValue{
			"dtype":          TypeAttr(p.DType),
			"shape":          {Value: &pb.AttrValue_Shape{Shape: portShape(p.Shape)}},
			"_output_shapes": shapesAttr(portShape(p.Shape)),
		}})
		args = append(args, name)
		def.Inputs[p.Name] = tensorInfo(name+":0", p)
	}
	handles := make([]string, len(w.spec.Variables))
	for i, v := range w.spec.Variables {
		handles[i] = taken.unique(nodeName(v.Name))
		nodes = append(nodes, &pb.NodeDef{Name: handles[i], Op: "VarHandleOp", Attr: map[string]*pb.AttrValue{
			"dtype":       TypeAttr(v.DType),
			"shape":       {Value: &pb.AttrValue_Shape{Shape: shapeProto(v.Shape)}},
			"shared_name": StringAttr(handles[i]),
		}})
		if slices.Contains(w.captures, v.Variable) {
			args = append(args, handles[i])
		}
	}
	sorted := &Graph{}
	for k, i := range out {
		sorted.Outputs = append(sorted.Outputs, g.Outputs[i])
		def.Outputs[g.Outputs[i].Name] = tensorInfo(fmt.Sprintf("%s:%d", call, k), g.Outputs[i])
	}
	nodes = append(nodes, callNode(call, signature, args, sorted))
	saver, err := w.saverNodes(handles)
	return append(nodes, saver...), def, err
}

func tensorInfo(name string, p Port) *pb.TensorInfo {
	return &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: name}, Dtype: ProtoType(p.DType), TensorShape: portShape(p.Shape)}
}

// saverNodes restores and saves all variables and the checkpoint's object graph.
func (w *modelWriter) saverNodes(handles []string) ([]*pb.NodeDef, error) {
	graph, err := marshal(w.objects.tracked)
	if err != nil {
		return nil, err
	}
	filename := &pb.NodeDef{Name: saverFilename, Op: opPlaceholder, Attr: map[string]*pb.AttrValue{
		"dtype": TypeAttr(tensor.String), "shape": {Value: &pb.AttrValue_Shape{Shape: &pb.TensorShapeProto{}}},
	}}
	nodes := append([]*pb.NodeDef{filename}, w.saveNodes(handles, graph)...)
	return append(nodes, w.restoreNodes(handles)...), nil
}

// saveNodes writes a checkpoint when saverSave is run.
func (w *modelWriter) saveNodes(handles []string, graph []byte) []*pb.NodeDef {
	save := &pb.NodeDef{
		Name: "save/save", Op: "SaveV2", Input: []string{saverFilename, "save/names", "save/slices"},
		Attr: map[string]*pb.AttrValue{"dtypes": w.typesAttr(pb.DataType_DT_STRING)},
	}
	var nodes []*pb.NodeDef
	for i, v := range w.spec.Variables {
		read := &pb.NodeDef{
			Name: fmt.Sprintf("save/read_%d", i), Op: "ReadVariableOp", Input: []string{handles[i]},
			Attr: map[string]*pb.AttrValue{"dtype": TypeAttr(v.DType)},
		}
		nodes = append(nodes, read)
		save.Input = append(save.Input, read.Name)
	}
	save.Input = append(save.Input, "save/objects")
	keys := append(slices.Clone(w.keys), objectKey)
	return append(nodes,
		stringsNode("save/names", keys), stringsNode("save/slices", make([]string, len(keys))), scalarString("save/objects", graph), save,
		&pb.NodeDef{
			Name: saverSave, Op: "Identity", Input: []string{saverFilename, "^" + save.Name},
			Attr: map[string]*pb.AttrValue{"T": TypeAttr(tensor.String)},
		})
}

// restoreNodes reads a checkpoint when saverRestore is run.
func (w *modelWriter) restoreNodes(handles []string) []*pb.NodeDef {
	all := &pb.NodeDef{Name: saverRestore, Op: "NoOp"}
	if len(handles) == 0 {
		return []*pb.NodeDef{all}
	}
	nodes := []*pb.NodeDef{
		stringsNode("save/restore_names", w.keys), stringsNode("save/restore_slices", make([]string, len(w.keys))),
		{
			Name: "save/restore", Op: "RestoreV2", Input: []string{saverFilename, "save/restore_names", "save/restore_slices"},
			Attr: map[string]*pb.AttrValue{"dtypes": w.typesAttr()},
		},
	}
	for i, v := range w.spec.Variables {
		assign := &pb.NodeDef{
			Name: fmt.Sprintf("save/assign_%d", i), Op: "AssignVariableOp", Input: []string{handles[i], fmt.Sprintf("save/restore:%d", i)},
			Attr: map[string]*pb.AttrValue{"dtype": TypeAttr(v.DType)},
		}
		nodes = append(nodes, assign)
		all.Input = append(all.Input, "^"+assign.Name)
	}
	return append(nodes, all)
}

// typesAttr lists the variables' types and more.
func (w *modelWriter) typesAttr(more ...pb.DataType) *pb.AttrValue {
	l := &pb.AttrValue_ListValue{}
	for _, v := range w.spec.Variables {
		l.Type = append(l.Type, ProtoType(v.DType))
	}
	l.Type = append(l.Type, more...)
	return &pb.AttrValue{Value: &pb.AttrValue_List{List: l}}
}

func stringsNode(name string, v []string) *pb.NodeDef {
	t := &pb.TensorProto{Dtype: pb.DataType_DT_STRING, TensorShape: shapeProto(tensor.Shape{len(v)})}
	for _, s := range v {
		t.StringVal = append(t.StringVal, []byte(s))
	}
	return stringConst(name, t)
}

func scalarString(name string, s []byte) *pb.NodeDef {
	return stringConst(name, &pb.TensorProto{Dtype: pb.DataType_DT_STRING, TensorShape: &pb.TensorShapeProto{}, StringVal: [][]byte{s}})
}

func stringConst(name string, t *pb.TensorProto) *pb.NodeDef {
	return &pb.NodeDef{Name: name, Op: opConst, Attr: map[string]*pb.AttrValue{
		"dtype": TypeAttr(tensor.String), "value": {Value: &pb.AttrValue_Tensor{Tensor: t}},
	}}
}

// writeFiles fills the directory.
func (w *modelWriter) writeFiles(dir string) error {
	vars := filepath.Join(dir, variablesDir)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(vars, 0o755)); err != nil {
		return err
	}
	model, err := marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{w.meta}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, modelFile), model, 0o644); err != nil {
		return err
	}
	prefix := filepath.Join(vars, "variables")
	f, err := os.Create(shardName(prefix, 0, 1))
	if err != nil {
		return err
	}
	index, err := w.writeBundle(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.WriteFile(prefix+".index", index, 0o644)
}

// writeBundle writes the variables to a shard and returns the index.
func (w *modelWriter) writeBundle(shard io.Writer) ([]byte, error) {
	graph, err := marshal(w.objects.tracked)
	if err != nil {
		return nil, err
	}
	b := &bundleWriter{w: shard}
	if err := b.addString(objectKey, graph); err != nil {
		return nil, err
	}
	for i, v := range w.spec.Variables {
		if err := b.add(w.keys[i], v.Value); err != nil {
			return nil, err
		}
	}
	return b.index()
}
