package schema

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

var goldens = []string{"conv_int8", "loop_and_variable", "lstm"}

func readGolden(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func unpack(t *testing.T, file []byte) *fb.ModelT {
	t.Helper()
	if err := Verify(file, Limits{}); err != nil {
		t.Fatal(err)
	}
	return Unpack(file)
}

func pack(t *testing.T, m *fb.ModelT) []byte {
	t.Helper()
	file, err := Pack(m)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// dump is testdata/dump.py for an object of package fb: what json.Unmarshal
// makes of that script's output.
func dump(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return dumpTable(v.Elem())
	case reflect.String:
		if v.Len() == 0 {
			return nil
		}
		return v.String()
	case reflect.Slice:
		return dumpSlice(v)
	case reflect.Float32:
		if f := v.Float(); math.IsInf(f, 0) || math.IsNaN(f) {
			return strings.ToLower(strings.TrimPrefix(fmt.Sprint(f), "+"))
		}
		return v.Float()
	default:
		return scalar(v)
	}
}

func dumpSlice(v reflect.Value) any {
	if v.IsNil() {
		return nil
	}
	if b, ok := v.Interface().([]byte); ok {
		return hex.EncodeToString(b)
	}
	list := make([]any, v.Len())
	for i := range list {
		list[i] = dump(v.Index(i))
	}
	return list
}

// dumpTable writes a union field x as Python does: xtype and x.
func dumpTable(v reflect.Value) any {
	out := map[string]any{}
	for i := range v.NumField() {
		name := plainName(v.Type().Field(i).Name)
		f := v.Field(i)
		if f.Kind() != reflect.Pointer || f.Type().Elem().NumField() != 2 || f.Type().Elem().Field(1).Type.Kind() != reflect.Interface {
			out[name] = dump(f)
			continue
		}
		out[name], out[name+"type"] = nil, 0.
		if !f.IsNil() {
			out[name] = dump(f.Elem().Field(1).Elem())
			out[name+"type"] = scalar(f.Elem().Field(0))
		}
	}
	return out
}

func compareDump(t *testing.T, dumped []byte, m *fb.ModelT) {
	t.Helper()
	var want any
	if err := json.Unmarshal(dumped, &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, dump(reflect.ValueOf(m))); d != "" {
		t.Errorf("differs from TensorFlow's reading (-want):\n%s", d)
	}
}

func TestUnpackReadsWhatTensorFlowReads(t *testing.T) {
	for _, name := range goldens {
		t.Run(name, func(t *testing.T) {
			compareDump(t, readGolden(t, name+".json"), unpack(t, readGolden(t, name+".tflite")))
		})
	}
}

func TestPackRoundTrip(t *testing.T) {
	for _, name := range goldens {
		t.Run(name, func(t *testing.T) { roundTrip(t, readGolden(t, name+".tflite")) })
	}
}

// roundTrip checks that packing loses nothing, is deterministic and aligned.
func roundTrip(t *testing.T, file []byte) []byte {
	t.Helper()
	m := unpack(t, file)
	packed := pack(t, m)
	if again := unpack(t, packed); !reflect.DeepEqual(m, again) { // cmp is slow on megabytes
		if d := cmp.Diff(m, again, cmpopts.EquateNaNs()); d != "" {
			t.Fatalf("pack loses something:\n%s", d)
		}
	}
	if !bytes.Equal(packed, pack(t, Unpack(packed))) {
		t.Error("packing twice gives different bytes")
	}
	for i, b := range Unpack(packed).Buffers {
		if off := uintptr(unsafe.Pointer(unsafe.SliceData(b.Data))) - uintptr(unsafe.Pointer(&packed[0])); len(b.Data) > 0 && off%16 != 0 {
			t.Errorf("buffer %d at %d, not a multiple of 16", i, off)
		}
	}
	return packed
}

// LITEQUANT_MODELS names a folder of .tflite files. With LITEQUANT_PYTHON their
// contents are compared with LiteRT's reading of the packed file too.
func TestFolder(t *testing.T) {
	dir := os.Getenv("LITEQUANT_MODELS")
	if dir == "" {
		t.Skip("LITEQUANT_MODELS is not set: no folder of models to read")
	}
	seen, refused := 0, 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".tflite" {
			return err
		}
		file, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		seen++
		if err := Verify(file, Limits{}); err != nil {
			refused++
			t.Logf("refused: %s: %v", name, err)
			return nil
		}
		t.Run(name, func(t *testing.T) {
			packed := roundTrip(t, file)
			checkOptions(t, Unpack(file))
			if python := os.Getenv("LITEQUANT_PYTHON"); python != "" {
				compareDump(t, pythonReads(t, python, packed), Unpack(file))
			}
		})
		return nil
	})
	if err != nil || seen == 0 {
		t.Fatal("no models: ", err)
	}
	t.Logf("%d files, %d refused", seen, refused)
}

