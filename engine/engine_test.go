package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

var kinds = map[string]engine.Kind{"fast": engine.Fast, "reference": engine.Reference}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newRunner(t testing.TB, m *graph.Model, o engine.Options) *engine.Runner {
	t.Helper()
	return must(must(engine.Compile(m, o))(t).NewRunner(""))(t)
}

// floats is a model of one subgraph over float32 values; build adds its nodes.
func floats(inputs []tensor.Shape, build func(s *graph.Subgraph)) *graph.Model {
	s := &graph.Subgraph{Name: "main"}
	for i, shape := range inputs {
		s.Inputs = append(s.Inputs, s.Add(graph.Value{Name: fmt.Sprintf("in%d", i), Shape: shape}))
	}
	build(s)
	return &graph.Model{Subgraphs: []*graph.Subgraph{s}}
}

// node adds a node with one float32 result and returns that.
func node(s *graph.Subgraph, code schema.BuiltinOperator, options any, in ...graph.ValueID) graph.ValueID {
	out := s.Add(graph.Value{Name: fmt.Sprintf("v%d", len(s.Values))})
	s.Nodes = append(s.Nodes, graph.Node{Op: graph.OpCode(code), Options: options, Inputs: in, Outputs: []graph.ValueID{out}})
	return out
}

// chain is in → RELU → RELU6 → out.
func chain() *graph.Model {
	return floats([]tensor.Shape{{2, 3}}, func(s *graph.Subgraph) {
		v := node(s, schema.RELU, nil, s.Inputs[0])
		s.Outputs = []graph.ValueID{node(s, schema.RELU6, nil, v)}
	})
}

// load sets a case's first inputs.
func load(t testing.TB, r *engine.Runner, c *conformance.Case) {
	t.Helper()
	for i, in := range c.Steps[0].In {
		if err := r.Resize(fmt.Sprint(i), in.Shape()); err != nil {
			t.Fatal(err)
		}
	}
	for i, in := range c.Steps[0].In {
		copy(r.InputAt(i).Bytes(), in.Bytes())
	}
}

func cases(t testing.TB, operator, prefix string) []conformance.Case {
	t.Helper()
	var list []conformance.Case
	for _, c := range must(conformance.Load(operator))(t) {
		if strings.HasPrefix(c.Name, prefix) {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no case %s %s", operator, prefix)
	}
	return list
}

func TestInvokeAllocatesNothing(t *testing.T) {
	for _, name := range must(conformance.Operators())(t) {
		for kind, k := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				seen := map[string]bool{}
				for _, c := range must(conformance.Load(name))(t) {
					mode, _, _ := strings.Cut(c.Name, "/")
					if seen[mode] || c.Steps[0].Out[0].Len() == 0 {
						continue
					}
					seen[mode] = true
					r := newRunner(t, must(tflite.Decode(c.Model, tflite.DecodeOptions{}))(t), engine.Options{Kind: k})
					if !static(r) {
						continue
					}
					load(t, r, &c)
					noAllocations(t, c.Name, r)
				}
			})
		}
	}
}

// static reports whether the sizes of all outputs are known before the model runs.
func static(r *engine.Runner) bool {
	for i := range r.OutputNames() {
		if r.OutputAt(i).Bytes() == nil {
			return false
		}
	}
	return true
}

// TestStaticControlFlow: loops, branches and variables whose shapes are known have their
// results in the arena.
func TestStaticControlFlow(t *testing.T) {
	for _, name := range []string{"WHILE", "IF", "CALL_ONCE", "READ_VARIABLE", "ASSIGN_VARIABLE", "STABLEHLO_COMPOSITE", "STABLEHLO_CASE"} {
		n := 0
		all := must(conformance.Load(name))(t)
		for _, c := range all {
			if static(newRunner(t, must(tflite.Decode(c.Model, tflite.DecodeOptions{}))(t), engine.Options{})) {
				n++
			}
		}
		if t.Logf("%s: %d of %d", name, n, len(all)); n == 0 {
			t.Errorf("no case of %s is static", name)
		}
	}
}

