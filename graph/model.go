// Package graph is the one in-memory form of a model: TFLite's subgraphs,
// values and nodes, as plain indexed lists, so that a file that was read can be
// written again unchanged. Importers build it, passes and quantizers rewrite a
// clone of it, engines compile it. A published Model is not changed any more.
package graph

import (
	"slices"

	"github.com/litequant/litequant/tensor"
)

// OpCode says what a node computes: TFLite's BuiltinOperator number, or one of
// the internal operators (Internal and above) that no file can hold.
type OpCode int32

const (
	// Custom is the code of operators that are named by Node.Custom.
	Custom OpCode = 32
	// Internal is the first code of operators that exist in memory only.
	Internal OpCode = 1 << 16
)

// ValueID is an index into Subgraph.Values; None stands for an absent operand.
type ValueID int32

// None is the ID of an optional operand that is not there.
const None ValueID = -1

// Model is a set of subgraphs; Subgraphs[0] is the main one.
type Model struct {
	Description string
	Subgraphs   []*Subgraph
	Signatures  []Signature
	Metadata    []Metadata
	// File holds what only the file format knows (see package tflite); nil for
	// models that were not read from a file.
	File any
}

// Metadata is a named blob of the file.
type Metadata struct {
	Name string
	Data []byte
}

// Signature names the inputs and outputs of a subgraph.
type Signature struct {
	Key      string
	Subgraph int
	Inputs   []NamedValue
	Outputs  []NamedValue
}

// NamedValue is a value under a signature's name.
type NamedValue struct {
	Name  string
	Value ValueID
}

// Subgraph is a list of nodes in execution order over a list of values.
type Subgraph struct {
	Name    string
	Values  []Value
	Inputs  []ValueID
	Outputs []ValueID
	Nodes   []Node
	// File holds what only the file format knows.
	File any
}

// Value is a tensor's declaration: an input, a constant, a variable or the
// result of a node.
type Value struct {
	Name  string
	DType tensor.DType
	// Shape is the shape that a file declares, with 1 where a dimension is
	// dynamic. Signature is nil, or the same shape with -1 there.
	Shape     tensor.Shape
	Signature tensor.Shape
	// Unranked marks a value about whose shape nothing is known.
	Unranked bool
	Quant    tensor.Quant
	// Const holds a constant's bytes; nil for values that are computed. A
	// constant of zero elements holds an empty, non-nil slice.
	Const    []byte
	Variable bool
	// External names the file that a constant's bytes lie in, where they have not been
	// read: Const is nil.
	External string
	// Sparsity, if not nil, says that Const holds some elements only and where they
	// belong; see Dense.
	Sparsity *Sparsity
	// Blockwise, if not nil, replaces Quant: each row of a matrix has a scale for
	// every Size elements.
	Blockwise *Blockwise
	// Origins are the layer paths and graph nodes the value comes from.
	Origins []string
	// Param links a constant or variable to the trained weight it holds.
	Param *Param
	// File holds what only the file format knows.
	File any
}

// Blockwise is the quantization of a matrix in blocks along its rows. Scales is a
// constant of the same subgraph that holds them, float16 and row by row. ZeroPoints
// is kept for the file only: kernels take all as 0, as LiteRT's do.
type Blockwise struct {
	Size               int
	Scales, ZeroPoints ValueID
	// Axes, if not nil, are the dimensions that have scales of their own: LiteRT's
	// MultiAxisQuantization, which no kernel knows.
	Axes []int
}

// Param says which weight of a network a value holds.
type Param struct {
	Name      string // the weight's path in its network
	Trainable bool
	// Perm is the permutation from the weight's own layout to the value's, as
	// tf.transpose takes it; nil for the same layout. Shape is the weight's own
	// shape, which may also differ by a reshape.
	Perm  []int
	Shape tensor.Shape
}

// Partial returns the value's shape with -1 for dimensions that may vary. An empty
// signature says nothing: some writers give it to every tensor.
func (v *Value) Partial() tensor.Shape {
	if len(v.Signature) > 0 {
		return v.Signature
	}
	return v.Shape
}

// SetPartial declares a shape that may have unknown dimensions.
func (v *Value) SetPartial(s tensor.Shape) {
	v.Shape, v.Signature = s.Clone(), nil
	if s.Known() {
		return
	}
	v.Signature = s.Clone()
	for i, d := range v.Shape {
		v.Shape[i] = max(d, 1)
		if d >= 0 {
			v.Shape[i] = d
		}
	}
}

// IsConst reports whether the value's bytes are part of the model.
func (v *Value) IsConst() bool { return v.Const != nil }

// Tensor returns a constant's bytes with their meaning. Sparse constants have none:
// see Dense.
func (v *Value) Tensor() tensor.Tensor { return tensor.Raw(v.DType, v.Shape, v.Quant, v.Const) }

// Node is one operation.
type Node struct {
	Op     OpCode
	Custom string // custom operators: their name
	// Version is the operator version a file declares; 0 lets the operator's
	// row decide on write.
	Version       int
	Inputs        []ValueID
	Outputs       []ValueID
	Intermediates []ValueID
	// Options is nil or a pointer to the operator's option struct
	// (schema's …OptionsT), CustomOptions a custom operator's bytes.
	Options       any
	CustomOptions []byte
	// Origins are the layer paths and graph nodes the node comes from.
	Origins []string
	// File holds what only the file format knows.
	File any
}

// Options returns the options of a node as *T, or the zero T where the node has
// none: the schema's defaults are zero values unless its row says otherwise.
func Options[T any](n *Node) *T {
	if o, ok := n.Options.(*T); ok && o != nil {
		return o
	}
	return new(T)
}

// Clone returns a copy that can be edited without touching m. Constant bytes and
// option structs are shared: passes replace them, never write into them.
func (m *Model) Clone() *Model {
	c := *m
	c.Subgraphs = make([]*Subgraph, len(m.Subgraphs))
	for i, s := range m.Subgraphs {
		c.Subgraphs[i] = s.clone()
	}
	c.Signatures = slices.Clone(m.Signatures)
	for i := range c.Signatures {
		s := &c.Signatures[i]
		s.Inputs, s.Outputs = slices.Clone(s.Inputs), slices.Clone(s.Outputs)
	}
	c.Metadata = slices.Clone(m.Metadata)
	return &c
}

func (s *Subgraph) clone() *Subgraph {
	c := *s
	c.Values = slices.Clone(s.Values)
	c.Inputs, c.Outputs = slices.Clone(s.Inputs), slices.Clone(s.Outputs)
	c.Nodes = slices.Clone(s.Nodes)
	for i := range c.Nodes {
		n := &c.Nodes[i]
		n.Inputs, n.Outputs = slices.Clone(n.Inputs), slices.Clone(n.Outputs)
		n.Intermediates = slices.Clone(n.Intermediates)
	}
	return &c
}

// Signature returns the signature with the given key; "" asks for the only one.
func (m *Model) Signature(key string) (*Signature, bool) {
	if key == "" && len(m.Signatures) == 1 {
		return &m.Signatures[0], true
	}
	for i := range m.Signatures {
		if m.Signatures[i].Key == key {
			return &m.Signatures[i], true
		}
	}
	return nil, false
}

// Main returns the first subgraph.
func (m *Model) Main() *Subgraph { return m.Subgraphs[0] }

// MetadataOf returns the blob of that name, nil if there is none.
func (m *Model) MetadataOf(name string) []byte {
	for _, d := range m.Metadata {
		if d.Name == name {
			return d.Data
		}
	}
	return nil
}
