package savedmodel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// graphProducer is the GraphDef version that is written: TensorFlow 2.11's. The
// operations that Write adds are as old.
const graphProducer = 1286

// names hands out unique names.
type names map[string]bool

func (n names) unique(name string) string {
	base := name
	for i := 1; n[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	n[name] = true
	return name
}

// nodeName replaces what TensorFlow does not allow in a node's name.
func nodeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if isAlnum(r) || strings.ContainsRune("_.\\/>-", r) {
			return r
		}
		return '_'
	}, s)
	if s == "" || !isAlnum(rune(s[0])) && s[0] != '.' {
		s = "n" + s
	}
	return s
}

// argName replaces what TensorFlow does not allow in an argument's name.
func argName(s string) string {
	s = strings.Map(func(r rune) rune {
		if isAlnum(r) {
			return r
		}
		return '_'
	}, strings.ToLower(s))
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		s = "arg_" + s
	}
	return s
}

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// functionWriter turns a Graph into a FunctionDef whose arguments are the
// graph's inputs and then the captured variables.
type functionWriter struct {
	g        *Graph
	captures []*Variable
	def      *pb.FunctionDef
	taken    names
	refs     []string // how a function names the first output of each node, up to the argument
	direct   []bool   // the node is an argument: its name is the whole reference
}

// writeFunction makes the function that computes g.
func writeFunction(name string, g *Graph, captures []*Variable) (*pb.FunctionDef, error) {
	w := &functionWriter{g: g, captures: captures, taken: names{}, def: &pb.FunctionDef{
		Signature: &pb.OpDef{Name: name, IsStateful: len(captures) > 0},
		Ret:       map[string]string{},
		ArgAttr:   map[uint32]*pb.FunctionDef_ArgAttrs{},
	}}
	w.refs, w.direct = make([]string, len(g.Nodes)), make([]bool, len(g.Nodes))
	if err := w.arguments(); err != nil {
		return nil, err
	}
	handles := w.handles()
	for i, n := range g.Nodes {
		if w.direct[i] {
			continue
		}
		if err := w.node(i, n, handles); err != nil {
			return nil, fmt.Errorf("node %.80q (%s): %w", n.Name, n.Op, err)
		}
	}
	return w.def, w.results()
}

// arguments adds the graph's inputs.
func (w *functionWriter) arguments() error {
	for _, p := range w.g.Inputs {
		if p.Ref.Node < 0 || p.Ref.Node >= len(w.g.Nodes) || w.g.Nodes[p.Ref.Node].Op != opPlaceholder {
			return fmt.Errorf("input %q is no placeholder: %w", p.Name, tensor.ErrMalformed)
		}
		arg := w.taken.unique(argName(p.Name))
		w.refs[p.Ref.Node], w.direct[p.Ref.Node] = arg, true
		w.addArg(&pb.OpDef_ArgDef{Name: arg, Type: ProtoType(p.DType)}, p.Name, p.Shape)
	}
	return nil
}

// handles adds the captured variables and returns their arguments.
func (w *functionWriter) handles() map[*Variable]string {
	handles := map[*Variable]string{}
	for _, v := range w.captures {
		arg := w.taken.unique(argName(v.Name + "_resource"))
		handles[v] = arg
		w.addArg(&pb.OpDef_ArgDef{Name: arg, Type: pb.DataType_DT_RESOURCE, HandleData: []*pb.DtypeAndShape{
			{Dtype: ProtoType(v.DType), Shape: shapeProto(v.Shape)},
		}}, v.Name, tensor.Shape{})
	}
	return handles
}

func (w *functionWriter) addArg(a *pb.OpDef_ArgDef, userName string, s tensor.Shape) {
	sig := w.def.Signature
	w.def.ArgAttr[uint32(len(sig.InputArg))] = &pb.FunctionDef_ArgAttrs{Attr: map[string]*pb.AttrValue{
		"_user_specified_name": StringAttr(userName),
		"_output_shapes":       shapesAttr(portShape(s)),
	}}
	sig.InputArg = append(sig.InputArg, a)
}

func portShape(s tensor.Shape) *pb.TensorShapeProto {
	if s == nil {
		return &pb.TensorShapeProto{UnknownRank: true}
	}
	return shapeProto(s)
}

func shapesAttr(s ...*pb.TensorShapeProto) *pb.AttrValue {
	return &pb.AttrValue{Value: &pb.AttrValue_List{List: &pb.AttrValue_ListValue{Shape: s}}}
}

