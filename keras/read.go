package keras

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/litequant/litequant/tensor"
)

// readModel makes a model of its Keras configuration, without the weights'
// values.
func (r *reader) readModel(raw []byte) (*Model, error) {
	var top map[string]any
	if err := json.Unmarshal(raw, &top); err != nil {
		return nil, malformed("model_config is no JSON: %v", err)
	}
	top, _ = plain(top).(map[string]any)
	r.hubLayers = countHub(top["config"])
	m := r.model(top, 0)
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	return m, nil
}

// plain replaces Keras's encodings of tuples and shapes by lists.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if items, ok := v["items"].([]any); ok && (v["class_name"] == "__tuple__" || v["class_name"] == "TensorShape") {
			return plain(items)
		}
		for k, e := range v {
			v[k] = plain(e)
		}
	case []any:
		for i, e := range v {
			v[i] = plain(e)
		}
	}
	return v
}

// countHub counts the Hub layers of a configuration. The parser of JSON has
// bounded the depth.
func countHub(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		if v["class_name"] == hubClass {
			n++
		}
		for _, e := range v {
			n += countHub(e)
		}
	case []any:
		for _, e := range v {
			n += countHub(e)
		}
	}
	return n
}

// modelClasses are the classes that are models, with whether the layers follow
// one another.
var modelClasses = map[string]bool{sequentialClass: true, functionalClass: false, "Model": false}

// model makes a model, nested depth deep; nil after problems.
func (r *reader) model(spec map[string]any, depth int) *Model {
	class, _ := spec["class_name"].(string)
	sequential, ok := modelClasses[class]
	conf, isMap := spec["config"].(map[string]any)
	name, _ := conf["name"].(string)
	list, isList := conf["layers"].([]any)
	if !isMap {
		list, isList = spec["config"].([]any) // a Sequential of the first Keras 2
	}
	switch {
	case !ok:
		r.problem(name, class, unsupported("the model is no Sequential or Functional one"))
	case !isList:
		r.problem(name, class, malformed("no layers"))
	case depth > maxDepth:
		r.problem(name, class, fmt.Errorf("models are nested deeper than %d: %w", maxDepth, tensor.ErrLimit))
	default:
		b := newAssembly(class)
		if name != "" {
			b.m.name = name
		}
		if sequential {
			return r.sequential(b, class, conf, list, depth)
		}
		return r.functional(b, class, conf, list, depth)
	}
	return nil
}

// layer makes a layer and adds it; nil after problems.
func (r *reader) layer(b *assembly, entry any, depth int) *layer {
	spec, _ := entry.(map[string]any)
	class, _ := spec["class_name"].(string)
	conf, ok := spec["config"].(map[string]any)
	name, _ := conf["name"].(string)
	if name == "" {
		name, _ = spec["name"].(string)
	}
	if !ok || class == "" {
		r.problem(name, class, malformed("no class_name and config"))
		return nil
	}
	before := len(r.problems)
	trainable, isBool := conf["trainable"].(bool)
	l := &layer{name: name, frozen: isBool && !trainable, raw: conf}
	if _, ok := modelClasses[class]; ok {
		if m := r.model(spec, depth+1); m != nil {
			l.Layer = m
		}
	} else {
		r.leaf(l, class, conf)
	}
	if len(r.problems) > before || l.Layer == nil {
		return nil
	}
	if err := errors.Join(l.find(class), b.add(l)); err != nil {
		r.problem(name, class, err)
		return nil
	}
	return l
}

// leaf reads the configuration of a layer that is no model.
func (r *reader) leaf(l *layer, class string, conf map[string]any) {
	row, ok := rowFor(class)
	if !ok {
		r.problem(l.name, class, unsupported("this layer class"))
		return
	}
	c := &config{r: r, class: class, name: l.name, frozen: l.frozen, values: conf}
	if p := policy(conf["dtype"]); p != "" && p != "float32" && class != inputClass {
		c.problem(unsupported("dtype %s", p))
	}
	l.Layer = row.read(c)
}

// sequential connects layers one after the other. An input that is implied by
// the first layer's configuration is added.
func (r *reader) sequential(b *assembly, class string, conf map[string]any, list []any, depth int) *Model {
	var at []symbol
	before := len(r.problems)
	for _, entry := range list {
		l := r.layer(b, entry, depth)
		if l == nil || len(r.problems) > before {
			continue
		}
		if _, ok := l.Layer.(InputLayer); !ok && at == nil {
			in := impliedInput(l, conf)
			if in == nil {
				r.problem(b.m.name, class, malformed("no input and no input shape: the model was never built"))
				continue
			}
			b.m.layers = append([]*layer{in}, b.m.layers...)
			at = []symbol{{b.invoke(in, nil), 0}}
		}
		at = []symbol{{b.invoke(l, at), 0}}
	}
	if len(b.m.inputs) > 1 {
		r.problem(b.m.name, class, malformed("%d inputs", len(b.m.inputs)))
	}
	return r.finish(b, class, at, before)
}

