package schema

import (
	"reflect"
	"sync"

	"github.com/litequant/litequant/internal/schema/fb"
)

// OptionsOf returns the members of the two unions that hold the options of op;
// at most one is not NONE. Operators outside the table, CUSTOM among them, have
// none.
func OptionsOf(op BuiltinOperator) (fb.BuiltinOptions, fb.BuiltinOptions2) {
	if op < 0 || int(op) >= len(optionsOf) {
		return fb.BuiltinOptionsNONE, fb.BuiltinOptions2NONE
	}
	return optionsOf[op].one, optionsOf[op].two
}

// MemberOf returns the member of one of the two unions that holds options of v's
// type, a pointer to one of package fb's structs; NONE for both if there is none.
func MemberOf(v any) (fb.BuiltinOptions, fb.BuiltinOptions2) {
	m := members()[reflect.TypeOf(v)]
	return m.one, m.two
}

// members maps the types of options to the members of the unions.
var members = sync.OnceValue(func() map[reflect.Type]optionsRow {
	m := map[reflect.Type]optionsRow{}
	for one := range fb.EnumNamesBuiltinOptions {
		if d := DefaultOptions(one); d != nil {
			m[reflect.TypeOf(d.Value)] = optionsRow{one: one}
		}
	}
	for two := range fb.EnumNamesBuiltinOptions2 {
		if d := DefaultOptions2(two); d != nil {
			m[reflect.TypeOf(d.Value)] = optionsRow{two: two}
		}
	}
	return m
})

type optionsRow struct {
	one fb.BuiltinOptions
	two fb.BuiltinOptions2
}