// node adds node i.
func (w *functionWriter) node(i int, n *Node, handles map[*Variable]string) error {
	def := &pb.NodeDef{Name: w.taken.unique(nodeName(n.Name)), Op: n.Op, Attr: n.Attrs}
	switch {
	case len(n.Bodies) > 0:
		return fmt.Errorf("control flow: %w", tensor.ErrUnsupported)
	case n.Op == opPlaceholder:
		return fmt.Errorf("a placeholder that is no input: %w", tensor.ErrMalformed)
	case n.Variable != nil:
		arg, ok := handles[n.Variable]
		if !ok {
			return fmt.Errorf("variable %.80q is not among those to be written: %w", n.Variable.Name, tensor.ErrMalformed)
		}
		def.Op, def.Input = "ReadVariableOp", []string{arg}
		def.Attr = map[string]*pb.AttrValue{"dtype": TypeAttr(n.Variable.DType)}
	case n.Op == opConst && n.Attrs["value"] == nil:
		if n.Value == nil || wireWidth(n.Value.DType()) == 0 {
			return fmt.Errorf("constant without a numeric value: %w", tensor.ErrMalformed)
		}
		def.Attr = map[string]*pb.AttrValue{
			"dtype": TypeAttr(n.Value.DType()),
			"value": {Value: &pb.AttrValue_Tensor{Tensor: TensorProto(*n.Value)}},
		}
	}
	for _, r := range n.Inputs {
		if r.Node >= i {
			return fmt.Errorf("input %d:%d comes later: %w", r.Node, r.Output, tensor.ErrMalformed)
		}
		name, err := w.ref(r)
		if err != nil {
			return err
		}
		def.Input = append(def.Input, name)
	}
	w.refs[i] = def.Name
	w.def.NodeDef = append(w.def.NodeDef, def)
	return nil
}

// ref names a value as functions do: node:argument:index.
func (w *functionWriter) ref(r Ref) (string, error) {
	if r.Node < 0 || r.Node >= len(w.refs) || w.refs[r.Node] == "" || r.Output < 0 {
		return "", fmt.Errorf("no value %d:%d: %w", r.Node, r.Output, tensor.ErrMalformed)
	}
	if w.direct[r.Node] {
		return w.refs[r.Node], nil
	}
	op := w.g.Nodes[r.Node].Op
	if w.g.Nodes[r.Node].Variable != nil {
		op = "ReadVariableOp"
	}
	args := outputArgs[op]
	switch {
	case len(args) == 1: // one argument, perhaps a list
		return fmt.Sprintf("%s:%s:%d", w.refs[r.Node], args[0], r.Output), nil
	case r.Output < len(args):
		return fmt.Sprintf("%s:%s:0", w.refs[r.Node], args[r.Output]), nil
	}
	return "", fmt.Errorf("the name of output %d of %s is not known: %w", r.Output, op, tensor.ErrUnsupported)
}

// results names the outputs.
func (w *functionWriter) results() error {
	taken := names{}
	for _, p := range w.g.Outputs {
		ref, err := w.ref(p.Ref)
		if err != nil {
			return fmt.Errorf("output %q: %w", p.Name, err)
		}
		arg := taken.unique(argName(p.Name))
		w.def.Ret[arg] = ref
		w.def.Signature.OutputArg = append(w.def.Signature.OutputArg, &pb.OpDef_ArgDef{Name: arg, Type: ProtoType(p.DType)})
	}
	return nil
}

// writeCaller makes a function that calls another one with the same captures;
// its inputs and outputs are those of callee in the given orders.
func writeCaller(name string, callee *pb.FunctionDef, g *Graph, inputs, outputs []int) *pb.FunctionDef {
	sig := callee.Signature
	def := &pb.FunctionDef{
		Signature: &pb.OpDef{Name: name, IsStateful: sig.IsStateful},
		Ret:       map[string]string{},
		ArgAttr:   map[uint32]*pb.FunctionDef_ArgAttrs{},
	}
	order := slices.Clone(inputs)
	for i := len(g.Inputs); i < len(sig.InputArg); i++ {
		order = append(order, i)
	}
	for k, i := range order {
		def.Signature.InputArg = append(def.Signature.InputArg, sig.InputArg[i])
		def.ArgAttr[uint32(k)] = callee.ArgAttr[uint32(i)]
	}
	args := make([]string, len(sig.InputArg))
	for i, a := range sig.InputArg {
		args[i] = a.Name
	}
	taken := names{}
	for _, a := range args {
		taken[a] = true
	}
	call := callNode(taken.unique("StatefulPartitionedCall"), callee, args, g)
	def.NodeDef = []*pb.NodeDef{call}
	for _, i := range outputs {
		a := sig.OutputArg[i]
		def.Signature.OutputArg = append(def.Signature.OutputArg, a)
		def.Ret[a.Name] = fmt.Sprintf("%s:output:%d", call.Name, i)
	}
	return def
}

// callNode calls a function whose outputs are g's.
func callNode(name string, callee *pb.FunctionDef, inputs []string, g *Graph) *pb.NodeDef {
	var in, out []pb.DataType
	var shapes []*pb.TensorShapeProto
	for _, a := range callee.Signature.InputArg {
		in = append(in, a.Type)
	}
	for _, a := range callee.Signature.OutputArg {
		out = append(out, a.Type)
	}
	for _, p := range g.Outputs {
		shapes = append(shapes, portShape(p.Shape))
	}
	return &pb.NodeDef{Name: name, Op: "StatefulPartitionedCall", Input: inputs, Attr: map[string]*pb.AttrValue{
		"f":              {Value: &pb.AttrValue_Func{Func: &pb.NameAttrList{Name: callee.Signature.Name}}},
		"Tin":            {Value: &pb.AttrValue_List{List: &pb.AttrValue_ListValue{Type: in}}},
		"Tout":           {Value: &pb.AttrValue_List{List: &pb.AttrValue_ListValue{Type: out}}},
		"_output_shapes": shapesAttr(shapes...),
	}}
}
