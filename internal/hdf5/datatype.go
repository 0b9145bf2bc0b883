package hdf5

import (
	"fmt"
	"math"
	"slices"
)

// Class is the kind of the elements of a dataset or attribute.
type Class uint8

// The classes that are told apart. Values of ClassOther (compound, array, reference, sequence, time, bit field and
// numbers of unusual layout) cannot be read.
const (
	ClassOther     Class = iota
	ClassInt             // two's complement integer of 1 to 8 bytes
	ClassUint            // unsigned integer of 1 to 8 bytes
	ClassBool            // h5py's bool: an enumeration of FALSE and TRUE over int8
	ClassFloat           // IEEE 754 binary16, binary32 or binary64
	ClassBFloat          // bfloat16
	ClassString          // string of fixed length
	ClassVarString       // string of variable length
	ClassOpaque          // bytes without meaning to HDF5
)

// Type is the type of the elements of a dataset or attribute.
type Type struct {
	Class Class
	Size  int // bytes of an element in the file

	bigEndian bool
	padding   uint8  // of a fixed string
	other     string // what a ClassOther is
}

// Padding of fixed strings.
const (
	padNullTerm = 0
	padNull     = 1
	padSpace    = 2
)

// String names the type as numpy does where numpy has it: "float32", "int8", "bool"; else "string", "opaque" and so on.
func (t Type) String() string {
	switch t.Class {
	case ClassInt:
		return fmt.Sprintf("int%d", 8*t.Size)
	case ClassUint:
		return fmt.Sprintf("uint%d", 8*t.Size)
	case ClassFloat:
		return fmt.Sprintf("float%d", 8*t.Size)
	case ClassBFloat:
		return "bfloat16"
	case ClassBool:
		return "bool"
	case ClassString, ClassVarString:
		return "string"
	case ClassOpaque:
		return "opaque"
	}
	return t.other
}

// Datatype classes of the format.
const (
	dtFixed     = 0
	dtFloat     = 1
	dtTime      = 2
	dtString    = 3
	dtBitfield  = 4
	dtOpaque    = 5
	dtCompound  = 6
	dtReference = 7
	dtEnum      = 8
	dtVarLen    = 9
	dtArray     = 10
)

// otherNames has a row for each datatype class of which no value is read.
var otherNames = map[uint8]string{
	dtTime: "time", dtBitfield: "bit field", dtCompound: "compound", dtReference: "reference", dtArray: "array",
}

// datatype reads a datatype message.
func (f *File) datatype(b []byte) (Type, error) {
	c := f.cursor(b)
	t := f.datatypeAt(c)
	if c.err != nil {
		return Type{}, fmt.Errorf("datatype: %w", c.err)
	}
	return t, nil
}

func (f *File) datatypeAt(c *cursor) Type {
	class := c.u8()
	bits := uint32(c.uint(3))
	size := c.u32()
	if c.err == nil && (size == 0 || size > 1<<30) {
		c.err = malformed("element of %d bytes", size)
	}
	t := Type{Size: int(size)}
	switch class & 0xf {
	case dtFixed:
		fixedPoint(c, &t, bits)
	case dtFloat:
		floatingPoint(c, &t, bits)
	case dtString:
		t.Class, t.padding = ClassString, uint8(bits&0xf)
	case dtOpaque:
		t.Class = ClassOpaque
	case dtEnum:
		f.enumeration(c, &t, class>>4, int(bits&0xffff))
	case dtVarLen:
		t.other = "sequence of variable length"
		if bits&0xf == 1 {
			t.Class = ClassVarString
			if t.Size != 8+f.offsetSize {
				c.err = malformed("reference of %d bytes to a string", t.Size)
			}
		}
	default:
		name, ok := otherNames[class&0xf]
		if !ok && c.err == nil {
			c.err = malformed("class %d", class&0xf)
		}
		t.other = name
	}
	return t
}

func fixedPoint(c *cursor, t *Type, bits uint32) {
	offset, precision := c.u16(), int(c.u16())
	if offset != 0 || precision != 8*t.Size || t.Size > 8 {
		t.other = fmt.Sprintf("integer of %d bits at bit %d of %d bytes", precision, offset, t.Size)
		return
	}
	t.bigEndian = bits&1 != 0
	t.Class = ClassUint
	if bits&8 != 0 {
		t.Class = ClassInt
	}
}

// floatLayout is how a floating-point datatype is stored.
type floatLayout struct {
	size                               int
	sign, expAt, expBits, manAt, manBs uint8
	bias                               uint32
}

