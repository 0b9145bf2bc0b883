package tflite

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
)

// everyField is a file in which each field of the schema that is not an operator's
// option says something.
func everyField() *fb.ModelT {
	floats := make([]byte, 16)
	vector := func(v ...int32) *fb.SparseIndexVectorT {
		return &fb.SparseIndexVectorT{Type: fb.SparseIndexVectorInt32Vector, Value: &fb.Int32VectorT{Values: v}}
	}
	details := func(t fb.QuantizationDetails, v any) *fb.QuantizationParametersT {
		return &fb.QuantizationParametersT{Details: &fb.QuantizationDetailsT{Type: t, Value: v}, QuantizedDimension: 1}
	}
	main := &fb.SubGraphT{
		Name: "main", Inputs: []int32{0}, Outputs: []int32{9}, DebugMetadataIndex: 3,
		Tensors: []*fb.TensorT{
			{Name: "x", Shape: []int32{1, 4}, ShapeSignature: []int32{-1, 4}, HasRank: true, Type: fb.TensorTypeINT8, Quantization: &fb.QuantizationParametersT{
				Min: []float32{-1}, Max: []float32{1}, Scale: []float32{0.5, 2}, ZeroPoint: []int64{-3, 1}, QuantizedDimension: 1}},
			{Name: "state", Shape: []int32{4}, IsVariable: true, Buffer: 1, Quantization: &fb.QuantizationParametersT{
				Min: []float32{-1}, ZeroPoint: []int64{3}}}, // without a scale
			{Name: "sparse", Shape: []int32{2, 2}, Buffer: 2, Sparsity: &fb.SparsityParametersT{
				TraversalOrder: []int32{0, 1, 2}, BlockMap: []int32{1}, DimMetadata: []*fb.DimensionMetadataT{
					{DenseSize: 2}, {Format: fb.DimensionTypeSPARSE_CSR, ArraySegments: vector(0, 1, 2), ArrayIndices: vector(0, 0)}, {DenseSize: 2}}}},
			{Name: "variant", Type: fb.TensorTypeVARIANT, VariantTensors: []*fb.VariantSubTypeT{{Shape: []int32{7}, Type: fb.TensorTypeINT4, HasRank: true}}},
			{Name: "external", Shape: []int32{4}, Type: fb.TensorTypeUINT4, ExternalBuffer: 1<<31 + 5},
			{Name: "scales", Shape: []int32{2, 1}, Type: fb.TensorTypeFLOAT16, Buffer: 3},
			{Name: "blocks", Shape: []int32{2, 2}, Type: fb.TensorTypeINT4, Buffer: 4, Quantization: details(fb.QuantizationDetailsBlockwiseQuantization,
				&fb.BlockwiseQuantizationT{Scales: 5, ZeroPoints: -1, BlockSize: 2, BlockShape: []int32{1, 2}})},
			{Name: "axes", Shape: []int32{2, 2}, Type: fb.TensorTypeINT2, Buffer: 5, Quantization: details(fb.QuantizationDetailsMultiAxisQuantization,
				&fb.MultiAxisQuantizationT{Scales: 5, ZeroPoints: 5, BlockSize: 2, QuantizedDimensions: []int32{0, 1}})},
			{Name: "custom", Quantization: details(fb.QuantizationDetailsCustomQuantization, &fb.CustomQuantizationT{Custom: []byte("ours")})},
			{Name: "y", Shape: []int32{1}, Type: fb.TensorTypeSTRING},
		},
		Operators: []*fb.OperatorT{
			{OpcodeIndex: 1, Inputs: []int32{0, -1, 2}, Outputs: []int32{8}, CustomOptions: []byte("flex"), CustomOptionsFormat: 7,
				MutatingVariableInputs: []bool{false, true}, Intermediates: []int32{3}, DebugMetadataIndex: 4},
			{OpcodeIndex: 0, Inputs: []int32{0}, Outputs: []int32{9}, DebugMetadataIndex: -1, BuiltinOptions: schema.DefaultOptions(fb.BuiltinOptionsCallOptions)},
			{OpcodeIndex: 2, DebugMetadataIndex: -1, BuiltinOptions2: schema.DefaultOptions2(fb.BuiltinOptions2StablehloCaseOptions)},
		},
	}
	return &fb.ModelT{
		Version: 3, Description: "all", Subgraphs: []*fb.SubGraphT{main},
		OperatorCodes: []*fb.OperatorCodeT{
			schema.NewOperatorCode(schema.CALL, 1), {DeprecatedBuiltinCode: 32, BuiltinCode: schema.CUSTOM, CustomCode: "Mine", Version: 5}, schema.NewOperatorCode(schema.STABLEHLO_CASE, 2)},
		Buffers: []*fb.BufferT{{}, {}, {Data: floats}, {Data: floats[:4]}, {Data: []byte{0x21, 0x43}}, {Data: []byte{0xe4}},
			{Data: []byte("old")}, {Data: []byte("1.14.0")}, {Data: []byte("dependencies")}},
		MetadataBuffer: []int32{6},
		Metadata:       []*fb.MetadataT{{Name: MinRuntimeVersion, Buffer: 7}, {Name: "model_control_dependencies", Buffer: 8}, {Name: "debug_metadata", Buffer: 6}},
		SignatureDefs: []*fb.SignatureDefT{{SignatureKey: "serve", Inputs: []*fb.TensorMapT{{Name: "a", TensorIndex: 0}},
			Outputs: []*fb.TensorMapT{{Name: "b", TensorIndex: 9}}}},
		ExternalBufferGroups: []*fb.ExternalBufferGroupT{{Name: "first.bin"}, {Name: "second.bin"}},
		ExternalBuffers:      []*fb.ExternalBufferT{{Id: 1<<31 + 5, Group: 1, Offset: 1 << 40, Length: 2, Packing: "unpacked"}},
	}
}

