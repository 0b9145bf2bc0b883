package op

import (
	"fmt"

	"github.com/litequant/litequant/tensor"
)

// Fixed fails unless operand i has the shape that the kernel was made for: weights
// that are no constants could have been resized since.
func (f *Fact) Fixed(r *Run, i int) error {
	if s := r.In[i].Shape(); !s.Equal(f.Shape) {
		return fmt.Errorf("operand %d was resized from %v to %v: %w", i, f.Shape, s, tensor.ErrUnsupported)
	}
	return nil
}

// Unpack widens integers of 2 or 4 bits, the low bits of a byte first, into all of
// dst.
func Unpack(dst []int8, src []byte, bits int, signed bool) {
	perByte, mask := 8/bits, byte(1)<<bits-1
	for i := range dst {
		v := src[i/perByte] >> (i % perByte * bits) & mask
		if signed {
			v = byte(int8(v<<(8-bits)) >> (8 - bits))
		}
		dst[i] = int8(v)
	}
}

// Int8Operand reads an operand of type int8, int4 or int2 as int8.
type Int8Operand struct {
	index int
	bits  int
	known []int8 // an unpacked constant
}

// Int8Of prepares reading operand i. Constants are unpacked here and now, others in
// each invocation, to the scratch memory that Temp asks for.
func Int8Of(c *Call, i int) Int8Operand {
	f := &c.In[i]
	o := Int8Operand{index: i, bits: f.DType.Bits()}
	if n, err := f.Shape.Elems(); o.bits < 8 && f.Const != nil && err == nil {
		o.known = make([]int8, n)
		Unpack(o.known, f.Const, o.bits, true)
	}
	return o
}

// Temp returns how many bytes of scratch memory Values needs for operands of the
// given shapes.
func (o *Int8Operand) Temp(in []tensor.Shape) (int, error) {
	if o.bits == 8 || o.known != nil {
		return 0, nil
	}
	return in[o.index].Elems()
}

// Values returns the elements, in temp if they have to be unpacked.
func (o *Int8Operand) Values(r *Run, temp []byte) []int8 {
	switch t := r.In[o.index]; {
	case o.bits == 8:
		return I8s(t)
	case o.known != nil:
		return o.known
	default:
		dst := tensor.View[int8](temp)[:t.Len()]
		Unpack(dst, t.Bytes(), o.bits, true)
		return dst
	}
}
