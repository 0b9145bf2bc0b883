package tflite

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// same compares models as files tell them apart: nil and empty lists are equal.
var same = cmp.Options{
	cmpopts.EquateEmpty(), cmpopts.EquateNaNs(),
	cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 }, cmp.Comparer(bytes.Equal)), // fast
	cmp.AllowUnexported(modelFile{}, subgraphFile{}, valueFile{}, nodeFile{}),
}

// aside leaves out what only models that were read from a file have.
var aside = cmp.Options{
	cmpopts.IgnoreFields(graph.Model{}, "File"), cmpopts.IgnoreFields(graph.Subgraph{}, "File"),
	cmpopts.IgnoreFields(graph.Value{}, "File"), cmpopts.IgnoreFields(graph.Node{}, "File"),
}

func TestRandomModelsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		file, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(file, DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if again.MetadataOf(MinRuntimeVersion) == nil {
			t.Fatal("no min_runtime_version")
		}
		again.Metadata = again.Metadata[1:]
		if d := cmp.Diff(m, again, same, aside); d != "" {
			t.Fatal(d)
		}
	})
}

func drawModel(t *rapid.T) *graph.Model {
	m := &graph.Model{Description: rapid.String().Draw(t, "description")}
	for range rapid.IntRange(1, 3).Draw(t, "subgraphs") {
		m.Subgraphs = append(m.Subgraphs, drawSubgraph(t))
	}
	for range rapid.IntRange(0, 2).Draw(t, "metadata") {
		m.Metadata = append(m.Metadata, graph.Metadata{Name: rapid.StringMatching("[a-z]+").Draw(t, "name"), Data: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "data")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "signatures") {
		i := rapid.IntRange(0, len(m.Subgraphs)-1).Draw(t, "subgraph")
		s := m.Subgraphs[i]
		m.Signatures = append(m.Signatures, graph.Signature{
			Key: rapid.String().Draw(t, "key"), Subgraph: i, Inputs: drawNames(t, s.Inputs), Outputs: drawNames(t, s.Outputs),
		})
	}
	return m
}

func drawNames(t *rapid.T, ids []graph.ValueID) []graph.NamedValue {
	var list []graph.NamedValue
	for _, v := range ids {
		list = append(list, graph.NamedValue{Name: rapid.String().Draw(t, "name"), Value: v})
	}
	return list
}

// drawSubgraph draws inputs, variables and constants, then nodes that read what is
// there.
func drawSubgraph(t *rapid.T) *graph.Subgraph {
	s := &graph.Subgraph{Name: rapid.String().Draw(t, "name")}
	for i := range rapid.IntRange(1, 5).Draw(t, "values") {
		v := drawValue(t)
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 1:
			if n, err := v.Shape.Bytes(v.DType); err == nil {
				v.Signature = nil
				v.Const = rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "const")
				break
			}
			fallthrough
		case 0:
			s.Inputs = append(s.Inputs, graph.ValueID(i))
		case 2:
			v.Variable = true
		}
		s.Add(v)
	}
	rows := all.Set().All()
	for range rapid.IntRange(0, 4).Draw(t, "nodes") {
		d := rapid.SampledFrom(rows).Draw(t, "operator")
		n := graph.Node{Op: d.Code, Version: rapid.IntRange(1, 9).Draw(t, "version"), Options: drawOptions(t, d.Code)}
		if d.Code == graph.Custom {
			n.Custom, n.CustomOptions = d.Name, rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "custom")
		}
		for range rapid.IntRange(0, 4).Draw(t, "operands") {
			n.Inputs = append(n.Inputs, graph.ValueID(rapid.IntRange(-1, len(s.Values)-1).Draw(t, "operand")))
		}
		for range rapid.IntRange(1, 2).Draw(t, "results") {
			n.Outputs = append(n.Outputs, s.Add(drawValue(t)))
		}
		s.Nodes = append(s.Nodes, n)
	}
	for range rapid.IntRange(0, 2).Draw(t, "outputs") {
		s.Outputs = append(s.Outputs, graph.ValueID(rapid.IntRange(0, len(s.Values)-1).Draw(t, "output")))
	}
	return s
}

func drawValue(t *rapid.T) graph.Value {
	v := graph.Value{
		Name:  rapid.String().Draw(t, "name"),
		DType: tensor.DType(rapid.IntRange(0, int(tensor.Float8E5M2)).Draw(t, "type")),
		Shape: rapid.SliceOfN(rapid.IntRange(1, 3), 0, 4).Draw(t, "shape"),
	}
	if rapid.Bool().Draw(t, "dynamic") && len(v.Shape) > 0 {
		v.Signature = v.Shape.Clone()
		v.Signature[0] = -1
	}
	if n := rapid.IntRange(0, 2).Draw(t, "scales"); n > 0 {
		v.Quant.Scales = rapid.SliceOfN(rapid.Float32(), n, n).Draw(t, "scales")
		v.Quant.ZeroPoints = rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "zeros")
		v.Quant.Axis = rapid.IntRange(0, 3).Draw(t, "axis")
		v.Quant.Min = rapid.SliceOfN(rapid.Float32(), 0, 2).Draw(t, "min")
	}
	return v
}

