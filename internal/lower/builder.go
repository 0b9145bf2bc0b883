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

// bytesOf returns a constant's bytes, aligned for kernels and never nil.
func bytesOf(t tensor.Tensor) []byte {
	if b := t.Bytes(); len(b) > 0 && tensor.IsAligned(b, 16) {
		return b
	}
	b := tensor.Aligned(len(t.Bytes()))
	copy(b, t.Bytes())
	return b
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

// axis resolves an axis that may be negative.
func (c *call) axis(v graph.ValueID, axis int) int {
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

// constInts returns the elements of an integer constant; anything else cannot be
// lowered.
func (c *call) constInts(v graph.ValueID, what string) []int {
	if c.err == nil && !c.val(v).IsConst() {
		c.fail("%s is not constant: %w", what, tensor.ErrUnsupported)
	}
	e := c.ints(v)
	if e == nil {
		c.fail("%s is no integer constant: %w", what, tensor.ErrMalformed)
	}
	return e
}

// constInt is constInts for one element.
func (c *call) constInt(v graph.ValueID, what string) int {
	e := c.constInts(v, what)
	if c.err == nil && len(e) != 1 {
		c.fail("%s has %d elements, want one: %w", what, len(e), tensor.ErrMalformed)
	}
	if c.err != nil {
		return 0
	}
	return e[0]
}

// add adds a constant.
func (c *call) add(v graph.Value) graph.ValueID {
	if c.err != nil {
		return graph.None
	}
	return c.b.sub.Add(v)
}

// int32s adds an int32 constant of a shape.
func (c *call) int32s(s tensor.Shape, origins []string, v ...int) graph.ValueID {
	if n, err := s.Elems(); err != nil || n != len(v) {
		c.fail("%d integers for shape %v: %w", len(v), s, tensor.ErrShape)
		return graph.None
	}
	data := tensor.Aligned(4 * len(v))
	for i, x := range v {
		if x != int(int32(x)) {
			c.fail("%d does not fit int32: %w", x, tensor.ErrUnsupported)
		}
		tensor.View[int32](data)[i] = int32(x)
	}
	return c.add(graph.Value{DType: tensor.Int32, Shape: s, Const: data, Origins: origins})
}

// float adds a float32 scalar.
func (c *call) float(x float32) graph.ValueID {
	return c.add(graph.Value{DType: tensor.Float32, Shape: tensor.Shape{}, Const: tensor.BytesOf([]float32{x})})
}

// zeros adds a float32 vector of zeros: the bias of what has none.
func (c *call) zeros(n int) graph.ValueID {
	const most = 1 << 26
	if c.err != nil || n < 0 || n > most {
		c.fail("%d channels: %w", n, tensor.ErrLimit)
		return graph.None
	}
	return c.add(graph.Value{DType: tensor.Float32, Shape: tensor.Shape{n}, Const: tensor.Aligned(4 * n), Origins: c.origins()})
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

// transpose returns v in another order of axes, as tf.transpose takes it. A
// constant is permuted here, whatever it holds; parameters remember how.
func (c *call) transpose(v graph.ValueID, perm ...int) graph.ValueID {
	if c.err != nil {
		return graph.None
	}
	x := c.val(v)
	if !x.IsConst() {
		return c.emit(schema.TRANSPOSE, nil, v, c.int32s(tensor.Shape{len(perm)}, c.origins(), perm...))
	}
	key := permutation{v, fmt.Sprint(perm)}
	if id, ok := c.b.permuted[key]; ok {
		return id
	}
	t, err := transposed(x.Tensor(), perm)
	if err != nil {
		c.fail("%w", err)
		return graph.None
	}
	id := c.add(graph.Value{DType: x.DType, Shape: t.Shape(), Const: t.Bytes(), Origins: c.origins(), Param: permutedParam(x.Param, perm)})
	c.b.permuted[key] = id
	return id
}

// permutedParam describes a parameter whose value was permuted (once more).
func permutedParam(p *graph.Param, perm []int) *graph.Param {
	if p == nil {
		return nil
	}
	q := *p
	q.Perm = slices.Clone(perm)
	if p.Perm != nil {
		for i, a := range perm {
			q.Perm[i] = p.Perm[a]
		}
	}
	return &q
}

// reshaped returns v under another shape of the same size. A constant keeps its
// bytes; one that holds a permuted parameter is reshaped by a node in training.
func (c *call) reshaped(v graph.ValueID, s tensor.Shape) graph.ValueID {
	if c.err != nil {
		return graph.None
	}
	x := c.val(v)
	permuted := x.Param != nil && x.Param.Perm != nil
	if !x.IsConst() || permuted && c.b.train {
		return c.emit(schema.RESHAPE, nil, v, c.int32s(tensor.Shape{len(s)}, c.origins(), s...))
	}
	if _, err := x.Tensor().Reshaped(s); err != nil {
		c.fail("%w", err)
	}
	y := graph.Value{DType: x.DType, Shape: s, Const: x.Const, Origins: c.origins()}
	if !permuted {
		y.Param = x.Param
	}
	return c.add(y)
}

// transposed permutes the axes of a tensor of whole-byte elements.
func transposed(t tensor.Tensor, perm []int) (tensor.Tensor, error) {
	in, size := t.Shape(), t.DType().Size()
	if len(perm) != len(in) || size == 0 {
		return t, fmt.Errorf("%v%v does not transpose by %v: %w", t.DType(), in, perm, tensor.ErrShape)
	}
	strides := make([]int, len(in)) // of the input, in bytes
	for i, n := len(in)-1, size; i >= 0; i-- {
		strides[i] = n
		n *= in[i]
	}
	shape, step, seen := make(tensor.Shape, len(in)), make([]int, len(in)), make([]bool, len(in))
	for i, p := range perm {
		if p < 0 || p >= len(in) || seen[p] {
			return t, fmt.Errorf("permutation %v: %w", perm, tensor.ErrMalformed)
		}
		seen[p], shape[i], step[i] = true, in[p], strides[p]
	}
	src, dst := t.Bytes(), tensor.Aligned(len(t.Bytes()))
	at, pos := make([]int, len(shape)), 0
	for to := 0; to < len(dst); to += size {
		copy(dst[to:to+size], src[pos:pos+size])
		for i := len(shape) - 1; i >= 0; i-- {
			at[i]++
			pos += step[i]
			if at[i] < shape[i] {
				break
			}
			pos -= step[i] * shape[i]
			at[i] = 0
		}
	}
	return tensor.Raw(t.DType(), shape, tensor.Quant{}, dst), nil
}

// unsupported records a meaning that TFLite's operator does not have.
func (c *call) unsupported(format string, args ...any) {
	c.fail("%s: %w", fmt.Sprintf(format, args...), tensor.ErrUnsupported)
}
