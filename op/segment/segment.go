// Package segment holds the operators that join slices of a tensor by segment
// numbers. Float sums and products are taken in the slices' order, one float32
// operation after the other.
package segment

import (
	"fmt"
	"math"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{SegmentSum, UnsortedSum, UnsortedProd, UnsortedMax, UnsortedMin}

const types = op.F32 | op.I32

// SegmentSum is SEGMENT_SUM: the sums of the slices with equal numbers, which are
// sorted, start at 0 and leave none out.
var SegmentSum = &op.Def{
	Code:     graph.OpCode(schema.SEGMENT_SUM),
	Name:     "SEGMENT_SUM",
	Operands: op.In("input", types).In("segment_ids", op.I32).Out("output", types),
	Facts:    segmentFacts,
	Version:  version1,
	Since:    []string{"2.2.0"},
	Quant:    op.Quant{None: true},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: join(0, add[float32]), tensor.Int32: join(0, add[int32]),
	}),
}

// UnsortedSum is UNSORTED_SEGMENT_SUM: the sums of the slices with equal numbers,
// for each number below num_segments; slices with a negative number are left out.
var UnsortedSum = unsorted(schema.UNSORTED_SEGMENT_SUM, "2.10.0", join(0, add[float32]), join(0, add[int32]))

// UnsortedProd is UNSORTED_SEGMENT_PROD: products, 1 for an empty segment.
var UnsortedProd = unsorted(schema.UNSORTED_SEGMENT_PROD, "2.10.0", join(1, multiply[float32]), join(1, multiply[int32]))

// UnsortedMax is UNSORTED_SEGMENT_MAX: maxima, the lowest number for an empty
// segment.
var UnsortedMax = unsorted(schema.UNSORTED_SEGMENT_MAX, "2.10.0",
	join(-math.MaxFloat32, greatest[float32]), join(math.MinInt32, greatest[int32]))

// UnsortedMin is UNSORTED_SEGMENT_MIN: minima, the greatest number for an empty
// segment.
var UnsortedMin = unsorted(schema.UNSORTED_SEGMENT_MIN, "2.11.0",
	join(math.MaxFloat32, least[float32]), join(math.MaxInt32, least[int32]))

func version1(*op.Call) int { return 1 }

func unsorted(code schema.BuiltinOperator, since string, real, integer op.Maker) *op.Def {
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("input", types).In("segment_ids", op.I32).In("num_segments", op.I32).Out("output", types),
		Facts:    unsortedFacts,
		Version:  version1,
		Since:    []string{since},
		Quant:    op.Quant{None: true},
		Ref:      op.ByType(0, map[tensor.DType]op.Maker{tensor.Float32: real, tensor.Int32: integer}),
	}
}

func segmentFacts(c *op.Call) error {
	c.Out[0].DType = c.In[0].DType
	in, err := c.Shape(0)
	if err != nil {
		return err
	}
	ids, err := c.Shape(1)
	if err != nil {
		return err
	}
	if len(in) == 0 || len(ids) != 1 || in[0] >= 0 && ids[0] >= 0 && in[0] != ids[0] {
		return fmt.Errorf("segment numbers of shape %v for shape %v: %w", ids, in, tensor.ErrShape)
	}
	if c.In[1].Const == nil {
		return op.ErrLater
	}
	v, err := op.IntsOf(c.In[1].Tensor()) // one for each row: many
	if err != nil {
		return err
	}
	last := -1
	for i, id := range v {
		if id != last && id != last+1 || i == 0 && id != 0 {
			return fmt.Errorf("segment %d follows %d: %w", id, last, tensor.ErrMalformed)
		}
		last = id
	}
	c.SetResult(0, c.In[0].DType, slices.Concat(tensor.Shape{last + 1}, in[1:]))
	return nil
}

func unsortedFacts(c *op.Call) error {
	c.Out[0].DType = c.In[0].DType
	in, err := c.Shape(0)
	if err != nil {
		return err
	}
	ids, err := c.Shape(1)
	if err != nil {
		return err
	}
	if len(ids) > len(in) || !op.Compatible(ids, in[:len(ids)]) {
		return fmt.Errorf("segment numbers of shape %v for shape %v: %w", ids, in, tensor.ErrShape)
	}
	n, err := c.Number(2)
	if err != nil {
		return err
	}
	if n < 0 || len(c.In[2].Shape) > 1 {
		return fmt.Errorf("%d segments in an operand of shape %v: %w", n, c.In[2].Shape, tensor.ErrShape)
	}
	c.SetResult(0, c.In[0].DType, slices.Concat(tensor.Shape{n}, in[len(ids):]))
	return nil
}

type number interface{ float32 | int32 }

// join combines each slice of the input with the segment of its number.
func join[T number](initial T, combine func(a, b T) T) op.Maker {
	return op.Plain(func(r *op.Run) error {
		in, out, ids := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.Out[0].Bytes()), op.I32s(r.In[1])
		for i := range out {
			out[i] = initial
		}
		n := 1
		for _, d := range r.Out[0].Shape()[1:] {
			n *= d
		}
		segments := r.Out[0].Shape()[0]
		for i, id := range ids {
			if i%1024 == 0 && r.Stop() {
				return op.ErrStopped
			}
			if int(id) >= segments {
				return fmt.Errorf("segment %d of %d: %w", id, segments, tensor.ErrMalformed)
			}
			if id < 0 {
				continue
			}
			to := out[int(id)*n:][:n]
			for k, x := range in[i*n:][:n] {
				to[k] = combine(to[k], x)
			}
		}
		return nil
	})
}

func add[T number](a, b T) T { return a + b }

func multiply[T number](a, b T) T { return a * b }

// greatest and least are std::max and std::min: of a NaN and a number the first.
func greatest[T number](a, b T) T {
	if a < b {
		return b
	}
	return a
}

func least[T number](a, b T) T {
	if b < a {
		return b
	}
	return a
}
