package savedmodel

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// Freeze extracts what the signature computes; Model.Signature says what the
// empty key means.
func Freeze(m *Model, signature string) (*Graph, error) {
	sig, err := m.Signature(signature)
	if err != nil {
		return nil, err
	}
	return m.freezeMain(sig.Inputs, sig.Outputs)
}

// FreezeArrays extracts what computes the tensors named outputs ("node" or
// "node:0") from those named inputs. Without inputs all placeholders are, in
// the graph's order; without outputs all nodes whose values nobody uses. The
// ports' types and shapes are what the nodes' attributes tell: an output's type
// may differ where an operation's result is of another type than its inputs.
func FreezeArrays(m *Model, inputs, outputs []string) (*Graph, error) {
	if len(inputs) == 0 {
		for _, n := range m.library.main.order {
			if n.GetOp() == opPlaceholder {
				inputs = append(inputs, n.GetName())
			}
		}
	}
	if len(outputs) == 0 {
		outputs = sinks(m.library.main.order)
	}
	if len(outputs) == 0 {
		return nil, fmt.Errorf("%s: the graph has no output: %w", m.file, tensor.ErrMalformed)
	}
	in, err := m.arrays(inputs)
	if err != nil {
		return nil, err
	}
	out, err := m.arrays(outputs)
	if err != nil {
		return nil, err
	}
	return m.freezeMain(in, out)
}

const opPlaceholder = "Placeholder"

// sinks returns the nodes that compute something nobody uses.
func sinks(nodes []*pb.NodeDef) []string {
	used := map[string]bool{}
	for _, n := range nodes {
		for _, s := range n.GetInput() {
			if in, err := parseInput(s); err == nil && !isControl(s) {
				used[in.node] = true
			}
		}
	}
	var names []string
	for _, n := range nodes {
		data := slices.ContainsFunc(n.GetInput(), func(s string) bool { return !isControl(s) })
		if data && !used[n.GetName()] && !noOutput[n.GetOp()] {
			names = append(names, n.GetName())
		}
	}
	return names
}

// noOutput lists operations that return no tensor a model could be run for.
var noOutput = map[string]bool{
	"NoOp": true, "Assert": true, "SaveV2": true, "RestoreV2": true, "MergeV2Checkpoints": true, "ShardedFilename": true,
	"Assign": true, "AssignVariableOp": true, "AssignAddVariableOp": true, "AssignSubVariableOp": true,
	"VarIsInitializedOp": true, "IsVariableInitialized": true, "ReadVariableOp": true,
}

// arrays describes tensors by name. Types and shapes come from the nodes'
// attributes as far as they tell them.
func (m *Model) arrays(names []string) ([]Port, error) {
	var all []Port
	for _, name := range names {
		in, err := parseInput(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.file, err)
		}
		n := m.library.main.nodes[in.node]
		if n == nil {
			return nil, fmt.Errorf("%s: no node %q: %w", m.file, in.node, fs.ErrNotExist)
		}
		dtype, shape := described(n, in.index)
		p, err := newPort(in.node, fmt.Sprintf("%s:%d", in.node, in.index), dtype, shape)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.file, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// described returns what a node's attributes say about one of its outputs.
func described(n *pb.NodeDef, i int) (pb.DataType, *pb.TensorShapeProto) {
	dtype, shape := pb.DataType_DT_FLOAT, &pb.TensorShapeProto{UnknownRank: true}
	for _, key := range []string{"dtype", "T", "DstT", "output_type"} {
		if t := n.GetAttr()[key].GetType(); t != 0 {
			dtype = t
		}
	}
	if s := n.GetAttr()["shape"].GetShape(); s != nil {
		shape = s
	} else if l := n.GetAttr()["_output_shapes"].GetList().GetShape(); i < len(l) {
		shape = l[i]
	}
	return dtype, shape
}

// freezeMain extracts a part of the main graph.
func (m *Model) freezeMain(inputs, outputs []Port) (*Graph, error) {
	in := newInliner(m)
	b := &body{fn: m.library.main, done: map[string]*result{}, feeds: map[input]value{}}
	for i := range inputs {
		t, err := parseInput(inputs[i].Tensor)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.file, err)
		}
		b.feeds[t] = value{ref: in.placeholder(&inputs[i], t.node)}
	}
	names := make([]string, len(outputs))
	for i, p := range outputs {
		names[i] = p.Tensor
	}
	vals, err := in.run(b, names)
	return in.finish(inputs, outputs, vals, err)
}

