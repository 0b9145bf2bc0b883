package litequant_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant"
	"github.com/litequant/litequant/calibrate"
	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/dataset/mnist"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/quantize"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// tutorialDir is a folder with TensorFlow 2.21's own run of the tutorial: tf2.21/
// with model.h5, saved_model/, calibration.json and the .tflite files, hub_tf1/.
func tutorialDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LITEQUANT_TUTORIAL")
	if dir == "" {
		t.Skip("LITEQUANT_TUTORIAL does not name a folder with TensorFlow's files of the tutorial")
	}
	return dir
}

// tutorialSources are the ways to the same float model.
func tutorialSources(t *testing.T) map[string]*litequant.Converter {
	dir := tutorialDir(t)
	m, err := keras.Load(context.Background(), filepath.Join(dir, "tf2.21/model.h5"), keras.LoadOptions{Hub: []string{filepath.Join(dir, "hub_tf1")}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*litequant.Converter{
		"model.h5":    litequant.FromKeras(m),
		"saved_model": litequant.FromSavedModel(filepath.Join(dir, "tf2.21/saved_model")),
	}
}

func convert(t *testing.T, c *litequant.Converter) *graph.Model {
	t.Helper()
	file, err := c.Convert(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	m, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTutorialFloat converts TensorFlow's model.h5 and SavedModel and compares the
// result with TensorFlow's float.tflite: operators, versions, options, names, and
// every constant, bit for bit.
func TestTutorialFloat(t *testing.T) {
	want, err := tflite.ReadFile(filepath.Join(tutorialDir(t), "tf2.21/float.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range tutorialSources(t) {
		t.Run(name, func(t *testing.T) { sameModel(t, want, convert(t, c), nil) })
	}
}

// TestTutorialQuantized does the same for the quantized files, twice: from
// TensorFlow's statistics, where everything is equal, and from our own over the
// same 100 images, where float sums differ in the last bits: scales then agree to
// 1e-6, zero points and weights are equal, and a bias, which is divided by a scale,
// by as much of its size and one more for the rounding: one in int8, a few in the
// millions of 16x8's 64-bit biases.
func TestTutorialQuantized(t *testing.T) {
	dir := filepath.Join(tutorialDir(t), "tf2.21")
	stats, err := calibrate.ReadFile(filepath.Join(dir, "calibration.json"))
	if err != nil {
		t.Fatal(err)
	}
	digits, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	recipes := map[string]quantize.Recipe{
		"int8":    {Scheme: quantize.Int8},
		"uint8":   {Scheme: quantize.Int8Only, InputType: tensor.UInt8, OutputType: tensor.UInt8},
		"int16x8": {Scheme: quantize.Int16x8},
		"dynamic": {Scheme: quantize.Dynamic},
		"float16": {Scheme: quantize.Float16},
	}
	for source, c := range tutorialSources(t) {
		float := convert(t, c)
		for name, recipe := range recipes {
			want, err := tflite.ReadFile(filepath.Join(dir, name+".tflite"))
			if err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprintf("%s/%s/TensorFlow's statistics", source, name), func(t *testing.T) {
				got, _, err := quantize.WithStats(context.Background(), float, recipe, stats)
				if err != nil {
					t.Fatal(err)
				}
				sameModel(t, want, reread(t, got), nil)
			})
			t.Run(fmt.Sprintf("%s/%s/own statistics", source, name), func(t *testing.T) {
				got, _, err := quantize.Model(context.Background(), float, recipe, dataset.Take(digits.Train, 100))
				if err != nil {
					t.Fatal(err)
				}
				sameModel(t, want, reread(t, got), &slack{scale: 1e-6})
			})
		}
	}
}

// reread writes a model and reads it back, so that versions are those of the file.
func reread(t *testing.T, m *graph.Model) *graph.Model {
	t.Helper()
	file, err := tflite.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = tflite.Decode(file, tflite.DecodeOptions{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// slack is what may differ where statistics are our own.
type slack struct {
	scale float64 // relative
}

// sameModel compares node by node and operand by operand.
func sameModel(t *testing.T, want, got *graph.Model, s *slack) {
	t.Helper()
	ws, gs := want.Main(), got.Main()
	if len(ws.Nodes) != len(gs.Nodes) {
		t.Fatalf("%d operators, want %d", len(gs.Nodes), len(ws.Nodes))
	}
	sortDequantized(ws)
	sortDequantized(gs)
	for i := range ws.Nodes {
		w, g := &ws.Nodes[i], &gs.Nodes[i]
		place := fmt.Sprintf("operator %d %s", i, op.NameOf(w))
		if d := gocmp.Diff([]any{op.NameOf(w), w.Version, len(w.Inputs), len(w.Outputs)}, []any{op.NameOf(g), g.Version, len(g.Inputs), len(g.Outputs)}); d != "" {
			t.Fatalf("%s: %s", place, d)
		}
		if d := gocmp.Diff(w.Options, g.Options); d != "" {
			t.Errorf("%s: options: %s", place, d)
		}
		for k := range w.Inputs {
			sameValue(t, fmt.Sprintf("%s operand %d", place, k), ws, gs, w.Inputs[k], g.Inputs[k], s)
		}
		for k := range w.Outputs {
			sameValue(t, fmt.Sprintf("%s result %d", place, k), ws, gs, w.Outputs[k], g.Outputs[k], s)
		}
	}
	names := func(m *graph.Model) []string {
		var list []string
		for _, sig := range m.Signatures {
			list = append(list, sig.Key)
			for _, v := range append(append([]graph.NamedValue{}, sig.Inputs...), sig.Outputs...) {
				list = append(list, v.Name, m.Main().Value(v.Value).Name)
			}
		}
		return list
	}
	if d := gocmp.Diff(names(want), names(got)); d != "" {
		t.Errorf("signatures: %s", d)
	}
}

// sortDequantized orders the nodes over constants at the head of a float16 model by
// name: they follow the constants, whose order is no goal.
func sortDequantized(s *graph.Subgraph) {
	n := 0
	for n < len(s.Nodes) && len(s.Nodes[n].Inputs) == 1 && s.Value(s.Nodes[n].Inputs[0]).IsConst() {
		n++
	}
	slices.SortFunc(s.Nodes[:n], func(a, b graph.Node) int {
		return cmp.Compare(s.Value(a.Inputs[0]).Name, s.Value(b.Inputs[0]).Name)
	})
}

func sameValue(t *testing.T, place string, ws, gs *graph.Subgraph, wv, gv graph.ValueID, s *slack) {
	t.Helper()
	if wv == graph.None || gv == graph.None {
		if wv != gv {
			t.Errorf("%s: %d, want %d", place, gv, wv)
		}
		return
	}
	w, g := ws.Value(wv), gs.Value(gv)
	if d := gocmp.Diff([]any{w.Name, w.DType, w.Shape, w.Signature}, []any{g.Name, g.DType, g.Shape, g.Signature}); d != "" {
		t.Errorf("%s: %s", place, d)
	}
	if s == nil {
		if d := gocmp.Diff([]any{w.Quant.Scales, w.Quant.ZeroPoints, w.Quant.Axis}, []any{g.Quant.Scales, g.Quant.ZeroPoints, g.Quant.Axis}); d != "" {
			t.Errorf("%s %s: quantization: %s", place, w.Name, d)
		}
		if string(w.Const) != string(g.Const) {
			t.Errorf("%s %s: constants differ", place, w.Name)
		}
		return
	}
	nearlySame(t, place+" "+w.Name, w, g, s)
}

func nearlySame(t *testing.T, place string, w, g *graph.Value, s *slack) {
	t.Helper()
	if d := gocmp.Diff(w.Quant.ZeroPoints, g.Quant.ZeroPoints); d != "" || len(w.Quant.Scales) != len(g.Quant.Scales) {
		t.Errorf("%s: zero points: %s", place, d)
		return
	}
	for i, x := range w.Quant.Scales {
		if d := float64(g.Quant.Scales[i])/float64(x) - 1; d > s.scale || d < -s.scale {
			t.Errorf("%s: scale %d is %v, want %v", place, i, g.Quant.Scales[i], x)
		}
	}
	bias := !w.Quant.IsZero() && (w.DType == tensor.Int32 || w.DType == tensor.Int64)
	if !bias {
		if string(w.Const) != string(g.Const) {
			t.Errorf("%s: constants differ", place)
		}
		return
	}
	a, b := integers(t, w), integers(t, g)
	for i := range a {
		if d := math.Abs(a[i] - b[i]); d > 1+s.scale*math.Abs(a[i]) {
			t.Errorf("%s: bias %d is %v, want %v", place, i, b[i], a[i])
		}
	}
}

// integers returns an int32 or int64 constant.
func integers(t *testing.T, v *graph.Value) []float64 {
	list, err := op.IntsOf(v.Tensor())
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(list))
	for i, x := range list {
		out[i] = float64(x)
	}
	return out
}

// TestTutorialClasses holds that the converted model gives TensorFlow's class for
// every test image (testdata/gen_classes.py).
func TestTutorialClasses(t *testing.T) {
	sources := tutorialSources(t)
	want, err := os.ReadFile("testdata/tutorial_classes.bin")
	if err != nil {
		t.Fatal(err)
	}
	digits, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range sources {
		t.Run(name, func(t *testing.T) {
			p, err := engine.Compile(convert(t, c), engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.NewRunner("")
			if err != nil {
				t.Fatal(err)
			}
			wrong, n := 0, 0
			for b, err := range dataset.Batches(context.Background(), digits.Test, 100) {
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Resize("0", b.Inputs[0].Shape()); err != nil {
					t.Fatal(err)
				}
				copy(r.InputAt(0).Bytes(), b.Inputs[0].Bytes())
				if err := r.Invoke(context.Background()); err != nil {
					t.Fatal(err)
				}
				y := r.OutputAt(0).Float32s()
				for i := 0; i < len(y); i += 10 {
					if metric.ArgMax(y[i:i+10]) != int(want[n]) {
						wrong++
					}
					n++
				}
			}
			if wrong != 0 || n != len(want) {
				t.Errorf("%d of %d images get another class than TensorFlow's", wrong, n)
			}
		})
	}
}
