package savedmodel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// call is one node that is being translated.
type call struct {
	in     *inliner
	b      *body
	def    *pb.NodeDef
	inputs []value
}

// handler translates a node.
type handler func(*call) (*result, error)

// handlers is the table of operations that freezing gives a meaning of its own;
// all others are emitted as they are.
func handlers() map[string]handler {
	return map[string]handler{
		opPlaceholder:             unboundPlaceholder,
		"PlaceholderWithDefault":  passThrough,
		opConst:                   emitNode,
		"NoOp":                    noValues,
		"Identity":                identity,
		"IdentityN":               identity,
		"VarHandleOp":             variableHandle,
		"VariableV2":              variableTensor,
		"Variable":                variableTensor,
		"ReadVariableOp":          readVariable,
		"ResourceGather":          resourceGather,
		"PartitionedCall":         callFunction,
		"StatefulPartitionedCall": callFunction,
		"If":                      controlFlow("then_branch", "else_branch"),
		"StatelessIf":             controlFlow("then_branch", "else_branch"),
		"While":                   controlFlow("cond", "body"),
		"StatelessWhile":          controlFlow("cond", "body"),
	}
}

func (c *call) fail(err error) error {
	return fmt.Errorf("node %.80q (%s): %w", c.def.GetName(), c.def.GetOp(), err)
}

// attr returns an attribute; one that names an attribute of the enclosing
// function is looked up in its call.
func (c *call) attr(name string) *pb.AttrValue {
	a := c.def.GetAttr()[name]
	if key := a.GetPlaceholder(); key != "" {
		return c.b.attrs[key]
	}
	return a
}

// attrs returns all attributes with the defaults of the operation's definition.
func (c *call) attrs() map[string]*pb.AttrValue {
	all := map[string]*pb.AttrValue{}
	for _, a := range c.in.m.library.ops[c.def.GetOp()].GetAttr() {
		if a.GetDefaultValue() != nil {
			all[a.GetName()] = a.GetDefaultValue()
		}
	}
	for name := range c.def.GetAttr() {
		all[name] = c.attr(name)
	}
	return all
}