func noAllocations(t *testing.T, name string, r *engine.Runner) {
	t.Helper()
	ctx := context.Background()
	n := testing.AllocsPerRun(5, func() {
		if err := r.Invoke(ctx); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%s: %g allocations an invocation", name, n)
	}
}

func TestTutorialAllocatesNothing(t *testing.T) {
	folder := os.Getenv("LITEQUANT_TUTORIAL")
	if folder == "" {
		t.Skip("LITEQUANT_TUTORIAL does not name the folder that holds tf2.21/int8.tflite")
	}
	files := must(filepath.Glob(filepath.Join(folder, "*", "*.tflite")))(t)
	for _, f := range files {
		m := must(tflite.ReadFile(f))(t)
		for kind, k := range kinds {
			noAllocations(t, filepath.Base(f)+" "+kind, newRunner(t, m, engine.Options{Kind: k}))
		}
	}
}

// TestSharedProgram runs one program in many goroutines, each with its own runner.
func TestSharedProgram(t *testing.T) {
	for _, c := range []conformance.Case{
		cases(t, "CONV_2D", "wide-int8-per-channel")[0], cases(t, "CONV_2D", "wide-hybrid-per-channel")[0],
		cases(t, "CONV_2D", "wide-float32")[2], cases(t, "FULLY_CONNECTED", "edge-int16x8")[2], cases(t, "MAX_POOL_2D", "uint8")[9],
	} {
		m := must(tflite.Decode(c.Model, tflite.DecodeOptions{}))(t)
		for kind, k := range kinds {
			p := must(engine.Compile(m, engine.Options{Kind: k}))(t)
			first := must(p.NewRunner(""))(t)
			load(t, first, &c)
			if err := first.Invoke(context.Background()); err != nil {
				t.Fatal(err)
			}
			want := bytes.Clone(first.OutputAt(0).Bytes())
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					r, err := p.NewRunner("")
					if err != nil {
						t.Error(err)
						return
					}
					load(t, r, &c)
					for range 4 {
						if err := r.Invoke(context.Background()); err != nil || !bytes.Equal(r.OutputAt(0).Bytes(), want) {
							t.Errorf("%s %s: %v, or another result", c.Name, kind, err)
							return
						}
					}
				})
			}
			wg.Wait()
		}
	}
}

// TestResize goes from batch 1 to 7 and back; each row stays what it is alone.
func TestResize(t *testing.T) {
	c := cases(t, "CONV_2D", "resized/007")[0]
	m := must(tflite.Decode(c.Model, tflite.DecodeOptions{}))(t)
	in, out := c.Steps[0].In[0].Bytes(), c.Steps[0].Out[0].Bytes()
	for kind, k := range kinds {
		t.Run(kind, func(t *testing.T) {
			r := newRunner(t, m, engine.Options{Kind: k})
			check := func(from, n int) {
				t.Helper()
				if err := r.Resize("0", tensor.Shape{n, 4, 4, 2}); err != nil {
					t.Fatal(err)
				}
				copy(r.InputAt(0).Bytes(), in[from*len(in)/7:])
				if err := r.Invoke(context.Background()); err != nil {
					t.Fatal(err)
				}
				if got, want := r.OutputAt(0), out[from*len(out)/7:(from+n)*len(out)/7]; got.Shape()[0] != n || !bytes.Equal(got.Bytes(), want) {
					t.Errorf("batch %d from %d: %v differs", n, from, got.Shape())
				}
			}
			check(2, 1)
			check(0, 7)
			check(5, 1)
			check(0, 7)
			if err := r.Resize("0", tensor.Shape{-1, 4, 4, 2}); !errors.Is(err, tensor.ErrShape) {
				t.Errorf("unknown dimension: %v", err)
			}
			if err := r.Resize("no such", tensor.Shape{1}); !errors.Is(err, tensor.ErrShape) {
				t.Errorf("unknown input: %v", err)
			}
			if err := r.Resize("0", tensor.Shape{7, 4, 4, 3}); !errors.Is(err, tensor.ErrShape) {
				t.Errorf("wrong channels: %v", err)
			}
			check(0, 7) // a refused resize changes nothing
		})
	}
}

func TestCancelBetweenNodes(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var ran []int
	r := newRunner(t, chain(), engine.Options{Observe: func(e engine.Event) {
		ran = append(ran, e.Index)
		cancel()
	}})
	if err := r.Invoke(ctx); !errors.Is(err, context.Canceled) || len(ran) != 1 {
		t.Errorf("%v after nodes %v", err, ran)
	}
	if err := r.Invoke(context.Background()); err != nil || len(ran) != 3 {
		t.Errorf("afterwards: %v, nodes %v", err, ran)
	}
}

