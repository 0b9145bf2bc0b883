package selection

import (
	"cmp"
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const topKTypes = op.F32 | op.I8 | op.U8 | op.I16 | op.I32 | op.I64

// TopK is TOPK_V2: the k greatest elements of each row, the greatest first, and
// their positions. Of equal ones the first comes first; NaN counts as smallest.
var TopK = &op.Def{
	Code: graph.OpCode(schema.TOPK_V2),
	Name: "TOPK_V2",
	Operands: op.In("input", topKTypes).In("k", op.I16|op.I32).
		Out("values", topKTypes).Out("positions", op.I16|op.I32),
	Facts:   topKFacts,
	Version: topKVersion,
	Since:   []string{"1.7.0", "1.14.0", "2.13.0"},
	Quant:   op.Quant{Same: true, No16: true, In: []op.Rule{op.Activation()}, Out: []op.Rule{op.Activation(), {}}},
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: topK[float32], tensor.Int8: topK[int8], tensor.UInt8: topK[uint8],
		tensor.Int16: topK[int16], tensor.Int32: topK[int32], tensor.Int64: topK[int64],
	}),
}

func topKVersion(c *op.Call) int {
	switch {
	case c.In[0].DType == tensor.Int16, c.In[1].DType == tensor.Int16, c.Out[1].DType == tensor.Int16:
		return 3
	case c.In[0].DType == tensor.Int8:
		return 2
	}
	return 1
}

func topKFacts(c *op.Call) error {
	in, err := c.Shape(0)
	if err != nil {
		return err
	}
	k, err := c.Number(1)
	if err != nil {
		return err
	}
	if len(in) == 0 {
		return fmt.Errorf("rows of a scalar: %w", tensor.ErrShape)
	}
	k, n := max(k, 0), in[len(in)-1]
	if n >= 0 && k > n {
		return fmt.Errorf("the greatest %d elements of rows of %d: %w", k, n, tensor.ErrShape)
	}
	if c.Out[1].DType == tensor.Int16 && k > 0 && n > math.MaxInt16 {
		return fmt.Errorf("int16 positions in rows of %d: %w", n, tensor.ErrShape)
	}
	out := append(in[:len(in)-1:len(in)-1], k)
	c.SetResult(0, c.In[0].DType, out)
	c.SetResult(1, c.Out[1].DType, out)
	return nil
}

func topK[T topKElement](*op.Call) (op.Kernel, error) {
	return op.Kernel{
		Temp: func(_, out []tensor.Shape) (int, error) {
			return tensor.Shape{out[0][len(out[0])-1]}.Bytes(tensor.Int64)
		},
		Run: topKRows[T],
	}, nil
}

type topKElement interface {
	float32 | int8 | uint8 | int16 | int32 | int64
}

func topKRows[T topKElement](r *op.Run) error {
	s := r.In[0].Shape()
	n, k := s[len(s)-1], r.Out[0].Shape()[len(s)-1]
	in, out := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.Out[0].Bytes())
	if k == 0 {
		return nil
	}
	h := best[T]{at: tensor.View[int64](r.Temp)[:k]}
	for row := range len(out) / k {
		if r.Stop() {
			return op.ErrStopped
		}
		h.values = in[row*n:][:n]
		h.collect()
		for i, at := range h.at {
			out[row*k+i] = h.values[at]
			put(r.Out[1], row*k+i, int(at))
		}
	}
	return nil
}

// best finds the positions of the greatest values: a heap with the worst of them
// on top.
type best[T topKElement] struct {
	values []T
	at     []int64
}

// before is the order of the result, which is total.
func (h *best[T]) before(a, b int64) bool {
	x, y := h.values[a], h.values[b]
	if c := cmp.Compare(x, y); c != 0 { // cmp puts NaN first, that is, smallest
		return c > 0
	}
	return a < b
}

// collect fills at with the positions of the first len(at) values in order.
func (h *best[T]) collect() {
	k := len(h.at)
	for i := range h.at {
		h.at[i] = int64(i)
	}
	for i := k/2 - 1; i >= 0; i-- {
		h.sink(i, k)
	}
	for i := int64(k); i < int64(len(h.values)); i++ {
		if h.before(i, h.at[0]) {
			h.at[0] = i
			h.sink(0, k)
		}
	}
	for end := k - 1; end > 0; end-- {
		h.at[0], h.at[end] = h.at[end], h.at[0]
		h.sink(0, end)
	}
}

// sink moves entry i down to its place among the first n.
func (h *best[T]) sink(i, n int) {
	for {
		child := 2*i + 1
		if child >= n {
			return
		}
		if child+1 < n && h.before(h.at[child], h.at[child+1]) {
			child++
		}
		if h.before(h.at[child], h.at[i]) {
			return
		}
		h.at[i], h.at[child] = h.at[child], h.at[i]
		i = child
	}
}
