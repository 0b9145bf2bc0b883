package compare

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// selectable are the element types of one, two, four and eight bytes.
const selectable = op.F16 | op.BF16 | op.F32 | op.F64 | op.B | op.I8 | op.U8 | op.I16 | op.U16 | op.I32 | op.U32 | op.I64 | op.U64 | op.C64

// selected is the rule of operands 1 and 2, which share the result's parameters.
var selected = []op.Rule{{}, op.Activation(), op.Activation()}

// Select is SELECT: elements of x where the condition holds, of y elsewhere. The
// condition has the operands' shape, or one element for each index of their first
// axis, or it is a scalar.
var Select = &op.Def{
	Code:     graph.OpCode(schema.SELECT),
	Name:     "SELECT",
	Operands: op.In("condition", op.B).In("x", selectable).In("y", selectable).Like(1).Out("output", selectable).As(1),
	Facts:    selectFacts,
	Alias:    []int{1, 2},
	Version:  selectVersion,
	Since:    []string{"1.14.0", "1.14.0", "2.12.0", "2.12.0"},
	Quant:    op.Quant{Same: true, In: selected, Out: []op.Rule{op.Activation()}},
	Ref:      bySize(selectRows[uint8], selectRows[uint16], selectRows[uint32], selectRows[uint64]),
}

// SelectV2 is SELECT_V2: SELECT with all three operands broadcast.
var SelectV2 = &op.Def{
	Code:     graph.OpCode(schema.SELECT_V2),
	Name:     "SELECT_V2",
	Operands: op.In("condition", op.B).In("x", selectable).In("y", selectable).Like(1).Out("output", selectable).As(1),
	Facts:    selectV2Facts,
	Alias:    []int{1, 2},
	Version:  elementwise.Version1,
	Since:    []string{"2.2.0", "2.12.0"},
	Quant:    op.Quant{Same: true, In: selected, Out: []op.Rule{op.Activation()}, No16: true},
	Ref:      bySize(selectBroadcast[uint8], selectBroadcast[uint16], selectBroadcast[uint32], selectBroadcast[uint64]),
}

func selectVersion(c *op.Call) int {
	for i := range c.In {
		if len(c.In[i].Shape) == 5 {
			return 3
		}
	}
	return 1
}

// bySize selects a kernel by the size of the operands' elements: what they mean
// does not matter.
func bySize(k1, k2, k4, k8 func(r *op.Run) error) op.Maker {
	bySize := map[int]func(r *op.Run) error{1: k1, 2: k2, 4: k4, 8: k8}
	return func(c *op.Call) (op.Kernel, error) {
		run, ok := bySize[c.In[1].DType.Size()]
		if !ok {
			return op.Kernel{}, fmt.Errorf("elements of type %v: %w", c.In[1].DType, tensor.ErrUnsupported)
		}
		return op.Kernel{Run: run}, nil
	}
}

func selectFacts(c *op.Call) error {
	cond, x, y := &c.In[0], &c.In[1], &c.In[2]
	if cond.Unknown || x.Unknown || y.Unknown {
		return op.ErrLater
	}
	if allSingle(c) { // whatever their ranks
		return selectV2Facts(c)
	}
	shape, ok := merge(x.Shape, y.Shape)
	if !ok {
		return fmt.Errorf("x is %v, y %v: %w", x.Shape, y.Shape, tensor.ErrShape)
	}
	whole, fits := merge(shape, cond.Shape)
	switch {
	case fits:
		shape = whole
	case len(cond.Shape) == 0:
	case len(cond.Shape) == 1 && len(shape) > 0 && (cond.Shape[0] == shape[0] || cond.Shape[0] < 0 || shape[0] < 0):
	default:
		return fmt.Errorf("condition %v for elements %v: %w", cond.Shape, shape, tensor.ErrShape)
	}
	c.Out[0].Shape, c.Out[0].Unknown = shape, false
	return nil
}

// selectV2Facts broadcasts. Where all is one element, LiteRT leaves the result the
// shape that the file declares.
func selectV2Facts(c *op.Call) error {
	if out := &c.Out[0]; allSingle(c) && out.Shape != nil && single(out) {
		out.Unknown = false
		return nil
	}
	return elementwise.Facts(c)
}

// allSingle reports whether each operand has one element.
func allSingle(c *op.Call) bool {
	return !slices.ContainsFunc(c.In, func(f op.Fact) bool { return !single(&f) })
}

