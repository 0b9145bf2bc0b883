// Package flexbuffers reads FlexBuffers, the schema-less form in which custom
// operators of TFLite keep their options: a map from names to numbers.
//
// It promises not to panic and to allocate at most eight bytes for a byte of the buffer
// whatever it holds, and reads what TFLite's operators ask for: numbers, booleans
// and vectors of them. Strings, blobs and nested maps count as null.
package flexbuffers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/litequant/litequant/tensor"
)

// kind is a value's type: the upper six bits of its packed type.
type kind uint8

const (
	null          kind = 0
	integer       kind = 1
	unsigned      kind = 2
	float         kind = 3
	indirectInt   kind = 6
	indirectUint  kind = 7
	indirectFloat kind = 8
	mapping       kind = 9
	vector        kind = 10
	vectorInt     kind = 11
	vectorUint    kind = 12
	vectorFloat   kind = 13
	boolean       kind = 26
	vectorBool    kind = 36
)

// Value is a number, a boolean, a vector or, if zero, null. A null is 0, false and
// without elements.
type Value struct {
	buf   []byte
	at    int // of the value itself
	width int // of an inline value or offset
	kind  kind
	child int // width of what an offset points to
}

// Map is the root of a buffer.
type Map struct {
	values, keys list
}

// list is n elements of width bytes each; those of an untyped vector are followed
// by n bytes of packed types.
type list struct {
	buf      []byte
	at, n    int
	width    int
	untyped  bool
	elements kind
}

func malformed(format string, a ...any) error {
	return fmt.Errorf("flexbuffer: "+format+": %w", append(a, tensor.ErrMalformed)...)
}

// Root reads a buffer whose root is a map.
func Root(buf []byte) (Map, error) {
	if len(buf) < 3 {
		return Map{}, malformed("%d bytes", len(buf))
	}
	packed, width := buf[len(buf)-2], int(buf[len(buf)-1])
	if !validWidth(width) || width > len(buf)-2 {
		return Map{}, malformed("root of %d bytes", width)
	}
	v := unpack(buf, len(buf)-2-width, width, packed)
	if v.kind != mapping {
		return Map{}, malformed("the root is of type %d, not a map", v.kind)
	}
	return v.mapping()
}

func validWidth(w int) bool { return w == 1 || w == 2 || w == 4 || w == 8 }

func unpack(buf []byte, at, width int, packed byte) Value {
	return Value{buf, at, width, kind(packed >> 2), 1 << (packed & 3)}
}

// uintAt reads an unsigned number; ok is false outside of the buffer.
func uintAt(buf []byte, at, width int) (n uint64, ok bool) {
	if at < 0 || at > len(buf)-width {
		return 0, false
	}
	switch b := buf[at:]; width {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(binary.LittleEndian.Uint16(b)), true
	case 4:
		return uint64(binary.LittleEndian.Uint32(b)), true
	case 8:
		return binary.LittleEndian.Uint64(b), true
	}
	return 0, false
}

// target follows an offset, which counts backwards from its own place.
func target(buf []byte, at, width int) (int, bool) {
	n, ok := uintAt(buf, at, width)
	if !ok || n > uint64(at) {
		return 0, false
	}
	return at - int(n), true
}

// listAt reads the vector that a value at a place points to.
func listAt(buf []byte, at, width, child int, k kind) (list, error) {
	start, ok := target(buf, at, width)
	if !ok {
		return list{}, malformed("offset at %d", at)
	}
	n, ok := uintAt(buf, start-child, child)
	l := list{buf: buf, at: start, width: child, untyped: k == vector || k == mapping, elements: typed(k)}
	each := uint64(child)
	if l.untyped {
		each++
	}
	if !ok || n > uint64(len(buf)-start)/each {
		return list{}, malformed("vector at %d of %d elements", start, n)
	}
	l.n = int(n)
	return l, nil
}

// typed is the type of a typed vector's elements.
func typed(k kind) kind {
	switch k {
	case vectorInt:
		return integer
	case vectorUint:
		return unsigned
	case vectorFloat:
		return float
	case vectorBool:
		return boolean
	}
	return null
}