// checkOptions checks that options are of the kind that OptionsOf names.
func checkOptions(t *testing.T, m *fb.ModelT) {
	for _, g := range m.Subgraphs {
		for i, o := range g.Operators {
			if int(o.OpcodeIndex) >= len(m.OperatorCodes) {
				continue
			}
			op := Operator(m.OperatorCodes[o.OpcodeIndex])
			one, two := OptionsOf(op)
			if o.BuiltinOptions != nil && o.BuiltinOptions.Type != one {
				t.Errorf("operator %d: %v has %v, OptionsOf says %v", i, op, o.BuiltinOptions.Type, one)
			}
			if o.BuiltinOptions2 != nil && o.BuiltinOptions2.Type != two {
				t.Errorf("operator %d: %v has %v, OptionsOf says %v", i, op, o.BuiltinOptions2.Type, two)
			}
		}
	}
}

func TestOptionsOf(t *testing.T) {
	for _, name := range goldens {
		checkOptions(t, Unpack(readGolden(t, name+".tflite")))
	}
	used := map[any]bool{}
	for op := range fb.EnumNamesBuiltinOperator {
		one, two := OptionsOf(op)
		if one != 0 && two != 0 {
			t.Errorf("%v has options in both unions", op)
		}
		used[one], used[two] = true, true
	}
	for o := range fb.EnumNamesBuiltinOptions {
		if !used[o] {
			t.Errorf("%v: no operator has them", o)
		}
	}
	for o := range fb.EnumNamesBuiltinOptions2 {
		if !used[o] {
			t.Errorf("%v: no operator has them", o)
		}
	}
	for _, op := range []BuiltinOperator{-1, 210, math.MaxInt32, CUSTOM, RELU} {
		if one, two := OptionsOf(op); one != 0 || two != 0 {
			t.Errorf("OptionsOf(%v) = %v, %v", op, one, two)
		}
	}
}

func TestOperatorCodes(t *testing.T) {
	for _, c := range []struct {
		deprecated int8
		wide, want BuiltinOperator
	}{{3, 0, CONV_2D}, {3, 3, CONV_2D}, {127, 150, GELU}, {32, 32, CUSTOM}, {0, 0, ADD}} {
		if got := Operator(&fb.OperatorCodeT{DeprecatedBuiltinCode: c.deprecated, BuiltinCode: c.wide}); got != c.want {
			t.Errorf("Operator(%d, %d) = %v, want %v", c.deprecated, c.wide, got, c.want)
		}
	}
	for _, op := range []BuiltinOperator{ADD, BATCH_MATMUL, PLACEHOLDER_FOR_GREATER_OP_CODES, CUMSUM, STABLEHLO_CASE} {
		c := NewOperatorCode(op, 2)
		if Operator(c) != op || c.Version != 2 || c.DeprecatedBuiltinCode != int8(min(op, 127)) {
			t.Errorf("NewOperatorCode(%v) = %+v", op, c)
		}
	}
}

func TestUnpackViewsConstants(t *testing.T) {
	file := readGolden(t, "conv_int8.tflite")
	for _, b := range unpack(t, file).Buffers {
		if len(b.Data) == 0 {
			continue
		}
		before := b.Data[0]
		b.Data[0]++
		if at := uintptr(unsafe.Pointer(&b.Data[0])) - uintptr(unsafe.Pointer(&file[0])); at >= uintptr(len(file)) {
			t.Fatal("a constant is a copy")
		}
		b.Data[0] = before
		if cap(b.Data) != len(b.Data) {
			t.Fatal("append would write into the file")
		}
	}
}