// single reports whether a value has one element.
func single(f *op.Fact) bool {
	n, err := f.Shape.Elems()
	return !f.Unknown && err == nil && n == 1
}

// merge is the shape that two descriptions of one shape agree on.
func merge(a, b tensor.Shape) (tensor.Shape, bool) {
	if len(a) != len(b) {
		return nil, false
	}
	m := a.Clone()
	for i, d := range b {
		if m[i] >= 0 && d >= 0 && m[i] != d {
			return nil, false
		}
		m[i] = max(m[i], d)
	}
	return m, true
}

// selectRows copies runs of elements that one condition decides on.
func selectRows[T uint8 | uint16 | uint32 | uint64](r *op.Run) error {
	cond, out := r.In[0].Bytes(), tensor.View[T](r.Out[0].Bytes())
	x, y := tensor.View[T](r.In[1].Bytes()), tensor.View[T](r.In[2].Bytes())
	if len(cond) == 0 {
		return nil
	}
	run := len(out) / len(cond)
	for i, b := range cond {
		from := y
		if b != 0 {
			from = x
		}
		copy(out[i*run:(i+1)*run], from[i*run:])
	}
	return nil
}

func selectBroadcast[T uint8 | uint16 | uint32 | uint64](r *op.Run) error {
	cond, out := r.In[0].Bytes(), tensor.View[T](r.Out[0].Bytes())
	x, y := tensor.View[T](r.In[1].Bytes()), tensor.View[T](r.In[2].Bytes())
	w := elementwise.NewWalk(r.Out[0].Shape(), r.In[0].Shape(), r.In[1].Shape(), r.In[2].Shape())
	for run := range w.Runs() {
		c, i, j := w.At[0], w.At[1], w.At[2]
		for o := range w.Run {
			v := y[j]
			if cond[c] != 0 {
				v = x[i]
			}
			out[run*w.Run+o] = v
			c += w.Step[0]
			i += w.Step[1]
			j += w.Step[2]
		}
		w.Next()
	}
	return nil
}

// Where is WHERE: the indices of the elements that are not zero, a row each.
var Where = &op.Def{
	Code:     graph.OpCode(schema.WHERE),
	Name:     "WHERE",
	Operands: op.In("condition", conditions.Types()).Out("indices", op.I64).Typed(),
	Facts:    whereFacts,
	Version: func(c *op.Call) int {
		if c.In[0].DType == tensor.Bool {
			return 1
		}
		return 2
	},
	Since: []string{"1.14.0", "2.8.0"},
	Quant: op.Quant{None: true},
	Ref:   conditions.Ref(),
}

var conditions = elementwise.Kernels{
	tensor.Bool: op.Plain(where[uint8]), tensor.UInt8: op.Plain(where[uint8]), tensor.Int8: op.Plain(where[int8]),
	tensor.Int32: op.Plain(where[int32]), tensor.UInt32: op.Plain(where[uint32]), tensor.Int64: op.Plain(where[int64]),
	tensor.Float32: op.Plain(where[float32]),
}

type condition interface {
	int8 | uint8 | int32 | uint32 | int64 | float32
}

// counts says how many elements are not zero.
var counts = map[tensor.DType]func(b []byte) int{
	tensor.Bool: count[uint8], tensor.UInt8: count[uint8], tensor.Int8: count[int8],
	tensor.Int32: count[int32], tensor.UInt32: count[uint32], tensor.Int64: count[int64], tensor.Float32: count[float32],
}

func count[T condition](b []byte) int {
	n := 0
	for _, v := range tensor.View[T](b) {
		if v != 0 {
			n++
		}
	}
	return n
}

func whereFacts(c *op.Call) error {
	in := &c.In[0]
	if in.Unknown || in.Const == nil {
		return op.ErrLater
	}
	if len(in.Shape) == 0 {
		return fmt.Errorf("condition is a scalar: %w", tensor.ErrShape)
	}
	c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{counts[in.DType](in.Const), len(in.Shape)}, false
	return nil
}

// where writes the indices of non-zero elements in order.
func where[T condition](r *op.Run) error {
	shape, out := r.In[0].Shape(), op.I64s(r.Out[0])
	for i, v := range tensor.View[T](r.In[0].Bytes()) {
		if v == 0 {
			continue
		}
		row := out[:len(shape)]
		out = out[len(shape):]
		for k := len(shape) - 1; k >= 0; k-- {
			row[k] = int64(i % shape[k])
			i /= shape[k]
		}
	}
	return nil
}
