package shape

import (
	"encoding/binary"
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Shape is SHAPE: the input's dimensions as a vector of out_type.
var Shape = &op.Def{
	Code:     graph.OpCode(schema.SHAPE),
	Name:     "SHAPE",
	Operands: op.In("input", viewTypes).Out("shape", op.Index),
	Facts:    shapeFacts,
	Version:  func(*op.Call) int { return 1 },
	Since:    []string{"1.10.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}},
	Ref:      op.Plain(writeShape),
}

// Rank is RANK: the input's number of dimensions as an int32 scalar.
var Rank = &op.Def{
	Code:     graph.OpCode(schema.RANK),
	Name:     "RANK",
	Operands: op.In("input", viewTypes).Out("rank", op.I32),
	Facts:    rankFacts,
	Version:  func(*op.Call) int { return 1 },
	Since:    []string{"1.14.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}, No16: true},
	Ref: op.Plain(func(r *op.Run) error {
		op.I32s(r.Out[0])[0] = int32(len(r.In[0].Shape()))
		return nil
	}),
}

func shapeFacts(c *op.Call) error {
	switch t := graph.Options[fb.ShapeOptionsT](c.Node).OutType; t {
	case fb.TensorTypeINT32, fb.TensorTypeINT64:
		c.Out[0].DType = tensor.DType(t)
	default:
		return fmt.Errorf("shape of type %v: %w", t, tensor.ErrUnsupported)
	}
	if c.In[0].Unknown {
		return op.ErrLater
	}
	s := c.In[0].Shape
	c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{len(s)}, false
	if s.Known() { // the value follows from the shape alone
		c.Out[0].Const = tensor.Aligned(len(s) * c.Out[0].DType.Size())
		putShape(c.Out[0].Tensor(), s)
	}
	return nil
}

func writeShape(r *op.Run) error {
	putShape(r.Out[0], r.In[0].Shape())
	return nil
}

func putShape(t tensor.Tensor, s tensor.Shape) {
	for i, d := range s {
		if t.DType() == tensor.Int64 {
			op.I64s(t)[i] = int64(d)
		} else {
			op.I32s(t)[i] = int32(d)
		}
	}
}

func rankFacts(c *op.Call) error {
	if c.In[0].Unknown {
		return op.ErrLater
	}
	c.Out[0].DType, c.Out[0].Shape, c.Out[0].Unknown = tensor.Int32, tensor.Shape{}, false
	c.Out[0].Const = binary.LittleEndian.AppendUint32(tensor.Aligned(0), uint32(len(c.In[0].Shape)))
	return nil
}
