package keras

import (
	"strings"

	"github.com/litequant/litequant/hub"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

const hubClass = "KerasLayer"

// hubRow is hub.KerasLayer.
var hubRow = rowOf(hubClass,
	func(c *config) hub.Layer {
		l := hub.Layer{Trainable: !c.frozen, Name: c.name, Handle: c.text("handle", "")}
		if len(c.object("arguments")) > 0 {
			c.problem(unsupported("arguments of a Hub module"))
		}
		if c.bool("signature_outputs_as_dict", false) {
			c.problem(unsupported("a Hub module whose output is a dictionary"))
		}
		m, err := c.loadModule(l.Handle, c.text("signature", ""), c.text("output_key", ""))
		if err != nil {
			c.problem(err)
		}
		l.Module = m
		return l
	},
	func(l hub.Layer, w *writer) {
		handle := l.Handle
		if handle == "" {
			handle = l.Module.Handle()
		}
		w.set("handle", handle)
		if signature, key := l.Module.Signature(); signature != "" {
			w.set("signature", signature)
			w.set("output_key", key)
		}
	},
	func(l hub.Layer, c *call) value {
		if l.Module == nil {
			return c.fail(malformed("no module"))
		}
		x, ok := c.one(0)
		if !ok {
			return value{}
		}
		return c.embed(l.Module, x)
	})

// embed emits the module's graph with x as its input, under the module's own
// names.
func (c *call) embed(m *hub.Module, x value) value {
	g := m.Graph()
	in, out := g.Inputs[0], g.Outputs[0]
	if in.DType != x.dtype || in.Shape != nil && !compatible(in.Shape, x.shape) {
		return c.shapeError("the module takes %v%v, not %v%v", in.DType, in.Shape, x.dtype, x.shape)
	}
	weights := map[*savedmodel.Variable]*Weight{}
	for _, v := range m.Variables() {
		w, err := c.layer.weight(weightSpec{
			name: v.Name, whole: true, value: v.Value, shape: v.Value.Shape(), fixed: !v.Trainable,
		}, c.frozen)
		if err != nil {
			return c.fail(err)
		}
		weights[v.In] = w
	}
	nodes := c.e.b.Graph()
	index := make([]int, len(g.Nodes))
	for i, n := range g.Nodes {
		if i == in.Ref.Node {
			index[i] = x.ref.Node
			continue
		}
		copied := *n
		copied.Scope = strings.TrimSuffix(c.scope+"/"+n.Scope, "/")
		copied.Inputs = make([]savedmodel.Ref, len(n.Inputs))
		for k, r := range n.Inputs {
			copied.Inputs[k] = c.remap(r, in.Ref, x, index)
		}
		if w := weights[n.Variable]; n.Variable != nil && w != nil {
			v := w.Value
			copied.Variable, copied.Value = w.variable, &v
		}
		index[i] = len(nodes.Nodes)
		nodes.Nodes = append(nodes.Nodes, &copied)
	}
	shape := out.Shape.Clone()
	if len(shape) > 0 && shape[0] < 0 && len(x.shape) > 0 {
		shape[0] = x.shape[0]
	}
	if out.Shape == nil {
		return c.fail(unsupported("a module whose output has an unknown number of dimensions"))
	}
	return value{c.remap(out.Ref, in.Ref, x, index), out.DType, shape}
}

// remap translates a reference in a module's graph.
func (c *call) remap(r, input savedmodel.Ref, x value, index []int) savedmodel.Ref {
	if r.Node == input.Node {
		return x.ref
	}
	return savedmodel.Ref{Node: index[r.Node], Output: r.Output}
}

// compatible reports whether partial shapes have no known dimensions that differ.
func compatible(a, b tensor.Shape) bool {
	if len(a) != len(b) {
		return false
	}
	for i, d := range a {
		if d >= 0 && b[i] >= 0 && d != b[i] {
			return false
		}
	}
	return true
}
