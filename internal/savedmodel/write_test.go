package savedmodel

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/litequant/litequant/tensor"
)

// testValue is check_write.py's value.
func testValue(t testing.TB, seed int, shape ...int) tensor.Tensor {
	t.Helper()
	n, err := tensor.Shape(shape).Elems()
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32((i*7+seed)%11-5) / 8
	}
	out, err := tensor.Of(shape, v...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// testSpec is the network that check_write.py computes with NumPy.
func testSpec(t testing.TB) Spec {
	t.Helper()
	var s Spec
	variable := func(name string, trainable bool, v tensor.Tensor) *Variable {
		d := &Variable{Name: name, DType: v.DType(), Shape: v.Shape(), Trainable: trainable}
		s.Variables = append(s.Variables, VariableValue{d, v})
		return d
	}
	kernel := variable("conv/kernel", true, testValue(t, 1, 3, 3, 1, 2))
	bias := variable("conv/bias", true, testValue(t, 2, 2))
	weights := variable("dense/kernel", true, testValue(t, 3, 18, 3))
	offset := variable("dense/bias", false, testValue(t, 4, 3))
	step, err := tensor.Of(tensor.Shape{}, int64(42))
	if err != nil {
		t.Fatal(err)
	}
	variable("step", false, step)

	var b Builder
	x := b.Input("image", tensor.Float32, tensor.Shape{-1, 6, 6, 1})
	y := b.Conv2D("conv/Conv2D", x, b.ReadVariable("conv/Conv2D/ReadVariableOp", kernel), 1, 1, "SAME")
	y = b.Relu("conv/Relu", b.BiasAdd("conv/BiasAdd", y, b.ReadVariable("conv/BiasAdd/ReadVariableOp", bias)))
	y = b.MaxPool("pool/MaxPool", y, 2, 2, 2, 2, "VALID")
	y = b.Reshape("flatten/Reshape", y, tensor.Shape{-1, 18})
	y = b.MatMul("dense/MatMul", y, b.ReadVariable("dense/MatMul/ReadVariableOp", weights))
	y = b.BiasAdd("dense/BiasAdd", y, b.ReadVariable("dense/BiasAdd/ReadVariableOp", offset))
	y = b.Identity("Identity", b.Softmax("dense/Softmax", y))
	b.Output("probs", y, tensor.Float32, tensor.Shape{-1, 3})
	s.Graph = b.Graph()
	return s
}

func writeBoth(t *testing.T) (hub, plain string) {
	t.Helper()
	s := testSpec(t)
	plain = filepath.Join(t.TempDir(), "plain")
	hub = filepath.Join(t.TempDir(), "hub")
	if err := Write(plain, s); err != nil {
		t.Fatal(err)
	}
	s.Hub = true
	if err := Write(hub, s); err != nil {
		t.Fatal(err)
	}
	return hub, plain
}

// TestWriteTensorFlow has TensorFlow load, run, train, convert and save again
// what was written.
func TestWriteTensorFlow(t *testing.T) {
	python := os.Getenv("LITEQUANT_PYTHON")
	if python == "" {
		t.Skip("LITEQUANT_PYTHON names no Python with tensorflow, tensorflow-hub and tf-keras")
	}
	hub, plain := writeBoth(t)
	out, err := exec.Command(python, "testdata/check_write.py", hub, plain).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%v\n%s", err, out)
	}
}

var compareTensors = cmp.Transformer("tensor", func(t tensor.Tensor) []any {
	return []any{t.DType(), t.Shape(), t.Bytes()}
})

