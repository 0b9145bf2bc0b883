package lower

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/dense"
	"github.com/litequant/litequant/tensor"
)

// nets are the networks of testdata/gen_nets.py.
var nets = []string{
	"batchnorm", "clamps", "conv", "dense_scalars", "explicit", "mlp", "mobile", "reshapes", "residual", "scalars", "sequence",
	"shapes_of_relu", "static",
}

func eachNet(t *testing.T, check func(t *testing.T, name string)) {
	for _, name := range nets {
		t.Run(name, func(t *testing.T) { check(t, name) })
	}
}

// The networks lower to TensorFlow's operators, options, constants and names.
func TestNetsEqualTensorFlows(t *testing.T) {
	eachNet(t, func(t *testing.T, name string) {
		got := lowered(t, "testdata/nets", name, "serving_default")
		equalModels(t, readGolden(t, filepath.Join("testdata/nets", name+".tflite")), got)
	})
}

type example struct {
	X, Y  []float32
	Shape []int
}

func readExample(t *testing.T, name string) example {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/nets", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var e example
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// What the networks compute is what TensorFlow computes, for a batch of two.
func TestNetsCompute(t *testing.T) {
	eachNet(t, func(t *testing.T, name string) { computes(t, name, false) })
}

// Lowered for training they compute the same; batch normalizations then stay
// expanded.
func TestNetsComputeInTraining(t *testing.T) {
	eachNet(t, func(t *testing.T, name string) { computes(t, name, true) })
}

func computes(t *testing.T, name string, train bool) {
	t.Helper()
	m, err := lower("testdata/nets", name, "serving_default", Options{Signature: "serving_default", Train: train})
	if err != nil {
		t.Fatal(err)
	}
	e := readExample(t, name)
	compare(t, e, run(t, m, e))
}

func run(t *testing.T, m *graph.Model, e example) tensor.Tensor {
	t.Helper()
	p, err := engine.Compile(m, engine.Options{Kind: engine.Reference})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.NewRunner("serving_default")
	if err != nil {
		t.Fatal(err)
	}
	shape := m.Main().Value(m.Main().Inputs[0]).Shape.Clone()
	shape[0] = e.Shape[0]
	if err := r.Resize("x", shape); err != nil {
		t.Fatal(err)
	}
	copy(tensor.View[float32](r.Input("x").Bytes()), e.X)
	if err := r.Invoke(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r.Output("y")
}

// compare allows a relative difference of 1e-5 of the largest element.
func compare(t *testing.T, want example, got tensor.Tensor) {
	t.Helper()
	if !got.Shape().Equal(want.Shape) {
		t.Fatalf("shape %v, want %v", got.Shape(), want.Shape)
	}
	largest := 0.0
	for _, y := range want.Y {
		largest = max(largest, math.Abs(float64(y)))
	}
	for i, y := range got.Float32s() {
		if d := math.Abs(float64(y - want.Y[i])); !(d <= 1e-5*largest) {
			t.Fatalf("element %d is %v, want %v", i, y, want.Y[i])
		}
	}
}

// Parameters of a model in training are whole: the variable's bytes under its
// permutation.
func TestTrainKeepsParameters(t *testing.T) {
	for _, name := range []string{"conv", "residual", "dense_scalars"} {
		plain, err := lower("testdata/nets", name, "serving_default", Options{Train: true})
		if err != nil {
			t.Fatal(err)
		}
		variables := frozenVariables(t, name)
		found := 0
		for i := range plain.Main().Values {
			v := &plain.Main().Values[i]
			if v.Param == nil || !v.Param.Trainable {
				continue
			}
			found++
			equalParameter(t, v, variables[v.Param.Name])
		}
		if found != len(variables) {
			t.Errorf("%s: %d parameters in the model, want %d", name, found, len(variables))
		}
	}
}

func equalParameter(t *testing.T, v *graph.Value, own tensor.Tensor) {
	t.Helper()
	want := own
	if v.Param.Perm != nil {
		var err error
		if want, err = transposed(own, v.Param.Perm); err != nil {
			t.Fatal(err)
		}
	}
	if !v.Param.Shape.Equal(own.Shape()) || string(want.Bytes()) != string(v.Const) {
		t.Errorf("parameter %s of shape %v is not the variable %v", v.Param.Name, v.Param.Shape, own.Shape())
	}
}

func TestUnsupportedOperatorsAreListed(t *testing.T) {
	g := graphOf(t, placeholder("x"), node("a", "Fantasy", 0), node("b", "Relu", 1), node("c", "Imagined", 2))
	_, err := Graph(g, Options{})
	want := "node \"a\" (Fantasy): operator Fantasy has no lowering: not supported\n" +
		"node \"c\" (Imagined): operator Imagined has no lowering: not supported"
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

func TestMissingRowIsUnsupported(t *testing.T) {
	g := graphOf(t, placeholder("x"), node("a", "Relu", 0))
	_, err := Graph(g, Options{Ops: op.NewSet(dense.Defs)})
	if want := `node "a" (Relu): as RELU: operator RELU: not supported`; !errors.Is(err, tensor.ErrUnsupported) || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestConversionMetadata(t *testing.T) {
	m, err := Graph(graphOf(t, placeholder("x"), node("a", "Relu", 0)), Options{Source: fb.ModelTypeKERAS_MODEL})
	if err != nil {
		t.Fatal(err)
	}
	e := schema.UnpackConversionMetadata(m.MetadataOf("CONVERSION_METADATA")).Environment
	want := &fb.EnvironmentT{TensorflowVersion: "2.21.0", ApiVersion: 2, ModelType: fb.ModelTypeKERAS_MODEL}
	if d := cmp.Diff(want, e); d != "" {
		t.Error(d)
	}
}
