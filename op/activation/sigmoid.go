package activation

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// Logistic is LOGISTIC, 1/(1 + exp(−x)).
var Logistic = curve(schema.LOGISTIC, op.Pin8And16(1./256, -128, 1./32768), elementwise.Kernels{
	tensor.Float32:  elementwise.Unary(logistic),
	tensor.Float16:  elementwise.Half(logistic),
	tensor.BFloat16: elementwise.BHalf(logistic),
	tensor.Int8:     resultScale(1./256, elementwise.Table8[int8](elementwise.Fixed(libm.Sigmoidf))),
	tensor.UInt8:    resultScale(1./256, elementwise.Table8[uint8](elementwise.Fixed(libm.Sigmoidf))),
	tensor.Int16:    resultScale(1./32768, sigmoid16(fixed.PrepareLogistic16, fixed.Logistic16)),
})

// Tanh is TANH.
var Tanh = curve(schema.TANH, op.Pin8And16(1./128, 0, 1./32768), elementwise.Kernels{
	tensor.Float32:  elementwise.Unary(libm.Tanhf),
	tensor.Float16:  elementwise.Half(libm.Tanhf),
	tensor.BFloat16: elementwise.BHalf(libm.Tanhf),
	tensor.Int8:     elementwise.Table8[int8](elementwise.Fixed(libm.Tanhf)),
	tensor.UInt8:    elementwise.Table8[uint8](elementwise.Fixed(libm.Tanhf)),
	tensor.Int16:    sigmoid16(fixed.PrepareTanh16, fixed.Tanh16),
})

// curve is the row of an operator whose result's parameters are fixed.
func curve(code schema.BuiltinOperator, pin op.Rule, k elementwise.Kernels) *op.Def {
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("input", k.Types()).Out("output", k.Types()).Like(0),
		Facts:    op.SameAs(0),
		Alias:    []int{0},
		Version:  elementwise.VersionBy(map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 2}), // written 16x8 files carry the int8 version
		Since:    []string{"1.14.0", "1.14.0", "2.3.0"},
		Quant:    op.Quant{In: []op.Rule{op.Activation()}, Out: []op.Rule{pin}},
		Ref:      k.Ref(),
	}
}

// logistic is the reference kernel's: beyond the cutoffs the other form is exact.
func logistic(x float32) float32 {
	const upper, lower = 16.619047164916992188, -9
	switch {
	case x > upper:
		return 1
	case x < lower:
		return libm.Expf(x)
	}
	return libm.Sigmoidf(x)
}

// resultScale refuses results whose scale is not the one the kernel computes in.
func resultScale(scale float32, mk op.Maker) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		if s := c.Out[0].Quant.Scale(); s != scale {
			return op.Kernel{}, fmt.Errorf("result of scale %v, want %v: %w", s, scale, tensor.ErrUnsupported)
		}
		return mk(c)
	}
}

// sigmoid16 is the kernel of an int16 function that fixed interpolates in its
// own table; results are in Q0.15, which their scale must mean to within 1e-3.
func sigmoid16(prepare func(scale float32) (m int32, shift int), f func(x int16, m int32, shift int) int16) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		if err := op.CheckActivations(&c.In[0], &c.Out[0]); err != nil {
			return op.Kernel{}, err
		}
		if log2, pot := fixed.CheckedLog2(c.Out[0].Quant.Scale()); !pot || log2 != -15 {
			return op.Kernel{}, fmt.Errorf("result of scale %v, want 2^-15: %w", c.Out[0].Quant.Scale(), tensor.ErrUnsupported)
		}
		m, shift := prepare(c.In[0].Quant.Scale())
		return elementwise.Unary(func(x int16) int16 { return f(x, m, shift) })(c)
	}
}