func TestWriteReadsBack(t *testing.T) {
	hub, plain := writeBoth(t)
	want := testSpec(t)
	for _, dir := range []string{hub, plain} {
		m, err := Load(os.DirFS(filepath.Dir(dir)), filepath.Base(dir), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Variables()) != len(want.Variables) {
			t.Fatalf("%d variables", len(m.Variables()))
		}
		for i, v := range m.Variables() {
			value, err := m.Value(v)
			if err != nil {
				t.Fatal(err)
			}
			w := want.Variables[i]
			if diff := cmp.Diff(w.Value, value, compareTensors); diff != "" || v.Name != w.Name || v.Trainable != w.Trainable || v.Path != w.Name {
				t.Errorf("%v: %s", *v, diff)
			}
		}
		g, err := Freeze(m, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(describe(want.Graph), describe(g)); diff != "" {
			t.Error(diff)
		}
	}
	m, err := Load(os.DirFS(hub), ".", nil)
	if err != nil {
		t.Fatal(err)
	}
	fns, err := m.Functions("__call__")
	if err != nil || len(fns) != 2 {
		t.Fatal(fns, err)
	}
	for i, f := range fns {
		if training, ok := f.Params[1].Bool(); !ok || training != (i == 1) || f.Params[0].Name != "image" || f.Params[1].Name != "training" {
			t.Errorf("parameters of %s: %v", f.Name, f.Params)
		}
		g, err := FreezeFunction(m, f)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(describe(want.Graph)[:len(g.Nodes)], describe(g)[:len(g.Nodes)]); diff != "" {
			t.Error(diff)
		}
	}
}

// describe lists nodes by name, independent of their order's freedom.
func describe(g *Graph) []string {
	var lines []string
	for i, n := range g.Nodes {
		line := n.Op
		if i >= len(g.Inputs) {
			line = n.Name + " " + n.Op
		}
		for _, r := range n.Inputs {
			line += " " + g.Nodes[r.Node].Op
		}
		if n.Variable != nil {
			line += " " + n.Variable.Name
		}
		lines = append(lines, line)
	}
	for _, p := range append(append([]Port{}, g.Inputs...), g.Outputs...) {
		lines = append(lines, p.Name+p.DType.String()+p.Shape.String())
	}
	return lines
}

func TestWriteIsDeterministic(t *testing.T) {
	a, _ := writeBoth(t)
	b, _ := writeBoth(t)
	for _, name := range []string{"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"} {
		x, err1 := os.ReadFile(filepath.Join(a, name))
		y, err2 := os.ReadFile(filepath.Join(b, name))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if string(x) != string(y) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	other := &Variable{Name: "other", DType: tensor.Float32, Shape: tensor.Shape{2}}
	cases := []struct {
		name string
		edit func(*Spec)
		want error
	}{
		{"no graph", func(s *Spec) { s.Graph = nil }, tensor.ErrMalformed},
		{"no output", func(s *Spec) { s.Graph.Outputs = nil }, tensor.ErrMalformed},
		{"unknown variable", func(s *Spec) { s.Graph.Nodes[1].Variable = other }, tensor.ErrMalformed},
		{"wrong shape", func(s *Spec) { s.Variables[0].Value = s.Variables[1].Value }, tensor.ErrShape},
		{"twice", func(s *Spec) { s.Variables = append(s.Variables, s.Variables[0]) }, tensor.ErrMalformed},
		{"path taken", func(s *Spec) { s.Variables[0].Path = "dense" }, tensor.ErrMalformed},
		{"path within a variable", func(s *Spec) { s.Variables[1].Path = "step/x"; s.Variables[4].Path = "step" }, tensor.ErrMalformed},
		{"reserved path", func(s *Spec) { s.Variables[0].Path = "variables/0" }, tensor.ErrMalformed},
		{"empty path element", func(s *Spec) { s.Variables[0].Path = "a//b" }, tensor.ErrMalformed},
		{"two inputs of a module", func(s *Spec) { s.Graph.Inputs = append(s.Graph.Inputs, Port{Name: "b"}) }, tensor.ErrUnsupported},
		{"same name", func(s *Spec) { s.Hub = false; s.Graph.Outputs = append(s.Graph.Outputs, s.Graph.Outputs[0]) }, tensor.ErrMalformed},
		{"forward reference", func(s *Spec) { s.Graph.Nodes[2].Inputs[0].Node = 9 }, tensor.ErrMalformed},
		{"unknown operation", func(s *Spec) { s.Graph.Nodes[2].Op = "Strange" }, tensor.ErrUnsupported},
		{"input is no placeholder", func(s *Spec) { s.Graph.Inputs[0].Ref.Node = 2 }, tensor.ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := testSpec(t)
			s.Hub = true
			c.edit(&s)
			dir := t.TempDir()
			if err := Write(filepath.Join(dir, "m"), s); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, testSpec(t)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("existing directory: %v", err)
	}
}

// TestWriteProperty: variables of any names and places are read back, or refused.
func TestWriteProperty(t *testing.T) {
	dir := t.TempDir()
	base := testSpec(t)
	rapid.Check(t, func(t *rapid.T) {
		s := Spec{Graph: base.Graph, Variables: slices.Clone(base.Variables), Hub: rapid.Bool().Draw(t, "hub")}
		for i, name := range rapid.SliceOfN(rapid.StringMatching(`[ab]([./:_ ]?[ab])*`), 0, 6).Draw(t, "names") {
			v, err := tensor.Of(tensor.Shape{2}, int32(i), int32(-i))
			if err != nil {
				t.Fatal(err)
			}
			d := &Variable{Name: name, DType: v.DType(), Shape: v.Shape(), Trainable: i%2 == 0}
			s.Variables = append(s.Variables, VariableValue{d, v})
		}
		out := filepath.Join(dir, "m")
		defer os.RemoveAll(out)
		if err := Write(out, s); err != nil {
			if !errors.Is(err, tensor.ErrMalformed) || !strings.Contains(err.Error(), "path") {
				t.Fatal(err)
			}
			return
		}
		m, err := Load(os.DirFS(out), ".", nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]*Variable{}
		for _, v := range m.Variables() {
			got[v.Path] = v
		}
		if len(got) != len(s.Variables) {
			t.Fatalf("%d of %d variables", len(got), len(s.Variables))
		}
		for _, w := range s.Variables {
			v := got[w.Name]
			if v == nil || v.Name != w.Name || v.Trainable != w.Trainable {
				t.Fatalf("%q: %v", w.Name, v)
			}
			value, err := m.Value(v)
			if diff := cmp.Diff(w.Value, value, compareTensors); diff != "" {
				t.Fatal(err, diff)
			}
		}
	})
}
