package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// OfStrings makes a string tensor. Its bytes are TFLite's form: the count, the
// count+1 offsets from the start of the buffer (int32 each), then the strings'
// bytes. It fails with ErrLimit where the offsets would not fit an int32.
func OfStrings[T ~string | ~[]byte](s Shape, v ...T) (Tensor, error) {
	n, err := s.Elems()
	if err != nil {
		return Tensor{}, err
	}
	if n != len(v) {
		return Tensor{}, fmt.Errorf("shape %v takes %d strings, got %d: %w", s, n, len(v), ErrShape)
	}
	size := 4 * (n + 2)
	for _, x := range v {
		if size += len(x); size > math.MaxInt32 {
			return Tensor{}, fmt.Errorf("%d strings of more than 2 GiB: %w", n, ErrLimit)
		}
	}
	head, data := make([]byte, 0, size), 4*(n+2)
	head = binary.LittleEndian.AppendUint32(head, uint32(n))
	for _, x := range v {
		head = binary.LittleEndian.AppendUint32(head, uint32(data))
		data += len(x)
	}
	head = binary.LittleEndian.AppendUint32(head, uint32(data))
	for _, x := range v {
		head = append(head, x...)
	}
	return Tensor{String, s.Clone(), Quant{}, head}, nil
}

// Strings returns the elements of a string tensor as views of its memory. It
// fails with ErrType for other types and with ErrMalformed where the offsets
// leave the buffer or the count is not the shape's.
func (t Tensor) Strings() ([][]byte, error) {
	if t.dtype != String {
		return nil, fmt.Errorf("tensor holds %v, not strings: %w", t.dtype, ErrType)
	}
	want, err := t.shape.Elems()
	if err != nil {
		return nil, err
	}
	if len(t.data) < 4 {
		if want == 0 && len(t.data) == 0 {
			return nil, nil
		}
		return nil, fmt.Errorf("string tensor of %d bytes: %w", len(t.data), ErrMalformed)
	}
	n := int(int32(binary.LittleEndian.Uint32(t.data)))
	if n != want {
		return nil, fmt.Errorf("string tensor of shape %v holds %d strings: %w", t.shape, n, ErrMalformed)
	}
	if n > (len(t.data)-8)/4 {
		return nil, fmt.Errorf("string tensor of %d bytes with %d strings: %w", len(t.data), n, ErrMalformed)
	}
	out := make([][]byte, n)
	for i := range out {
		a := int(int32(binary.LittleEndian.Uint32(t.data[4+4*i:])))
		b := int(int32(binary.LittleEndian.Uint32(t.data[8+4*i:])))
		if a < 4*(n+2) || b < a || b > len(t.data) {
			return nil, fmt.Errorf("string %d spans bytes %d to %d of %d: %w", i, a, b, len(t.data), ErrMalformed)
		}
		out[i] = t.data[a:b:b]
	}
	return out, nil
}
