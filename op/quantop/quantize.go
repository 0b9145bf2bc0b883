// Package quantop holds the operators between real and quantized values, and between
// sparse and dense ones.
package quantop

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{Quantize, Dequantize, Densify, NumericVerify}

// Quantize is QUANTIZE: real to integer, or integer to integer under other
// parameters.
var Quantize = &op.Def{
	Code:     graph.OpCode(schema.QUANTIZE),
	Name:     "QUANTIZE",
	Operands: op.In("input", op.F32|op.Quants|op.I32).Out("output", op.Quants|op.I32|op.I4|op.U4),
	Facts:    op.SameAs(0),
	Version:  quantizeVersion,
	Since:    []string{"1.14.0", "1.15.0", "2.7.0", "2.21.0", "2.21.0", "2.21.0"},
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: op.ByResult(map[tensor.DType]op.Maker{
			tensor.Int8: quantize[int8], tensor.UInt8: quantize[uint8], tensor.Int16: quantize[int16],
			tensor.Int4: quantizePacked(-8, 7), tensor.UInt4: quantizePacked(0, 15),
		}),
		tensor.Int8:  op.ByResult(requantizers[int8]()),
		tensor.UInt8: op.ByResult(requantizers[uint8]()),
		tensor.Int16: op.ByResult(map[tensor.DType]op.Maker{
			tensor.Int8: requantize[int16, int8], tensor.Int16: requantize[int16, int16], tensor.Int32: requantize[int16, int32],
		}),
		tensor.Int32: op.ByResult(map[tensor.DType]op.Maker{
			tensor.Int8: requantize[int32, int8], tensor.Int16: requantize[int32, int16],
		}),
	}),
}

// Dequantize is DEQUANTIZE: integer or float16 to float32.
var Dequantize = &op.Def{
	Code:     graph.OpCode(schema.DEQUANTIZE),
	Name:     "DEQUANTIZE",
	Operands: op.In("input", op.Quants|op.F16|op.I4|op.I2|op.U4).Out("output", op.F32),
	Facts:    op.SameAs(0),
	Version:  dequantizeVersion,
	Since:    []string{"1.13.1", "1.14.0", "1.15.0", "2.2.0", "2.7.0", "2.18.0", "2.21.0", "2.22.0"},
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float16: op.Plain(widen),
		tensor.Int8:    dequantize[int8],
		tensor.UInt8:   dequantize[uint8],
		tensor.Int16:   dequantize[int16],
		tensor.Int4:    dequantizePacked(true),
		tensor.Int2:    dequantizePacked(true),
		tensor.UInt4:   dequantizePacked(false),
	}),
}

func quantizeVersion(c *op.Call) int {
	switch out := &c.Out[0]; {
	case out.DType == tensor.UInt4:
		return 5
	case out.DType == tensor.Int4:
		return 4
	case out.Quant.PerAxis():
		return 3
	case c.In[0].DType == tensor.Int16:
		return 2
	}
	return 1
}

func dequantizeVersion(c *op.Call) int {
	switch in := &c.In[0]; in.DType {
	case tensor.UInt4:
		return 8
	case tensor.Int2:
		return 7
	case tensor.Int4:
		return 6
	case tensor.Float16:
		return 3
	case tensor.Int8, tensor.Int16:
		if in.DType == tensor.Int8 && in.Quant.PerAxis() {
			return 5
		}
		return 2
	}
	return 1
}

// axis is how a tensor's scales spread over its elements: each run of elements has
// one, in the order of the n positions on the axis, again and again.
type axis struct {
	scales []float32
	zeros  []int32
	run, n int
}

// axisOf reads a fact's parameters for a tensor of a given shape, to which the value
// may have been resized. Without any parameters the scale is 0.
func axisOf(f *op.Fact) (func(s tensor.Shape) (axis, error), error) {
	q := f.Quant
	if q.IsZero() {
		q = tensor.PerTensor(0, 0)
	}
	if len(q.Scales) != len(q.ZeroPoints) {
		return nil, fmt.Errorf("%d scales and %d zero points: %w", len(q.Scales), len(q.ZeroPoints), tensor.ErrMalformed)
	}
	zeros := make([]int32, len(q.ZeroPoints))
	for i, z := range q.ZeroPoints {
		zeros[i] = int32(z)
	}
	if q.PerAxis() && (f.Unknown || q.Axis < 0 || q.Axis >= len(f.Shape) || f.Shape[q.Axis] != len(q.Scales)) {
		return nil, fmt.Errorf("%d scales along axis %d of %v: %w", len(q.Scales), q.Axis, f.Shape, tensor.ErrMalformed)
	}
	return func(s tensor.Shape) (axis, error) {
		if !q.PerAxis() {
			return axis{q.Scales, zeros, math.MaxInt, 1}, nil
		}
		if q.Axis >= len(s) || s[q.Axis] > len(q.Scales) {
			return axis{}, fmt.Errorf("%d scales along axis %d of %v: %w", len(q.Scales), q.Axis, s, tensor.ErrShape)
		}
		run := 1
		for _, d := range s[q.Axis+1:] {
			run *= d
		}
		return axis{q.Scales, zeros, run, s[q.Axis]}, nil
	}, nil
}

// each calls f with every run of the first n elements.
func (a *axis) each(n int, f func(from, to int, scale float32, zero int32)) {
	for from, c := 0, 0; from < n; {
		to := from + min(a.run, n-from)
		f(from, to, a.scales[c], a.zeros[c])
		if from, c = to, c+1; c == a.n {
			c = 0
		}
	}
}

