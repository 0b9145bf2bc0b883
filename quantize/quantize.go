// Package quantize turns a float model into an integer one after training. It
// writes what TensorFlow 2.21's converter writes: from the same statistics, the
// same scales, zero points, weights and biases, bit for bit, and the same
// operators.
//
// Which operators have an integer form, and how their operands are quantized, is
// said by the operators' rows (op.Quant); this package knows no operator. The
// int8 schemes follow the converter's MLIR quantizer: parameters are taken from
// the ranges and propagated until operators that need equal ones have them. The
// 16x8 schemes follow the older quantizer that works on files.
package quantize

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/litequant/litequant/calibrate"
	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// Model quantizes m as the recipe says and reports what was done. Schemes that
// need ranges run m over the representative data d first, which is not read and
// may be nil for the others. m is not changed.
func Model(ctx context.Context, m *graph.Model, r Recipe, d dataset.Source) (*graph.Model, *Report, error) {
	var stats *calibrate.Statistics
	if r.Scheme.NeedsData() {
		if _, _, err := r.check(); err != nil {
			return nil, nil, inPackage(err)
		}
		o := r.Calibrate
		if o.Operators == nil {
			o.Operators = r.Operators
		}
		var err error
		if stats, err = calibrate.Run(ctx, m, d, o); err != nil {
			return nil, nil, err
		}
	}
	return WithStats(ctx, m, r, stats)
}

// WithStats is Model with ranges that are known already.
func WithStats(ctx context.Context, m *graph.Model, r Recipe, stats *calibrate.Statistics) (*graph.Model, *Report, error) {
	out, report, err := withStats(ctx, m, r, stats)
	if err != nil {
		return nil, nil, inPackage(err)
	}
	return out, report, nil
}

func inPackage(err error) error { return fmt.Errorf("quantize: %w", err) }

