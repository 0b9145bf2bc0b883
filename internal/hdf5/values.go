package hdf5

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// values is the typed array that datasets and attributes hold. The accessors return the elements in row-major order.
type values struct {
	f        *File
	name     string // for errors
	typ      Type
	space    dataspace
	byteSize uint64                 // of all elements as stored
	read     func() ([]byte, error) // byteSize bytes, which the caller may change, aligned for tensors
}

// newValues makes values of a datatype and a dataspace message.
func (f *File) newValues(name string, typeMessage, spaceMessage []byte) (values, error) {
	typ, err := f.datatype(typeMessage)
	if err != nil {
		return values{}, err
	}
	space, err := f.dataspace(spaceMessage)
	if err != nil {
		return values{}, err
	}
	n, ok := product(space.count, uint64(typ.Size))
	if !ok || n > math.MaxInt {
		return values{}, overLimit("%d elements of %d bytes", space.count, typ.Size)
	}
	return values{f: f, name: name, typ: typ, space: space, byteSize: n}, nil
}

// Type is the type of the elements.
func (v *values) Type() Type { return v.typ }

// Shape is the size of each dimension; a scalar has none. A null dataspace, which holds no element, has the shape [0].
func (v *values) Shape() []int {
	if v.space.null {
		return []int{0}
	}
	shape := make([]int, len(v.space.dims))
	for i, d := range v.space.dims {
		shape[i] = int(d)
	}
	return shape
}

// Len is the number of elements.
func (v *values) Len() int { return int(v.space.count) }

func (v *values) wrap(err error) error { return fmt.Errorf("hdf5: %s: %w", v.name, err) }

// Bytes returns the elements as little-endian bytes, whatever the order in the file. Strings of variable length and
// types of ClassOther have none.
func (v *values) Bytes() ([]byte, error) {
	switch v.typ.Class {
	case ClassOther:
		return nil, v.wrap(unsupported("type %s", v.typ))
	case ClassVarString:
		return nil, v.wrap(wrongType("strings of variable length have no bytes"))
	}
	b, err := v.read()
	if err != nil {
		return nil, v.wrap(err)
	}
	if v.typ.bigEndian && v.typ.Size > 1 {
		for e := range slices.Chunk(b, v.typ.Size) {
			slices.Reverse(e)
		}
	}
	return b, nil
}

// Float32s returns the elements as float32, converted (rounded to nearest) from whatever numeric type they have.
func (v *values) Float32s() ([]float32, error) {
	b, err := v.Bytes()
	if err != nil {
		return nil, err
	}
	if v.typ.Class == ClassFloat && v.typ.Size == 4 {
		return tensor.View[float32](b), nil
	}
	return convert(v, b, func(e []byte) float32 { return float32(v.typ.float(e)) })
}

// Tensor returns the elements as a tensor. Types without a tensor.DType give an error wrapping tensor.ErrType.
func (v *values) Tensor() (tensor.Tensor, error) {
	d, ok := v.typ.DType()
	if !ok {
		return tensor.Tensor{}, v.wrap(wrongType("%s in a tensor", v.typ))
	}
	b, err := v.Bytes()
	if err != nil {
		return tensor.Tensor{}, err
	}
	t, err := tensor.New(d, v.Shape(), tensor.Quant{}, b)
	if err != nil {
		return tensor.Tensor{}, v.wrap(err)
	}
	return t, nil
}

// Float64s returns the elements as float64, converted from whatever numeric type they have.
func (v *values) Float64s() ([]float64, error) {
	b, err := v.Bytes()
	if err != nil {
		return nil, err
	}
	return convert(v, b, v.typ.float)
}

// Ints returns the elements of an integer or bool type. Unsigned ones above the greatest int64 give an error wrapping
// tensor.ErrLimit.
func (v *values) Ints() ([]int64, error) {
	if v.typ.isFloat() {
		return nil, v.wrap(wrongType("%s read as integers", v.typ))
	}
	b, err := v.Bytes()
	if err != nil {
		return nil, err
	}
	out, err := convert(v, b, v.typ.int)
	if err == nil && v.typ.Class == ClassUint && v.typ.Size == 8 {
		if i := slices.IndexFunc(out, func(x int64) bool { return x < 0 }); i >= 0 {
			return nil, v.wrap(overLimit("element %d is above the greatest int64", i))
		}
	}
	return out, err
}

// Strings returns the elements of a string type. Values without elements give none, whatever their type: an empty
// list of names is stored as an empty array of floats.
func (v *values) Strings() ([]string, error) {
	if v.space.count == 0 {
		return []string{}, nil
	}
	if v.typ.Class != ClassString && v.typ.Class != ClassVarString {
		return nil, v.wrap(wrongType("%s read as strings", v.typ))
	}
	b, err := v.read()
	if err != nil {
		return nil, v.wrap(err)
	}
	h := v.f.globalHeap()
	out := make([]string, 0, v.space.count)
	for e := range slices.Chunk(b, v.typ.Size) {
		s := ""
		if v.typ.Class == ClassString {
			s = fixedString(e, v.typ.padding)
		} else if s, err = h.string(e); err != nil {
			return nil, v.wrap(fmt.Errorf("global heap: %w", err))
		}
		out = append(out, s)
	}
	return out, nil
}

// Text returns the only element of a string type.
func (v *values) Text() (string, error) {
	if v.space.count != 1 {
		return "", v.wrap(wrongShape("%d strings instead of one", v.space.count))
	}
	s, err := v.Strings()
	if err != nil {
		return "", err
	}
	return s[0], nil
}

