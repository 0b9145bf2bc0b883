package shape_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/reduce"
	"github.com/litequant/litequant/op/shape"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// refused are operators in files of a mode that LiteRT itself does not run; ours
// leaves them float.
var refused = map[string]bool{"int8/reverse_sequence.tflite": true, "int16/scatter_nd.tflite": true}

// TestConverted holds versions and quantization rules to the files TensorFlow's
// converter wrote (testdata/gen_converted.py).
func TestConverted(t *testing.T) {
	file, err := os.ReadFile("testdata/converted.zip")
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	defs := op.NewSet(shape.Defs, reduce.Defs)
	seen := map[*op.Def]bool{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		m, err := tflite.Decode(data, tflite.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if refused[f.Name] {
			continue
		}
		mode, _, _ := strings.Cut(f.Name, "/")
		g := m.Main()
		for i := range g.Nodes {
			n := &g.Nodes[i]
			d, err := defs.Lookup(n)
			if err != nil {
				continue // an operator that surrounds the one in question
			}
			seen[d] = true
			c := call(g, n)
			if err := d.Check(c); err != nil {
				t.Errorf("%s: %s: %v", f.Name, d.Name, err)
			}
			// In 16x8 files operators that stay float carry their int8 version.
			if v := d.Version(c); v != n.Version && (mode != "int16" || quantized(c)) {
				t.Errorf("%s: %s has version %d, the row says %d", f.Name, d.Name, n.Version, v)
			}
			if mode != "float" {
				checkQuant(t, f.Name, d, c, mode == "int16")
			}
		}
	}
	for _, d := range slices.Concat(shape.Defs, reduce.Defs) {
		if !seen[d] {
			t.Logf("%s is in no file", d.Name)
		}
	}
}

func quantized(c *op.Call) bool {
	return slices.ContainsFunc(slices.Concat(c.In, c.Out), func(f op.Fact) bool { return !f.Quant.IsZero() })
}

func call(g *graph.Subgraph, n *graph.Node) *op.Call {
	c := &op.Call{Node: n}
	for _, v := range n.Inputs {
		c.In = append(c.In, op.Declared(&g.Values[v]))
	}
	for _, v := range n.Outputs {
		c.Out = append(c.Out, op.Declared(&g.Values[v]))
	}
	return c
}

// checkQuant compares a node with its row: whether it is quantized, and which
// operands and results share parameters.
func checkQuant(t *testing.T, file string, d *op.Def, c *op.Call, wide bool) {
	t.Helper()
	q, want := &d.Quant, !d.Quant.None
	if wide {
		q, want = d.Quant.For16()
	}
	var real []op.Fact
	for i := range c.In {
		k := min(i, len(d.Operands.Ins)-1)
		if want && q.InRule(k).Kind == op.Free {
			real = append(real, c.In[i])
		}
		if isReal(&c.In[i]) && !want && !c.In[i].Quant.IsZero() {
			t.Errorf("%s: operand %d of %s is quantized, the row says it stays float", file, i, d.Name)
		}
	}
	for i := range c.Out {
		if want && isReal(&c.Out[i]) {
			real = append(real, c.Out[i])
		}
	}
	for _, f := range real {
		if f.Quant.IsZero() {
			t.Errorf("%s: %s has a float operand or result, the row says it is quantized", file, d.Name)
			return
		}
		if q.Same && (f.Quant.Scale() != real[0].Quant.Scale() || f.Quant.Zero() != real[0].Quant.Zero()) {
			t.Errorf("%s: %s has scales %v and %v, the row says one", file, d.Name, f.Quant.Scale(), real[0].Quant.Scale())
		}
	}
}

func isReal(f *op.Fact) bool {
	return f.DType == tensor.Float32 || f.DType == tensor.Int8 || f.DType == tensor.Int16
}
