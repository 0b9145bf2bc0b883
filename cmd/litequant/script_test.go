package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/npy"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"litequant": func() { os.Exit(Main()) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": fails, "cuts": cuts, "patch": patch, "arrays": arrays,
		},
	})
}

// setup writes the scripts' models and data: model.h5, model.keras and
// saved_model classify the largest of four numbers; data.npz holds labelled
// samples of them.
func setup(env *testscript.Env) error {
	env.Setenv("TFHUB_CACHE_DIR", filepath.Join(env.WorkDir, "cache"))
	m, err := classifier()
	if err != nil {
		return err
	}
	path := func(name string) string { return filepath.Join(env.WorkDir, name) }
	for _, name := range []string{"model.h5", "model.keras", "saved_model"} {
		if err := m.Save(path(name)); err != nil {
			return err
		}
	}
	if err := writeArrays(path("data.npz"), samples()); err != nil {
		return err
	}
	x := samples()[0].Tensor
	return errors.Join(
		writeArrays(path("wide.npz"), []npy.Array{{Name: "x", Tensor: must(x.Reshaped(tensor.Shape{8, 8}))}, {Name: "y", Tensor: labels(8)}}),
		writeArrays(path("short.npz"), []npy.Array{{Name: "x", Tensor: x}, {Name: "y", Tensor: labels(15)}}),
		writeArrays(path("nan.npz"), []npy.Array{{Name: "x", Tensor: must(tensor.Of(tensor.Shape{1, 4}, 1, 2, nan, 4))}, {Name: "y", Tensor: labels(1)}}),
		writeArrays(path("none.npz"), []npy.Array{{Name: "x", Tensor: must(tensor.Of[float32](tensor.Shape{0, 4}))}}),
		writeImage(path("grey.png")),
		writeInputs(path),
		tflite.WriteFile(path("image.tflite"), identity(tensor.Float32, tensor.Quant{})),
		tflite.WriteFile(path("sum.tflite"), runningSum()),
		tflite.WriteFile(path("words.tflite"), words()),
		tflite.WriteFile(path("image8.tflite"), identity(tensor.Int8, tensor.PerTensor(1./255, -128))),
	)
}

// classifier returns a model of which class i's logit is input i.
func classifier() (*keras.Model, error) {
	m, err := keras.Sequential(
		keras.InputLayer{Shape: tensor.Shape{4}, Name: "x"},
		keras.Dense{Units: 4, Activation: keras.Softmax, Name: "y"},
	)
	if err != nil {
		return nil, err
	}
	unit := make([]float32, 16)
	for i := range 4 {
		unit[5*i] = 1
	}
	m.Weights()[0].Value, err = tensor.Of(tensor.Shape{4, 4}, unit...)
	return m, err
}

var nan = func() float32 { var zero float32; return zero / zero }()

// samples returns 16 samples x, whose class is i%4, and their labels y, of which
// the last is wrong.
func samples() []npy.Array {
	const n = 16
	x, y := make([]float32, 4*n), make([]uint8, n)
	for i := range n {
		for k := range 4 {
			x[4*i+k] = float32(k) / 16
		}
		x[4*i+i%4] = 1
		y[i] = uint8(i % 4)
	}
	y[n-1] = 0
	return []npy.Array{{Name: "x", Tensor: must(tensor.Of(tensor.Shape{n, 4}, x...))}, {Name: "y", Tensor: must(tensor.Of(tensor.Shape{n}, y...))}}
}