func (l *list) element(i int) Value {
	at := l.at + i*l.width
	if l.untyped {
		return unpack(l.buf, at, l.width, l.buf[l.at+l.n*l.width+i])
	}
	return Value{l.buf, at, l.width, l.elements, l.width}
}

// mapping reads a map: a vector of values, before whose length lie the offset of
// the vector of keys and the width of its elements.
func (v *Value) mapping() (Map, error) {
	values, err := listAt(v.buf, v.at, v.width, v.child, mapping)
	if err != nil {
		return Map{}, err
	}
	keysAt := values.at - 3*v.child
	width, ok := uintAt(v.buf, values.at-2*v.child, v.child)
	if !ok || width > 8 || !validWidth(int(width)) {
		return Map{}, malformed("keys at %d", keysAt)
	}
	keys, err := listAt(v.buf, keysAt, v.child, int(width), vectorInt)
	if err != nil {
		return Map{}, err
	}
	if keys.n != values.n {
		return Map{}, malformed("%d keys for %d values", keys.n, values.n)
	}
	return Map{values, keys}, nil
}

// Get returns the value of a name, null if there is none.
func (m Map) Get(name string) Value {
	for i := range m.keys.n {
		at, ok := target(m.keys.buf, m.keys.at+i*m.keys.width, m.keys.width)
		if !ok {
			continue
		}
		key := m.keys.buf[at:]
		if end := bytes.IndexByte(key, 0); end >= 0 && string(key[:end]) == name {
			return m.values.element(i)
		}
	}
	return Value{}
}

// IsNull reports whether there is no value.
func (v Value) IsNull() bool { return v.kind == null }

// number resolves a number: its place, width and direct type.
func (v Value) number() (at, width int, k kind, ok bool) {
	switch v.kind {
	case integer, unsigned, float, boolean:
		return v.at, v.width, v.kind, true
	case indirectInt, indirectUint, indirectFloat:
		at, ok := target(v.buf, v.at, v.width)
		return at, v.child, v.kind - indirectInt + integer, ok
	}
	return 0, 0, null, false
}

// Int returns a number as an integer; a real one is truncated.
func (v Value) Int() int64 {
	at, width, k, ok := v.number()
	if !ok {
		return 0
	}
	if k == float {
		return truncate(floatAt(v.buf, at, width))
	}
	n, _ := uintAt(v.buf, at, width)
	if k == integer { // extend the sign
		shift := 64 - 8*width
		return int64(n) << shift >> shift
	}
	return int64(n)
}

func truncate(x float64) int64 {
	switch {
	case x != x:
		return 0
	case x >= math.MaxInt64:
		return math.MaxInt64
	case x <= math.MinInt64:
		return math.MinInt64
	}
	return int64(x)
}

// Float returns a number.
func (v Value) Float() float64 {
	at, width, k, ok := v.number()
	switch {
	case !ok:
		return 0
	case k == float:
		return floatAt(v.buf, at, width)
	case k == integer:
		return float64(v.Int())
	}
	n, _ := uintAt(v.buf, at, width)
	return float64(n)
}

func floatAt(buf []byte, at, width int) float64 {
	n, _ := uintAt(buf, at, width)
	switch width {
	case 4:
		return float64(math.Float32frombits(uint32(n)))
	case 8:
		return math.Float64frombits(n)
	}
	return 0
}

// Bool reports whether a number or boolean is not zero.
func (v Value) Bool() bool {
	if _, _, k, _ := v.number(); k == float {
		return v.Float() != 0
	}
	return v.Int() != 0
}

// Ints returns the elements of a vector of numbers.
func (v Value) Ints() ([]int64, error) {
	if v.kind != vector && typed(v.kind) == null {
		return nil, nil
	}
	l, err := listAt(v.buf, v.at, v.width, v.child, v.kind)
	if err != nil {
		return nil, err
	}
	ints := make([]int64, l.n)
	for i := range ints {
		ints[i] = l.element(i).Int()
	}
	return ints, nil
}
