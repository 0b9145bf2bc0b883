package shape

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const (
	padTypes = op.F32 | op.F16 | op.BF16 | op.I8 | op.U8 | op.I16 | op.I32 | op.I64 | op.B
	padSizes = op.I32 | op.I64 | op.I16 | op.I8 | op.B
)

var padOperands = op.In("input", padTypes).In("paddings", padSizes).Opt("value", padTypes).Out("output", padTypes)

// Pad is PAD: zeros (quantized: zero points) around the input; row i of paddings
// says how many before and behind along axis i. TFLite does not tell it from PADV2.
var Pad = &op.Def{
	Code:     graph.OpCode(schema.PAD),
	Name:     "PAD",
	Operands: padOperands,
	Facts:    padFacts,
	Version:  padVersion,
	Since:    []string{"1.5.0", "1.14.0", "2.4.0", "2.6.0", "2.20.0", "2.23.0"},
	Quant:    op.SameScale(0),
	Ref:      padKernel,
}

// PadV2 is PADV2: PAD with a value, a scalar of the input's type and the result's
// parameters.
var PadV2 = &op.Def{
	Code:     graph.OpCode(schema.PADV2),
	Name:     "PADV2",
	Operands: padOperands,
	Facts:    padFacts,
	Version:  padVersion,
	Since:    []string{"1.9.0", "1.14.0", "2.4.0", "2.6.0", "2.20.0", "2.23.0"},
	Quant:    padV2Quant(),
	Ref:      padKernel,
}

// MirrorPad is MIRROR_PAD: the input's own elements around it, mirrored at the
// edge; the edge itself is repeated (SYMMETRIC) or not (REFLECT).
var MirrorPad = &op.Def{
	Code:     graph.OpCode(schema.MIRROR_PAD),
	Name:     "MIRROR_PAD",
	Operands: op.In("input", plainTypes).In("paddings", op.Index).Out("output", plainTypes).As(0),
	Facts:    mirrorPadFacts,
	Version:  atType(0, map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 2}), // written 16x8 files carry the int8 version
	Since:    []string{"1.13.1", "2.3.0", "2.12.0"},
	Quant:    op.SameScale(0),
	Ref:      mirrorPadKernel,
}

// padV2Quant: the value shares the input's parameters, but TensorFlow's 16x8
// quantizer leaves it float.
func padV2Quant() op.Quant {
	q, wide := op.SameScale(0, 2), op.SameScale(0)
	q.Int16 = &wide
	return q
}

func padVersion(c *op.Call) int {
	switch d := c.In[0].DType; {
	case d == tensor.Bool:
		return 5
	case len(c.In[0].Shape) > 4:
		return 4
	case d == tensor.Int8, d == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	}
	return 1
}

func padFacts(c *op.Call) error {
	if len(c.In) > 2 && c.In[2].Present {
		v := &c.In[2]
		if n, err := v.Shape.Elems(); !v.Unknown && v.Shape.Known() && (err != nil || n != 1) {
			return fmt.Errorf("padding value of shape %v: %w", v.Shape, tensor.ErrShape)
		}
		if v.DType != c.In[0].DType {
			return fmt.Errorf("padding value of type %v for %v: %w", v.DType, c.In[0].DType, tensor.ErrType)
		}
	}
	return pads(c, func(_, _, _ int) bool { return true })
}

// pads is the shape rule of padding; allowed judges the paddings of an axis of n.
func pads(c *op.Call, allowed func(n, before, behind int) bool) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	p, err := paddings(c)
	if err != nil {
		return err
	}
	if !c.In[1].Shape.Equal(tensor.Shape{len(in), 2}) {
		return fmt.Errorf("paddings of shape %v for an input of shape %v: %w", c.In[1].Shape, in, tensor.ErrShape)
	}
	out := in.Clone()
	for i, n := range in {
		before, behind := p[2*i], p[2*i+1]
		if before < 0 || behind < 0 || before > maxSize || behind > maxSize || n >= 0 && !allowed(n, before, behind) {
			return fmt.Errorf("paddings %d and %d of an axis of %d: %w", before, behind, n, tensor.ErrShape)
		}
		if n < 0 {
			continue
		}
		size := int64(before) + int64(n) + int64(behind)
		if size > maxSize {
			return fmt.Errorf("paddings %d and %d of an axis of %d: %w", before, behind, n, tensor.ErrLimit)
		}
		out[i] = int(size)
	}
	result(c, 0, 0, out)
	return nil
}

// paddings returns the value of operand 1, which may be a list of booleans too.
func paddings(c *op.Call) ([]int, error) {
	if f := &c.In[1]; f.DType == tensor.Bool && f.Const != nil {
		numbers := *f
		numbers.DType = tensor.Int8
		return op.IntsOf(numbers.Tensor())
	}
	return c.Ints(1)
}

// maxSize bounds the numbers that sizes are computed from; TFLite's sizes are
// int32.
const maxSize = 1<<31 - 1

