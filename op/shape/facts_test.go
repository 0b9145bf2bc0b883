package shape

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// operand is a fact about a float32 value of a shape.
func operand(s ...int) op.Fact {
	return op.Fact{Present: true, DType: tensor.Float32, Shape: s}
}

func typed(d tensor.DType, s ...int) op.Fact { return op.Fact{Present: true, DType: d, Shape: s} }

// known is a known int32 vector, scalar one known number.
func known(v ...int32) op.Fact { return constant(tensor.Shape{len(v)}, v...) }

func scalar(v int32) op.Fact { return constant(tensor.Shape{}, v) }

func constant(s tensor.Shape, v ...int32) op.Fact {
	t, err := tensor.Of(s, v...)
	if err != nil {
		panic(err)
	}
	f := op.Fact{Present: true, DType: tensor.Int32, Shape: s, Const: t.Bytes()}
	if f.Const == nil {
		f.Const = []byte{}
	}
	return f
}

// pairs is a known int32 matrix of two columns.
func pairs(v ...int32) op.Fact { return constant(tensor.Shape{len(v) / 2, 2}, v...) }

func derive(d *op.Def, options any, results int, in ...op.Fact) ([]tensor.Shape, error) {
	c := &op.Call{Node: &graph.Node{Op: d.Code, Options: options}, In: in, Out: make([]op.Fact, results)}
	for i := range c.Out {
		c.Out[i] = op.Fact{Present: true, DType: tensor.Float32}
	}
	if err := d.Facts(c); err != nil {
		return nil, err
	}
	var out []tensor.Shape
	for i := range c.Out {
		out = append(out, c.Out[i].Shape)
	}
	return out, nil
}

