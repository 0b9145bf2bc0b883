package resource

import (
	"fmt"
	"strconv"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const entryTypes = op.I64 | op.Str

// Hashtable is HASHTABLE: the table of a number, from int64 to string or from string
// to int64.
var Hashtable = &op.Def{
	Code:     graph.OpCode(schema.HASHTABLE),
	Name:     "HASHTABLE",
	Operands: op.Operands{}.Out("table", op.Res),
	Facts: func(c *op.Call) error {
		c.SetResult(0, tensor.Resource, tensor.Shape{1})
		return nil
	},
	Effect:  op.Resource,
	Version: version1,
	Since:   []string{"2.5.0"},
	Quant:   untouched,
	Ref: func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.HashtableOptionsT](c.Node)
		key, value := tensor.DType(o.KeyDtype), tensor.DType(o.ValueDtype)
		if !pair(key, value) {
			return op.Kernel{}, fmt.Errorf("a table from %v to %v: %w", key, value, tensor.ErrUnsupported)
		}
		name := strconv.Itoa(int(o.TableId))
		return op.Kernel{Run: func(r *op.Run) error {
			resources := r.Host.Resources()
			id := resources.ID("table", "", name)
			if resources.Get(id) == nil {
				resources.Set(id, &table{key: key})
			}
			putHandle(r, id)
			return nil
		}}, nil
	},
}

// HashtableFind is HASHTABLE_FIND: the values of the keys, a default for those that
// are not in the table.
var HashtableFind = &op.Def{
	Code:     graph.OpCode(schema.HASHTABLE_FIND),
	Name:     "HASHTABLE_FIND",
	Operands: op.In("table", op.Res).In("keys", entryTypes).In("default", entryTypes).Out("values", entryTypes),
	Facts:    findFacts,
	Effect:   op.Resource,
	Version:  version1,
	Since:    []string{"2.5.0"},
	Quant:    untouched,
	Ref: op.ByType(1, map[tensor.DType]op.Maker{
		tensor.Int64: op.Plain(findStrings), tensor.String: op.Plain(findNumbers),
	}),
}

// HashtableImport is HASHTABLE_IMPORT: fills the table, the first time it is
// executed. Of equal keys the first one counts.
var HashtableImport = &op.Def{
	Code:     graph.OpCode(schema.HASHTABLE_IMPORT),
	Name:     "HASHTABLE_IMPORT",
	Operands: op.In("table", op.Res).In("keys", entryTypes).In("values", entryTypes),
	Facts:    importFacts,
	Effect:   op.Resource,
	Version:  version1,
	Since:    []string{"2.5.0"},
	Quant:    untouched,
	Ref:      op.Plain(fill),
}

// HashtableSize is HASHTABLE_SIZE: the number of keys.
var HashtableSize = &op.Def{
	Code:     graph.OpCode(schema.HASHTABLE_SIZE),
	Name:     "HASHTABLE_SIZE",
	Operands: op.In("table", op.Res).Out("size", op.I64),
	Facts: func(c *op.Call) error {
		c.SetResult(0, tensor.Int64, tensor.Shape{1})
		return c.CheckSingle(0)
	},
	Effect:  op.Resource,
	Version: version1,
	Since:   []string{"2.5.0"},
	Quant:   untouched,
	Ref: op.Plain(func(r *op.Run) error {
		t, err := tableOf(r)
		if err != nil {
			return err
		}
		op.I64s(r.Out[0])[0] = int64(len(t.strings) + len(t.numbers))
		return nil
	}),
}

// pair reports whether there are tables of these types.
func pair(key, value tensor.DType) bool {
	return key == tensor.Int64 && value == tensor.String || key == tensor.String && value == tensor.Int64
}

// table maps numbers to strings or strings to numbers.
type table struct {
	key     tensor.DType
	filled  bool
	strings map[int64][]byte
	numbers map[string]int64
}

