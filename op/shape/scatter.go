package shape

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const scatterTypes = op.F32 | op.I8 | op.U8 | op.I32 | op.I64 | op.B

// ScatterND is SCATTER_ND: zeros of the shape operand 2 names, to which each
// slice of updates is added at the leading indices its row of indices lists.
var ScatterND = &op.Def{
	Code:     graph.OpCode(schema.SCATTER_ND),
	Name:     "SCATTER_ND",
	Operands: op.In("indices", op.I32).In("updates", scatterTypes).In("shape", op.I32).Out("output", scatterTypes).As(1),
	Facts:    scatterNDFacts,
	Version:  func(*op.Call) int { return 1 },
	Since:    []string{"2.1.0"},
	Quant:    not16(op.SameScale(1)), // TensorFlow's 16x8 files hold int16 updates, which LiteRT refuses
	Ref: op.ByType(1, map[tensor.DType]op.Maker{
		tensor.Float32: op.Plain(scatterND[float32]), tensor.Int8: op.Plain(scatterND[int8]), tensor.UInt8: op.Plain(scatterND[uint8]),
		tensor.Int32: op.Plain(scatterND[int32]), tensor.Int64: op.Plain(scatterND[int64]), tensor.Bool: op.Plain(scatterBool),
	}),
}

// DynamicUpdateSlice is DYNAMIC_UPDATE_SLICE: the input with a part overwritten
// by update, from start on; a start too far out is moved inside.
var DynamicUpdateSlice = &op.Def{
	Code:     graph.OpCode(schema.DYNAMIC_UPDATE_SLICE),
	Name:     "DYNAMIC_UPDATE_SLICE",
	Operands: op.In("input", updateTypes).In("update", updateTypes).In("start", op.Index).Out("output", updateTypes).As(0),
	Facts:    updateFacts,
	Alias:    []int{0},
	Version:  updateVersion,
	Since:    []string{"2.9.0", "2.17.0", "2.19.0", "2.20.0", "2.21.0", "2.22.0"},
	Quant:    op.Quant{None: true}, // as TensorFlow 2.21 has it, though the kernel takes int8 and int16
	Ref:      mover(update),
}

func scatterNDFacts(c *op.Call) error {
	shape, err := c.Ints(2)
	if err != nil {
		return err
	}
	indices, err := ranked(c, 0)
	if err != nil {
		return err
	}
	updates, err := ranked(c, 1)
	if err != nil {
		return err
	}
	out := tensor.Shape(shape)
	if len(c.In[2].Shape) != 1 || len(indices) == 0 || len(out) > maxRank || !out.Known() {
		return fmt.Errorf("indices of shape %v into shape %v: %w", indices, out, tensor.ErrShape)
	}
	rows, depth := indices[:len(indices)-1], indices[len(indices)-1]
	if depth < 0 {
		return op.ErrLater
	}
	if depth > len(out) || !fits(updates, slices.Concat(rows, out[depth:])) {
		return fmt.Errorf("updates of shape %v at indices of shape %v into shape %v: %w", updates, indices, out, tensor.ErrShape)
	}
	result(c, 0, 1, out)
	return nil
}

// fits reports whether two shapes can be the same.
func fits(a, b tensor.Shape) bool {
	return slices.EqualFunc(a, b, func(x, y int) bool { return x == y || x < 0 || y < 0 })
}

func scatterND[T float32 | int8 | uint8 | int32 | int64](r *op.Run) error {
	return scatter(r, func(a, b T) T { return a + b })
}

func scatterBool(r *op.Run) error {
	return scatter(r, func(a, b bool) bool { return a || b })
}

func scatter[T tensor.Element](r *op.Run, add func(a, b T) T) error {
	dst, src := tensor.View[T](r.Out[0].Bytes()), tensor.View[T](r.In[1].Bytes())
	clear(dst)
	return eachRow(r.In[0], r.Out[0].Shape(), func(row, at, n int) error {
		if row%1024 == 0 && r.Stop() {
			return op.ErrStopped
		}
		for k, v := range src[row*n:][:n] {
			dst[at+k] = add(dst[at+k], v)
		}
		return nil
	})
}

func updateVersion(c *op.Call) int {
	switch d := c.In[0].DType; {
	case d == tensor.BFloat16:
		return 6
	case d == tensor.Int4:
		return 5
	case d == tensor.Int16:
		return 4
	case d == tensor.Float16:
		return 3
	case c.In[2].DType == tensor.Int64:
		return 2
	}
	return 1
}

const updateTypes = plainTypes | op.I4 | op.C128

func updateFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	part, err := ranked(c, 1)
	if err != nil {
		return err
	}
	if c.In[0].DType != c.In[1].DType {
		return fmt.Errorf("update of type %v for %v: %w", c.In[1].DType, c.In[0].DType, tensor.ErrType)
	}
	if len(part) != len(in) || !c.In[2].Unknown && !fits(c.In[2].Shape, tensor.Shape{len(in)}) {
		return fmt.Errorf("update of shape %v at start of shape %v for shape %v: %w", part, c.In[2].Shape, in, tensor.ErrShape)
	}
	for i := range in {
		if in[i] >= 0 && part[i] > in[i] {
			return fmt.Errorf("update of shape %v for shape %v: %w", part, in, tensor.ErrShape)
		}
	}
	result(c, 0, 0, in)
	return nil
}

func update(r *op.Run) error {
	if err := Copy(r); err != nil {
		return err
	}
	var b box
	in, part := r.In[0].Shape(), r.In[1].Shape()
	to, from := strides(in), strides(part)
	for i, n := range part {
		b.dstAt += min(max(index(r.In[2], i), 0), in[i]-n) * to[i]
		b.axis(n, to[i], from[i])
	}
	return b.move(r, r.Out[0], r.In[1])
}