// TestPartialShapes holds what is derived while dimensions are unknown, which no
// golden shows.
func TestPartialShapes(t *testing.T) {
	unknown := op.Fact{Present: true, DType: tensor.Float32, Unknown: true}
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		in      []op.Fact
		want    tensor.Shape // nil: later
	}{
		{"slice keeps the batch", StridedSlice, &fb.StridedSliceOptionsT{BeginMask: 1, EndMask: 1}, []op.Fact{operand(-1, 8, 8, 3), known(0, 1, 2), known(0, 5, 8), known(1, 2, 1)}, tensor.Shape{-1, 2, 6, 3}},
		{"slice takes one of the batch", StridedSlice, &fb.StridedSliceOptionsT{ShrinkAxisMask: 1}, []op.Fact{operand(-1, 8), known(0), known(1), known(1)}, tensor.Shape{8}},
		{"slice of the batch by offset", StridedSlice, &fb.StridedSliceOptionsT{Offset: true}, []op.Fact{operand(-1, 8), typed(tensor.Int32, 1), known(3), known(2)}, tensor.Shape{2, 8}},
		{"slice with a new axis", StridedSlice, &fb.StridedSliceOptionsT{NewAxisMask: 2, EllipsisMask: 1}, []op.Fact{operand(-1, 8), known(0, 0), known(0, 0), known(1, 1)}, tensor.Shape{-1, 8, 1}},
		{"slice by unknown ends", StridedSlice, &fb.StridedSliceOptionsT{}, []op.Fact{operand(4), known(0), typed(tensor.Int32, 1), known(1)}, nil},
		{"slice of unknown rank", StridedSlice, &fb.StridedSliceOptionsT{}, []op.Fact{unknown, known(0), known(1), known(1)}, nil},
		{"transpose", Transpose, nil, []op.Fact{operand(-1, 2, 3), known(2, 0, 1)}, tensor.Shape{3, -1, 2}},
		{"transpose by an unknown permutation", Transpose, nil, []op.Fact{operand(-1, 2, 3), typed(tensor.Int32, 3)}, nil},
		{"concatenate batches", Concatenation, &fb.ConcatenationOptionsT{}, []op.Fact{operand(-1, 2), operand(3, 2)}, tensor.Shape{-1, 2}},
		{"concatenate channels", Concatenation, &fb.ConcatenationOptionsT{Axis: -1}, []op.Fact{operand(-1, 2), operand(3, 4)}, tensor.Shape{3, 6}},
		{"pack", Pack, &fb.PackOptionsT{ValuesCount: 2, Axis: 1}, []op.Fact{operand(-1, 2), operand(-1, -1)}, tensor.Shape{-1, 2, 2}},
		{"pad", Pad, nil, []op.Fact{operand(-1, 5), pairs(0, 0, 1, 2)}, tensor.Shape{-1, 8}},
		{"mirror", MirrorPad, &fb.MirrorPadOptionsT{}, []op.Fact{operand(-1, 5), pairs(1, 0, 1, 2)}, tensor.Shape{-1, 8}},
		{"slice sizes", Slice, nil, []op.Fact{operand(-1, 5), known(1, 2), known(-1, -1)}, tensor.Shape{-1, 3}},
		{"squeeze what is named", Squeeze, &fb.SqueezeOptionsT{SqueezeDims: []int32{1}}, []op.Fact{operand(-1, 1, 3)}, tensor.Shape{-1, 3}},
		{"squeeze what turns out to be 1", Squeeze, &fb.SqueezeOptionsT{}, []op.Fact{operand(-1, 1, 3)}, nil},
		{"expand", ExpandDims, nil, []op.Fact{operand(-1, 3), scalar(-1)}, tensor.Shape{-1, 3, 1}},
		{"gather rows", Gather, &fb.GatherOptionsT{}, []op.Fact{operand(100, 8), typed(tensor.Int32, -1, 7)}, tensor.Shape{-1, 7, 8}},
		{"gather in batches", Gather, &fb.GatherOptionsT{Axis: 1, BatchDims: 1}, []op.Fact{operand(-1, 9, 8), typed(tensor.Int32, 4, 7)}, tensor.Shape{-1, 7, 8}},
		{"gather by rows", GatherND, nil, []op.Fact{operand(-1, 9, 8), typed(tensor.Int32, -1, 2)}, tensor.Shape{-1, 8}},
		{"gather by rows of unknown length", GatherND, nil, []op.Fact{operand(9, 8), typed(tensor.Int32, 3, -1)}, nil},
		{"tile", Tile, nil, []op.Fact{operand(-1, 3), known(2, 2)}, tensor.Shape{-1, 6}},
		{"broadcast", BroadcastTo, nil, []op.Fact{operand(-1, 3), known(2, 4, 3)}, tensor.Shape{2, 4, 3}},
		{"space to depth", SpaceToDepth, &fb.SpaceToDepthOptionsT{BlockSize: 2}, []op.Fact{operand(-1, -1, 4, 3)}, tensor.Shape{-1, -1, 2, 12}},
		{"depth to space", DepthToSpace, &fb.DepthToSpaceOptionsT{BlockSize: 2}, []op.Fact{operand(-1, -1, 4, 12)}, tensor.Shape{-1, -1, 8, 3}},
		{"space to batch", SpaceToBatchND, nil, []op.Fact{operand(-1, 3, 4, 2), known(2, 2), pairs(1, 0, 0, 0)}, tensor.Shape{-1, 2, 2, 2}},
		{"batch to space", BatchToSpaceND, nil, []op.Fact{operand(-1, 3, 4, 2), known(2, 2), pairs(1, 0, 0, 0)}, tensor.Shape{-1, 5, 8, 2}},
		{"resize", ResizeBilinear, &fb.ResizeBilinearOptionsT{}, []op.Fact{operand(-1, -1, 4, 2), known(5, 6)}, tensor.Shape{-1, 5, 6, 2}},
		{"range", Range, nil, []op.Fact{scalar(0), typed(tensor.Int32), scalar(1)}, nil},
		{"fill", Fill, nil, []op.Fact{typed(tensor.Int32, 2), operand()}, nil},
	} {
		got, err := derive(c.def, c.options, 1, c.in...)
		switch {
		case c.want == nil && !errors.Is(err, op.ErrLater):
			t.Errorf("%s: %v, %v, want ErrLater", c.name, got, err)
		case c.want != nil && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != nil:
			if d := cmp.Diff([]tensor.Shape{c.want}, got); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
		}
	}
}

