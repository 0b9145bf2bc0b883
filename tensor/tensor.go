package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"unsafe"
)

// Quant holds affine quantization parameters: real = Scales[c]·(q − ZeroPoints[c]),
// with one entry for the whole tensor or one for each index of dimension Axis.
// The zero Quant means "not quantized".
type Quant struct {
	Scales     []float32
	ZeroPoints []int64
	Axis       int
	// Min and Max are the recorded real ranges that some files carry; they do
	// not take part in arithmetic.
	Min, Max []float32
}

// PerTensor returns the parameters of a tensor quantized as a whole.
func PerTensor(scale float32, zero int64) Quant {
	return Quant{Scales: []float32{scale}, ZeroPoints: []int64{zero}}
}

// IsZero reports whether the tensor is not quantized.
func (q Quant) IsZero() bool { return len(q.Scales) == 0 }

// PerAxis reports whether there is more than one scale.
func (q Quant) PerAxis() bool { return len(q.Scales) > 1 }

// Scale returns the first scale, 0 if there is none.
func (q Quant) Scale() float32 {
	if len(q.Scales) == 0 {
		return 0
	}
	return q.Scales[0]
}

// Zero returns the first zero point, 0 if there is none.
func (q Quant) Zero() int64 {
	if len(q.ZeroPoints) == 0 {
		return 0
	}
	return q.ZeroPoints[0]
}

// Tensor is bytes with a type, a shape and quantization parameters. It is a
// small value; copies share the bytes. The zero Tensor is empty.
type Tensor struct {
	dtype DType
	shape Shape
	quant Quant
	data  []byte
}

// New wraps data, which must have the size that the shape asks for (any size for
// types without a fixed width).
func New(d DType, s Shape, q Quant, data []byte) (Tensor, error) {
	if d.Bits() != 0 {
		n, err := s.Bytes(d)
		if err != nil {
			return Tensor{}, err
		}
		if n != len(data) {
			return Tensor{}, fmt.Errorf("%v%v takes %d bytes, got %d: %w", d, s, n, len(data), ErrShape)
		}
	}
	return Tensor{d, s, q, data}, nil
}

// Raw wraps data without checks, for callers that sized it from the shape.
func Raw(d DType, s Shape, q Quant, data []byte) Tensor { return Tensor{d, s, q, data} }

// Zeros allocates a tensor of zero bytes.
func Zeros(d DType, s Shape) (Tensor, error) {
	n, err := s.Bytes(d)
	if err != nil {
		return Tensor{}, err
	}
	return Tensor{d, s, Quant{}, Aligned(n)}, nil
}

// DType returns the element type.
func (t Tensor) DType() DType { return t.dtype }

// Shape returns the dimensions; the caller must not change them.
func (t Tensor) Shape() Shape { return t.shape }

// Quant returns the quantization parameters.
func (t Tensor) Quant() Quant { return t.quant }

// Bytes returns the tensor's memory itself.
func (t Tensor) Bytes() []byte { return t.data }

// WithQuant returns the same bytes under other parameters.
func (t Tensor) WithQuant(q Quant) Tensor { t.quant = q; return t }

// Reshaped returns the same bytes under another shape of the same size.
func (t Tensor) Reshaped(s Shape) (Tensor, error) { return New(t.dtype, s, t.quant, t.data) }

// Len returns the number of elements.
func (t Tensor) Len() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// Element is the set of Go types that tensors hold.
type Element interface {
	~float32 | ~float64 | ~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~bool | ~complex64 | ~complex128
}

// kinds maps the kinds of Go types, named ones too, to element types.
var kinds = map[reflect.Kind]DType{
	reflect.Float32: Float32, reflect.Float64: Float64, reflect.Bool: Bool,
	reflect.Int8: Int8, reflect.Uint8: UInt8, reflect.Int16: Int16, reflect.Uint16: UInt16,
	reflect.Int32: Int32, reflect.Uint32: UInt32, reflect.Int64: Int64, reflect.Uint64: UInt64,
	reflect.Complex64: Complex64, reflect.Complex128: Complex128,
}

// dtypeOf maps a Go type to the element type it is the natural form of.
func dtypeOf[T Element]() DType { return kinds[reflect.TypeFor[T]().Kind()] }

// Of copies values into a new tensor of shape s.
func Of[T Element](s Shape, v ...T) (Tensor, error) {
	n, err := s.Elems()
	if err != nil {
		return Tensor{}, err
	}
	if n != len(v) {
		return Tensor{}, fmt.Errorf("shape %v takes %d values, got %d: %w", s, n, len(v), ErrShape)
	}
	d := dtypeOf[T]()
	t := Tensor{d, s.Clone(), Quant{}, Aligned(n * d.Size())}
	copy(View[T](t.data), v)
	return t, nil
}