// quantize is AffineQuantize: round(x/scale) + zero point, clamped.
func quantize[T int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	of, err := axisOf(&c.Out[0])
	if err == nil && c.Out[0].Quant.IsZero() {
		err = fmt.Errorf("result without a scale: %w", tensor.ErrMalformed)
	}
	if err != nil {
		return op.Kernel{}, err
	}
	lo, hi, _ := c.Out[0].DType.IntRange()
	return op.Kernel{Run: func(r *op.Run) error {
		in, out := op.F32s(r.In[0]), tensor.View[T](r.Out[0].Bytes())
		a, err := of(r.Out[0].Shape())
		if err != nil {
			return err
		}
		a.each(len(in), func(from, to int, scale float32, zero int32) {
			for i, x := range in[from:to] {
				out[from+i] = T(min(max(fixed.ToInt32(fixed.Round(x/scale))+zero, lo), hi))
			}
		})
		return nil
	}}, nil
}

// quantizePacked is AffineQuantize to integers of four bits between lo and hi.
func quantizePacked(lo, hi int32) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		q := &c.Out[0].Quant
		if len(q.Scales) != 1 || len(q.ZeroPoints) != 1 {
			return op.Kernel{}, fmt.Errorf("%v with %d scales: %w", c.Out[0].DType, len(q.Scales), tensor.ErrUnsupported)
		}
		scale, zero := q.Scale(), int32(q.Zero())
		return op.Kernel{Run: func(r *op.Run) error {
			out := r.Out[0].Bytes()
			clear(out)
			for i, x := range op.F32s(r.In[0]) {
				v := min(max(fixed.ToInt32(fixed.Round(x/scale))+zero, lo), hi)
				out[i/2] |= byte(v) & 15 << (i % 2 * 4)
			}
			return nil
		}}, nil
	}
}

func requantizers[I int8 | uint8]() map[tensor.DType]op.Maker {
	return map[tensor.DType]op.Maker{
		tensor.Int8: requantize[I, int8], tensor.UInt8: requantize[I, uint8], tensor.Int16: requantize[I, int16],
	}
}

// requantize is Requantize. Where an operand's scales are not one, LiteRT takes 0.
func requantize[I, O int8 | uint8 | int16 | int32](c *op.Call) (op.Kernel, error) {
	in, out := &c.In[0], &c.Out[0]
	scaleIn, zeroIn := in.PerTensor()
	scaleOut, zeroOut := out.PerTensor()
	ratio := float64(scaleIn) / float64(scaleOut)
	if !(math.Abs(ratio) <= math.MaxFloat64) {
		return op.Kernel{}, fmt.Errorf("from scales %v to %v: %w", in.Quant.Scales, out.Quant.Scales, tensor.ErrMalformed)
	}
	m, shift := fixed.QuantizeMultiplier(ratio)
	lo, hi, _ := out.DType.IntRange()
	return op.Kernel{Run: func(r *op.Run) error {
		dst := tensor.View[O](r.Out[0].Bytes())
		for i, v := range tensor.View[I](r.In[0].Bytes()) {
			dst[i] = O(max(min(fixed.MultiplyByQuantizedMultiplier(int32(v)-int32(zeroIn), m, shift)+int32(zeroOut), hi), lo))
		}
		return nil
	}}, nil
}

// dequantize makes integers real.
func dequantize[T int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	of, err := axisOf(&c.In[0])
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{Run: func(r *op.Run) error {
		a, err := of(r.In[0].Shape())
		if err != nil {
			return err
		}
		reals(&a, op.F32s(r.Out[0]), tensor.View[T](r.In[0].Bytes()))
		return nil
	}}, nil
}

// reals is scale·(q − zero point), rounded once to float32, but along an axis the
// difference is rounded too.
func reals[T int8 | uint8 | int16](a *axis, out []float32, quantized []T) {
	a.each(len(quantized), func(from, to int, scale float32, zero int32) {
		out, quantized := out[from:to], quantized[from:to]
		if len(a.scales) > 1 {
			for i, q := range quantized {
				out[i] = scale * float32(int32(q)-zero)
			}
			return
		}
		for i, q := range quantized {
			out[i] = float32(float64(scale) * float64(int32(q)-zero))
		}
	})
}

// dequantizePacked reads integers of less than a byte.
func dequantizePacked(signed bool) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		of, err := axisOf(&c.In[0])
		if err != nil {
			return op.Kernel{}, err
		}
		bits := c.In[0].DType.Bits()
		return op.Kernel{
			Temp: func(in, _ []tensor.Shape) (int, error) { return in[0].Elems() },
			Run: func(r *op.Run) error {
				out, values := op.F32s(r.Out[0]), tensor.View[int8](r.Temp)[:r.Out[0].Len()]
				op.Unpack(values, r.In[0].Bytes(), bits, signed)
				a, err := of(r.In[0].Shape())
				if err != nil {
					return err
				}
				reals(&a, out, values)
				return nil
			},
		}, nil
	}
}

// widen makes float16 float32, exactly. A finite number's bits, read as those of a
// float32, are 2⁻¹¹² times as much.
func widen(r *op.Run) error {
	out := op.F32s(r.Out[0])
	for i, h := range tensor.View[uint16](r.In[0].Bytes()) {
		const exponent, signAndRest = 0x7c00, 0x8fffe000
		out[i] = math.Float32frombits(uint32(int32(int16(h))<<13)&signAndRest) * 0x1p112
		if h&exponent == exponent {
			out[i] = tensor.Float16ToFloat32(h)
		}
	}
	return nil
}
