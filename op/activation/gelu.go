package activation

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// Elu is ELU: x for x ≥ 0, exp(x) − 1 below.
var Elu = &op.Def{
	Code:     graph.OpCode(schema.ELU),
	Name:     "ELU",
	Operands: op.In("input", op.F32|op.I8).Out("output", op.F32|op.I8).Like(0),
	Facts:    op.SameAs(0),
	Alias:    []int{0},
	Version:  elementwise.Version1,
	Since:    []string{"1.14.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}, No16: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: elementwise.Unary(elu),
		tensor.Int8:    elementwise.Table8[int8](elementwise.Fixed(elu)),
	}),
}

func elu(x float32) float32 {
	if x < 0 {
		return libm.Expm1f(x)
	}
	return x
}

// Gelu is GELU: x·Φ(x), exact or, if the options say so, by tanh.
var Gelu = &op.Def{
	Code:     graph.OpCode(schema.GELU),
	Name:     "GELU",
	Operands: op.In("input", op.F32|op.F16|op.Quants).Out("output", op.F32|op.F16|op.Quants).Like(0),
	Facts:    op.SameAs(0),
	Alias:    []int{0},
	Version:  elementwise.VersionBy(map[tensor.DType]int{tensor.Float16: 3, tensor.Int8: 2, tensor.UInt8: 2, tensor.Int16: 2}),
	Since:    []string{"2.9.0", "2.9.0", "2.23.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: geluFloat,
		tensor.Float16: geluHalf,
		tensor.Int8:    elementwise.Table8[int8](gelu),
		tensor.UInt8:   elementwise.Table8[uint8](gelu),
		tensor.Int16:   geluInt16,
	}),
}

const (
	sqrtHalf      = 0.70710678118654752440 // 1/√2
	sqrtTwoOverPi = 0.79788456080286535588 // √(2/π)
)

// geluFloat has Eigen's tanh and order of products.
func geluFloat(c *op.Call) (op.Kernel, error) {
	if !graph.Options[fb.GeluOptionsT](c.Node).Approximate {
		return elementwise.Unary(geluErf)(c)
	}
	return elementwise.Unary(func(x float32) float32 {
		cubic := x + float32(0.044715*float32(float32(x*x)*x))
		return float32(0.5*x) * (1 + libm.EigenTanhf(sqrtTwoOverPi*cubic))
	})(c)
}

// gelu is the function that tables hold, with C's erfc and tanh.
func gelu(c *op.Call) func(float32) float32 {
	if graph.Options[fb.GeluOptionsT](c.Node).Approximate {
		return geluTanh
	}
	return geluErf
}

// geluErf is x·Φ(x) by erfc, which unlike erf loses nothing for x far below zero.
func geluErf(x float32) float32 { return 0.5 * x * libm.Erfcf(x*-sqrtHalf) }

func geluTanh(x float32) float32 {
	cubic := x + float32(0.044715*x*x*x)
	return 0.5 * x * (1 + libm.Tanhf(sqrtTwoOverPi*cubic))
}

// geluInt16 is elementwise.Table16 for any zero points.
func geluInt16(c *op.Call) (op.Kernel, error) {
	in, out := &c.In[0], &c.Out[0]
	if err := allQuantized(in, out); err != nil {
		return op.Kernel{}, err
	}
	table := fixed.LUTPopulateInt16(in.Quant.Scale(), int32(in.Quant.Zero()), out.Quant.Scale(), int32(out.Quant.Zero()), gelu(c))
	return elementwise.Unary(func(x int16) int16 { return fixed.LUTLookupInt16(x, table) })(c)
}

// geluHalf rounds every step to binary16, as the reference kernel does.
func geluHalf(c *op.Call) (op.Kernel, error) {
	if graph.Options[fb.GeluOptionsT](c.Node).Approximate {
		return elementwise.Half(geluTanhHalf)(c)
	}
	return elementwise.Half(geluErfHalf)(c)
}

// round16 rounds to binary16.
func round16(x float32) float32 { return tensor.Float16ToFloat32(tensor.Float32ToFloat16(x)) }

func geluErfHalf(x float32) float32 {
	erfc := round16(libm.Erfcf(round16(x * round16(-sqrtHalf))))
	return round16(0.5*x) * erfc
}

func geluTanhHalf(x float32) float32 {
	cube := round16(round16(x*x) * x)
	cubic := round16(x + round16(round16(0.044715)*cube))
	tanh := round16(libm.Tanhf(round16(round16(sqrtTwoOverPi) * cubic)))
	return round16(0.5*x) * round16(1+tanh)
}
