package stablehlo

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func typed(d tensor.DType, s ...int) op.Fact { return op.Fact{Present: true, DType: d, Shape: s} }

func floats(s ...int) op.Fact { return typed(tensor.Float32, s...) }

func ints(s ...int) op.Fact { return typed(tensor.Int32, s...) }

// known is a known vector.
func known[T tensor.Element](v ...T) op.Fact {
	t, err := tensor.Of(tensor.Shape{len(v)}, v...)
	if err != nil {
		panic(err)
	}
	return op.Fact{Present: true, DType: t.DType(), Shape: t.Shape(), Const: t.Bytes()}
}

var unranked = op.Fact{Present: true, DType: tensor.Float32, Unknown: true}

// functions are subgraphs of one ADD, one SUB, none, and two nodes.
var functions = []*graph.Subgraph{
	{Nodes: []graph.Node{{Op: graph.OpCode(schema.STABLEHLO_ADD)}}}, {Nodes: []graph.Node{{Op: graph.OpCode(schema.SUB)}}},
	{}, {Nodes: make([]graph.Node, 2)},
}

func callOf(d *op.Def, options any, in ...op.Fact) *op.Call {
	c := &op.Call{Node: &graph.Node{Op: d.Code, Options: options}, In: in, Subgraphs: functions}
	for range d.Operands.Outs {
		c.Out = append(c.Out, typed(in[0].DType))
	}
	return c
}

