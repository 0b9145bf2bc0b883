package unary

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// The parts of complex numbers.
var (
	Real = part(schema.REAL, elementwise.Kernels{
		tensor.Complex64:  elementwise.Unary(func(z complex64) float32 { return real(z) }),
		tensor.Complex128: elementwise.Unary(func(z complex128) float64 { return real(z) }),
	})
	Imag = part(schema.IMAG, elementwise.Kernels{
		tensor.Complex64:  elementwise.Unary(func(z complex64) float32 { return imag(z) }),
		tensor.Complex128: elementwise.Unary(func(z complex128) float64 { return imag(z) }),
	})
	ComplexAbs = part(schema.COMPLEX_ABS, elementwise.Kernels{
		tensor.Complex64: elementwise.Unary(absComplex64),
	})
)

// part is the row of an operator whose result has the type of the parts.
func part(code schema.BuiltinOperator, k elementwise.Kernels) *op.Def {
	results := op.F32
	if k.Types().Has(tensor.Complex128) {
		results |= op.F64
	}
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("input", k.Types()).Out("output", results),
		Facts:    partFacts,
		Version:  elementwise.Version1,
		Since:    []string{"2.5.0"},
		Quant:    op.Quant{None: true},
		Ref:      k.Ref(),
	}
}

func partFacts(c *op.Call) error {
	want := tensor.Float32
	if c.In[0].DType == tensor.Complex128 {
		want = tensor.Float64
	}
	if d := c.Out[0].DType; d != want {
		return fmt.Errorf("result of type %v from %v: %w", d, c.In[0].DType, tensor.ErrType)
	}
	return op.SameAs(0)(c)
}

// absComplex64 is hypot in double precision, rounded once; an infinite part wins
// over NaN.
func absComplex64(z complex64) float32 {
	x, y := float64(real(z)), float64(imag(z))
	if math.IsInf(x, 0) || math.IsInf(y, 0) {
		return float32(math.Inf(1))
	}
	return float32(math.Sqrt(float64(x*x) + float64(y*y)))
}