// floatLayouts has a row for each floating-point format that is read.
var floatLayouts = map[floatLayout]Class{
	{2, 15, 10, 5, 0, 10, 15}:    ClassFloat,
	{4, 31, 23, 8, 0, 23, 127}:   ClassFloat,
	{8, 63, 52, 11, 0, 52, 1023}: ClassFloat,
	{2, 15, 7, 8, 0, 7, 127}:     ClassBFloat,
}

func floatingPoint(c *cursor, t *Type, bits uint32) {
	const vaxOrder, impliedOne = 0x40, 2
	offset, precision := c.u16(), int(c.u16())
	l := floatLayout{size: t.Size, sign: uint8(bits >> 8), expAt: c.u8(), expBits: c.u8(), manAt: c.u8(), manBs: c.u8(), bias: c.u32()}
	t.bigEndian = bits&1 != 0
	if offset == 0 && precision == 8*t.Size && bits&vaxOrder == 0 && bits>>4&3 == impliedOne {
		t.Class = floatLayouts[l]
	}
	t.other = fmt.Sprintf("floating point of %d bits, %d of them exponent", precision, l.expBits)
}

// enumeration reads an enumeration of integers; its values are read as these. Version is that of the message.
func (f *File) enumeration(c *cursor, t *Type, version uint8, members int) {
	base := f.integerBase(c)
	if c.err != nil {
		return
	}
	if base.Size != t.Size {
		c.err = malformed("enumeration of %d bytes over %d", t.Size, base.Size)
		return
	}
	names := make([]string, 0, min(members, 2))
	for range members {
		n := c.untilNul()
		if version < 3 {
			c.skip((8 - (len(n)+1)%8) % 8)
		}
		if c.err != nil {
			return
		}
		if len(names) < 2 {
			names = append(names, n)
		}
	}
	values := c.take(uint64(members) * uint64(base.Size))
	t.Class, t.bigEndian, t.other = base.Class, base.bigEndian, base.other
	isBool := members == 2 && base.Size == 1 && names[0] == "FALSE" && names[1] == "TRUE"
	if isBool && c.err == nil && values[0] == 0 && values[1] == 1 {
		t.Class = ClassBool
	}
}

// integerBase reads the base type of an enumeration, which may only be an integer; so types do not nest any deeper.
func (f *File) integerBase(c *cursor) Type {
	class := c.u8()
	bits := uint32(c.uint(3))
	t := Type{Size: int(c.u32())}
	if c.err == nil && class&0xf != dtFixed {
		c.err = malformed("enumeration over class %d", class&0xf)
	}
	fixedPoint(c, &t, bits)
	return t
}

// untilNul takes a NUL-terminated string with its NUL.
func (c *cursor) untilNul() string {
	for i, x := range c.b {
		if x == 0 {
			return string(c.take(uint64(i) + 1)[:i])
		}
	}
	if c.err == nil {
		c.err = malformed("name without an end")
	}
	return ""
}

// dataspace is the shape of a dataset or attribute.
type dataspace struct {
	dims  []uint64 // sizes; none for a scalar
	max   []uint64 // greatest sizes, undefined for unlimited ones; nil if they equal dims
	null  bool     // no element at all
	count uint64   // elements
}

// dataspace reads a dataspace message.
func (f *File) dataspace(b []byte) (dataspace, error) {
	c := f.cursor(b)
	s := dataspaceAt(c)
	if c.err != nil {
		return dataspace{}, fmt.Errorf("dataspace: %w", c.err)
	}
	var ok bool
	s.count, ok = product(s.dims...)
	if !ok || slices.ContainsFunc(s.dims, func(d uint64) bool { return d > math.MaxInt }) {
		return dataspace{}, overLimit("dataspace of %d elements", s.dims)
	}
	if s.null {
		s.count = 0
	}
	return s, nil
}

func dataspaceAt(c *cursor) dataspace {
	const hasMax, null = 1, 2
	var s dataspace
	version, rank, flags := c.u8(), c.u8(), c.u8()
	switch version {
	case 1:
		c.skip(5)
	case 2:
		s.null = c.u8() == null
	default:
		if c.err == nil {
			c.err = unsupported("version %d", version)
		}
	}
	if c.err == nil && rank > maxRank {
		c.err = malformed("rank %d", rank)
	}
	if c.err != nil {
		return s
	}
	s.dims = make([]uint64, rank)
	for i := range s.dims {
		s.dims[i] = c.length()
	}
	if flags&hasMax == 0 {
		return s
	}
	s.max = make([]uint64, rank)
	for i := range s.max {
		s.max[i] = c.length()
		if s.max[i] == uint64(undefined)>>(64-8*c.lengthSize) {
			s.max[i] = undefined
		}
		if c.err == nil && s.max[i] < s.dims[i] {
			c.err = malformed("size %d above its maximum %d", s.dims[i], s.max[i])
		}
	}
	return s
}
