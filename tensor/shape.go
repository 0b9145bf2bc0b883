package tensor

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Shape is a list of dimensions, outermost first. -1 stands for a dimension
// that is not known yet. The empty shape is a scalar's.
type Shape []int

// Known reports whether every dimension is known.
func (s Shape) Known() bool { return !slices.ContainsFunc(s, func(d int) bool { return d < 0 }) }

// maxRank is more dimensions than any operator works on.
const maxRank = 64

const maxElems = math.MaxInt / 128

// Elems returns the number of elements. It fails with ErrShape where a dimension
// is unknown and with ErrLimit where the size in bits of the widest elements would
// overflow an int, or above 64 dimensions.
func (s Shape) Elems() (int, error) {
	if len(s) > maxRank {
		return 0, fmt.Errorf("a shape of %d dimensions: %w", len(s), ErrLimit)
	}
	n, empty := 1, false
	for _, d := range s {
		if d < 0 {
			return 0, fmt.Errorf("shape %v is not fully known: %w", s, ErrShape)
		}
		if d == 0 {
			empty = true
			continue
		}
		if n > maxElems/d {
			return 0, fmt.Errorf("shape %v has too many elements: %w", s, ErrLimit)
		}
		n *= d
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// Bytes returns the size of a tensor of this shape and type; packed types
// (int4, int2) round up to whole bytes.
func (s Shape) Bytes(d DType) (int, error) {
	n, err := s.Elems()
	if err != nil {
		return 0, err
	}
	if d.Bits() == 0 {
		return 0, fmt.Errorf("%v has no fixed size: %w", d, ErrType)
	}
	if n > math.MaxInt/d.Bits() {
		return 0, fmt.Errorf("shape %v of %v: %w", s, d, ErrLimit)
	}
	return (n*d.Bits() + 7) / 8, nil
}

// Equal reports whether both shapes have the same dimensions.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// Fits reports whether the known shape o is one that s, which may hold unknown
// dimensions, allows.
func (s Shape) Fits(o Shape) bool {
	if len(s) != len(o) {
		return false
	}
	for i, d := range s {
		if d >= 0 && d != o[i] {
			return false
		}
	}
	return true
}

// Clone returns a copy.
func (s Shape) Clone() Shape { return append(Shape{}, s...) }

// String prints a shape as [1,28,28,1], with ? for unknown dimensions.
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		if parts[i] = strconv.Itoa(d); d < 0 {
			parts[i] = "?"
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// Axis resolves an axis that may be negative (counted from the end) to 0..rank-1.
func (s Shape) Axis(axis int) (int, error) {
	a := axis
	if a < 0 {
		a += len(s)
	}
	if a < 0 || a >= len(s) {
		return 0, fmt.Errorf("axis %d of rank %d: %w", axis, len(s), ErrShape)
	}
	return a, nil
}
