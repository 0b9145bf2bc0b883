package quantize

import (
	"fmt"
	"math"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// int16x8 rewrites the subgraph with int16 activations and int8 weights, as
// TFLite's quantizer of files does (tools/optimize/quantize_model.cc): node by
// node, in place.
func (j *job) int16x8() error {
	if err := j.checkRanges(); err != nil {
		return err
	}
	w := &wide{
		job: j, nodes: j.classify(wideForm), names: newNamer(j.g), producer: j.src.Producers(),
		known: map[graph.ValueID]*extent{}, done: map[graph.ValueID]bool{}, float: map[graph.ValueID]graph.ValueID{},
	}
	quantized := w.decide()
	if err := j.conclude(w.nodes, quantized); err != nil {
		return err
	}
	w.duplicateBiases()
	w.fillExtents()
	w.guardBiases()
	w.quantizeNodes()
	w.applyConstraints()
	w.quantizeBiases()
	for i := range w.g.Nodes {
		setOption(&w.g.Nodes[i], "QuantizedBiasType", fb.TensorTypeINT64)
		setOption(&w.g.Nodes[i], "PotScaleInt16", false)
	}
	return w.inputsAndOutputs()
}

// wideForm returns an operator's 16x8 rules; operators with state have none here.
func wideForm(q *op.Quant) (*op.Quant, bool) {
	q, ok := q.For16()
	return q, ok && stateless(q)
}

// wide is the state of the 16x8 quantizer.
type wide struct {
	*job
	nodes     []node
	quantized []bool
	names     namer
	producer  []int
	known     map[graph.ValueID]*extent       // minima and maxima: measured, or of constants
	done      map[graph.ValueID]bool          // values that have parameters
	float     map[graph.ValueID]graph.ValueID // copies of inputs and constants for float nodes
	index     []int                           // of each node of the clone in nodes, -1 for new ones
}

// innerVersion is the version of QUANTIZE in files that have one elsewhere than at
// the inputs.
const innerVersion = 2

// extent is the minima and maxima of a value, one each or one a channel.
type extent struct {
	min, max []float32
	axis     int
}

func (e *extent) top(c int) float32 { return max(abs(e.min[c]), abs(e.max[c])) }

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }

// decide returns which nodes are quantized: those with rules whose real operands
// and results have ranges or need none.
func (w *wide) decide() []bool {
	w.quantized = make([]bool, len(w.nodes))
	for i := range w.nodes {
		n := &w.nodes[i]
		if n.q == nil || n.excluded || len(w.realOperands(n.Node))+len(w.realResults(n.Node)) == 0 {
			continue
		}
		w.quantized[i] = true
		missing := func(what string, k int, v graph.ValueID) {
			w.quantized[i] = false
			n.why = fmt.Sprintf("%s %d, %q, has no range", what, k, w.src.Values[v].Name)
		}
		for _, k := range w.measured(n) {
			if v := n.Inputs[k]; !w.ranged(v) || w.perChannel(n, k) >= len(w.src.Values[v].Shape) {
				missing("operand", k, v)
			}
		}
		for _, k := range w.realResults(n.Node) {
			_, pinned := n.pin16(k)
			if v := n.Outputs[k]; !pinned && !(w.sameAsOperand(n) && len(w.measured(n)) > 0) && !w.ranged(v) {
				missing("result", k, v)
			}
		}
	}
	return w.quantized
}

// pin16 returns the int16 parameters that the node's arithmetic fixes for result k.
func (n *node) pin16(k int) (op.Pin, bool) {
	r := n.out(k)
	pin, ok := r.Pin(tensor.Int16)
	return pin, ok && r.Kind == op.Pinned
}

func (w *wide) ranged(v graph.ValueID) bool {
	if value := &w.src.Values[v]; value.IsConst() {
		x := floats(value)
		return len(x) > 0 && finite(x)
	}
	_, ok := w.ranges[v]
	return ok
}

