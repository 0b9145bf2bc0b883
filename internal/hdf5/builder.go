package hdf5

import (
	"fmt"
	"math"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// Builder collects the groups, datasets and attributes of a file to be written by WriteTo. The first error of any call
// below is kept and returned by WriteTo. A Builder refers to the slices it is given, which must not change before
// WriteTo is done. It is not safe for concurrent use.
type Builder struct {
	root *GroupBuilder
	err  error
}

// NewBuilder returns a Builder of a file with an empty root group.
func NewBuilder() *Builder {
	b := &Builder{}
	b.root = newGroupBuilder(b, "/")
	return b
}

// Root returns the root group.
func (b *Builder) Root() *GroupBuilder { return b.root }

// Err returns the first error so far.
func (b *Builder) Err() error { return b.err }

func (b *Builder) fail(path string, err error) {
	if b.err == nil {
		b.err = fmt.Errorf("hdf5: %s: %w", path, err)
	}
}

// node is what groups and datasets being built have in common.
type node struct {
	b     *Builder
	path  string
	attrs []namedPayload
}

type namedPayload struct {
	name string
	*payload
}

// GroupBuilder is a group being built.
type GroupBuilder struct {
	node
	groups   map[string]*GroupBuilder
	datasets map[string]*DatasetBuilder
}

// DatasetBuilder is a dataset being built.
type DatasetBuilder struct {
	node
	data *payload
}

func newGroupBuilder(b *Builder, path string) *GroupBuilder {
	return &GroupBuilder{node: node{b: b, path: path}, groups: map[string]*GroupBuilder{}, datasets: map[string]*DatasetBuilder{}}
}

// Group returns the group at a path below this one; groups that are missing on the way are made.
func (g *GroupBuilder) Group(path string) *GroupBuilder {
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		sub, ok := g.groups[name]
		if !ok {
			sub = newGroupBuilder(g.b, join(g.path, name))
			g.claim(name)
			g.groups[name] = sub
		}
		g = sub
	}
	return g
}

// Dataset adds a dataset at a path below this group; groups that are missing on the way are made. The value is one of
//   - a tensor of numbers or bools; as HDF5 knows no bfloat16, these become opaque bytes, which Keras marks by an
//     attribute "dtype";
//   - []float32 or []int64, for one dimension;
//   - []string, for one dimension of strings padded to the length of the longest, as NumPy does;
//   - float32, int64, int (stored as int64) or bool, for a scalar;
//   - string, for a scalar of variable length.
func (g *GroupBuilder) Dataset(path string, value any) *DatasetBuilder {
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	g = g.Group(dir)
	d := &DatasetBuilder{node: node{b: g.b, path: join(g.path, name)}}
	g.claim(name)
	var err error
	if d.data, err = newPayload(value); err != nil {
		g.b.fail(d.path, err)
	}
	g.datasets[name] = d
	return d
}

// claim checks the name of a new link.
func (g *GroupBuilder) claim(name string) {
	if name == "" || name == "." || len(name) > maxName || strings.ContainsRune(name, 0) {
		g.b.fail(g.path, malformed("name %.40q of %d bytes", name, len(name)))
	}
	if g.groups[name] != nil || g.datasets[name] != nil {
		g.b.fail(g.path, malformed("two objects named %q", name))
	}
}

// SetAttr adds an attribute; the value is as for Dataset. All but a string must fit in the 64 KiB of a header message,
// else the error wraps tensor.ErrLimit; Keras cuts longer lists of names into several attributes.
func (n *node) SetAttr(name string, value any) {
	p, err := newPayload(value)
	switch {
	case err != nil:
	case name == "" || len(name) > 1<<10 || strings.ContainsRune(name, 0):
		err = malformed("attribute name of %d bytes", len(name))
	case p.count > maxMessage/p.size:
		err = overLimit("%d elements of %d bytes; an attribute holds less than 64 KiB", p.count, p.size)
	}
	for _, a := range n.attrs {
		if a.name == name {
			err = malformed("attribute is set twice")
		}
	}
	if err != nil {
		n.b.fail(n.path+"@"+name, err)
		return
	}
	n.attrs = append(n.attrs, namedPayload{name, p})
}

