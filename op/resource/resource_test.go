package resource

import (
	"errors"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// host is a runner with resources and no subgraphs.
type host struct{ resources op.Resources }

func (h *host) Subgraph(int) (op.Function, error) { return nil, tensor.ErrUnsupported }
func (h *host) Resources() *op.Resources          { return &h.resources }

// run executes an operator over tensors; its results have the given facts.
func (h *host) run(d *op.Def, options any, out []op.Fact, in ...tensor.Tensor) ([]tensor.Tensor, error) {
	c := &op.Call{Node: &graph.Node{Op: d.Code, Options: options}, Out: out}
	for _, t := range in {
		c.In = append(c.In, op.Fact{Present: true, DType: t.DType(), Shape: t.Shape(), Const: t.Bytes()})
	}
	if err := d.Check(c); err != nil {
		return nil, err
	}
	if err := d.Facts(c); err != nil && err != op.ErrLater {
		return nil, err
	}
	k, err := d.Ref(c)
	if err != nil {
		return nil, err
	}
	r := &op.Run{In: in, Out: make([]tensor.Tensor, len(out)), Host: h}
	if k.State != nil {
		r.State = k.State()
	}
	for i := range c.Out {
		if c.Out[i].DType.Bits() != 0 && c.Out[i].Shape.Known() {
			if r.Out[i], err = tensor.Zeros(c.Out[i].DType, c.Out[i].Shape); err != nil {
				return nil, err
			}
		}
	}
	err = k.Run(r)
	return r.Out, err
}

func ints(v ...int64) tensor.Tensor {
	t, err := tensor.Of(tensor.Shape{len(v)}, v...)
	if err != nil {
		panic(err)
	}
	return t
}

func words(v ...string) tensor.Tensor {
	t, err := tensor.OfStrings(tensor.Shape{len(v)}, v...)
	if err != nil {
		panic(err)
	}
	return t
}

func result(d tensor.DType, s ...int) []op.Fact {
	return []op.Fact{{Present: true, DType: d, Shape: s}}
}

// TestMisuse holds what LiteRT's goldens cannot: operators on resources that are not
// there or something else.
func TestMisuse(t *testing.T) {
	h := &host{}
	variable := must(t)(h.run(VarHandle, &fb.VarHandleOptionsT{SharedName: "v"}, result(tensor.Resource)))[0]
	options := &fb.HashtableOptionsT{KeyDtype: fb.TensorTypeINT64, ValueDtype: fb.TensorTypeSTRING}
	table := must(t)(h.run(Hashtable, options, result(tensor.Resource)))[0]
	empty := tensor.Raw(tensor.Resource, tensor.Shape{}, tensor.Quant{}, nil)
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		out     []op.Fact
		in      []tensor.Tensor
		want    error
	}{
		{"read before assign", ReadVariable, nil, result(tensor.Int64), []tensor.Tensor{variable}, tensor.ErrMalformed},
		{"read no resource", ReadVariable, nil, result(tensor.Int64), []tensor.Tensor{empty}, tensor.ErrMalformed},
		{"read a table", ReadVariable, nil, result(tensor.Int64), []tensor.Tensor{table}, tensor.ErrType},
		{"assign to a table", AssignVariable, nil, nil, []tensor.Tensor{table, ints(1)}, tensor.ErrType},
		{"a handle of two elements", VarHandle, nil, result(tensor.Resource, 2), nil, tensor.ErrShape},
		{"find before import", HashtableFind, nil, result(tensor.String), []tensor.Tensor{table, ints(1), words("")}, tensor.ErrMalformed},
		{"find in a variable", HashtableSize, nil, result(tensor.Int64), []tensor.Tensor{empty}, tensor.ErrMalformed},
		{"keys of another type", HashtableImport, nil, nil, []tensor.Tensor{table, words("a"), ints(1)}, tensor.ErrType},
		{"numbers to numbers", HashtableImport, nil, nil, []tensor.Tensor{table, ints(1), ints(1)}, tensor.ErrType},
		{"more keys than values", HashtableImport, nil, nil, []tensor.Tensor{table, ints(1, 2), words("a")}, tensor.ErrShape},
		{"a table of numbers", Hashtable, &fb.HashtableOptionsT{}, result(tensor.Resource), nil, tensor.ErrUnsupported},
	} {
		if _, err := h.run(c.def, c.options, c.out, c.in...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	must(t)(h.run(AssignVariable, nil, nil, variable, ints(1, 2)))
	if _, err := h.run(ReadVariable, nil, result(tensor.Float32), variable); !errors.Is(err, tensor.ErrType) {
		t.Errorf("read as another type: %v", err)
	}
	if _, err := h.run(ReadVariable, nil, result(tensor.Int64, 3), variable); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("read as another shape: %v", err)
	}
	must(t)(h.run(HashtableImport, nil, nil, table, ints(1), words("a")))
	if _, err := h.run(HashtableFind, nil, result(tensor.String), table, ints(1), words()); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("find without a default: %v", err)
	}
}

// TestCopies tests that a value that was read does not change with the variable.
func TestCopies(t *testing.T) {
	h := &host{}
	variable := must(t)(h.run(VarHandle, nil, result(tensor.Resource)))[0]
	must(t)(h.run(AssignVariable, nil, nil, variable, ints(1, 2)))
	old := must(t)(h.run(ReadVariable, nil, result(tensor.Int64), variable))[0]
	must(t)(h.run(AssignVariable, nil, nil, variable, ints(3, 4)))
	if got := op.I64s(old); got[0] != 1 || got[1] != 2 {
		t.Errorf("the old value became %v", got)
	}
	must(t)(h.run(AssignVariable, nil, nil, variable, words("a", "bc"))) // LiteRT crashes here
	got, err := must(t)(h.run(ReadVariable, nil, result(tensor.String), variable))[0].Strings()
	if err != nil || len(got) != 2 || string(got[1]) != "bc" {
		t.Errorf("strings became %q, %v", got, err)
	}
}

func must(t *testing.T) func([]tensor.Tensor, error) []tensor.Tensor {
	t.Helper()
	return func(out []tensor.Tensor, err error) []tensor.Tensor {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}