func TestVerifyNamesThePlace(t *testing.T) {
	model := &fb.ModelT{Subgraphs: []*fb.SubGraphT{{
		Tensors:   []*fb.TensorT{{Name: "x", Shape: []int32{1}}, {Name: "y"}},
		Operators: []*fb.OperatorT{{}, {BuiltinOptions: DefaultOptions(fb.BuiltinOptionsAddOptions)}},
	}}}
	model.Subgraphs[0].Operators[1].BuiltinOptions.Value.(*fb.AddOptionsT).PotScaleInt16 = false
	file := pack(t, model)
	root := fb.GetRootAsModel(file, 0)
	var g fb.SubGraph
	var o fb.Operator
	var x fb.Tensor
	root.Subgraphs(&g, 0)
	g.Operators(&o, 1)
	g.Tensors(&x, 0)
	options := field(&o, 12)
	name := field(&x, 10)
	shape := field(&x, 4)
	unionType := field(&o, 10)
	for _, c := range []struct {
		what  string
		patch func(file []byte)
		want  string
		is    error
	}{
		{"wild union", put(options, 1<<30), "subgraphs[0].operators[1].builtin_options: offset out of range", tensor.ErrMalformed},
		{"odd union", func(f []byte) { f[options]++ }, "subgraphs[0].operators[1].builtin_options: offset", tensor.ErrMalformed},
		{"null", put(options, 0), "subgraphs[0].operators[1].builtin_options: offset is zero", tensor.ErrMalformed},
		{"new member", func(f []byte) { f[unionType] = 200 }, "builtin_options: BuiltinOptions member 200 is unknown", tensor.ErrUnsupported},
		{"wild string", put(name, math.MaxUint32), "subgraphs[0].tensors[0].name: offset", tensor.ErrMalformed},
		{"long string", put(follow(file, name), 1<<31), "subgraphs[0].tensors[0].name: offset out of range", tensor.ErrMalformed},
		{"no NUL", func(f []byte) { f[follow(file, name)+5] = 1 }, "subgraphs[0].tensors[0].name: string without final NUL", tensor.ErrMalformed},
		{"long vector", put(follow(file, shape), 1<<30), "subgraphs[0].tensors[0].shape: offset out of range", tensor.ErrMalformed},
		{"wild vtable", put(int(x.Table().Pos), 1<<31), "subgraphs[0].tensors[0]: offset out of range", tensor.ErrMalformed},
		{"identifier", func(f []byte) { f[4] = 'X' }, `file: file identifier is "XFL3", want "TFL3"`, tensor.ErrMalformed},
		{"root", put(0, 1<<20), "file: offset out of range", tensor.ErrMalformed},
	} {
		t.Run(c.what, func(t *testing.T) {
			f := bytes.Clone(file)
			c.patch(f)
			err := Verify(f, Limits{})
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, c.is) {
				t.Errorf("error %q, want %q", err, c.want)
			}
		})
	}
}

// field returns the position of the table's field in the file.
func field(table interface{ Table() flatbuffers.Table }, slot flatbuffers.VOffsetT) int {
	t := table.Table()
	return int(t.Pos) + int(t.Offset(slot))
}

func put(pos int, x uint32) func([]byte) {
	return func(f []byte) { binary.LittleEndian.PutUint32(f[pos:], x) }
}

func follow(file []byte, pos int) int { return pos + int(binary.LittleEndian.Uint32(file[pos:])) }

func TestVerifyShortFiles(t *testing.T) {
	file := readGolden(t, "lstm.tflite")
	for n := range len(file) {
		if err := Verify(file[:n], Limits{}); err == nil {
			Unpack(file[:n]) // what is cut may be padding or out of reach
		}
	}
}

// A file in which a thousand entries share a subgraph whose thousand tensors
// share a shape of a million dimensions: 4 MB that Unpack would blow up to 4 TB.
func TestLimitsStopAmplification(t *testing.T) {
	share := func(subgraphs, tensors, dims int) []byte {
		x := &fb.TensorT{Shape: make([]int32, dims)}
		g := &fb.SubGraphT{Tensors: make([]*fb.TensorT, tensors)}
		m := &fb.ModelT{Subgraphs: make([]*fb.SubGraphT, subgraphs)}
		for i := range g.Tensors {
			g.Tensors[i] = &fb.TensorT{}
		}
		for i := range m.Subgraphs {
			m.Subgraphs[i] = &fb.SubGraphT{}
		}
		g.Tensors[0], m.Subgraphs[0] = x, g
		file := pack(t, m)
		root := fb.GetRootAsModel(file, 0)
		var first fb.SubGraph
		root.Subgraphs(&first, 0)
		shareAll(file, field(root, 8))
		shareAll(file, field(&first, 4))
		return file
	}
	if err := Verify(share(10, 10, 10), Limits{}); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name   string
		file   []byte
		limits Limits
	}{
		{"bytes", share(1000, 900, 1000), Limits{}},
		{"tables", share(1100, 1000, 0), Limits{}},
		{"own tables", share(10, 10, 0), Limits{Tables: 110}},
		{"own bytes", share(10, 10, 10), Limits{Bytes: 3999}},
	} {
		if err := Verify(c.file, c.limits); !errors.Is(err, tensor.ErrLimit) {
			t.Errorf("%s: error %v, want ErrLimit", c.name, err)
		}
	}
	if err := Verify(share(10, 10, 10), Limits{Tables: 111, Bytes: 4000}); err != nil {
		t.Error(err)
	}
}

