package selection

import (
	"fmt"
	"sort"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Bucketize is BUCKETIZE: how many boundaries are not greater than an element.
// Integers are compared as float32.
var Bucketize = &op.Def{
	Code:     graph.OpCode(schema.BUCKETIZE),
	Name:     "BUCKETIZE",
	Operands: op.In("input", op.F32|op.F64|op.I32|op.I64).Out("output", op.I32),
	Facts:    op.SameAs(0),
	Version:  version1,
	Since:    []string{"2.8.0"},
	Quant:    float,
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: bucketize(func(x, bound float32) bool { return x < bound }),
		tensor.Float64: bucketize(func(x float64, bound float32) bool { return x < float64(bound) }),
		tensor.Int32:   bucketize(func(x int32, bound float32) bool { return float32(x) < bound }),
		tensor.Int64:   bucketize(func(x int64, bound float32) bool { return float32(x) < bound }),
	}),
}

func bucketize[T float32 | float64 | int32 | int64](below func(x T, bound float32) bool) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		bounds := graph.Options[fb.BucketizeOptionsT](c.Node).Boundaries
		for i := 1; i < len(bounds); i++ {
			if bounds[i] < bounds[i-1] {
				return op.Kernel{}, fmt.Errorf("boundary %v after %v: %w", bounds[i], bounds[i-1], tensor.ErrMalformed)
			}
		}
		return op.Kernel{Run: func(r *op.Run) error {
			out := op.I32s(r.Out[0])
			for i, x := range tensor.View[T](r.In[0].Bytes()) {
				if i%4096 == 0 && r.Stop() {
					return op.ErrStopped
				}
				out[i] = int32(sort.Search(len(bounds), func(k int) bool { return below(x, bounds[k]) }))
			}
			return nil
		}}, nil
	}
}
