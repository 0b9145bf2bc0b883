package quantize

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/calibrate"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// recipes says how TensorFlow made each golden file.
var recipes = map[string]Recipe{
	"dynamic.tflite":       {Scheme: Dynamic},
	"dynamic_dense.tflite": {Scheme: Dynamic, PerTensorDense: true},
	"float16.tflite":       {Scheme: Float16},
	"int8.tflite":          {Scheme: Int8},
	"int8_dense.tflite":    {Scheme: Int8, PerTensorDense: true},
	"int8_io.tflite":       {Scheme: Int8, InputType: tensor.Int8, OutputType: tensor.Int8},
	"uint8_io.tflite":      {Scheme: Int8, InputType: tensor.UInt8, OutputType: tensor.UInt8},
	"int16x8.tflite":       {Scheme: Int16x8Fallback},
	"int16x8_dense.tflite": {Scheme: Int16x8Fallback, PerTensorDense: true},
	"int16_io.tflite":      {Scheme: Int16x8Fallback, InputType: tensor.Int16, OutputType: tensor.Int16},
}

// standIns are rows with nothing but quantization rules, for operators of the
// goldens that package op does not have yet: the propagation is then tested all
// the same.
func standIns() op.Set {
	unary, binary := []op.Rule{op.Activation()}, []op.Rule{op.Activation(), op.Activation()}
	pinned := func(s8 float32, z8 int64) []op.Rule { return []op.Rule{op.Pin8And16(s8, z8, 1./32768)} }
	v := func(n int) func(*op.Call) int {
		return func(c *op.Call) int {
			if d := c.In[0].DType; d == tensor.Int8 || d == tensor.Int16 {
				return n
			}
			return 1
		}
	}
	same := op.SameScale(0)
	one, two := op.In("x", op.Any).Out("y", op.Any), op.In("a", op.Any).In("b", op.Any).Out("y", op.Any)
	set := all.Set()
	for _, d := range []*op.Def{
		{Code: graph.OpCode(schema.ADD), Operands: two, Version: v(2), Quant: op.Quant{In: binary}},
		{Code: graph.OpCode(schema.SUB), Operands: two, Version: v(2), Quant: op.Quant{In: binary}},
		{Code: graph.OpCode(schema.MUL), Operands: two, Version: v(2), Quant: op.Quant{In: binary}},
		{Code: graph.OpCode(schema.RELU), Operands: one, Version: v(2), Quant: op.Quant{In: unary}},
		{Code: graph.OpCode(schema.LOGISTIC), Operands: one, Version: v(2), Quant: op.Quant{In: unary, Out: pinned(1./256, -128)}},
		{Code: graph.OpCode(schema.TANH), Operands: one, Version: v(2), Quant: op.Quant{In: unary, Out: pinned(1./128, 0)}},
		{Code: graph.OpCode(schema.SIN), Operands: one, Version: v(1), Quant: op.Quant{None: true}},
		{Code: graph.OpCode(schema.COS), Operands: one, Version: v(1), Quant: op.Quant{None: true}},
		{Code: graph.OpCode(schema.ABS), Operands: one, Version: v(2), Quant: op.Quant{In: unary}},
		{Code: graph.OpCode(schema.SQUARED_DIFFERENCE), Operands: two, Version: v(2), Quant: op.Quant{In: binary}},
		{Code: graph.OpCode(schema.REVERSE_V2), Operands: two, Version: v(3), Quant: op.Quant{In: unary, Int16: &same}},
		{Code: graph.OpCode(schema.PRELU), Operands: two, Version: v(1), Quant: op.Quant{In: []op.Rule{op.Activation(), op.PerChannel(-1)}, No16: true}},
		{Code: graph.OpCode(schema.LEAKY_RELU), Operands: one, Version: func(c *op.Call) int {
			if c.In[0].DType == tensor.Int16 {
				return 2
			}
			return 1
		}, Quant: op.Quant{In: unary}},
		{Code: graph.OpCode(schema.REDUCE_PROD), Operands: two, Version: v(1), Quant: op.Quant{In: unary}},
		{Code: graph.OpCode(schema.BATCH_MATMUL), Operands: two, Version: func(c *op.Call) int {
			if c.In[0].DType == tensor.Float32 && c.In[1].DType == tensor.Int8 {
				return 4
			}
			return v(2)(c)
		}, Quant: op.Quant{In: binary, Weights: []int{1}, Asym: true}},
		{Code: graph.OpCode(schema.GATHER), Operands: two, Version: v(2), Quant: func() op.Quant {
			q := same
			q.Weights = []int{0}
			return q
		}()},
		{Code: graph.OpCode(schema.ARG_MAX), Operands: two, Version: v(2), Quant: op.Quant{In: unary, No16: true}},
		{Code: graph.OpCode(schema.TRANSPOSE), Operands: two, Version: v(2), Quant: same},
		{Code: graph.OpCode(schema.STRIDED_SLICE), Operands: op.In("x", op.Any).In("b", op.Any).In("e", op.Any).In("s", op.Any).Out("y", op.Any), Version: v(2), Quant: same},
		{Code: graph.OpCode(schema.PACK), Operands: op.Operands{}.ManyIn("x", op.Any).Out("y", op.Any), Version: v(2), Quant: same},
		{Code: graph.OpCode(schema.SPLIT), Operands: op.In("axis", op.Any).In("x", op.Any).ManyOut("y", op.Any), Version: func(c *op.Call) int {
			return v(2)(&op.Call{Node: c.Node, In: c.In[1:]})
		}, Quant: op.Quant{Same: true, In: []op.Rule{{}, op.Activation()}}},
		{Code: graph.OpCode(schema.MINIMUM), Operands: two, Version: v(2), Quant: op.SameScale(0, 1)},
		{Code: graph.OpCode(schema.MAXIMUM), Operands: two, Version: v(2), Quant: op.SameScale(0, 1)},
		{Code: graph.OpCode(schema.CONCATENATION), Operands: op.Operands{}.ManyIn("x", op.Any).Out("y", op.Any), Version: v(2), Quant: same},
		{Code: graph.OpCode(schema.PAD), Operands: op.In("x", op.Any).In("p", op.Any).Out("y", op.Any), Version: v(2), Quant: same},
		{Code: graph.OpCode(schema.SHAPE), Operands: one, Version: v(1), Quant: op.Quant{In: unary}},
		{Code: graph.OpCode(schema.MEAN), Operands: op.In("x", op.Any).In("axes", op.Any).Out("y", op.Any), Version: v(2), Quant: op.Quant{In: unary}},
	} {
		if set.ByCode(d.Code) == nil {
			d.Name = op.CodeName(d.Code)
			d.Since = []string{"1.5.0", "1.14.0"}
			set = set.With(d)
		}
	}
	return set
}

