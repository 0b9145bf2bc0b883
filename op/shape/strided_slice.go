package shape

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// plainTypes are the types of one to eight bytes.
const plainTypes = op.F32 | op.F16 | op.BF16 | op.F64 | op.I8 | op.U8 | op.I16 | op.U16 | op.I32 | op.U32 | op.I64 | op.U64 | op.B | op.C64

// StridedSlice is STRIDED_SLICE: input[begin:end:strides] as NumPy has it, with
// masks of bits, one for each entry of begin, end and strides.
var StridedSlice = &op.Def{
	Code: graph.OpCode(schema.STRIDED_SLICE),
	Name: "STRIDED_SLICE",
	Operands: op.In("input", plainTypes|op.Str).In("begin", op.I32).In("end", op.I32).
		In("strides", op.I32).Out("output", plainTypes|op.Str).As(0),
	Facts:   stridedSliceFacts,
	Version: stridedSliceVersion,
	Since:   []string{"1.6.0", "1.14.0", "2.1.0", "2.2.0", "2.5.0", "2.6.0", "2.14.0", "2.14.0"},
	Quant:   op.SameScale(0),
	Ref:     stridedSlice,
}

// cut is what happens to one axis of the input.
type cut struct {
	source      int  // the input's axis, -1 for an axis that is inserted
	spec        int  // the entry of begin, end and strides; -1 takes the whole axis
	first, last bool // from the axis' end, to its other end, whatever the entry says
	shrinks     bool // one element is taken and the axis dropped
}

// cuts expands the masks of a node with n entries to a cut for each axis of an
// input of the given rank and for each inserted axis. As in TFLite, an ellipsis
// stands for one axis at least.
func cuts(o *fb.StridedSliceOptionsT, rank, n int) (list [maxRank]cut, count int, err error) {
	if n > 31 || bits.OnesCount32(uint32(o.EllipsisMask)) > 1 {
		return list, 0, fmt.Errorf("%d entries, ellipsis mask %#x: %w", n, o.EllipsisMask, tensor.ErrMalformed)
	}
	has := func(mask int32, i int) bool { return i < n && mask>>i&1 == 1 }
	count = rank + bits.OnesCount32(uint32(o.NewAxisMask&^o.EllipsisMask)&(1<<n-1))
	if count > maxRank {
		return list, 0, fmt.Errorf("slice of rank %d: %w", count, tensor.ErrUnsupported)
	}
	source := 0
	for i, spec := 0, 0; i < count; spec++ {
		whole := 0
		switch {
		case has(o.EllipsisMask, spec):
			whole = max(1, min(1+count-n, count-i))
		case has(o.NewAxisMask, spec):
			list[i] = cut{source: -1, spec: -1}
			i++
		case spec >= n:
			whole = 1
		case source < rank:
			list[i] = cut{source, spec, has(o.BeginMask, spec), has(o.EndMask, spec), has(o.ShrinkAxisMask, spec)}
			i++
			source++
		}
		for range min(whole, rank-source) {
			list[i] = cut{source: source, spec: -1}
			i++
			source++
		}
	}
	return list, count, nil
}

// whole is the size of an axis without an entry.
func (c *cut) whole(in tensor.Shape) int {
	if c.source < 0 {
		return 1
	}
	return in[c.source]
}

// start returns the first position on an axis of n elements.
func (c *cut) start(n, begin, stride int) int {
	if begin < 0 {
		begin += n
	}
	switch {
	case c.first && stride > 0:
		return 0
	case c.first:
		return n - 1
	case stride > 0:
		return min(max(begin, 0), n)
	}
	return min(max(begin, -1), n-1)
}

// end returns the position behind the last one on an axis of n elements.
func (c *cut) end(n, end, stride int) int {
	if end < 0 {
		end += n
	}
	switch {
	case c.last && stride > 0:
		return n
	case c.last:
		return -1
	case stride > 0:
		return min(max(end, 0), n)
	}
	return min(max(end, -1), n-1)
}