func TestCancelInsideANode(t *testing.T) {
	m := floats([]tensor.Shape{{1, 96, 96, 96}}, func(s *graph.Subgraph) {
		w := s.Add(graph.Value{Name: "filter", Shape: tensor.Shape{96, 5, 5, 96}, Const: tensor.Aligned(4 * 96 * 25 * 96)})
		o := &fb.Conv2DOptionsT{StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1}
		s.Outputs = []graph.ValueID{node(s, schema.CONV_2D, o, s.Inputs[0], w)}
	})
	for kind, k := range kinds {
		r := newRunner(t, m, engine.Options{Kind: k, Threads: 1})
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
		start := time.Now()
		err := r.Invoke(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
			t.Errorf("%s: %v after %v", kind, err, time.Since(start))
		}
	}
}

func TestLimits(t *testing.T) {
	big := floats([]tensor.Shape{{1 << 10, 1 << 10}}, func(s *graph.Subgraph) {
		s.Outputs = []graph.ValueID{node(s, schema.RELU, nil, s.Inputs[0])}
	})
	for _, bytes := range []int{1 << 20, 6 << 20} { // less than a value, less than both
		p, err := engine.Compile(big, engine.Options{Limits: engine.Limits{Bytes: bytes}})
		if err == nil {
			_, err = p.NewRunner("")
		}
		if !errors.Is(err, tensor.ErrLimit) {
			t.Errorf("8 MiB in %d bytes: %v", bytes, err)
		}
	}
	r := newRunner(t, chain(), engine.Options{Limits: engine.Limits{Bytes: 1 << 20}})
	if err := r.Resize("0", tensor.Shape{1 << 30, 1 << 30}); !errors.Is(err, tensor.ErrLimit) {
		t.Errorf("2^60 elements: %v", err)
	}
	if err := r.Resize("0", tensor.Shape{1 << 40, 1 << 40}); !errors.Is(err, tensor.ErrLimit) {
		t.Errorf("2^80 elements: %v", err)
	}
	if err := r.Invoke(context.Background()); err != nil {
		t.Errorf("after refused resizes: %v", err)
	}
}

// TestPlaceholders: the 1s that stand for dimensions that may vary need not fit the
// other inputs before they are resized.
func TestPlaceholders(t *testing.T) {
	m := floats([]tensor.Shape{{1, 3}, {3, 3}}, func(s *graph.Subgraph) {
		s.Values[0].Signature = tensor.Shape{-1, 3}
		s.Outputs = []graph.ValueID{node(s, schema.CONCATENATION, &fb.ConcatenationOptionsT{Axis: 1}, s.Inputs...)}
	})
	r := newRunner(t, m, engine.Options{})
	if err := r.Invoke(t.Context()); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("inputs of 1 and 3 rows side by side: %v", err)
	}
	if err := errors.Join(r.Resize("0", tensor.Shape{3, 3}), r.Invoke(t.Context())); err != nil {
		t.Fatal(err)
	}
	if s := r.OutputAt(0).Shape(); !s.Equal(tensor.Shape{3, 6}) {
		t.Errorf("result of shape %v", s)
	}
}

func TestObserver(t *testing.T) {
	var got []string
	r := newRunner(t, chain(), engine.Options{Observe: func(e engine.Event) {
		got = append(got, fmt.Sprint(e.Index, op.NameOf(e.Node), e.Values, op.F32s(e.Tensors[0])))
	}})
	copy(op.F32s(r.InputAt(0)), []float32{-1, 0, 3, 6, 7, 1e9})
	if err := r.Invoke(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := []string{"0RELU[%1] [0 0 3 6 7 1e+09]", "1RELU6[%2] [0 0 3 6 6 6]"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("observed %q, want %q", got, want)
	}
}

func TestErrorsNameTheNode(t *testing.T) {
	for name, m := range map[string]*graph.Model{
		"node 1 ADD": floats([]tensor.Shape{{2, 3}, {4}}, func(s *graph.Subgraph) {
			v := node(s, schema.RELU, nil, s.Inputs[0])
			s.Outputs = []graph.ValueID{node(s, schema.ADD, &fb.AddOptionsT{}, v, s.Inputs[1])}
		}),
		"node 0 CONV_2D": floats([]tensor.Shape{{2, 3}}, func(s *graph.Subgraph) {
			s.Outputs = []graph.ValueID{node(s, schema.CONV_2D, nil, s.Inputs[0], s.Inputs[0])}
		}),
		"node 0 SOFTMAX": floats([]tensor.Shape{{}}, func(s *graph.Subgraph) {
			s.Outputs = []graph.ValueID{node(s, schema.SOFTMAX, nil, s.Inputs[0])}
		}),
	} {
		p, err := engine.Compile(m, engine.Options{})
		if err == nil {
			_, err = p.NewRunner("")
		}
		var e *graph.Error
		if err == nil || !strings.Contains(err.Error(), name) || !errors.As(err, &e) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want an error at %s, have: %v", name, err)
		}
	}
}