// goldens lists the networks of testdata.
func goldens(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.zip")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	return files
}

func unzip(t *testing.T, name string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestTensorFlow quantizes TensorFlow's float models with TensorFlow's ranges and
// compares with the files TensorFlow writes.
func TestTensorFlow(t *testing.T) {
	for _, name := range goldens(t) {
		files := unzip(t, name)
		for file := range files {
			if r, ok := recipes[file]; ok {
				t.Run(strings.TrimSuffix(filepath.Base(name), ".zip")+"/"+file, func(t *testing.T) {
					compareWith(t, files, file, r)
				})
			}
		}
	}
}

func compareWith(t *testing.T, files map[string][]byte, file string, r Recipe) {
	t.Helper()
	stats, err := calibrate.Decode(files["calibration.json"])
	if err != nil {
		t.Fatal(err)
	}
	ops := standIns()
	r.Operators = &ops
	got := encoded(t, files["float.tflite"], r, stats)
	want := decode(t, files[file])
	sameModels(t, decode(t, got), want, exact)
	if d := len(got) - len(files[file]); d < -600 || d > 300 {
		t.Errorf("file of %d bytes, TensorFlow's has %d", len(got), len(files[file]))
	}
}

func encoded(t *testing.T, float []byte, r Recipe, stats *calibrate.Statistics) []byte {
	t.Helper()
	q, _, err := WithStats(context.Background(), decode(t, float), r, stats)
	if err != nil {
		t.Fatal(err)
	}
	ops := all.Set()
	if r.Operators != nil {
		ops = *r.Operators
	}
	b, err := tflite.EncodeWith(ops, q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, file []byte) *graph.Model {
	t.Helper()
	m, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tolerance says how far scales, relative, and biases may be apart. Biases of 16x8
// run into the millions: what their scales are apart comes on top.
type tolerance struct {
	scale float64
	bias  int64
}

var exact = tolerance{}

// sameModels compares two models operator by operator: code, version, options,
// operands and results with names, types, shapes, parameters and constants.
func sameModels(t *testing.T, got, want *graph.Model, tol tolerance) {
	t.Helper()
	if g, w := listing(got), listing(want); g != w {
		t.Errorf("operators (- TensorFlow's, + ours):\n%s", cmp.Diff(strings.Split(w, "\n"), strings.Split(g, "\n")))
		return
	}
	g, w := got.Main(), want.Main()
	for i := range w.Nodes {
		a, b := &g.Nodes[i], &w.Nodes[i]
		if d := cmp.Diff(b.Options, a.Options); d != "" {
			t.Errorf("node %d: options (- TensorFlow's, + ours):\n%s", i, d)
		}
		for k := range b.Inputs {
			sameValues(t, fmt.Sprintf("node %d operand %d", i, k), g, w, a.Inputs[k], b.Inputs[k], tol)
		}
		for k := range b.Outputs {
			sameValues(t, fmt.Sprintf("node %d result %d", i, k), g, w, a.Outputs[k], b.Outputs[k], tol)
		}
	}
	for k := range w.Inputs {
		sameValues(t, fmt.Sprint("input ", k), g, w, g.Inputs[k], w.Inputs[k], tol)
	}
	for k := range w.Outputs {
		sameValues(t, fmt.Sprint("output ", k), g, w, g.Outputs[k], w.Outputs[k], tol)
	}
	if d := cmp.Diff(signatures(want), signatures(got)); d != "" {
		t.Errorf("signatures (- TensorFlow's, + ours):\n%s", d)
	}
	if d := cmp.Diff(metadata(want), metadata(got)); d != "" {
		t.Errorf("metadata (- TensorFlow's, + ours):\n%s", d)
	}
}

// listing is the operators with versions and their values, numbered in order of
// appearance.
func listing(m *graph.Model) string {
	var b strings.Builder
	g := m.Main()
	number := map[graph.ValueID]int{graph.None: -1}
	put := func(ids []graph.ValueID) {
		for _, v := range ids {
			if _, ok := number[v]; !ok {
				number[v] = len(number)
			}
			fmt.Fprintf(&b, " %d", number[v])
		}
	}
	put(g.Inputs)
	for i := range g.Nodes {
		n := &g.Nodes[i]
		fmt.Fprintf(&b, "\n%s %d", op.NameOf(n), version(m, n))
		put(n.Inputs)
		b.WriteString(" =>")
		put(n.Outputs)
	}
	b.WriteString("\n")
	put(g.Outputs)
	return b.String()
}

// version is a node's version, 0 where it cannot be compared. In 16x8 files
// TensorFlow gives operators their int8 version whatever their operands' types
// are: 2 to ADD and SUB, whose rows say 3 and 5 as the runtime does for int16,
// and that of int8 to operators that compute shapes.
func version(m *graph.Model, n *graph.Node) int {
	if !isWide(m) {
		return n.Version
	}
	if n.Op == graph.OpCode(schema.ADD) || n.Op == graph.OpCode(schema.SUB) {
		return 0
	}
	g := m.Main()
	for i := range g.Nodes {
		if o := &g.Nodes[i]; o.Op == n.Op && slices.ContainsFunc(slices.Concat(o.Inputs, o.Outputs), func(v graph.ValueID) bool {
			return v != graph.None && !g.Values[v].Quant.IsZero()
		}) {
			return n.Version
		}
	}
	return 0
}

// isWide reports whether a model was quantized by a 16x8 scheme.
func isWide(m *graph.Model) bool {
	c := m.MetadataOf(conversionMetadata)
	return c != nil && slices.Contains(schema.UnpackConversionMetadata(c).Options.ModelOptimizationModes, fb.ModelOptimizationModePTQ_INT16)
}

func signatures(m *graph.Model) []string {
	var out []string
	for _, s := range m.Signatures {
		g := m.Subgraphs[s.Subgraph]
		for _, v := range s.Inputs {
			out = append(out, s.Key+" in "+v.Name+" "+g.Values[v.Value].Name)
		}
		for _, v := range s.Outputs {
			out = append(out, s.Key+" out "+v.Name+" "+g.Values[v.Value].Name)
		}
	}
	return out
}

// metadata is a model's metadata but for min_runtime_version where it cannot be
// compared: TensorFlow leaves the float file's in 16x8 files, though their
// operators are newer, and stand-ins do not know theirs.
func metadata(m *graph.Model) map[string]any {
	out := map[string]any{}
	skip := isWide(m)
	for _, d := range m.Metadata {
		out[d.Name] = string(d.Data)
		if d.Name == conversionMetadata {
			c := schema.UnpackConversionMetadata(d.Data)
			c.Environment.ModelHash = 0 // TensorFlow hashes each conversion's input anew
			out[d.Name] = c
		}
	}
	known := all.Set()
	for i := range m.Main().Nodes {
		if known.ByCode(m.Main().Nodes[i].Op) == nil {
			skip = true
		}
	}
	if skip {
		delete(out, tflite.MinRuntimeVersion)
	}
	return out
}

func sameValues(t *testing.T, where string, g, w *graph.Subgraph, i, k graph.ValueID, tol tolerance) {
	t.Helper()
	if i == graph.None || k == graph.None {
		if i != k {
			t.Errorf("%s: %d, want %d", where, i, k)
		}
		return
	}
	a, b := g.Value(i), w.Value(k)
	where = fmt.Sprintf("%s %q", where, b.Name)
	if !sameNames(g, w, i, k) || a.DType != b.DType || !a.Shape.Equal(b.Shape) || !a.Signature.Equal(b.Signature) {
		t.Errorf("%s: %q %v %v %v, want %q %v %v %v", where, a.Name, a.DType, a.Shape, a.Signature, b.Name, b.DType, b.Shape, b.Signature)
		return
	}
	if d := quantDiff(a.Quant, b.Quant, tol); d != "" {
		t.Errorf("%s: %s", where, d)
	}
	if d := constDiff(a, b, tol); d != "" {
		t.Errorf("%s: %s", where, d)
	}
}

// sameNames compares names. The numbers that tell values of one origin apart are
// no goal, nor are the names of constants that have none of their own; inputs and outputs keep
// their names exactly.
func sameNames(g, w *graph.Subgraph, i, k graph.ValueID) bool {
	a, b := g.Value(i).Name, w.Value(k).Name
	if w.IsInput(k) || w.IsOutput(k) {
		return a == b
	}
	if p := w.Producers()[k]; p >= 0 && len(w.Nodes[p].Outputs) > 1 {
		return true // TensorFlow names them after all of its results
	}
	stem := func(s string) string { return strings.TrimRight(s, "0123456789") }
	return stem(a) == stem(b) || stem(b) == "tfl.dequantize" || stem(b) == "tfl.pseudo_qconst"
}

func quantDiff(a, b tensor.Quant, tol tolerance) string {
	if len(a.Scales) != len(b.Scales) || !slices.Equal(a.ZeroPoints, b.ZeroPoints) || len(a.Scales) > 1 && a.Axis != b.Axis {
		return fmt.Sprintf("%d scales, zero points %v, axis %d, want %d, %v, %d", len(a.Scales), a.ZeroPoints, a.Axis, len(b.Scales), b.ZeroPoints, b.Axis)
	}
	for c := range b.Scales {
		if d := float64(a.Scales[c]) - float64(b.Scales[c]); d > tol.scale*float64(b.Scales[c]) || -d > tol.scale*float64(b.Scales[c]) {
			return fmt.Sprintf("scale %d is %v, want %v", c, a.Scales[c], b.Scales[c])
		}
	}
	if tol == exact && len(b.Scales) > 0 && (!slices.Equal(a.Min, b.Min) || !slices.Equal(a.Max, b.Max)) {
		return fmt.Sprintf("range %v %v, want %v %v", a.Min, a.Max, b.Min, b.Max)
	}
	return ""
}

func constDiff(a, b *graph.Value, tol tolerance) string {
	if bytes.Equal(a.Const, b.Const) && (a.Const == nil) == (b.Const == nil) {
		return ""
	}
	if len(a.Const) != len(b.Const) {
		return fmt.Sprintf("constant of %d bytes, want %d", len(a.Const), len(b.Const))
	}
	x, y := raw(a), raw(b)
	wrong, first := 0, -1
	for i := range y {
		d := x[i] - y[i]
		slack := int64(0)
		if b.DType == tensor.Int32 || b.DType == tensor.Int64 {
			slack = tol.bias + int64(tol.scale*math.Abs(float64(y[i])))
		}
		if d > slack || -d > slack {
			if wrong++; first < 0 {
				first = i
			}
		}
	}
	if wrong == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d elements differ, element %d is %v, want %v", wrong, len(y), first, x[first], y[first])
}

func raw(v *graph.Value) []int64 {
	switch v.DType {
	case tensor.Int8:
		return ints[int8](v)
	case tensor.Int16, tensor.Float16:
		return ints[int16](v)
	case tensor.Int64:
		return ints[int64](v)
	}
	return ints[int32](v)
}

func ints[T int8 | int16 | int32 | int64](v *graph.Value) []int64 {
	var out []int64
	for _, x := range tensor.View[T](append(tensor.Aligned(0), v.Const...)) {
		out = append(out, int64(x))
	}
	return out
}

// tutorial is the folder of the MNIST tutorial's models, made by TensorFlow 2.21,
// as the environment variable LITEQUANT_TUTORIAL names it: float.tflite, the
// quantized files, calibration.json.
func tutorial(t *testing.T, file string) []byte {
	t.Helper()
	dir := os.Getenv("LITEQUANT_TUTORIAL")
	if dir == "" {
		t.Skip("LITEQUANT_TUTORIAL names no folder with the tutorial's models")
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the folder has no ", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTutorial is TestTensorFlow for the tutorial's models, whose integer file is
// made with TFLITE_BUILTINS_INT8 and uint8 inputs and outputs.
func TestTutorial(t *testing.T) {
	tutorial(t, "float.tflite")
	for file, r := range map[string]Recipe{
		"dynamic.tflite": {Scheme: Dynamic},
		"float16.tflite": {Scheme: Float16},
		"int8.tflite":    {Scheme: Int8},
		"uint8.tflite":   {Scheme: Int8Only, InputType: tensor.UInt8, OutputType: tensor.UInt8},
		"int16x8.tflite": {Scheme: Int16x8},
		// Made with _experimental_disable_per_channel_quantization_for_dense_layers.
		"dynamic_dense.tflite": {Scheme: Dynamic, PerTensorDense: true},
		"int8_dense.tflite":    {Scheme: Int8, PerTensorDense: true},
		"int16x8_dense.tflite": {Scheme: Int16x8, PerTensorDense: true},
	} {
		t.Run(file, func(t *testing.T) {
			files := map[string][]byte{file: tutorial(t, file)}
			for _, f := range []string{"float.tflite", "calibration.json"} {
				files[f] = tutorial(t, f)
			}
			compareWith(t, files, file, r)
		})
	}
}