func fixedString(b []byte, padding uint8) string {
	switch padding {
	case padNull:
		return strings.TrimRight(string(b), "\x00")
	case padSpace:
		return strings.TrimRight(string(b), " ")
	}
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// convert applies get to each element of the numeric values v with the little-endian bytes b.
func convert[T any](v *values, b []byte, get func([]byte) T) ([]T, error) {
	if !v.typ.isFloat() && !v.typ.isInt() {
		return nil, v.wrap(wrongType("%s read as numbers", v.typ))
	}
	out := make([]T, v.space.count)
	for i := range out {
		out[i] = get(b[i*v.typ.Size:][:v.typ.Size])
	}
	return out, nil
}

func (t Type) isFloat() bool { return t.Class == ClassFloat || t.Class == ClassBFloat }

func (t Type) isInt() bool {
	return t.Class == ClassInt || t.Class == ClassUint || t.Class == ClassBool
}

// float is the value of a little-endian number of type t.
func (t Type) float(b []byte) float64 {
	u := littleUint(b)
	switch t.Class {
	case ClassBFloat:
		return float64(math.Float32frombits(uint32(u) << 16))
	case ClassFloat:
		switch t.Size {
		case 2:
			return float64(tensor.Float16ToFloat32(uint16(u)))
		case 4:
			return float64(math.Float32frombits(uint32(u)))
		}
		return math.Float64frombits(u)
	case ClassUint:
		return float64(u)
	}
	return float64(t.int(b))
}

// int is the value of a little-endian integer of type t; unsigned 64-bit ones wrap.
func (t Type) int(b []byte) int64 {
	u := littleUint(b)
	if t.Class == ClassUint {
		return int64(u)
	}
	unused := 64 - 8*t.Size
	return int64(u<<unused) >> unused
}

// dtypes has a row for each type that has a tensor.DType.
var dtypes = map[Type]tensor.DType{
	{Class: ClassFloat, Size: 2}: tensor.Float16, {Class: ClassFloat, Size: 4}: tensor.Float32,
	{Class: ClassFloat, Size: 8}: tensor.Float64, {Class: ClassBFloat, Size: 2}: tensor.BFloat16,
	{Class: ClassInt, Size: 1}: tensor.Int8, {Class: ClassInt, Size: 2}: tensor.Int16,
	{Class: ClassInt, Size: 4}: tensor.Int32, {Class: ClassInt, Size: 8}: tensor.Int64,
	{Class: ClassUint, Size: 1}: tensor.UInt8, {Class: ClassUint, Size: 2}: tensor.UInt16,
	{Class: ClassUint, Size: 4}: tensor.UInt32, {Class: ClassUint, Size: 8}: tensor.UInt64,
	{Class: ClassBool, Size: 1}: tensor.Bool,
}

// DType is the tensor element type whose bytes Bytes returns; ok is false if there is none.
func (t Type) DType() (d tensor.DType, ok bool) {
	d, ok = dtypes[Type{Class: t.Class, Size: t.Size}]
	return d, ok
}

// globalHeap reads strings of variable length. Objects that come twice are read once, so many references to one long
// string take no memory.
type globalHeap struct {
	f           *File
	w           *walk
	collections map[uint64]map[uint16]string
}

func (f *File) globalHeap() *globalHeap {
	return &globalHeap{f, f.newWalk(), map[uint64]map[uint16]string{}}
}

// string returns the string that a reference (length, address of the collection, index) leads to, up to its first NUL.
func (h *globalHeap) string(ref []byte) (string, error) {
	c := h.f.cursor(ref)
	n, addr, index := uint64(c.u32()), c.offset(), c.u32()
	if c.err != nil || n == 0 {
		return "", c.err
	}
	objects, ok := h.collections[addr]
	if !ok {
		var err error
		if objects, err = h.load(addr); err != nil {
			return "", err
		}
		h.collections[addr] = objects
	}
	s, ok := objects[uint16(index)]
	if !ok || index > math.MaxUint16 || n > uint64(len(s)) {
		return "", malformed("string of %d bytes, object %d at %#x has %d", n, index, addr, len(s))
	}
	s, _, _ = strings.Cut(s[:n], "\x00")
	return s, nil
}

// load reads the objects of the collection at addr.
func (h *globalHeap) load(addr uint64) (map[uint16]string, error) {
	b, err := h.f.bytes(addr, uint64(8+h.f.lengthSize))
	if err != nil {
		return nil, err
	}
	c := h.f.cursor(b[4:])
	c.expect("version", 1)
	c.skip(3)
	size := c.length()
	if c.err != nil {
		return nil, c.err
	}
	if b, err = h.f.block(h.w, "GCOL", addr, size); err != nil {
		return nil, err
	}
	// The collection's header and that of each object fill a multiple of eight bytes.
	head, pad := 8+h.f.lengthSize, -h.f.lengthSize&7
	objects := map[uint16]string{}
	c = h.f.cursor(b)
	c.skip(head + pad)
	for len(c.b) >= head+pad {
		index := c.u16()
		c.skip(6)
		n := c.length()
		c.skip(pad)
		if index == 0 { // free space up to the end
			break
		}
		if n > uint64(len(c.b)) {
			return nil, malformed("object of %d bytes in collection at %#x", n, addr)
		}
		objects[index] = string(c.take(n))
		c.take(min(-n&7, uint64(len(c.b))))
	}
	return objects, c.err
}