// TestFacts holds what no golden shows: shapes that are known in part, and
// operands that contradict each other.
func TestFacts(t *testing.T) {
	pads := func(low, high, interior []int64) *fb.StablehloPadOptionsT {
		return &fb.StablehloPadOptionsT{EdgePaddingLow: low, EdgePaddingHigh: high, InteriorPadding: interior}
	}
	gather := func(offset, collapsed, start []int64, vector int64, sizes ...int64) *fb.StablehloGatherOptionsT {
		return &fb.StablehloGatherOptionsT{OffsetDims: offset, CollapsedSliceDims: collapsed, StartIndexMap: start, IndexVectorDim: vector, SliceSizes: sizes}
	}
	scatter := func(window, inserted, dims []int64, vector int64) *fb.StablehloScatterOptionsT {
		return &fb.StablehloScatterOptionsT{UpdateWindowDims: window, InsertedWindowDims: inserted, ScatterDimsToOperandDims: dims, IndexVectorDim: vector}
	}
	type list = []int64
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		in      []op.Fact
		want    tensor.Shape // where err is nil
		err     error
	}{
		{"sum of partly known shapes", Add, nil, []op.Fact{floats(-1, 3, -1), floats(2, -1, -1)}, tensor.Shape{2, 3, -1}, nil},
		{"sum of unknown rank", Add, nil, []op.Fact{floats(2), unranked}, nil, op.ErrLater},
		{"no broadcast", Add, nil, []op.Fact{floats(2, 3), floats(1, 3)}, nil, tensor.ErrShape},
		{"no broadcast of scalars", Maximum, nil, []op.Fact{floats(2, 3), floats()}, nil, tensor.ErrShape},

		{"pad a batch", Pad, pads(list{0, 1}, list{0, 2}, list{0, 1}), []op.Fact{floats(-1, 3), floats()}, tensor.Shape{-1, 8}, nil},
		{"pad nothing", Pad, pads(nil, nil, nil), []op.Fact{floats(), floats()}, nil, tensor.ErrUnsupported},
		{"pad by too few", Pad, pads(list{1}, list{1}, list{0}), []op.Fact{floats(2, 3), floats()}, nil, tensor.ErrShape},
		{"lists of two lengths", Pad, pads(list{1}, list{1, 2}, list{0}), []op.Fact{floats(2), floats()}, nil, tensor.ErrMalformed},
		{"negative interior", Pad, pads(list{1}, list{1}, list{-1}), []op.Fact{floats(2), floats()}, nil, tensor.ErrMalformed},
		{"huge padding", Pad, pads(list{1}, list{-1 << 63}, list{0}), []op.Fact{floats(2), floats()}, nil, tensor.ErrMalformed},
		{"pad with two values", Pad, pads(list{1}, list{1}, list{0}), []op.Fact{floats(2), floats(2)}, nil, tensor.ErrShape},

		{"dilate a batch", Dilate, nil, []op.Fact{floats(-1, 3), known[int32](1, 4), floats()}, tensor.Shape{-1, 9}, nil},
		{"dilate later", Dilate, nil, []op.Fact{floats(2, 3), ints(2), floats()}, nil, op.ErrLater},
		{"dilate by none", Dilate, nil, []op.Fact{floats(2), known[int32](0), floats()}, nil, tensor.ErrMalformed},
		{"dilate by too many", Dilate, nil, []op.Fact{floats(2), known[int32](1, 1), floats()}, nil, tensor.ErrShape},

		{"gather rows", Gather, gather(list{1}, list{0}, list{0}, 1, 1, 4), []op.Fact{floats(-1, 4), ints(-1, 1)}, tensor.Shape{-1, 4}, nil},
		{"gather by numbers", Gather, gather(list{1}, list{0}, list{0}, 1, 1, 4), []op.Fact{floats(3, 4), ints(5)}, tensor.Shape{5, 4}, nil},
		{"slices beyond", Gather, gather(list{1}, list{0}, list{0}, 1, 1, 5), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrShape},
		{"negative slices", Gather, gather(list{1}, list{0}, list{0}, 1, 1, -1), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrShape},
		{"too few slice sizes", Gather, gather(list{1}, list{0}, list{0}, 1, 1), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrMalformed},
		{"too few axes", Gather, gather(list{1}, nil, list{0}, 1, 1, 4), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrMalformed},
		{"the same axis twice", Gather, gather(list{0, 0}, nil, list{0}, 1, 1, 4), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrMalformed},
		{"an axis beyond", Gather, gather(list{2}, list{0}, list{0}, 1, 1, 4), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrMalformed},
		{"a collapsed axis beyond", Gather, gather(list{1}, list{2}, list{0}, 1, 1, 4), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrMalformed},
		{"a component of no axis", Gather, gather(list{1}, list{0}, list{-1}, 1, 1, 4), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrMalformed},
		{"too short vectors", Gather, gather(list{1}, list{0}, list{0, 1}, 1, 1, 4), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrShape},
		{"vectors along no axis", Gather, gather(list{1}, list{0}, list{0}, 3, 1, 4), []op.Fact{floats(3, 4), ints(5, 1)}, nil, tensor.ErrMalformed},
		{"rank 9", Gather, gather(list{7, 8}, nil, nil, 0, 1, 1), []op.Fact{floats(1, 1), ints(1, 1, 1, 1, 1, 1, 1, 1)}, nil, tensor.ErrUnsupported},

		{"scatter into a batch", Scatter, scatter(list{1}, list{0}, list{0}, 1), []op.Fact{floats(-1, 4), ints(5, 1), floats(5, 4)}, tensor.Shape{-1, 4}, nil},
		{"updates of another number", Scatter, scatter(list{1}, list{0}, list{0}, 1), []op.Fact{floats(3, 4), ints(5, 1), floats(6, 4)}, nil, tensor.ErrShape},
		{"updates of another rank", Scatter, scatter(list{1}, list{0}, list{0}, 1), []op.Fact{floats(3, 4), ints(5, 1), floats(5)}, nil, tensor.ErrShape},

		{"windows over a batch", StablehloReduceWindow, &fb.StablehloReduceWindowOptionsT{WindowDimensions: list{1, 2}}, []op.Fact{floats(-1, 4), floats()}, tensor.Shape{-1, 3}, nil},
		{"windows of another rank", StablehloReduceWindow, &fb.StablehloReduceWindowOptionsT{WindowDimensions: list{2}}, []op.Fact{floats(4, 4), floats()}, nil, tensor.ErrShape},
		{"windows of no size", StablehloReduceWindow, &fb.StablehloReduceWindowOptionsT{WindowDimensions: list{0}}, []op.Fact{floats(4), floats()}, nil, tensor.ErrMalformed},
		{"no windows", StablehloReduceWindow, &fb.StablehloReduceWindowOptionsT{}, []op.Fact{floats(4), floats()}, nil, tensor.ErrUnsupported},
		{"too few strides", StablehloReduceWindow, &fb.StablehloReduceWindowOptionsT{WindowDimensions: list{1, 1}, WindowStrides: list{1}}, []op.Fact{floats(4, 4), floats()}, nil, tensor.ErrMalformed},
		{"too few paddings", StablehloReduceWindow, &fb.StablehloReduceWindowOptionsT{WindowDimensions: list{1, 1}, Padding: list{1, 1}}, []op.Fact{floats(4, 4), floats()}, nil, tensor.ErrMalformed},
		{"all cropped", StablehloReduceWindow, &fb.StablehloReduceWindowOptionsT{WindowDimensions: list{1}, Padding: list{-2, -2}}, []op.Fact{floats(4), floats()}, nil, tensor.ErrShape},
		{"no initial value", StablehloReduceWindow, &fb.StablehloReduceWindowOptionsT{WindowDimensions: list{1}}, []op.Fact{floats(4), floats(0)}, nil, tensor.ErrShape},
		{"windows of rank 7", ReduceWindow, nil, []op.Fact{floats(1, 1, 1, 1, 1, 1, 1), floats(), known[int64](1), known[int64](1), known[int64](1)}, nil, tensor.ErrUnsupported},
		{"strides of zero", ReduceWindow, nil, []op.Fact{floats(4), floats(), known[int64](1), known[int64](0), known[int64](1)}, nil, tensor.ErrMalformed},
		{"unknown strides", ReduceWindow, nil, []op.Fact{floats(4), floats(), known[int64](1), typed(tensor.Int64, 1), known[int64](1)}, nil, op.ErrLater},
		{"too many strides", ReduceWindow, nil, []op.Fact{floats(4), floats(), known[int64](1), known[int64](1, 1), known[int64](1)}, nil, tensor.ErrShape},

		{"a state of one word", RngBitGenerator, &fb.StablehloRngBitGeneratorOptionsT{}, []op.Fact{typed(tensor.UInt64, 1)}, nil, tensor.ErrShape},
		{"three words for Threefry", RngBitGenerator, &fb.StablehloRngBitGeneratorOptionsT{Algorithm: fb.RngAlgorithmTHREEFRY}, []op.Fact{typed(tensor.UInt64, 3)}, nil, tensor.ErrShape},
		{"an unknown algorithm", RngBitGenerator, &fb.StablehloRngBitGeneratorOptionsT{Algorithm: 9}, []op.Fact{typed(tensor.UInt64, 2)}, nil, tensor.ErrUnsupported},
	} {
		call := callOf(c.def, c.options, c.in...)
		err := c.def.Facts(call)
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
			continue
		}
		if c.err == nil {
			if d := cmp.Diff(c.want, call.Out[0].Shape); d != "" {
				t.Errorf("%s: shape differs (-want +got):\n%s", c.name, d)
			}
		}
	}
}

