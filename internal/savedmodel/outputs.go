package savedmodel

import "strings"

// outputArgs names the outputs of operations, which functions refer to by name.
// Models carry the definitions of their operations; this table is for frozen
// graphs, which do not, and for writing. A single argument may be a list.
var outputArgs = func() map[string][]string {
	m := map[string][]string{}
	for _, row := range outputRows {
		for op := range strings.FieldsSeq(row.ops) {
			m[op] = strings.Fields(row.args)
		}
	}
	return m
}()

var outputRows = []struct{ args, ops string }{
	{"output", `All Any ArgMax ArgMin AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpaceND BiasAdd
		BroadcastTo Case Concat ConcatV2 Const Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 DepthToSpace
		DepthwiseConv2dNative Einsum ExpandDims Fill Gather GatherNd GatherV2 IRFFT Identity IdentityN If Imag L2Loss LRN
		MatrixDiag MatrixSetDiag Max MaxPool MaxPool3D Mean Min MirrorPad Multinomial OneHot Pack Pad PadV2 PartitionedCall
		PlaceholderWithDefault PreventGradient Prod RFFT RFFT2D RandomStandardNormal RandomUniform Range Rank Real Reshape
		ReverseSequence ReverseV2 ScatterNd SegmentSum Select SelectV2 Shape ShapeN Size Slice SpaceToBatchND SpaceToDepth
		Split SplitV Squeeze StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile StopGradient StridedSlice Sum
		TensorScatterUpdate Tile Unpack UnsortedSegmentSum While`},
	{"y", `Abs Cast Ceil Cos Erf Exp Floor InvertPermutation Log Log1p LogicalNot Neg OnesLike Reciprocal Round Rsqrt
		Sigmoid Sign Sin Sqrt Square Tan Tanh Transpose ZerosLike`},
	{"z", `Add AddV2 Div DivNoNan Equal FloorDiv FloorMod Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr Maximum
		Minimum Mod Mul NotEqual Pow RealDiv SquaredDifference Sub TruncateDiv Xlogy`},
	{"activations", "Elu LeakyRelu Relu Relu6 Selu Softplus Softsign"},
	{"outputs", "FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel"},
	{"out", "Complex Cumsum"},
	{"resized_images", "ResizeBilinear ResizeNearestNeighbor"},
	{"sum", "AddN"},
	{"r0", "BroadcastArgs"},
	{"logsoftmax", "LogSoftmax"},
	{"product", "MatMul"},
	{"value", "ReadVariableOp"},
	{"softmax", "Softmax"},
	{"index", "Where"},
	{"output_handle", "TensorListFromTensor TensorListSetItem"},
	{"item", "TensorListGetItem"},
	{"handle", "TensorListReserve"},
	{"tensor", "TensorListStack"},
	{"selected_indices", "NonMaxSuppressionV3"},
	{"selected_indices valid_outputs", "NonMaxSuppressionV4"},
	{"selected_indices selected_scores valid_outputs", "NonMaxSuppressionV5"},
	{"y batch_mean batch_variance reserve_space_1 reserve_space_2", "FusedBatchNorm FusedBatchNormV2"},
	{"y batch_mean batch_variance reserve_space_1 reserve_space_2 reserve_space_3", "FusedBatchNormV3"},
	{"i cs f o ci co h", "LSTMBlockCell BlockLSTM"},
	{"values indices", "TopK TopKV2"},
	{"y idx", "Unique UniqueV2"},
	{"y idx count", "UniqueWithCounts UniqueWithCountsV2"},
	{"out idx", "ListDiff"},
	{"output argmax", "MaxPoolWithArgmax"},
	{"output value_index", "Merge"},
	{"output_false output_true", "Switch"},
	{"loss backprop", "SoftmaxCrossEntropyWithLogits"},
}
