package lower

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// selectRules pick elements.
var selectRules = table{
	"Gather": {2, func(c *call) { gather(c, 0, 0) }},
	"GatherV2": {3, func(c *call) {
		c.absorb(c.in[2])
		gather(c, c.constInt(c.in[2], "axis"), c.intAttr("batch_dims", 0))
	}},
	"GatherNd": {2, func(c *call) { c.done(c.emit(schema.GATHER_ND, nil, c.in[0], c.in[1])) }},
	"Select":   {3, func(c *call) { c.done(c.emitAs(c.dtype(c.in[1]), schema.SELECT, nil, c.in[0], c.in[1], c.in[2])) }},
	"SelectV2": {3, selectV2},
	"OneHot": {4, func(c *call) {
		o := &fb.OneHotOptionsT{Axis: int32(c.intAttr("axis", -1))}
		c.done(c.emitAs(c.dtype(c.in[2]), schema.ONE_HOT, o, c.in[0], c.index(c.in[1]), c.in[2], c.in[3]))
	}},
	"TopKV2": {2, func(c *call) {
		c.done(c.emitMany([]tensor.DType{c.dtype(c.in[0]), tensor.Int32}, schema.TOPK_V2, nil, c.in[0], c.index(c.in[1]))...)
	}},
}

func gather(c *call, axis, batchDims int) {
	o := &fb.GatherOptionsT{Axis: int32(c.axis(c.in[0], axis)), BatchDims: int32(batchDims)}
	y := c.emit(schema.GATHER, o, c.in[0], c.in[1])
	c.know(y, c.gathered())
	c.done(y)
}

// gathered picks from what is known of a vector of integers.
func (c *call) gathered() []int {
	e, at := c.ints(c.in[0]), c.ints(c.in[1])
	if e == nil || at == nil || !c.isRank(c.in[0], 1) || !c.isRank(c.in[1], 1) && !c.isRank(c.in[1], 0) {
		return nil
	}
	out := make([]int, len(at))
	for i, k := range at {
		if k < 0 || k >= len(e) {
			return nil
		}
		out[i] = e[k]
	}
	return out
}

// selectV2 is SELECT where nothing is broadcast.
func selectV2(c *call) {
	same := true
	for _, v := range c.in {
		s := c.shape(v)
		same = same && s != nil && s.Known() && s.Equal(c.shape(c.in[0]))
	}
	code := schema.SELECT_V2
	if same {
		code = schema.SELECT
	}
	c.done(c.emitAs(c.dtype(c.in[1]), code, nil, c.in[0], c.in[1], c.in[2]))
}

var resizeRules = table{
	"ResizeBilinear": {2, func(c *call) {
		o := &fb.ResizeBilinearOptionsT{AlignCorners: c.boolAttr("align_corners"), HalfPixelCenters: c.boolAttr("half_pixel_centers")}
		c.done(c.resize(schema.RESIZE_BILINEAR, o))
	}},
	"ResizeNearestNeighbor": {2, func(c *call) {
		o := &fb.ResizeNearestNeighborOptionsT{AlignCorners: c.boolAttr("align_corners"), HalfPixelCenters: c.boolAttr("half_pixel_centers")}
		c.done(c.resize(schema.RESIZE_NEAREST_NEIGHBOR, o))
	}},
}

func (c *call) resize(code schema.BuiltinOperator, o any) graph.ValueID {
	return c.emit(code, o, c.in[0], c.index(c.in[1]))
}
