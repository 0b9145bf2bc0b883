package calibrate

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

func value(name string, s ...int) graph.Value {
	v := graph.Value{Name: name, DType: tensor.Float32}
	v.SetPartial(s)
	return v
}

func constant(name string, s tensor.Shape, x ...float32) graph.Value {
	v := value(name, s...)
	v.Const = tensor.BytesOf(x)
	return v
}

func call(code schema.BuiltinOperator, options any, in, out graph.ValueID, more ...graph.ValueID) graph.Node {
	return graph.Node{Op: graph.OpCode(code), Options: options, Inputs: append([]graph.ValueID{in}, more...), Outputs: []graph.ValueID{out}}
}

// chain is x → y = softmax(x) → z = reshape(y) → w = softmax(z) → v = pool(w).
func chain() *graph.Model {
	pool := &fb.Pool2DOptionsT{FilterHeight: 1, FilterWidth: 1, StrideH: 1, StrideW: 1}
	return &graph.Model{Subgraphs: []*graph.Subgraph{{
		Values: []graph.Value{
			value("x", -1, 1, 2, 2), value("y", -1, 1, 2, 2), value("z", -1, 1, 1, 4), value("w", -1, 1, 1, 4), value("v", -1, 1, 1, 4),
		},
		Inputs: []graph.ValueID{0}, Outputs: []graph.ValueID{4},
		Nodes: []graph.Node{
			call(schema.SOFTMAX, &fb.SoftmaxOptionsT{Beta: 1}, 0, 1),
			call(schema.RESHAPE, &fb.ReshapeOptionsT{NewShape: []int32{-1, 1, 1, 4}}, 1, 2),
			call(schema.SOFTMAX, &fb.SoftmaxOptionsT{Beta: 1}, 2, 3),
			call(schema.MAX_POOL_2D, pool, 3, 4),
		},
	}}}
}