// measured lists the operands that the quantizer gives parameters first: all but
// biases.
func (w *wide) measured(n *node) []int {
	return slices.DeleteFunc(w.realOperands(n.Node), func(k int) bool {
		kind := n.in(k).Kind
		return kind == op.Bias || kind == op.Untouched
	})
}

// sameAsOperand holds for operators whose results take an operand's parameters,
// and resultLeads for those whose several operands take the result's.
func (w *wide) sameAsOperand(n *node) bool { return n.q.Same && !w.resultLeads(n) }

func (w *wide) resultLeads(n *node) bool {
	ins := n.def.Operands.Ins
	free := 0
	for _, r := range n.q.In {
		if r.Kind == op.Free {
			free++
		}
	}
	return n.q.Same && (free > 1 || len(ins) > 0 && ins[len(ins)-1].Variadic)
}

// duplicateBiases gives a bias that is also an operand of another kind a constant
// of its own.
func (w *wide) duplicateBiases() {
	operand := map[graph.ValueID]bool{}
	for i := range w.nodes {
		if n := &w.nodes[i]; w.quantized[i] {
			for _, k := range w.measured(n) {
				operand[n.Inputs[k]] = true
			}
		}
	}
	for i := range w.nodes {
		n := &w.nodes[i]
		if !w.quantized[i] {
			continue
		}
		for k, v := range n.Inputs {
			if w.real(v) && n.in(k).Kind == op.Bias && w.src.Values[v].IsConst() && operand[v] {
				w.g.Nodes[i].Inputs[k] = w.copyOf(v, w.names.fresh(w.src.Values[v].Name+"_duplicate_"))
			}
		}
	}
}

// fillExtents notes what is known of the values' ranges: statistics, and the
// content of constants by their first reader's rule.
func (w *wide) fillExtents() {
	for v, r := range w.ranges {
		if w.real(v) && !w.src.Values[v].IsConst() {
			w.known[v] = &extent{[]float32{r.Min}, []float32{r.Max}, -1}
		}
	}
	for i := range w.nodes {
		n := &w.nodes[i]
		if !w.quantized[i] {
			continue
		}
		for _, k := range w.measured(n) {
			v := n.Inputs[k]
			if value := &w.src.Values[v]; value.IsConst() && w.known[v] == nil {
				w.known[v] = extentOf(floats(value), value.Shape, w.perChannel(n, k))
			}
		}
	}
}

func extentOf(x []float32, s tensor.Shape, axis int) *extent {
	n, inner := channels(s, axis)
	e := &extent{make([]float32, n), make([]float32, n), axis}
	seen := make([]bool, n)
	eachRun(len(x), n, inner, func(c, from, to int) {
		if !seen[c] {
			seen[c], e.min[c], e.max[c] = true, x[from], x[from]
		}
		for _, v := range x[from:to] {
			e.min[c], e.max[c] = min(e.min[c], v), max(e.max[c], v)
		}
	})
	return e
}

// guardBiases widens the weights' ranges where a bias would take more than half
// of an int32 (AdjustWeightsForBiasScale).
func (w *wide) guardBiases() {
	for i := range w.nodes {
		n := &w.nodes[i]
		if !w.quantized[i] {
			continue
		}
		for k, v := range n.Inputs {
			if !w.real(v) || n.in(k).Kind != op.Bias || !w.src.Values[v].IsConst() {
				continue
			}
			of := n.in(k).Of
			if len(of) != 2 || w.known[n.Inputs[of[0]]] == nil || w.known[n.Inputs[of[1]]] == nil {
				continue
			}
			in := w.known[n.Inputs[of[0]]]
			adjustForBias(w.known[n.Inputs[of[1]]], floats(&w.src.Values[v]), scale16(in.min[0], in.max[0]))
		}
	}
}