// writeInputs writes arrays for run: x.npy has class 2, x3.npy and steps.npy hold
// it and two more.
func writeInputs(path func(string) string) error {
	x, all := []float32{0, 0, 1, 0}, []float32{0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0}
	one := must(tensor.Of(tensor.Shape{1, 4}, x...))
	files := map[string]tensor.Tensor{
		"x.npy":      one,
		"x3.npy":     must(tensor.Of(tensor.Shape{3, 4}, all...)),
		"steps.npy":  must(tensor.Of(tensor.Shape{3, 1, 4}, all...)),
		"flat.npy":   must(tensor.Of(tensor.Shape{1, 3}, x[:3]...)),
		"scalar.npy": must(tensor.Of(nil, x[:1]...)),
		"count.npy":  must(tensor.Of(tensor.Shape{4, 1, 1}, float32(1), 2, 3, 4)),
		"words.npy":  must(tensor.OfStrings(tensor.Shape{2, 2}, "one", "two", "", "three")),
		"double.npy": must(tensor.Of(tensor.Shape{1, 4}, 0., 0, 1, 0)),
	}
	for name, t := range files {
		var b bytes.Buffer
		if err := npy.Write(&b, t); err != nil {
			return err
		}
		if err := os.WriteFile(path(name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return errors.Join(
		writeArrays(path("one.npz"), []npy.Array{{Name: "x", Tensor: one}}),
		writeArrays(path("empty.npz"), nil))
}

// identity returns a model that copies an image x of any size to y.
func identity(d tensor.DType, q tensor.Quant) *graph.Model {
	g := &graph.Subgraph{Name: "main"}
	declared := tensor.Shape{-1, -1, -1, 1}
	for _, name := range []string{"x", "y"} {
		g.Values = append(g.Values, graph.Value{Name: name, DType: d, Shape: tensor.Shape{1, 1, 1, 1}, Signature: declared, Quant: q})
	}
	pool := &fb.Pool2DOptionsT{FilterHeight: 1, FilterWidth: 1, StrideH: 1, StrideW: 1, Padding: fb.PaddingVALID}
	g.Inputs, g.Outputs = []graph.ValueID{0}, []graph.ValueID{1}
	g.Nodes = []graph.Node{{Op: graph.OpCode(schema.MAX_POOL_2D), Options: pool, Inputs: g.Inputs, Outputs: g.Outputs}}
	return &graph.Model{Subgraphs: []*graph.Subgraph{g}}
}

// runningSum returns a model that adds its input x of shape [1,1] to its state: an
// RNN with unit weights.
func runningSum() *graph.Model {
	g := &graph.Subgraph{Name: "main"}
	unit, zero := tensor.BytesOf([]float32{1}), tensor.BytesOf([]float32{0})
	for _, v := range []graph.Value{
		{Name: "x", Shape: tensor.Shape{1, 1}},
		{Name: "w", Shape: tensor.Shape{1, 1}, Const: unit},
		{Name: "r", Shape: tensor.Shape{1, 1}, Const: unit},
		{Name: "b", Shape: tensor.Shape{1}, Const: zero},
		{Name: "state", Shape: tensor.Shape{1, 1}, Variable: true},
		{Name: "", Shape: tensor.Shape{1, 1}},
	} {
		g.Add(v)
	}
	g.Inputs, g.Outputs = []graph.ValueID{0}, []graph.ValueID{5}
	g.Nodes = []graph.Node{{
		Op: graph.OpCode(schema.RNN), Options: &fb.RNNOptionsT{},
		Inputs: []graph.ValueID{0, 1, 2, 3, 4}, Outputs: g.Outputs,
	}}
	return &graph.Model{Subgraphs: []*graph.Subgraph{g}}
}

// words returns a model that makes a row of its input, a vector of strings.
func words() *graph.Model {
	g := &graph.Subgraph{Name: "main"}
	g.Add(graph.Value{Name: "x", DType: tensor.String, Shape: tensor.Shape{1}, Signature: tensor.Shape{-1}})
	g.Add(graph.Value{Name: "shape", DType: tensor.Int32, Shape: tensor.Shape{2}, Const: tensor.BytesOf([]int32{1, -1})})
	g.Add(graph.Value{Name: "y", DType: tensor.String, Shape: tensor.Shape{1, 1}, Signature: tensor.Shape{1, -1}})
	g.Inputs, g.Outputs = []graph.ValueID{0}, []graph.ValueID{2}
	g.Nodes = []graph.Node{{Op: graph.OpCode(schema.RESHAPE), Options: &fb.ReshapeOptionsT{}, Inputs: []graph.ValueID{0, 1}, Outputs: g.Outputs}}
	return &graph.Model{Subgraphs: []*graph.Subgraph{g}}
}

func labels(n int) tensor.Tensor { return must(tensor.Of(tensor.Shape{n}, make([]uint8, n)...)) }

func must(t tensor.Tensor, err error) tensor.Tensor {
	if err != nil {
		panic(err)
	}
	return t
}

func writeArrays(name string, list []npy.Array) error {
	var b bytes.Buffer
	if err := npy.WriteAll(&b, list); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

func writeImage(name string) error {
	m := image.NewGray(image.Rect(0, 0, 3, 2))
	for i := range m.Pix {
		m.SetGray(i%3, i/3, color.Gray{Y: uint8(51 * i)})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

// fails CODE ARGS... runs litequant, which must exit with CODE, print nothing but
// one line of error, and leave neither out.* nor a temporary file.
func fails(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: fails CODE ARGS...")
	}
	err := ts.Exec("litequant", args[1:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout: %s", out)
	}
	text := ts.ReadFile("stderr")
	if !strings.HasPrefix(text, "litequant: ") || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		ts.Fatalf("not one line of error: %q", text)
	}
	for _, pattern := range []string{"out.*", "out", ".*litequant-*"} {
		if left, _ := filepath.Glob(ts.MkAbs(pattern)); left != nil {
			ts.Fatalf("left behind: %v", left)
		}
	}
}

// cuts FILE writes FILE's first bytes, cut at ten places, to cut0.EXT … cut9.EXT.
func cuts(ts *testscript.TestScript, _ bool, args []string) {
	b := []byte(ts.ReadFile(args[0]))
	for i := range 10 {
		name := fmt.Sprintf("cut%d%s", i, filepath.Ext(args[0]))
		ts.Check(os.WriteFile(ts.MkAbs(name), b[:len(b)*i/10+i], 0o644))
	}
}

// patch FILE OLD NEW OUT replaces a text of equal length in a binary file.
func patch(ts *testscript.TestScript, _ bool, args []string) {
	file, old, text := ts.ReadFile(args[0]), args[1], args[2]
	if len(old) != len(text) || !strings.Contains(file, old) {
		ts.Fatalf("%q is not in %s or not as long as %q", old, args[0], text)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(strings.ReplaceAll(file, old, text)), 0o644))
}

// arrays FILE prints the names, types, shapes and stored values of a .npz file's
// arrays to arrays.txt.
func arrays(ts *testscript.TestScript, _ bool, args []string) {
	b := ts.ReadFile(args[0])
	list, err := npy.ReadAll(strings.NewReader(b), int64(len(b)), 1<<20)
	ts.Check(err)
	var out strings.Builder
	for _, a := range list {
		values := fmt.Sprintf("%.4v", a.Tensor.WithQuant(tensor.Quant{}).Float32s())
		if a.Tensor.DType() == tensor.String {
			v, err := a.Tensor.Strings()
			ts.Check(err)
			values = fmt.Sprintf("%q", v)
		}
		fmt.Fprintf(&out, "%s %v %v %s\n", a.Name, a.Tensor.DType(), a.Tensor.Shape(), values)
	}
	ts.Check(os.WriteFile(ts.MkAbs("arrays.txt"), []byte(out.String()), 0o644))
}
