// Package quantop holds the operators between real and quantized values.
package quantop

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{Quantize, Dequantize}

// Quantize is QUANTIZE: real to integer, or integer to integer under other
// parameters.
var Quantize = &op.Def{
	Code:     graph.OpCode(schema.QUANTIZE),
	Name:     "QUANTIZE",
	Operands: op.In("input", op.F32|op.Quants).Out("output", op.Quants),
	Facts:    op.SameAs(0),
	Version:  quantizeVersion,
	Since:    []string{"1.14.0", "2.3.0", "2.14.0"},
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: op.ByResult(map[tensor.DType]op.Maker{
			tensor.Int8: quantize[int8], tensor.UInt8: quantize[uint8], tensor.Int16: quantize[int16],
		}),
		tensor.Int8:  op.ByResult(requantizers[int8]()),
		tensor.UInt8: op.ByResult(requantizers[uint8]()),
		tensor.Int16: op.ByResult(requantizers[int16]()),
	}),
}

// Dequantize is DEQUANTIZE: integer or float16 to float32.
var Dequantize = &op.Def{
	Code:     graph.OpCode(schema.DEQUANTIZE),
	Name:     "DEQUANTIZE",
	Operands: op.In("input", op.Quants|op.F16).Out("output", op.F32),
	Facts:    op.SameAs(0),
	Version:  dequantizeVersion,
	Since:    []string{"1.13.1", "1.14.0", "1.15.0"},
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float16: op.Plain(widen),
		tensor.Int8:    dequantize[int8],
		tensor.UInt8:   dequantize[uint8],
		tensor.Int16:   dequantize[int16],
	}),
}

func quantizeVersion(c *op.Call) int {
	switch {
	case c.Out[0].Quant.PerAxis():
		return 3
	case c.In[0].DType == tensor.Int16:
		return 2
	}
	return 1
}

func dequantizeVersion(c *op.Call) int {
	switch c.In[0].DType {
	case tensor.Float16:
		return 3
	case tensor.Int8, tensor.Int16:
		return 2
	}
	return 1
}

// axis is how a tensor's scales spread over its elements: element i has the
// scale at i / inner % n.
type axis struct {
	scales []float32
	zeros  []int32
	inner  int
}

// axisOf reads a fact's parameters for a tensor of the given shape.
func axisOf(f *op.Fact) (func(s tensor.Shape) axis, error) {
	q := f.Quant
	if len(q.Scales) == 0 || len(q.Scales) != len(q.ZeroPoints) {
		return nil, fmt.Errorf("%d scales and %d zero points: %w", len(q.Scales), len(q.ZeroPoints), tensor.ErrMalformed)
	}
	zeros := make([]int32, len(q.ZeroPoints))
	for i, z := range q.ZeroPoints {
		zeros[i] = int32(z)
	}
	if q.PerAxis() && (f.Unknown || q.Axis < 0 || q.Axis >= len(f.Shape) || f.Shape[q.Axis] != len(q.Scales)) {
		return nil, fmt.Errorf("%d scales along axis %d of %v: %w", len(q.Scales), q.Axis, f.Shape, tensor.ErrMalformed)
	}
	return func(s tensor.Shape) axis {
		inner := 1
		if q.PerAxis() {
			for _, d := range s[q.Axis+1:] {
				inner *= d
			}
		}
		return axis{q.Scales, zeros, inner}
	}, nil
}

func (a *axis) at(i int) (scale float32, zero int32) {
	if len(a.scales) == 1 {
		return a.scales[0], a.zeros[0]
	}
	c := i / a.inner % len(a.scales)
	return a.scales[c], a.zeros[c]
}

// quantize is AffineQuantize: round(x/scale) + zero point, clamped.
func quantize[T int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	of, err := axisOf(&c.Out[0])
	if err != nil {
		return op.Kernel{}, err
	}
	lo, hi, _ := c.Out[0].DType.IntRange()
	return op.Kernel{Run: func(r *op.Run) error {
		in, out := op.F32s(r.In[0]), tensor.View[T](r.Out[0].Bytes())
		a := of(r.Out[0].Shape())
		for i, x := range in {
			scale, zero := a.at(i)
			out[i] = T(min(max(fixed.ToInt32(fixed.Round(x/scale))+zero, lo), hi))
		}
		return nil
	}}, nil
}

func requantizers[I int8 | uint8 | int16]() map[tensor.DType]op.Maker {
	return map[tensor.DType]op.Maker{
		tensor.Int8: requantize[I, int8], tensor.UInt8: requantize[I, uint8], tensor.Int16: requantize[I, int16],
	}
}

func requantize[I, O int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	in, out := &c.In[0], &c.Out[0]
	for _, f := range []*op.Fact{in, out} {
		if err := f.Quantized(); err != nil {
			return op.Kernel{}, err
		}
	}
	m, shift := fixed.QuantizeMultiplier(float64(in.Quant.Scale()) / float64(out.Quant.Scale()))
	zeroIn, zeroOut := int32(in.Quant.Zero()), int32(out.Quant.Zero())
	lo, hi, _ := out.DType.IntRange()
	return op.Kernel{Run: func(r *op.Run) error {
		dst := tensor.View[O](r.Out[0].Bytes())
		for i, v := range tensor.View[I](r.In[0].Bytes()) {
			dst[i] = O(max(min(fixed.MultiplyByQuantizedMultiplier(int32(v)-zeroIn, m, shift)+zeroOut, hi), lo))
		}
		return nil
	}}, nil
}

// dequantize is scale·(q − zero point), rounded once to float.
func dequantize[T int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	of, err := axisOf(&c.In[0])
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{Run: func(r *op.Run) error {
		out := op.F32s(r.Out[0])
		a := of(r.In[0].Shape())
		for i, q := range tensor.View[T](r.In[0].Bytes()) {
			scale, zero := a.at(i)
			out[i] = float32(float64(scale) * float64(int32(q)-zero))
		}
		return nil
	}}, nil
}

func widen(r *op.Run) error {
	out := op.F32s(r.Out[0])
	for i, h := range tensor.View[uint16](r.In[0].Bytes()) {
		out[i] = tensor.Float16ToFloat32(h)
	}
	return nil
}