// tableOf returns the table that operand 0 stands for.
func tableOf(r *op.Run) (*table, error) {
	_, t, err := get[table](r)
	if err == nil && t == nil {
		err = fmt.Errorf("a table that does not exist: %w", tensor.ErrMalformed)
	}
	if err != nil {
		return nil, err
	}
	if len(r.In) > 1 && r.In[1].DType() != t.key {
		return nil, fmt.Errorf("keys of type %v for a table of %v: %w", r.In[1].DType(), t.key, tensor.ErrType)
	}
	return t, nil
}

func importFacts(c *op.Call) error {
	if err := c.CheckSingle(0); err != nil {
		return err
	}
	keys, values := &c.In[1], &c.In[2]
	if !pair(keys.DType, values.DType) {
		return fmt.Errorf("keys of type %v and values of type %v: %w", keys.DType, values.DType, tensor.ErrType)
	}
	if !keys.Unknown && !values.Unknown && !op.Compatible(keys.Shape, values.Shape) {
		return fmt.Errorf("keys of shape %v and values of shape %v: %w", keys.Shape, values.Shape, tensor.ErrShape)
	}
	return nil
}

func findFacts(c *op.Call) error {
	if err := c.CheckSingle(0); err != nil {
		return err
	}
	keys, fallback := &c.In[1], &c.In[2]
	if !pair(keys.DType, fallback.DType) || c.Out[0].DType != fallback.DType {
		return fmt.Errorf("keys of type %v, default of type %v and values of type %v: %w", keys.DType, fallback.DType, c.Out[0].DType, tensor.ErrType)
	}
	s, err := c.Shape(1)
	if err != nil {
		return err
	}
	c.SetResult(0, fallback.DType, s)
	return nil
}

func fill(r *op.Run) error {
	t, err := tableOf(r)
	if err != nil || t.filled {
		return err
	}
	const own = 96 // about what an entry takes without its string
	size := len(r.In[1].Bytes()) + len(r.In[2].Bytes()) + own*r.In[1].Len()
	if err := r.Host.Resources().Grow(size); err != nil {
		return err
	}
	t.filled = true
	if t.key == tensor.Int64 {
		values, err := r.In[2].Strings()
		if err != nil {
			return err
		}
		t.strings = map[int64][]byte{}
		for i, k := range op.I64s(r.In[1]) {
			if _, ok := t.strings[k]; !ok {
				t.strings[k] = append([]byte{}, values[i]...)
			}
		}
		return nil
	}
	keys, err := r.In[1].Strings()
	if err != nil {
		return err
	}
	t.numbers = map[string]int64{}
	for i, k := range keys {
		if _, ok := t.numbers[string(k)]; !ok {
			t.numbers[string(k)] = op.I64s(r.In[2])[i]
		}
	}
	return nil
}

// filledTable returns the table for a lookup.
func filledTable(r *op.Run) (*table, error) {
	t, err := tableOf(r)
	if err == nil && !t.filled {
		err = fmt.Errorf("a table that has not been filled: %w", tensor.ErrMalformed)
	}
	return t, err
}

func findStrings(r *op.Run) error {
	t, err := filledTable(r)
	if err != nil {
		return err
	}
	fallback, err := first(r.In[2].Strings())
	if err != nil {
		return err
	}
	found := make([][]byte, r.In[1].Len())
	for i, k := range op.I64s(r.In[1]) {
		v, ok := t.strings[k]
		if !ok {
			v = fallback
		}
		found[i] = v
	}
	r.Out[0], err = tensor.OfStrings(r.In[1].Shape(), found...)
	return err
}

func findNumbers(r *op.Run) error {
	t, err := filledTable(r)
	if err != nil {
		return err
	}
	keys, err := r.In[1].Strings()
	if err != nil {
		return err
	}
	fallback, err := first(op.I64s(r.In[2]), nil)
	if err != nil {
		return err
	}
	out := op.I64s(r.Out[0])
	for i, k := range keys {
		v, ok := t.numbers[string(k)]
		if !ok {
			v = fallback
		}
		out[i] = v
	}
	return nil
}

// first is the first of the default's elements.
func first[T any](v []T, err error) (x T, _ error) {
	if err == nil && len(v) == 0 {
		err = fmt.Errorf("a default without elements: %w", tensor.ErrShape)
	}
	if err != nil {
		return x, err
	}
	return v[0], nil
}
