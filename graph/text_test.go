package graph_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

var ignoreFile = cmp.Options{
	cmpopts.IgnoreFields(graph.Model{}, "File"), cmpopts.IgnoreFields(graph.Subgraph{}, "File"),
	cmpopts.IgnoreFields(graph.Value{}, "File"), cmpopts.IgnoreFields(graph.Node{}, "File"),
	cmpopts.EquateEmpty(), cmpopts.EquateNaNs(),
	cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 }, cmp.Comparer(bytes.Equal)), // fast
}

const small = `model "a \"small\" model"
metadata "min_runtime_version" data=MS41LjAA
signature "serve" subgraph=0 inputs="x, y":%0 outputs="z":%3
subgraph "main" inputs=%0 outputs=%3
  %0 float32[?,2,?7] "in (0)"
  %1 int8[3,2] "w" scale=0.1,0.25,1e-09 zero=0,0,-3 axis=1 param="dense/kernel" trainable=true perm=1,0 param_shape=2,3 from="dense","a, b" const=AQIDBAUG
  %2 int32[] "state" signature= variable=true
  %3 float32[3,1] "out" signature=5,-1 unranked=true
  %4 float32[0] "empty" const=
  FULLY_CONNECTED(%0 %1 _) -> %3 op_version=4 fused_activation_function=RELU keep_num_dims=true from="dense/MatMul"
  custom:"My Op"(%3) -> %5 intermediates=%2,_ custom_options=AAEC
  RESHAPE(%0) -> %5 %6 new_shape=-1,2
  ADD() -> %5 options=none
  ADD(%0) -> %5 options=SubOptions pot_scale_int16=false
  DEQUANTIZE(%0) -> %5
  CONV_2D(%0) -> %5 padding=VALID stride_w=2 quantized_bias_type=INT32
  op:70000(%0) -> %5
subgraph "" inputs= outputs=
`

func TestTextOfASmallModel(t *testing.T) {
	m, err := graph.Parse(small)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(small, "\n"), strings.Split(m.Text(), "\n")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(m.Text(), m.String()); d != "" {
		t.Errorf("constants are small, String is another text:\n%s", d)
	}
	s := m.Main()
	want := &fb.FullyConnectedOptionsT{FusedActivationFunction: fb.ActivationFunctionTypeRELU, KeepNumDims: true}
	if d := cmp.Diff(any(want), s.Nodes[0].Options); d != "" {
		t.Error(d)
	}
	if v := &s.Values[0]; !v.Shape.Equal(tensor.Shape{1, 2, 7}) || !v.Signature.Equal(tensor.Shape{-1, 2, -1}) {
		t.Errorf("shape %v, signature %v", v.Shape, v.Signature)
	}
	if !s.Values[4].IsConst() || s.Values[3].IsConst() {
		t.Error("an empty constant is none, or a result is one")
	}
}

func TestLargeConstantsAreHashed(t *testing.T) {
	m := &graph.Model{Subgraphs: []*graph.Subgraph{{Values: []graph.Value{{Shape: tensor.Shape{100}, DType: tensor.Int8, Const: make([]byte, 100)}}}}}
	if s := m.String(); !strings.Contains(s, "const=sha256:cd00e292c5970d3c:100") {
		t.Error(s)
	}
	if _, err := graph.Parse(m.String()); !errors.Is(err, tensor.ErrUnsupported) {
		t.Errorf("parsed a hash: %v", err)
	}
	if again, err := graph.Parse(m.Text()); err != nil || len(again.Main().Values[0].Const) != 100 {
		t.Errorf("%v", err)
	}
}

// TestTextOfCases: Parse(Text(m)) is m, for all golden models.
func TestTextOfCases(t *testing.T) {
	operators, err := conformance.Operators()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range operators {
		cases, err := conformance.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			m, err := tflite.Decode(c.Model, tflite.DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			checkText(t, name+" "+c.Name, m)
		}
	}
}

func checkText(t *testing.T, name string, m *graph.Model) {
	t.Helper()
	text := m.Text()
	again, err := graph.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	if second := again.Text(); second != text {
		t.Errorf("%s: the text changes:\n%s", name, cmp.Diff(text, second))
	}
	if d := cmp.Diff(m, again, ignoreFile); d != "" {
		t.Errorf("%s: the model changes:\n%s", name, d)
	}
}

// TestTextOfOptions sets every field of every kind of options.
func TestTextOfOptions(t *testing.T) {
	for code := range fb.EnumNamesBuiltinOperator {
		one, two := schema.OptionsOf(code)
		var o any
		switch {
		case one != fb.BuiltinOptionsNONE:
			o = schema.DefaultOptions(one).Value
		case two != fb.BuiltinOptions2NONE:
			o = schema.DefaultOptions2(two).Value
		default:
			continue
		}
		v := reflect.ValueOf(o).Elem()
		for i := range v.NumField() {
			change(v.Field(i))
		}
		m := &graph.Model{Subgraphs: []*graph.Subgraph{{Nodes: []graph.Node{{Op: graph.OpCode(code), Options: o}}}}}
		checkText(t, code.String(), m)
	}
}

// change gives a field a value that differs from the default.
func change(v reflect.Value) {
	switch {
	case v.CanInt():
		v.SetInt(v.Int() + 1)
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.Kind() == reflect.Float32:
		v.SetFloat(0.1)
	case v.Kind() == reflect.String:
		v.SetString("a \"b\", (c)")
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			if v.Index(i).Kind() == reflect.Pointer {
				v.Index(i).Set(reflect.New(v.Index(i).Type().Elem()))
				continue
			}
			change(v.Index(i))
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{
		"nonsense", "model", `model x`, `%0 float32[] "a"`, "subgraph \"\" inputs= outputs=\n  %1 float32[] \"a\"",
		"subgraph \"\" inputs= outputs=\n  %0 float33[] \"a\"", "subgraph \"\" inputs= outputs=\n  %0 float32[-1] \"a\"",
		"subgraph \"\" inputs= outputs=\n  %0 float32[] \"a\" const=!", "subgraph \"\" inputs=%x outputs=",
		"subgraph \"\" inputs= outputs=\n  ADD(%0 -> %1", "subgraph \"\" inputs= outputs=\n  NO_SUCH() -> %1",
		"subgraph \"\" inputs= outputs=\n  ADD() -> %1 no_such=1", "subgraph \"\" inputs= outputs=\n  CONV_2D() -> %1 padding=NEITHER",
		"subgraph \"\" inputs= outputs=\n  CONV_2D() -> %1 options=NoSuchOptions", "subgraph \"open",
	} {
		if _, err := graph.Parse(text); err == nil || !strings.Contains(err.Error(), "line ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small)
	operators, err := conformance.Operators()
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range operators {
		cases, err := conformance.Load(name)
		if err != nil {
			f.Fatal(err)
		}
		if m, err := tflite.Decode(cases[0].Model, tflite.DecodeOptions{}); err == nil {
			f.Add(m.String())
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := graph.Parse(text); err == nil {
			checkText(t, "", m)
		}
	})
}
