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

// Defs lists the package's operators.
var Defs = []*op.Def{
	Add, Sub, Mul, Div, Maximum, Minimum, SquaredDifference, Pow, Atan2, AddN, FloorDiv, FloorMod, BitwiseXor, RightShift,
}

const numeric = op.F32 | op.Quants | op.I32 | op.I64

// Add is ADD: a + b with broadcasting and a fused activation.
var Add = &op.Def{
	Code:     graph.OpCode(schema.ADD),
	Name:     "ADD",
	Operands: op.In("a", numeric|op.F16).In("b", numeric|op.F16).Like(0).Out("sum", numeric|op.F16).As(0),
	Facts:    elementwise.Facts,
	Alias:    []int{0, 1},
	Version: func(c *op.Call) int {
		if c.In[0].DType == tensor.Int16 && c.In[0].Quant.IsZero() {
			return 5
		}
		return addVersion(c, map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 2, tensor.Int64: 4, tensor.Float16: 6})
	},
	Since: []string{"1.5.0", "1.14.0", "2.4.0", "2.6.0", "2.13.0", "2.23.0"},
	Quant: op.Quant{In: []op.Rule{op.Activation(), op.Activation()}},
	Ref:   sumKernels(1),
}

// Sub is SUB: a − b with broadcasting and a fused activation.
var Sub = &op.Def{
	Code:     graph.OpCode(schema.SUB),
	Name:     "SUB",
	Operands: op.In("a", numeric).In("b", numeric).Like(0).Out("difference", numeric).As(0),
	Facts:    elementwise.Facts,
	Alias:    []int{0, 1},
	Version: func(c *op.Call) int {
		return addVersion(c, map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 2, tensor.Int64: 4})
	},
	Since: []string{"1.6.0", "1.14.0", "2.3.0", "2.4.0", "2.4.0"},
	Quant: op.Quant{In: []op.Rule{op.Activation(), op.Activation()}},
	Ref:   sumKernels(-1),
}

// sumOptions are the options ADD and SUB share.
func sumOptions(n *graph.Node) (act fb.ActivationFunctionType, pot bool) {
	switch o := n.Options.(type) {
	case *fb.AddOptionsT:
		return o.FusedActivationFunction, o.PotScaleInt16
	case *fb.SubOptionsT:
		return o.FusedActivationFunction, o.PotScaleInt16
	}
	return fb.ActivationFunctionTypeNONE, false
}

// addVersion is the version by operand type; files that the 16x8 quantizer writes
// carry the int8 version. int16 with pot_scale_int16 is version 1's; broadcasting more than four dimensions takes SUB to 3.
func addVersion(c *op.Call, by map[tensor.DType]int) int {
	d := c.In[0].DType
	if _, pot := sumOptions(c.Node); d == tensor.Int16 && pot {
		return 1
	}
	if v := by[d]; v > 0 {
		return v
	}
	if c.Node.Op == graph.OpCode(schema.SUB) && elementwise.DeepBroadcast(&c.In[0], &c.In[1]) {
		return 3
	}
	return 1
}

func sumKernels(sign int32) op.Maker {
	return op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: plain(func(x, y float32) float32 { return x + float32(float32(sign)*y) }, floatClamp(sumAct)),
		tensor.Float16: plainHalf(func(x, y float32) float32 { return x + float32(float32(sign)*y) }, sumAct),
		tensor.Int32:   plain(func(x, y int32) int32 { return x + sign*y }, intClamp[int32](sumAct, math.MinInt32, math.MaxInt32)),
		tensor.Int64:   plain(func(x, y int64) int64 { return x + int64(sign)*y }, intClamp[int64](sumAct, math.MinInt64, math.MaxInt64)),
		tensor.Int8:    sumQuantized[int8](sign),
		tensor.UInt8:   sumQuantized[uint8](sign),
		tensor.Int16:   sumInt16(sign),
	})
}

func sumAct(n *graph.Node) fb.ActivationFunctionType {
	act, _ := sumOptions(n)
	return act
}

func floatClamp(act func(*graph.Node) fb.ActivationFunctionType) func(c *op.Call) (lo, hi float32, err error) {
	return func(c *op.Call) (lo, hi float32, err error) {
		lo, hi = op.FloatRange(act(c.Node))
		return lo, hi, nil
	}
}

// intClamp is CalculateActivationRange for plain integers.
func intClamp[T int16 | int32 | uint32 | int64](act func(*graph.Node) fb.ActivationFunctionType, lowest, highest T) func(c *op.Call) (lo, hi T, err error) {
	return func(c *op.Call) (T, T, error) {
		lo, hi := op.FloatRange(act(c.Node))
		l, h := lowest, highest
		if lo > -math.MaxFloat32 {
			l = T(int64(lo))
		}
		if hi < math.MaxFloat32 {
			h = T(int64(hi))
		}
		return l, h, nil
	}
}

