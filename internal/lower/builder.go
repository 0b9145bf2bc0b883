package lower

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/pass"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// builder is a subgraph in the making.
type builder struct {
	src      *savedmodel.Graph
	ops      op.Set
	train    bool
	sub      *graph.Subgraph
	values   [][]graph.ValueID // results of each node of src
	literals map[literal]graph.ValueID
	seed     maphash.Seed
	permuted map[permutation]graph.ValueID
	// partial holds what is known about the elements of computed integer values,
	// -1 for those that depend on data.
	partial map[graph.ValueID][]int
}

// permutation identifies a constant in another order of axes.
type permutation struct {
	of   graph.ValueID
	perm string
}

// literal identifies a constant: a variable, or equal bytes in one function.
type literal struct {
	variable *savedmodel.Variable
	scope    string
	dtype    tensor.DType
	shape    string
	hash     uint64
}

func (b *builder) input(p *savedmodel.Port) {
	v := graph.Value{DType: p.DType, Origins: []string{b.src.Nodes[p.Ref.Node].Name}}
	if v.Unranked = p.Shape == nil; !v.Unranked {
		v.SetPartial(p.Shape)
	}
	id := b.sub.Add(v)
	b.sub.Inputs = append(b.sub.Inputs, id)
	b.values[p.Ref.Node] = []graph.ValueID{id}
}

// constant returns the value of a Const; a variable that is read twice is one
// value. TensorFlow merges equal constants of one function before it inlines
// functions, which leaves them an empty origin.
func (b *builder) constant(n *savedmodel.Node) graph.ValueID {
	v := graph.Value{DType: n.Value.DType(), Shape: n.Value.Shape().Clone(), Const: bytesOf(*n.Value), Origins: []string{n.Name}}
	key := literal{variable: n.Variable}
	if n.Variable != nil {
		v.Param = &graph.Param{Name: n.Variable.Name, Trainable: n.Variable.Trainable, Shape: v.Shape}
	} else {
		key = literal{scope: n.Scope, dtype: v.DType, shape: v.Shape.String(), hash: maphash.Bytes(b.seed, v.Const)}
	}
	if id, ok := b.literals[key]; ok && bytes.Equal(b.sub.Value(id).Const, v.Const) {
		if n.Variable == nil {
			b.sub.Value(id).Origins = []string{""}
		}
		return id
	}
	id := b.sub.Add(v)
	b.literals[key] = id
	return id
}

// call is one TensorFlow node in the course of being lowered. The first problem
// sticks in err: methods then do nothing and return None, nil or zero, so that
// rules need no checks of their own.
type call struct {
	b   *builder
	n   *savedmodel.Node
	in  []graph.ValueID
	out []graph.ValueID
	err error
	// absorbed are the origins of constants that became options.
	absorbed []string
}

func (c *call) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// done declares the node's results.
func (c *call) done(v ...graph.ValueID) { c.out = v }

// origins are what the nodes and constants of this call come from: the node, and
// the constants that became options.
func (c *call) origins() []string { return graph.MergeOrigins([]string{c.n.Name}, c.absorbed) }

// absorb adds a constant that becomes an option to the origins.
func (c *call) absorb(v graph.ValueID) { c.absorbed = graph.MergeOrigins(c.absorbed, c.val(v).Origins) }

// emit appends a node with one result of the first operand's type.
func (c *call) emit(code schema.BuiltinOperator, options any, in ...graph.ValueID) graph.ValueID {
	return c.emitAs(c.dtype(in[0]), code, options, in...)
}

// emitAs appends a node with one result of type d.
func (c *call) emitAs(d tensor.DType, code schema.BuiltinOperator, options any, in ...graph.ValueID) graph.ValueID {
	return c.emitMany([]tensor.DType{d}, code, options, in...)[0]
}

