package savedmodel

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// maxListBytes bounds the bytes of a constant that is given as a list of values,
// as a list of one value may stand for any shape.
const maxListBytes = 1 << 26

// maxRank is TensorFlow's own limit.
const maxRank = 254

// shapeOf returns the dimensions of p (-1 = unknown) and whether the rank is
// known. A missing shape is a scalar's, as everywhere in TensorFlow.
func shapeOf(p *pb.TensorShapeProto) (s tensor.Shape, known bool, err error) {
	if p.GetUnknownRank() {
		return nil, false, nil
	}
	if len(p.GetDim()) > maxRank {
		return nil, false, fmt.Errorf("rank %d: %w", len(p.GetDim()), tensor.ErrMalformed)
	}
	s = make(tensor.Shape, 0, len(p.GetDim()))
	for _, d := range p.GetDim() {
		if d.GetSize() < -1 || d.GetSize() > math.MaxInt32 {
			return nil, false, fmt.Errorf("dimension %d: %w", d.GetSize(), tensor.ErrMalformed)
		}
		s = append(s, int(d.GetSize()))
	}
	return s, true, nil
}

// shapeProto is the inverse of shapeOf for known ranks.
func shapeProto(s tensor.Shape) *pb.TensorShapeProto {
	p := &pb.TensorShapeProto{}
	for _, d := range s {
		p.Dim = append(p.Dim, &pb.TensorShapeProto_Dim{Size: int64(d)})
	}
	return p
}

// TensorOf decodes a constant. A TensorProto holds its elements as raw bytes or
// in a typed list, which may be shorter than the tensor: its last value then
// stands for the rest. Strings are returned in TFLite's layout (PackStrings).
func TensorOf(p *pb.TensorProto) (tensor.Tensor, error) {
	d, err := DTypeOf(p.GetDtype())
	if err != nil {
		return tensor.Tensor{}, err
	}
	shape, known, err := shapeOf(p.GetTensorShape())
	if err != nil {
		return tensor.Tensor{}, err
	}
	if !known {
		return tensor.Tensor{}, fmt.Errorf("constant of unknown rank: %w", tensor.ErrMalformed)
	}
	n, err := shape.Elems()
	if err != nil {
		return tensor.Tensor{}, err
	}
	if d == tensor.String {
		return stringTensor(p, shape, n)
	}
	width := wireWidth(d)
	if width == 0 {
		return tensor.Tensor{}, fmt.Errorf("constant of type %v: %w", d, tensor.ErrUnsupported)
	}
	if c := p.GetTensorContent(); len(c) > 0 {
		if len(c)%width != 0 || len(c)/width != n {
			return tensor.Tensor{}, fmt.Errorf("constant %v%v has %d bytes: %w", d, shape, len(c), tensor.ErrMalformed)
		}
		return fromWire(d, shape, c)
	}
	if n > maxListBytes/width {
		return tensor.Tensor{}, fmt.Errorf("constant %v%v: %w", d, shape, tensor.ErrLimit)
	}
	b, err := fillTyped(typedValues(p, d), n, width)
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("constant %v%v: %w", d, shape, err)
	}
	return fromWire(d, shape, b)
}

// wireWidth is the width in bytes of an element in checkpoints and constants,
// where types narrower than a byte take one; 0 for types without fixed width.
func wireWidth(d tensor.DType) int { return (d.Bits() + 7) / 8 }

// fromWire makes a tensor of bytes that hold one element each wireWidth bytes,
// packing types narrower than a byte.
func fromWire(d tensor.DType, shape tensor.Shape, b []byte) (tensor.Tensor, error) {
	if bits := d.Bits(); bits < 8 {
		per := 8 / bits
		packed := make([]byte, (len(b)+per-1)/per)
		for i, v := range b {
			packed[i/per] |= v & (1<<bits - 1) << (bits * (i % per))
		}
		b = packed
	}
	return tensor.New(d, shape, tensor.Quant{}, b)
}

// toWire is the inverse of fromWire.
func toWire(t tensor.Tensor) []byte {
	bits := t.DType().Bits()
	if bits >= 8 {
		return t.Bytes()
	}
	out := make([]byte, t.Len())
	per := 8 / bits
	for i := range out {
		v := t.Bytes()[i/per] >> (bits * (i % per)) & (1<<bits - 1)
		if t.DType() != tensor.UInt4 { // sign-extended
			v = byte(int8(v<<(8-bits)) >> (8 - bits))
		}
		out[i] = v
	}
	return out
}

// values is a typed list of a TensorProto: its length, and a function that
// writes value i to b.
type values struct {
	n   int
	put func(b []byte, i int)
}

