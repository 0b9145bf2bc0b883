package quantize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/litequant/litequant/calibrate"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// golden returns a network of testdata and its ranges.
func golden(t *testing.T, name string) (*graph.Model, *calibrate.Statistics) {
	t.Helper()
	files := unzip(t, "testdata/"+name+".zip")
	stats, err := calibrate.Decode(files["calibration.json"])
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, files["float.tflite"]), stats
}

// sketch lists a model's operators.
func sketch(m *graph.Model) string {
	var names []string
	for i := range m.Main().Nodes {
		names = append(names, op.NameOf(&m.Main().Nodes[i]))
	}
	return strings.Join(names, " ")
}

func TestExclude(t *testing.T) {
	m, stats := golden(t, "convnet")
	for _, c := range []struct {
		r    Recipe
		want string
		n    int
	}{
		{Recipe{Scheme: Int8, Exclude: []string{"^model/conv2d_1/"}},
			"QUANTIZE CONV_2D MAX_POOL_2D DEQUANTIZE CONV_2D QUANTIZE AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED FULLY_CONNECTED SOFTMAX DEQUANTIZE", 7},
		{Recipe{Scheme: Int8, Exclude: []string{"Pool", "PartitionedCall"}, OutputType: tensor.Int8},
			"QUANTIZE CONV_2D DEQUANTIZE MAX_POOL_2D QUANTIZE CONV_2D DEQUANTIZE AVERAGE_POOL_2D QUANTIZE RESHAPE FULLY_CONNECTED FULLY_CONNECTED DEQUANTIZE SOFTMAX QUANTIZE", 5},
		{Recipe{Scheme: Int16x8Fallback, Exclude: []string{"^model/conv2d_1/"}},
			"QUANTIZE CONV_2D MAX_POOL_2D DEQUANTIZE CONV_2D QUANTIZE AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED FULLY_CONNECTED SOFTMAX DEQUANTIZE", 7},
		{Recipe{Scheme: Dynamic, Exclude: []string{"."}},
			"CONV_2D MAX_POOL_2D CONV_2D AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED FULLY_CONNECTED SOFTMAX", 0},
		{Recipe{Scheme: Float16, Exclude: []string{"conv2d", "PartitionedCall"}},
			"DEQUANTIZE DEQUANTIZE CONV_2D MAX_POOL_2D CONV_2D AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED FULLY_CONNECTED SOFTMAX", 2},
	} {
		q, report, err := WithStats(context.Background(), m, c.r, stats)
		if err != nil {
			t.Errorf("%+v: %v", c.r, err)
			continue
		}
		if got := sketch(q); got != c.want || report.Quantized() != c.n {
			t.Errorf("%v %q: %d quantized, %s\nwant %d, %s", c.r.Scheme, c.r.Exclude, report.Quantized(), got, c.n, c.want)
		}
		runs(t, m, q, 0.06)
	}
}

// runs compares a quantized model's first output with the float model's.
func runs(t *testing.T, float, quantized *graph.Model, tol float64) {
	t.Helper()
	var outs [2][]float32
	for i, m := range []*graph.Model{float, quantized} {
		p, err := engine.Compile(m, engine.Options{Kind: engine.Reference})
		if err != nil {
			t.Error(err)
			return
		}
		r, err := p.NewRunner("")
		if err != nil {
			t.Error(err)
			return
		}
		in := r.InputAt(0)
		for k := range in.Len() {
			x := float32(math.Sin(float64(k)))/2 + 0.5
			switch q := in.Quant(); in.DType() {
			case tensor.Float32:
				tensor.View[float32](in.Bytes())[k] = x
			default:
				tensor.View[int8](in.Bytes())[k] = int8(math.Round(float64(x)/float64(q.Scale()))) + int8(q.Zero())
			}
		}
		if err := r.Invoke(context.Background()); err != nil {
			t.Error(err)
			return
		}
		outs[i] = r.OutputAt(0).Float32s()
	}
	for k, want := range outs[0] {
		if d := math.Abs(float64(outs[1][k] - want)); !(d <= tol) {
			t.Errorf("output %d is %v, float %v", k, outs[1][k], want)
		}
	}
}