// TestPartialResults is the same for operators of several results.
func TestPartialResults(t *testing.T) {
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		in      []op.Fact
		want    []tensor.Shape
	}{
		{"split", Split, &fb.SplitOptionsT{NumSplits: 2}, []op.Fact{scalar(-1), operand(-1, 6)}, []tensor.Shape{{-1, 3}, {-1, 3}}},
		{"split batches", Split, &fb.SplitOptionsT{NumSplits: 2}, []op.Fact{scalar(0), operand(-1, 6)}, []tensor.Shape{{-1, 6}, {-1, 6}}},
		{"split by sizes", SplitV, &fb.SplitVOptionsT{NumSplits: 2}, []op.Fact{operand(-1, 6), known(-1, 2), scalar(1)}, []tensor.Shape{{-1, 4}, {-1, 2}}},
		{"split batches by sizes", SplitV, &fb.SplitVOptionsT{NumSplits: 2}, []op.Fact{operand(-1, 6), known(-1, 2), scalar(0)}, []tensor.Shape{{-1, 6}, {2, 6}}},
		{"unpack", Unpack, &fb.UnpackOptionsT{Num: 2, Axis: 1}, []op.Fact{operand(-1, 2, 3)}, []tensor.Shape{{-1, 3}, {-1, 3}}},
	} {
		got, err := derive(c.def, c.options, len(c.want), c.in...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestFactsRefuse(t *testing.T) {
	slice := &fb.StridedSliceOptionsT{}
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		results int
		in      []op.Fact
		want    error
	}{
		{"stride 0", StridedSlice, slice, 1, []op.Fact{operand(4), known(0), known(1), known(0)}, tensor.ErrMalformed},
		{"shrinking backwards", StridedSlice, &fb.StridedSliceOptionsT{ShrinkAxisMask: 1}, 1, []op.Fact{operand(4), known(0), known(1), known(-1)}, tensor.ErrMalformed},
		{"shrinking outside", StridedSlice, &fb.StridedSliceOptionsT{ShrinkAxisMask: 1}, 1, []op.Fact{operand(4), known(4), known(5), known(1)}, tensor.ErrShape},
		{"unequal entries", StridedSlice, slice, 1, []op.Fact{operand(4, 4), known(0), known(1, 1), known(1)}, tensor.ErrShape},
		{"two ellipses", StridedSlice, &fb.StridedSliceOptionsT{EllipsisMask: 3}, 1, []op.Fact{operand(4, 4), known(0, 0), known(1, 1), known(1, 1)}, tensor.ErrMalformed},
		{"slice of rank 17", StridedSlice, slice, 1, []op.Fact{operand(slices.Repeat([]int{1}, 17)...), known(0), known(1), known(1)}, tensor.ErrUnsupported},
		{"new axes to rank 17", StridedSlice, &fb.StridedSliceOptionsT{NewAxisMask: 1}, 1, []op.Fact{operand(slices.Repeat([]int{1}, 16)...), known(0), known(1), known(1)}, tensor.ErrUnsupported},
		{"shape of floats", Shape, &fb.ShapeOptionsT{OutType: fb.TensorTypeFLOAT32}, 1, []op.Fact{operand(1)}, tensor.ErrUnsupported},
		{"squeeze of 2", Squeeze, &fb.SqueezeOptionsT{SqueezeDims: []int32{0}}, 1, []op.Fact{operand(2)}, tensor.ErrShape},
		{"squeeze of axis 3", Squeeze, &fb.SqueezeOptionsT{SqueezeDims: []int32{3}}, 1, []op.Fact{operand(1)}, tensor.ErrShape},
		{"expand at 3", ExpandDims, nil, 1, []op.Fact{operand(1), scalar(3)}, tensor.ErrShape},
		{"expand at two axes", ExpandDims, nil, 1, []op.Fact{operand(1), known(0, 0)}, tensor.ErrShape},
		{"permutation of 2 axes", Transpose, nil, 1, []op.Fact{operand(1, 2, 3), known(0, 1)}, tensor.ErrShape},
		{"permutation with a gap", Transpose, nil, 1, []op.Fact{operand(1, 2, 3), known(0, 1, 1)}, tensor.ErrMalformed},
		{"permutation of axis 3", Transpose, nil, 1, []op.Fact{operand(1, 2, 3), known(0, 1, 3)}, tensor.ErrShape},
		{"concatenation of ranks", Concatenation, &fb.ConcatenationOptionsT{}, 1, []op.Fact{operand(1), operand(1, 1)}, tensor.ErrShape},
		{"concatenation of shapes", Concatenation, &fb.ConcatenationOptionsT{}, 1, []op.Fact{operand(1, 2), operand(1, 3)}, tensor.ErrShape},
		{"concatenation of types", Concatenation, &fb.ConcatenationOptionsT{}, 1, []op.Fact{operand(1), typed(tensor.Int32, 1)}, tensor.ErrType},
		{"concatenation along axis 2", Concatenation, &fb.ConcatenationOptionsT{Axis: 2}, 1, []op.Fact{operand(1, 2)}, tensor.ErrShape},
		{"concatenation and RELU", Concatenation, &fb.ConcatenationOptionsT{FusedActivationFunction: fb.ActivationFunctionTypeRELU}, 1, []op.Fact{operand(1)}, tensor.ErrUnsupported},
		{"pack of too few", Pack, &fb.PackOptionsT{ValuesCount: 2}, 1, []op.Fact{operand(1)}, tensor.ErrMalformed},
		{"pack of shapes", Pack, &fb.PackOptionsT{ValuesCount: 2}, 1, []op.Fact{operand(1), operand(2)}, tensor.ErrShape},
		{"pack at axis 3", Pack, &fb.PackOptionsT{ValuesCount: 1, Axis: 3}, 1, []op.Fact{operand(1)}, tensor.ErrShape},
		{"negative padding", Pad, nil, 1, []op.Fact{operand(4), pairs(-1, 0)}, tensor.ErrShape},
		{"paddings of another rank", Pad, nil, 1, []op.Fact{operand(4), pairs(1, 0, 1, 0)}, tensor.ErrShape},
		{"padding with a vector", PadV2, nil, 1, []op.Fact{operand(4), pairs(1, 0), operand(2)}, tensor.ErrShape},
		{"padding with another type", PadV2, nil, 1, []op.Fact{operand(4), pairs(1, 0), scalar(1)}, tensor.ErrType},
		{"reflecting all", MirrorPad, &fb.MirrorPadOptionsT{}, 1, []op.Fact{operand(4), pairs(4, 0)}, tensor.ErrShape},
		{"mirroring more", MirrorPad, &fb.MirrorPadOptionsT{Mode: fb.MirrorPadModeSYMMETRIC}, 1, []op.Fact{operand(4), pairs(0, 5)}, tensor.ErrShape},
		{"unknown mirror", MirrorPad, &fb.MirrorPadOptionsT{Mode: 2}, 1, []op.Fact{operand(4), pairs(0, 0)}, tensor.ErrUnsupported},
		{"slice from -1", Slice, nil, 1, []op.Fact{operand(4), known(-1), known(1)}, tensor.ErrShape},
		{"slice too long", Slice, nil, 1, []op.Fact{operand(4), known(2), known(3)}, tensor.ErrShape},
		{"slice behind the end", Slice, nil, 1, []op.Fact{operand(4), known(5), known(-1)}, tensor.ErrShape},
		{"slice of size -2", Slice, nil, 1, []op.Fact{operand(4), known(0), known(-2)}, tensor.ErrShape},
		{"uneven split", Split, &fb.SplitOptionsT{NumSplits: 2}, 2, []op.Fact{scalar(0), operand(3)}, tensor.ErrShape},
		{"split in 3 of 2", Split, &fb.SplitOptionsT{NumSplits: 3}, 2, []op.Fact{scalar(0), operand(3)}, tensor.ErrMalformed},
		{"split along axis 1", Split, &fb.SplitOptionsT{NumSplits: 1}, 1, []op.Fact{scalar(1), operand(3)}, tensor.ErrShape},
		{"parts too long", SplitV, &fb.SplitVOptionsT{NumSplits: 2}, 2, []op.Fact{operand(3), known(2, 2), scalar(0)}, tensor.ErrShape},
		{"parts too short", SplitV, &fb.SplitVOptionsT{NumSplits: 2}, 2, []op.Fact{operand(3), known(1, 1), scalar(0)}, tensor.ErrShape},
		{"two open parts", SplitV, &fb.SplitVOptionsT{NumSplits: 2}, 2, []op.Fact{operand(3), known(-1, -1), scalar(0)}, tensor.ErrShape},
		{"unpack 3 of 2", Unpack, &fb.UnpackOptionsT{Num: 2}, 2, []op.Fact{operand(3)}, tensor.ErrShape},
		{"gather along axis 2", Gather, &fb.GatherOptionsT{Axis: 2}, 1, []op.Fact{operand(3, 3), scalar(0)}, tensor.ErrShape},
		{"batches behind the axis", Gather, &fb.GatherOptionsT{BatchDims: 1}, 1, []op.Fact{operand(3, 3), known(0)}, tensor.ErrShape},
		{"unequal batches", Gather, &fb.GatherOptionsT{Axis: 1, BatchDims: 1}, 1, []op.Fact{operand(3, 3), known(0)}, tensor.ErrShape},
		{"indices of 3 axes", GatherND, nil, 1, []op.Fact{operand(3, 3), typed(tensor.Int32, 1, 3)}, tensor.ErrShape},
		{"scalar params", GatherND, nil, 1, []op.Fact{operand(), typed(tensor.Int32, 0)}, tensor.ErrShape},
		{"updates of another shape", ScatterND, nil, 1, []op.Fact{typed(tensor.Int32, 2, 1), operand(2, 3), known(4, 4)}, tensor.ErrShape},
		{"negative shape", ScatterND, nil, 1, []op.Fact{typed(tensor.Int32, 2, 1), operand(2), known(-4)}, tensor.ErrShape},
		{"update larger than the input", DynamicUpdateSlice, nil, 1, []op.Fact{operand(3), operand(4), known(0)}, tensor.ErrShape},
		{"start of another rank", DynamicUpdateSlice, nil, 1, []op.Fact{operand(3), operand(2), known(0, 0)}, tensor.ErrShape},
		{"multiples of another rank", Tile, nil, 1, []op.Fact{operand(3), known(1, 1)}, tensor.ErrShape},
		{"negative multiple", Tile, nil, 1, []op.Fact{operand(3), known(-1)}, tensor.ErrShape},
		{"huge multiple", Tile, nil, 1, []op.Fact{operand(3), known(1 << 30)}, tensor.ErrShape},
		{"broadcast of 2 to 3", BroadcastTo, nil, 1, []op.Fact{operand(2), known(3)}, tensor.ErrShape},
		{"broadcast to a lower rank", BroadcastTo, nil, 1, []op.Fact{operand(1, 1), known(3)}, tensor.ErrShape},
		{"broadcast to -1", BroadcastTo, nil, 1, []op.Fact{operand(1), known(-1)}, tensor.ErrShape},
		{"shapes of rank 2", BroadcastArgs, nil, 1, []op.Fact{pairs(1, 2), known(3)}, tensor.ErrShape},
		{"reversed axis 1", ReverseV2, nil, 1, []op.Fact{operand(2), known(1)}, tensor.ErrShape},
		{"sequence and batch the same", ReverseSequence, &fb.ReverseSequenceOptionsT{}, 1, []op.Fact{operand(2, 2), known(1, 1)}, tensor.ErrShape},
		{"lengths of another batch", ReverseSequence, &fb.ReverseSequenceOptionsT{SeqDim: 1}, 1, []op.Fact{operand(2, 2), known(1)}, tensor.ErrShape},
		{"negative dims", Fill, nil, 1, []op.Fact{known(-1), operand()}, tensor.ErrShape},
		{"fill with a vector", Fill, nil, 1, []op.Fact{known(1), operand(1)}, tensor.ErrShape},
		{"range by 0", Range, nil, 1, []op.Fact{scalar(0), scalar(1), scalar(0)}, tensor.ErrMalformed},
		{"range the wrong way", Range, nil, 1, []op.Fact{scalar(0), scalar(1), scalar(-1)}, tensor.ErrMalformed},
		{"endless range", Range, nil, 1, []op.Fact{scalar(-1 << 31), scalar(1<<31 - 1), scalar(1)}, tensor.ErrLimit},
		{"range of vectors", Range, nil, 1, []op.Fact{known(0), known(1), known(1)}, tensor.ErrShape},
		{"blocks of 0", SpaceToDepth, &fb.SpaceToDepthOptionsT{}, 1, []op.Fact{operand(1, 2, 2, 1)}, tensor.ErrShape},
		{"blocks that do not fit", SpaceToDepth, &fb.SpaceToDepthOptionsT{BlockSize: 2}, 1, []op.Fact{operand(1, 2, 3, 1)}, tensor.ErrShape},
		{"depth that does not fit", DepthToSpace, &fb.DepthToSpaceOptionsT{BlockSize: 2}, 1, []op.Fact{operand(1, 2, 3, 6)}, tensor.ErrShape},
		{"space of rank 5", SpaceToBatchND, nil, 1, []op.Fact{operand(1, 2, 2, 2, 1), known(1, 1, 1), pairs(0, 0, 0, 0, 0, 0)}, tensor.ErrShape},
		{"space that does not fit", SpaceToBatchND, nil, 1, []op.Fact{operand(1, 3, 1), known(2), pairs(0, 0)}, tensor.ErrShape},
		{"batch that does not fit", BatchToSpaceND, nil, 1, []op.Fact{operand(3, 3, 1), known(2), pairs(0, 0)}, tensor.ErrShape},
		{"crops of everything", BatchToSpaceND, nil, 1, []op.Fact{operand(2, 1, 1), known(2), pairs(2, 1)}, tensor.ErrShape},
		{"resize to nothing", ResizeBilinear, &fb.ResizeBilinearOptionsT{}, 1, []op.Fact{operand(1, 2, 2, 1), known(0, 1)}, tensor.ErrShape},
		{"resize of nothing", ResizeNearest, &fb.ResizeNearestNeighborOptionsT{}, 1, []op.Fact{operand(1, 0, 2, 1), known(1, 1)}, tensor.ErrShape},
	} {
		if got, err := derive(c.def, c.options, c.results, c.in...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

func TestShapeIsKnownWithTheShape(t *testing.T) {
	c := &op.Call{Node: &graph.Node{Options: &fb.ShapeOptionsT{OutType: fb.TensorTypeINT64}}, In: []op.Fact{operand(4, 5)}, Out: make([]op.Fact, 1)}
	if err := Shape.Facts(c); err != nil {
		t.Fatal(err)
	}
	got, err := op.IntsOf(c.Out[0].Tensor())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{4, 5}, got); d != "" {
		t.Error(d)
	}
	c.In[0].Shape, c.Out[0] = tensor.Shape{-1, 5}, op.Fact{}
	if err := Shape.Facts(c); err != nil || c.Out[0].Const != nil {
		t.Errorf("%v, value %v of an unknown shape", err, c.Out[0].Const)
	}
}

// TestRunRefuses holds what is seen at run time only.
func TestRunRefuses(t *testing.T) {
	zeros := func(d tensor.DType, s ...int) tensor.Tensor {
		z, err := tensor.Zeros(d, s)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	ints := func(s tensor.Shape, v ...int32) tensor.Tensor {
		x, err := tensor.Of(s, v...)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	float := tensor.Float32
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		in      []tensor.Tensor
		out     tensor.Tensor
	}{
		{"position 3 of 3", Gather, &fb.GatherOptionsT{}, []tensor.Tensor{zeros(float, 3), ints(tensor.Shape{1}, 3)}, zeros(float, 1)},
		{"position -1", Gather, &fb.GatherOptionsT{}, []tensor.Tensor{zeros(float, 3), ints(tensor.Shape{1}, -1)}, zeros(float, 1)},
		{"index 2 of 2", GatherND, nil, []tensor.Tensor{zeros(float, 3, 2), ints(tensor.Shape{1, 2}, 0, 2)}, zeros(float, 1)},
		{"scatter to 4 of 4", ScatterND, nil, []tensor.Tensor{ints(tensor.Shape{1, 1}, 4), zeros(float, 1), ints(tensor.Shape{1}, 4)}, zeros(float, 4)},
		{"length 3 of 2", ReverseSequence, &fb.ReverseSequenceOptionsT{SeqDim: 1}, []tensor.Tensor{zeros(float, 1, 2), ints(tensor.Shape{1}, 3)}, zeros(float, 1, 2)},
		{"axis twice", ReverseV2, nil, []tensor.Tensor{zeros(float, 1, 2), ints(tensor.Shape{2}, 1, -1)}, zeros(float, 1, 2)},
		{"slice by an offset too far", StridedSlice, &fb.StridedSliceOptionsT{Offset: true}, []tensor.Tensor{zeros(float, 4), ints(tensor.Shape{1}, 3), ints(tensor.Shape{1}, 2), ints(tensor.Shape{1}, 1)}, zeros(float, 2)},
		{"2 and 3", BroadcastArgs, nil, []tensor.Tensor{ints(tensor.Shape{1}, 2), ints(tensor.Shape{1}, 3)}, zeros(tensor.Int32, 1)},
	} {
		call := &op.Call{Node: &graph.Node{Options: c.options}, Out: []op.Fact{typed(c.out.DType(), c.out.Shape()...)}}
		for _, x := range c.in {
			call.In = append(call.In, typed(x.DType(), x.Shape()...))
		}
		k, err := c.def.Ref(call)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err := k.Run(&op.Run{In: c.in, Out: []tensor.Tensor{c.out}}); !errors.Is(err, tensor.ErrMalformed) && !errors.Is(err, tensor.ErrShape) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