// padKernel fills the result with the value, then moves the input into it. int8 and
// int16 inputs without quantization are plain integers.
func padKernel(c *op.Call) (op.Kernel, error) {
	padded := c.Out[0]
	if padded.DType != tensor.UInt8 && c.In[0].Quant.IsZero() {
		padded.Quant = tensor.Quant{}
	} else if err := sameParameters(c, c.In[2:]...); err != nil {
		return op.Kernel{}, err
	}
	zero, err := zeroOf(&padded)
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{Run: func(r *op.Run) error {
		value := zero
		if len(r.In) > 2 && len(r.In[2].Bytes()) > 0 {
			value = r.In[2]
		}
		if err := fill(r, r.Out[0], value); err != nil {
			return err
		}
		inner := interior(r)
		return inner.move(r, r.Out[0], r.In[0])
	}}, nil
}

// zeroOf returns the scalar that stands for zero in a value: its zero point.
func zeroOf(f *op.Fact) (tensor.Tensor, error) {
	zero, err := tensor.Zeros(f.DType, tensor.Shape{})
	if err != nil || !op.Quants.Has(f.DType) {
		return zero, err
	}
	_, z := f.PerTensor()
	if lo, hi, _ := f.DType.IntRange(); z < int64(lo) || z > int64(hi) {
		return zero, fmt.Errorf("zero point %d of %v: %w", z, f.DType, tensor.ErrMalformed)
	}
	for i := range zero.Bytes() {
		zero.Bytes()[i] = byte(z >> (8 * i))
	}
	return zero, nil
}

// fill sets all elements of a tensor to a scalar.
func fill(r *op.Run, dst, value tensor.Tensor) error {
	var b box
	b.axis(dst.Len(), 1, 0)
	return b.move(r, dst, value)
}

// interior is where padding puts the input.
func interior(r *op.Run) box {
	var b box
	in, out := r.In[0].Shape(), r.Out[0].Shape()
	from, to := strides(in), strides(out)
	for i, n := range in {
		b.dstAt += index(r.In[1], 2*i) * to[i]
		b.axis(n, to[i], from[i])
	}
	return b
}

func mirrorPadFacts(c *op.Call) error {
	offset, err := mirrorOffset(c.Node)
	if err != nil {
		return err
	}
	return pads(c, func(n, before, behind int) bool { return max(before, behind) <= n-offset })
}

// mirrorOffset is how far from the edge the first mirrored element is.
func mirrorOffset(n *graph.Node) (int, error) {
	switch m := graph.Options[fb.MirrorPadOptionsT](n).Mode; m {
	case fb.MirrorPadModeREFLECT:
		return 1, nil
	case fb.MirrorPadModeSYMMETRIC:
		return 0, nil
	default:
		return 0, fmt.Errorf("mirror mode %d: %w", m, tensor.ErrUnsupported)
	}
}

func mirrorPadKernel(c *op.Call) (op.Kernel, error) {
	if err := sameParameters(c, c.In...); err != nil {
		return op.Kernel{}, err
	}
	offset, err := mirrorOffset(c.Node)
	if err != nil {
		return op.Kernel{}, err
	}
	return mover(func(r *op.Run) error { return mirror(r, offset) })(c)
}

// mirror places the input, then mirrors axis after axis, the innermost first:
// when its turn comes the axes inside are complete and those outside still have
// the input's extent.
func mirror(r *op.Run, offset int) error {
	inner := interior(r)
	if err := inner.move(r, r.Out[0], r.In[0]); err != nil {
		return err
	}
	in, out := r.In[0].Shape(), r.Out[0].Shape()
	for axis := len(in) - 1; axis >= 0; axis-- {
		before, behind, step := index(r.In[1], 2*axis), index(r.In[1], 2*axis+1), strides(out)[axis]
		for _, side := range [2]struct{ n, edge, away int }{
			{before, before, -1}, {behind, before + in[axis] - 1, 1},
		} {
			b := mirrored(r, axis, side.n, side.away)
			b.dstAt += (side.edge + side.away) * step
			b.srcAt += (side.edge - side.away*offset) * step
			if err := b.move(r, r.Out[0], r.Out[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

// mirrored spans n elements along an axis, which run away from the edge in the
// target and towards the inside in the source, for the input's extent of the axes
// outside and all of the axes inside.
func mirrored(r *op.Run, axis, n, away int) box {
	var b box
	in, out := r.In[0].Shape(), r.Out[0].Shape()
	to := strides(out)
	for i := range out {
		switch {
		case i < axis:
			at := index(r.In[1], 2*i) * to[i]
			b.dstAt, b.srcAt = b.dstAt+at, b.srcAt+at
			b.axis(in[i], to[i], to[i])
		case i == axis:
			b.axis(n, away*to[i], -away*to[i])
		default:
			b.axis(out[i], to[i], to[i])
		}
	}
	return b
}