// steps is distance/stride rounded up, 0 where the signs differ.
func steps(distance, stride int) int {
	switch {
	case distance > 0 && stride > 0:
		return (distance-1)/stride + 1
	case distance < 0 && stride < 0:
		return (distance+1)/stride + 1
	}
	return 0
}

func stridedSliceFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	o := graph.Options[fb.StridedSliceOptionsT](c.Node)
	var v [4][]int // the values of begin, end and strides
	for i := 1; i <= 3; i++ {
		if v[i], err = c.Ints(i); err != nil && (i > 1 || !o.Offset) {
			return err
		}
	}
	if !c.In[1].Unknown && (len(c.In[1].Shape) != 1 || !c.In[1].Shape.Fits(tensor.Shape{len(v[2])})) || len(v[2]) > len(v[3]) {
		return fmt.Errorf("begin, end and strides of shapes %v, %v and %v: %w", c.In[1].Shape, c.In[2].Shape, c.In[3].Shape, tensor.ErrShape)
	}
	list, count, err := cuts(o, len(in), len(v[2]))
	if err != nil {
		return err
	}
	out := tensor.Shape{}
	var outside error // matters only if there are elements
	for _, a := range list[:count] {
		if a.spec < 0 {
			out = append(out, a.whole(in))
			continue
		}
		stride, n := v[3][a.spec], in[a.source]
		switch {
		case stride == 0:
			return fmt.Errorf("stride 0 in entry %d: %w", a.spec, tensor.ErrMalformed)
		case a.shrinks && stride < 0:
			outside = fmt.Errorf("one element by stride %d in entry %d: %w", stride, a.spec, tensor.ErrMalformed)
		case a.shrinks:
			if n >= 0 && v[1] != nil && a.start(n, v[1][a.spec], stride) >= n {
				outside = fmt.Errorf("index %d of an axis of %d: %w", v[1][a.spec], n, tensor.ErrShape)
			}
		case o.Offset:
			out = append(out, steps(v[2][a.spec], stride))
		case n < 0:
			out = append(out, -1)
		default:
			start := a.start(n, v[1][a.spec], stride)
			out = append(out, steps(a.end(n, v[2][a.spec], stride)-start, stride))
		}
	}
	result(c, 0, 0, out)
	if slices.Contains(out, 0) {
		return nil
	}
	return outside
}

func stridedSliceVersion(c *op.Call) int {
	o := graph.Options[fb.StridedSliceOptionsT](c.Node)
	switch d := c.In[0].DType; {
	case o.Offset:
		return 8
	case d == tensor.UInt32:
		return 7
	case o.EllipsisMask != 0 || o.NewAxisMask != 0:
		return 6
	case d == tensor.String:
		return 5
	case len(c.In[0].Shape) > 4:
		return 4
	case d == tensor.Bool:
		return 3
	case d == tensor.Int8, d == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	}
	return 1
}

func stridedSlice(c *op.Call) (op.Kernel, error) {
	o := graph.Options[fb.StridedSliceOptionsT](c.Node)
	return mover(func(r *op.Run) error {
		in, out := r.In[0].Shape(), r.Out[0].Shape()
		if r.Out[0].Len() == 0 {
			return nil
		}
		begin, stride := op.I32s(r.In[1]), op.I32s(r.In[3])
		list, count, err := cuts(o, len(in), len(begin))
		if err != nil {
			return err
		}
		var b box
		to, from, k := strides(out), strides(in), 0
		for _, a := range list[:count] {
			start, step, n := 0, 1, 1
			if a.spec >= 0 {
				step = int(stride[a.spec])
				start = a.start(in[a.source], int(begin[a.spec]), step)
			}
			if !a.shrinks {
				n = out[k]
				k++
			}
			if a.source < 0 {
				continue
			}
			if last := start + (n-1)*step; n > 0 && (min(start, last) < 0 || max(start, last) >= in[a.source]) {
				return fmt.Errorf("elements %d to %d of an axis of %d: %w", start, last, in[a.source], tensor.ErrShape)
			}
			if !a.shrinks {
				b.axis(n, to[k-1], step*from[a.source])
			}
			b.srcAt += start * from[a.source]
		}
		return b.move(r, r.Out[0], r.In[0])
	})(c)
}
