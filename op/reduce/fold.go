package reduce

import (
	"cmp"
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Sum is SUM: the sum along the axes operand 1 lists; integers wrap.
var Sum = &op.Def{
	Code:     graph.OpCode(schema.SUM),
	Name:     "SUM",
	Operands: op.In("input", numbers|op.B).In("axes", op.I32).Out("output", numbers|op.B),
	Facts:    facts,
	Version:  version,
	Since:    []string{"1.10.0", "1.15.0"},
	Quant:    sumQuant(),
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: reducer(0, func(acc, x float32) float32 { return acc + x }),
		tensor.Int32:   reducer(0, func(acc, x int32) int32 { return acc + x }),
		tensor.Int64:   reducer(0, func(acc, x int64) int64 { return acc + x }),
		tensor.Bool:    reducer(false, either),
		tensor.Int8:    quantized(sumFloat[int8]),
		tensor.UInt8:   quantized(sumQuantized[uint8]),
		tensor.Int16:   quantized(sumFloat[int16]),
	}),
}

// Prod is REDUCE_PROD: the product along the axes operand 1 lists.
var Prod = &op.Def{
	Code:     graph.OpCode(schema.REDUCE_PROD),
	Name:     "REDUCE_PROD",
	Operands: op.In("input", numbers|op.B).In("axes", op.I32).Out("output", numbers|op.B),
	Facts:    facts,
	Version:  version,
	Since:    []string{"1.11.0", "2.6.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: reducer(1, func(acc, x float32) float32 { return acc * x }),
		tensor.Int32:   reducer(1, func(acc, x int32) int32 { return acc * x }),
		tensor.Int64:   reducer(1, func(acc, x int64) int64 { return acc * x }),
		tensor.Bool:    reducer(true, both),
		tensor.Int8:    prodQuantized[int8],
		tensor.UInt8:   prodQuantized[uint8],
		tensor.Int16:   prodQuantized[int16],
	}),
}

// Max is REDUCE_MAX: the greatest element along the axes operand 1 lists.
var Max = extremum(schema.REDUCE_MAX, op.ByType(0, map[tensor.DType]op.Maker{
	tensor.Float32: reducer(-math.MaxFloat32, greater[float32]),
	tensor.Int32:   reducer(math.MinInt32, greater[int32]),
	tensor.Int64:   reducer(math.MinInt64, greater[int64]),
	tensor.Bool:    reducer(false, either),
	tensor.Int8:    sameScale(reducer(math.MinInt8, greater[int8])),
	tensor.UInt8:   sameScale(reducer(0, greater[uint8])),
	tensor.Int16:   sameScale(reducer(math.MinInt16, greater[int16])),
}))

// Min is REDUCE_MIN: the smallest element along the axes operand 1 lists.
var Min = extremum(schema.REDUCE_MIN, op.ByType(0, map[tensor.DType]op.Maker{
	tensor.Float32: reducer(math.MaxFloat32, less[float32]),
	tensor.Int32:   reducer(math.MaxInt32, less[int32]),
	tensor.Int64:   reducer(math.MaxInt64, less[int64]),
	tensor.Bool:    reducer(true, both),
	tensor.Int8:    sameScale(reducer(math.MaxInt8, less[int8])),
	tensor.UInt8:   sameScale(reducer(math.MaxUint8, less[uint8])),
	tensor.Int16:   sameScale(reducer(math.MaxInt16, less[int16])),
}))

// Any is REDUCE_ANY: whether any element along the axes is true.
var Any = logical(schema.REDUCE_ANY, "1.11.0", false, either)

// All is REDUCE_ALL: whether all elements along the axes are true.
var All = logical(schema.REDUCE_ALL, "2.6.0", true, both)

func either(acc, x bool) bool { return acc || x }

func both(acc, x bool) bool { return acc && x }

func extremum(code schema.BuiltinOperator, ref op.Maker) *op.Def {
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("input", numbers|op.B).In("axes", op.I32).Out("output", numbers|op.B),
		Facts:    facts,
		Version:  version,
		Since:    []string{"1.11.0", "1.14.0", "2.5.0"},
		Quant:    op.SameScale(0),
		Ref:      ref,
	}
}

func logical(code schema.BuiltinOperator, since string, init bool, step func(acc, x bool) bool) *op.Def {
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("input", op.B).In("axes", op.I32).Out("output", op.B),
		Facts:    facts,
		Version:  func(*op.Call) int { return 1 },
		Since:    []string{since},
		Quant:    op.Quant{None: true},
		Ref:      reducer(init, step),
	}
}

