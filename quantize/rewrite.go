package quantize

import (
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/tensor"
)

var (
	opQuantize   = graph.OpCode(schema.QUANTIZE)
	opDequantize = graph.OpCode(schema.DEQUANTIZE)
)

// rewriter writes the quantized subgraph. Every value may be needed in several
// forms: float, and under one or more sets of parameters. A form is made from
// the one its producer computes, behind the producer, when a reader needs it.
type rewriter struct {
	*driver
	quantized []bool
	names     namer
	out       []graph.Node
	forms     [][]form                  // of each value of the source
	final     map[graph.ValueID]*params // the forms of the graph's outputs
}

// form is a value of the clone: under parameters, or float if p is nil.
type form struct {
	p  *params
	id graph.ValueID
}

func newRewriter(d *driver, quantized []bool) *rewriter {
	return &rewriter{
		driver: d, quantized: quantized, names: newNamer(d.g),
		forms: make([][]form, len(d.src.Values)), final: map[graph.ValueID]*params{},
	}
}

func (w *rewriter) run() {
	for _, v := range w.src.Outputs {
		switch {
		case !w.real(v):
		case w.src.Values[v].IsConst():
			w.forms[v] = []form{{nil, v}}
		case w.producer[v] >= 0:
			w.final[v] = w.ioForm(v, w.recipe.OutputType)
		}
	}
	for _, v := range w.inputs() {
		w.input(v)
	}
	for i := range w.src.Nodes {
		w.node(i)
	}
	for _, v := range w.src.Outputs {
		if final := w.final[v]; unsigned(final) {
			w.form(v, final)
		}
	}
	w.g.Nodes = w.out
}

// node writes node i and the conversions of its results.
func (w *rewriter) node(i int) {
	n := w.src.Nodes[i]
	n.Inputs, n.Outputs = slices.Clone(n.Inputs), slices.Clone(n.Outputs)
	for k, v := range n.Inputs {
		if w.real(v) && !w.src.Values[v].Variable {
			n.Inputs[k] = w.form(v, w.reads(i, k))
		}
	}
	results := w.src.Nodes[i].Outputs
	for k, v := range results {
		if w.real(v) {
			n.Outputs[k] = w.base(v, w.computes(i, v))
		}
	}
	w.out = append(w.out, n)
	for _, v := range results {
		if w.real(v) {
			w.convert(v)
		}
	}
}

// reads returns the parameters node i reads operand k under, nil for float.
func (w *rewriter) reads(i, k int) *params {
	if !w.quantized[i] {
		return nil
	}
	return w.operand(i, k)
}

// computes returns the parameters node i computes its result v under.
func (w *rewriter) computes(i int, v graph.ValueID) *params {
	if !w.quantized[i] {
		return nil
	}
	if p := w.emitted[v]; p != nil {
		return p
	}
	return w.own(v)
}

// ioForm returns the form of an input or output that is to have the given type:
// float stays what has no parameters, or belongs to an inner subgraph.
func (w *rewriter) ioForm(v graph.ValueID, t tensor.DType) *params {
	p := w.own(v)
	if !w.entry() || t == tensor.Float32 || p == nil {
		return nil
	}
	if t == tensor.UInt8 {
		return perTensor(tensor.UInt8, p.scales[0], p.zeros[0]+128)
	}
	return p
}

// inputs lists the graph's inputs in the converter's order: those whose parameters
// were propagated to them, the last one first, then those with a range.
func (w *rewriter) inputs() []graph.ValueID {
	var propagated, measured []graph.ValueID
	for _, v := range w.src.Inputs {
		if w.states[v].immutable {
			measured = append(measured, v)
		} else {
			propagated = append(propagated, v)
		}
	}
	slices.Reverse(propagated)
	return append(propagated, measured...)
}

