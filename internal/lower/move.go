package lower

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// moveRules rearrange elements.
var moveRules = table{
	"Transpose": indexed(schema.TRANSPOSE, nil),
	"Pad":       indexed(schema.PAD, func() any { return &fb.PadOptionsT{} }),
	"PadV2":     {3, func(c *call) { c.done(c.emit(schema.PADV2, nil, c.in[0], c.index(c.in[1]), c.in[2])) }},
	"MirrorPad": {2, mirrorPad},
	"ConcatV2":  {2, func(c *call) { concat(c, c.in[:len(c.in)-1], c.constInt(c.in[len(c.in)-1], "axis")) }},
	"Concat":    {2, func(c *call) { concat(c, c.in[1:], c.constInt(c.in[0], "axis")) }},
	"Slice":     {3, func(c *call) { c.done(c.emit(schema.SLICE, nil, c.in[0], c.index(c.in[1]), c.index(c.in[2]))) }},
	"Tile":      indexed(schema.TILE, nil),
	"ReverseV2": indexed(schema.REVERSE_V2, nil),
	"SpaceToBatchND": {3, func(c *call) {
		c.done(c.emit(schema.SPACE_TO_BATCH_ND, nil, c.in[0], c.index(c.in[1]), c.index(c.in[2])))
	}},
	"BatchToSpaceND": {3, func(c *call) {
		c.done(c.emit(schema.BATCH_TO_SPACE_ND, nil, c.in[0], c.index(c.in[1]), c.index(c.in[2])))
	}},
	"SpaceToDepth": {1, func(c *call) {
		c.onlyNHWC()
		c.done(c.emit(schema.SPACE_TO_DEPTH, &fb.SpaceToDepthOptionsT{BlockSize: int32(c.intAttr("block_size", 0))}, c.in[0]))
	}},
	"DepthToSpace": {1, func(c *call) {
		c.onlyNHWC()
		c.done(c.emit(schema.DEPTH_TO_SPACE, &fb.DepthToSpaceOptionsT{BlockSize: int32(c.intAttr("block_size", 0))}, c.in[0]))
	}},
	"Split": {2, func(c *call) {
		n := c.intAttr("num_split", 0)
		c.done(c.emitMany(c.types(n, c.dtype(c.in[1])), schema.SPLIT, &fb.SplitOptionsT{NumSplits: int32(n)}, c.index(c.in[0]), c.in[1])...)
	}},
	"SplitV": {3, func(c *call) {
		n := c.intAttr("num_split", 0)
		c.done(c.emitMany(c.types(n, c.dtype(c.in[0])), schema.SPLIT_V, &fb.SplitVOptionsT{NumSplits: int32(n)}, c.in[0], c.index(c.in[1]), c.index(c.in[2]))...)
	}},
	"Unpack": {1, func(c *call) {
		n := c.intAttr("num", 0)
		o := &fb.UnpackOptionsT{Num: int32(n), Axis: int32(c.axis(c.in[0], c.intAttr("axis", 0)))}
		c.done(c.emitMany(c.types(n, c.dtype(c.in[0])), schema.UNPACK, o, c.in[0])...)
	}},
}

// types repeats a type for n results.
func (c *call) types(n int, d tensor.DType) []tensor.DType {
	const most = 1 << 12
	if n < 1 || n > most {
		c.fail("%d results: %w", n, tensor.ErrMalformed)
		n = 1
	}
	t := make([]tensor.DType, n)
	for i := range t {
		t[i] = d
	}
	return t
}

func (c *call) onlyNHWC() {
	if c.channelsFirst() {
		c.unsupported("data_format NCHW")
	}
}

func mirrorPad(c *call) {
	o := &fb.MirrorPadOptionsT{Mode: fb.MirrorPadModeREFLECT}
	if c.stringAttr("mode", "REFLECT") == "SYMMETRIC" {
		o.Mode = fb.MirrorPadModeSYMMETRIC
	}
	c.done(c.emit(schema.MIRROR_PAD, o, c.in[0], c.index(c.in[1])))
}

// concat of vectors of integers joins what is known of them.
func concat(c *call, in []graph.ValueID, axis int) {
	var e []int
	for _, v := range in {
		part := c.ints(v)
		if part == nil || !c.isRank(v, 1) || c.dtype(v) != tensor.Int32 {
			e = nil
			break
		}
		e = append(e, part...)
	}
	if v := c.known(e, tensor.Shape{len(e)}); v != graph.None {
		c.done(v)
		return
	}
	y := c.emit(schema.CONCATENATION, &fb.ConcatenationOptionsT{Axis: int32(c.axis(in[0], axis))}, in...)
	c.know(y, e)
	c.done(y)
}
