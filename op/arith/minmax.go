package arith

import (
	"cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// Maximum and Minimum are MAXIMUM and MINIMUM with broadcasting. Integers are
// compared as they are: operands and result share their parameters. Where the
// operands do not compare (NaN) the result is operand b.
var (
	Maximum = choiceDef(schema.MAXIMUM, elementwise.Kernels{
		tensor.Float32:  choose(greater[float32]),
		tensor.Float16:  chooseHalf(tensor.Float16ToFloat32, greater),
		tensor.BFloat16: chooseHalf(elementwise.BFloat16ToFloat32, greater),
		tensor.UInt8:    choose(greater[uint8]),
		tensor.Int8:     choose(greater[int8]),
		tensor.Int16:    choose(greater[int16]),
		tensor.Int32:    choose(greater[int32]),
		tensor.Int64:    choose(greater[int64]),
	})
	Minimum = choiceDef(schema.MINIMUM, elementwise.Kernels{
		tensor.Float32:  choose(less[float32]),
		tensor.Float16:  chooseHalf(tensor.Float16ToFloat32, less),
		tensor.BFloat16: chooseHalf(elementwise.BFloat16ToFloat32, less),
		tensor.UInt8:    choose(less[uint8]),
		tensor.Int8:     choose(less[int8]),
		tensor.Int16:    choose(less[int16]),
		tensor.Int32:    choose(less[int32]),
		tensor.Int64:    choose(less[int64]),
	})
)

// choiceDef is the row of an operator that picks one of two elements.
func choiceDef(code schema.BuiltinOperator, k elementwise.Kernels) *op.Def {
	t := k.Types()
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("a", t).In("b", t).Like(0).Out("output", t).As(0),
		Facts:    elementwise.Facts,
		Alias:    []int{0, 1},
		Version:  choiceVersion,
		Since:    []string{"1.14.0", "1.14.0", "2.3.0", "2.3.0"},
		Quant:    op.SameScale(0, 1),
		Ref:      k.Ref(),
	}
}

func choiceVersion(c *op.Call) int {
	d := c.In[0].DType
	switch {
	case d == tensor.Int16 && c.In[0].Quant.IsZero():
		return 4
	case elementwise.DeepBroadcast(&c.In[0], &c.In[1]):
		return 3
	case d == tensor.Int8 || d == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	}
	return 1
}

func greater[T cmp.Ordered](x, y T) bool { return x > y }

func less[T cmp.Ordered](x, y T) bool { return x < y }

// choose is the kernel of x where first(x, y), of y elsewhere.
func choose[T element | uint8 | uint16](first func(x, y T) bool) op.Maker {
	return elementwise.Binary(func(x, y T) T {
		if first(x, y) {
			return x
		}
		return y
	})
}

func chooseHalf(wide func(uint16) float32, first func(x, y float32) bool) op.Maker {
	return choose(func(x, y uint16) bool { return first(wide(x), wide(y)) })
}
