package shape

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Fill is FILL: a tensor of the shape operand 0 names, all of it operand 1.
var Fill = &op.Def{
	Code:     graph.OpCode(schema.FILL),
	Name:     "FILL",
	Operands: op.In("dims", op.Index).In("value", plainTypes|op.Str).Out("output", plainTypes|op.Str).As(1),
	Facts:    fillFacts,
	Version: atType(1, map[tensor.DType]int{tensor.Bool: 2, tensor.String: 2, tensor.Float16: 4,
		tensor.Int8: 3, tensor.Int16: 3}),
	Since: []string{"1.13.0", "2.3.0", "2.5.0", "2.12.0", "2.23.0"},
	Quant: op.SameScale(1),
	Ref: func(c *op.Call) (op.Kernel, error) {
		if err := sameParameters(c, c.In...); err != nil {
			return op.Kernel{}, err
		}
		return mover(func(r *op.Run) error { return fill(r, r.Out[0], r.In[1]) })(c)
	},
}

// ZerosLike is ZEROS_LIKE: zeros of the input's shape and type.
var ZerosLike = &op.Def{
	Code:     graph.OpCode(schema.ZEROS_LIKE),
	Name:     "ZEROS_LIKE",
	Operands: op.In("input", op.F32|op.I32|op.I64).Out("output", op.F32|op.I32|op.I64).As(0),
	Facts: func(c *op.Call) error {
		c.Out[0].DType = c.In[0].DType
		return op.SameAs(0)(c)
	},
	Version: func(*op.Call) int { return 1 },
	Since:   []string{"1.12.0"},
	Quant:   op.Quant{None: true},
	Ref: op.Plain(func(r *op.Run) error {
		clear(r.Out[0].Bytes())
		return nil
	}),
}

// Range is RANGE: start, start + delta, … as long as they are before limit; all
// three are scalars.
var Range = &op.Def{
	Code:     graph.OpCode(schema.RANGE),
	Name:     "RANGE",
	Operands: op.In("start", rangeTypes).In("limit", rangeTypes).In("delta", rangeTypes).Out("output", rangeTypes).As(0),
	Facts:    rangeFacts,
	Version:  atType(0, map[tensor.DType]int{tensor.Int64: 2}),
	Since:    []string{"1.13.0", "2.14.0"},
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: op.Plain(rangeOf[float32]), tensor.Int32: op.Plain(rangeOf[int32]), tensor.Int64: op.Plain(rangeOf[int64]),
	}),
}

const rangeTypes = op.F32 | op.I32 | op.I64

func fillFacts(c *op.Call) error {
	v, err := c.Ints(0)
	if err != nil {
		return err
	}
	out := tensor.Shape(v)
	if len(c.In[0].Shape) != 1 || !out.Known() {
		return fmt.Errorf("dims %v of shape %v: %w", v, c.In[0].Shape, tensor.ErrShape)
	}
	if !c.In[1].Unknown && len(c.In[1].Shape) != 0 {
		return fmt.Errorf("value of shape %v: %w", c.In[1].Shape, tensor.ErrShape)
	}
	result(c, 0, 1, out)
	return nil
}

func rangeFacts(c *op.Call) error {
	for i := range c.In {
		if c.In[i].DType != c.In[0].DType || !c.In[i].Unknown && len(c.In[i].Shape) != 0 {
			return fmt.Errorf("operand %d is %v%v, want a scalar of type %v: %w", i, c.In[i].DType, c.In[i].Shape, c.In[0].DType, tensor.ErrShape)
		}
	}
	for i := range c.In {
		if c.In[i].Const == nil {
			return op.ErrLater
		}
	}
	count := countInts
	if c.In[0].DType == tensor.Float32 {
		count = countFloats
	}
	n, err := count(c)
	if err != nil {
		return err
	}
	result(c, 0, 0, tensor.Shape{n})
	return nil
}

func countInts(c *op.Call) (int, error) {
	var v [3]int
	for i := range v {
		x, err := c.Ints(i)
		if err != nil {
			return 0, err
		}
		if len(x) != 1 {
			return 0, fmt.Errorf("operand %d has %d elements: %w", i, len(x), tensor.ErrMalformed)
		}
		v[i] = x[0]
	}
	start, limit, delta := v[0], v[1], v[2]
	if delta == 0 || start < limit && delta < 0 || start > limit && delta > 0 {
		return 0, fmt.Errorf("range from %d to %d by %d: %w", start, limit, delta, tensor.ErrMalformed)
	}
	// Unsigned arithmetic holds the distance of any two and the size of any delta.
	distance, step := uint64(limit)-uint64(start), uint64(delta)
	if delta < 0 {
		distance, step = -distance, -step
	}
	n := distance / step
	if distance%step != 0 {
		n++
	}
	if n > maxSize {
		return 0, fmt.Errorf("range from %d to %d by %d: %w", start, limit, delta, tensor.ErrLimit)
	}
	return int(n), nil
}

func countFloats(c *op.Call) (int, error) {
	var v [3]float32
	for i := range v {
		x, err := tensor.Values[float32](c.In[i].Tensor())
		if err != nil {
			return 0, err
		}
		if len(x) != 1 {
			return 0, fmt.Errorf("operand %d has %d elements: %w", i, len(x), tensor.ErrMalformed)
		}
		v[i] = x[0]
	}
	start, limit, delta := v[0], v[1], v[2]
	if !(start >= limit && delta < 0 || start <= limit && delta > 0) {
		return 0, fmt.Errorf("range from %v to %v by %v: %w", start, limit, delta, tensor.ErrMalformed)
	}
	n := math.Ceil(math.Abs(float64((limit - start) / delta)))
	if !(n <= maxSize) {
		return 0, fmt.Errorf("range from %v to %v by %v: %w", start, limit, delta, tensor.ErrLimit)
	}
	return int(n), nil
}

func rangeOf[T float32 | int32 | int64](r *op.Run) error {
	v, delta := tensor.View[T](r.In[0].Bytes())[0], tensor.View[T](r.In[2].Bytes())[0]
	out := tensor.View[T](r.Out[0].Bytes())
	for i := range out {
		out[i] = v
		v += delta
	}
	return nil
}
