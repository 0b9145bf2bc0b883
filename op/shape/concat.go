package shape

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const (
	concatTypes = op.F32 | op.F16 | op.BF16 | op.I8 | op.U8 | op.I16 | op.I32 | op.U32 | op.I64 | op.B | op.I4
	packTypes   = op.F32 | op.I8 | op.U8 | op.I16 | op.I32 | op.U32 | op.I64
)

// Concatenation is CONCATENATION: the inputs one after the other along an axis.
// uint8 inputs may have scales of their own.
var Concatenation = &op.Def{
	Code:     graph.OpCode(schema.CONCATENATION),
	Name:     "CONCATENATION",
	Operands: op.Operands{}.ManyIn("inputs", concatTypes).Out("output", concatTypes).As(0),
	Facts:    concatFacts,
	Version: atType(0, map[tensor.DType]int{tensor.Float16: 6, tensor.Int4: 5, tensor.UInt32: 4,
		tensor.Int16: 2, tensor.Int8: 2}), // written 16x8 files carry the int8 version
	Since: []string{"1.5.0", "1.14.0", "2.3.0", "2.14.0", "2.21.0", "2.23.0", "2.23.0"},
	Quant: op.SameScale(0),
	Ref:   concatKernel,
}

// Pack is PACK: inputs of one shape, stacked along a new axis.
var Pack = &op.Def{
	Code:     graph.OpCode(schema.PACK),
	Name:     "PACK",
	Operands: op.Operands{}.ManyIn("inputs", packTypes).Out("output", packTypes).As(0),
	Facts:    packFacts,
	Version: atType(0, map[tensor.DType]int{tensor.Int8: 2, tensor.UInt32: 4,
		tensor.Int16: 2}), // written 16x8 files carry the int8 version
	Since: []string{"1.11.0", "1.14.0", "2.3.0", "2.13.0", "2.23.0"},
	Quant: op.SameScale(0),
	Ref: func(c *op.Call) (op.Kernel, error) {
		if err := sameParameters(c, c.In...); err != nil {
			return op.Kernel{}, err
		}
		axis := int(graph.Options[fb.PackOptionsT](c.Node).Axis)
		return mover(func(r *op.Run) error { return join(r, axis) })(c)
	},
}

// sameParameters fails where quantized values of result 0's type differ from it in
// scale or zero point; moving elements would change their values.
func sameParameters(c *op.Call, values ...op.Fact) error {
	want := &c.Out[0]
	scale, zero := want.PerTensor()
	for _, f := range values {
		if f.DType != want.DType || !op.Quants.Has(f.DType) || !f.Present {
			continue
		}
		if s, z := f.PerTensor(); s != scale || z != zero {
			return fmt.Errorf("scales %v and %v, zero points %d and %d differ: %w", s, scale, z, zero, tensor.ErrUnsupported)
		}
	}
	return nil
}

func concatFacts(c *op.Call) error {
	o := graph.Options[fb.ConcatenationOptionsT](c.Node)
	if o.FusedActivationFunction != fb.ActivationFunctionTypeNONE {
		return fmt.Errorf("fused activation %v: %w", o.FusedActivationFunction, tensor.ErrUnsupported)
	}
	out, err := common(c, int(o.Axis))
	if err != nil {
		return err
	}
	if len(out) == 0 && o.Axis == 0 { // scalars make a vector
		result(c, 0, 0, tensor.Shape{len(c.In)})
		return nil
	}
	axis, err := out.Axis(int(o.Axis))
	if err != nil {
		return err
	}
	out[axis] = 0
	for i := range c.In {
		d := c.In[i].Shape[axis]
		if d < 0 {
			out[axis] = -1
			break
		}
		out[axis] += d
	}
	result(c, 0, 0, out)
	return nil
}

func packFacts(c *op.Call) error {
	o := graph.Options[fb.PackOptionsT](c.Node)
	if int(o.ValuesCount) != len(c.In) {
		return fmt.Errorf("%d operands, values_count is %d: %w", len(c.In), o.ValuesCount, tensor.ErrMalformed)
	}
	in, err := common(c, maxRank)
	if err != nil {
		return err
	}
	axis := int(o.Axis)
	if axis < 0 {
		axis += len(in) + 1
	}
	if axis < 0 || axis > len(in) || len(in) == maxRank {
		return fmt.Errorf("new axis %d of shape %v: %w", o.Axis, in, tensor.ErrShape)
	}
	result(c, 0, 0, slices.Insert(in, axis, len(c.In)))
	return nil
}

