package selection

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const uniqueTypes = op.F32 | op.I8 | op.U8 | op.I16 | op.I32 | op.I64

// Unique is UNIQUE: the distinct elements of a vector in order of first occurrence,
// and where among them each element is.
var Unique = &op.Def{
	Code:     graph.OpCode(schema.UNIQUE),
	Name:     "UNIQUE",
	Operands: op.In("input", uniqueTypes).Out("values", uniqueTypes).Out("positions", op.Index),
	Facts:    uniqueFacts,
	Version:  version1,
	Since:    []string{"1.14.0"},
	Quant:    float,
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: unique[float32], tensor.Int8: unique[int8], tensor.UInt8: unique[uint8],
		tensor.Int16: unique[int16], tensor.Int32: unique[int32], tensor.Int64: unique[int64],
	}),
}

func uniqueFacts(c *op.Call) error {
	switch t := positionType(c.Node); t {
	case tensor.Int32, tensor.Int64:
		c.Out[1].DType = t
	default:
		return fmt.Errorf("positions of type %v: %w", t, tensor.ErrUnsupported)
	}
	c.Out[0].DType = c.In[0].DType
	if s, err := c.Shape(0); err == nil && len(s) != 1 {
		return fmt.Errorf("distinct elements of shape %v, want a vector: %w", s, tensor.ErrShape)
	}
	return op.ErrLater
}

func positionType(n *graph.Node) tensor.DType {
	if o, ok := n.Options.(*fb.UniqueOptionsT); ok && o != nil {
		return tensor.DType(o.IdxOutType)
	}
	return tensor.Int32 // the schema's default
}

func unique[T topKElement](c *op.Call) (op.Kernel, error) {
	position := positionType(c.Node)
	return op.Kernel{Run: func(r *op.Run) error {
		in := tensor.View[T](r.In[0].Bytes())
		positions, err := tensor.Zeros(position, r.In[0].Shape())
		if err != nil {
			return err
		}
		d := distinct[T]{places: map[T]int{}}
		for i, x := range in {
			if i%4096 == 0 && r.Stop() {
				return op.ErrStopped
			}
			put(positions, i, d.place(x))
		}
		values, err := tensor.Of(tensor.Shape{len(d.values)}, d.values...)
		r.Out[0], r.Out[1] = values.WithQuant(r.In[0].Quant()), positions
		return err
	}}, nil
}

// distinct collects values as TFLite does with std::map, to which a NaN equals any
// key: it is taken for the smallest one, and if it comes first, all others are
// taken for it.
type distinct[T topKElement] struct {
	values []T
	places map[T]int
	least  int // place of the smallest value
}

func (d *distinct[T]) place(x T) int {
	switch {
	case len(d.values) == 0:
	case d.values[0] != d.values[0]:
		return 0
	case x != x:
		return d.least
	}
	if at, ok := d.places[x]; ok {
		return at
	}
	at := len(d.values)
	d.values, d.places[x] = append(d.values, x), at
	if x < d.values[d.least] {
		d.least = at
	}
	return at
}
