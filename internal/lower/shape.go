package lower

import (
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/shape"
	"github.com/litequant/litequant/tensor"
)

// shapeRules compute shapes and apply them. Where a batch size is unknown the
// arithmetic stays in the model, while what is known of it still tells the
// shapes behind it.
var shapeRules = table{
	"Shape":        {1, shapeOf},
	"Rank":         {1, rankOf},
	"Reshape":      {2, reshape},
	"Squeeze":      {1, squeeze},
	"ExpandDims":   {2, expandDims},
	"StridedSlice": {4, stridedSlice},
	"Pack":         {1, pack},
	"Fill":         {2, func(c *call) { c.done(c.emitAs(c.dtype(c.in[1]), schema.FILL, nil, c.index(c.in[0]), c.in[1])) }},
	"Range":        {3, func(c *call) { c.done(c.emit(schema.RANGE, nil, c.in[0], c.in[1], c.in[2])) }},
	"BroadcastTo":  {2, broadcastTo},
	"ZerosLike":    unary(schema.ZEROS_LIKE),
}

// known adds the int32 constant for elements that are all known, else None.
func (c *call) known(e []int, s tensor.Shape) graph.ValueID {
	for _, x := range e {
		if x < 0 {
			return graph.None
		}
	}
	if e == nil {
		return graph.None
	}
	return c.int32s(s, c.origins(), e...)
}

func shapeOf(c *call) {
	s := c.shape(c.in[0])
	if s != nil && s.Known() {
		c.done(c.known(append([]int{}, s...), tensor.Shape{len(s)}))
		return
	}
	y := c.emitAs(tensor.Int32, schema.SHAPE, &fb.ShapeOptionsT{OutType: fb.TensorTypeINT32}, c.in[0])
	c.know(y, s)
	c.done(y)
}

func rankOf(c *call) { c.done(c.int32s(tensor.Shape{}, c.origins(), c.rank(c.in[0]))) }

func reshape(c *call) {
	to := c.index(c.in[1])
	if v := c.val(to); v.IsConst() { // the converter makes this constant anew
		to = c.int32s(v.Shape, nil, c.ints(to)...)
	}
	y := c.emit(schema.RESHAPE, nil, c.in[0], to)
	if want := c.ints(to); want != nil && c.err == nil {
		s, err := shape.Resolve(c.shape(c.in[0]), want)
		if err != nil { // several dimensions depend on data
			s = want
		}
		c.declare(y, s)
	}
	c.done(y)
}

func broadcastTo(c *call) {
	to := c.index(c.in[1])
	y := c.emit(schema.BROADCAST_TO, nil, c.in[0], to)
	if s := c.ints(to); s != nil {
		c.declare(y, s)
	}
	c.done(y)
}

func squeeze(c *call) {
	o := &fb.SqueezeOptionsT{}
	for _, d := range c.intsAttr("squeeze_dims") {
		o.SqueezeDims = append(o.SqueezeDims, int32(c.axis(c.in[0], d)))
	}
	c.done(c.emit(schema.SQUEEZE, o, c.in[0]))
}

// expandDims of a constant is the constant under another shape, which keeps the
// filter of a one-dimensional convolution a parameter.
func expandDims(c *call) {
	if c.val(c.in[0]).IsConst() {
		axis, s := c.constInt(c.in[1], "axis"), c.shape(c.in[0])
		if axis < 0 {
			axis += len(s) + 1
		}
		if axis < 0 || axis > len(s) {
			c.fail("axis %d of rank %d: %w", axis, len(s)+1, tensor.ErrShape)
			return
		}
		c.done(c.reshaped(c.in[0], slices.Insert(s.Clone(), axis, 1)))
		return
	}
	y := c.emit(schema.EXPAND_DIMS, &fb.ExpandDimsOptionsT{}, c.in[0], c.index(c.in[1]))
	if c.isRank(c.in[0], 0) {
		c.know(y, c.ints(c.in[0]))
	}
	c.done(y)
}

// pack joins tensors along a new axis; of scalars it makes a shape.
func pack(c *call) {
	axis := c.intAttr("axis", 0)
	if axis < 0 {
		axis += c.rank(c.in[0]) + 1
	}
	e := c.packed()
	if v := c.known(e, tensor.Shape{len(e)}); v != graph.None {
		c.done(v)
		return
	}
	y := c.emit(schema.PACK, &fb.PackOptionsT{ValuesCount: int32(len(c.in)), Axis: int32(axis)}, c.in...)
	c.know(y, e)
	c.done(y)
}

// packed joins what is known of int32 scalars, nil for other inputs.
func (c *call) packed() []int {
	e := make([]int, len(c.in))
	for i, v := range c.in {
		if c.dtype(v) != tensor.Int32 || !c.isRank(v, 0) {
			return nil
		}
		if e[i] = -1; len(c.ints(v)) == 1 {
			e[i] = c.ints(v)[0]
		}
	}
	return e
}

func stridedSlice(c *call) {
	masks := &fb.StridedSliceOptionsT{
		BeginMask: int32(c.intAttr("begin_mask", 0)), EndMask: int32(c.intAttr("end_mask", 0)),
		EllipsisMask: int32(c.intAttr("ellipsis_mask", 0)), NewAxisMask: int32(c.intAttr("new_axis_mask", 0)),
		ShrinkAxisMask: int32(c.intAttr("shrink_axis_mask", 0)),
	}
	e, s := c.sliced(masks)
	if v := c.known(e, s); v != graph.None && c.dtype(c.in[0]) == tensor.Int32 {
		c.done(v)
		return
	}
	y := c.emit(schema.STRIDED_SLICE, masks, c.in[0], c.index(c.in[1]), c.index(c.in[2]), c.index(c.in[3]))
	c.know(y, e)
	c.done(y)
}

// sliced applies a slice to what is known of a vector of integers, nil if that
// is nothing.
func (c *call) sliced(m *fb.StridedSliceOptionsT) ([]int, tensor.Shape) {
	e, begin, end, step := c.ints(c.in[0]), c.ints(c.in[1]), c.ints(c.in[2]), c.ints(c.in[3])
	if e == nil || !c.isRank(c.in[0], 1) || len(begin) != 1 || len(end) != 1 || len(step) != 1 || step[0] != 1 || m.EllipsisMask|m.NewAxisMask != 0 {
		return nil, nil
	}
	at := func(x int) int {
		if x < 0 {
			x += len(e)
		}
		return min(max(x, 0), len(e))
	}
	from, to := at(begin[0]), at(end[0])
	if m.BeginMask&1 != 0 {
		from = 0
	}
	if m.EndMask&1 != 0 {
		to = len(e)
	}
	if m.ShrinkAxisMask&1 != 0 {
		if from >= len(e) {
			return nil, nil
		}
		return e[from : from+1], tensor.Shape{}
	}
	to = max(to, from)
	return append([]int{}, e[from:to]...), tensor.Shape{to - from}
}
