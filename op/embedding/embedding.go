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

// numeric is the element types of whole bytes.
const numeric = op.F32 | op.F16 | op.BF16 | op.F64 | op.I8 | op.U8 | op.I16 | op.U16 | op.I32 | op.U32 | op.I64 | op.U64 | op.B | op.C64 | op.C128

// Lookup is EMBEDDING_LOOKUP: ids [N] and a table [R, …] give the rows [N, …]. A
// table of 8 or fewer bits may have a float result; it is then symmetric, with one
// scale, one a row, or one a block of a row.
var Lookup = &op.Def{
	Code: graph.OpCode(schema.EMBEDDING_LOOKUP),
	Name: "EMBEDDING_LOOKUP",
	Operands: op.In("lookup", op.I32).In("value", numeric|op.I4|op.I2).
		Out("output", numeric|op.I4),
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

// copyRows copies whole bytes. Rows of less than that leave the last bytes of the
// result zero, which LiteRT does not write.
func copyRows(r *op.Run) error {
	table, rows, out := r.In[1].Bytes(), r.In[1].Shape()[0], r.Out[0].Bytes()
	size := len(table) / max(rows, 1)
	clear(out)
	for i, id := range op.I32s(r.In[0]) {
		k, err := row(id, rows)
		if err != nil {
			return err
		}
		copy(out[min(i*size, len(out)):], table[k*size:(k+1)*size])
	}
	return nil
}

// dequantizingLookup has a float result. The bits of a uint8 table are int8's.
func dequantizingLookup(c *op.Call) (op.Kernel, error) {
	value, out := &c.In[1], &c.Out[0]
	if !(op.I8 | op.U8 | op.I4 | op.I2).Has(value.DType) || !(op.F32 | op.F16).Has(out.DType) {
		return op.Kernel{}, fmt.Errorf("%v rows of a table of %v: %w", out.DType, value.DType, tensor.ErrUnsupported)
	}
	scales, block, err := scalesOf(value, out.DType == tensor.Float32)
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
				b := (k*n + j) / block
				// LiteRT starts every block with a whole byte, which may hold the end
				// of the one before.
				first := b * block * bits / 8 * (8 / bits)
				put(r.Out[0], i*n+j, float32(element(table, first+j%block, bits))*scales[b])
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

// scalesOf returns the scales of the table's blocks and how many elements have one:
// a part of a row or all of it. Zero points are refused where LiteRT does: the first
// one, with a float32 result. They are not used.
func scalesOf(table *op.Fact, symmetric bool) (scales []float32, block int, err error) {
	if table.Unknown || len(table.Shape) < 2 || !table.Shape.Known() {
		return nil, 0, fmt.Errorf("table of unknown shape: %w", tensor.ErrUnsupported)
	}
	if b := table.Blocks; b != nil {
		return b.Scales, b.Size, nil
	}
	q := table.Quant
	if q.PerAxis() && q.Axis != 0 {
		return nil, 0, fmt.Errorf("table with scales along axis %d: %w", q.Axis, tensor.ErrUnsupported)
	}
	if symmetric && q.Zero() != 0 {
		return nil, 0, fmt.Errorf("table with zero point %d: %w", q.Zero(), tensor.ErrUnsupported)
	}
	scales, err = table.ChannelScales(table.Shape[0], false)
	return scales, max(width(table.Shape), 1), err
}

func putFloat32(t tensor.Tensor, i int, v float32) { op.F32s(t)[i] = v }

func putFloat16(t tensor.Tensor, i int, v float32) {
	tensor.View[uint16](t.Bytes())[i] = tensor.Float32ToFloat16(v)
}
