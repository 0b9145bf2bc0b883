package arith

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// SquaredDifference is SQUARED_DIFFERENCE: (a − b)² with broadcasting.
var SquaredDifference = &op.Def{
	Code:     graph.OpCode(schema.SQUARED_DIFFERENCE),
	Name:     "SQUARED_DIFFERENCE",
	Operands: op.In("a", op.F32|op.I32|op.I8).In("b", op.F32|op.I32|op.I8).Like(0).Out("output", op.F32|op.I32|op.I8).As(0),
	Facts:    elementwise.Facts,
	Alias:    []int{0, 1},
	Version:  elementwise.VersionBy(map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 2}),
	Since:    []string{"1.13.1", "2.5.0"},
	// TensorFlow quantizes it in 16x8 too, but no runtime has an int16 kernel.
	Quant: op.Quant{In: []op.Rule{op.Activation(), op.Activation()}, No16: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: elementwise.Binary(squaredDifference[float32]),
		tensor.Int32:   elementwise.Binary(squaredDifference[int32]),
		tensor.Int8:    squaredDifferenceInt8,
	}),
}

func squaredDifference[T float32 | int32](x, y T) T { return (x - y) * (x - y) }

// squaredDifferenceInt8 brings both operands to twice the larger scale with 7
// bits to spare, as ADD does with 20.
func squaredDifferenceInt8(c *op.Call) (op.Kernel, error) {
	const left = 7
	out := &c.Out[0]
	s, err := commonScale(c, func(common float64) float64 { return common * common / float64(float32(1<<(2*left))*out.Quant.Scale()) })
	if err != nil {
		return op.Kernel{}, err
	}
	if s[2].shift > 0 {
		return op.Kernel{}, tinyScale(c)
	}
	return elementwise.Binary(func(x, y int8) int8 {
		d := s[0].apply(int32(x), left) - s[1].apply(int32(y), left)
		return int8(min(max(s[2].multiply(d*d)+s[2].zero, -128), 127))
	})(c)
}
