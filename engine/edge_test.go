package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// parsed reads a model's text form.
func parsed(t testing.TB, text string) *graph.Model {
	t.Helper()
	return must(graph.Parse(text))(t)
}

func invoke(t testing.TB, r *engine.Runner) {
	t.Helper()
	if err := r.Invoke(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// forever is a WHILE whose condition is always true and whose body adds x to x.
func forever() *graph.Model {
	main := &graph.Subgraph{Name: "main"}
	main.Inputs = []graph.ValueID{main.Add(graph.Value{Name: "x", Shape: tensor.Shape{2}})}
	main.Outputs = []graph.ValueID{node(main, schema.WHILE, &fb.WhileOptionsT{CondSubgraphIndex: 1, BodySubgraphIndex: 2}, 0)}
	cond := &graph.Subgraph{Name: "cond"}
	cond.Inputs = []graph.ValueID{cond.Add(graph.Value{Name: "x", Shape: tensor.Shape{2}})}
	cond.Outputs = []graph.ValueID{cond.Add(graph.Value{Name: "true", DType: tensor.Bool, Const: []byte{1}})}
	body := &graph.Subgraph{Name: "body"}
	body.Inputs = []graph.ValueID{body.Add(graph.Value{Name: "x", Shape: tensor.Shape{2}})}
	body.Outputs = []graph.ValueID{node(body, schema.ADD, &fb.AddOptionsT{}, 0, 0)}
	return &graph.Model{Subgraphs: []*graph.Subgraph{main, cond, body}}
}

// calling is a subgraph that calls itself.
func calling() *graph.Model {
	m := floats([]tensor.Shape{{2}}, func(s *graph.Subgraph) {
		s.Outputs = []graph.ValueID{node(s, schema.CALL, &fb.CallOptionsT{}, 0)}
	})
	return m
}

// webbed has twenty subgraphs that each call all later ones.
func webbed() *graph.Model {
	const n = 20
	m := &graph.Model{}
	for i := range n {
		m.Subgraphs = append(m.Subgraphs, floats([]tensor.Shape{{2}}, func(s *graph.Subgraph) {
			s.Outputs = s.Inputs
			for k := i + 1; k < n; k++ {
				s.Outputs = []graph.ValueID{node(s, schema.CALL, &fb.CallOptionsT{Subgraph: uint32(k)}, 0)}
			}
		}).Subgraphs...)
	}
	return m
}

// assigning gives one variable after the other a value.
func assigning(t *testing.T) *graph.Model {
	return parsed(t, `subgraph "main" inputs=%0 outputs=%1
		%0 int32[1] "n"
		%1 int32[1] "n'"
		WHILE(%0) -> %1 cond_subgraph_index=1 body_subgraph_index=2
	subgraph "cond" inputs=%0 outputs=%1
		%0 int32[1] "n"
		%1 bool[1] "true" const=AQ==
	subgraph "body" inputs=%0 outputs=%2
		%0 int32[1] "n"
		%1 int32[1] "one" const=AQAAAA==
		%2 int32[1] "n+1"
		ASSIGN_VARIABLE(%0 %1) ->
		ADD(%0 %1) -> %2`)
}

// growing doubles the length of what it loops over.
func growing() *graph.Model {
	m := forever()
	body := m.Subgraphs[2]
	body.Nodes = nil
	body.Outputs = []graph.ValueID{node(body, schema.CONCATENATION, &fb.ConcatenationOptionsT{}, 0, 0)}
	return m
}

func TestEndlessModels(t *testing.T) {
	const soon = 50 * time.Millisecond
	for _, c := range []struct {
		name   string
		model  *graph.Model
		limits engine.Limits
		reason error
		places []string
	}{
		{"a deadline", forever(), engine.Limits{}, context.DeadlineExceeded, []string{`subgraph 0 "main": node 0 WHILE: tensor 1 "v1": `}},
		{"operators", forever(), engine.Limits{Operators: 100}, tensor.ErrLimit, []string{"more than 100 operators", "node 0 WHILE", `subgraph 2 "body": node 0 ADD: tensor 1 "v1"`}},
		{"calls", forever(), engine.Limits{Calls: 100}, tensor.ErrLimit, []string{"more than 100 calls", "node 0 WHILE"}},
		{"memory", growing(), engine.Limits{Bytes: 1 << 16}, tensor.ErrLimit, []string{`subgraph 0 "main": node 0 WHILE`, "65536 are allowed"}},
		{"many ways", webbed(), engine.Limits{Bytes: 1 << 20}, tensor.ErrLimit, []string{"1048576 are allowed"}},
		{"resources", assigning(t), engine.Limits{Bytes: 1 << 16}, tensor.ErrLimit, []string{`subgraph 2 "body": node 0 ASSIGN_VARIABLE: tensor 0 "n": `, "65536 are allowed"}},
		{"recursion", calling(), engine.Limits{}, tensor.ErrLimit, []string{`subgraph 0 "main": node 0 CALL`, "64 deep"}},
	} {
		for kind, k := range kinds {
			within := time.Minute
			if c.reason == context.DeadlineExceeded {
				within = soon
			}
			ctx, cancel := context.WithTimeout(context.Background(), within)
			r := newRunner(t, c.model, engine.Options{Kind: k, Limits: c.limits, Panics: true})
			err := r.Invoke(ctx)
			cancel()
			if !errors.Is(err, c.reason) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %s: %v", c.name, kind, err)
			}
			for _, place := range c.places {
				if err != nil && !strings.Contains(err.Error(), place) {
					t.Errorf("%s, %s: %q is not in: %v", c.name, kind, place, err)
				}
			}
		}
	}
}

// TestLimitsStartAnew: what one invocation has used does not count for the next.
func TestLimitsStartAnew(t *testing.T) {
	r := newRunner(t, chain(), engine.Options{Limits: engine.Limits{Operators: 2}})
	for range 3 {
		invoke(t, r)
	}
	m := parsed(t, `subgraph "" inputs=%0,%1 outputs=%2
		%0 float32[6] "x"
		%1 int32[1] "shape"
		%2 float32[6] "y"
		RESHAPE(%0 %1) -> %2`)
	r = newRunner(t, m, engine.Options{Limits: engine.Limits{Bytes: 256}}) // 64 each for x and shape, 24 for y
	op.I32s(r.InputAt(1))[0] = 6
	for range 20 {
		invoke(t, r)
	}
}

func TestConstantLimit(t *testing.T) {
	m := parsed(t, `subgraph "" inputs= outputs=%2
		%0 float32[] "value" const=AACAPw==
		%1 int32[1] "dims" const=AAABAA==
		%2 float32[65536] "y"
		FILL(%1 %0) -> %2`)
	for limit, want := range map[int]string{1 << 18: "", 1<<18 - 1: "late"} {
		r := newRunner(t, m, engine.Options{Limits: engine.Limits{Constants: limit}})
		if late := r.ArenaBytes() > 0; late != (want == "late") {
			t.Errorf("%d bytes of constants: folded is %v", limit, !late)
		}
		invoke(t, r)
		if out := op.F32s(r.OutputAt(0)); len(out) != 65536 || out[65535] != 1 {
			t.Errorf("%d results", len(out))
		}
	}
}

// TestDefectsAreErrors: a kernel's panic stops at the boundary.
func TestDefectsAreErrors(t *testing.T) {
	broken := op.Def{
		Code: graph.Custom, Name: "Broken", Operands: op.In("x", op.Any).Out("y", op.Any), Facts: op.SameAs(0), Effect: op.State,
		Ref: op.Plain(func(*op.Run) error { panic("broken") }),
	}
	set := op.NewSet([]*op.Def{&broken})
	m := floats([]tensor.Shape{{2}}, func(s *graph.Subgraph) {
		s.Outputs = []graph.ValueID{node(s, schema.CUSTOM, nil, 0)}
		s.Nodes[0].Custom = "Broken"
	})
	r := must(must(engine.CompileWith(set, m, engine.Options{}))(t).NewRunner(""))(t)
	if err := r.Invoke(context.Background()); !errors.Is(err, tensor.ErrUnsupported) || !strings.Contains(err.Error(), `node 0 Broken: tensor 1 "v1": defect: broken`) {
		t.Error(err)
	}
	r = must(must(engine.CompileWith(set, m, engine.Options{Panics: true}))(t).NewRunner(""))(t)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_ = r.Invoke(context.Background())
}

// TestSignatures: several, each with its own names, order and subgraph.
func TestSignatures(t *testing.T) {
	m := floats([]tensor.Shape{{1}, {1}}, func(s *graph.Subgraph) {
		s.Outputs = []graph.ValueID{node(s, schema.SUB, &fb.SubOptionsT{}, 0, 1)}
	})
	m.Subgraphs = append(m.Subgraphs, floats([]tensor.Shape{{1}}, func(s *graph.Subgraph) {
		s.Outputs = []graph.ValueID{node(s, schema.NEG, nil, 0)}
	}).Subgraphs...)
	m.Signatures = []graph.Signature{
		{Key: "sub", Inputs: []graph.NamedValue{{Name: "b", Value: 1}, {Name: "a", Value: 0}}, Outputs: []graph.NamedValue{{Name: "d", Value: 2}}},
		{Key: "neg", Subgraph: 1, Inputs: []graph.NamedValue{{Name: "a", Value: 0}}, Outputs: []graph.NamedValue{{Name: "n", Value: 1}, {Name: "same", Value: 0}}},
	}
	p := must(engine.Compile(m, engine.Options{}))(t)
	sub, neg, main := must(p.NewRunner("sub"))(t), must(p.NewRunner("neg"))(t), must(p.NewRunner(""))(t)
	op.F32s(sub.Input("a"))[0], op.F32s(sub.Input("b"))[0] = 5, 3
	op.F32s(neg.Input("a"))[0] = 7
	op.F32s(main.Input("in0"))[0], op.F32s(main.Input("1"))[0] = 1, 9
	for _, r := range []*engine.Runner{sub, neg, main} {
		invoke(t, r)
	}
	got := fmt.Sprint(op.F32s(sub.Output("d")), op.F32s(neg.Output("n")), op.F32s(neg.Output("same")), op.F32s(main.OutputAt(0)), sub.InputNames(), main.InputNames())
	if want := "[2] [-7] [7] [-8] [b a] [in0 in1]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := sub.Resize("b", tensor.Shape{4}); err != nil || !sub.Input("b").Shape().Equal(tensor.Shape{4}) || !sub.Input("a").Shape().Equal(tensor.Shape{1}) {
		t.Errorf("resized b: %v", err)
	}
	if _, err := p.NewRunner("mul"); err == nil || !strings.Contains(err.Error(), `["sub" "neg"]`) {
		t.Errorf("unknown signature: %v", err)
	}
	for name, break_ := range map[string]func(*graph.Signature){
		`input "a" is no input`:   func(g *graph.Signature) { g.Inputs[0].Value = 1 },
		`output "n" is no output`: func(g *graph.Signature) { g.Outputs[0].Value, m.Subgraphs[1].Outputs[0] = 1, 0 },
	} {
		bad := m.Clone()
		m.Subgraphs[1].Outputs = slices.Clone(m.Subgraphs[1].Outputs)
		break_(&bad.Signatures[1])
		bad.Subgraphs[1].Outputs = m.Subgraphs[1].Outputs
		_, err := must(engine.Compile(bad, engine.Options{}))(t).NewRunner("neg")
		if !errors.Is(err, tensor.ErrMalformed) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), `subgraph 1 "main": tensor 1 "v1"`) {
			t.Errorf("want %q, have %v", name, err)
		}
		m.Subgraphs[1].Outputs[0] = 1
	}
}