// sumQuant: the MLIR quantizer measures sums, the 16x8 one gives them the
// input's scale.
func sumQuant() op.Quant {
	wide := op.SameScale(0)
	return op.Quant{In: []op.Rule{op.Activation()}, Int16: &wide}
}

func greater[T cmp.Ordered](acc, x T) T {
	if x > acc {
		return x
	}
	return acc
}

func less[T cmp.Ordered](acc, x T) T {
	if x < acc {
		return x
	}
	return acc
}

// sameScale refuses a result of other parameters than the operand's.
func sameScale(ref op.Maker) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		in, out := c.In[0].Quant, c.Out[0].Quant
		if in.Scale() != out.Scale() || in.Zero() != out.Zero() {
			return op.Kernel{}, fmt.Errorf("scales %v and %v, zero points %d and %d differ: %w", in.Scale(), out.Scale(), in.Zero(), out.Zero(), tensor.ErrUnsupported)
		}
		return ref(c)
	}
}

// reducer makes the kernel that folds elements of one type. As in TFLite, a
// reduction of all axes starts with the first element, any other one with init,
// which a maximum of infinities tells.
func reducer[T tensor.Element](init T, step func(acc, x T) T) op.Maker {
	id := func(acc T, _ int) T { return acc }
	return op.Plain(func(r *op.Run) error {
		if _, _, all := split(r); !all || r.In[0].Len() == 0 {
			return fold(r, init, step, id)
		}
		x := tensor.View[T](r.In[0].Bytes())
		acc := x[0]
		for _, v := range x[1:] {
			acc = step(acc, v)
		}
		tensor.View[T](r.Out[0].Bytes())[0] = acc
		return nil
	})
}

// sumFloat is what TFLite's optimised kernel computes: the sum in int32, then one
// rounding of sum·scale - zero·scale·n in float.
func sumFloat[T int8 | int16](r *op.Run, s *rescale) error {
	if r.In[0].Len() == 0 {
		clear(r.Out[0].Bytes())
		return nil
	}
	return fold(r, 0, func(acc int32, x T) int32 { return acc + int32(x) }, func(acc int32, n int) T {
		bias := float32(float32(-s.in)*s.scale) * float32(n)
		sum := fixed.Round(float32(float32(acc)*s.scale) + float32(bias))
		return T(s.clamp(fixed.ToInt32(sum) + s.out))
	})
}

// prodQuantized rescales by in_scale/out_scale^(1/n) behind each of the n
// factors; without quantization it is the plain product, for uint8 only that.
func prodQuantized[T int8 | uint8 | int16](c *op.Call) (op.Kernel, error) {
	in, out := &c.In[0], &c.Out[0]
	if in.Quant.IsZero() {
		return reducer(1, func(acc, x T) T { return acc * x })(c)
	}
	if in.DType == tensor.UInt8 {
		return op.Kernel{}, fmt.Errorf("product of quantized uint8: %w", tensor.ErrUnsupported)
	}
	if err := perTensor(in, out); err != nil {
		return op.Kernel{}, err
	}
	lo, hi, _ := out.DType.IntRange()
	zeroIn, zeroOut := int64(in.Quant.Zero()), int32(out.Quant.Zero())
	scaleIn, scaleOut := float64(in.Quant.Scale()), float64(out.Quant.Scale())
	return op.Kernel{Run: func(r *op.Run) error {
		_, reduced, _ := split(r)
		n := max(reduced.count(), 1)
		m, shift := fixed.QuantizeMultiplier(scaleIn / libm.Pow(scaleOut, 1/float64(n)))
		if shift > 14 {
			return fmt.Errorf("product of %d factors of scale %v into scale %v: %w", n, scaleIn, scaleOut, tensor.ErrUnsupported)
		}
		type state struct {
			product int32
			begun   bool
		}
		return fold(r, state{}, func(acc state, x T) state {
			v := int64(x) - zeroIn
			if acc.begun {
				v = int64(fixed.MultiplyByQuantizedMultiplier64(int64(acc.product)*v, m, shift))
			}
			return state{int32(v), true}
		}, func(acc state, _ int) T {
			q := fixed.MultiplyByQuantizedMultiplier64(int64(acc.product), m, shift) + zeroOut
			return T(min(max(q, lo), hi))
		})
	}}, nil
}
