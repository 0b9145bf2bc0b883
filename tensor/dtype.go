// Package tensor holds the vocabulary every other package speaks: element
// types, shapes, quantization parameters and tensors, that is bytes with a
// meaning. Tensors are little-endian and row-major; sizes are computed with
// overflow checks, so a hostile shape is an error and never a huge allocation.
package tensor

import "fmt"

// DType is an element type. Its values are TFLite's TensorType numbers.
type DType uint8

const (
	Float32 DType = iota
	Float16
	Int32
	UInt8
	Int64
	String
	Bool
	Int16
	Complex64
	Int8
	Float64
	Complex128
	UInt64
	Resource
	Variant
	UInt32
	UInt16
	Int4
	BFloat16
	Int2
	UInt4
	Float8E4M3FN
	Float8E5M2
	numDTypes
)

// dtypes is the one table of element types: TFLite's name and the width in bits
// (0: elements have no fixed width). A resource is its number.
var dtypes = [numDTypes]struct {
	name string
	bits int
}{
	Float32: {"float32", 32}, Float16: {"float16", 16}, Int32: {"int32", 32}, UInt8: {"uint8", 8},
	Int64: {"int64", 64}, String: {"string", 0}, Bool: {"bool", 8}, Int16: {"int16", 16},
	Complex64: {"complex64", 64}, Int8: {"int8", 8}, Float64: {"float64", 64}, Complex128: {"complex128", 128},
	UInt64: {"uint64", 64}, Resource: {"resource", 32}, Variant: {"variant", 0}, UInt32: {"uint32", 32},
	UInt16: {"uint16", 16}, Int4: {"int4", 4}, BFloat16: {"bfloat16", 16}, Int2: {"int2", 2}, UInt4: {"uint4", 4},
	Float8E4M3FN: {"float8_e4m3fn", 8}, Float8E5M2: {"float8_e5m2", 8},
}

// Valid reports whether d is a known element type.
func (d DType) Valid() bool { return d < numDTypes }

// String returns the type's name as TFLite and NumPy spell it.
func (d DType) String() string {
	if !d.Valid() {
		return fmt.Sprintf("dtype(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Bits returns the width of an element in bits, 0 where elements have no fixed
// width (strings, variants).
func (d DType) Bits() int {
	if !d.Valid() {
		return 0
	}
	return dtypes[d].bits
}

// Size returns the width of an element in bytes, 0 for types that are narrower
// than a byte or have no fixed width.
func (d DType) Size() int { return d.Bits() / 8 }

// ParseDType is the inverse of String.
func ParseDType(name string) (DType, error) {
	for d := range dtypes {
		if dtypes[d].name == name {
			return DType(d), nil
		}
	}
	return 0, fmt.Errorf("unknown element type %q: %w", name, ErrType)
}

// IntRange returns the smallest and largest value of a quantizable integer type.
func (d DType) IntRange() (lo, hi int32, ok bool) {
	switch d {
	case Int8:
		return -128, 127, true
	case UInt8:
		return 0, 255, true
	case Int16:
		return -32768, 32767, true
	case Int4:
		return -8, 7, true
	case Int32:
		return -1 << 31, 1<<31 - 1, true
	}
	return 0, 0, false
}