func adjustForBias(weight *extent, bias []float32, inScale float32) {
	const most = math.MaxInt32
	if len(weight.min) == 1 {
		half := float32(0)
		for _, b := range bias {
			half = max(half, abs(b))
		}
		scale := weight.top(0) / 127
		if float64(half/most) >= 0.5*float64(inScale)*float64(scale) {
			weight.max[0] = float32(2 * float64(half) / most * float64(127/inScale))
			weight.min[0] = float32(2 * float64(half) / most * float64(-127/inScale))
		}
		return
	}
	for c := range min(len(weight.min), len(bias)) {
		b, scale := float64(abs(bias[c])), weight.top(c)/127
		if b >= 0.5*float64(inScale)*float64(scale)*most {
			weight.max[c] = float32(2 * b / most * float64(127/inScale))
			weight.min[c] = -weight.max[c]
		}
	}
}

// scale16 is the symmetric scale of an int16 activation.
func scale16(lo, hi float32) float32 { return max(-min(lo, 0), max(hi, 0)) / 32767 }

// quantizeNodes gives operands and results parameters, node by node.
func (w *wide) quantizeNodes() {
	var out []graph.Node
	for i := range w.nodes {
		n := &w.nodes[i]
		g := &w.g.Nodes[i]
		var before []graph.Node
		if w.quantized[i] {
			for _, k := range w.measured(n) {
				before = append(before, w.operand(n, g, k)...)
			}
			for _, k := range w.realResults(n.Node) {
				w.result(n, g, k)
			}
		} else {
			for _, k := range w.realOperands(n.Node) {
				v := g.Inputs[k]
				if (w.src.IsInput(v) || w.src.Values[v].IsConst()) && !w.done[v] {
					g.Inputs[k] = w.floatCopy(v)
				} else if w.done[v] {
					id := w.copyOf(v, w.names.fresh(w.g.Values[v].Name+"_float"))
					before = append(before, graph.Node{Op: opDequantize, Inputs: []graph.ValueID{v}, Outputs: []graph.ValueID{id}, Origins: g.Origins})
					g.Inputs[k] = id
				}
			}
		}
		for range before {
			w.index = append(w.index, -1)
		}
		w.index = append(w.index, i)
		out = append(append(out, before...), *g)
	}
	w.g.Nodes = out
}

// floatCopy returns what a float node reads in place of an input or constant v,
// which a later node may quantize. (TensorFlow lets it read the integers: such
// files do not load.)
func (w *wide) floatCopy(v graph.ValueID) graph.ValueID {
	id, ok := w.float[v]
	if !ok {
		id = w.copyOf(v, w.names.fresh(w.src.Values[v].Name+"_float"))
		w.float[v] = id
	}
	return id
}

// operand gives operand k of a quantized node parameters. The result of a float
// node stays float; a QUANTIZE in front of the node makes the int16 operand.
func (w *wide) operand(n *node, g *graph.Node, k int) []graph.Node {
	v := g.Inputs[k]
	switch {
	case w.done[v]:
	case w.src.Values[v].IsConst():
		w.constant(n, k, v)
	case w.src.IsInput(v):
		w.activation(v, w.known[v])
	default:
		id := w.copyOf(v, w.names.fresh(w.src.Values[v].Name+"_int16"))
		w.activation(id, w.known[v])
		g.Inputs[k] = id
		return []graph.Node{{Op: opQuantize, Version: innerVersion, Inputs: []graph.ValueID{v}, Outputs: []graph.ValueID{id}, Origins: g.Origins}}
	}
	return nil
}

// constant stores a constant as int8 weights or as an int16 activation.
func (w *wide) constant(n *node, k int, v graph.ValueID) {
	value := w.g.Value(v)
	x, e := floats(&w.src.Values[v]), w.known[v]
	if n.in(k).Kind != op.Weight {
		scale := extentOf(x, value.Shape, -1).top(0) / 32767
		if w.resultLeads(n) {
			e = nil // TensorFlow notes no range
		}
		w.set(v, tensor.Int16, []float32{scale}, 0, e)
		value.Const = symmetric16(x, scale)
		return
	}
	scales, inv := make([]float32, len(e.min)), make([]float32, len(e.min))
	for c := range scales {
		r := e.top(c)
		scales[c], inv[c] = r/127, inverse(127, r)
		if r == 0 && e.axis < 0 {
			scales[c] = 1
		}
	}
	w.set(v, tensor.Int8, scales, max(e.axis, 0), e)
	value.Const = symmetric8(x, value.Shape, e.axis, inv)
}

