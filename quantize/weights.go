package quantize

import (
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// leastElements is the size from which dynamic range quantization stores weights
// as integers (minimum_elements_for_weights).
const leastElements = 1024

// dynamic stores the large weights of operators that can quantize their
// activations at run time as int8.
func (j *job) dynamic() error {
	nodes := j.classify(func(q *op.Quant) (*op.Quant, bool) { return q, len(q.Weights) > 0 })
	quantized := make([]bool, len(nodes))
	w := &weights{job: j, nodes: nodes, names: newNamer(j.g), made: map[graph.ValueID][]form{}, uses: j.src.Uses()}
	for i := range nodes {
		n := &nodes[i]
		if n.q == nil || n.excluded {
			continue
		}
		n.why = "it has no constant weights of 1024 elements"
		for _, k := range n.q.Weights {
			if k < len(n.Inputs) && j.large(n.Inputs[k]) {
				quantized[i] = w.quantize(n, i, k) || quantized[i]
			}
		}
		if quantized[i] && n.q.Asym {
			setOption(&j.g.Nodes[i], "AsymmetricQuantizeInputs", true)
		}
	}
	w.dequantizeResults(quantized)
	return j.conclude(nodes, quantized)
}

func (j *job) large(v graph.ValueID) bool {
	return j.real(v) && j.src.Values[v].IsConst() && len(j.src.Values[v].Const)/4 >= leastElements
}

// weights quantizes constants, once for each set of parameters.
type weights struct {
	*job
	nodes []node
	names namer
	made  map[graph.ValueID][]form
	uses  [][]graph.Use
}

func (w *weights) quantize(n *node, i, k int) bool {
	v := n.Inputs[k]
	value := &w.src.Values[v]
	x := floats(value)
	p := weight8(x, value.Shape, w.perChannel(n, k), false)
	if p == nil {
		return false
	}
	for _, f := range w.made[v] {
		if f.p.equal(p) {
			w.g.Nodes[i].Inputs[k] = f.id
			return true
		}
	}
	id := w.copyOf(v, value.Name)
	if w.readByOthers(v) || len(w.made[v]) > 0 {
		w.g.Value(id).Name = w.names.fresh(value.Name)
	}
	c := w.g.Value(id)
	c.DType, c.Quant, c.Const = p.dtype, p.quant(), affine8(x, value.Shape, p)
	w.made[v] = append(w.made[v], form{p, id})
	w.g.Nodes[i].Inputs[k] = id
	return true
}

// readByOthers reports whether the float constant is needed besides.
func (w *weights) readByOthers(v graph.ValueID) bool {
	return w.src.IsOutput(v) || slices.ContainsFunc(w.uses[v], func(u graph.Use) bool {
		n := &w.nodes[u.Node]
		return n.q == nil || n.excluded || !slices.Contains(n.q.Weights, u.Operand)
	})
}

// dequantizeResults puts a DEQUANTIZE behind operators that only move elements
// (GATHER): their results have their table's type.
func (w *weights) dequantizeResults(quantized []bool) {
	nodes := w.nodes
	var out []graph.Node
	for i := range w.g.Nodes {
		n := w.g.Nodes[i]
		if !quantized[i] || !nodes[i].q.Same {
			out = append(out, n)
			continue
		}
		table := w.g.Value(n.Inputs[nodes[i].q.Weights[0]])
		dtype, quant := table.DType, table.Quant
		n.Outputs = slices.Clone(n.Outputs)
		var after []graph.Node
		for _, k := range w.realResults(nodes[i].Node) {
			v := n.Outputs[k]
			id := w.copyOf(v, w.names.fresh(w.src.Values[v].Name))
			w.g.Value(id).DType, w.g.Value(id).Quant = dtype, quant
			n.Outputs[k] = id
			after = append(after, graph.Node{Op: opDequantize, Inputs: []graph.ValueID{id}, Outputs: []graph.ValueID{v}, Origins: n.Origins})
		}
		out = append(append(out, n), after...)
	}
	w.g.Nodes = out
}

// float16 stores the float constants as float16 and widens them at the head of
// the graph.
func (j *job) float16() error {
	nodes := j.classify(func(q *op.Quant) (*op.Quant, bool) { return q, true })
	skip := map[graph.ValueID]bool{} // constants that an excluded node reads
	for i := range nodes {
		for _, v := range nodes[i].Inputs {
			if v != graph.None && nodes[i].excluded {
				skip[v] = true
			}
		}
	}
	names := newNamer(j.g)
	var head []graph.Node
	for v := range j.src.Values {
		id := graph.ValueID(v)
		value := &j.src.Values[v]
		if !j.real(id) || len(value.Const) == 0 || skip[id] {
			continue
		}
		narrow := j.copyOf(id, value.Name)
		c := j.g.Value(narrow)
		c.DType, c.Const = tensor.Float16, half(floats(value))
		wide := j.g.Value(id)
		wide.Const, wide.Param, wide.Name = nil, nil, names.displace(j, id, value.Name)
		head = append(head, graph.Node{Op: opDequantize, Inputs: []graph.ValueID{narrow}, Outputs: []graph.ValueID{id}, Origins: value.Origins})
	}
	j.g.Nodes = append(head, j.g.Nodes...)
	halved := make([]bool, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		halved[i] = slices.ContainsFunc(n.Inputs, func(v graph.ValueID) bool { return j.real(v) && j.src.Values[v].IsConst() && !skip[v] })
		if !n.excluded {
			n.why = "it has no float constants"
		}
	}
	return j.conclude(nodes, halved)
}

// displace returns base with "1" behind it, the name the converter gives the
// float copy of a constant. A result that has this name moves on to the next free
// number; the graph's inputs and outputs keep theirs.
func (n namer) displace(j *job, copied graph.ValueID, base string) string {
	name := base + "1"
	for v := range j.src.Values {
		id := graph.ValueID(v)
		if id == copied || j.g.Values[v].Name != name {
			continue
		}
		if j.g.IsInput(id) || j.g.IsOutput(id) || j.src.Values[v].IsConst() {
			return n.fresh(base)
		}
		j.g.Values[v].Name = n.fresh(base)
		return name
	}
	n[name] = true
	return name
}
