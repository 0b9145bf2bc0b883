package embedding

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// LookupSparse is EMBEDDING_LOOKUP_SPARSE: ids [N], their places [N,D] in a sparse
// tensor, that tensor's shape [D], weights [N] and a table [R, …]. Rows of the table
// whose places differ in the last index only are added, weighted, into one.
var LookupSparse = &op.Def{
	Code: graph.OpCode(schema.EMBEDDING_LOOKUP_SPARSE),
	Name: "EMBEDDING_LOOKUP_SPARSE",
	Operands: op.In("lookup", op.I32).In("indices", op.I32).In("dense_shape", op.I32).In("weights", op.F32).
		In("value", op.F32).Out("output", op.F32),
	Facts: sparseFacts,
	Since: []string{"1.5.0"},
	Quant: op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		combiner := graph.Options[fb.EmbeddingLookupSparseOptionsT](c.Node).Combiner
		return op.Kernel{Run: func(r *op.Run) error { return lookupSparse(r, combiner) }}, nil
	},
}

func sparseFacts(c *op.Call) error {
	for i := range c.In {
		if c.In[i].Unknown {
			return op.ErrLater
		}
	}
	ids, places, weights, value := c.In[0].Shape, c.In[1].Shape, c.In[3].Shape, c.In[4].Shape
	if len(ids) != 1 || len(places) != 2 || len(weights) != 1 || len(value) < 2 {
		return fmt.Errorf("ids %v, indices %v, weights %v, table %v: %w", ids, places, weights, value, tensor.ErrShape)
	}
	if ids.Known() && places.Known() && weights.Known() && (places[0] != ids[0] || weights[0] != ids[0]) {
		return fmt.Errorf("%d ids, %d indices, %d weights: %w", ids[0], places[0], weights[0], tensor.ErrShape)
	}
	dims, err := c.Ints(2)
	if err != nil {
		return err
	}
	if places[1] < 0 {
		return op.ErrLater
	}
	if len(dims) != places[1] || len(dims) == 0 {
		return fmt.Errorf("indices of %d dimensions in a tensor of %d: %w", places[1], len(dims), tensor.ErrShape)
	}
	out := append(tensor.Shape{}, dims[:len(dims)-1]...)
	for _, d := range out {
		if d < 0 {
			return fmt.Errorf("dense shape %v: %w", dims, tensor.ErrShape)
		}
	}
	c.Out[0].Shape, c.Out[0].Unknown = append(out, value[1:]...), false
	return nil
}

// bucket is a row of the result that ids are being added to.
type bucket struct {
	at              int // its first element, which may lie outside the result
	count           int
	weight, squares float32
}

// finish divides the bucket's row as the combiner says.
func (b *bucket) finish(out []float32, n int, combiner fb.CombinerType) {
	var by float32
	switch {
	case combiner == fb.CombinerTypeMEAN && b.count > 0:
		by = b.weight
	case combiner == fb.CombinerTypeSQRTN && b.count > 0:
		by = float32(math.Sqrt(float64(b.squares)))
	default:
		return
	}
	for k := range n {
		if i := b.at + k; i >= 0 && i < len(out) {
			out[i] /= by
		}
	}
}

// lookupSparse adds rows in the order of the ids; a bucket is finished whenever the
// next id belongs to another. Places outside the result are left out.
func lookupSparse(r *op.Run, combiner fb.CombinerType) error {
	ids, places, dims, weights := op.I32s(r.In[0]), op.I32s(r.In[1]), op.I32s(r.In[2]), op.F32s(r.In[3])
	table, out := op.F32s(r.In[4]), op.F32s(r.Out[0])
	rows, n, rank := r.In[4].Shape()[0], width(r.In[4].Shape()), len(dims)
	clear(out)
	var b bucket
	for i, id := range ids {
		if r.Stop() {
			return op.ErrStopped
		}
		k, err := row(id, rows)
		if err != nil {
			return err
		}
		if at := int(place(places[i*rank:(i+1)*rank], dims) * int32(n)); at != b.at {
			b.finish(out, n, combiner)
			b = bucket{at: at}
		}
		w := weights[i]
		b.count++
		b.squares += float32(w * w)
		b.weight += w
		for j, v := range table[k*n : (k+1)*n] {
			if o := b.at + j; o >= 0 && o < len(out) {
				out[o] += float32(v * w)
			}
		}
	}
	b.finish(out, n, combiner)
	return nil
}

// place is the row-major index of all but the last coordinate.
func place(p, dims []int32) int32 {
	var at, stride int32 = 0, 1
	for k := len(dims) - 2; k >= 0; k-- {
		at += p[k] * stride
		stride *= dims[k]
	}
	return at
}
