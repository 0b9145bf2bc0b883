package engine

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tflite"
)

// TestInPlace runs every golden case with results in the place of its inputs, where
// rows allow that: the bits are the same.
func TestInPlace(t *testing.T) {
	operators, err := conformance.Operators()
	if err != nil {
		t.Fatal(err)
	}
	shared := map[string]bool{}
	for _, name := range operators {
		cases, err := conformance.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range cases {
			m, err := tflite.Decode(cases[i].Model, tflite.DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for kind, k := range map[string]Kind{"fast": Fast, "reference": Reference} {
				if cases[i].Steps[0].In == nil || !inPlace(t, m, k, &cases[i], name+" "+cases[i].Name+" "+kind) {
					continue
				}
				shared[name] = true
			}
		}
	}
	t.Logf("%d operators work in place", len(shared))
	if len(shared) < 40 {
		t.Errorf("only %v", shared)
	}
}

// inPlace reports whether anything is in place at all.
func inPlace(t *testing.T, m *graph.Model, k Kind, c *conformance.Case, name string) bool {
	var want []byte
	arena := 0
	for _, consume := range []bool{false, true} {
		p, err := Compile(m, Options{Kind: k, Threads: 2, Panics: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range p.subs {
			s.consume = consume
			for i := range s.steps {
				if s.steps[i].def.Effect != op.Pure {
					return false
				}
			}
		}
		got, n, err := once(p, c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if consume && !bytes.Equal(got, want) {
			t.Errorf("%s: other bits in place", name)
		}
		if consume {
			return n < arena
		}
		want, arena = got, n
	}
	return false
}

// once runs a case's first step.
func once(p *Program, c *conformance.Case) ([]byte, int, error) {
	r, err := p.NewRunner("")
	if err != nil {
		return nil, 0, err
	}
	for i, in := range c.Steps[0].In {
		if err := r.Resize(fmt.Sprint(i), in.Shape()); err != nil {
			return nil, 0, err
		}
	}
	for i, in := range c.Steps[0].In {
		if err := r.SetInput(i, in); err != nil {
			return nil, 0, err
		}
	}
	err = r.Invoke(context.Background())
	var out []byte
	for i := range r.OutputNames() {
		out = append(out, r.OutputAt(i).Bytes()...)
	}
	return out, r.ArenaBytes(), err
}