func withStats(ctx context.Context, m *graph.Model, r Recipe, stats *calibrate.Statistics) (*graph.Model, *Report, error) {
	scheme, exclude, err := r.check()
	if err != nil {
		return nil, nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, nil, err
	}
	if err := check(m); err != nil {
		return nil, nil, err
	}
	var ranges []map[graph.ValueID]calibrate.Range
	if scheme.data {
		if stats == nil {
			return nil, nil, fmt.Errorf("scheme %s needs representative data or statistics: %w", scheme.scheme, tensor.ErrMalformed)
		}
		if ranges, err = stats.Bind(m); err != nil {
			return nil, nil, err
		}
	}
	ops := all.Set()
	if r.Operators != nil {
		ops = *r.Operators
	}
	out := m.Clone()
	report := &Report{Scheme: scheme.scheme, FloatBytes: constantBytes(m)}
	var errs []error
	for i := range out.Subgraphs {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		j := &job{
			src: m.Subgraphs[i], model: out, index: i, g: out.Subgraphs[i],
			ops: ops, recipe: &r, scheme: scheme, exclude: exclude, report: report,
		}
		if ranges != nil {
			j.ranges = ranges[i]
		}
		errs = append(errs, j.run())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	if err := finish(out, ops, scheme); err != nil {
		return nil, nil, err
	}
	report.Bytes = constantBytes(out)
	return out, report, out.Validate()
}

// check refuses models that are quantized already, and constants of another size
// than their shape's.
func check(m *graph.Model) error {
	for _, g := range m.Subgraphs {
		for i := range g.Values {
			v := &g.Values[i]
			var err error
			if !v.Quant.IsZero() && v.DType != tensor.Float32 {
				err = fmt.Errorf("the model is quantized already: %w", tensor.ErrUnsupported)
			} else if v.IsConst() && v.DType == tensor.Float32 {
				_, err = tensor.New(v.DType, v.Shape, v.Quant, v.Const)
			}
			if err != nil {
				return &graph.Error{Value: fmt.Sprintf("%d %q", i, v.Name), Err: err}
			}
		}
	}
	return nil
}

// job quantizes one subgraph.
type job struct {
	src     *graph.Subgraph // as it was
	model   *graph.Model    // the clone
	g       *graph.Subgraph // the clone's subgraph
	index   int
	ops     op.Set
	recipe  *Recipe
	scheme  row
	exclude []*regexp.Regexp
	ranges  map[graph.ValueID]calibrate.Range
	report  *Report
}

func (j *job) run() error {
	if err := j.scheme.rewrite(j); err != nil {
		return err
	}
	j.model.Renumber(j.index, j.model.Referenced(j.index))
	return nil
}

// entry reports whether the recipe's input and output types apply: the subgraph
// is the main one or a signature's.
func (j *job) entry() bool {
	return j.index == 0 || slices.ContainsFunc(j.model.Signatures, func(s graph.Signature) bool { return s.Subgraph == j.index })
}

// real reports whether a value is present and holds real numbers.
func (j *job) real(v graph.ValueID) bool {
	return v != graph.None && j.src.Values[v].DType == tensor.Float32
}

// floats returns the elements of a float32 constant.
func floats(v *graph.Value) []float32 {
	x, err := tensor.Values[float32](v.Tensor())
	if err != nil {
		return nil
	}
	return x
}

// node is what is known of a node before the scheme decides.
type node struct {
	*graph.Node
	def *op.Def
	// q has the rules of the scheme's family; nil where the node must stay float,
	// and then why says the reason.
	q   *op.Quant
	why string
	// excluded by the recipe: q is there, but the node must stay float.
	excluded bool
}

// classify looks up every node's rules: those that family selects from the row.
func (j *job) classify(family func(*op.Quant) (*op.Quant, bool)) []node {
	nodes := make([]node, len(j.src.Nodes))
	for i := range nodes {
		n := &j.src.Nodes[i]
		nodes[i].Node = n
		def, err := j.ops.Lookup(n)
		if err != nil {
			nodes[i].why = "the operator is unknown"
			continue
		}
		nodes[i].def = def
		if err := def.Check(declared(j.src, n)); err != nil {
			nodes[i].why = err.Error()
			continue
		}
		q, ok := family(def.Quant.Of(n))
		if !ok {
			nodes[i].why = "the operator has no quantized form"
			continue
		}
		nodes[i].q = q
		if x := j.excludedBy(n); x != "" {
			nodes[i].why, nodes[i].excluded = fmt.Sprintf("excluded by %q", x), true
		}
	}
	return nodes
}

// excludedBy returns the pattern that keeps a node float, "" if there is none.
func (j *job) excludedBy(n *graph.Node) string {
	for _, x := range j.exclude {
		if slices.ContainsFunc(n.Origins, x.MatchString) {
			return x.String()
		}
		for _, v := range n.Outputs {
			if v != graph.None && (x.MatchString(j.src.Values[v].Name) || slices.ContainsFunc(j.src.Values[v].Origins, x.MatchString)) {
				return x.String()
			}
		}
	}
	return ""
}

// in returns the rule of operand k; further operands of a variadic one share its
// rule.
func (n *node) in(k int) op.Rule {
	if ins := n.def.Operands.Ins; k >= len(n.q.In) && len(n.q.In) > 0 && len(ins) > 0 && ins[len(ins)-1].Variadic {
		return n.q.In[len(n.q.In)-1]
	}
	return n.q.InRule(k)
}

// out returns the rule of result k.
func (n *node) out(k int) op.Rule { return n.q.OutRule(k) }

// realOperands lists the operands that hold real numbers.
func (j *job) realOperands(n *graph.Node) []int {
	var list []int
	for k, v := range n.Inputs {
		if j.real(v) {
			list = append(list, k)
		}
	}
	return list
}

func (j *job) realResults(n *graph.Node) []int {
	var list []int
	for k, v := range n.Outputs {
		if j.real(v) {
			list = append(list, k)
		}
	}
	return list
}

// perChannel returns the axis of a weight's scales, -1 for one scale.
func (j *job) perChannel(n *node, k int) int {
	r := n.in(k)
	if r.Kind != op.Weight || n.q.Dense && j.recipe.PerTensorDense {
		return -1
	}
	return r.Axis
}

// nameOf describes a node for reports and errors.
func (j *job) nameOf(i int) string {
	n := &j.src.Nodes[i]
	return fmt.Sprintf("%d %s", i, op.NameOf(n))
}

// conclude adds the nodes to the report. With a strict scheme it fails if one
// stayed float, and names them all.
func (j *job) conclude(nodes []node, quantized []bool) error {
	var errs []error
	for i := range nodes {
		n := &nodes[i]
		if len(j.realOperands(n.Node))+len(j.realResults(n.Node)) == 0 {
			continue
		}
		e := NodeReport{Subgraph: j.index, Index: i, Operator: op.NameOf(n.Node), Quantized: quantized[i]}
		if len(n.Outputs) > 0 && n.Outputs[0] != graph.None {
			e.Name = j.src.Values[n.Outputs[0]].Name
		}
		if !quantized[i] {
			e.Reason = n.why
			if j.scheme.strict {
				errs = append(errs, &graph.Error{
					Node: j.nameOf(i), Value: e.Name, Origins: n.Origins,
					Err: fmt.Errorf("cannot be quantized in scheme %s: %s: %w", j.scheme.scheme, e.Reason, tensor.ErrUnsupported),
				})
			}
		}
		j.report.Nodes = append(j.report.Nodes, e)
	}
	return errors.Join(errs...)
}

// namer gives new values names that no other value of the subgraph has.
type namer map[string]bool

func newNamer(g *graph.Subgraph) namer {
	n := namer{}
	for i := range g.Values {
		n[g.Values[i].Name] = true
	}
	return n
}

// fresh returns base, or base with the first free number behind it.
func (n namer) fresh(base string) string {
	name := base
	for i := 1; n[name]; i++ {
		name = fmt.Sprint(base, i)
	}
	n[name] = true
	return name
}