func (w *wide) set(v graph.ValueID, d tensor.DType, scales []float32, axis int, e *extent) {
	value := w.g.Value(v)
	value.DType, value.File, value.Param = d, nil, nil
	value.Quant = tensor.Quant{Scales: scales, ZeroPoints: make([]int64, len(scales)), Axis: axis}
	if e != nil {
		value.Quant.Min, value.Quant.Max = e.min, e.max
	}
	w.done[v] = true
}

// activation gives a measured value int16 parameters; its range is widened to
// include zero.
func (w *wide) activation(v graph.ValueID, e *extent) {
	lo, hi := min(e.min[0], 0), max(e.max[0], 0)
	w.set(v, tensor.Int16, []float32{scale16(lo, hi)}, 0, &extent{[]float32{lo}, []float32{hi}, -1})
}

// result gives result k of a quantized node parameters: an operand's, those its
// arithmetic fixes, or its own.
func (w *wide) result(n *node, g *graph.Node, k int) {
	v := g.Outputs[k]
	if w.sameAsOperand(n) {
		if operands := w.measured(n); len(operands) > 0 {
			q := w.g.Value(g.Inputs[operands[0]]).Quant
			w.set(v, tensor.Int16, q.Scales, 0, &extent{q.Min, q.Max, -1})
			return
		}
	}
	if pin, ok := n.pin16(k); ok {
		w.set(v, tensor.Int16, []float32{pin.Scale}, 0, nil)
		return
	}
	w.activation(v, w.known[v])
}

// applyConstraints brings the operands of operators that need one scale to the
// result's, from the last node to the first.
func (w *wide) applyConstraints() {
	for at := len(w.g.Nodes) - 1; at >= 0; at-- {
		i := w.index[at]
		if i < 0 || !w.quantized[i] || !w.resultLeads(&w.nodes[i]) {
			continue
		}
		g := &w.g.Nodes[at]
		var before []graph.Node
		scale := w.g.Value(g.Outputs[0]).Quant.Scale()
		for _, k := range w.measured(&w.nodes[i]) {
			v := g.Inputs[k]
			value := w.g.Value(v)
			if value.Quant.Scale() == scale {
				continue
			}
			if value.IsConst() && w.readers(v) == 1 {
				value.Const = requantized(value, scale)
				value.Quant = tensor.PerTensor(scale, 0)
				continue
			}
			name := w.names.fresh(value.Name + "_requantized")
			id := w.g.Add(graph.Value{
				Name: name, DType: tensor.Int16, Shape: value.Shape, Signature: value.Signature,
				Quant: tensor.PerTensor(scale, 0), Origins: value.Origins,
			})
			before = append(before, graph.Node{Op: opQuantize, Version: innerVersion, Inputs: []graph.ValueID{v}, Outputs: []graph.ValueID{id}, Origins: g.Origins})
			g.Inputs[k] = id
		}
		slices.Reverse(before) // each is put in front of those before it
		w.g.Insert(at, before...)
		for range before {
			w.index = slices.Insert(w.index, at, -1)
		}
	}
}

func (w *wide) readers(v graph.ValueID) int {
	n := 0
	for i := range w.g.Nodes {
		if slices.Contains(w.g.Nodes[i].Inputs, v) {
			n++
		}
	}
	return n
}

// requantized brings an int16 constant to another scale, by way of float.
func requantized(v *graph.Value, scale float32) []byte {
	q, err := tensor.Values[int16](v.Tensor())
	if err != nil {
		return v.Const
	}
	x := make([]float32, len(q))
	for i := range q {
		x[i] = v.Quant.Scale() * float32(q[i])
	}
	return symmetric16(x, scale)
}

