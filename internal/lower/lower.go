// Package lower turns frozen TensorFlow graphs into models in TFLite's
// operators. It is the only lowering: every front end speaks TensorFlow, that
// is, hands over a savedmodel.Graph.
//
// rules.go is the table of TensorFlow's operators, one row each; the rules lie in
// files by family and are short functions over a call, which holds TensorFlow's
// meanings (padding, layouts, transposed filters) once. Shapes and element types
// are derived by the operators' own rows. What TensorFlow's converter then
// simplifies, package pass does.
//
// The result has the operators, options, constants (bit for bit) and tensor
// names of TensorFlow 2.21's converter, as far as the rules reach; names matter
// because its calibration files are keyed by them.
package lower

import (
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/pass"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// Options tune a lowering. The zero value makes a model for inference without a
// signature.
type Options struct {
	// Train legalizes only what keeps trainable parameters as they are: none is
	// folded into another constant. Layers that training treats differently become
	// internal operators (op/training) where the graph marks them, and a batch
	// normalization's moving statistics count as trainable: training changes them.
	Train bool
	// Signature is the key of the signature to declare. Inputs and outputs then have
	// the tensor names of TensorFlow 2's SavedModels. Empty declares none and keeps
	// the nodes' names, as for a frozen graph.
	Signature string
	// Source says what the model was converted from in CONVERSION_METADATA; 0
	// stands for a SavedModel.
	Source fb.ModelType
	// Ops are the operators to use; the empty set stands for all.
	Ops op.Set
}

// Graph lowers a frozen graph. All operators that are not supported are reported
// at once, a line each, wrapped with tensor.ErrUnsupported.
func Graph(g *savedmodel.Graph, o Options) (*graph.Model, error) {
	if len(o.Ops.All()) == 0 {
		o.Ops = all.Set()
	}
	if o.Train {
		o.Ops = o.Ops.With(training.Defs...)
	}
	b := &builder{
		src: g, ops: o.Ops, train: o.Train, sub: &graph.Subgraph{Name: "main"}, values: make([][]graph.ValueID, len(g.Nodes)),
		literals: map[literal]graph.ValueID{}, seed: maphash.MakeSeed(),
		permuted: map[permutation]graph.ValueID{}, partial: map[graph.ValueID][]int{},
	}
	if err := b.build(); err != nil {
		return nil, err
	}
	m := &graph.Model{Description: "MLIR Converted.", Subgraphs: []*graph.Subgraph{b.sub}}
	if o.Signature != "" {
		m.Signatures = []graph.Signature{b.signature(o.Signature)}
	}
	if err := pass.Run(m, pass.Options{Ops: o.Ops, Train: o.Train}, pass.Float()); err != nil {
		return nil, err
	}
	name(m.Main(), g, o.Signature)
	meta, err := conversionMetadata(o.Source)
	if err != nil {
		return nil, err
	}
	m.Metadata = []graph.Metadata{{Name: "CONVERSION_METADATA", Data: meta}}
	return m, m.Validate()
}

// build lowers the nodes one by one.
func (b *builder) build() error {
	inputs := map[int]bool{}
	for i := range b.src.Inputs {
		p := &b.src.Inputs[i]
		if p.Ref.Node < 0 || p.Ref.Node >= len(b.src.Nodes) || inputs[p.Ref.Node] {
			return fmt.Errorf("input %.80q is no node of its own: %w", p.Name, tensor.ErrMalformed)
		}
		inputs[p.Ref.Node] = true
		b.input(p)
	}
	var errs []error
	for _, i := range executionOrder(b.src) {
		n := b.src.Nodes[i]
		if inputs[i] {
			continue
		}
		if err := b.node(i, n); err != nil {
			errs = append(errs, fmt.Errorf("node %.120q (%s): %w", n.Name, n.Op, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, p := range b.src.Outputs {
		v, err := b.value(p.Ref)
		if err != nil {
			return fmt.Errorf("output %.80q: %w", p.Name, err)
		}
		b.sub.Outputs = append(b.sub.Outputs, v)
	}
	return nil
}

// node lowers one node. Nodes that read what could not be lowered are left out:
// their inputs' problems are reported already.
func (b *builder) node(i int, n *savedmodel.Node) error {
	if n.Value != nil {
		b.values[i] = []graph.ValueID{b.constant(n)}
		return nil
	}
	r, ok := rules[n.Op]
	if !ok {
		return fmt.Errorf("operator %s has no lowering: %w", n.Op, tensor.ErrUnsupported)
	}
	c := &call{b: b, n: n}
	for _, ref := range n.Inputs {
		v, err := b.value(ref)
		if errors.Is(err, errMissing) {
			return nil
		} else if err != nil {
			return err
		}
		c.in = append(c.in, v)
	}
	if len(c.in) < r.inputs {
		return fmt.Errorf("%d inputs, want %d: %w", len(c.in), r.inputs, tensor.ErrMalformed)
	}
	if r.lower(c); c.err != nil {
		return c.err
	}
	c.refine()
	b.values[i] = c.out
	return nil
}

// errMissing marks a value whose node could not be lowered.
var errMissing = errors.New("not lowered")

func (b *builder) value(r savedmodel.Ref) (graph.ValueID, error) {
	if r.Node < 0 || r.Node >= len(b.values) {
		return graph.None, fmt.Errorf("node %d does not exist: %w", r.Node, tensor.ErrMalformed)
	}
	v := b.values[r.Node]
	if len(v) == 0 {
		return graph.None, errMissing
	}
	if r.Output < 0 || r.Output >= len(v) || v[r.Output] == graph.None {
		return graph.None, fmt.Errorf("output %d of node %.80q is not available: %w", r.Output, b.src.Nodes[r.Node].Name, tensor.ErrUnsupported)
	}
	return v[r.Output], nil
}

func (b *builder) signature(key string) graph.Signature {
	s := graph.Signature{Key: key}
	for i, p := range b.src.Inputs {
		s.Inputs = append(s.Inputs, graph.NamedValue{Name: p.Name, Value: b.sub.Inputs[i]})
	}
	for i, p := range b.src.Outputs {
		s.Outputs = append(s.Outputs, graph.NamedValue{Name: p.Name, Value: b.sub.Outputs[i]})
	}
	return s
}

// compatible is the TensorFlow version whose converter this one follows.
const compatible = "2.21.0"

func conversionMetadata(source fb.ModelType) ([]byte, error) {
	if source == fb.ModelTypeNONE {
		source = fb.ModelTypeTF_SAVED_MODEL
	}
	return schema.PackConversionMetadata(&fb.ConversionMetadataT{
		Environment: &fb.EnvironmentT{TensorflowVersion: compatible, ApiVersion: 2, ModelType: source},
		Options:     &fb.ConversionOptionsT{},
	})
}