func TestUnsupportedOperatorsAllAtOnce(t *testing.T) {
	m := floats([]tensor.Shape{{2}}, func(s *graph.Subgraph) {
		v := node(s, schema.CUSTOM, nil, s.Inputs[0])
		v = node(s, schema.RELU, nil, v)
		v = node(s, schema.CONCAT_EMBEDDINGS, nil, v)
		s.Outputs = []graph.ValueID{node(s, schema.CUSTOM, nil, v)}
		s.Nodes[0].Custom, s.Nodes[3].Custom = "FlexErf", "FlexErf"
	})
	m.Subgraphs = append(m.Subgraphs, &graph.Subgraph{Name: "body", Nodes: []graph.Node{{Op: graph.Custom, Custom: "FlexWhere"}}})
	_, err := engine.Compile(m, engine.Options{})
	if !errors.Is(err, tensor.ErrUnsupported) {
		t.Fatal(err)
	}
	for _, place := range []string{"node 0, 3 FlexErf:", "2 CONCAT_EMBEDDINGS", `subgraph 1 "body": node 0 FlexWhere`} {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("%q is not in: %v", place, err)
		}
	}
}

// TestVariables: state starts at zero, which is the zero point of 8-bit types, and
// lives until Reset.
func TestVariables(t *testing.T) {
	q := tensor.PerTensor(0.5, -7)
	s := &graph.Subgraph{}
	in := s.Add(graph.Value{Name: "in", DType: tensor.Int8, Shape: tensor.Shape{3}, Quant: q})
	state := s.Add(graph.Value{Name: "state", DType: tensor.Int8, Shape: tensor.Shape{3}, Quant: q, Variable: true})
	out := s.Add(graph.Value{Name: "out", DType: tensor.Int8, Shape: tensor.Shape{3}, Quant: q})
	s.Inputs, s.Outputs = []graph.ValueID{in}, []graph.ValueID{out}
	s.Nodes = []graph.Node{{Op: graph.OpCode(schema.ADD), Options: &fb.AddOptionsT{}, Inputs: []graph.ValueID{in, state}, Outputs: s.Outputs}}
	r := newRunner(t, &graph.Model{Subgraphs: []*graph.Subgraph{s}}, engine.Options{})
	copy(op.I8s(r.InputAt(0)), []int8{1, 2, 3})
	run := func() []int8 {
		if err := r.Invoke(context.Background()); err != nil {
			t.Fatal(err)
		}
		return append([]int8{}, op.I8s(r.OutputAt(0))...)
	}
	if got := fmt.Sprint(run()); got != "[1 2 3]" {
		t.Errorf("with fresh state: %s", got)
	}
	copy(op.I8s(r.Value(state)), []int8{3, 3, 3})
	if got := fmt.Sprint(run(), run()); got != "[11 12 13] [11 12 13]" {
		t.Errorf("with state: %s", got)
	}
	r.Reset()
	if got := fmt.Sprint(run()); got != "[1 2 3]" {
		t.Errorf("after Reset: %s", got)
	}
}

// TestDynamicShapes: the shape of RESHAPE is an input, and what follows is shaped
// after it, anew at each invocation.
func TestDynamicShapes(t *testing.T) {
	s := &graph.Subgraph{}
	in := s.Add(graph.Value{Name: "in", Shape: tensor.Shape{6}})
	shape := s.Add(graph.Value{Name: "shape", DType: tensor.Int32, Shape: tensor.Shape{2}})
	s.Inputs = []graph.ValueID{in, shape}
	v := node(s, schema.RESHAPE, nil, in, shape)
	v = node(s, schema.RELU, nil, v)
	v = node(s, schema.ADD, &fb.AddOptionsT{}, v, v)
	s.Outputs = []graph.ValueID{v}
	m := &graph.Model{Subgraphs: []*graph.Subgraph{s}}
	for kind, k := range kinds {
		r := newRunner(t, m, engine.Options{Kind: k, Limits: engine.Limits{Bytes: 1 << 16}})
		for _, want := range []tensor.Shape{{2, 3}, {6, 1}, {3, 2}} {
			copy(op.F32s(r.InputAt(0)), []float32{1, -2, 3, -4, 5, -6})
			copy(op.I32s(r.InputAt(1)), []int32{int32(want[0]), -1})
			if err := r.Invoke(context.Background()); err != nil {
				t.Fatal(err)
			}
			if out := r.OutputAt(0); !out.Shape().Equal(want) || fmt.Sprint(op.F32s(out)) != "[2 0 6 0 10 0]" {
				t.Errorf("%s: %v %v, want %v", kind, out.Shape(), op.F32s(out), want)
			}
		}
		copy(op.I32s(r.InputAt(1)), []int32{4, -1})
		if err := r.Invoke(context.Background()); !errors.Is(err, tensor.ErrShape) || !strings.Contains(err.Error(), "node 0 RESHAPE") {
			t.Errorf("6 elements by 4: %v", err)
		}
	}
}