// TestSiblings: the signatures of a model share its variables, which a resize leaves
// alone and a Reset empties.
func TestSiblings(t *testing.T) {
	m := parsed(t, `subgraph "set" inputs=%0 outputs=
		%0 int32[1] "x"
		%1 resource[] "v"
		VAR_HANDLE() -> %1
		ASSIGN_VARIABLE(%1 %0) ->
	subgraph "get" inputs=%2 outputs=%1
		%0 resource[] "v"
		%1 int32[] "x"
		%2 int32[1] "unused"
		VAR_HANDLE() -> %0
		READ_VARIABLE(%0) -> %1`)
	m.Signatures = []graph.Signature{
		{Key: "set", Inputs: []graph.NamedValue{{Name: "x", Value: 0}}},
		{Key: "get", Subgraph: 1, Inputs: []graph.NamedValue{{Name: "unused", Value: 2}}, Outputs: []graph.NamedValue{{Name: "x", Value: 1}}},
	}
	set := must(must(engine.Compile(m, engine.Options{}))(t).NewRunner("set"))(t)
	get := must(set.Sibling("get"))(t)
	for k := range 3 {
		s := tensor.Shape{k + 1}
		if err := errors.Join(set.Resize("x", s), get.Resize("unused", s)); err != nil {
			t.Fatal(err)
		}
		op.I32s(set.InputAt(0))[k] = 7
		invoke(t, set)
		if err := get.Resize("unused", tensor.Shape{9}); err != nil {
			t.Fatal(err)
		}
		invoke(t, get)
		if got := op.I32s(get.Output("x")); len(got) != k+1 || got[k] != 7 {
			t.Errorf("read %v", got)
		}
	}
	set.Reset()
	if err := get.Invoke(context.Background()); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("after Reset: %v", err)
	}
	if _, err := get.Sibling("other"); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("an unknown signature: %v", err)
	}
}

