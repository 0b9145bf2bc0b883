package grad

import (
	"fmt"
	"strings"
	"testing"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// one is the operand of most unary functions: kinks at 0 are hit by neither an
// element nor the differences.
func one(lo, hi float64) []operand { return []operand{reals(lo, hi, 2, 5)} }

func two(x, y operand) []operand { return []operand{x, y} }

func conv(stride, dilation int32, padding fb.Padding) *fb.Conv2DOptionsT {
	return &fb.Conv2DOptionsT{StrideW: stride, StrideH: stride, DilationWFactor: dilation, DilationHFactor: dilation, Padding: padding}
}

func depthwise(multiplier, stride int32) *fb.DepthwiseConv2DOptionsT {
	return &fb.DepthwiseConv2DOptionsT{StrideW: stride, StrideH: stride, DilationWFactor: 1, DilationHFactor: 1, DepthMultiplier: multiplier}
}

func keepDims(keep bool) *fb.ReducerOptionsT { return &fb.ReducerOptionsT{KeepDims: keep} }

var image = reals(-1, 1, 2, 4, 4, 2)

// trials has a row or more for each rule.
var trials = []trial{
	{name: "same", code: schema.CONV_2D, options: conv(1, 1, fb.PaddingSAME), in: []operand{image, weights(3, 3, 3, 2), weights(3)}},
	{name: "stride", code: schema.CONV_2D, options: conv(2, 1, fb.PaddingVALID), in: []operand{image, weights(3, 2, 3, 2), weights(3)}},
	{name: "dilation", code: schema.CONV_2D, options: conv(1, 2, fb.PaddingSAME), in: []operand{image, weights(1, 2, 2, 2), absent}},
	{name: "groups", code: schema.CONV_2D, options: conv(1, 1, fb.PaddingSAME), in: []operand{reals(-1, 1, 1, 3, 3, 4), weights(6, 2, 2, 2), weights(6)}},
	{name: "plain", code: schema.DEPTHWISE_CONV_2D, options: depthwise(1, 1), in: []operand{image, weights(1, 3, 3, 2), weights(2)}},
	{name: "stride", code: schema.DEPTHWISE_CONV_2D, options: depthwise(1, 2), in: []operand{image, weights(1, 2, 3, 2), weights(2)}},
	{name: "multiplier", code: schema.DEPTHWISE_CONV_2D, options: depthwise(3, 2), in: []operand{image, weights(1, 2, 3, 6), weights(6)}},
	{name: "same", code: schema.TRANSPOSE_CONV, options: &fb.TransposeConvOptionsT{StrideH: 2, StrideW: 2},
		in: []operand{ints(1, 6, 6, 2), weights(2, 3, 3, 3), reals(-1, 1, 1, 3, 3, 3), weights(2)}},
	{name: "valid", code: schema.TRANSPOSE_CONV, options: &fb.TransposeConvOptionsT{StrideH: 1, StrideW: 2, Padding: fb.PaddingVALID},
		in: []operand{ints(1, 4, 6, 2), weights(2, 2, 2, 3), reals(-1, 1, 1, 3, 3, 3)}},
	{code: schema.FULLY_CONNECTED, options: &fb.FullyConnectedOptionsT{}, in: []operand{reals(-1, 1, 3, 4), reals(-1, 1, 2, 4), reals(-1, 1, 2)}},
	{name: "three axes", code: schema.FULLY_CONNECTED, options: &fb.FullyConnectedOptionsT{KeepNumDims: true}, in: []operand{reals(-1, 1, 2, 3, 4), reals(-1, 1, 2, 4)}},
	{code: schema.BATCH_MATMUL, options: &fb.BatchMatMulOptionsT{}, in: two(reals(-1, 1, 2, 3, 4), reals(-1, 1, 2, 4, 2))},
	{name: "x'", code: schema.BATCH_MATMUL, options: &fb.BatchMatMulOptionsT{AdjX: true}, in: two(reals(-1, 1, 2, 4, 3), reals(-1, 1, 2, 4, 2))},
	{name: "y'", code: schema.BATCH_MATMUL, options: &fb.BatchMatMulOptionsT{AdjY: true}, in: two(reals(-1, 1, 2, 3, 4), reals(-1, 1, 2, 2, 4))},
	{name: "x'y'", code: schema.BATCH_MATMUL, options: &fb.BatchMatMulOptionsT{AdjX: true, AdjY: true}, in: two(reals(-1, 1, 2, 4, 3), reals(-1, 1, 2, 2, 4))},
	{name: "broadcast", code: schema.BATCH_MATMUL, options: &fb.BatchMatMulOptionsT{}, in: two(reals(-1, 1, 3, 1, 2, 2), reals(-1, 1, 2, 2, 2))},
	{code: schema.MAX_POOL_2D, options: &fb.Pool2DOptionsT{StrideW: 2, StrideH: 2, FilterWidth: 3, FilterHeight: 2}, in: []operand{reals(-3, 3, 1, 4, 4, 2)}},
	{code: schema.AVERAGE_POOL_2D, options: &fb.Pool2DOptionsT{StrideW: 1, StrideH: 2, FilterWidth: 3, FilterHeight: 2}, in: []operand{image}},

	{code: schema.RELU, in: one(-2, 2)},
	{code: schema.RELU6, in: one(-2, 8)},
	{code: schema.RELU_N1_TO_1, in: one(-1.8, 2)},
	{code: schema.RELU_0_TO_1, in: one(-0.85, 1.85)},
	{code: schema.SOFTMAX, options: &fb.SoftmaxOptionsT{Beta: 1}, in: one(-2, 2)},
	{code: schema.LOG_SOFTMAX, in: one(-2, 2)},
	{code: schema.LOGISTIC, in: one(-3, 3)},
	{code: schema.TANH, in: one(-2, 2)},
	{code: schema.ELU, in: one(-2, 2)},
	{code: schema.HARD_SWISH, in: one(-4.1, 4.2)},
	{code: schema.LEAKY_RELU, options: &fb.LeakyReluOptionsT{Alpha: 0.3}, in: one(-2, 2)},
	{code: schema.PRELU, in: two(reals(-2, 2, 2, 2, 3), reals(0, 1, 1, 3))},
	{code: schema.GELU, in: one(-2, 2)},
	{name: "approximate", code: schema.GELU, options: &fb.GeluOptionsT{Approximate: true}, in: one(-2, 2)},

	{code: schema.ABS, in: one(-2, 2)},
	{code: schema.NEG, in: one(-2, 2)},
	{code: schema.EXP, in: one(-2, 2)},
	{code: schema.LOG, in: one(0.5, 3)},
	{code: schema.SQUARE, in: one(-2, 2)},
	{code: schema.SQRT, in: one(0.5, 3)},
	{code: schema.RSQRT, in: one(0.8, 3)},
	{code: schema.SIN, in: one(-2, 2)},
	{code: schema.COS, in: one(-2, 2)},

	{code: schema.ADD, in: two(reals(-1, 1, 2, 3), reals(-1, 1, 2, 3))},
	{name: "activation", code: schema.ADD, options: &fb.AddOptionsT{FusedActivationFunction: relu}, in: two(reals(-2, 2, 2, 3), given(tensor.Shape{}, 0.1))},
	{code: schema.SUB, in: two(reals(-1, 1, 2, 3), reals(-1, 1, 3))},
	{code: schema.MUL, in: two(reals(-1, 1, 2, 1, 3), reals(-1, 1, 4, 1))},
	{code: schema.DIV, in: two(reals(-1, 1, 2, 3), reals(1, 2, 3))},
	{code: schema.POW, in: two(reals(1, 2, 2, 3), reals(-2, 2, 3))},
	{code: schema.ADD_N, in: []operand{reals(-1, 1, 4), reals(-2, 1, 4), reals(-1, 3, 4)}},
	{code: schema.MAXIMUM, in: two(reals(-2, 2, 2, 3), given(tensor.Shape{}, 0.1))},
	{code: schema.MINIMUM, in: two(reals(-2, 2, 2, 3), given(tensor.Shape{1, 3}, 0.1, 0.2, 0.1))},
	{code: schema.SQUARED_DIFFERENCE, in: two(reals(-1, 1, 2, 3), reals(0, 1, 3))},
	{code: schema.SELECT, in: []operand{bools(1, 0, 1), reals(-1, 1, 3, 2), reals(-1, 1, 3, 2)}},
	{code: schema.SELECT_V2, in: []operand{bools(1, 0, 1), reals(-1, 1, 2, 3), reals(-1, 1, 1, 3)}},

	{code: schema.MEAN, options: keepDims(false), in: two(image, ints(1, 2))},
	{name: "keep", code: schema.MEAN, options: keepDims(true), in: two(image, ints(-1))},
	{code: schema.SUM, options: keepDims(false), in: two(image, ints(0, -1))},
	{name: "all", code: schema.SUM, options: keepDims(true), in: two(image, ints(0, 1, 2, 3))},
	{code: schema.REDUCE_MAX, options: keepDims(false), in: two(reals(-3, 3, 2, 3, 4), ints(1))},
	{code: schema.REDUCE_MIN, options: keepDims(true), in: two(reals(-3, 3, 2, 3, 4), ints(0, 2))},
	{code: schema.CUMSUM, options: &fb.CumsumOptionsT{Exclusive: true}, in: two(reals(-1, 1, 2, 4), ints(1).shaped())},
	{name: "reverse", code: schema.CUMSUM, options: &fb.CumsumOptionsT{Reverse: true}, in: two(reals(-1, 1, 2, 4), ints(0).shaped())},

	{code: schema.RESHAPE, options: &fb.ReshapeOptionsT{NewShape: []int32{-1, 4}}, in: []operand{image}},
	{code: schema.SQUEEZE, options: &fb.SqueezeOptionsT{SqueezeDims: []int32{1}}, in: []operand{reals(-1, 1, 2, 1, 3)}},
	{code: schema.EXPAND_DIMS, in: two(reals(-1, 1, 2, 3), ints(1).shaped())},
	{code: schema.TRANSPOSE, in: two(reals(-1, 1, 2, 3, 4), ints(2, 0, 1))},
	{code: schema.CONCATENATION, options: &fb.ConcatenationOptionsT{Axis: -1}, in: []operand{reals(-1, 1, 2, 3), reals(-1, 1, 2, 1), reals(-1, 1, 2, 2)}},
	{code: schema.SPLIT, options: &fb.SplitOptionsT{NumSplits: 3}, results: 3, unused: 1, in: two(ints(1).shaped(), reals(-1, 1, 2, 6))},
	{code: schema.SPLIT_V, options: &fb.SplitVOptionsT{NumSplits: 2}, results: 2, unused: 1, in: []operand{reals(-1, 1, 2, 6), ints(2, 4), ints(-1).shaped()}},
	{code: schema.PACK, options: &fb.PackOptionsT{ValuesCount: 2, Axis: 1}, in: two(reals(-1, 1, 2, 3), reals(-2, 1, 2, 3))},
	{code: schema.UNPACK, options: &fb.UnpackOptionsT{Num: 3, Axis: 1}, results: 3, unused: 1, in: []operand{reals(-1, 1, 2, 3)}},
	{code: schema.PAD, in: two(reals(-1, 1, 2, 3), ints(0, 0, 1, 2).shaped(2, 2))},
	{code: schema.PADV2, in: []operand{reals(-1, 1, 2, 3), ints(0, 1, 2, 0).shaped(2, 2), {fixed: &graph.Value{DType: tensor.Float32, Shape: tensor.Shape{}, Const: tensor.BytesOf([]float32{7})}}}},
	{code: schema.SLICE, in: []operand{reals(-1, 1, 2, 5), ints(0, 1), ints(-1, 3)}},
	{code: schema.STRIDED_SLICE, options: &fb.StridedSliceOptionsT{BeginMask: 1, EndMask: 1}, in: []operand{reals(-1, 1, 2, 7), ints(0, 5), ints(0, 0), ints(1, -2)}},
	{name: "shrink", code: schema.STRIDED_SLICE, options: &fb.StridedSliceOptionsT{ShrinkAxisMask: 1, EllipsisMask: 2}, in: []operand{reals(-1, 1, 2, 3, 2), ints(1, 0), ints(2, 0), ints(1, 1)}},
	{code: schema.GATHER, options: &fb.GatherOptionsT{Axis: 1}, in: two(reals(-1, 1, 2, 5), ints(3, 0, 3))},
	{code: schema.GATHER_ND, in: two(reals(-1, 1, 3, 3), ints(2, 1, 0, 0, 2, 1).shaped(3, 2))},
	{code: schema.MIRROR_PAD, options: &fb.MirrorPadOptionsT{Mode: fb.MirrorPadModeREFLECT}, in: two(reals(-1, 1, 2, 3), ints(0, 0, 2, 1).shaped(2, 2))},
	{code: schema.TILE, in: two(reals(-1, 1, 2, 3), ints(2, 1))},
	{code: schema.BROADCAST_TO, in: two(reals(-1, 1, 2, 1), ints(3, 2, 4))},
	{code: schema.REVERSE_V2, in: two(reals(-1, 1, 2, 4), ints(1))},
	{code: schema.REVERSE_SEQUENCE, options: &fb.ReverseSequenceOptionsT{SeqDim: 1}, in: two(reals(-1, 1, 2, 4), ints(3, 2))},
	{code: schema.SPACE_TO_DEPTH, options: &fb.SpaceToDepthOptionsT{BlockSize: 2}, in: []operand{image}},
	{code: schema.DEPTH_TO_SPACE, options: &fb.DepthToSpaceOptionsT{BlockSize: 2}, in: []operand{reals(-1, 1, 1, 2, 2, 4)}},
	{code: schema.SPACE_TO_BATCH_ND, in: []operand{image, ints(2, 2), ints(0, 0, 1, 1).shaped(2, 2)}},
	{code: schema.BATCH_TO_SPACE_ND, in: []operand{reals(-1, 1, 4, 2, 2, 1), ints(2, 2), ints(0, 1, 0, 0).shaped(2, 2)}},
	{code: schema.RESIZE_NEAREST_NEIGHBOR, options: &fb.ResizeNearestNeighborOptionsT{HalfPixelCenters: true}, in: two(reals(-1, 1, 1, 3, 2, 2), ints(5, 4))},
	{name: "identity", code: schema.CAST, options: &fb.CastOptionsT{}, in: one(-1, 1)},
}

// TestRules compares each rule with differences of its operator's own kernel: with
// shapes known and with an unknown batch size, with plain kernels and fast ones.
func TestRules(t *testing.T) {
	for _, c := range trials {
		for name, kind := range map[string]engine.Kind{"reference": engine.Reference, "fast": engine.Fast} {
			for _, known := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/%s/known=%v", c.code, c.name, name, known), func(t *testing.T) { checkTrial(t, c, known, kind) })
			}
		}
	}
}

