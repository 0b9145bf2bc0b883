package arith

import (
	"fmt"
	"math"

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
	Operands: op.In("a", factors).In("b", factors).Like(0).Out("product", factors),
	Facts:    mulFacts,
	Alias:    []int{0, 1},
	Version:  mulVersion,
	Since:    []string{"1.5.0", "1.14.0", "1.15.0", "2.3.0", "2.6.0", "2.11.0", "2.13.0", "2.23.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation(), op.Activation()}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32:   plain(func(x, y float32) float32 { return x * y }, floatClamp(mulAct)),
		tensor.Float16:   plainHalf(func(x, y float32) float32 { return x * y }, mulAct),
		tensor.Complex64: mulComplex,
		tensor.Int32:     plain(multiply[int32], intClamp[int32](mulAct, math.MinInt32, math.MaxInt32)),
		tensor.UInt32:    plain(multiply[uint32], intClamp[uint32](mulAct, 0, math.MaxUint32)),
		tensor.Int64:     plain(multiply[int64], intClamp[int64](mulAct, math.MinInt64, math.MaxInt64)),
		tensor.Int8:      mulQuantized[int8],
		tensor.UInt8:     mulQuantized[uint8],
		tensor.Int16:     mulInt16,
	}),
}

const factors = numeric | op.F16 | op.U32 | op.C64

// mulFacts: int16 factors of one shape may have a product of 8 bits.
func mulFacts(c *op.Call) error {
	a, b, out := &c.In[0], &c.In[1], &c.Out[0]
	switch narrow := a.DType == tensor.Int16 && (out.DType == tensor.Int8 || out.DType == tensor.UInt8); {
	case !narrow:
		out.DType = a.DType
	case !a.Unknown && !b.Unknown && !op.Compatible(a.Shape, b.Shape):
		return fmt.Errorf("%v product of int16 factors of shapes %v and %v: %w", out.DType, a.Shape, b.Shape, tensor.ErrUnsupported)
	}
	return elementwise.Facts(c)
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
	case a.DType == tensor.Float16:
		return 8
	case a.DType == tensor.UInt32, a.DType == tensor.Int16 && a.Quant.IsZero():
		return 7
	case a.DType == tensor.Complex64:
		return 6
	case a.DType == tensor.Int64:
		return 5
	case (a.DType == tensor.Int8 || a.DType == tensor.UInt8) && a.Quant.Scale()*b.Quant.Scale()/out.Quant.Scale() >= 1:
		return 3
	case a.DType == tensor.Int8, a.DType == tensor.Int16:
		return 2 // written 16x8 files carry the int8 version
	}
	return 1
}

func multiply[T int16 | int32 | uint32 | int64](x, y T) T { return x * y }

func mulQuantized[T int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	a, b, out := &c.In[0], &c.In[1], &c.Out[0]
	if err := perTensor(a, b, out); err != nil {
		return op.Kernel{}, err
	}
	m, shift := fixed.QuantizeMultiplier(float64(float32(a.Quant.Scale()*b.Quant.Scale()) / out.Quant.Scale()))
	zeroA, zeroB, zero := int32(a.Quant.Zero()), int32(b.Quant.Zero()), int32(out.Quant.Zero())
	lo, hi, err := op.QuantRange(mulAct(c.Node), out)
	if err != nil {
		return op.Kernel{}, err
	}
	return elementwise.Binary(func(x, y T) T {
		v := fixed.MultiplyByQuantizedMultiplier((int32(x)-zeroA)*(int32(y)-zeroB), m, shift) + zero
		return T(min(max(v, lo), hi))
	})(c)
}

// mulInt16: the product is quantized, plain or of 8 bits.
func mulInt16(c *op.Call) (op.Kernel, error) {
	switch out := &c.Out[0]; {
	case out.DType == tensor.Int8:
		return mulNarrow[int8](c)
	case out.DType == tensor.UInt8:
		return mulNarrow[uint8](c)
	case out.Quant.IsZero():
		return plain(multiply[int16], intClamp[int16](mulAct, math.MinInt16, math.MaxInt16))(c)
	}
	return mulQuantized[int16](c)
}