// FreezeFunction extracts a concrete function, for example the __call__ of a
// module without signatures. The graph's inputs are the function's tensor
// arguments; the variables it captures become constants.
func FreezeFunction(m *Model, f *Function) (*Graph, error) {
	in := newInliner(m)
	fn := m.library.functions[f.Name]
	if fn == nil {
		return nil, fmt.Errorf("%s: no function %q: %w", m.file, f.Name, tensor.ErrMalformed)
	}
	var inputs []Port
	var args []value
	for _, p := range f.Params {
		for _, port := range p.Ports {
			args = append(args, value{ref: in.placeholder(&port, port.Name)})
			inputs = append(inputs, port)
		}
	}
	for _, id := range m.meta.GetObjectGraphDef().GetConcreteFunctions()[f.Name].GetBoundInputs() {
		v, err := in.captured(int(id))
		if err != nil {
			return in.finish(nil, nil, nil, err)
		}
		args = append(args, v)
	}
	vals, err := in.inline(fn, f.Name, "", args, nil)
	if err == nil && len(vals) != len(f.Outputs) {
		err = fmt.Errorf("function %.80q returns %d tensors, its signature says %d: %w", f.Name, len(vals), len(f.Outputs), tensor.ErrMalformed)
	}
	return in.finish(inputs, slices.Clone(f.Outputs), vals, err)
}

// captured returns the value of an object that a function captures.
func (in *inliner) captured(id int) (value, error) {
	if id < 0 || id >= len(in.m.objects) {
		return value{}, fmt.Errorf("captured object %d of %d: %w", id, len(in.m.objects), tensor.ErrMalformed)
	}
	o := in.m.objects[id]
	if o.variable != nil {
		return value{variable: o.variable, resource: o.variable.Name}, nil
	}
	if c := o.saved.GetConstant(); c != nil {
		vals, err := in.run(in.mainBody(), []string{c.GetOperation()})
		if err != nil {
			return value{}, err
		}
		return vals[0], nil
	}
	return value{resource: o.path}, nil
}

// finish removes what the outputs do not need and renumbers the rest.
func (in *inliner) finish(inputs, outputs []Port, vals []value, err error) (*Graph, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.m.file, err)
	}
	refs := make([]Ref, len(vals))
	for i, v := range vals {
		if refs[i], err = in.tensor(v, "output "+outputs[i].Name); err != nil {
			return nil, fmt.Errorf("%s: %w", in.m.file, err)
		}
	}
	g := &Graph{Inputs: inputs, Outputs: outputs}
	index := prune(in.nodes, len(inputs), refs)
	for i, n := range in.nodes {
		if index[i] < 0 {
			continue
		}
		for k := range n.Inputs {
			n.Inputs[k].Node = index[n.Inputs[k].Node]
		}
		g.Nodes = append(g.Nodes, n)
		if n.Variable != nil && !slices.Contains(g.Variables, n.Variable) {
			g.Variables = append(g.Variables, n.Variable)
		}
	}
	for i, r := range refs {
		g.Outputs[i].Ref = Ref{index[r.Node], r.Output}
	}
	return g, in.loadConstants(g)
}

// prune returns the new number of each node, -1 for those that are not needed.
// The first inputs nodes always are.
func prune(nodes []*Node, inputs int, outputs []Ref) []int {
	need := make([]bool, len(nodes))
	for _, r := range outputs {
		need[r.Node] = true
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if need[i] {
			for _, r := range nodes[i].Inputs {
				need[r.Node] = true
			}
		}
	}
	index, n := make([]int, len(nodes)), 0
	for i := range nodes {
		if index[i] = -1; need[i] || i < inputs {
			index[i] = n
			n++
		}
	}
	return index
}

// loadConstants reads the values of the constants that are left.
func (in *inliner) loadConstants(g *Graph) error {
	for _, n := range g.Nodes {
		var t tensor.Tensor
		var err error
		switch {
		case n.Op == opConst && n.Variable != nil:
			t, err = in.variableValue(n.Variable)
		case n.Op == opConst:
			t, err = in.constant(n.Attrs["value"].GetTensor())
		default:
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: node %.80q: %w", in.m.file, n.Name, err)
		}
		n.Value = &t
	}
	return nil
}

// constant decodes a constant. Those that are lists share a budget, since lists
// may stand for more values than they hold.
func (in *inliner) constant(p *pb.TensorProto) (tensor.Tensor, error) {
	t, err := TensorOf(p)
	if err != nil || len(p.GetTensorContent()) > 0 {
		return t, err
	}
	if in.constBudget -= len(t.Bytes()); in.constBudget < 0 {
		return t, fmt.Errorf("constants that are lists take more than %d bytes: %w", maxListBytes, tensor.ErrLimit)
	}
	return t, nil
}

// variableValue reads a variable once.
func (in *inliner) variableValue(v *Variable) (tensor.Tensor, error) {
	if t, ok := in.values[v]; ok {
		return t, nil
	}
	t, err := in.m.Value(v)
	if err == nil {
		in.values[v] = t
	}
	return t, err
}