// typedValues returns the list of p that holds elements of type d.
func typedValues(p *pb.TensorProto, d tensor.DType) values {
	le := binary.LittleEndian
	switch d {
	case tensor.Float32:
		v := p.GetFloatVal()
		return values{len(v), func(b []byte, i int) { le.PutUint32(b, math.Float32bits(v[i])) }}
	case tensor.Float64:
		v := p.GetDoubleVal()
		return values{len(v), func(b []byte, i int) { le.PutUint64(b, math.Float64bits(v[i])) }}
	case tensor.Int64:
		v := p.GetInt64Val()
		return values{len(v), func(b []byte, i int) { le.PutUint64(b, uint64(v[i])) }}
	case tensor.UInt64:
		v := p.GetUint64Val()
		return values{len(v), func(b []byte, i int) { le.PutUint64(b, v[i]) }}
	case tensor.UInt32:
		v := p.GetUint32Val()
		return values{len(v), func(b []byte, i int) { le.PutUint32(b, v[i]) }}
	case tensor.Float16, tensor.BFloat16:
		v := p.GetHalfVal()
		return values{len(v), func(b []byte, i int) { le.PutUint16(b, uint16(v[i])) }}
	case tensor.Bool:
		v := p.GetBoolVal()
		return values{len(v), func(b []byte, i int) {
			if v[i] {
				b[0] = 1
			}
		}}
	case tensor.Complex64:
		v := p.GetScomplexVal()
		return values{len(v) / 2, func(b []byte, i int) {
			le.PutUint32(b, math.Float32bits(v[2*i]))
			le.PutUint32(b[4:], math.Float32bits(v[2*i+1]))
		}}
	case tensor.Complex128:
		v := p.GetDcomplexVal()
		return values{len(v) / 2, func(b []byte, i int) {
			le.PutUint64(b, math.Float64bits(v[2*i]))
			le.PutUint64(b[8:], math.Float64bits(v[2*i+1]))
		}}
	case tensor.Float8E4M3FN, tensor.Float8E5M2:
		v := p.GetFloat8Val()
		return values{len(v), func(b []byte, i int) { b[0] = v[i] }}
	}
	v := p.GetIntVal() // the integers of 32 bits and less
	return values{len(v), func(b []byte, i int) {
		for k := range b {
			b[k] = byte(v[i] >> (8 * k))
		}
	}}
}

// fillTyped writes n elements of the given width, repeating the last value.
func fillTyped(v values, n, width int) ([]byte, error) {
	if v.n > n {
		return nil, fmt.Errorf("%d values: %w", v.n, tensor.ErrMalformed)
	}
	b := tensor.Aligned(n * width)
	for i := range v.n {
		v.put(b[i*width:(i+1)*width], i)
	}
	if v.n > 0 {
		last := b[(v.n-1)*width : v.n*width]
		for i := v.n; i < n; i++ {
			copy(b[i*width:], last)
		}
	}
	return b, nil
}

func stringTensor(p *pb.TensorProto, shape tensor.Shape, n int) (tensor.Tensor, error) {
	v := p.GetStringVal()
	if len(v) > n {
		return tensor.Tensor{}, fmt.Errorf("constant string%v has %d values: %w", shape, len(v), tensor.ErrMalformed)
	}
	if n > maxListBytes/64 {
		return tensor.Tensor{}, fmt.Errorf("constant string%v: %w", shape, tensor.ErrLimit)
	}
	all, size := make([][]byte, n), 0
	copy(all, v)
	for i := range all {
		if i >= len(v) && len(v) > 0 {
			all[i] = v[len(v)-1]
		}
		if size += len(all[i]); size > maxListBytes {
			return tensor.Tensor{}, fmt.Errorf("constant string%v: %w", shape, tensor.ErrLimit)
		}
	}
	return tensor.Raw(tensor.String, shape, tensor.Quant{}, PackStrings(all)), nil
}

// PackStrings lays strings out as TFLite's string tensors do: their number, the
// offsets of each and of the end as int32, then the bytes.
func PackStrings(v [][]byte) []byte {
	head := 4 * (len(v) + 2)
	b := make([]byte, 0, head)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
	off := head
	for _, s := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(off))
		off += len(s)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(off))
	for _, s := range v {
		b = append(b, s...)
	}
	return b
}

// TensorProto encodes a constant as raw bytes. Tensors of strings are not
// supported.
func TensorProto(t tensor.Tensor) *pb.TensorProto {
	return &pb.TensorProto{
		Dtype:         ProtoType(t.DType()),
		TensorShape:   shapeProto(t.Shape()),
		TensorContent: toWire(t),
	}
}