// input declares a graph input and makes its other forms.
func (w *rewriter) input(v graph.ValueID) {
	if !w.real(v) {
		return
	}
	p := w.ioForm(v, w.recipe.InputType)
	w.declare(v, p)
	w.forms[v] = []form{{p, v}}
	for _, u := range w.uses[v] {
		if r := w.reads(u.Node, u.Operand); r != nil {
			w.form(v, r)
		}
	}
	w.convert(v)
}

// base makes the form its producer computes. The value's own ID and name go to
// the form that is a graph output, else to this one.
func (w *rewriter) base(v graph.ValueID, p *params) graph.ValueID {
	id := v
	if final, ok := w.final[v]; ok && !final.equal(p) {
		id = w.copyOf(v, w.names.fresh(w.src.Values[v].Name))
	}
	w.declare(id, p)
	w.forms[v] = []form{{p, id}}
	return id
}

// convert makes the forms of v that readers and outputs need, behind its producer.
// uint8 outputs are made of int8 at the end of the graph.
func (w *rewriter) convert(v graph.ValueID) {
	for _, u := range w.uses[v] {
		w.form(v, w.reads(u.Node, u.Operand))
	}
	switch final, ok := w.final[v]; {
	case unsigned(final):
		w.form(v, w.own(v))
	case ok:
		w.form(v, final)
	}
}

func unsigned(p *params) bool { return p != nil && p.dtype == tensor.UInt8 }

// form returns the value that holds v under p, and makes it if need be. Other
// parameters than the value's own are reached through these.
func (w *rewriter) form(v graph.ValueID, p *params) graph.ValueID {
	for _, f := range w.forms[v] {
		if f.p.equal(p) {
			return f.id
		}
	}
	if w.src.Values[v].IsConst() {
		return w.constantForm(v, p)
	}
	from := w.forms[v][0]
	if own := w.own(v); own != nil && !own.equal(p) && !own.equal(from.p) && !(unsigned(from.p) && p == nil) {
		from = form{own, w.form(v, own)}
	}
	id := v
	if final, ok := w.final[v]; !ok || !final.equal(p) {
		id = w.copyOf(v, w.names.fresh(w.conversionName(v, from.p, p)))
	}
	code := opQuantize
	if p == nil {
		code = opDequantize
	}
	w.declare(id, p)
	w.out = append(w.out, graph.Node{
		Op: code, Inputs: []graph.ValueID{from.id}, Outputs: []graph.ValueID{id}, Origins: w.src.Values[v].Origins,
	})
	w.forms[v] = append(w.forms[v], form{p, id})
	return id
}

// conversionName is the converter's: requantized results and those whose parameters
// were propagated to them are called after the value.
func (w *rewriter) conversionName(v graph.ValueID, from, to *params) string {
	requantized := from != nil && to != nil
	switch {
	case w.producer[v] >= 0 && (requantized || !w.states[v].immutable):
		return w.src.Values[v].Name
	case to == nil:
		return "tfl.dequantize"
	}
	return "tfl.quantize"
}

// constantForm quantizes a constant. The first form takes its ID.
func (w *rewriter) constantForm(v graph.ValueID, p *params) graph.ValueID {
	id := v
	if len(w.forms[v]) > 0 {
		id = w.copyOf(v, w.names.fresh(w.src.Values[v].Name))
	}
	value := w.src.Values[v]
	if p != nil {
		value.Const = legacyConstant(floats(&value), value.Shape, p)
	}
	w.g.Values[id].Const = value.Const
	w.declare(id, p)
	w.forms[v] = append(w.forms[v], form{p, id})
	return id
}

// copyOf adds a value like v under another name.
func (j *job) copyOf(v graph.ValueID, name string) graph.ValueID {
	value := j.src.Values[v]
	value.Name, value.Param, value.File = name, nil, nil
	return j.g.Add(value)
}

// declare sets the type and parameters of a value of the clone.
func (w *rewriter) declare(id graph.ValueID, p *params) {
	value := w.g.Value(id)
	value.DType, value.Quant = tensor.Float32, tensor.Quant{}
	if p != nil {
		value.DType, value.Quant, value.File, value.Param = p.dtype, p.quant(), nil, nil
	}
}