// quantizeBiases stores biases as int64 under the product of their factors'
// scales, once, for the first node that reads them.
func (w *wide) quantizeBiases() {
	for at := range w.g.Nodes {
		g, i := &w.g.Nodes[at], w.index[at]
		if i < 0 || !w.quantized[i] {
			continue
		}
		n := &w.nodes[i]
		for k, v := range n.Inputs {
			if !w.real(v) || n.in(k).Kind != op.Bias || len(n.in(k).Of) != 2 || !w.src.Values[v].IsConst() {
				continue
			}
			id, of := g.Inputs[k], n.in(k).Of
			if w.done[id] {
				continue
			}
			in, weight := w.g.Value(g.Inputs[of[0]]).Quant, w.g.Value(g.Inputs[of[1]]).Quant
			scales := make([]float32, len(weight.Scales))
			for c, s := range weight.Scales {
				scales[c] = in.Scale() * s
			}
			w.set(id, tensor.Int64, scales, 0, nil)
			w.g.Value(id).Const = symmetricBias[int64](floats(&w.src.Values[v]), scales, math.MaxInt64)
		}
	}
}

// inputsAndOutputs gives the subgraph's inputs and outputs the wanted types.
func (w *wide) inputsAndOutputs() error {
	for _, io := range []struct {
		ids  []graph.ValueID
		want tensor.DType
		what string
	}{{w.src.Inputs, w.recipe.InputType, "input"}, {w.src.Outputs, w.recipe.OutputType, "output"}} {
		for _, v := range io.ids {
			if w.entry() && io.want != tensor.Float32 && w.real(v) && !w.done[v] {
				return &graph.Error{
					Value: fmt.Sprintf("%d %q", v, w.src.Values[v].Name),
					Err:   fmt.Errorf("%s cannot be %v, the operator at it stays float: %w", io.what, io.want, tensor.ErrUnsupported),
				}
			}
		}
	}
	for _, v := range w.src.Inputs {
		float, read := w.float[v]
		switch {
		case w.done[v] && w.entry() && w.recipe.InputType == tensor.Int16:
			if read {
				w.g.Insert(0, graph.Node{Op: opDequantize, Inputs: []graph.ValueID{v}, Outputs: []graph.ValueID{float}})
			}
			continue
		case w.done[v]:
			id := w.split(v)
			w.g.Insert(0, graph.Node{Op: opQuantize, Inputs: []graph.ValueID{v}, Outputs: []graph.ValueID{id}, Origins: w.src.Values[v].Origins})
		}
		if read {
			w.g.ReplaceUses(float, v)
		}
	}
	for v, float := range w.float {
		if w.src.Values[v].IsConst() && !w.done[v] {
			w.g.ReplaceUses(float, v)
		}
	}
	for _, v := range w.src.Outputs {
		quantized := w.done[v] && w.g.Value(v).DType == tensor.Int16 // false at its second time
		if quantized && w.producer[v] >= 0 && !(w.entry() && w.recipe.OutputType == tensor.Int16) {
			id := w.split(v)
			w.g.Nodes = append(w.g.Nodes, graph.Node{Op: opDequantize, Inputs: []graph.ValueID{id}, Outputs: []graph.ValueID{v}, Origins: w.src.Values[v].Origins})
		}
	}
	return nil
}

// split moves a quantized input or output v to a new value for all nodes; v itself
// becomes float.
func (w *wide) split(v graph.ValueID) graph.ValueID {
	quantized := *w.g.Value(v)
	quantized.Name = w.names.fresh(quantized.Name + "_int16")
	id := w.g.Add(quantized)
	for i := range w.g.Nodes {
		for _, list := range [][]graph.ValueID{w.g.Nodes[i].Inputs, w.g.Nodes[i].Outputs} {
			for k := range list {
				if list[k] == v {
					list[k] = id
				}
			}
		}
	}
	value := w.g.Value(v)
	value.DType, value.Quant = tensor.Float32, tensor.Quant{}
	return id
}
