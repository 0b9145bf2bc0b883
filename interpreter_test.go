package litequant_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// clampFile is a .tflite file of one RELU over rows of two values.
func clampFile(t *testing.T) string {
	t.Helper()
	m, err := graph.Parse(`model "clamp"
subgraph "main" inputs=%0 outputs=%1
  %0 float32[?,2] "x"
  %1 float32[?,2] "y"
  RELU(%0) -> %1
`)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "clamp.tflite")
	if err := tflite.WriteFile(name, m); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestInterpreter(t *testing.T) {
	file, err := litequant.FromFile(clampFile(t)).Convert(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []litequant.InterpreterOptions{{}, {Reference: true, NumThreads: 1}} {
		it, err := litequant.NewInterpreter(file, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(it.ResizeTensorInput(0, tensor.Shape{2, 2}), it.AllocateTensors()); err != nil {
			t.Fatal(err)
		}
		x, err := tensor.Of[float32](tensor.Shape{2, 2}, 1, -2, -3, 4)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(it.SetTensor(0, x), it.Invoke(context.Background())); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]float32{1, 0, 0, 4}, it.GetTensor(0).Float32s()); d != "" {
			t.Error(d)
		}
		in, out := it.InputDetails()[0], it.OutputDetails()[0]
		if d := cmp.Diff([]any{"x", tensor.Shape{2, 2}, tensor.Shape{-1, 2}, "y", tensor.Float32},
			[]any{in.Name, in.Shape, in.ShapeSignature, out.Name, out.DType}); d != "" {
			t.Error(d)
		}
		bytes, err := tensor.Of[int8](tensor.Shape{2, 2}, 1, 2, 3, 4)
		if err != nil {
			t.Fatal(err)
		}
		row, err := tensor.Of[float32](tensor.Shape{1, 2}, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			err, want error
		}{
			{it.SetTensor(0, bytes), litequant.ErrType}, {it.SetTensor(0, row), litequant.ErrShape}, {it.SetTensor(1, x), litequant.ErrShape},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%v, want %v", c.err, c.want)
			}
		}
		if it.GetTensor(1).DType() != 0 || it.GetTensor(1).Bytes() != nil {
			t.Error("there is no second output")
		}
	}
}

func TestFromFrozenGraph(t *testing.T) {
	const file = "internal/savedmodel/testdata/frozen.pb"
	for _, c := range []*litequant.Converter{
		litequant.FromFrozenGraph(file, nil, nil), litequant.FromFrozenGraph(file, []string{"Placeholder"}, []string{"mul"}),
	} {
		b, err := c.Convert(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		it, err := litequant.NewInterpreter(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"Placeholder", "mul"}, []string{it.InputDetails()[0].Name, it.OutputDetails()[0].Name}); d != "" {
			t.Error(d)
		}
		if err := it.Invoke(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if _, err := litequant.FromFrozenGraph(file, nil, []string{"none"}).Convert(context.Background()); err == nil {
		t.Error("an output that is not there is no error")
	}
}

// sharedVariable has two signatures around one variable.
const sharedVariable = `model "counter"
signature "set" subgraph=0 inputs="x":%0 outputs=
signature "get" subgraph=1 inputs= outputs="y":%1
subgraph "set" inputs=%0 outputs=
  %0 int32[2] "x"
  %1 resource[] "v"
  VAR_HANDLE() -> %1
  ASSIGN_VARIABLE(%1 %0) ->
subgraph "get" inputs= outputs=%1
  %0 resource[] "v"
  %1 int32[2] "y"
  VAR_HANDLE() -> %0
  READ_VARIABLE(%0) -> %1
`

func TestSignatureRunner(t *testing.T) {
	m, err := graph.Parse(sharedVariable)
	if err != nil {
		t.Fatal(err)
	}
	file, err := tflite.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	set, err := litequant.NewInterpreter(file, litequant.InterpreterOptions{Signature: "set"})
	if err != nil {
		t.Fatal(err)
	}
	get, err := set.SignatureRunner("get")
	if err != nil {
		t.Fatal(err)
	}
	x, err := tensor.Of[int32](tensor.Shape{2}, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	set.ResetAllVariables()
	if err := errors.Join(set.SetTensor(0, x), set.Invoke(t.Context()), get.AllocateTensors(), get.Invoke(t.Context())); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(x.Bytes(), get.GetTensor(0).Bytes()); d != "" {
		t.Error(d)
	}
	if _, err := set.SignatureRunner("no such"); err == nil {
		t.Error("a signature that does not exist")
	}
}