// TestRuns runs what the schemes make of a network.
func TestRuns(t *testing.T) {
	m, stats := golden(t, "convnet")
	for _, s := range Schemes() {
		q, report, err := WithStats(context.Background(), m, Recipe{Scheme: s}, stats)
		if err != nil {
			t.Error(s, err)
			continue
		}
		if report.Bytes >= report.FloatBytes || len(report.Nodes) != 8 {
			t.Errorf("%s: %+v", s, report)
		}
		runs(t, m, q, 0.06)
	}
}

// TestSourceIsKept checks that quantization leaves the float model alone, and that
// it does the same again.
func TestSourceIsKept(t *testing.T) {
	for _, s := range Schemes() {
		m, stats := golden(t, "shared")
		before := calibrate.Fingerprint(m)
		options := fmt.Sprintf("%+v", m.Main().Nodes[0].Options)
		r := Recipe{Scheme: s, Operators: new(op.Set)}
		*r.Operators = standIns()
		var files [2][]byte
		for i := range files {
			q, _, err := WithStats(context.Background(), m, r, stats)
			if err != nil {
				t.Fatal(s, err)
			}
			if files[i], err = tflite.EncodeWith(*r.Operators, q); err != nil {
				t.Fatal(s, err)
			}
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%s: twice the same is not the same", s)
		}
		if calibrate.Fingerprint(m) != before || fmt.Sprintf("%+v", m.Main().Nodes[0].Options) != options {
			t.Errorf("%s changes the float model", s)
		}
	}
}

func TestStrict(t *testing.T) {
	m, stats := golden(t, "fallback")
	ops := standIns()
	for _, s := range []Scheme{Int8Only, Int16x8} {
		_, _, err := WithStats(context.Background(), m, Recipe{Scheme: s, Operators: &ops, Exclude: []string{"sin"}}, stats)
		if !errors.Is(err, tensor.ErrUnsupported) || !strings.Contains(err.Error(), "node 1 SIN") || !strings.Contains(err.Error(), string(s)) {
			t.Error(s, err)
		}
	}
	_, _, err := WithStats(context.Background(), m, Recipe{Scheme: Int8Only, Operators: &ops, Exclude: []string{"."}}, stats)
	if n := strings.Count(fmt.Sprint(err), "excluded by"); n != 4 { // both Dense, LOGISTIC, TANH: SIN has no integer form anyway
		t.Errorf("%d nodes named: %v", n, err)
	}
}

func TestReport(t *testing.T) {
	m, stats := golden(t, "fallback")
	ops := standIns()
	_, report, err := WithStats(context.Background(), m, Recipe{Scheme: Int8, Operators: &ops}, stats)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, n := range report.Nodes {
		lines = append(lines, fmt.Sprintf("%d %s %v %s", n.Index, n.Operator, n.Quantized, n.Reason))
	}
	want := "0 FULLY_CONNECTED true |1 SIN false the operator has no quantized form|2 FULLY_CONNECTED true |3 LOGISTIC true |4 TANH true "
	if got := strings.Join(lines, "|"); got != want {
		t.Error(got)
	}
}

func TestRejects(t *testing.T) {
	m, stats := golden(t, "convnet")
	wide := *stats
	wide.Tensors = append([]calibrate.Tensor(nil), stats.Tensors...)
	wide.Tensors[0].Max = float32(math.Inf(1))
	other, _ := golden(t, "outputs")
	quantized, _, err := WithStats(context.Background(), m, Recipe{Scheme: Int8}, stats)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		m     *graph.Model
		r     Recipe
		stats *calibrate.Statistics
		want  error
		text  string
	}{
		{"scheme", m, Recipe{Scheme: "int7"}, stats, tensor.ErrUnsupported, `unknown scheme "int7", want one of dynamic,`},
		{"no scheme", m, Recipe{}, stats, tensor.ErrUnsupported, "unknown scheme"},
		{"input type", m, Recipe{Scheme: Int8, InputType: tensor.Int16}, stats, tensor.ErrUnsupported, "input type int16"},
		{"output type", m, Recipe{Scheme: Dynamic, OutputType: tensor.Int8}, stats, tensor.ErrUnsupported, "output type int8"},
		{"pattern", m, Recipe{Scheme: Int8, Exclude: []string{"("}}, stats, tensor.ErrMalformed, "exclude"},
		{"no statistics", m, Recipe{Scheme: Int8}, nil, tensor.ErrMalformed, "needs representative data"},
		{"infinite range", m, Recipe{Scheme: Int8}, &wide, tensor.ErrMalformed, "not finite"},
		{"infinite range", m, Recipe{Scheme: Int16x8}, &wide, tensor.ErrMalformed, "not finite"},
		{"other statistics", other, Recipe{Scheme: Int8}, &calibrate.Statistics{Model: "sha256:0"}, tensor.ErrMalformed, "another model"},
		{"quantized", quantized, Recipe{Scheme: Int8}, stats, tensor.ErrUnsupported, "quantized already"},
	} {
		_, _, err := WithStats(context.Background(), c.m, c.r, c.stats)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, _, err := Model(context.Background(), m, Recipe{Scheme: Int8}, nil); !errors.Is(err, tensor.ErrShape) || !strings.Contains(err.Error(), "no representative samples") {
		t.Error(err)
	}
	if _, _, err := Model(context.Background(), m, Recipe{Scheme: Dynamic}, nil); err != nil {
		t.Error(err)
	}
}