// Values returns the elements: a view of the tensor's memory if its alignment
// allows, else a copy. A type other than the tensor's is ErrType; float16 and
// bfloat16 tensors give their bits as uint16.
func Values[T Element](t Tensor) ([]T, error) {
	var z T
	d := dtypeOf[T]()
	if half := t.dtype == Float16 || t.dtype == BFloat16; d != t.dtype && !(half && d == UInt16) {
		return nil, fmt.Errorf("tensor holds %v, not %v: %w", t.dtype, d, ErrType)
	}
	if len(t.data) == 0 {
		return nil, nil
	}
	if uintptr(unsafe.Pointer(&t.data[0]))%unsafe.Alignof(z) != 0 {
		return View[T](append(Aligned(0), t.data...)), nil
	}
	return View[T](t.data), nil
}

// View reinterprets aligned bytes as elements without a check; it is meant for
// kernels, whose memory the engine has aligned.
func View[T Element](b []byte) []T {
	var z T
	n := len(b) / int(unsafe.Sizeof(z))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}

// BytesOf is the inverse of View: the memory of v, shared.
func BytesOf[T Element](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

const (
	alignment = 64 // of every slab, a cache line and a zmm register
	slack     = 64 // bytes behind a slab that may be read, never written
)

// Aligned allocates n zero bytes that start at a multiple of 64 and have 64
// bytes of capacity behind them, so that vector loads may overread.
func Aligned(n int) []byte {
	b := make([]byte, n+alignment+slack)
	off := int(-uintptr(unsafe.Pointer(&b[0])) & (alignment - 1))
	return b[off : off+n : off+n+slack]
}

// Overwrite copies src into the memory of dst, or into new memory if it does not fit.
func Overwrite(dst, src []byte) []byte {
	if cap(dst) < len(src) {
		dst = Aligned(len(src))
	}
	return append(dst[:0], src...)
}

// IsAligned reports whether b starts at a multiple of n bytes.
func IsAligned(b []byte, n int) bool {
	return len(b) == 0 || uintptr(unsafe.Pointer(&b[0]))%uintptr(n) == 0
}

// Float32s returns the real values as a new slice: floats widened or rounded,
// integers dequantized where the tensor is quantized and converted where it is
// not. It returns nil for types that are no numbers.
func (t Tensor) Float32s() []float32 {
	raw, ok := decoders[t.dtype]
	if !ok {
		return nil
	}
	out := make([]float32, t.Len())
	inner := t.axisStride()
	for i := range out {
		v := raw(t.data, i)
		if t.quant.IsZero() {
			out[i] = float32(v)
			continue
		}
		c := i / inner % len(t.quant.Scales)
		zero := int64(0)
		if c < len(t.quant.ZeroPoints) {
			zero = t.quant.ZeroPoints[c]
		}
		out[i] = float32(float64(t.quant.Scales[c]) * (v - float64(zero)))
	}
	return out
}

// axisStride is the number of consecutive elements that share a scale.
func (t Tensor) axisStride() int {
	if !t.quant.PerAxis() {
		return max(t.Len(), 1)
	}
	n := 1
	for i := max(t.quant.Axis+1, 0); i < len(t.shape); i++ {
		n *= t.shape[i]
	}
	return max(n, 1)
}

// decoders reads element i of a numeric tensor.
var decoders = map[DType]func(b []byte, i int) float64{
	Float32: func(b []byte, i int) float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
	},
	Float64: func(b []byte, i int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])) },
	Float16: func(b []byte, i int) float64 {
		return float64(Float16ToFloat32(binary.LittleEndian.Uint16(b[2*i:])))
	},
	BFloat16: func(b []byte, i int) float64 {
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16))
	},
	Int8:   func(b []byte, i int) float64 { return float64(int8(b[i])) },
	UInt8:  func(b []byte, i int) float64 { return float64(b[i]) },
	Bool:   func(b []byte, i int) float64 { return float64(b[i]) },
	Int16:  func(b []byte, i int) float64 { return float64(int16(binary.LittleEndian.Uint16(b[2*i:]))) },
	UInt16: func(b []byte, i int) float64 { return float64(binary.LittleEndian.Uint16(b[2*i:])) },
	Int32:  func(b []byte, i int) float64 { return float64(int32(binary.LittleEndian.Uint32(b[4*i:]))) },
	UInt32: func(b []byte, i int) float64 { return float64(binary.LittleEndian.Uint32(b[4*i:])) },
	Int64:  func(b []byte, i int) float64 { return float64(int64(binary.LittleEndian.Uint64(b[8*i:]))) },
	UInt64: func(b []byte, i int) float64 { return float64(binary.LittleEndian.Uint64(b[8*i:])) },
	Int4:   func(b []byte, i int) float64 { return float64(int8(b[i/2]>>(4*(i&1))<<4) >> 4) },
	UInt4:  func(b []byte, i int) float64 { return float64(b[i/2] >> (4 * (i & 1)) & 15) },
	Int2:   func(b []byte, i int) float64 { return float64(int8(b[i/4]>>(2*(i&3))<<6) >> 6) },
}