// impliedInput makes the input layer of a Sequential whose first layer, or whose
// own configuration, tells the shape; nil if neither does.
func impliedInput(first *layer, conf map[string]any) *layer {
	for _, v := range []any{first.raw["batch_input_shape"], conf["build_input_shape"], conf["batch_input_shape"]} {
		s, ok := asShape(v)
		if !ok || len(s) == 0 {
			continue
		}
		in := InputLayer{Shape: s[1:], Batch: max(s[0], 0), Name: first.name + "_input"}
		r, _ := rowFor(inputClass)
		return &layer{Layer: in, row: r, name: in.Name}
	}
	if first.model != nil && len(first.model.inputs) == 1 {
		s := first.model.inputs[0].value()
		in := InputLayer{Shape: s.shape[1:], DType: s.dtype, Name: first.name + "_input"}
		r, _ := rowFor(inputClass)
		return &layer{Layer: in, row: r, name: in.Name}
	}
	return nil
}

// finish builds the model and reports its problems.
func (r *reader) finish(b *assembly, class string, outputs []symbol, before int) *Model {
	if len(r.problems) > before {
		return nil
	}
	m, err := b.finish(outputs)
	if err != nil {
		const most = 100
		if len(r.problems) < most {
			r.problems = append(r.problems, err)
		}
		return nil
	}
	return m
}

// functional connects layers as their inbound nodes say.
func (r *reader) functional(b *assembly, class string, conf map[string]any, list []any, depth int) *Model {
	before := len(r.problems)
	c := &connector{b: b, nodes: map[nodeKey]*inbound{}}
	for _, entry := range list {
		l := r.layer(b, entry, depth)
		if l == nil {
			continue
		}
		calls, err := inboundNodes(entry.(map[string]any)["inbound_nodes"])
		if err != nil {
			r.problem(l.name, l.class, err)
			continue
		}
		if _, ok := l.Layer.(InputLayer); ok && len(calls) == 0 {
			calls = [][]nodeRef{nil}
		}
		for i, in := range calls {
			c.order = append(c.order, &inbound{key: nodeKey{l.name, i}, layer: l, in: in})
		}
	}
	if len(r.problems) > before {
		return nil
	}
	outputs, err := c.connect(conf)
	if err != nil {
		r.problem(b.m.name, class, err)
		return nil
	}
	return r.finish(b, class, outputs, before)
}

// nodeKey names a call of a layer: Keras's node index.
type nodeKey struct {
	layer string
	node  int
}

// nodeRef names an output of a call.
type nodeRef struct {
	nodeKey
	tensor int
}

// inbound is a call whose inputs are still names.
type inbound struct {
	key   nodeKey
	layer *layer
	in    []nodeRef
	busy  bool
	done  *invocation
}

// connector resolves names.
type connector struct {
	b     *assembly
	order []*inbound
	nodes map[nodeKey]*inbound
}

// number fills in nodes. The calls of a nested model start at the least number
// that is referred to: Keras 2 counts the model's own making as its node 0.
func (c *connector) number(outputs []nodeRef) {
	least := map[string]int{}
	note := func(refs []nodeRef) {
		for _, ref := range refs {
			if n, ok := least[ref.layer]; !ok || ref.node < n {
				least[ref.layer] = ref.node
			}
		}
	}
	note(outputs)
	for _, n := range c.order {
		note(n.in)
	}
	for _, n := range c.order {
		if n.layer.model != nil {
			n.key.node += least[n.key.layer]
		}
		c.nodes[n.key] = n
	}
}

// connect makes all invocations and returns the outputs.
func (c *connector) connect(conf map[string]any) ([]symbol, error) {
	inputs, err := endRefs(conf["input_layers"])
	if err != nil {
		return nil, fmt.Errorf("input_layers: %w", err)
	}
	outputs, err := endRefs(conf["output_layers"])
	if err != nil {
		return nil, fmt.Errorf("output_layers: %w", err)
	}
	c.number(outputs)
	for _, n := range c.order {
		if _, err := c.resolve(n.key, 0); err != nil {
			return nil, err
		}
	}
	if c.b.m.inputs, err = c.symbols(inputs); err != nil {
		return nil, fmt.Errorf("input_layers: %w", err)
	}
	out, err := c.symbols(outputs)
	if err != nil {
		return nil, fmt.Errorf("output_layers: %w", err)
	}
	return out, nil
}

