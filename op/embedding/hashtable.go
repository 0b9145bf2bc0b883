package embedding

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// HashtableLookup is HASHTABLE_LOOKUP: ids [N], ascending keys [R] and a table
// [R, …] give the rows [N, …] whose keys are the ids, zero or "" for missing ones,
// and whether there was one.
var HashtableLookup = &op.Def{
	Code: graph.OpCode(schema.HASHTABLE_LOOKUP),
	Name: "HASHTABLE_LOOKUP",
	Operands: op.In("lookup", op.I32).In("key", op.I32).In("value", numeric|op.Str).
		Out("output", numeric|op.Str).Like(2).Out("hits", op.U8),
	Facts: hashtableFacts,
	Since: []string{"1.5.0"},
	Quant: op.Quant{None: true},
	Ref:   op.Plain(hashtableLookup),
}

func hashtableFacts(c *op.Call) error {
	ids, keys, value := &c.In[0], &c.In[1], &c.In[2]
	if ids.Unknown || keys.Unknown || value.Unknown {
		return op.ErrLater
	}
	k, v := keys.Shape, value.Shape
	if len(ids.Shape) != 1 || len(k) != 1 || len(v) == 0 || k[0] >= 0 && v[0] >= 0 && k[0] != v[0] || value.DType == tensor.String && len(v) != 1 {
		return fmt.Errorf("lookup %v with keys %v in a table %v: %w", ids.Shape, k, v, tensor.ErrShape)
	}
	if v[0] == 0 {
		return fmt.Errorf("table without rows: %w", tensor.ErrShape)
	}
	out := v.Clone()
	out[0] = ids.Shape[0]
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	if len(c.Out) < 2 {
		return fmt.Errorf("1 result, want 2: %w", tensor.ErrMalformed)
	}
	c.Out[1].Shape, c.Out[1].Unknown = ids.Shape, false
	return nil
}

func hashtableLookup(r *op.Run) error {
	ids, keys, hits := op.I32s(r.In[0]), op.I32s(r.In[1]), r.Out[1].Bytes()
	if r.In[2].DType() == tensor.String {
		return stringLookup(r, ids, keys, hits)
	}
	table, out := r.In[2].Bytes(), r.Out[0].Bytes()
	size := len(table) / max(r.In[2].Shape()[0], 1)
	for i, id := range ids {
		to := out[i*size : (i+1)*size]
		k, ok := search(keys, id)
		if hits[i] = 0; !ok {
			clear(to)
			continue
		}
		hits[i] = 1
		copy(to, table[k*size:])
	}
	return nil
}

func stringLookup(r *op.Run, ids, keys []int32, hits []byte) error {
	table, err := r.In[2].Strings()
	if err != nil {
		return err
	}
	rows := make([][]byte, len(ids))
	for i, id := range ids {
		k, ok := search(keys, id)
		if hits[i] = 0; ok {
			hits[i], rows[i] = 1, table[k]
		}
	}
	r.Out[0], err = tensor.OfStrings(tensor.Shape{len(ids)}, rows...)
	return err
}

// search is C's bsearch: which of several equal keys it finds is defined by how it
// halves.
func search(keys []int32, id int32) (int, bool) {
	for lo, hi := 0, len(keys); lo < hi; {
		mid := (lo + hi) / 2
		switch k := keys[mid]; {
		case id == k:
			return mid, true
		case id < k:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return 0, false
}