func TestParseScheme(t *testing.T) {
	for name, want := range map[string]Scheme{
		"dynamic": Dynamic, "dynamic_wi8_afp32": Dynamic, "int8": Int8, "static_wi8_ai8": Int8, "int8-only": Int8Only,
		"int16x8": Int16x8, "static_wi8_ai16": Int16x8Fallback, "float16": Float16,
	} {
		if s, err := ParseScheme(name); err != nil || s != want {
			t.Error(name, s, err)
		}
	}
	if _, err := ParseScheme("INT8"); !errors.Is(err, tensor.ErrUnsupported) {
		t.Error(err)
	}
}

func finiteFloats(limit float64) *rapid.Generator[float32] {
	return rapid.Custom(func(t *rapid.T) float32 {
		return float32(rapid.Float64Range(-limit, limit).Draw(t, "mantissa") * math.Pow(10, float64(rapid.IntRange(-12, 2).Draw(t, "exponent"))))
	})
}

// TestWeightsProperty: int8 weights are within half a step of the real ones, a
// channel's greatest magnitude is ±127 unless its range was widened.
func TestWeightsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tensor.Shape{rapid.IntRange(1, 4).Draw(t, "a"), rapid.IntRange(1, 5).Draw(t, "b"), rapid.IntRange(1, 4).Draw(t, "c")}
		axis := rapid.IntRange(-1, 2).Draw(t, "axis")
		n := s[0] * s[1] * s[2]
		x := rapid.SliceOfN(finiteFloats(10), n, n).Draw(t, "x")
		tops := maxAbs(x, s, axis)
		for _, legacy := range []bool{true, false} {
			if legacy && axis < 0 && tops[0] <= nearZero/2 {
				continue // the converter widens the range for the scale only
			}
			p := weight8(x, s, axis, legacy)
			c := affine8(x, s, p)
			if legacy {
				c = legacyConstant(x, s, p)
			}
			back := tensor.Raw(tensor.Int8, s, p.quant(), c).Float32s()
			reach := make([]int8, len(tops))
			channel := func(i int) int { ch, inner := channels(s, axis); return i / inner % ch }
			for i, q := range tensor.View[int8](c) {
				k := channel(i)
				if q == -128 {
					t.Fatalf("element %d is -128", i)
				}
				reach[k] = max(reach[k], q, -q)
				if d, step := math.Abs(float64(back[i]-x[i])), p.scales[k]; d > step*0.5001 {
					t.Fatalf("element %d: %v becomes %v, %v steps away", i, x[i], back[i], d/step)
				}
			}
			for k, top := range tops {
				if top > nearZero && reach[k] != 127 {
					t.Fatalf("channel %d reaches %d only", k, reach[k])
				}
			}
		}
	})
}

// TestActivationProperty: zero is exact, and every real number of the range is
// within a step of an int8 one.
func TestActivationProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := finiteFloats(100).Draw(t, "a"), finiteFloats(100).Draw(t, "b")
		r := calibrate.Range{Min: min(a, b), Max: max(a, b)}
		p := activation8(r)
		zero, scale := p.zeros[0], p.scales[0]
		if zero < -128 || zero > 127 || !(scale > 0) {
			t.Fatalf("%v: scale %v, zero point %d", r, scale, zero)
		}
		for _, x := range []float32{r.Min, r.Max, 0} {
			q := min(max(math.Round(float64(x)/scale)+float64(zero), -128), 127)
			if d := math.Abs((q-float64(zero))*scale - float64(x)); d > 1.0001*scale || x == 0 && d != 0 {
				t.Fatalf("%v: %v is %v steps away", r, x, d/scale)
			}
		}
	})
}