// common returns the shape and checks the type that all operands have in common,
// but for one axis (none if it is out of range). A dimension that any operand
// knows is known.
func common(c *op.Call, except int) (tensor.Shape, error) {
	first, err := ranked(c, 0)
	if err != nil {
		return nil, err
	}
	if except < 0 {
		except += len(first)
	}
	out := first.Clone()
	for i := 1; i < len(c.In); i++ {
		s, err := ranked(c, i)
		if err != nil {
			return nil, err
		}
		if c.In[i].DType != c.In[0].DType {
			return nil, fmt.Errorf("operands of types %v and %v: %w", c.In[0].DType, c.In[i].DType, tensor.ErrType)
		}
		if len(s) != len(out) {
			return nil, fmt.Errorf("operands of shapes %v and %v: %w", first, s, tensor.ErrShape)
		}
		for k, d := range s {
			switch {
			case k == except || d < 0 || d == out[k]:
			case out[k] < 0:
				out[k] = d
			default:
				return nil, fmt.Errorf("operands of shapes %v and %v: %w", first, s, tensor.ErrShape)
			}
		}
	}
	return out, nil
}

func concatKernel(c *op.Call) (op.Kernel, error) {
	axis := int(graph.Options[fb.ConcatenationOptionsT](c.Node).Axis)
	switch c.Out[0].DType {
	case tensor.UInt8:
		return concatUint8(c, axis)
	case tensor.Int8:
		if err := sameParameters(c, c.In...); err != nil {
			return op.Kernel{}, err
		}
	}
	return mover(func(r *op.Run) error { return join(r, axis) })(c)
}

// join puts the operands side by side along an axis of the result.
func join(r *op.Run, axis int) error {
	out := r.Out[0].Shape()
	axis, err := out.Axis(axis)
	if err != nil {
		return err
	}
	outer, row := around(out, axis)
	at := 0
	for _, t := range r.In {
		n := 0
		if outer > 0 {
			n = t.Len() / outer
		}
		b := box{dstAt: at}
		b.axis(outer, row, n)
		b.axis(n, 1, 1)
		if err := b.move(r, r.Out[0], t); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// around returns the number of elements before an axis, and how many elements
// each of them holds.
func around(s tensor.Shape, axis int) (outer, row int) {
	outer, row = 1, 1
	for i, d := range s {
		if i < axis {
			outer *= d
		} else {
			row *= d
		}
	}
	return outer, row
}

// concatUint8 rescales operands whose parameters are not the output's:
// round(q·s/s_out - zero·s/s_out) + zero_out in float.
func concatUint8(c *op.Call, axis int) (op.Kernel, error) {
	scale, zero := c.Out[0].PerTensor()
	tables := make([]*[256]uint8, len(c.In))
	for i := range c.In {
		s, z := c.In[i].PerTensor()
		if s == scale && z == zero {
			continue
		}
		if err := c.Out[0].Quantized(); err != nil {
			return op.Kernel{}, err
		}
		ratio := s * (1 / scale)
		bias := float32(-float32(z) * ratio)
		tables[i] = new([256]uint8)
		for v := range tables[i] {
			x := int64(fixed.ToInt32(fixed.Round(float32(float32(v)*ratio)+bias))) + zero
			tables[i][v] = uint8(min(max(x, 0), 255))
		}
	}
	return op.Kernel{Run: func(r *op.Run) error {
		if err := join(r, axis); err != nil {
			return err
		}
		axis, _ := r.Out[0].Shape().Axis(axis) // join has checked it
		outer, _ := around(r.Out[0].Shape(), axis)
		for o, out := 0, r.Out[0].Bytes(); o < outer; o++ {
			for i, t := range r.In {
				n := len(t.Bytes()) / outer
				if tables[i] != nil {
					for k, v := range out[:n] {
						out[k] = tables[i][v]
					}
				}
				out = out[n:]
			}
		}
		return nil
	}}, nil
}
