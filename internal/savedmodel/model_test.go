package savedmodel

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/tensor"
)

// golden is what gen_models.py notes of a model.
type golden struct {
	Checkpoint map[string][]float64
	Ops        []string
	Outputs    []string
}

func readGoldens(t testing.TB) (models map[string]golden, dtypes map[string][]float64) {
	t.Helper()
	raw, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &models); err != nil {
		t.Fatal(err)
	}
	all := map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(raw, &all), json.Unmarshal(all["dtypes"], &dtypes)); err != nil {
		t.Fatal(err)
	}
	delete(models, "dtypes")
	return models, dtypes
}

func load(t testing.TB, name string) *Model {
	t.Helper()
	m, err := Load(os.DirFS("testdata"), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// computing lists the operations of a graph that compute something, sorted.
func computing(g *Graph) []string {
	var ops []string
	for _, n := range g.Nodes {
		switch n.Op {
		case "Const", "Placeholder", "Identity":
		default:
			ops = append(ops, n.Op)
		}
	}
	slices.Sort(ops)
	return ops
}

func floats(t tensor.Tensor) []float64 {
	out := []float64{}
	for _, v := range t.Float32s() {
		out = append(out, float64(v))
	}
	return out
}

func TestModels(t *testing.T) {
	models, _ := readGoldens(t)
	for name, want := range models {
		t.Run(name, func(t *testing.T) {
			m := load(t, name)
			for _, key := range m.bundle.Keys() {
				if key == objectKey || key[0] == 0 { // slices of a partitioned variable
					continue
				}
				v, err := m.bundle.Tensor(key)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want.Checkpoint[key], floats(v)); diff != "" {
					t.Errorf("%s: %s", key, diff)
				}
				delete(want.Checkpoint, key)
			}
			if len(want.Checkpoint) > 0 {
				t.Errorf("not read: %v", want.Checkpoint)
			}
			for _, v := range m.Variables() {
				if _, err := m.Value(v); err != nil {
					t.Error(err)
				}
			}
			g, err := Freeze(m, "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Ops, computing(g)); diff != "" {
				t.Error(diff)
			}
			var outputs []string
			for _, p := range g.Outputs {
				outputs = append(outputs, p.Name)
			}
			if diff := cmp.Diff(want.Outputs, outputs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRoundTripTensorFlow has TensorFlow run what was frozen and written again.
func TestRoundTripTensorFlow(t *testing.T) {
	python := os.Getenv("LITEQUANT_PYTHON")
	if python == "" {
		t.Skip("LITEQUANT_PYTHON names no Python with tensorflow, tensorflow-hub and tf-keras")
	}
	args := []string{"testdata/check_roundtrip.py"}
	for _, name := range []string{"hub_tf1", "keras2", "keras3"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := Write(dir, respec(t, load(t, name))); err != nil {
			t.Fatal(err)
		}
		args = append(args, name+"="+dir)
	}
	out, err := exec.Command(python, args...).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// respec describes a loaded model for Write.
func respec(t testing.TB, m *Model) Spec {
	t.Helper()
	g, err := Freeze(m, "")
	if err != nil {
		t.Fatal(err)
	}
	s := Spec{Graph: g, Hub: true}
	for _, v := range g.Variables {
		value, err := m.Value(v)
		if err != nil {
			t.Fatal(err)
		}
		v := *v
		v.Path = "v/" + v.Name
		s.Variables = append(s.Variables, VariableValue{&v, value})
		for _, n := range g.Nodes {
			if n.Variable != nil && n.Variable.Name == v.Name {
				n.Variable = &v
			}
		}
	}
	return s
}

func TestFreezeNames(t *testing.T) {
	g, err := Freeze(load(t, "keras3"), "serving_default")
	if err != nil {
		t.Fatal(err)
	}
	want := `0 serving_default_keras_tensor Placeholder
1 sequential_1/dense_1/Cast/ReadVariableOp Const float32[4,3] variable=sequential/dense/kernel
2 sequential_1/dense_1/MatMul MatMul 0:0 1:0
3 sequential_1/dense_1/BiasAdd/ReadVariableOp Const float32[3] variable=sequential/dense/bias
4 sequential_1/dense_1/BiasAdd BiasAdd 2:0 3:0
5 sequential_1/dense_1/Relu Relu 4:0
6 sequential_1/dense_1_2/Cast/ReadVariableOp Const float32[3,2] variable=sequential/dense_1/kernel
7 sequential_1/dense_1_2/MatMul MatMul 5:0 6:0
8 sequential_1/dense_1_2/BiasAdd/ReadVariableOp Const float32[2] variable=sequential/dense_1/bias
9 sequential_1/dense_1_2/BiasAdd BiasAdd 7:0 8:0
10 Identity Identity 9:0
11 Identity Identity 10:0
in keras_tensor serving_default_keras_tensor:0 float32[?,4] 0:0
out output_0 StatefulPartitionedCall_1:0 float32[?,2] 11:0
`
	if diff := cmp.Diff(want, g.String()); diff != "" {
		t.Error(diff)
	}
}

// TestFreezeResolves checks what only a graph with calls, equal names and
// control flow shows.
func TestFreezeResolves(t *testing.T) {
	m := load(t, "module")
	g, err := Freeze(m, "serving_default")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, v := range g.Variables {
		paths = append(paths, v.Path)
	}
	if diff := cmp.Diff([]string{"a", "b", "table"}, paths); diff != "" {
		t.Error("two variables are named w: ", diff)
	}
	var bodies []string
	for _, n := range g.Nodes {
		for key, body := range n.Bodies {
			for _, v := range body.Variables {
				bodies = append(bodies, n.Op+" "+key+" "+v.Path)
			}
		}
		if n.Op == "Split" && (n.Attrs["num_split"].GetI() != 3 || n.Attrs["T"] == nil) {
			t.Error("attributes of Split:", n.Attrs)
		}
		if n.Op == "TopKV2" && n.Attrs["sorted"].GetB() != true {
			t.Error("a default attribute is missing:", n.Attrs)
		}
	}
	slices.Sort(bodies)
	if diff := cmp.Diff([]string{"If else_branch list/1/k", "If then_branch list/0", "While body a"}, bodies); diff != "" {
		t.Error(diff)
	}
}

func TestFunctions(t *testing.T) {
	m := load(t, "keras2")
	fns, err := m.Functions("__call__")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fns {
		training, ok := f.Params[1].Bool()
		if !ok || f.Params[0].Name != "inputs" || f.Params[1].Name != "training" {
			t.Fatal(f.Params)
		}
		g, err := FreezeFunction(m, f)
		if training {
			if !errors.Is(err, tensor.ErrUnsupported) || !strings.Contains(err.Error(), "changes a variable") {
				t.Errorf("batch normalization in training: %v", err)
			}
			continue
		}
		want := []string{"BiasAdd", "BiasAdd", "Conv2D", "FusedBatchNormV3", "MatMul", "Relu", "Reshape", "Softmax"}
		if err != nil || !cmp.Equal(computing(g), want) || len(g.Variables) != 8 {
			t.Error(g, err)
		}
	}
	for path, want := range map[string]error{"nothing": fs.ErrNotExist, "variables": fs.ErrNotExist, "signatures/serving_default": nil} {
		if _, err := m.Functions(path); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if names, err := m.Children(""); err != nil || !slices.Contains(names, "signatures") {
		t.Error(names, err)
	}
}

func TestFrozenGraphDef(t *testing.T) {
	raw, err := os.ReadFile("testdata/frozen.pb")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseGraphDef("frozen.pb", raw)
	if err != nil {
		t.Fatal(err)
	}
	models, _ := readGoldens(t)
	for _, c := range []struct{ in, out []string }{{}, {[]string{"Placeholder"}, []string{"mul"}}, {[]string{"Placeholder:0"}, []string{"mul:0"}}} {
		g, err := FreezeArrays(m, c.in, c.out)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(models["hub_tf1"].Ops, computing(g)); diff != "" {
			t.Error(diff)
		}
		if g.Inputs[0].Name != "Placeholder" || !g.Inputs[0].Shape.Equal(tensor.Shape{-1, 4}) || g.Outputs[0].Name != "mul" {
			t.Error(g)
		}
	}
	g, err := FreezeArrays(m, []string{"fc1/MatMul"}, []string{"fc1/Relu"})
	if err != nil || !cmp.Equal(computing(g), []string{"AddV2", "Relu"}) {
		t.Error("a part of the graph:", g, err)
	}
	for _, c := range []struct {
		in, out []string
		want    error
	}{
		{[]string{"none"}, nil, fs.ErrNotExist}, {nil, []string{"none"}, fs.ErrNotExist},
		{nil, []string{"mul:x"}, tensor.ErrMalformed}, {[]string{"fc1/Relu"}, []string{"fc1/MatMul"}, tensor.ErrUnsupported},
	} {
		if _, err := FreezeArrays(m, c.in, c.out); !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestDTypes(t *testing.T) {
	b, err := OpenBundle(os.DirFS("testdata/dtypes"), "ckpt")
	if err != nil {
		t.Fatal(err)
	}
	_, want := readGoldens(t)
	for _, key := range b.Keys() {
		v, err := b.Tensor(key)
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		switch key {
		case "string":
			s, err := b.Strings(key)
			if err != nil || len(s) != 4 || string(s[1]) != "a" || string(s[2]) != "bc" || len(s[3]) != 300 {
				t.Error(s, err)
			}
			continue
		case "complex64", "complex128", "float8_e5m2", "float8_e4m3fn":
			got = decodeOdd(t, v)
		default:
			got = floats(v)
		}
		if diff := cmp.Diff(want[key], got); diff != "" || key != "qint8" && len(key) > 4 && key != "scalar" && key != "empty" && v.DType().String() != key {
			t.Errorf("%s: %v %s", key, v.DType(), diff)
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Error("not read:", want)
	}
}

// TestSliceKeys compares the encoding of slices' names with TensorFlow's.
func TestSliceKeys(t *testing.T) {
	b, err := OpenBundle(os.DirFS("testdata/dtypes"), "slices")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, key := range b.Keys() {
		for _, s := range b.entries[key].slices {
			if n++; !b.Has(sliceKey(key, s)) {
				t.Errorf("%s: slice %v is not found", key, s)
			}
		}
		if _, err := b.Tensor(key); key[0] == 's' && key != "s0" && !errors.Is(err, tensor.ErrMalformed) {
			t.Errorf("%s: a part was taken for the whole: %v", key, err)
		}
	}
	if n != 12 { // the first is whole, and stored as such
		t.Errorf("%d slices", n)
	}
}

// decodeOdd reads types that tensor.Float32s does not: 0, 1 and 3 in each.
func decodeOdd(t *testing.T, v tensor.Tensor) []float64 {
	t.Helper()
	switch v.DType() {
	case tensor.Complex64:
		c, err := tensor.Values[complex64](v)
		if err != nil {
			t.Fatal(err)
		}
		return []float64{float64(real(c[0])), float64(real(c[1])), float64(real(c[2]))}
	case tensor.Complex128:
		c, err := tensor.Values[complex128](v)
		if err != nil {
			t.Fatal(err)
		}
		return []float64{real(c[0]), real(c[1]), real(c[2])}
	}
	table := map[tensor.DType]map[byte]float64{ // sign, exponent, mantissa: 5 and 2 bits with bias 15, 4 and 3 with bias 7
		tensor.Float8E5M2:   {0: 0, 0b0_01111_00: 1, 0b0_10000_10: 3},
		tensor.Float8E4M3FN: {0: 0, 0b0_0111_000: 1, 0b0_1000_100: 3},
	}
	var out []float64
	for _, b := range v.Bytes() {
		f, ok := table[v.DType()][b]
		if !ok {
			f = math.NaN()
		}
		out = append(out, f)
	}
	return out
}

// files copies a test model into memory.
func files(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	root := os.DirFS("testdata/" + name)
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(root, path)
		m["m/"+path] = &fstest.MapFile{Data: raw}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMissingAndUnknown(t *testing.T) {
	index, shard := "m/variables/variables.index", "m/variables/variables.data-00000-of-00001"
	for _, name := range []string{"m/saved_model.pb", index, shard} {
		m := files(t, "keras3")
		delete(m, name)
		if _, err := Load(m, "m", nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if _, err := Load(fstest.MapFS{"m/saved_model.pbtxt": {}}, "m", nil); !errors.Is(err, tensor.ErrUnsupported) {
		t.Error(err)
	}
	for _, tags := range [][]string{{"train"}, {}, {"serve", "gpu"}} {
		if _, err := Load(os.DirFS("testdata"), "keras3", tags); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "[serve]") {
			t.Errorf("tags %v: %v", tags, err)
		}
	}
	if _, err := Load(os.DirFS("testdata"), "hub_tf1", []string{}); err != nil {
		t.Error(err)
	}
	m := load(t, "module")
	if _, err := Freeze(m, "none"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "count") {
		t.Error(err)
	}
	if _, err := Freeze(m, "count"); !errors.Is(err, tensor.ErrUnsupported) {
		t.Error(err)
	}
}