func source(t *testing.T, s tensor.Shape, x ...float32) dataset.Source {
	t.Helper()
	v, err := tensor.Of(s, x...)
	if err != nil {
		t.Fatal(err)
	}
	src, err := dataset.FromColumns(dataset.Columns{Inputs: []dataset.Column{{Name: "x", Values: v}}})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestRun(t *testing.T) {
	src := source(t, tensor.Shape{2, 1, 2, 2}, -3, -3, -1, -1, -5, -5, -2, -2)
	s, err := Run(context.Background(), chain(), src, Options{Engine: engine.Reference})
	if err != nil {
		t.Fatal(err)
	}
	// y's softmaxes are [½ ½], w's [¼ ¼ ¼ ¼]. x is never above zero, so that its
	// maximum is FLT_MIN. The first softmax may not write over an input, the second
	// writes over z, which only it reads.
	want := []Tensor{
		{0, 0, "x", 8, Range{-5, 0x1p-126}},
		{0, 1, "y", 8, Range{0.5, 0.5}},
		{0, 2, "z", 8, Range{0.25, 0.5}},
		{0, 3, "w", 8, Range{0.25, 0.25}},
		{0, 4, "v", 8, Range{0.25, 0.25}},
	}
	if d := cmp.Diff(want, s.Tensors); d != "" {
		t.Error(d)
	}
	if s.Samples != 2 || s.Model != Fingerprint(chain()) {
		t.Error(s.Samples, s.Model)
	}
}

func TestOverwritten(t *testing.T) {
	in := func(ids ...graph.ValueID) []graph.ValueID { return ids }
	add := func(a, b, out graph.ValueID) graph.Node {
		return graph.Node{Op: graph.OpCode(schema.ADD), Inputs: in(a, b), Outputs: in(out)}
	}
	relu := func(a, out graph.ValueID) graph.Node {
		return graph.Node{Op: graph.OpCode(schema.RELU), Inputs: in(a), Outputs: in(out)}
	}
	reshape := func(a, out graph.ValueID) graph.Node {
		return graph.Node{Op: graph.OpCode(schema.RESHAPE), Inputs: in(a), Outputs: in(out)}
	}
	four := func(n int) []graph.Value {
		v := make([]graph.Value, n)
		for i := range v {
			v[i] = value("", 4)
		}
		return v
	}
	constantAt := func(v []graph.Value, i int) []graph.Value {
		v[i] = constant("", tensor.Shape{4}, 1, 2, 3, 4)
		return v
	}
	scalars := []graph.Value{value("", 1), value("", 1), value("", 1), value("", 1)}
	for _, c := range []struct {
		name   string
		values []graph.Value
		nodes  []graph.Node
		out    graph.ValueID
		want   []overwrite
	}{
		{"input", four(3), []graph.Node{add(0, 0, 1), relu(1, 2)}, 2, nil},
		{"first operand", four(4), []graph.Node{relu(0, 1), add(1, 0, 2), relu(2, 3)}, 3, []overwrite{{1, 2}}},
		{"second operand", constantAt(four(5), 1), []graph.Node{relu(0, 2), add(1, 2, 3), relu(3, 4)}, 4, []overwrite{{2, 3}}},
		{"two readers", four(5), []graph.Node{relu(0, 1), add(1, 0, 2), add(1, 0, 3), add(2, 3, 4)}, 4, nil},
		{"output", four(3), []graph.Node{relu(0, 1), add(1, 0, 2)}, 2, nil},
		{"both the same", four(4), []graph.Node{relu(0, 1), add(1, 1, 2), relu(2, 3)}, 3, nil},
		{"through a view", four(5), []graph.Node{relu(0, 1), reshape(1, 2), add(2, 0, 3), relu(3, 4)}, 4, []overwrite{{2, 3}}},
		{"view of a value read elsewhere", four(6), []graph.Node{relu(0, 1), reshape(1, 2), add(2, 0, 3), relu(1, 4), add(3, 4, 5)}, 5, nil},
		{"four bytes", scalars, []graph.Node{relu(0, 1), add(1, 0, 2), relu(2, 3)}, 3, nil},
		{"other size", append(four(1), value("", 1), value("", 4), value("", 4)), []graph.Node{relu(0, 1), add(1, 0, 2), relu(2, 3)}, 3, nil},
		{"not in place", four(4), []graph.Node{relu(0, 1), relu(1, 2), relu(2, 3)}, 3, nil},
	} {
		g := &graph.Subgraph{Values: c.values, Inputs: in(0), Outputs: in(c.out), Nodes: c.nodes}
		if d := cmp.Diff(c.want, overwritten(g), cmp.AllowUnexported(overwrite{})); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestSplit runs samples whole, with several threads, and in parts that are
// merged: the file is the same.
func TestSplit(t *testing.T) {
	x := make([]float32, 40*4)
	for i := range x {
		x[i] = float32(math.Sin(float64(i * i)))
	}
	src := source(t, tensor.Shape{40, 1, 2, 2}, x...)
	m := chain()
	encode := func(s *Statistics, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := encode(Run(context.Background(), m, src, Options{Threads: 1}))
	for _, n := range []int{2, 3, 8, 0} {
		if got := encode(Run(context.Background(), m, src, Options{Threads: n})); got != want {
			t.Errorf("%d threads: %s", n, cmp.Diff(want, got))
		}
	}
	var parts []*Statistics
	for at := 0; at < 40; at += 13 {
		p, err := Run(context.Background(), m, dataset.Slice(src, at, min(at+13, 40)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if p, err = Decode([]byte(encode(p, nil))); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	if got := encode(Merge(parts...)); got != want {
		t.Error("merged:", cmp.Diff(want, got))
	}
	if got := encode(Run(context.Background(), m, src, Options{Samples: 13})); got != encode(parts[0], nil) {
		t.Error("Samples does not bound the samples")
	}
}

// TestFixedBatch feeds a model with a batch of three, the last one filled up.
func TestFixedBatch(t *testing.T) {
	m := &graph.Model{Subgraphs: []*graph.Subgraph{{
		Values: []graph.Value{value("x", 3, 2), value("y", 3, 2)},
		Inputs: []graph.ValueID{0}, Outputs: []graph.ValueID{1},
		Nodes: []graph.Node{call(schema.SOFTMAX, &fb.SoftmaxOptionsT{Beta: 1}, 0, 1)},
	}}}
	s, err := Run(context.Background(), m, source(t, tensor.Shape{4, 2}, 1, 2, 3, 4, 5, 6, -7, 8), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Tensors[0].Range; r != (Range{-7, 8}) {
		t.Error(r)
	}
}

// TestInputs gives the data's inputs in another order than the model's, finds them
// by name, and leaves one out of the statistics that no node reads.
func TestInputs(t *testing.T) {
	m := &graph.Model{Subgraphs: []*graph.Subgraph{{
		Values: []graph.Value{value("a", -1, 2), value("b", -1, 2), value("y", -1, 2)},
		Inputs: []graph.ValueID{0, 1}, Outputs: []graph.ValueID{2},
		Nodes: []graph.Node{call(schema.SOFTMAX, &fb.SoftmaxOptionsT{Beta: 1}, 0, 2)},
	}}}
	column := func(name string, x ...float32) dataset.Column {
		v, err := tensor.Of(tensor.Shape{1, 2}, x...)
		if err != nil {
			t.Fatal(err)
		}
		return dataset.Column{Name: name, Values: v}
	}
	src, err := dataset.FromColumns(dataset.Columns{Inputs: []dataset.Column{column("b", 5, 6), column("a", -1, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Run(context.Background(), m, src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Tensors) != 2 || s.Tensors[0].Name != "a" || s.Tensors[0].Range != (Range{-1, 1}) || s.Tensors[1].Name != "y" {
		t.Error(s.Tensors)
	}
}

type nothing struct{ dataset.Source }

func (nothing) Len() int { return 0 }

// broken yields NaN, which sources of package dataset refuse.
type broken struct{ dataset.Source }

func (b broken) All(ctx context.Context) iter.Seq2[dataset.Sample, error] {
	return func(yield func(dataset.Sample, error) bool) {
		for s, err := range b.Source.All(ctx) {
			tensor.View[float32](s.Inputs[0].Bytes())[1] = float32(math.NaN())
			if !yield(s, err) {
				return
			}
		}
	}
}

func TestRunRejects(t *testing.T) {
	good := source(t, tensor.Shape{1, 1, 2, 2}, 1, 2, 3, 4)
	two, err := dataset.FromColumns(dataset.Columns{Inputs: []dataset.Column{
		{Name: "a", Values: tensor.Raw(tensor.Float32, tensor.Shape{1, 1}, tensor.Quant{}, make([]byte, 4))},
		{Name: "b", Values: tensor.Raw(tensor.Float32, tensor.Shape{1, 1}, tensor.Quant{}, make([]byte, 4))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		src  dataset.Source
		o    Options
		want error
		text string
	}{
		{"nil", nil, Options{}, tensor.ErrShape, "no representative samples"},
		{"empty", nothing{good}, Options{}, tensor.ErrShape, "no representative samples"},
		{"shape", source(t, tensor.Shape{1, 3}, 1, 2, 3), Options{}, tensor.ErrShape, "[3]"},
		{"inputs", two, Options{}, tensor.ErrShape, "2 inputs"},
		{"nan", broken{good}, Options{}, tensor.ErrMalformed, `sample 0, input "x": element 1 is NaN`},
		{"signature", good, Options{Signature: "other"}, tensor.ErrMalformed, "other"},
	} {
		_, err := Run(context.Background(), chain(), c.src, c.o)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, chain(), good, Options{}); !errors.Is(err, context.Canceled) {
		t.Error("cancelled:", err)
	}
}

func TestStatisticsFile(t *testing.T) {
	s := &Statistics{Model: "sha256:00", Samples: 3, Preprocess: "/255", Tensors: []Tensor{
		{0, 2, "a", 12, Range{-0.1, 0x1p-126}},
		{0, 5, "b<>", 1, Range{float32(math.Inf(-1)), math.MaxFloat32}},
	}}
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`"min": -0.1,`)) || !bytes.Contains(b, []byte(`"min": "-Inf"`)) {
		t.Error(string(b))
	}
	back, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, back); d != "" {
		t.Error(d)
	}
	plain, err := Decode([]byte(`{"b": [-1, 0.1], "a": [0.0, 1.319677472114563]}`))
	want := &Statistics{Tensors: []Tensor{{-1, -1, "a", 0, Range{0, 1.3196775}}, {-1, -1, "b", 0, Range{-1, 0.1}}}}
	if d := cmp.Diff(want, plain); err != nil || d != "" {
		t.Error(err, d)
	}
}

func TestDecodeRejects(t *testing.T) {
	for _, text := range []string{
		"", "[]", "null]", `{"format": "other"}`, `{"a": 1}`, `{"a": [1]}`, `{"a": [2, 1]}`, `{"a": ["NaN", 1]}`, `{"a": ["x", 1]}`,
		`{"format": "litequant statistics 1", "tensors": [{"subgraph": 0, "index": -1, "min": 0, "max": 1}]}`,
		`{"format": "litequant statistics 1", "tensors": [{"name": "a", "min": 0, "max": 1}, {"name": "a", "min": 0, "max": 1}]}`,
		`{"format": "litequant statistics 1", "tensors": [{"name": "a", "min": 1, "max": 0}]}`,
		`{"format": "litequant statistics 1", "tensors": [{"name": "a", "count": -1}]}`,
	} {
		if s, err := Decode([]byte(text)); !errors.Is(err, tensor.ErrMalformed) {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
}

func TestBind(t *testing.T) {
	m := chain()
	r := Range{-1, 2}
	for _, c := range []struct {
		name string
		s    Statistics
		want map[graph.ValueID]Range
	}{
		{"by index", Statistics{Tensors: []Tensor{{0, 1, "y", 4, r}}}, map[graph.ValueID]Range{1: r}},
		{"by name", Statistics{Tensors: []Tensor{{-1, -1, "w", 0, r}, {-1, -1, "elsewhere", 0, r}}}, map[graph.ValueID]Range{3: r}},
		{"another model", Statistics{Model: "sha256:00", Tensors: []Tensor{{0, 1, "y", 4, r}}}, nil},
		{"another name", Statistics{Tensors: []Tensor{{0, 1, "x", 4, r}}}, nil},
		{"another subgraph", Statistics{Tensors: []Tensor{{1, 1, "y", 4, r}}}, nil},
		{"no known name", Statistics{Tensors: []Tensor{{-1, -1, "elsewhere", 0, r}}}, nil},
		{"empty", Statistics{}, nil},
	} {
		got, err := c.s.Bind(m)
		if c.want == nil {
			if !errors.Is(err, tensor.ErrMalformed) {
				t.Errorf("%s: %v, %v", c.name, got, err)
			}
			continue
		}
		if err != nil || cmp.Diff([]map[graph.ValueID]Range{c.want}, got) != "" {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

func TestMergeRejects(t *testing.T) {
	for _, parts := range [][]*Statistics{
		nil,
		{{Model: "a"}, {Model: "b"}},
		{{Preprocess: "/255"}, {Preprocess: "[-1,1]"}},
	} {
		if _, err := Merge(parts...); !errors.Is(err, tensor.ErrMalformed) {
			t.Error(err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	seen := map[string]bool{Fingerprint(chain()): true}
	for _, change := range []func(g *graph.Subgraph){
		func(g *graph.Subgraph) { g.Values[0].Name = "other" },
		func(g *graph.Subgraph) { g.Values[0] = value("x", -1, 1, 2, 3) },
		func(g *graph.Subgraph) { g.Nodes[3].Op = graph.OpCode(schema.AVERAGE_POOL_2D) },
		func(g *graph.Subgraph) { g.Values = append(g.Values, constant("c", tensor.Shape{1}, 1)) },
		func(g *graph.Subgraph) { g.Values = append(g.Values, constant("c", tensor.Shape{1}, 2)) },
	} {
		m := chain()
		change(m.Main())
		f := Fingerprint(m)
		if seen[f] {
			t.Error("a change goes unnoticed:", f)
		}
		seen[f] = true
	}
}

// FuzzDecode checks that what is accepted is written and read back unchanged.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a": [0.0, 1.5], "b": ["-Inf", "Inf"]}`))
	f.Add([]byte(`{"format": "litequant statistics 1", "samples": 2, "tensors": [{"subgraph": 0, "index": 3, "name": "a", "count": 7, "min": -0.1, "max": 1e30}]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := Decode(file)
		if err != nil {
			return
		}
		b, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s.Tensors, back.Tensors); d != "" {
			t.Error(d)
		}
	})
}