func drawOptions(t *rapid.T, code graph.OpCode) any {
	one, two := schema.OptionsOf(schema.BuiltinOperator(code))
	if rapid.Bool().Draw(t, "no options") {
		return nil
	}
	switch {
	case one != fb.BuiltinOptionsNONE:
		return schema.DefaultOptions(one).Value
	case two != fb.BuiltinOptions2NONE:
		return schema.DefaultOptions2(two).Value
	}
	return nil
}

// checkAgain writes a decoded model and reads it back.
func checkAgain(t *testing.T, name string, m *graph.Model) []byte {
	t.Helper()
	file, err := Encode(m)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	again, err := Decode(file, DecodeOptions{})
	if err != nil {
		t.Errorf("%s: what was written: %v", name, err)
		return nil
	}
	if d := cmp.Diff(m, again, same); d != "" {
		t.Errorf("%s: differs after writing:\n%s", name, d)
	}
	checkAlignment(t, name, file)
	return file
}

// checkAlignment wants every buffer at a multiple of 16 bytes from the file's start.
func checkAlignment(t *testing.T, name string, file []byte) {
	t.Helper()
	for i, b := range schema.Unpack(file).Buffers {
		if len(b.Data) == 0 {
			continue
		}
		if at := bytesAt(file, b.Data); at%16 != 0 {
			t.Errorf("%s: buffer %d lies at %d", name, i, at)
		}
	}
}

// bytesAt returns where part, a view of file, begins.
func bytesAt(file, part []byte) int {
	return int(uintptr(unsafe.Pointer(&part[0])) - uintptr(unsafe.Pointer(&file[0])))
}

func TestCasesRoundTrip(t *testing.T) {
	operators, err := conformance.Operators()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range operators {
		cases, err := conformance.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			m, err := Decode(c.Model, DecodeOptions{})
			if err != nil {
				t.Errorf("%s %s: %v", name, c.Name, err)
				continue
			}
			checkAgain(t, name+" "+c.Name, m)
		}
	}
}

// modelFiles lists the .tflite files under LITEQUANT_MODELS.
func modelFiles(t *testing.T) []string {
	root := os.Getenv("LITEQUANT_MODELS")
	if root == "" {
		t.Skip("LITEQUANT_MODELS does not name a folder of .tflite files")
	}
	var files []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".tflite" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestModelsRoundTrip(t *testing.T) {
	read := 0
	files := modelFiles(t)
	for _, f := range files {
		m, err := ReadFile(f)
		if err != nil {
			checkRefusal(t, f, err)
			continue
		}
		read++
		checkAgain(t, f, m)
	}
	t.Logf("%d files, %d read", len(files), read)
}

// checkRefusal wants one line that names the file and wraps a reason.
func checkRefusal(t *testing.T, file string, err error) {
	known := errors.Is(err, tensor.ErrMalformed) || errors.Is(err, tensor.ErrUnsupported) || errors.Is(err, tensor.ErrLimit)
	if s := err.Error(); !known || strings.Contains(s, "\n") || !strings.Contains(s, file) {
		t.Errorf("%s: refused with %q", file, s)
	}
	t.Logf("refused: %v", err)
}

// TestTensorFlowReads writes models again and lets LiteRT compare the copies with
// the originals.
func TestTensorFlowReads(t *testing.T) {
	python := os.Getenv("LITEQUANT_PYTHON")
	if python == "" {
		t.Skip("LITEQUANT_PYTHON does not name a Python with ai-edge-litert")
	}
	dir := t.TempDir()
	pairs := 0
	pair := func(name string, original, written []byte) {
		base := filepath.Join(dir, strings.NewReplacer("/", "_", " ", "_").Replace(name))
		if err := errors.Join(os.WriteFile(base+".a", original, 0o644), os.WriteFile(base+".b", written, 0o644)); err != nil {
			t.Fatal(err)
		}
		pairs++
	}
	write := func(name string, original []byte) {
		if m, err := Decode(original, DecodeOptions{}); err == nil {
			pair(name, original, checkAgain(t, name, m))
		}
	}
	outside := func(name string, original []byte) { // constants behind the flatbuffer
		if m, err := Decode(original, DecodeOptions{}); err == nil {
			pair(name, original, must(pack(all.Set(), m, -1))(t).bytes())
		}
	}
	operators, err := conformance.Operators()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range operators {
		cases, err := conformance.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(cases); i += 50 {
			write(name+" "+cases[i].Name, cases[i].Model)
		}
		outside(name+" outside", cases[0].Model)
	}
	if os.Getenv("LITEQUANT_MODELS") != "" {
		for _, f := range modelFiles(t) {
			const most = 4 << 20
			if b, err := os.ReadFile(f); err == nil && len(b) < most {
				write(f, b)
			}
		}
	}
	out, err := exec.Command(python, "testdata/check_models.py", dir).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if t.Logf("%d pairs: %s", pairs, lines[len(lines)-1]); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