// refs returns the inputs, which must be tensors.
func (c *call) refs() ([]Ref, error) {
	refs := make([]Ref, len(c.inputs))
	for i, v := range c.inputs {
		var err error
		if refs[i], err = c.in.tensor(v, fmt.Sprintf("input %d", i)); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

// input returns input i.
func (c *call) input(i int) (value, error) {
	if i >= len(c.inputs) {
		return value{}, fmt.Errorf("input %d is missing: %w", i, tensor.ErrMalformed)
	}
	return c.inputs[i], nil
}

func (c *call) emit(n *Node) *result {
	n.Scope = c.b.scope
	return &result{node: c.in.emit(n).Node}
}

func emitNode(c *call) (*result, error) {
	refs, err := c.refs()
	if err != nil {
		return nil, err
	}
	return c.emit(&Node{Name: c.def.GetName(), Op: c.def.GetOp(), Inputs: refs, Attrs: c.attrs()}), nil
}

func unboundPlaceholder(c *call) (*result, error) {
	return nil, fmt.Errorf("the outputs need this placeholder, which is no input: %w", tensor.ErrUnsupported)
}

func passThrough(c *call) (*result, error) { return &result{vals: c.inputs}, nil }

func noValues(*call) (*result, error) { return &result{vals: []value{}}, nil }

// identity passes resources on and keeps tensors as nodes: they carry names.
func identity(c *call) (*result, error) {
	for _, v := range c.inputs {
		if v.resource != "" {
			return passThrough(c)
		}
	}
	return emitNode(c)
}

func variableHandle(c *call) (*result, error) {
	name := string(c.attr("shared_name").GetS())
	if name == "" {
		name = c.def.GetName()
	}
	return &result{vals: []value{{resource: name, variable: c.in.m.byName[name]}}}, nil
}

// variableTensor is a TF1 reference variable, which is its own value.
func variableTensor(c *call) (*result, error) {
	v := c.in.m.byName[c.def.GetName()]
	if v == nil {
		return nil, fmt.Errorf("no value in the checkpoint: %w", tensor.ErrMalformed)
	}
	return c.variable(c.def.GetName(), v), nil
}

// variable emits a constant that holds v's value.
func (c *call) variable(name string, v *Variable) *result {
	return c.emit(&Node{Name: name, Op: opConst, Variable: v, Attrs: map[string]*pb.AttrValue{"dtype": TypeAttr(v.DType)}})
}

func (c *call) handle() (*Variable, error) {
	h, err := c.input(0)
	if err != nil {
		return nil, err
	}
	if h.variable == nil {
		return nil, fmt.Errorf("resource %.80q is no variable of the checkpoint: %w", h.resource, tensor.ErrMalformed)
	}
	return h.variable, nil
}

func readVariable(c *call) (*result, error) {
	v, err := c.handle()
	if err != nil {
		return nil, err
	}
	return c.variable(c.def.GetName(), v), nil
}

// resourceGather becomes GatherV2 on the variable's value, as TensorFlow's
// converter has it.
func resourceGather(c *call) (*result, error) {
	v, err := c.handle()
	if err != nil {
		return nil, err
	}
	indices, err := c.input(1)
	if err != nil {
		return nil, err
	}
	ref, err := c.in.tensor(indices, "input 1")
	if err != nil {
		return nil, err
	}
	table := c.variable(c.def.GetName()+"/params", v)
	axis := c.emit(&Node{Name: c.def.GetName() + "/axis", Op: opConst, Attrs: map[string]*pb.AttrValue{
		"dtype": TypeAttr(tensor.Int32),
		"value": {Value: &pb.AttrValue_Tensor{Tensor: &pb.TensorProto{Dtype: pb.DataType_DT_INT32, IntVal: []int32{0}, TensorShape: &pb.TensorShapeProto{}}}},
	}})
	attrs := map[string]*pb.AttrValue{
		"Tparams": TypeAttr(v.DType), "Tindices": c.attr("Tindices"), "Taxis": TypeAttr(tensor.Int32), "batch_dims": c.attr("batch_dims"),
	}
	if attrs["batch_dims"] == nil {
		attrs["batch_dims"] = &pb.AttrValue{Value: &pb.AttrValue_I{}}
	}
	return c.emit(&Node{Name: c.def.GetName(), Op: "GatherV2", Attrs: attrs, Inputs: []Ref{{Node: table.node}, ref, {Node: axis.node}}}), nil
}

// callFunction inlines a call. Calls in the main graph of a TF2 model know the
// objects that their last arguments are, which is surer than variables' names.
func callFunction(c *call) (*result, error) {
	name, attrs := c.def.GetOp(), c.def.GetAttr()
	if f := c.attr("f").GetFunc(); f != nil {
		name, attrs = f.GetName(), f.GetAttr()
	}
	fn := c.in.m.library.functions[name]
	if fn == nil {
		return nil, fmt.Errorf("no function %.80q: %w", name, tensor.ErrMalformed)
	}
	if c.b.fn.def == nil {
		if err := c.bindObjects(name); err != nil {
			return nil, err
		}
	}
	vals, err := c.in.inline(fn, name, joinPath(c.b.scope, c.def.GetName()), c.inputs, attrs)
	return &result{vals: vals}, err
}

// bindObjects replaces handles that the object graph tells.
func (c *call) bindObjects(name string) error {
	bound := c.in.m.meta.GetObjectGraphDef().GetConcreteFunctions()[name].GetBoundInputs()
	first := len(c.inputs) - len(bound)
	if first < 0 {
		return fmt.Errorf("function %.80q captures %d objects, the call has %d inputs: %w", name, len(bound), len(c.inputs), tensor.ErrMalformed)
	}
	for i, id := range bound {
		if id < 0 || int(id) >= len(c.in.m.objects) {
			return fmt.Errorf("captured object %d: %w", id, tensor.ErrMalformed)
		}
		if v := c.in.m.objects[id].variable; v != nil && c.inputs[first+i].resource != "" {
			c.inputs[first+i].variable = v
		}
	}
	return nil
}

// controlFlow freezes the functions of a node of functional control flow. The
// bodies keep all arguments as inputs; variables among them are constants
// within and are left out of the node's inputs, so that inputs and the bodies'
// inputs still correspond.
func controlFlow(branches ...string) handler {
	return func(c *call) (*result, error) {
		n := &Node{Name: c.def.GetName(), Op: c.def.GetOp(), Attrs: c.attrs(), Bodies: map[string]*Graph{}}
		args := c.inputs
		if strings.HasSuffix(n.Op, "If") && len(args) > 0 {
			args = args[1:] // the condition
		}
		for _, key := range branches {
			g, err := c.freezeBody(c.attr(key).GetFunc(), args)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			n.Bodies[key] = g
		}
		for _, v := range c.inputs {
			if v.resource == "" {
				n.Inputs = append(n.Inputs, v.ref)
			}
		}
		r := c.emit(n)
		if n.Bodies["body"] != nil {
			r.vals = loopResults(r.node, c.inputs)
		}
		return r, nil
	}
}

// loopResults numbers the outputs of a loop, which are its inputs' next values,
// without the variables.
func loopResults(node int, inputs []value) []value {
	vals, n := slices.Clone(inputs), 0
	for i, v := range vals {
		if v.resource == "" {
			vals[i] = value{ref: Ref{node, n}}
			n++
		}
	}
	return vals
}

// freezeBody freezes a function that is a graph of its own.
func (c *call) freezeBody(f *pb.NameAttrList, args []value) (*Graph, error) {
	fn := c.in.m.library.functions[f.GetName()]
	if fn == nil {
		return nil, fmt.Errorf("no function %.80q: %w", f.GetName(), tensor.ErrMalformed)
	}
	sig := fn.def.GetSignature()
	if len(args) != len(sig.GetInputArg()) {
		return nil, fmt.Errorf("function %.80q takes %d arguments, got %d: %w", f.GetName(), len(sig.GetInputArg()), len(args), tensor.ErrMalformed)
	}
	sub := &inliner{
		m: c.in.m, visited: c.in.visited, depth: c.in.depth, constBudget: c.in.constBudget, values: c.in.values, handlers: c.in.handlers,
	}
	var inputs, outputs []Port
	inner := make([]value, len(args))
	for i, a := range sig.GetInputArg() {
		if inner[i] = args[i]; args[i].resource != "" {
			continue
		}
		p, err := newPort(a.GetName(), a.GetName(), a.GetType(), &pb.TensorShapeProto{UnknownRank: true})
		if err != nil {
			return nil, err
		}
		inner[i] = value{ref: sub.placeholder(&p, a.GetName())}
		inputs = append(inputs, p)
	}
	vals, err := sub.inline(fn, f.GetName(), "", inner, f.GetAttr())
	if err != nil {
		return nil, err
	}
	var tensors []value
	for i, a := range sig.GetOutputArg() {
		if vals[i].resource != "" {
			continue // a loop hands its variables on
		}
		p, err := newPort(a.GetName(), fn.def.GetRet()[a.GetName()], a.GetType(), &pb.TensorShapeProto{UnknownRank: true})
		if err != nil {
			return nil, err
		}
		outputs, tensors = append(outputs, p), append(tensors, vals[i])
	}
	c.in.visited = sub.visited
	g, err := sub.finish(inputs, outputs, tensors, nil)
	c.in.constBudget = sub.constBudget
	return g, err
}
