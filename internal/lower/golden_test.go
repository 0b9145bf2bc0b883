package lower

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tflite"
)

// lowered loads, freezes and lowers a SavedModel.
func lowered(t *testing.T, dir, name, signature string) *graph.Model {
	t.Helper()
	m, err := lower(dir, name, signature, Options{Signature: savedmodel.DefaultSignature})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func lower(dir, name, signature string, o Options) (*graph.Model, error) {
	s, err := savedmodel.Load(os.DirFS(dir), name, nil)
	if err != nil {
		return nil, err
	}
	g, err := savedmodel.Freeze(s, signature)
	if err != nil {
		return nil, err
	}
	return Graph(g, o)
}

func readGolden(t *testing.T, file string) *graph.Model {
	t.Helper()
	m, err := tflite.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// equalModels compares operators, options, constants, shapes, names and
// signatures. Values are told by where they come from: their numbers and the
// number at the end of a name are nobody's goal.
func equalModels(t *testing.T, want, got *graph.Model) {
	t.Helper()
	if d := cmp.Diff(describe(want), describe(got)); d != "" {
		t.Errorf("model differs from TensorFlow's (-TensorFlow +ours):\n%s", d)
	}
	equalConstants(t, want.Main(), got.Main())
}

// describe lists what a model's file says, without the constants' bytes.
func describe(m *graph.Model) []string {
	s := m.Main()
	lines := []string{"model " + m.Description, "subgraph " + s.Name}
	for _, g := range m.Signatures {
		for _, v := range g.Inputs {
			lines = append(lines, fmt.Sprintf("signature %s in %s %s", g.Key, v.Name, s.Value(v.Value).Name))
		}
		for _, v := range g.Outputs {
			lines = append(lines, fmt.Sprintf("signature %s out %s %s", g.Key, v.Name, s.Value(v.Value).Name))
		}
	}
	for _, v := range s.Inputs {
		lines = append(lines, "input "+declared(s, v))
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		lines = append(lines, fmt.Sprintf("%d %s %+v", i, op.NameOf(n), options(n.Options)))
		for _, v := range n.Inputs {
			lines = append(lines, "   reads "+declared(s, v))
		}
		for _, v := range n.Outputs {
			lines = append(lines, "   gives "+declared(s, v))
		}
	}
	for _, v := range s.Outputs {
		lines = append(lines, "output "+declared(s, v))
	}
	return lines
}

func options(o any) string {
	if o == nil {
		return ""
	}
	return strings.TrimPrefix(fmt.Sprintf("%+v", o), "&")
}

func declared(s *graph.Subgraph, id graph.ValueID) string {
	if id == graph.None {
		return "nothing"
	}
	v := s.Value(id)
	kind := ""
	if v.IsConst() {
		kind = "constant "
	}
	return fmt.Sprintf("%s%v%v %s", kind, v.DType, v.Partial(), strings.TrimRight(v.Name, "0123456789"))
}

func equalConstants(t *testing.T, want, got *graph.Subgraph) {
	t.Helper()
	for i := range min(len(want.Nodes), len(got.Nodes)) {
		a, b := &want.Nodes[i], &got.Nodes[i]
		for k := range min(len(a.Inputs), len(b.Inputs)) {
			if a.Inputs[k] == graph.None || b.Inputs[k] == graph.None {
				continue
			}
			x, y := want.Value(a.Inputs[k]), got.Value(b.Inputs[k])
			if x.IsConst() && y.IsConst() && !bytes.Equal(x.Const, y.Const) {
				t.Errorf("node %d %s: constant %d (%s) differs: %v, want %v", i, op.NameOf(a), k, x.Name, head(y), head(x))
			}
		}
	}
}

func head(v *graph.Value) any {
	f := v.Tensor().Float32s()
	return f[:min(len(f), 8)]
}
