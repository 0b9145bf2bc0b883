package arith

import (
	"fmt"
	"math"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// Mul is MUL: a·b with broadcasting and a fused activation.
var Mul = &op.Def{
	Code:     graph.OpCode(schema.MUL),
	Name:     "MUL",
	Operands: op.In("a", numeric).In("b", numeric).Like(0).Out("product", numeric).As(0),
	Facts:    elementwise.Facts,
	Alias:    []int{0, 1},
	Version:  mulVersion,
	Since:    []string{"1.5.0", "1.14.0", "1.15.0", "2.3.0", "2.6.0", "2.11.0", "2.13.0", "2.23.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation(), op.Activation()}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: plain(func(x, y float32) float32 { return x * y }, floatClamp(mulAct)),
		tensor.Int32:   plain(func(x, y int32) int32 { return x * y }, intClamp[int32](mulAct, math.MinInt32, math.MaxInt32)),
		tensor.Int64:   plain(func(x, y int64) int64 { return x * y }, intClamp[int64](mulAct, math.MinInt64, math.MaxInt64)),
		tensor.Int8:    mulQuantized[int8],
		tensor.UInt8:   mulQuantized[uint8],
		tensor.Int16:   mulQuantized[int16],
	}),
}

// Div is DIV: a/b with broadcasting and a fused activation; integers truncate.
var Div = &op.Def{
	Code:     graph.OpCode(schema.DIV),
	Name:     "DIV",
	Operands: op.In("a", op.F32|op.I32|op.Quants).In("b", op.F32|op.I32|op.Quants).Like(0).Out("quotient", op.F32|op.I32|op.Quants).As(0),
	Facts:    elementwise.Facts,
	Alias:    []int{0, 1},
	Version:  divVersion,
	Since:    []string{"1.6.0", "2.3.0"},
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: plain(func(x, y float32) float32 { return x / y }, floatClamp(divAct)),
		tensor.Int32:   divInt32,
		tensor.UInt8:   divQuantized[uint8],
		tensor.Int8:    divQuantized[int8],
		tensor.Int16:   divQuantized[int16],
	}),
}

func mulAct(n *graph.Node) fb.ActivationFunctionType {
	return graph.Options[fb.MulOptionsT](n).FusedActivationFunction
}

func divAct(n *graph.Node) fb.ActivationFunctionType {
	return graph.Options[fb.DivOptionsT](n).FusedActivationFunction
}

func mulVersion(c *op.Call) int {
	a, b, out := &c.In[0], &c.In[1], &c.Out[0]
	switch {
	case a.DType == tensor.Int64:
		return 5
	case a.DType == tensor.Int8 && a.Quant.Scale()*b.Quant.Scale()/out.Quant.Scale() >= 1:
		return 3
	case a.DType == tensor.Int8, a.DType == tensor.Int16:
		return 2 // written 16x8 files carry the int8 version
	}
	return 1
}

func mulQuantized[T int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	a, b, out := &c.In[0], &c.In[1], &c.Out[0]
	for _, f := range []*op.Fact{a, b, out} {
		if err := f.Quantized(); err != nil {
			return op.Kernel{}, err
		}
	}
	m, shift := fixed.QuantizeMultiplier(float64(float32(a.Quant.Scale()*b.Quant.Scale()) / out.Quant.Scale()))
	zeroA, zeroB, zero := int32(a.Quant.Zero()), int32(b.Quant.Zero()), int32(out.Quant.Zero())
	lo, hi, err := op.QuantRange(mulAct(c.Node), out)
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{Run: func(r *op.Run) error {
		x, y, z := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.In[1].Bytes()), tensor.View[T](r.Out[0].Bytes())
		w := elementwise.NewWalk(r.Out[0].Shape(), r.In[0].Shape(), r.In[1].Shape())
		for i := range w.Len() {
			v := fixed.MultiplyByQuantizedMultiplier((int32(x[w.At[0]])-zeroA)*(int32(y[w.At[1]])-zeroB), m, shift) + zero
			z[i] = T(min(max(v, lo), hi))
			w.Next()
		}
		return nil
	}}, nil
}

func divVersion(c *op.Call) int {
	if c.In[0].DType == tensor.UInt8 || elementwise.DeepBroadcast(&c.In[0], &c.In[1]) {
		return 2
	}
	return 1
}

var errDivisor = fmt.Errorf("division by zero: %w", tensor.ErrMalformed)

// divQuantized multiplies by the divisor's fixed-point reciprocal (DivQuantized). The
// dividend is shifted up as far as it goes before.
func divQuantized[T int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	a, b, out := &c.In[0], &c.In[1], &c.Out[0]
	for _, f := range []*op.Fact{a, b, out} {
		if err := f.Quantized(); err != nil {
			return op.Kernel{}, err
		}
	}
	m, shift := fixed.QuantizeMultiplier(float64(a.Quant.Scale() / float32(b.Quant.Scale()*out.Quant.Scale())))
	zeroA, zeroB, zero := int32(a.Quant.Zero()), int32(b.Quant.Zero()), int32(out.Quant.Zero())
	lo, hi, err := op.QuantRange(divAct(c.Node), out)
	if err != nil {
		return op.Kernel{}, err
	}
	divide := func(x, y int32) int32 {
		if y < 0 {
			x, y = -x, -y
		}
		inverse, over := fixed.GetReciprocal(y, 31)
		room := leadingSignBits(x)
		q := fixed.MultiplyByQuantizedMultiplierGreaterThanOne(x, inverse, room)
		right := max(over+room-shift, 0)
		if right > 31 {
			return 0
		}
		return fixed.RoundingDivideByPOT(fixed.SaturatingRoundingDoublingHighMul(q, m), right)
	}
	return op.Kernel{Run: func(r *op.Run) error {
		x, y, z := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.In[1].Bytes()), tensor.View[T](r.Out[0].Bytes())
		if slices.Contains(y, T(zeroB)) {
			return errDivisor
		}
		w := elementwise.NewWalk(r.Out[0].Shape(), r.In[0].Shape(), r.In[1].Shape())
		for i := range w.Len() {
			z[i] = T(min(max(divide(int32(x[w.At[0]])-zeroA, int32(y[w.At[1]])-zeroB)+zero, lo), hi))
			w.Next()
		}
		return nil
	}}, nil
}

// leadingSignBits is how far x can be shifted left without changing its sign.
func leadingSignBits(x int32) int {
	if x < 0 {
		x = ^x
	}
	return fixed.CountLeadingZeros(uint32(x)) - 1
}

func divInt32(c *op.Call) (op.Kernel, error) {
	k, err := plain(func(x, y int32) int32 { return x / y }, intClamp[int32](divAct, math.MinInt32, math.MaxInt32))(c)
	run := k.Run
	k.Run = func(r *op.Run) error {
		if slices.Contains(op.I32s(r.In[1]), 0) {
			return errDivisor
		}
		return run(r)
	}
	return k, err
}