// TestUnusualOutputs: an input, a constant, a view of an input and one tensor twice;
// an input that nothing reads.
func TestUnusualOutputs(t *testing.T) {
	m := parsed(t, `subgraph "" inputs=%0,%1 outputs=%0,%2,%3,%4,%4
		%0 float32[2] "x"
		%1 float32[1000] "unused"
		%2 float32[2] "constant" const=AACAPwAAAEA=
		%3 float32[2,1] "view"
		%4 float32[2] "y"
		%5 int32[2] "shape" const=AgAAAAEAAAA=
		RESHAPE(%0 %5) -> %3
		NEG(%0) -> %4`)
	for kind, k := range kinds {
		r := newRunner(t, m, engine.Options{Kind: k, Panics: true})
		copy(op.F32s(r.InputAt(0)), []float32{3, 4})
		invoke(t, r)
		got := ""
		for i := range r.OutputNames() {
			got += fmt.Sprint(op.F32s(r.OutputAt(i)))
		}
		if got != "[3 4][1 2][3 4][-3 -4][-3 -4]" {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

// TestInputWithData: an input that the model has bytes for starts with them.
func TestInputWithData(t *testing.T) {
	m := parsed(t, `subgraph "" inputs=%0 outputs=%1
		%0 float32[2] "x" const=AACAPwAAAEA=
		%1 float32[2] "y"
		NEG(%0) -> %1`)
	r := newRunner(t, m, engine.Options{})
	invoke(t, r)
	first := fmt.Sprint(op.F32s(r.OutputAt(0)))
	copy(op.F32s(r.InputAt(0)), []float32{5, 6})
	invoke(t, r)
	if got := first + fmt.Sprint(op.F32s(r.OutputAt(0))); got != "[-1 -2][-5 -6]" || m.Main().Values[0].Const[3] != 0x3f {
		t.Error(got)
	}
}

// TestLongConstant: what follows a constant's elements does not count.
func TestLongConstant(t *testing.T) {
	m := parsed(t, `subgraph "" inputs=%0 outputs=%2
		%0 float32[2] "x"
		%1 float32[2] "c" const=AACAPwAAAEAAABBB
		%2 float32[2] "y"
		ADD(%0 %1) -> %2`)
	r := newRunner(t, m, engine.Options{})
	invoke(t, r)
	if got := fmt.Sprint(op.F32s(r.OutputAt(0))); got != "[1 2]" {
		t.Error(got)
	}
}

// TestComputedVariable: a constant result that is declared a variable is one that
// starts with it, if that is zero.
func TestComputedVariable(t *testing.T) {
	for _, c := range []struct{ data, want string }{{"AAAAAA==", ""}, {"ADwAPA==", "does not start with zeros"}} {
		m := parsed(t, `subgraph "" inputs= outputs=%2
			%0 float16[2] "h" const=`+c.data+`
			%1 float32[2] "v" variable=true
			%2 float32[2] "y"
			DEQUANTIZE(%0) -> %1
			NEG(%1) -> %2`)
		_, err := engine.Compile(m, engine.Options{})
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, tensor.ErrUnsupported) || !strings.Contains(err.Error(), c.want)) {
			t.Error(err)
		}
	}
}

// TestRefusedSignature: operators that only another signature needs do not keep the
// main one from running.
func TestRefusedSignature(t *testing.T) {
	m := floats([]tensor.Shape{{2}}, func(s *graph.Subgraph) {
		s.Outputs = []graph.ValueID{node(s, schema.NEG, nil, s.Inputs[0])}
	})
	train := &graph.Subgraph{Name: "train"}
	x := train.Add(graph.Value{Name: "x", Shape: tensor.Shape{2}})
	train.Inputs = []graph.ValueID{x}
	train.Outputs = []graph.ValueID{node(train, schema.CUSTOM, nil, x)}
	train.Nodes[0].Custom = "FlexReluGrad"
	m.Subgraphs = append(m.Subgraphs, train)
	m.Signatures = []graph.Signature{{Key: "infer"}, {Key: "train", Subgraph: 1}}
	p, err := engine.Compile(m, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.NewRunner("infer")
	if err != nil {
		t.Fatal(err)
	}
	invoke(t, r)
	if _, err := p.NewRunner("train"); !errors.Is(err, tensor.ErrUnsupported) || !strings.Contains(err.Error(), "FlexReluGrad") {
		t.Error(err)
	}
}

// TestRanks: 0 to 8 dimensions, with and without elements.
func TestRanks(t *testing.T) {
	for rank := range 9 {
		for _, last := range []int{2, 0} {
			shape := slices.Repeat(tensor.Shape{1}, rank)
			if rank > 0 {
				shape[rank-1] = last
			}
			m := floats([]tensor.Shape{shape}, func(s *graph.Subgraph) {
				v := node(s, schema.NEG, nil, 0)
				v = node(s, schema.RELU, nil, v)
				s.Outputs = []graph.ValueID{v}
			})
			for kind, k := range kinds {
				r := newRunner(t, m, engine.Options{Kind: k, Panics: true})
				for i := range op.F32s(r.InputAt(0)) {
					op.F32s(r.InputAt(0))[i] = -3
				}
				invoke(t, r)
				out := r.OutputAt(0)
				if want := slices.Repeat([]float32{3}, r.InputAt(0).Len()); !out.Shape().Equal(shape) || !slices.Equal(op.F32s(out), want) {
					t.Errorf("%s: %v %v", kind, out.Shape(), op.F32s(out))
				}
			}
		}
	}
}

// TestSwappedStrings: a loop body that swaps its operands sees copies.
func TestSwappedStrings(t *testing.T) {
	m := parsed(t, `subgraph "main" inputs=%0,%1,%2 outputs=%4,%5
		%0 int32[] "n"
		%1 string[1] "a"
		%2 string[1] "b"
		%3 int32[] "n'"
		%4 string[1] "a'"
		%5 string[1] "b'"
		WHILE(%0 %1 %2) -> %3 %4 %5 cond_subgraph_index=1 body_subgraph_index=2
	subgraph "cond" inputs=%0,%1,%2 outputs=%4
		%0 int32[] "n"
		%1 string[1] "a"
		%2 string[1] "b"
		%3 int32[] "zero" const=AAAAAA==
		%4 bool[] "more"
		GREATER(%0 %3) -> %4
	subgraph "body" inputs=%0,%1,%2 outputs=%4,%2,%1
		%0 int32[] "n"
		%1 string[1] "a"
		%2 string[1] "b"
		%3 int32[] "one" const=AQAAAA==
		%4 int32[] "n-1"
		SUB(%0 %3) -> %4`)
	r := newRunner(t, m, engine.Options{Panics: true})
	op.I32s(r.InputAt(0))[0] = 3
	for i, s := range []string{"first", "2nd"} {
		if err := r.SetInput(i+1, must(tensor.OfStrings(tensor.Shape{1}, s))(t)); err != nil {
			t.Fatal(err)
		}
	}
	invoke(t, r)
	if got := fmt.Sprintf("%q %q", must(r.OutputAt(0).Strings())(t), must(r.OutputAt(1).Strings())(t)); got != `["2nd"] ["first"]` {
		t.Error(got)
	}
}

// TestPassedOnInALoop: the operand before the last turn, passed on beside what is twice
// as long.
func TestPassedOnInALoop(t *testing.T) {
	m := parsed(t, `subgraph "main" inputs=%0,%1 outputs=%3,%4
		%0 int32[] "n"
		%1 int32[1] "x"
		%2 int32[] "n'"
		%3 int32[1] "x'"
		%4 int32[1] "last"
		WHILE(%0 %1 %1) -> %2 %3 %4 cond_subgraph_index=1 body_subgraph_index=2
	subgraph "cond" inputs=%0,%1,%2 outputs=%4
		%0 int32[] "n"
		%1 int32[1] "x"
		%2 int32[1] "last"
		%3 int32[] "zero" const=AAAAAA==
		%4 bool[] "more"
		GREATER(%0 %3) -> %4
	subgraph "body" inputs=%0,%1,%2 outputs=%4,%5,%1
		%0 int32[] "n"
		%1 int32[1] "x"
		%2 int32[1] "last"
		%3 int32[] "one" const=AQAAAA==
		%4 int32[] "n-1"
		%5 int32[2] "xx"
		SUB(%0 %3) -> %4
		CONCATENATION(%1 %1) -> %5`)
	r := newRunner(t, m, engine.Options{Panics: true})
	op.I32s(r.InputAt(0))[0], op.I32s(r.InputAt(1))[0] = 2, 7
	invoke(t, r)
	if got := fmt.Sprint(op.I32s(r.OutputAt(0)), op.I32s(r.OutputAt(1))); got != "[7 7 7 7] [7 7]" {
		t.Error(got)
	}
}

// TestSubgraphsThatDoNotFit: what calls and what is called contradict each other.
func TestSubgraphsThatDoNotFit(t *testing.T) {
	boolean := graph.Value{Name: "b", DType: tensor.Bool, Shape: tensor.Shape{2}, Const: []byte{1, 1}}
	for want, break_ := range map[string]func(main, cond, body *graph.Subgraph){
		`node 0 WHILE: tensor 1 "v1": subgraph 2 "body" takes 0 operands, got 1`: func(_, _, body *graph.Subgraph) {
			body.Inputs, body.Nodes = nil, nil
			body.Outputs = []graph.ValueID{body.Add(graph.Value{Name: "c", Shape: tensor.Shape{2}, Const: make([]byte, 8)})}
		},
		`the subgraph returns 2 results, the node has 1`: func(_, _, body *graph.Subgraph) { body.Outputs = append(body.Outputs, 0) },
		`result 0 of the subgraph is int64, the node's float32`: func(_, _, body *graph.Subgraph) {
			body.Outputs[0] = body.Add(graph.Value{Name: "c", DType: tensor.Int64, Shape: tensor.Shape{2}, Const: make([]byte, 16)})
		},
		`a condition with 2 results`:                func(_, cond, _ *graph.Subgraph) { cond.Outputs = append(cond.Outputs, 0) },
		`a condition of type bool and shape [2]`:    func(_, cond, _ *graph.Subgraph) { cond.Outputs[0] = cond.Add(boolean) },
		`a condition of type float32 and shape [2]`: func(_, cond, _ *graph.Subgraph) { cond.Outputs[0] = 0 },
		`input "x" takes int64, got float32`:        func(_, cond, _ *graph.Subgraph) { cond.Values[0].DType = tensor.Int64 },
		`subgraph 3 of 3`:                           func(main, _, _ *graph.Subgraph) { main.Nodes[0].Options = &fb.WhileOptionsT{CondSubgraphIndex: 3} },
		`subgraph 2 "body": node 0 ADD: tensor 1 "v1": `: func(_, _, body *graph.Subgraph) {
			body.Nodes[0].Inputs[1] = body.Add(graph.Value{Shape: tensor.Shape{3}, Const: make([]byte, 12)})
		},
	} {
		m := forever()
		break_(m.Subgraphs[0], m.Subgraphs[1], m.Subgraphs[2])
		for kind, k := range kinds {
			p, err := engine.Compile(m, engine.Options{Kind: k, Limits: budget, Panics: true})
			if err == nil {
				err = must(p.NewRunner(""))(t).Invoke(context.Background())
			}
			if err == nil || !hasReason(err) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "subgraph ") {
				t.Errorf("%s: want %q, have %v", kind, want, err)
			}
		}
	}
}

// TestFoldingTime: a constant that takes long to compute is refused in time.
func TestFoldingTime(t *testing.T) {
	m := floats(nil, func(s *graph.Subgraph) {
		x := s.Add(graph.Value{Name: "x", Shape: tensor.Shape{1, 96, 96, 96}, Const: tensor.Aligned(4 * 96 * 96 * 96)})
		w := s.Add(graph.Value{Name: "w", Shape: tensor.Shape{96, 5, 5, 96}, Const: tensor.Aligned(4 * 96 * 25 * 96)})
		o := &fb.Conv2DOptionsT{StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1}
		s.Outputs = []graph.ValueID{node(s, schema.CONV_2D, o, x, w)}
	})
	start := time.Now()
	_, err := engine.Compile(m, engine.Options{Limits: engine.Limits{Folding: time.Millisecond}})
	if !errors.Is(err, tensor.ErrLimit) || !strings.Contains(err.Error(), `node 0 CONV_2D: tensor 2 "v2": folding takes too long`) || time.Since(start) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}