// emitMany appends a node with results of the given types, whose shapes the
// operator's row derives.
func (c *call) emitMany(types []tensor.DType, code schema.BuiltinOperator, options any, in ...graph.ValueID) []graph.ValueID {
	out := make([]graph.ValueID, len(types))
	for k := range out {
		out[k] = graph.None
	}
	if c.err != nil {
		return out
	}
	for k, d := range types {
		out[k] = c.b.sub.Add(graph.Value{DType: d, Origins: c.origins()})
	}
	n := graph.Node{Op: graph.OpCode(code), Inputs: slices.Clone(in), Outputs: out, Options: options, Origins: c.origins()}
	if err := pass.Derive(c.b.ops, c.b.sub, &n); err != nil {
		c.fail("as %s: %w", code, err)
		return out
	}
	c.b.sub.Nodes = append(c.b.sub.Nodes, n)
	return out
}

func (c *call) val(v graph.ValueID) *graph.Value {
	if c.err != nil || v == graph.None {
		return &graph.Value{Unranked: true}
	}
	return c.b.sub.Value(v)
}

func (c *call) dtype(v graph.ValueID) tensor.DType { return c.val(v).DType }

// shape returns a value's partial shape, nil if nothing is known about it.
func (c *call) shape(v graph.ValueID) tensor.Shape {
	if x := c.val(v); !x.Unranked {
		return x.Partial()
	}
	return nil
}

// rank returns the number of dimensions; where it is not known the node cannot
// be lowered.
func (c *call) rank(v graph.ValueID) int {
	s := c.shape(v)
	if s == nil {
		c.fail("input of unknown rank: %w", tensor.ErrUnsupported)
	}
	return len(s)
}

// isRank reports whether a value is known to have n dimensions.
func (c *call) isRank(v graph.ValueID, n int) bool {
	s := c.shape(v)
	return s != nil && len(s) == n
}

// axis resolves an axis that may be negative.
func (c *call) axis(v graph.ValueID, axis int) int {
	if axis >= 0 {
		return axis // rows check it
	}
	rank := c.rank(v)
	if c.err != nil {
		return 0
	}
	a, err := tensor.Shape(make([]int, rank)).Axis(axis)
	if err != nil {
		c.fail("%w", err)
	}
	return a
}

// ints returns what is known about the elements of an integer value, -1 for
// those that are not known; nil if nothing is.
func (c *call) ints(v graph.ValueID) []int {
	x := c.val(v)
	if !x.IsConst() {
		return c.b.partial[v]
	}
	e, err := op.IntsOf(x.Tensor())
	if err != nil {
		return nil
	}
	return e
}

// constInt returns the one element of an integer constant; anything else cannot
// be lowered.
func (c *call) constInt(v graph.ValueID, what string) int {
	if c.err == nil && !c.val(v).IsConst() {
		c.fail("%s is not constant: %w", what, tensor.ErrUnsupported)
	}
	e := c.ints(v)
	if c.err == nil && len(e) != 1 {
		c.fail("%s is not one integer: %w", what, tensor.ErrMalformed)
	}
	if c.err != nil {
		return 0
	}
	return e[0]
}

// index returns an integer operand as int32, the type TFLite's shape operands
// have.
func (c *call) index(v graph.ValueID) graph.ValueID {
	x := c.val(v)
	if c.err != nil || x.DType == tensor.Int32 {
		return v
	}
	if x.DType != tensor.Int64 {
		c.fail("%v where an index is expected: %w", x.DType, tensor.ErrMalformed)
		return graph.None
	}
	if x.IsConst() {
		return c.int32s(x.Shape, x.Origins, c.ints(v)...)
	}
	y := c.emitAs(tensor.Int32, schema.CAST, castOptions(x.DType, tensor.Int32), v)
	c.know(y, c.ints(v))
	return y
}

// know records what is known about the elements of a computed integer value.
func (c *call) know(v graph.ValueID, e []int) {
	if c.err == nil && e != nil {
		c.b.partial[v] = e
	}
}

// declare sets the shape of a value whose row could not derive it.
func (c *call) declare(v graph.ValueID, s tensor.Shape) {
	if x := c.val(v); x.Unranked && v != graph.None && c.err == nil {
		x.Unranked = false
		x.SetPartial(s)
	}
}

// unsupported records a meaning that TFLite's operator does not have.
func (c *call) unsupported(format string, args ...any) {
	c.fail("%s: %w", fmt.Sprintf(format, args...), tensor.ErrUnsupported)
}