// scaled is a step of the way to a common scale and from it to the result's:
// subtract the zero point, shift left, multiply.
type scaled struct {
	zero, m int32
	shift   int
}

func (s *scaled) apply(q int32, left int) int32 { return s.multiply((q - s.zero) << left) }

// multiply: LiteRT's function is not made for multipliers above one, which leave
// the sign of v and nothing else.
func (s *scaled) multiply(v int32) int32 {
	if s.shift > 0 {
		return v>>31 | 1
	}
	return fixed.MultiplyByQuantizedMultiplierSmallerThanOneExp(v, s.m, s.shift)
}

// commonScale makes the steps that take both operands to twice the larger of their
// scales, and what is computed there to the result by the factor that belongs to it.
func commonScale(c *op.Call, factor func(common float64) float64) (s [3]scaled, err error) {
	facts := [3]*op.Fact{&c.In[0], &c.In[1], &c.Out[0]}
	common := float64(2 * max(facts[0].Quant.Scale(), facts[1].Quant.Scale()))
	factors := [3]float64{float64(facts[0].Quant.Scale()) / common, float64(facts[1].Quant.Scale()) / common, factor(common)}
	for i, f := range facts {
		if err := f.Quantized(); err != nil {
			return s, err
		}
		s[i].zero = int32(f.Quant.Zero())
		s[i].m, s[i].shift = fixed.QuantizeMultiplier(factors[i])
	}
	return s, nil
}

// sumQuantized is a + sign·b over a common scale: left shift 20 for 8 bits, 15
// for int16.
func sumQuantized[T int8 | uint8 | int16](sign int32) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		out := &c.Out[0]
		left := 20
		if out.DType == tensor.Int16 {
			left = 15
		}
		s, err := commonScale(c, func(common float64) float64 { return common / float64(float32(int(1)<<left)*out.Quant.Scale()) })
		if err != nil {
			return op.Kernel{}, err
		}
		if sign > 0 && s[2].shift > 0 {
			return op.Kernel{}, tinyScale(c)
		}
		lo, hi, err := op.QuantRange(sumAct(c.Node), out)
		if err != nil {
			return op.Kernel{}, err
		}
		return elementwise.Binary(func(x, y T) T {
			sum := s[0].apply(int32(x), left) + sign*s[1].apply(int32(y), left)
			return T(min(max(s[2].multiply(sum)+s[2].zero, lo), hi))
		})(c)
	}
}

func tinyScale(c *op.Call) error {
	return fmt.Errorf("output scale %v is too small for operand scales %v and %v: %w", c.Out[0].Quant.Scale(), c.In[0].Quant.Scale(), c.In[1].Quant.Scale(), tensor.ErrUnsupported)
}

// sumInt16 takes the power-of-two path where the options and all scales allow it.
func sumInt16(sign int32) op.Maker {
	general := sumQuantized[int16](sign)
	return func(c *op.Call) (op.Kernel, error) {
		if c.Out[0].Quant.IsZero() {
			return plain(func(x, y int16) int16 { return x + int16(sign)*y }, intClamp[int16](sumAct, math.MinInt16, math.MaxInt16))(c)
		}
		_, pot := sumOptions(c.Node)
		var logs [3]int
		for i, f := range []*op.Fact{&c.In[0], &c.In[1], &c.Out[0]} {
			log, ok := fixed.CheckedLog2(f.Quant.Scale())
			logs[i], pot = log, pot && ok
		}
		if !pot {
			return general(c)
		}
		return sumPOT(c, sign, logs[0]-logs[2], logs[1]-logs[2])
	}
}

// sumPOT adds int16 values whose scales are powers of two: the operand with the
// smaller scale is shifted right, the sum saturates.
func sumPOT(c *op.Call, sign int32, shiftA, shiftB int) (op.Kernel, error) {
	if shiftA > 0 || shiftB > 0 || shiftA != 0 && shiftB != 0 {
		return op.Kernel{}, fmt.Errorf("power-of-two scales 2^%d and 2^%d of the output's: %w", shiftA, shiftB, tensor.ErrUnsupported)
	}
	lo, hi, err := op.QuantRange(sumAct(c.Node), &c.Out[0])
	if err != nil {
		return op.Kernel{}, err
	}
	return elementwise.Binary(func(x, y int16) int16 {
		p, q := fixed.RoundingDivideByPOT(x, -shiftA), fixed.RoundingDivideByPOT(y, -shiftB)
		v := int32(fixed.SaturateInt16(int32(p) + sign*int32(q)))
		return int16(min(max(v, lo), hi))
	})(c)
}
