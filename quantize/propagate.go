package quantize

import (
	"math"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// ranged finds the values that keep their statistics (RemoveRedundantStatsOps).
// Of a chain of operators that need equal parameters only one value keeps them:
// the first if each has one real operand, else the last.
func (d *driver) ranged() map[graph.ValueID]bool {
	dropped := map[graph.ValueID]bool{}
	has := func(v graph.ValueID) bool {
		_, ok := d.ranges[v]
		return ok && d.real(v) && !d.src.Values[v].IsConst()
	}
	// Forward: parameters flow through operators with one real operand.
	work := d.ordered(has)
	for len(work) > 0 {
		v := work[len(work)-1]
		work = work[:len(work)-1]
		if p := d.producer[v]; p >= 0 && d.fixed(p, v) != nil {
			dropped[v] = true
		}
		for _, u := range d.uses[v] {
			n := &d.nodes[u.Node]
			if n.q == nil || !n.q.Same || len(d.realOperands(n.Node)) != 1 {
				continue
			}
			for _, r := range n.Outputs {
				if r != graph.None && has(r) && !dropped[r] {
					dropped[r] = true
					work = append(work, r)
				}
			}
		}
	}
	// Backward: results of operators with several real operands decide.
	kept := func(v graph.ValueID) bool { return has(v) && !dropped[v] }
	work = d.ordered(kept)
	visited := map[graph.ValueID]bool{}
	for len(work) > 0 {
		v := work[len(work)-1]
		work = work[:len(work)-1]
		p := d.producer[v]
		if p < 0 || d.nodes[p].q == nil || !d.nodes[p].q.Same {
			continue
		}
		for _, w := range d.nodes[p].Inputs {
			if w != graph.None && has(w) && !visited[w] {
				visited[w], dropped[w] = true, true
				work = append(work, w)
			}
		}
	}
	keep := map[graph.ValueID]bool{}
	for _, v := range d.ordered(kept) {
		keep[v] = true
	}
	return keep
}

// ordered lists the inputs, then the nodes' results, for which keep holds.
func (d *driver) ordered(keep func(graph.ValueID) bool) []graph.ValueID {
	var list []graph.ValueID
	add := func(ids []graph.ValueID) {
		for _, v := range ids {
			if v != graph.None && keep(v) {
				list = append(list, v)
			}
		}
	}
	add(d.src.Inputs)
	for i := range d.src.Nodes {
		add(d.src.Nodes[i].Outputs)
	}
	return list
}

// fixed returns the parameters that node i's arithmetic fixes for its result v,
// nil if it fixes none.
func (d *driver) fixed(i int, v graph.ValueID) *params {
	n := &d.nodes[i]
	if n.q == nil {
		return nil
	}
	r := n.out(slices.Index(n.Outputs, v))
	if pin, ok := r.Pin(tensor.Int8); ok && r.Kind == op.Pinned {
		return perTensor(tensor.Int8, float64(pin.Scale), pin.Zero)
	}
	return nil
}

// state is what is known of a value's parameters. Values that kept their
// statistics have them from the start and never lose them.
type state struct {
	p         *params
	immutable bool
}

// driver is the converter's QuantizationDriver: it starts with the parameters of
// the values that kept their statistics and of constants, and hands them on until
// nothing changes.
type driver struct {
	*job
	nodes    []node
	uses     [][]graph.Use
	producer []int
	states   []*state // by value
	// operands holds the state each operand reads: its value's, or for constants
	// whose parameters depend on their reader a state of its own.
	operands [][]*state
	// requant has the parameters that an operand needs where its value has
	// others, emitted those that a node computes before its result is brought to
	// the value's.
	requant map[graph.Use]*params
	emitted map[graph.ValueID]*params
	work    []entry
	done    map[entry]bool
}

// entry is a node, or a constant if value is set.
type entry struct {
	node  int
	value graph.ValueID
}

func newDriver(j *job, nodes []node) *driver {
	d := &driver{
		job: j, nodes: nodes, uses: j.src.Uses(), producer: j.src.Producers(),
		states: make([]*state, len(j.src.Values)), operands: make([][]*state, len(nodes)),
		requant: map[graph.Use]*params{}, emitted: map[graph.ValueID]*params{}, done: map[entry]bool{},
	}
	keep := d.ranged()
	for v := range d.states {
		d.states[v] = &state{}
		if keep[graph.ValueID(v)] {
			d.states[v] = &state{activation8(j.ranges[graph.ValueID(v)]), true}
		}
	}
	d.start()
	return d
}

// start gives every operand its state and fills the work stack: weights in order
// of first use, then the nodes.
func (d *driver) start() {
	seen := map[graph.ValueID]bool{}
	for i := range d.nodes {
		n := &d.nodes[i]
		d.operands[i] = make([]*state, len(n.Inputs))
		for k, v := range n.Inputs {
			if v == graph.None {
				continue
			}
			d.operands[i][k] = d.states[v]
			if !d.real(v) || !d.src.Values[v].IsConst() || n.q == nil {
				continue
			}
			switch {
			case n.in(k).Kind == op.Bias || n.q.Same:
				d.operands[i][k] = &state{}
			case !seen[v]:
				seen[v] = true
				d.work = append(d.work, entry{-1, v})
			}
		}
	}
	for i := range d.nodes {
		if d.nodes[i].q != nil {
			d.work = append(d.work, entry{i, graph.None})
		}
	}
}

func (d *driver) propagate() {
	for len(d.work) > 0 {
		e := d.work[len(d.work)-1]
		d.work = d.work[:len(d.work)-1]
		if d.done[e] {
			continue
		}
		d.done[e] = true
		if e.value != graph.None {
			d.constant(e.value)
		} else if !d.visit(e.node) {
			delete(d.done, e) // it is visited again once more is known
		}
	}
}

// constant derives the parameters of a constant from its content.
func (d *driver) constant(v graph.ValueID) {
	if d.states[v].p != nil {
		return
	}
	value := &d.src.Values[v]
	p := constant8(floats(value))
	for _, u := range d.uses[v] {
		if n := &d.nodes[u.Node]; n.q != nil && n.in(u.Operand).Kind == op.Weight {
			p = weight8(floats(value), value.Shape, d.perChannel(n, u.Operand), true)
			break
		}
	}
	if p != nil {
		d.states[v].p = p
		d.pushUsers(v)
	}
}

// visit hands parameters on at node i. It returns false where it lacks some.
func (d *driver) visit(i int) bool {
	n := &d.nodes[i]
	if n.q == nil {
		return true
	}
	if n.q.Same {
		p := d.sameScale(i)
		if p == nil {
			return false
		}
		for _, k := range d.realOperands(n.Node) {
			d.setOperand(graph.Use{Node: i, Operand: k}, p)
		}
		for _, k := range d.realResults(n.Node) {
			d.setResult(n.Outputs[k], p)
		}
	}
	for _, k := range d.realResults(n.Node) {
		if p := d.fixed(i, n.Outputs[k]); p != nil {
			d.setResult(n.Outputs[k], p)
		}
	}
	known := true
	for k, v := range n.Inputs {
		if d.real(v) && n.in(k).Kind == op.Bias {
			known = d.bias(i, k) && known
		}
	}
	return known
}

// sameScale chooses the parameters of an operator whose operands and results
// share them: immutable ones first, among them the only operand's, else the only
// result's, else the first ones.
func (d *driver) sameScale(i int) *params {
	n := &d.nodes[i]
	for _, immutable := range []bool{true, false} {
		collect := func(list []*state) (ps []*params) {
			for _, s := range list {
				if s != nil && s.p != nil && s.immutable == immutable {
					ps = append(ps, s.p)
				}
			}
			return ps
		}
		in := collect(d.operands[i])
		var results []*state
		for _, v := range n.Outputs {
			if v != graph.None {
				results = append(results, d.states[v])
			}
		}
		out := collect(results)
		switch {
		case len(n.Inputs) == 1 && len(in) == 1:
			return in[0]
		case len(n.Outputs) == 1 && len(out) == 1:
			return out[0]
		case len(in) > 0:
			return in[0]
		case len(out) > 0:
			return out[0]
		}
	}
	return nil
}

// setOperand gives an operand parameters: its value's if it has none yet, else
// by requantization.
func (d *driver) setOperand(u graph.Use, p *params) {
	s := d.operands[u.Node][u.Operand]
	switch {
	case s.p.equal(p):
	case s.p != nil:
		d.requant[u] = p
	default:
		s.p = p
		d.pushProducer(u)
	}
}

// setResult gives a result parameters: its value's if it has none yet, else the
// node computes under these and the result is requantized.
func (d *driver) setResult(v graph.ValueID, p *params) {
	s := d.states[v]
	switch {
	case s.p.equal(p):
	case s.p == nil:
		s.p = p
		d.pushUsers(v)
	case d.emitted[v] == nil:
		d.emitted[v] = p
	}
}

func (d *driver) pushUsers(v graph.ValueID) {
	for _, u := range d.uses[v] {
		d.work = append(d.work, entry{u.Node, graph.None})
	}
}

func (d *driver) pushProducer(u graph.Use) {
	if p := d.producer[d.nodes[u.Node].Inputs[u.Operand]]; p >= 0 {
		d.work = append(d.work, entry{p, graph.None})
	}
}

// biasMost is half of what an int32 bias may hold, to leave room for the
// accumulator.
const biasMost = math.MaxInt32 / 2

// bias gives a bias the product of its factors' scales. Where it would overflow,
// the scale grows and the weights' with it. It returns false where a factor is
// not known yet.
func (d *driver) bias(i, k int) bool {
	n := &d.nodes[i]
	s := d.operands[i][k]
	rule := n.in(k)
	p := s.p
	weight := -1
	for _, f := range rule.Of {
		if f >= len(n.Inputs) || n.Inputs[f] == graph.None || d.operands[i][f].p == nil {
			return p != nil
		}
		if n.in(f).Kind == op.Weight && d.src.Values[n.Inputs[f]].IsConst() {
			weight = f
		}
	}
	if len(rule.Of) != 2 || !d.src.Values[n.Inputs[k]].IsConst() {
		return p != nil
	}
	if p == nil {
		if p = bias32(d.operands[i][rule.Of[0]].p, d.operands[i][rule.Of[1]].p); p == nil {
			return false
		}
	}
	x := floats(&d.src.Values[n.Inputs[k]])
	if !finite(x) {
		return true
	}
	if weight >= 0 {
		input := rule.Of[0]
		if input == weight {
			input = rule.Of[1]
		}
		p = d.guardBias(i, input, weight, x, p)
	}
	d.setOperand(graph.Use{Node: i, Operand: k}, p)
	return true
}

// guardBias returns parameters under which no bias exceeds biasMost, and moves the
// weights' scales to match: in place if this node alone reads them.
func (d *driver) guardBias(i, input, weight int, x []float32, p *params) *params {
	in, w := d.operands[i][input].p, d.operands[i][weight].p
	if len(in.scales) != 1 || len(w.scales) != len(p.scales) || len(p.scales) > 1 && len(x) != len(p.scales) {
		return p
	}
	bs, ws := slices.Clone(p.scales), slices.Clone(w.scales)
	changed := false
	if len(p.scales) == 1 {
		top := 0.0
		for _, b := range x {
			top = max(top, math.Abs(float64(b)))
		}
		if top/bs[0] >= biasMost {
			changed = true
			bs[0] = top / biasMost
			ws[0] = bs[0] / in.scales[0]
		}
	} else {
		for c, b := range x {
			if b := math.Abs(float64(b)); b/bs[c] > biasMost {
				changed = true
				bs[c] = b / biasMost
				ws[c] = bs[c] / in.scales[0]
			}
		}
	}
	if !changed {
		return p
	}
	s := d.operands[i][weight]
	if d.readers(s) > 1 {
		s = &state{}
		d.operands[i][weight] = s
	}
	s.p = w.withScales(ws)
	return p.withScales(bs)
}

// readers counts the operands that read a state.
func (d *driver) readers(s *state) int {
	n := 0
	for i := range d.operands {
		for _, o := range d.operands[i] {
			if o == s {
				n++
			}
		}
	}
	return n
}

// operand returns the parameters operand k of node i is read under, nil if it has
// none. What was propagated to the result of an operator without quantized form
// does not count: only its measured range does.
func (d *driver) operand(i, k int) *params {
	s := d.operands[i][k]
	if s == nil || !s.immutable && d.formless(d.nodes[i].Inputs[k]) {
		return nil
	}
	if p := d.requant[graph.Use{Node: i, Operand: k}]; p != nil {
		return p
	}
	return s.p
}

// own returns the parameters of a value, nil if it has none.
func (d *driver) own(v graph.ValueID) *params {
	if !d.states[v].immutable && d.formless(v) {
		return nil
	}
	return d.states[v].p
}

func (d *driver) formless(v graph.ValueID) bool {
	p := d.producer[v]
	return p >= 0 && d.nodes[p].q == nil
}