// TestBiasGuardProperty: no bias takes more than about half of an int32, whatever
// the weights and biases.
func TestBiasGuardProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "channels")
		w := rapid.SliceOfN(finiteFloats(1), 3*n, 3*n).Draw(t, "weights")
		b := rapid.SliceOfN(finiteFloats(1000), n, n).Draw(t, "bias")
		g := &graph.Subgraph{
			Values: []graph.Value{
				{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{1, 3}},
				{Name: "w", DType: tensor.Float32, Shape: tensor.Shape{n, 3}, Const: tensor.BytesOf(w)},
				{Name: "b", DType: tensor.Float32, Shape: tensor.Shape{n}, Const: tensor.BytesOf(b)},
				{Name: "y", DType: tensor.Float32, Shape: tensor.Shape{1, n}},
			},
			Inputs: []graph.ValueID{0}, Outputs: []graph.ValueID{3},
			Nodes: []graph.Node{{Op: 9, Inputs: []graph.ValueID{0, 1, 2}, Outputs: []graph.ValueID{3}}},
		}
		stats := &calibrate.Statistics{Tensors: []calibrate.Tensor{
			{Index: 0, Name: "x", Range: calibrate.Range{Min: -1, Max: 1}}, {Index: 3, Name: "y", Range: calibrate.Range{Min: -3, Max: 3}},
		}}
		q, _, err := WithStats(context.Background(), &graph.Model{Subgraphs: []*graph.Subgraph{g}}, Recipe{Scheme: Int8}, stats)
		if err != nil {
			t.Fatal(err)
		}
		for i := range q.Main().Values {
			if v := &q.Main().Values[i]; v.DType == tensor.Int32 {
				for c, x := range tensor.View[int32](v.Const) {
					if x > biasMost+1 || x < -biasMost-1 {
						t.Fatalf("bias %d of %v is %d", c, b[c], x)
					}
				}
			}
		}
	})
}

