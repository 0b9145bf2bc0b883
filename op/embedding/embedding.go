// Package embedding holds the operators that look rows up in tables or turn text
// and ids into what tables are indexed by.
package embedding

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{Lookup, LookupSparse, HashtableLookup, LSHProjection, SkipGram}

const (
	plainTables = op.F32 | op.F16 | op.I8 | op.U8 | op.I16 | op.I32 | op.I64 | op.B
	smallTables = op.I4 | op.I2
)

// Lookup is EMBEDDING_LOOKUP: ids [N] and a table [R, …] give the rows [N, …]. A
// table of 8 or fewer bits may have a float result; it is then symmetric, with one
// scale, one a row, or one a block of a row.
var Lookup = &op.Def{
	Code: graph.OpCode(schema.EMBEDDING_LOOKUP),
	Name: "EMBEDDING_LOOKUP",
	Operands: op.In("lookup", op.I32).In("value", plainTables|smallTables).
		Out("output", plainTables),
	Facts:   lookupFacts,
	Version: lookupVersion,
	Since:   []string{"1.13.0", "1.14.0", "1.14.0", "2.18.0", "2.21.0"},
	Quant: op.Quant{
		In:      []op.Rule{{}, op.PerChannel(0)},
		Weights: []int{1},
		None:    true,
	},
	Ref: func(c *op.Call) (op.Kernel, error) {
		if value, out := c.In[1].DType, c.Out[0].DType; value != out {
			return dequantizingLookup(c)
		}
		return op.Kernel{Run: copyRows}, nil
	},
}

func lookupVersion(c *op.Call) int {
	switch v := &c.In[1]; {
	case v.DType == tensor.Int4 || v.Quant.PerAxis():
		return 4
	case v.DType == tensor.Int2:
		return 5
	}
	return 1
}

func lookupFacts(c *op.Call) error {
	ids, value := &c.In[0], &c.In[1]
	if ids.Unknown || value.Unknown {
		return op.ErrLater
	}
	if len(ids.Shape) != 1 || len(value.Shape) < 2 {
		return fmt.Errorf("lookup %v in a table %v: %w", ids.Shape, value.Shape, tensor.ErrShape)
	}
	out := value.Shape.Clone()
	out[0] = ids.Shape[0]
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	return nil
}

// row checks an id against a table of n rows.
func row(id int32, n int) (int, error) {
	if id < 0 || int(id) >= n {
		return 0, fmt.Errorf("row %d of %d: %w", id, n, tensor.ErrShape)
	}
	return int(id), nil
}

// width is the number of elements of a table's row.
func width(table tensor.Shape) int {
	n := 1
	for _, d := range table[1:] {
		n *= d
	}
	return n
}

func copyRows(r *op.Run) error {
	table, shape := r.In[1].Bytes(), r.In[1].Shape()
	size := width(shape) * r.In[1].DType().Size()
	out := r.Out[0].Bytes()
	for i, id := range op.I32s(r.In[0]) {
		k, err := row(id, shape[0])
		if err != nil {
			return err
		}
		copy(out[i*size:(i+1)*size], table[k*size:])
	}
	return nil
}

// dequantizingLookup has a float result. The bits of a uint8 table are int8's.
func dequantizingLookup(c *op.Call) (op.Kernel, error) {
	value, out := &c.In[1], &c.Out[0]
	if !(op.I8 | op.U8 | op.I4 | op.I2).Has(value.DType) || !(op.F32 | op.F16).Has(out.DType) {
		return op.Kernel{}, fmt.Errorf("%v rows of a table of %v: %w", out.DType, value.DType, tensor.ErrUnsupported)
	}
	scale, err := scaleOf(value)
	if err != nil {
		return op.Kernel{}, err
	}
	bits := value.DType.Bits()
	put := putFloat32
	if out.DType == tensor.Float16 {
		put = putFloat16
	}
	return op.Kernel{Run: func(r *op.Run) error {
		if err := value.Fixed(r, 1); err != nil {
			return err
		}
		table, shape := r.In[1].Bytes(), r.In[1].Shape()
		n := width(shape)
		for i, id := range op.I32s(r.In[0]) {
			k, err := row(id, shape[0])
			if err != nil {
				return err
			}
			for j := range n {
				put(r.Out[0], i*n+j, float32(element(table, k*n+j, bits))*scale(k, j))
			}
		}
		return nil
	}}, nil
}

// element is the signed integer at i of a table of elements of the given width.
func element(table []byte, i, bits int) int8 {
	perByte := 8 / bits
	v := table[i/perByte] >> (i % perByte * bits)
	return int8(v<<(8-bits)) >> (8 - bits)
}

// scaleOf returns the scale of element j of row k.
func scaleOf(table *op.Fact) (func(k, j int) float32, error) {
	if b := table.Blocks; b != nil {
		perRow := table.Shape[1] / b.Size
		return func(k, j int) float32 { return b.Scales[k*perRow+j/b.Size] }, nil
	}
	if table.Unknown || len(table.Shape) < 2 || table.Shape[0] < 0 {
		return nil, fmt.Errorf("table of unknown shape: %w", tensor.ErrUnsupported)
	}
	if table.Quant.PerAxis() && table.Quant.Axis != 0 {
		return nil, fmt.Errorf("table with scales along axis %d: %w", table.Quant.Axis, tensor.ErrUnsupported)
	}
	scales, err := table.ChannelScales(table.Shape[0], true)
	return func(k, _ int) float32 { return scales[k] }, err
}

func putFloat32(t tensor.Tensor, i int, v float32) { op.F32s(t)[i] = v }

func putFloat16(t tensor.Tensor, i int, v float32) {
	tensor.View[uint16](t.Bytes())[i] = tensor.Float32ToFloat16(v)
}
