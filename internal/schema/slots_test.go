package schema

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/litequant/litequant/internal/schema/fb"
)

// binding is slots.json: what TensorFlow's Python binding knows of the schema.
type binding struct {
	Tables map[string][]bindingField
	Enums  map[string]map[string]int64
}

// bindingField is [accessor, slot, default or null].
type bindingField [3]any

func readBinding(t *testing.T) binding {
	t.Helper()
	data, err := os.ReadFile("testdata/slots.json")
	if err != nil {
		t.Fatal(err)
	}
	var b binding
	if err := json.Unmarshal(data, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// plainName makes names of the schema, of Go and of Python comparable.
func plainName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }

func TestSlotsAreTensorFlows(t *testing.T) {
	want := map[string]map[string]uint16{}
	for name, fields := range readBinding(t).Tables {
		want[name] = map[string]uint16{}
		for _, f := range fields {
			want[name][plainName(f[0].(string))] = uint16(f[1].(float64))
		}
	}
	got := map[string]map[string]uint16{}
	for _, table := range modelLayout.tables {
		got[table.name] = map[string]uint16{}
		for _, f := range table.fields {
			if !f.deprecated {
				got[table.name][plainName(f.name)] = f.slot
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDefaultsAreTensorFlows(t *testing.T) {
	objects := emptyObjects()
	for name, fields := range readBinding(t).Tables {
		object, ok := objects[name]
		if !ok {
			t.Errorf("%s: no such object", name)
			continue
		}
		for _, f := range fields {
			if f[2] == nil || strings.HasSuffix(f[0].(string), "Type") && isUnion(object, f[0].(string)) {
				continue
			}
			got := object.Elem().FieldByNameFunc(func(s string) bool { return plainName(s) == plainName(f[0].(string)) })
			if !got.IsValid() {
				t.Errorf("%s.%s: no such field", name, f[0])
			} else if scalar(got) != f[2] {
				t.Errorf("%s.%s = %v, want %v", name, f[0], got, f[2])
			}
		}
	}
}

// isUnion tells whether the accessor xType belongs to the union x.
func isUnion(object reflect.Value, accessor string) bool {
	f := object.Elem().FieldByName(strings.TrimSuffix(accessor, "Type"))
	return f.IsValid() && f.Kind() == reflect.Pointer
}

// scalar converts as encoding/json does: numbers are float64.
func scalar(v reflect.Value) any {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	case v.CanFloat():
		return v.Float()
	default:
		return v.Interface()
	}
}

// emptyObjects unpacks an empty table as each table of the schema.
func emptyObjects() map[string]reflect.Value {
	out := map[string]reflect.Value{}
	add := func(object any) {
		v := reflect.ValueOf(object)
		out[strings.TrimSuffix(v.Type().Elem().Name(), "T")] = v
	}
	add(unpackEmpty[fb.ModelT](new(fb.Model)))
	add(unpackEmpty[fb.SubGraphT](new(fb.SubGraph)))
	add(unpackEmpty[fb.TensorT](new(fb.Tensor)))
	add(unpackEmpty[fb.VariantSubTypeT](new(fb.VariantSubType)))
	add(unpackEmpty[fb.QuantizationParametersT](new(fb.QuantizationParameters)))
	add(unpackEmpty[fb.SparsityParametersT](new(fb.SparsityParameters)))
	add(unpackEmpty[fb.DimensionMetadataT](new(fb.DimensionMetadata)))
	add(unpackEmpty[fb.OperatorT](new(fb.Operator)))
	add(unpackEmpty[fb.OperatorCodeT](new(fb.OperatorCode)))
	add(unpackEmpty[fb.BufferT](new(fb.Buffer)))
	add(unpackEmpty[fb.MetadataT](new(fb.Metadata)))
	add(unpackEmpty[fb.SignatureDefT](new(fb.SignatureDef)))
	add(unpackEmpty[fb.TensorMapT](new(fb.TensorMap)))
	add(unpackEmpty[fb.ExternalBufferT](new(fb.ExternalBuffer)))
	add(unpackEmpty[fb.ExternalBufferGroupT](new(fb.ExternalBufferGroup)))
	for i := 1; DefaultOptions(fb.BuiltinOptions(i)) != nil; i++ {
		add(DefaultOptions(fb.BuiltinOptions(i)).Value)
	}
	for i := 1; DefaultOptions2(fb.BuiltinOptions2(i)) != nil; i++ {
		add(DefaultOptions2(fb.BuiltinOptions2(i)).Value)
	}
	for i := 1; fb.QuantizationDetails(i).UnPack(emptyTable()) != nil; i++ {
		add(fb.QuantizationDetails(i).UnPack(emptyTable()).Value)
	}
	for i := 1; fb.SparseIndexVector(i).UnPack(emptyTable()) != nil; i++ {
		add(fb.SparseIndexVector(i).UnPack(emptyTable()).Value)
	}
	return out
}

type accessor[T any] interface {
	Init([]byte, flatbuffers.UOffsetT)
	UnPack() *T
}

func unpackEmpty[T any](a accessor[T]) *T {
	a.Init(emptyTable().Bytes, emptyTable().Pos)
	return a.UnPack()
}

func TestEnumsAreTensorFlows(t *testing.T) {
	enums := map[string]map[string]int64{
		"TensorType": numbers(fb.EnumValuesTensorType), "QuantizationDetails": numbers(fb.EnumValuesQuantizationDetails),
		"DimensionType": numbers(fb.EnumValuesDimensionType), "SparseIndexVector": numbers(fb.EnumValuesSparseIndexVector),
		"BuiltinOperator": numbers(fb.EnumValuesBuiltinOperator), "BuiltinOptions": numbers(fb.EnumValuesBuiltinOptions),
		"BuiltinOptions2": numbers(fb.EnumValuesBuiltinOptions2), "Padding": numbers(fb.EnumValuesPadding),
		"ActivationFunctionType":             numbers(fb.EnumValuesActivationFunctionType),
		"CombinerType":                       numbers(fb.EnumValuesCombinerType),
		"CustomOptionsFormat":                numbers(fb.EnumValuesCustomOptionsFormat),
		"FullyConnectedOptionsWeightsFormat": numbers(fb.EnumValuesFullyConnectedOptionsWeightsFormat),
		"LSHProjectionType":                  numbers(fb.EnumValuesLSHProjectionType),
		"LSTMKernelType":                     numbers(fb.EnumValuesLSTMKernelType),
		"MirrorPadMode":                      numbers(fb.EnumValuesMirrorPadMode),
		"ReduceWindowFunction":               numbers(fb.EnumValuesReduceWindowFunction),
		"RngAlgorithm":                       numbers(fb.EnumValuesRngAlgorithm),
		"StablehloComparisonDirection":       numbers(fb.EnumValuesStablehloComparisonDirection),
		"StablehloComparisonType":            numbers(fb.EnumValuesStablehloComparisonType),
		"StablehloPrecisionConfig":           numbers(fb.EnumValuesStablehloPrecisionConfig),
	}
	if d := cmp.Diff(readBinding(t).Enums, enums); d != "" {
		t.Error(d)
	}
}

func numbers[E ~int8 | ~byte | ~int32 | ~uint32](values map[string]E) map[string]int64 {
	out := map[string]int64{}
	for name, v := range values {
		out[name] = int64(v)
	}
	return out
}

// Verify has no limit of nesting because the schema is no deeper than this.
func TestSchemaIsNotRecursive(t *testing.T) {
	var depth func(table int16, above int) int
	depth = func(table int16, above int) int {
		if above > 10 {
			t.Fatalf("%s is nested without end", modelLayout.tables[table].name)
		}
		deepest := 0
		for _, f := range modelLayout.tables[table].fields {
			var below []int16
			switch f.kind {
			case kindTable, kindTables:
				below = []int16{f.of}
			case kindUnion:
				below = modelLayout.unions[f.of].tables[1:]
			}
			for _, b := range below {
				deepest = max(deepest, depth(b, above+1))
			}
		}
		return 1 + deepest
	}
	if got := depth(modelLayout.root, 0); got != 6 {
		t.Errorf("depth = %d, want 6: model, subgraph, tensor, sparsity, dimension, vector", got)
	}
}