// payload is the values of a dataset or attribute.
type payload struct {
	typ   []byte // datatype message
	size  int    // bytes of an element
	count int
	shape []int
	data  []byte  // the elements, unless
	text  *string // it is one string of variable length, of which a reference is stored
}

// newPayload makes a payload of one of the values that Dataset lists.
func newPayload(v any) (*payload, error) {
	switch v := v.(type) {
	case tensor.Tensor:
		return tensorPayload(v)
	case []float32:
		return numbers(tensor.Float32, []int{len(v)}, v)
	case []int64:
		return numbers(tensor.Int64, []int{len(v)}, v)
	case []string:
		return fixedStrings(v)
	case float32:
		return numbers(tensor.Float32, nil, []float32{v})
	case int64:
		return numbers(tensor.Int64, nil, []int64{v})
	case int:
		return numbers(tensor.Int64, nil, []int64{int64(v)})
	case bool:
		return numbers(tensor.Bool, nil, []bool{v})
	case string:
		return textPayload(v)
	}
	return nil, wrongType("values of Go type %T", v)
}

func numbers[T tensor.Element](d tensor.DType, shape tensor.Shape, v []T) (*payload, error) {
	return tensorPayload(tensor.Raw(d, shape, tensor.Quant{}, tensor.BytesOf(v)))
}

func tensorPayload(t tensor.Tensor) (*payload, error) {
	typ, ok := typeOf(t.DType())
	if !ok {
		return nil, unsupported("elements of type %v", t.DType())
	}
	n, err := t.Shape().Elems()
	if err != nil {
		return nil, err
	}
	if n*typ.Size != len(t.Bytes()) || len(t.Shape()) > maxRank {
		return nil, wrongShape("%d bytes of %v in shape %v", len(t.Bytes()), t.DType(), t.Shape())
	}
	return &payload{typ: encodeDatatype(typ), size: typ.Size, count: n, shape: t.Shape(), data: t.Bytes()}, nil
}

// typeOf is the type in which elements of a DType are stored.
func typeOf(d tensor.DType) (Type, bool) {
	if d == tensor.BFloat16 {
		return Type{Class: ClassOpaque, Size: 2}, true
	}
	for t, x := range dtypes {
		if x == d {
			return t, true
		}
	}
	return Type{}, false
}

// fixedStrings pads strings with NUL to the length of the longest.
func fixedStrings(v []string) (*payload, error) {
	const maxTotal = 1 << 28
	typ := Type{Class: ClassString, Size: 1, padding: padNull}
	for _, s := range v {
		if strings.HasSuffix(s, "\x00") {
			return nil, malformed("string %.40q ends in NUL", s)
		}
		typ.Size = max(typ.Size, len(s))
	}
	if len(v) > maxTotal/typ.Size {
		return nil, overLimit("%d strings padded to %d bytes", len(v), typ.Size)
	}
	data := make([]byte, len(v)*typ.Size)
	for i, s := range v {
		copy(data[i*typ.Size:], s)
	}
	return &payload{typ: encodeDatatype(typ), size: typ.Size, count: len(v), shape: []int{len(v)}, data: data}, nil
}

func textPayload(s string) (*payload, error) {
	if strings.ContainsRune(s, 0) {
		return nil, malformed("string with NUL")
	}
	if uint64(len(s)) > math.MaxUint32 {
		return nil, overLimit("string of %d bytes", len(s))
	}
	typ := Type{Class: ClassVarString, Size: referenceSize}
	return &payload{typ: encodeDatatype(typ), size: referenceSize, count: 1, text: &s}, nil
}