// withoutRule lists the operators that have no gradient, by the reason.
var withoutRule = map[string][]schema.BuiltinOperator{
	"integers and conditions": {
		schema.ARG_MAX, schema.ARG_MIN, schema.BITCAST, schema.BITWISE_XOR, schema.BUCKETIZE, schema.EQUAL, schema.FLOOR_DIV, schema.FLOOR_MOD,
		schema.GREATER, schema.GREATER_EQUAL, schema.LESS, schema.LESS_EQUAL, schema.LOGICAL_AND, schema.LOGICAL_NOT, schema.LOGICAL_OR,
		schema.NOT_EQUAL, schema.REDUCE_ALL, schema.REDUCE_ANY, schema.RIGHT_SHIFT, schema.ONE_HOT, schema.UNIQUE, schema.WHERE,
	},
	"results that do not depend on the values of operands": {
		schema.BROADCAST_ARGS, schema.FILL, schema.RANGE, schema.RANK, schema.SHAPE, schema.ZEROS_LIKE,
	},
	"quantized operands or results": {
		schema.DEQUANTIZE, schema.DENSIFY, schema.FAKE_QUANT, schema.QUANTIZE,
	},
	"random numbers": {schema.MULTINOMIAL, schema.RANDOM_STANDARD_NORMAL, schema.RANDOM_UNIFORM},
	"state and control flow, to which no layer lowers": {
		schema.ASSIGN_VARIABLE, schema.CALL, schema.CALL_ONCE, schema.HASHTABLE, schema.HASHTABLE_FIND, schema.HASHTABLE_IMPORT,
		schema.HASHTABLE_LOOKUP, schema.HASHTABLE_SIZE, schema.IF, schema.READ_VARIABLE, schema.VAR_HANDLE, schema.WHILE,
	},
	"recurrent operators, into which no layer is fused in training": {
		schema.BIDIRECTIONAL_SEQUENCE_LSTM, schema.BIDIRECTIONAL_SEQUENCE_RNN, schema.LSTM, schema.RNN, schema.SVDF,
		schema.UNIDIRECTIONAL_SEQUENCE_LSTM, schema.UNIDIRECTIONAL_SEQUENCE_RNN,
	},
	"signal processing and complex numbers": {schema.COMPLEX_ABS, schema.IMAG, schema.REAL, schema.RFFT2D},
	"nothing that a supported layer lowers to": {
		schema.ATAN2, schema.CONV_3D, schema.CONV_3D_TRANSPOSE, schema.DILATE, schema.DYNAMIC_UPDATE_SLICE, schema.EMBEDDING_LOOKUP,
		schema.EMBEDDING_LOOKUP_SPARSE, schema.L2_NORMALIZATION, schema.L2_POOL_2D, schema.LOCAL_RESPONSE_NORMALIZATION,
		schema.LSH_PROJECTION, schema.MATRIX_DIAG, schema.MATRIX_SET_DIAG, schema.NON_MAX_SUPPRESSION_V4, schema.NON_MAX_SUPPRESSION_V5,
		schema.REDUCE_PROD, schema.REDUCE_WINDOW, schema.RESIZE_BILINEAR, schema.SCATTER_ND, schema.SEGMENT_SUM, schema.SKIP_GRAM,
		schema.SPARSE_TO_DENSE, schema.TOPK_V2, schema.UNSORTED_SEGMENT_MAX, schema.UNSORTED_SEGMENT_MIN, schema.UNSORTED_SEGMENT_PROD,
		schema.UNSORTED_SEGMENT_SUM, schema.CONCAT_EMBEDDINGS, schema.CUSTOM,
	},
}

// TestEveryRow accounts for every operator: it has a rule and a trial of it, or a
// reason to have none. StableHLO's operators and custom ones come from files, not
// from layers.
func TestEveryRow(t *testing.T) {
	reason := map[graph.OpCode]string{}
	for why, codes := range withoutRule {
		for _, c := range codes {
			reason[graph.OpCode(c)] = why
		}
	}
	tried := map[graph.OpCode]bool{}
	for _, c := range trials {
		tried[graph.OpCode(c.code)] = true
	}
	for _, d := range all.Set().All() {
		rule, why := Rules[d.Code] != nil, reason[d.Code] != ""
		switch {
		case d.Code == graph.Custom || strings.HasPrefix(d.Name, "STABLEHLO_"):
		case rule == why:
			t.Errorf("%s: rule %v, reason %q", d.Name, rule, reason[d.Code])
		case rule && !tried[d.Code] && !steps[d.Code]:
			t.Errorf("%s has a rule and no trial", d.Name)
		}
	}
}

// steps are flat between their kinks.
var steps = map[graph.OpCode]bool{
	graph.OpCode(schema.FLOOR): true, graph.OpCode(schema.CEIL): true, graph.OpCode(schema.ROUND): true, graph.OpCode(schema.SIGN): true,
}
