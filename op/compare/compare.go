// Package compare holds comparisons, logic and the operators that select
// elements by them.
package compare

import (
	"bytes"
	"cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{
	Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, LogicalAnd, LogicalOr, Select, SelectV2, Where,
}

// The six comparisons, with broadcasting. Quantized operands are compared as real
// numbers, in fixed point; int16 has parameters for EQUAL and NOT_EQUAL only.
var (
	Equal = comparison(schema.EQUAL, func(order int) bool { return order == 0 }, equality(true),
		map[tensor.DType]int{tensor.Int8: 2, tensor.String: 3, tensor.Int16: 5}, "1.14.0", "1.14.0", "2.3.0", "2.13.0", "2.21.0")
	NotEqual = comparison(schema.NOT_EQUAL, func(order int) bool { return order != 0 }, equality(false),
		map[tensor.DType]int{tensor.Int8: 2, tensor.String: 3, tensor.Int16: 4}, "1.14.0", "1.14.0", "2.3.0", "2.21.0")
	Less = comparison(schema.LESS, func(order int) bool { return order == less }, strict,
		map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 3}, "1.14.0", "1.14.0", "2.13.0")
	LessEqual = comparison(schema.LESS_EQUAL, func(order int) bool { return order == less || order == 0 }, ordering,
		map[tensor.DType]int{tensor.Int8: 2}, "1.14.0", "1.14.0")
	Greater = comparison(schema.GREATER, func(order int) bool { return order == greater }, strict,
		map[tensor.DType]int{tensor.Int8: 2}, "1.14.0", "1.14.0")
	GreaterEqual = comparison(schema.GREATER_EQUAL, func(order int) bool { return order == greater || order == 0 }, ordering,
		map[tensor.DType]int{tensor.Int8: 2, tensor.Int16: 3}, "1.14.0", "1.14.0", "2.13.0")
)

// How two elements relate; NaN is unordered.
const (
	less      = -1
	greater   = 1
	unordered = 2
)

// holds says for which relations a comparison is true.
type holds func(order int) bool

// comparison is the row of an operator with two operands of one type and a bool
// result. more adds kernels to those that all six have.
func comparison(code schema.BuiltinOperator, h holds, more func(h holds, k elementwise.Kernels), versions map[tensor.DType]int, since ...string) *op.Def {
	k := elementwise.Kernels{
		tensor.Float32: compareNumbers(h, order[float32]),
		tensor.Float16: compareNumbers(h, orderHalf(tensor.Float16ToFloat32)),
		tensor.Int32:   compareNumbers(h, order[int32]),
		tensor.Int64:   compareNumbers(h, order[int64]),
		tensor.Int8:    compareQuantized[int8](h),
		tensor.UInt8:   compareQuantized[uint8](h),
	}
	more(h, k)
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("a", k.Types()).In("b", k.Types()).Like(0).Out("output", op.B).Typed(),
		Facts:    elementwise.Facts,
		Version:  elementwise.VersionBy(versions),
		Since:    since,
		Quant:    op.Quant{In: []op.Rule{op.Activation(), op.Activation()}, Out: []op.Rule{{}}, No16: true},
		Ref:      k.Ref(),
	}
}

// ordering adds int16, compared as it is.
func ordering(h holds, k elementwise.Kernels) { k[tensor.Int16] = compareNumbers(h, order[int16]) }

// strict adds bfloat16 too.
func strict(h holds, k elementwise.Kernels) {
	ordering(h, k)
	k[tensor.BFloat16] = compareNumbers(h, orderHalf(elementwise.BFloat16ToFloat32))
}

// equality adds quantized int16, bool and strings.
func equality(wanted bool) func(h holds, k elementwise.Kernels) {
	return func(h holds, k elementwise.Kernels) {
		plain, quantized := compareNumbers(h, order[int16]), compareQuantized[int16](h)
		k[tensor.Int16] = func(c *op.Call) (op.Kernel, error) {
			if c.In[0].Quant.IsZero() {
				return plain(c)
			}
			return quantized(c)
		}
		k[tensor.Bool] = compareNumbers(h, order[uint8])
		k[tensor.String] = op.Plain(func(r *op.Run) error { return compareStrings(r, wanted) })
	}
}

func order[T cmp.Ordered](x, y T) int {
	switch {
	case x == y:
		return 0
	case x < y:
		return less
	case x > y:
		return greater
	}
	return unordered
}

func orderHalf(wide func(uint16) float32) func(x, y uint16) int {
	return func(x, y uint16) int { return order(wide(x), wide(y)) }
}

// compareNumbers is the kernel on elements as they are.
func compareNumbers[T tensor.Element](h holds, order func(x, y T) int) op.Maker {
	return elementwise.Binary(func(x, y T) uint8 { return truth(h(order(x, y))) })
}

func truth(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// compareQuantized brings both operands to real values in fixed point, with 8
// bits to spare.
func compareQuantized[T int8 | uint8 | int16](h holds) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		a, err := newScaled(&c.In[0])
		if err != nil {
			return op.Kernel{}, err
		}
		b, err := newScaled(&c.In[1])
		if err != nil {
			return op.Kernel{}, err
		}
		return elementwise.Binary(func(x, y T) uint8 { return truth(h(order(a.real(int32(x)), b.real(int32(y))))) })(c)
	}
}

const spareBits = 8

// scaled takes an operand to fixed point.
type scaled struct {
	zero, m int32
	shift   int
	sign    bool
}

// newScaled: a scale above one would shift left, for which LiteRT's function is not
// made: all that is left of the value is its sign.
func newScaled(f *op.Fact) (*scaled, error) {
	if err := f.Quantized(); err != nil {
		return nil, err
	}
	s := &scaled{zero: int32(f.Quant.Zero()), sign: f.Quant.Scale() > 1}
	s.m, s.shift = fixed.QuantizeMultiplier(float64(f.Quant.Scale()))
	return s, nil
}

func (s *scaled) real(q int32) int32 {
	if s.sign {
		return (q-s.zero)>>31 | 1
	}
	return fixed.MultiplyByQuantizedMultiplier((q-s.zero)<<spareBits, s.m, s.shift)
}

func compareStrings(r *op.Run, wanted bool) error {
	a, err := r.In[0].Strings()
	if err != nil {
		return err
	}
	b, err := r.In[1].Strings()
	if err != nil {
		return err
	}
	out := r.Out[0].Bytes()[:0]
	w := elementwise.NewWalk(r.Out[0].Shape(), r.In[0].Shape(), r.In[1].Shape())
	for range w.Runs() {
		for i := range w.Run {
			out = append(out, truth(bytes.Equal(a[w.At[0]+i*w.Step[0]], b[w.At[1]+i*w.Step[1]]) == wanted))
		}
		w.Next()
	}
	return nil
}

// LogicalAnd and LogicalOr are LOGICAL_AND and LOGICAL_OR, with broadcasting.
var (
	LogicalAnd = logic(schema.LOGICAL_AND, func(x, y uint8) uint8 { return truth(x != 0 && y != 0) })
	LogicalOr  = logic(schema.LOGICAL_OR, func(x, y uint8) uint8 { return truth(x != 0 || y != 0) })
)

func logic(code schema.BuiltinOperator, f func(x, y uint8) uint8) *op.Def {
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("a", op.B).In("b", op.B).Out("output", op.B).Typed(),
		Facts:    elementwise.Facts,
		Alias:    []int{0, 1},
		Version:  elementwise.Version1,
		Since:    []string{"1.11.0"},
		Quant:    op.Quant{None: true},
		Ref:      elementwise.Binary(f),
	}
}