func TestEveryFieldIsKept(t *testing.T) {
	tree := everyField()
	want := contents(tree)
	file := must(schema.Pack(tree))(t)
	if err := schema.Verify(file, schema.Limits{}); err != nil {
		t.Fatal(err)
	}
	m := must(Decode(file, DecodeOptions{}))(t)
	again := must(Encode(m))(t)
	if d := cmp.Diff(want, contents(schema.Unpack(again)), same); d != "" {
		t.Error(d)
	}
	checkAgain(t, "every field", m)

	said := map[string]bool{}
	collect(reflect.ValueOf(everyField()), said)
	for _, x := range []any{fb.ModelT{}, fb.SubGraphT{}, fb.TensorT{}, fb.OperatorT{}, fb.QuantizationParametersT{}, fb.SparsityParametersT{}, fb.DimensionMetadataT{},
		fb.BlockwiseQuantizationT{}, fb.MultiAxisQuantizationT{}, fb.VariantSubTypeT{}, fb.ExternalBufferT{}, fb.SignatureDefT{}, fb.OperatorCodeT{}} {
		typ := reflect.TypeOf(x)
		for i := range typ.NumField() {
			name := typ.Name() + "." + typ.Field(i).Name
			outside := name == "OperatorT.LargeCustomOptionsOffset" || name == "OperatorT.LargeCustomOptionsSize" // TestBehindTheFlatbuffer's
			zero := name == "SignatureDefT.SubgraphIndex"                                                         // there is one subgraph
			if !said[name] && !outside && !zero {
				t.Errorf("the test says nothing of %s", name)
			}
		}
	}
}

// collect marks the fields that are not zero.
func collect(v reflect.Value, said map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collect(v.Elem(), said)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), said)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				said[v.Type().Name()+"."+v.Type().Field(i).Name] = true
			}
			collect(v.Field(i), said)
		}
	}
}

// contents is a file with what its indices of buffers and operator codes name in their
// place.
func contents(m *fb.ModelT) any {
	type value struct {
		fb.TensorT
		Data []byte
	}
	type node struct {
		fb.OperatorT
		Code fb.OperatorCodeT
	}
	type rest struct {
		Model    fb.ModelT
		Values   []value
		Nodes    []node
		Metadata map[string][]byte
		Old      [][]byte
	}
	r := rest{Model: *m, Metadata: map[string][]byte{}}
	r.Model.Buffers, r.Model.OperatorCodes, r.Model.Metadata, r.Model.MetadataBuffer, r.Model.Subgraphs = nil, nil, nil, nil, nil
	for _, s := range m.Subgraphs {
		for _, t := range s.Tensors {
			v := value{*t, m.Buffers[t.Buffer].Data}
			v.Buffer = 0
			r.Values = append(r.Values, v)
		}
		for _, o := range s.Operators {
			n := node{*o, *m.OperatorCodes[o.OpcodeIndex]}
			n.OpcodeIndex = 0
			r.Nodes = append(r.Nodes, n)
		}
		s := *s
		s.Tensors, s.Operators = nil, nil
		r.Model.Subgraphs = append(r.Model.Subgraphs, &s)
	}
	for _, md := range m.Metadata {
		r.Metadata[md.Name] = m.Buffers[md.Buffer].Data
	}
	for _, i := range m.MetadataBuffer {
		r.Old = append(r.Old, m.Buffers[i].Data)
	}
	return r
}