// mulNarrow takes the factors for numbers of ±1 and gives the product eight bits,
// whatever the scales.
func mulNarrow[T int8 | uint8](c *op.Call) (op.Kernel, error) {
	lo, hi, err := op.QuantRange(mulAct(c.Node), &c.Out[0])
	if err != nil {
		return op.Kernel{}, err
	}
	zero := int32(c.Out[0].Quant.Zero())
	return elementwise.Binary(func(x, y int16) T {
		v := fixed.RoundingDivideByPOT(fixed.SaturatingRoundingDoublingHighMul16(x, y), 8)
		return T(min(max(int32(v)+zero, lo), hi))
	})(c)
}

func mulComplex(c *op.Call) (op.Kernel, error) {
	if act := mulAct(c.Node); act != fb.ActivationFunctionTypeNONE {
		return op.Kernel{}, fmt.Errorf("fused activation %v on complex numbers: %w", act, tensor.ErrUnsupported)
	}
	return elementwise.Binary(complexProduct)(c)
}

// complexProduct is C's: every step is rounded, and a product with an infinite factor
// is infinite where the formula gives NaN.
func complexProduct(x, y complex64) complex64 {
	a, b, c, d := real(x), imag(x), real(y), imag(y)
	ac, bd, ad, bc := a*c, b*d, a*d, b*c
	re, im := float32(ac)-float32(bd), float32(ad)+float32(bc)
	if re == re || im == im {
		return complex(re, im)
	}
	recalc := isInf(ac) || isInf(bd) || isInf(ad) || isInf(bc)
	if isInf(a) || isInf(b) {
		a, b, c, d = unit(a), unit(b), finite(c), finite(d)
		recalc = true
	}
	if isInf(c) || isInf(d) {
		a, b, c, d = finite(a), finite(b), unit(c), unit(d)
		recalc = true
	}
	if !recalc {
		return complex(re, im)
	}
	a, b, c, d = finite(a), finite(b), finite(c), finite(d)
	inf := float32(math.Inf(1))
	return complex(inf*(float32(a*c)-float32(b*d)), inf*(float32(a*d)+float32(b*c)))
}

func isInf(x float32) bool { return math.IsInf(float64(x), 0) }

// unit is ±1 for an infinity and ±0 otherwise; finite is ±0 for NaN.
func unit(x float32) float32 {
	v := 0.0
	if isInf(x) {
		v = 1
	}
	return float32(math.Copysign(v, float64(x)))
}

func finite(x float32) float32 {
	if x != x {
		return float32(math.Copysign(0, float64(x)))
	}
	return x
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
	if err := perTensor(a, b, out); err != nil {
		return op.Kernel{}, err
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
		return divideByPOT(fixed.SaturatingRoundingDoublingHighMul(q, m), over+room-shift)
	}
	quotients := elementwise.Binary(func(x, y T) T {
		return T(min(max(divide(int32(x)-zeroA, int32(y)-zeroB)+zero, lo), hi))
	})
	return without(T(zeroB), quotients)(c)
}

// divideByPOT is RoundingDivideByPOT; beyond its range, 0 to 31, as x86 shifts: by
// exponent modulo 32, under a mask of all bits.
func divideByPOT(x int32, exponent int) int32 {
	if exponent >= 0 && exponent < 32 {
		return fixed.RoundingDivideByPOT(x, exponent)
	}
	q := x >> (exponent & 31)
	if x >= 0 {
		q++
	}
	return q
}

// leadingSignBits is how far x can be shifted left without changing its sign.
func leadingSignBits(x int32) int {
	if x < 0 {
		x = ^x
	}
	return fixed.CountLeadingZeros(uint32(x)) - 1
}

var divInt32 = nonZero[int32](plain(func(x, y int32) int32 { return x / y }, intClamp[int32](divAct, math.MinInt32, math.MaxInt32)))