// TestAnyGraph quantizes graphs that are well-formed and make no sense: the result
// is valid, or there is an error.
func TestAnyGraph(t *testing.T) {
	rows := slices.DeleteFunc(standIns().All(), func(d *op.Def) bool { return d.Code == opQuantize || d.Code == opDequantize })
	rapid.Check(t, func(t *rapid.T) {
		g := &graph.Subgraph{}
		dtype := func() tensor.DType {
			return rapid.SampledFrom([]tensor.DType{tensor.Float32, tensor.Float32, tensor.Float32, tensor.Int32}).Draw(t, "type")
		}
		var ready []graph.ValueID
		for i := range rapid.IntRange(1, 5).Draw(t, "sources") {
			s := tensor.Shape(rapid.SliceOfN(rapid.IntRange(0, 3), 0, 4).Draw(t, "shape"))
			v := graph.Value{Name: fmt.Sprint("v", i), DType: dtype(), Shape: s}
			if i > 0 && rapid.Bool().Draw(t, "constant") {
				n, _ := s.Bytes(v.DType)
				v.Const = make([]byte, n)
				for k := range n / 4 {
					tensor.View[float32](v.Const)[k] = finiteFloats(10).Draw(t, "x")
				}
			}
			id := g.Add(v)
			if v.Const == nil {
				g.Inputs = append(g.Inputs, id)
			}
			ready = append(ready, id)
		}
		ids := func(from []graph.ValueID, most int) []graph.ValueID {
			return rapid.SliceOfN(rapid.SampledFrom(append([]graph.ValueID{graph.None}, from...)), 0, most).Draw(t, "ids")
		}
		for range rapid.IntRange(1, 6).Draw(t, "nodes") {
			row := rapid.SampledFrom(rows).Draw(t, "op")
			n := graph.Node{Op: row.Code, Inputs: ids(ready, 4)}
			if rapid.IntRange(0, 9).Draw(t, "arity") > 0 {
				n.Inputs = rapid.SliceOfN(rapid.SampledFrom(ready), len(row.Operands.Ins), len(row.Operands.Ins)).Draw(t, "operands")
			}
			for range max(len(row.Operands.Outs), rapid.IntRange(0, 2).Draw(t, "results")) {
				v := g.Add(graph.Value{Name: fmt.Sprint("r", len(g.Values)), DType: dtype(), Shape: tensor.Shape{2}})
				n.Outputs = append(n.Outputs, v)
			}
			ready = append(ready, n.Outputs...)
			g.Nodes = append(g.Nodes, n)
		}
		for _, v := range ids(ready, 3) {
			if v != graph.None {
				g.Outputs = append(g.Outputs, v)
			}
		}
		stats := &calibrate.Statistics{}
		for i := range g.Values {
			if rapid.IntRange(0, 4).Draw(t, "measured") > 0 {
				stats.Tensors = append(stats.Tensors, calibrate.Tensor{Index: i, Name: g.Values[i].Name, Range: calibrate.Range{Min: -1, Max: float32(1 + i)}})
			}
		}
		ops := standIns()
		r := Recipe{Scheme: rapid.SampledFrom(Schemes()).Draw(t, "scheme"), Operators: &ops}
		if row, _ := r.Scheme.row(); len(row.io) > 0 {
			r.InputType, r.OutputType = rapid.SampledFrom(row.io).Draw(t, "input"), rapid.SampledFrom(row.io).Draw(t, "output")
		}
		if rapid.Bool().Draw(t, "exclude") {
			r.Exclude = []string{"r[0-4]$"}
		}
		m := &graph.Model{Subgraphs: []*graph.Subgraph{g}}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		q, report, err := WithStats(context.Background(), m, r, stats)
		if err != nil {
			return
		}
		nodesAgree(t, ops, m.Main(), q.Main(), report)
		for i := range q.Main().Values {
			if v := &q.Main().Values[i]; v.IsConst() {
				if n, err := v.Shape.Bytes(v.DType); err != nil || n != len(v.Const) {
					t.Fatalf("constant %q of %d bytes: %v%v", v.Name, len(v.Const), v.DType, v.Shape)
				}
			}
		}
	})
}

// nodesAgree checks that nodes the report calls float read and compute what they
// did before; that nodes of the int8 schemes it calls quantized have integer
// operands and results, under the same parameters where their rows say so; and
// that conversions convert.
func nodesAgree(t *rapid.T, ops op.Set, before, after *graph.Subgraph, report *Report) {
	var nodes []*graph.Node
	for i := range after.Nodes {
		n := &after.Nodes[i]
		if n.Op != opQuantize && n.Op != opDequantize {
			nodes = append(nodes, n)
			continue
		}
		in, out := after.Values[n.Inputs[0]].DType, after.Values[n.Outputs[0]].DType
		if n.Op == opQuantize && out == tensor.Float32 || n.Op == opDequantize && (in == tensor.Float32 || out != tensor.Float32) {
			t.Fatalf("%s from %v to %v", op.NameOf(n), in, out)
		}
	}
	if len(nodes) != len(before.Nodes) {
		t.Fatalf("%d nodes become %d", len(before.Nodes), len(nodes))
	}
	for _, r := range report.Nodes {
		old, now := &before.Nodes[r.Index], nodes[r.Index]
		def, _ := ops.Lookup(old)
		var shared *tensor.Quant
		for k, v := range slices.Concat(old.Inputs, old.Outputs) {
			if v == graph.None || before.Values[v].DType != tensor.Float32 {
				continue
			}
			w := &after.Values[slices.Concat(now.Inputs, now.Outputs)[k]]
			switch {
			case !r.Quantized && report.Scheme != Float16 && w.DType != tensor.Float32:
				t.Fatalf("float node %d %s: value %d is %v", r.Index, r.Operator, k, w.DType)
			case !r.Quantized || report.Scheme != Int8 && report.Scheme != Int8Only:
			case w.DType == tensor.Float32:
				t.Fatalf("int8 node %d %s: value %d is float", r.Index, r.Operator, k)
			case def.Quant.Same && shared == nil:
				shared = &w.Quant
			case def.Quant.Same && !slices.Equal(shared.Scales, w.Quant.Scales):
				t.Fatalf("int8 node %d %s: scales %v and %v", r.Index, r.Operator, shared.Scales, w.Quant.Scales)
			}
		}
	}
}
