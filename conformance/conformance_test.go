package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"testing"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// An engine is what the cases run on.
type runnable struct {
	name    string
	compile func(m *graph.Model) (*engine.Program, error)
	fast    bool
}

func engines() []runnable {
	list := []runnable{{name: "reference", compile: func(m *graph.Model) (*engine.Program, error) {
		return engine.Compile(m, engine.Options{Kind: engine.Reference})
	}}}
	for _, lv := range simd.Levels() {
		table := atLevel(lv)
		list = append(list, runnable{"fast-" + lv.Name(), func(m *graph.Model) (*engine.Program, error) {
			return engine.CompileKernels(all.Set(), table, m, engine.Options{})
		}, true})
	}
	return list
}

// atLevel is the table of fast kernels, held to one level.
func atLevel(lv *simd.Level) fast.Table {
	t := fast.Table{}
	for code, mk := range fast.Kernels {
		t[code] = func(e *fast.Env, c *op.Call) (op.Kernel, bool, error) {
			at := *e
			at.Level = lv
			return mk(&at, c)
		}
	}
	return t
}

func TestCases(t *testing.T) { runFolder(t, archives()) }

// TestMoreCases runs archives that generate.py wrote elsewhere, with another seed.
func TestMoreCases(t *testing.T) {
	folder := os.Getenv("LITEQUANT_CASES")
	if folder == "" {
		t.Skip("LITEQUANT_CASES names no folder")
	}
	runFolder(t, os.DirFS(folder))
}

func runFolder(t *testing.T, folder fs.FS) {
	operators, err := OperatorsIn(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range operators {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cases, err := LoadFrom(folder, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range engines() {
				t.Run(e.name, func(t *testing.T) { runAll(t, e, cases) })
			}
		})
	}
}

// runAll reports failing cases in one line each, the first few of them.
func runAll(t *testing.T, e runnable, cases []Case) {
	const most = 20
	worst, failed := 0.0, 0
	for i := range cases {
		ulps, err := e.run(&cases[i])
		if err != nil {
			if failed++; failed <= most {
				t.Errorf("%s: %v", cases[i].Name, err)
			}
		}
		worst = max(worst, ulps)
	}
	t.Logf("%d cases, %d failed, floats at most %.3g ulps off", len(cases), failed, worst)
}

// run returns the largest deviation of a float result.
func (e *runnable) run(c *Case) (ulps float64, err error) {
	m, err := tflite.Decode(c.Model, tflite.DecodeOptions{})
	if err != nil {
		return 0, err
	}
	p, err := e.compile(m)
	if err != nil {
		return 0, err
	}
	r, err := p.NewRunner("")
	if err != nil {
		return 0, err
	}
	bound := Bounds[c.Operator].Reference
	if e.fast {
		bound = Bounds[c.Operator].Fast
	}
	for i, s := range c.Steps {
		if err := invoke(r, s); err != nil {
			return ulps, err
		}
		for k, want := range s.Out {
			n, err := compare(r.OutputAt(k), want, e.fast)
			ulps = max(ulps, n)
			if err == nil && n > bound {
				err = fmt.Errorf("%.3g ulps off, %g are allowed", n, bound)
			}
			if err != nil {
				return ulps, fmt.Errorf("step %d, output %d: %w", i, k, err)
			}
		}
	}
	return ulps, nil
}

func invoke(r *engine.Runner, s Step) error {
	for i, in := range s.In {
		if r.InputAt(i).Shape().Equal(in.Shape()) {
			continue // a resize would reset the variables
		}
		if err := r.Resize(fmt.Sprint(i), in.Shape()); err != nil {
			return err
		}
	}
	for i, in := range s.In {
		if err := r.SetInput(i, in); err != nil {
			return err
		}
	}
	return r.Invoke(context.Background())
}

// compare returns the largest deviation in ulps of the largest finite wanted
// value; everything but floats must be equal. Complex numbers are pairs of floats.
func compare(got, want tensor.Tensor, saturate bool) (ulps float64, err error) {
	if got.DType() != want.DType() || !got.Shape().Equal(want.Shape()) {
		return 0, fmt.Errorf("is %v%v, want %v%v", got.DType(), got.Shape(), want.DType(), want.Shape())
	}
	g, _ := floats(got)
	w, smallest := floats(want)
	if w == nil {
		return 0, compareExact(got, want)
	}
	top := 0.0
	for _, v := range w {
		if a := math.Abs(v); a <= math.MaxFloat64 {
			top = max(top, a)
		}
	}
	ulp := ulpOf(top)
	if want.DType() == tensor.Float64 {
		ulp = math.Ldexp(ulp, 24-53)
	}
	ulp = math.Max(ulp, smallest)
	for i := range w {
		a, b := g[i], w[i]
		if saturate && math.Abs(b) == math.MaxFloat32 {
			a = math.Max(-math.MaxFloat32, math.Min(a, math.MaxFloat32))
		}
		switch {
		case a == b || a != a && b != b:
		case math.IsInf(a, 0) || math.IsInf(b, 0) || a != a || b != b:
			return ulps, fmt.Errorf("element %d is %v, want %v", i, a, b)
		default:
			ulps = max(ulps, math.Abs(a-b)/ulp)
		}
	}
	return ulps, nil
}

// floats returns the elements and the smallest positive value of the type, nil if
// its elements are not compared as floats.
func floats(t tensor.Tensor) (v []float64, smallest float64) {
	switch t.DType() {
	case tensor.Float64:
		return tensor.View[float64](t.Bytes()), math.SmallestNonzeroFloat64
	case tensor.Float32, tensor.Complex64:
		v = []float64{}
		for _, x := range op.F32s(t) {
			v = append(v, float64(x))
		}
	}
	return v, math.SmallestNonzeroFloat32
}

func ulpOf(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, e-24)
}

func compareExact(got, want tensor.Tensor) error {
	g, w := got.Bytes(), want.Bytes()
	if bytes.Equal(g, w) {
		return nil
	}
	size := max(want.DType().Size(), 1)
	for i := 0; i < min(len(g), len(w)); i += size {
		if !bytes.Equal(g[i:i+size], w[i:i+size]) {
			return fmt.Errorf("element %d is %x, want %x (little-endian)", i/size, g[i:i+size], w[i:i+size])
		}
	}
	return fmt.Errorf("has %d bytes, want %d", len(g), len(w))
}