var optionsOf = [...]optionsRow{
	ADD:                          {one: fb.BuiltinOptionsAddOptions},
	AVERAGE_POOL_2D:              {one: fb.BuiltinOptionsPool2DOptions},
	CONCATENATION:                {one: fb.BuiltinOptionsConcatenationOptions},
	CONV_2D:                      {one: fb.BuiltinOptionsConv2DOptions},
	DEPTHWISE_CONV_2D:            {one: fb.BuiltinOptionsDepthwiseConv2DOptions},
	DEPTH_TO_SPACE:               {one: fb.BuiltinOptionsDepthToSpaceOptions},
	DEQUANTIZE:                   {one: fb.BuiltinOptionsDequantizeOptions},
	FULLY_CONNECTED:              {one: fb.BuiltinOptionsFullyConnectedOptions},
	L2_NORMALIZATION:             {one: fb.BuiltinOptionsL2NormOptions},
	L2_POOL_2D:                   {one: fb.BuiltinOptionsPool2DOptions},
	LOCAL_RESPONSE_NORMALIZATION: {one: fb.BuiltinOptionsLocalResponseNormalizationOptions},
	LSH_PROJECTION:               {one: fb.BuiltinOptionsLSHProjectionOptions},
	LSTM:                         {one: fb.BuiltinOptionsLSTMOptions},
	MAX_POOL_2D:                  {one: fb.BuiltinOptionsPool2DOptions},
	MUL:                          {one: fb.BuiltinOptionsMulOptions},
	RESHAPE:                      {one: fb.BuiltinOptionsReshapeOptions},
	RESIZE_BILINEAR:              {one: fb.BuiltinOptionsResizeBilinearOptions},
	RNN:                          {one: fb.BuiltinOptionsRNNOptions},
	SOFTMAX:                      {one: fb.BuiltinOptionsSoftmaxOptions},
	SPACE_TO_DEPTH:               {one: fb.BuiltinOptionsSpaceToDepthOptions},
	SVDF:                         {one: fb.BuiltinOptionsSVDFOptions},
	CONCAT_EMBEDDINGS:            {one: fb.BuiltinOptionsConcatEmbeddingsOptions},
	SKIP_GRAM:                    {one: fb.BuiltinOptionsSkipGramOptions},
	CALL:                         {one: fb.BuiltinOptionsCallOptions},
	EMBEDDING_LOOKUP_SPARSE:      {one: fb.BuiltinOptionsEmbeddingLookupSparseOptions},
	PAD:                          {one: fb.BuiltinOptionsPadOptions},
	UNIDIRECTIONAL_SEQUENCE_RNN:  {one: fb.BuiltinOptionsSequenceRNNOptions},
	GATHER:                       {one: fb.BuiltinOptionsGatherOptions},
	BATCH_TO_SPACE_ND:            {one: fb.BuiltinOptionsBatchToSpaceNDOptions},
	SPACE_TO_BATCH_ND:            {one: fb.BuiltinOptionsSpaceToBatchNDOptions},
	TRANSPOSE:                    {one: fb.BuiltinOptionsTransposeOptions},
	MEAN:                         {one: fb.BuiltinOptionsReducerOptions},
	SUB:                          {one: fb.BuiltinOptionsSubOptions},
	DIV:                          {one: fb.BuiltinOptionsDivOptions},
	SQUEEZE:                      {one: fb.BuiltinOptionsSqueezeOptions},
	UNIDIRECTIONAL_SEQUENCE_LSTM: {one: fb.BuiltinOptionsUnidirectionalSequenceLSTMOptions},
	STRIDED_SLICE:                {one: fb.BuiltinOptionsStridedSliceOptions},
	BIDIRECTIONAL_SEQUENCE_RNN:   {one: fb.BuiltinOptionsBidirectionalSequenceRNNOptions},
	EXP:                          {one: fb.BuiltinOptionsExpOptions},
	TOPK_V2:                      {one: fb.BuiltinOptionsTopKV2Options},
	SPLIT:                        {one: fb.BuiltinOptionsSplitOptions},
	LOG_SOFTMAX:                  {one: fb.BuiltinOptionsLogSoftmaxOptions},
	BIDIRECTIONAL_SEQUENCE_LSTM:  {one: fb.BuiltinOptionsBidirectionalSequenceLSTMOptions},
	CAST:                         {one: fb.BuiltinOptionsCastOptions},
	MAXIMUM:                      {one: fb.BuiltinOptionsMaximumMinimumOptions},
	ARG_MAX:                      {one: fb.BuiltinOptionsArgMaxOptions},
	MINIMUM:                      {one: fb.BuiltinOptionsMaximumMinimumOptions},
	LESS:                         {one: fb.BuiltinOptionsLessOptions},
	NEG:                          {one: fb.BuiltinOptionsNegOptions},
	PADV2:                        {one: fb.BuiltinOptionsPadV2Options},
	GREATER:                      {one: fb.BuiltinOptionsGreaterOptions},
	GREATER_EQUAL:                {one: fb.BuiltinOptionsGreaterEqualOptions},
	LESS_EQUAL:                   {one: fb.BuiltinOptionsLessEqualOptions},
	SELECT:                       {one: fb.BuiltinOptionsSelectOptions},
	SLICE:                        {one: fb.BuiltinOptionsSliceOptions},
	TRANSPOSE_CONV:               {one: fb.BuiltinOptionsTransposeConvOptions},
	SPARSE_TO_DENSE:              {one: fb.BuiltinOptionsSparseToDenseOptions},
	TILE:                         {one: fb.BuiltinOptionsTileOptions},
	EXPAND_DIMS:                  {one: fb.BuiltinOptionsExpandDimsOptions},
	EQUAL:                        {one: fb.BuiltinOptionsEqualOptions},
	NOT_EQUAL:                    {one: fb.BuiltinOptionsNotEqualOptions},
	SUM:                          {one: fb.BuiltinOptionsReducerOptions},
	SHAPE:                        {one: fb.BuiltinOptionsShapeOptions},
	POW:                          {one: fb.BuiltinOptionsPowOptions},
	ARG_MIN:                      {one: fb.BuiltinOptionsArgMinOptions},
	FAKE_QUANT:                   {one: fb.BuiltinOptionsFakeQuantOptions},
	REDUCE_PROD:                  {one: fb.BuiltinOptionsReducerOptions},
	REDUCE_MAX:                   {one: fb.BuiltinOptionsReducerOptions},
	PACK:                         {one: fb.BuiltinOptionsPackOptions},
	LOGICAL_OR:                   {one: fb.BuiltinOptionsLogicalOrOptions},
	ONE_HOT:                      {one: fb.BuiltinOptionsOneHotOptions},
	LOGICAL_AND:                  {one: fb.BuiltinOptionsLogicalAndOptions},
	LOGICAL_NOT:                  {one: fb.BuiltinOptionsLogicalNotOptions},
	UNPACK:                       {one: fb.BuiltinOptionsUnpackOptions},
	REDUCE_MIN:                   {one: fb.BuiltinOptionsReducerOptions},
	FLOOR_DIV:                    {one: fb.BuiltinOptionsFloorDivOptions},
	REDUCE_ANY:                   {one: fb.BuiltinOptionsReducerOptions},
	SQUARE:                       {one: fb.BuiltinOptionsSquareOptions},
	ZEROS_LIKE:                   {one: fb.BuiltinOptionsZerosLikeOptions},
	FILL:                         {one: fb.BuiltinOptionsFillOptions},
	FLOOR_MOD:                    {one: fb.BuiltinOptionsFloorModOptions},
	RANGE:                        {one: fb.BuiltinOptionsRangeOptions},
	RESIZE_NEAREST_NEIGHBOR:      {one: fb.BuiltinOptionsResizeNearestNeighborOptions},
	LEAKY_RELU:                   {one: fb.BuiltinOptionsLeakyReluOptions},
	SQUARED_DIFFERENCE:           {one: fb.BuiltinOptionsSquaredDifferenceOptions},
	MIRROR_PAD:                   {one: fb.BuiltinOptionsMirrorPadOptions},
	ABS:                          {one: fb.BuiltinOptionsAbsOptions},
	SPLIT_V:                      {one: fb.BuiltinOptionsSplitVOptions},
	UNIQUE:                       {one: fb.BuiltinOptionsUniqueOptions},
	REVERSE_V2:                   {one: fb.BuiltinOptionsReverseV2Options},
	ADD_N:                        {one: fb.BuiltinOptionsAddNOptions},
	GATHER_ND:                    {one: fb.BuiltinOptionsGatherNdOptions},
	COS:                          {one: fb.BuiltinOptionsCosOptions},
	WHERE:                        {one: fb.BuiltinOptionsWhereOptions},
	RANK:                         {one: fb.BuiltinOptionsRankOptions},
	REVERSE_SEQUENCE:             {one: fb.BuiltinOptionsReverseSequenceOptions},
	MATRIX_DIAG:                  {one: fb.BuiltinOptionsMatrixDiagOptions},
	QUANTIZE:                     {one: fb.BuiltinOptionsQuantizeOptions},
	MATRIX_SET_DIAG:              {one: fb.BuiltinOptionsMatrixSetDiagOptions},
	HARD_SWISH:                   {one: fb.BuiltinOptionsHardSwishOptions},
	IF:                           {one: fb.BuiltinOptionsIfOptions},
	WHILE:                        {one: fb.BuiltinOptionsWhileOptions},
	NON_MAX_SUPPRESSION_V4:       {one: fb.BuiltinOptionsNonMaxSuppressionV4Options},
	NON_MAX_SUPPRESSION_V5:       {one: fb.BuiltinOptionsNonMaxSuppressionV5Options},
	SCATTER_ND:                   {one: fb.BuiltinOptionsScatterNdOptions},
	SELECT_V2:                    {one: fb.BuiltinOptionsSelectV2Options},
	DENSIFY:                      {one: fb.BuiltinOptionsDensifyOptions},
	SEGMENT_SUM:                  {one: fb.BuiltinOptionsSegmentSumOptions},
	BATCH_MATMUL:                 {one: fb.BuiltinOptionsBatchMatMulOptions},
	CUMSUM:                       {one: fb.BuiltinOptionsCumsumOptions},
	CALL_ONCE:                    {one: fb.BuiltinOptionsCallOnceOptions},
	BROADCAST_TO:                 {one: fb.BuiltinOptionsBroadcastToOptions},
	RFFT2D:                       {one: fb.BuiltinOptionsRfft2dOptions},
	CONV_3D:                      {one: fb.BuiltinOptionsConv3DOptions},
	HASHTABLE:                    {one: fb.BuiltinOptionsHashtableOptions},
	HASHTABLE_FIND:               {one: fb.BuiltinOptionsHashtableFindOptions},
	HASHTABLE_IMPORT:             {one: fb.BuiltinOptionsHashtableImportOptions},
	HASHTABLE_SIZE:               {one: fb.BuiltinOptionsHashtableSizeOptions},
	REDUCE_ALL:                   {one: fb.BuiltinOptionsReducerOptions},
	CONV_3D_TRANSPOSE:            {one: fb.BuiltinOptionsConv3DOptions},
	VAR_HANDLE:                   {one: fb.BuiltinOptionsVarHandleOptions},
	READ_VARIABLE:                {one: fb.BuiltinOptionsReadVariableOptions},
	ASSIGN_VARIABLE:              {one: fb.BuiltinOptionsAssignVariableOptions},
	RANDOM_STANDARD_NORMAL:       {one: fb.BuiltinOptionsRandomOptions},
	BUCKETIZE:                    {one: fb.BuiltinOptionsBucketizeOptions},
	RANDOM_UNIFORM:               {one: fb.BuiltinOptionsRandomOptions},
	MULTINOMIAL:                  {one: fb.BuiltinOptionsRandomOptions},
	GELU:                         {one: fb.BuiltinOptionsGeluOptions},
	DYNAMIC_UPDATE_SLICE:         {one: fb.BuiltinOptionsDynamicUpdateSliceOptions},
	UNSORTED_SEGMENT_PROD:        {one: fb.BuiltinOptionsUnsortedSegmentProdOptions},
	UNSORTED_SEGMENT_MAX:         {one: fb.BuiltinOptionsUnsortedSegmentMaxOptions},
	UNSORTED_SEGMENT_SUM:         {one: fb.BuiltinOptionsUnsortedSegmentSumOptions},
	ATAN2:                        {one: fb.BuiltinOptionsATan2Options},
	UNSORTED_SEGMENT_MIN:         {one: fb.BuiltinOptionsUnsortedSegmentMinOptions},
	SIGN:                         {one: fb.BuiltinOptionsSignOptions},
	BITCAST:                      {one: fb.BuiltinOptionsBitcastOptions},
	BITWISE_XOR:                  {one: fb.BuiltinOptionsBitwiseXorOptions},
	RIGHT_SHIFT:                  {one: fb.BuiltinOptionsRightShiftOptions},
	STABLEHLO_CONCATENATE:        {two: fb.BuiltinOptions2StablehloConcatenateOptions},
	STABLEHLO_BROADCAST_IN_DIM:   {two: fb.BuiltinOptions2StablehloBroadcastInDimOptions},
	STABLEHLO_CONVOLUTION:        {two: fb.BuiltinOptions2StablehloConvolutionOptions},
	STABLEHLO_SLICE:              {two: fb.BuiltinOptions2StablehloSliceOptions},
	STABLEHLO_CUSTOM_CALL:        {two: fb.BuiltinOptions2StablehloCustomCallOptions},
	STABLEHLO_REDUCE:             {two: fb.BuiltinOptions2StablehloReduceOptions},
	STABLEHLO_SCATTER:            {two: fb.BuiltinOptions2StablehloScatterOptions},
	STABLEHLO_COMPARE:            {two: fb.BuiltinOptions2StablehloCompareOptions},
	STABLEHLO_DYNAMIC_SLICE:      {two: fb.BuiltinOptions2StablehloDynamicSliceOptions},
	STABLEHLO_PAD:                {two: fb.BuiltinOptions2StablehloPadOptions},
	STABLEHLO_IOTA:               {two: fb.BuiltinOptions2StablehloIotaOptions},
	STABLEHLO_DOT_GENERAL:        {two: fb.BuiltinOptions2StablehloDotGeneralOptions},
	STABLEHLO_REDUCE_WINDOW:      {two: fb.BuiltinOptions2StablehloReduceWindowOptions},
	STABLEHLO_SORT:               {two: fb.BuiltinOptions2StablehloSortOptions},
	STABLEHLO_WHILE:              {two: fb.BuiltinOptions2StablehloWhileOptions},
	STABLEHLO_GATHER:             {two: fb.BuiltinOptions2StablehloGatherOptions},
	STABLEHLO_TRANSPOSE:          {two: fb.BuiltinOptions2StablehloTransposeOptions},
	DILATE:                       {two: fb.BuiltinOptions2DilateOptions},
	STABLEHLO_RNG_BIT_GENERATOR:  {two: fb.BuiltinOptions2StablehloRngBitGeneratorOptions},
	REDUCE_WINDOW:                {two: fb.BuiltinOptions2ReduceWindowOptions},
	STABLEHLO_COMPOSITE:          {two: fb.BuiltinOptions2StableHLOCompositeOptions},
	STABLEHLO_SHIFT_LEFT:         {two: fb.BuiltinOptions2StablehloShiftLeftOptions},
	STABLEHLO_CASE:               {two: fb.BuiltinOptions2StablehloCaseOptions},
}