// TestOptionalOperands: absent at the end, absent as None, and present.
func TestOptionalOperands(t *testing.T) {
	build := func(in ...graph.ValueID) *graph.Model {
		return floats([]tensor.Shape{{1, 2}}, func(s *graph.Subgraph) {
			w, _ := tensor.Of[float32](tensor.Shape{2, 2}, 1, 2, 3, 4)
			b, _ := tensor.Of[float32](tensor.Shape{2}, 10, 20)
			s.Add(graph.Value{Name: "w", Shape: w.Shape(), Const: w.Bytes()})
			s.Add(graph.Value{Name: "b", Shape: b.Shape(), Const: b.Bytes()})
			s.Outputs = []graph.ValueID{node(s, schema.FULLY_CONNECTED, &fb.FullyConnectedOptionsT{}, in...)}
		})
	}
	for want, m := range map[string]*graph.Model{
		"[3 7]": build(0, 1), "[3 7] ": build(0, 1, graph.None), "[13 27]": build(0, 1, 2),
	} {
		for kind, k := range kinds {
			r := newRunner(t, m, engine.Options{Kind: k})
			copy(op.F32s(r.InputAt(0)), []float32{1, 1})
			if err := r.Invoke(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(op.F32s(r.OutputAt(0))); got != strings.TrimSpace(want) {
				t.Errorf("%s: %s, want %s", kind, got, want)
			}
		}
	}
}

// TestHostileModels holds what fuzzing found, as text: each is refused with a reason.
func TestHostileModels(t *testing.T) {
	for name, text := range map[string]string{
		"a constant shorter than its shape": `subgraph "" inputs=%0 outputs=%3
			%0 float32[1,2,3,5] "x"
			%1 float32[1,1,2,10] "filter" const=AAAAAAAAAAAAAAAAAAAAAAAAAAA=
			%2 float32[1] "bias" const=AAAAAA==
			%3 float32[1,2,3,1] "y"
			CONV_2D(%0 %1 %2) -> %3 stride_w=1 stride_h=1`,
		"integers from a hybrid kernel": `subgraph "" inputs=%0 outputs=%2
			%0 float32[1,2] "x"
			%1 int8[1,2] "w" scale=0.1 zero=0 const=AQI=
			%2 int16[1,1] "y" scale=0.1 zero=0
			FULLY_CONNECTED(%0 %1 _) -> %2`,
		"no channels": `subgraph "" inputs=%0 outputs=%3
			%0 float32[1,2,2,0] "x"
			%1 float32[1,1,1,1] "filter" const=AAAAAA==
			%2 float32[1] "bias" const=AAAAAA==
			%3 float32[1,2,2,1] "y"
			CONV_2D(%0 %1 %2) -> %3 stride_w=1 stride_h=1`,
		"scales for a dimension beyond the limit": `subgraph "" inputs=%0,%1 outputs=%2
			%0 float32[1,1] "x"
			%1 int8[2,805306368,1] "y" scale=0.1 zero=0 axis=1
			%2 float32[2,1,1] "z"
			BATCH_MATMUL(%0 %1) -> %2 adj_x=true adj_y=true`,
		"a fold beyond the limit": `subgraph "" inputs= outputs=%2
			%0 int8[1048576,1] "a" scale=1 zero=0 const=` + strings.Repeat("AAAA", 1<<20/3) + `AA==
			%1 int8[1,1048576] "b" scale=1 zero=0 const=` + strings.Repeat("AAAA", 1<<20/3) + `AA==
			%2 int8[1] "y" scale=2 zero=0
			ADD(%0 %1) -> %2`,
	} {
		m := must(graph.Parse(text))(t)
		for kind, k := range kinds {
			p, err := engine.Compile(m, engine.Options{Kind: k, Limits: engine.Limits{Bytes: 1 << 24}})
			if err == nil {
				_, err = p.NewRunner("")
			}
			if err == nil || !hasReason(err) {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
	}
}
