package selection

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const (
	sparseTypes = op.F32 | op.I8 | op.U8 | op.I32 | op.I64
	sparseRank  = 4 // of the result, at most
)

// SparseToDense is SPARSE_TO_DENSE: a default value, but at each row of indices the
// value of the same row, or the one value if that is a scalar. Later rows win.
var SparseToDense = &op.Def{
	Code: graph.OpCode(schema.SPARSE_TO_DENSE),
	Name: "SPARSE_TO_DENSE",
	Operands: op.In("indices", op.Index).In("shape", op.Index).In("values", sparseTypes).In("default", sparseTypes).
		Out("output", sparseTypes),
	Facts:   sparseFacts,
	Version: sparseVersion,
	Since:   []string{"1.9.0", "1.14.0", "1.15.0"},
	Quant:   float,
	Ref: op.ByType(2, map[tensor.DType]op.Maker{
		tensor.Float32: op.Plain(sparseToDense[float32]), tensor.Int8: op.Plain(sparseToDense[int8]), tensor.UInt8: op.Plain(sparseToDense[uint8]),
		tensor.Int32: op.Plain(sparseToDense[int32]), tensor.Int64: op.Plain(sparseToDense[int64]),
	}),
}

func sparseVersion(c *op.Call) int {
	switch c.In[2].DType {
	case tensor.Int8, tensor.UInt8:
		return 3
	case tensor.Int64:
		return 2
	}
	return 1
}

func sparseFacts(c *op.Call) error {
	c.Out[0].DType = c.In[2].DType
	if c.In[2].DType != c.In[3].DType {
		return fmt.Errorf("values of type %v and default of type %v: %w", c.In[2].DType, c.In[3].DType, tensor.ErrType)
	}
	if err := c.CheckSingle(3); err != nil {
		return err
	}
	shape, err := c.Ints(1)
	if err != nil {
		return err
	}
	out := tensor.Shape(shape)
	if len(c.In[1].Shape) != 1 || len(out) > sparseRank || !out.Known() {
		return fmt.Errorf("result of shape %v: %w", out, tensor.ErrShape)
	}
	if err := checkSparse(c, len(out)); err != nil {
		return err
	}
	c.SetResult(0, c.In[2].DType, out)
	return nil
}

// checkSparse tests indices and values for a result of the given rank.
func checkSparse(c *op.Call, rank int) error {
	indices, err := c.Shape(0)
	if err != nil {
		return err
	}
	values, err := c.Shape(2)
	if err != nil {
		return err
	}
	rows, depth := 1, 1
	switch len(indices) {
	case 0:
	case 1:
		rows = indices[0]
	case 2:
		rows, depth = indices[0], indices[1]
	}
	if len(indices) > 2 || len(values) > 1 || depth >= 0 && depth != rank ||
		len(values) == 1 && rows >= 0 && values[0] >= 0 && values[0] != rows {
		return fmt.Errorf("indices of shape %v and values of shape %v for a result of rank %d: %w", indices, values, rank, tensor.ErrShape)
	}
	return nil
}

func sparseToDense[T float32 | int8 | uint8 | int32 | int64](r *op.Run) error {
	out, values := tensor.View[T](r.Out[0].Bytes()), tensor.View[T](r.In[2].Bytes())
	fallback := tensor.View[T](r.In[3].Bytes())[0]
	for i := range out {
		out[i] = fallback
	}
	shape := r.Out[0].Shape()
	rows := r.In[0].Len()
	if s := r.In[0].Shape(); len(s) == 2 {
		rows = s[0]
	}
	for row := range rows {
		if row%4096 == 0 && r.Stop() {
			return op.ErrStopped
		}
		at := 0
		for k, d := range shape {
			i := index(r.In[0], row*len(shape)+k)
			if i < 0 || i >= d {
				return fmt.Errorf("index %d of an axis of %d: %w", i, d, tensor.ErrMalformed)
			}
			at = at*d + i
		}
		out[at] = values[min(row, len(values)-1)]
	}
	return nil
}