func (c *connector) symbols(refs []nodeRef) ([]symbol, error) {
	var out []symbol
	for _, ref := range refs {
		s, err := c.symbol(ref, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (c *connector) symbol(ref nodeRef, depth int) (symbol, error) {
	inv, err := c.resolve(ref.nodeKey, depth)
	if err != nil {
		return symbol{}, err
	}
	outputs := 1
	if m := inv.layer.model; m != nil {
		outputs = len(m.outputs)
	}
	if ref.tensor < 0 || ref.tensor >= outputs {
		return symbol{}, malformed("layer %q has no output %d", ref.layer, ref.tensor)
	}
	return symbol{inv, ref.tensor}, nil
}

// resolve makes the invocation that key names, after those it needs.
func (c *connector) resolve(key nodeKey, depth int) (*invocation, error) {
	n := c.nodes[key]
	switch {
	case n == nil:
		return nil, malformed("no call %d of a layer %q", key.node, key.layer)
	case n.done != nil:
		return n.done, nil
	case n.busy || depth > maxTrace:
		return nil, malformed("layer %q depends on its own output", key.layer)
	}
	n.busy = true
	var in []symbol
	for _, ref := range n.in {
		s, err := c.symbol(ref, depth+1)
		if err != nil {
			return nil, fmt.Errorf("input of layer %q: %w", key.layer, err)
		}
		in = append(in, s)
	}
	n.done = c.b.invoke(n.layer, in)
	return n.done, nil
}

// endRefs reads input_layers or output_layers: one reference, a list of them, or
// a dictionary.
func endRefs(v any) ([]nodeRef, error) {
	if ref, ok := asRef(v); ok {
		return []nodeRef{ref}, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, unsupported("neither a layer nor a list of layers")
	}
	var refs []nodeRef
	for _, e := range list {
		ref, ok := asRef(e)
		if !ok {
			return nil, malformed("an entry names no layer")
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// asRef reads [layer, node, tensor] with perhaps more behind.
func asRef(v any) (ref nodeRef, ok bool) {
	list, isList := v.([]any)
	if !isList || len(list) < 3 {
		return ref, false
	}
	ref.layer, ok = list[0].(string)
	var ok1, ok2 bool
	ref.node, ok1 = asInt(list[1])
	ref.tensor, ok2 = asInt(list[2])
	return ref, ok && ok1 && ok2
}

// inboundNodes returns the inputs of each call of a layer, in Keras 2's form
// (a list of references a call) or Keras 3's ({args, kwargs} a call).
func inboundNodes(v any) ([][]nodeRef, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, malformed("inbound_nodes is no list")
	}
	var calls [][]nodeRef
	for _, e := range list {
		var refs []nodeRef
		var err error
		switch e := e.(type) {
		case []any:
			refs, err = keras2Inputs(e)
		case map[string]any:
			refs, err = keras3Inputs(e)
		default:
			err = malformed("inbound_nodes holds neither lists nor dictionaries")
		}
		if err != nil {
			return nil, err
		}
		calls = append(calls, refs)
	}
	return calls, nil
}

func keras2Inputs(list []any) ([]nodeRef, error) {
	if _, ok := asRef(list); ok { // one input, not in a list
		list = []any{list}
	}
	var refs []nodeRef
	for _, e := range list {
		ref, ok := asRef(e)
		if !ok {
			return nil, unsupported("an input that is no layer's output")
		}
		if parts := e.([]any); len(parts) > 3 {
			for key, v := range asMap(parts[3]) {
				if v != nil && key != "training" {
					return nil, unsupported("a call with argument %s", key)
				}
			}
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func keras3Inputs(call map[string]any) ([]nodeRef, error) {
	for key, v := range asMap(call["kwargs"]) {
		if v != nil && key != "training" && key != "mask" {
			return nil, unsupported("a call with argument %s", key)
		}
	}
	args, ok := call["args"].([]any)
	if !ok {
		return nil, malformed("a call without args")
	}
	if len(args) == 1 {
		if inner, ok := args[0].([]any); ok {
			args = inner
		}
	}
	var refs []nodeRef
	for _, a := range args {
		ref, ok := asRef(asMap(asMap(a)["config"])["keras_history"])
		if !ok || asMap(a)["class_name"] != "__keras_tensor__" {
			return nil, unsupported("an argument that is no layer's output")
		}
		refs = append(refs, ref)
	}
	return refs, nil
}
