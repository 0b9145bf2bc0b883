package conformance

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/litequant/litequant/dataset/mnist"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// tutorialOutputs is what gen_tutorial.py wrote.
//
//go:embed testdata/tutorial/outputs.json.gz
var tutorialOutputs []byte

type tutorial struct {
	Images int
	Models map[string]struct {
		SHA256  string
		Outputs []byte
	}
}

// TestTutorial runs TensorFlow's own files of the quantization tutorial over MNIST
// test images. Where outputs are computed in integers, both engines' are LiteRT's
// byte for byte; probabilities computed in floats are close.
func TestTutorial(t *testing.T) {
	folder := os.Getenv("LITEQUANT_TUTORIAL")
	if folder == "" {
		t.Skip("LITEQUANT_TUTORIAL does not name the folder that holds tf2.21/int8.tflite")
	}
	z, err := gzip.NewReader(bytes.NewReader(tutorialOutputs))
	if err != nil {
		t.Fatal(err)
	}
	var want tutorial
	if err := json.NewDecoder(z).Decode(&want); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(want.Models)) {
		t.Run(name, func(t *testing.T) {
			m := want.Models[name]
			file, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != m.SHA256 {
				t.Fatalf("the file is not the one the goldens were made from")
			}
			for _, e := range engines() {
				n := want.Images
				if e.fast && e.name != "fast-"+simd.Default().Name() {
					n = 32 // the slower levels
				}
				if testing.Short() {
					n = 8
				}
				t.Run(e.name, func(t *testing.T) { runTutorial(t, e, file, n, m.Outputs[:len(m.Outputs)/want.Images*n]) })
			}
		})
	}
}

// integerTutorial lists the models whose every output bit is integer arithmetic.
var integerTutorial = []string{"int8.tflite", "uint8.tflite", "int16x8.tflite"}

func runTutorial(t *testing.T, e runnable, file []byte, images int, want []byte) {
	m, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.compile(m)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.NewRunner("")
	if err != nil {
		t.Fatal(err)
	}
	got := outputs(t, r, images)
	if bytes.Equal(got, want) {
		return
	}
	name := filepath.Base(filepath.Dir(t.Name()))
	if slices.Contains(integerTutorial, name) {
		t.Fatal("outputs differ from LiteRT's")
	}
	bound := float32(0x1p-23) // LiteRT's exp is the C library's, not rounded correctly
	if e.fast {
		bound = 2e-5
	}
	worst := float32(0)
	w := tensor.View[float32](append(tensor.Aligned(0), want...))
	for i, v := range tensor.View[float32](got) {
		worst = max(worst, v-w[i], w[i]-v)
	}
	if t.Logf("probabilities at most %.3g off", worst); worst > bound {
		t.Errorf("%g are allowed", bound)
	}
}

// outputs feeds the first test images as the tutorial does and joins the outputs.
func outputs(t *testing.T, r *engine.Runner, images int) []byte {
	set := mnist.Set()
	raw, err := set.Open("test")
	if err != nil {
		t.Fatal(err)
	}
	all := tensor.Aligned(0)
	in := r.InputAt(0)
	for i := range images {
		s, err := raw.At(i)
		if err != nil {
			t.Fatal(err)
		}
		pixels := s.Inputs[0].Bytes()
		if in.DType() == tensor.UInt8 {
			copy(in.Bytes(), pixels)
		} else {
			for k, v := range pixels {
				op.F32s(in)[k] = float32(v) / 255
			}
		}
		if err := r.Invoke(context.Background()); err != nil {
			t.Fatal(err)
		}
		all = append(all, r.OutputAt(0).Bytes()...)
	}
	return all
}
