package shape_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/shape"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// TestStrings holds the kernels to LiteRT's results for strings.
func TestStrings(t *testing.T) {
	for _, d := range shape.Defs {
		if out := d.Operands.Outs[0]; !out.Types.Has(tensor.String) {
			continue
		}
		cases, err := conformance.Load(d.Name)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, c := range cases {
			want := c.Steps[0].Out[0]
			if want.DType() != tensor.String {
				continue
			}
			n++
			got, err := evaluate(d, &c)
			if err != nil {
				t.Errorf("%s %s: %v", d.Name, c.Name, err)
				continue
			}
			if diff := cmp.Diff(texts(t, want), texts(t, got)); diff != "" || !got.Shape().Equal(want.Shape()) {
				t.Errorf("%s %s: shape %v, want %v: %s", d.Name, c.Name, got.Shape(), want.Shape(), diff)
			}
		}
		if n == 0 {
			t.Errorf("%s has no case with strings", d.Name)
		}
	}
}

// evaluate runs the only node of a case.
func evaluate(d *op.Def, c *conformance.Case) (tensor.Tensor, error) {
	m, err := tflite.Decode(c.Model, tflite.DecodeOptions{})
	if err != nil {
		return tensor.Tensor{}, err
	}
	g := m.Main()
	values := map[graph.ValueID]op.Fact{}
	for i := range g.Values {
		values[graph.ValueID(i)] = op.Declared(&g.Values[i])
	}
	for i, v := range g.Inputs {
		in := c.Steps[0].In[i]
		values[v] = op.Fact{Present: true, DType: in.DType(), Shape: in.Shape(), Const: in.Bytes()}
	}
	call := &op.Call{Node: &g.Nodes[0]}
	for _, v := range g.Nodes[0].Inputs {
		f := values[v]
		f.Const = append(tensor.Aligned(0), f.Const...)
		call.In = append(call.In, f)
	}
	for _, v := range g.Nodes[0].Outputs {
		call.Out = append(call.Out, values[v])
	}
	if err := d.Facts(call); err != nil {
		return tensor.Tensor{}, err
	}
	out, err := op.Evaluate(d, call)
	if err != nil {
		return tensor.Tensor{}, err
	}
	return out[0], nil
}

func texts(t *testing.T, x tensor.Tensor) []string {
	t.Helper()
	s, err := x.Strings()
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, len(s))
	for i := range s {
		list[i] = string(s[i])
	}
	return list
}