// TestFunctions: a subgraph that does not name a function of the operator.
func TestFunctions(t *testing.T) {
	for i, wantScatter := range []error{nil, tensor.ErrUnsupported, nil, tensor.ErrUnsupported, tensor.ErrMalformed} {
		s := &fb.StablehloScatterOptionsT{UpdateComputationSubgraphIndex: int32(i)}
		if _, err := Scatter.Ref(callOf(Scatter, s, floats(2))); !errors.Is(err, wantScatter) {
			t.Errorf("scatter with function %d: error %v, want %v", i, err, wantScatter)
		}
		wantWindow := wantScatter
		if i == 2 {
			wantWindow = tensor.ErrMalformed
		}
		w := &fb.StablehloReduceWindowOptionsT{WindowDimensions: []int64{1}, BodySubgraphIndex: int32(i)}
		if _, err := StablehloReduceWindow.Ref(callOf(StablehloReduceWindow, w, floats(2))); !errors.Is(err, wantWindow) {
			t.Errorf("windows with function %d: error %v, want %v", i, err, wantWindow)
		}
	}
	if _, err := ReduceWindow.Ref(callOf(ReduceWindow, nil, floats(2))); !errors.Is(err, tensor.ErrUnsupported) {
		t.Errorf("REDUCE_WINDOW without a function: error %v", err)
	}
}
