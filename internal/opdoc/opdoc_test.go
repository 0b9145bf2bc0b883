package opdoc

import (
	"flag"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tflite"
)

var update = flag.Bool("update", false, "write docs/ops.md")

const document = "../../docs/ops.md"

func TestDocumentIsCurrent(t *testing.T) {
	c, err := Cover(all.Set())
	if err != nil {
		t.Fatal(err)
	}
	quick := fastForms(t)
	forms := make([]Form, len(c.Counts))
	for i, n := range c.Counts {
		forms[i] = Form{n.Operator, n.Types, n.Cases, quick[n.Operator+" "+n.Types]}
	}
	var bounds []Bound
	for _, name := range slices.Sorted(maps.Keys(conformance.Bounds)) {
		x := conformance.Bounds[name]
		bounds = append(bounds, Bound{name, x.Reference, x.Fast, x.Why})
	}
	want := Markdown(all.Set(), forms, bounds, c.Gaps)
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("docs/ops.md is not current; run go generate ./internal/opdoc\n%s", d)
	}
}

// fastForms finds the forms of which a fast kernel accepts a case.
func fastForms(t *testing.T) map[string]bool {
	accepted := map[string]bool{}
	current := ""
	table := fast.Table{}
	for code, mk := range fast.Kernels {
		table[code] = func(e *fast.Env, c *op.Call) (op.Kernel, bool, error) {
			k, ok, err := mk(e, c)
			if ok && op.CodeName(c.Node.Op) == current {
				accepted[current+" "+Types(c.In, c.Out)] = true
			}
			return k, ok, err
		}
	}
	for code := range fast.Kernels {
		current = op.CodeName(code)
		cases, err := conformance.Load(current)
		if err != nil {
			t.Logf("%s has a fast kernel and no cases", current)
			continue
		}
		for i := range cases {
			m, err := tflite.Decode(cases[i].Model, tflite.DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := engine.CompileKernels(all.Set(), table, m, engine.Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return accepted
}

// TestCoverage prints the number of cases by operator and operand types, and fails
// for what rows declare and neither a golden covers nor an explanation excuses.
func TestCoverage(t *testing.T) {
	r, err := Cover(all.Set())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Counts {
		t.Logf("%-20s %-40s %5d", c.Operator, c.Types, c.Cases)
	}
	t.Logf("%d cases of %d operators", r.Cases, r.Operators)
	for _, g := range r.Gaps {
		if g.Why == "" {
			t.Errorf("no golden covers %s", g.Operand)
			continue
		}
		t.Logf("not covered: %s: %s", g.Operand, g.Why)
	}
	for _, p := range r.Stale {
		t.Errorf("explained, but covered or declared by no row: %s", p)
	}
}
