// Package npy reads and writes NumPy's .npy and .npz files as tensors: every
// numeric type with float16, bool, and byte or unicode strings, in both byte
// orders and both memory orders.
//
// Output is deterministic and each array is byte for byte what numpy.save
// writes. Input is untrusted: a size is believed only if the bytes that are there
// can carry it, compressed at deflate's best ratio at most, and if the caller's
// limit allows it; only then memory is allocated.
package npy

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/litequant/litequant/tensor"
)

// maxStrings bounds string arrays, whose elements take more room in memory than
// in the file, where they may even take none.
const maxStrings = 1 << 20

// Array is a tensor with the name it has in a .npz file.
type Array struct {
	Name   string
	Tensor tensor.Tensor
}

// Read reads one .npy array from r, which holds at most size bytes. Elements
// come out little-endian and row-major; strings become a tensor.String tensor
// without the zero bytes that pad them, unicode as UTF-8. Bytes behind the array
// are left unread.
func Read(r io.Reader, size int64) (tensor.Tensor, error) {
	h, used, err := readHeader(r)
	if err != nil {
		return tensor.Tensor{}, err
	}
	l, big, err := parseDescr(h.descr)
	if err != nil {
		return tensor.Tensor{}, err
	}
	n, err := h.shape.Elems()
	if err != nil {
		return tensor.Tensor{}, err
	}
	if l.width > 0 && int64(n) > (size-used)/int64(l.width) {
		return tensor.Tensor{}, malformed(fmt.Sprintf("truncated array: %v of %s", h.shape, h.descr))
	}
	if l.text != 0 && n > maxStrings {
		return tensor.Tensor{}, fmt.Errorf("%d strings: %w", n, tensor.ErrLimit)
	}
	data := tensor.Aligned(n * l.width)
	if _, err := io.ReadFull(r, data); err != nil {
		return tensor.Tensor{}, truncated("array", err)
	}
	if big {
		SwapBytes(data, l.word)
	}
	if h.fortran && len(h.shape) > 1 {
		data = rowMajor(data, h.shape, l.width)
	}
	return decode(h.shape, l, data)
}

// decode makes a tensor of row-major, little-endian elements.
func decode(s tensor.Shape, l layout, data []byte) (tensor.Tensor, error) {
	switch {
	case l.text != 0:
		return decodeStrings(s, l, data)
	case l.dtype == tensor.Bool:
		for i, b := range data {
			if b > 1 {
				data[i] = 1
			}
		}
	}
	return tensor.New(l.dtype, s, tensor.Quant{}, data)
}

func decodeStrings(s tensor.Shape, l layout, data []byte) (tensor.Tensor, error) {
	n, err := s.Elems()
	if err != nil {
		return tensor.Tensor{}, err
	}
	v := make([][]byte, n)
	for i := range v {
		item := data[i*l.width : (i+1)*l.width]
		if l.text == 'U' {
			item = utf8Of(item)
		}
		v[i] = bytes.TrimRight(item, "\x00")
	}
	return tensor.OfStrings(s, v...)
}

// utf8Of converts UCS-4; code points that are none become U+FFFD.
func utf8Of(ucs4 []byte) []byte {
	var b []byte
	for _, r := range tensor.View[int32](append(tensor.Aligned(0), ucs4...)) {
		b = utf8.AppendRune(b, r)
	}
	return b
}

// SwapBytes reverses the bytes of every word of the given width in place.
func SwapBytes(b []byte, width int) {
	if width < 2 {
		return
	}
	for ; len(b) >= width; b = b[width:] {
		slices.Reverse(b[:width])
	}
}

// rowMajor reorders column-major elements of the given width.
func rowMajor(src []byte, s tensor.Shape, width int) []byte {
	dst := tensor.Aligned(len(src))
	if len(src) == 0 {
		return dst
	}
	strides, stride := make([]int, len(s)), width
	for i, d := range s {
		strides[i], stride = stride, stride*d
	}
	index, from := make([]int, len(s)), 0
	for to := 0; to < len(dst); to += width {
		copy(dst[to:to+width], src[from:])
		for axis := len(s) - 1; axis >= 0; axis-- {
			index[axis]++
			from += strides[axis]
			if index[axis] < s[axis] {
				break
			}
			from -= strides[axis] * s[axis]
			index[axis] = 0
		}
	}
	return dst
}

// Write writes t as one .npy array, byte for byte as numpy.save does. Types that
// NumPy lacks are widened without loss: bfloat16 to float32, int4 and int2 to
// int8, uint4 to uint8. Strings take the width of the longest ('S'); since
// NumPy drops zero bytes at a string's end, strings that end so do not survive.
func Write(w io.Writer, t tensor.Tensor) error {
	head, data, err := encode(t)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// encode returns the header and the elements of t.
func encode(t tensor.Tensor) (head, data []byte, err error) {
	if t, err = widen(t); err != nil {
		return nil, nil, err
	}
	if t.DType() == tensor.String {
		width, data, err := encodeStrings(t)
		return appendHeader(nil, fmt.Sprintf("|S%d", width), t.Shape()), data, err
	}
	descr, ok := descrOf(t.DType())
	if !ok {
		return nil, nil, fmt.Errorf("%v in a .npy file: %w", t.DType(), tensor.ErrUnsupported)
	}
	if n, err := t.Shape().Bytes(t.DType()); err != nil || n != len(t.Bytes()) {
		return nil, nil, fmt.Errorf("%v%v of %d bytes: %w", t.DType(), t.Shape(), len(t.Bytes()), tensor.ErrShape)
	}
	return appendHeader(nil, descr, t.Shape()), t.Bytes(), nil
}

// widened lists the types that NumPy lacks and what stands in for them.
var widened = map[tensor.DType]tensor.DType{
	tensor.BFloat16: tensor.Float32, tensor.Int4: tensor.Int8, tensor.Int2: tensor.Int8, tensor.UInt4: tensor.UInt8,
}

func widen(t tensor.Tensor) (tensor.Tensor, error) {
	to, ok := widened[t.DType()]
	if !ok {
		return t, nil
	}
	v := t.WithQuant(tensor.Quant{}).Float32s()
	if to == tensor.Float32 {
		return tensor.Of(t.Shape(), v...)
	}
	b := make([]byte, len(v))
	for i, x := range v {
		b[i] = byte(int(x))
	}
	return tensor.New(to, t.Shape(), tensor.Quant{}, b)
}

func encodeStrings(t tensor.Tensor) (width int, data []byte, err error) {
	v, err := t.Strings()
	if err != nil {
		return 0, nil, err
	}
	width = 1 // NumPy's narrowest
	for _, s := range v {
		width = max(width, len(s))
	}
	if size, err := (tensor.Shape{len(v), width}).Bytes(tensor.UInt8); err != nil {
		return 0, nil, err
	} else {
		data = make([]byte, size)
	}
	for i, s := range v {
		copy(data[i*width:], s)
	}
	return width, data, nil
}