// shareAll makes all elements of the vector of tables, whose field is at pos,
// the first one.
func shareAll(file []byte, pos int) {
	v := follow(file, pos)
	n := int(binary.LittleEndian.Uint32(file[v:]))
	first := follow(file, v+4)
	for i := range n {
		put(v+4+4*i, uint32(first-(v+4+4*i)))(file)
	}
}

func TestPackRefuses(t *testing.T) {
	model := func(o *fb.OperatorT) *fb.ModelT {
		return &fb.ModelT{Subgraphs: []*fb.SubGraphT{{Operators: []*fb.OperatorT{{}, o}}}}
	}
	for _, c := range []struct {
		name, want string
		m          *fb.ModelT
	}{
		{"nil", "pack: nil model", nil},
		{"nil table", "pack: subgraphs[0].operators[1]: is nil", model(nil)},
		{"other member", "builtin_options: holds", model(&fb.OperatorT{BuiltinOptions: &fb.BuiltinOptionsT{
			Type: fb.BuiltinOptionsAddOptions, Value: &fb.SubOptionsT{}}})},
		{"no value", "builtin_options: holds", model(&fb.OperatorT{BuiltinOptions: &fb.BuiltinOptionsT{
			Type: fb.BuiltinOptionsAddOptions}})},
		{"nil value", "builtin_options: holds", model(&fb.OperatorT{BuiltinOptions: &fb.BuiltinOptionsT{
			Type: fb.BuiltinOptionsAddOptions, Value: (*fb.AddOptionsT)(nil)}})},
		{"unknown member", "subgraphs[0].operators[1].builtin_options_2: no member", model(&fb.OperatorT{BuiltinOptions2: &fb.BuiltinOptions2T{
			Type: 99, Value: &fb.AddOptionsT{}}})},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Pack(c.m)
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, tensor.ErrMalformed) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	data := make([]byte, 1<<28)
	big := &fb.ModelT{}
	for range 9 { // the same bytes nine times: more than 2 GiB without having them
		big.Buffers = append(big.Buffers, &fb.BufferT{Data: data})
	}
	if _, err := Pack(big); !errors.Is(err, tensor.ErrLimit) {
		t.Errorf("2.25 GiB: error %v, want ErrLimit", err)
	}
}

func TestConversionMetadata(t *testing.T) {
	m := Unpack(readGolden(t, "conv_int8.tflite"))
	blob := m.Buffers[m.Metadata[1].Buffer].Data
	if err := VerifyConversionMetadata(blob, Limits{}); err != nil {
		t.Fatal(err)
	}
	got := UnpackConversionMetadata(blob)
	if got.Environment.TensorflowVersion != "2.21.0" || got.Environment.ApiVersion != 2 ||
		len(got.Options.ModelOptimizationModes) != 1 || got.Options.ModelOptimizationModes[0] != fb.ModelOptimizationModePTQ_FULL_INTEGER {
		t.Errorf("got %+v %+v", got.Environment, got.Options)
	}
	packed, err := PackConversionMetadata(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyConversionMetadata(packed, Limits{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, UnpackConversionMetadata(packed)); d != "" {
		t.Error(d)
	}
	if err := VerifyConversionMetadata(blob[:10], Limits{}); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("cut: %v", err)
	}
}

// pythonReads returns testdata/dump.py's output for a file.
func pythonReads(t *testing.T, python string, file []byte, args ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "packed.tflite")
	if err := os.WriteFile(name, file, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, append(append([]string{"testdata/dump.py"}, args...), name)...)
	cmd.Stderr = os.Stderr
	dumped, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return dumped
}

// LITEQUANT_PYTHON is a Python with ai-edge-litert: it reads what Pack wrote.
func TestTensorFlowReadsWhatPackWrote(t *testing.T) {
	python := os.Getenv("LITEQUANT_PYTHON")
	if python == "" {
		t.Skip("LITEQUANT_PYTHON is not set: no Python with ai-edge-litert")
	}
	for _, name := range goldens {
		t.Run(name, func(t *testing.T) {
			m := unpack(t, readGolden(t, name+".tflite"))
			compareDump(t, pythonReads(t, python, pack(t, m), "--run"), m)
		})
	}
}

func BenchmarkPack(b *testing.B) {
	m := &fb.ModelT{}
	for range 130 {
		m.Buffers = append(m.Buffers, &fb.BufferT{Data: make([]byte, 100_000)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Pack(m); err != nil {
			b.Fatal(err)
		}
	}
}
