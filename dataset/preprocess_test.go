package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/litequant/litequant/tensor"
)

// Results equal NumPy's float32 arithmetic to the bit, from bytes, which go
// through a table, and from integers and floats, which do not.
func TestPreprocessEqualsNumPy(t *testing.T) {
	var golden map[string]struct {
		Channels int
		SHA256   string
	}
	if err := json.Unmarshal(must(os.ReadFile("testdata/preprocess.json")), &golden); err != nil {
		t.Fatal(err)
	}
	for text, want := range golden {
		shape := tensor.Shape{1, 256, want.Channels}
		var bytes []uint8
		var ints []int32
		var floats []float32
		for i := range 256 * want.Channels {
			x := i / want.Channels
			bytes, ints, floats = append(bytes, uint8(x)), append(ints, int32(x)), append(floats, float32(x))
		}
		for _, x := range []tensor.Tensor{of(shape, bytes...), of(shape, ints...), of(shape, floats...)} {
			table := must(FromColumns(Columns{Inputs: []Column{{"x", x}}}))
			for _, src := range []Source{table, foreign{table}} {
				src = must(Preprocess(src, must(ParsePreprocessing(text))))
				src = must(Conform(src, []Field{{"x", tensor.Float32, shape[1:]}}))
				s := must(src.(Indexed).At(0))
				sum := sha256.Sum256(s.Inputs[0].Bytes())
				if got := hex.EncodeToString(sum[:]); got != want.SHA256 {
					t.Errorf("%s of %v: not NumPy's values", text, x.DType())
				}
			}
		}
	}
}

func TestParsePreprocessing(t *testing.T) {
	for text, want := range map[string]string{
		"": "none", " none ": "none", "/255": "/255", "/255.0": "/255", "[-1, 1]": "[-1,1]", "[0,1]": "/255",
		"/255, mean=.5, std=0.25":                "/255,mean=0.5,std=0.25",
		"mean=0.485,0.456,0.406,std=0.229,1,2e0": "mean=0.485,0.456,0.406,std=0.229,1,2",
		"mean=-1":                                "mean=-1",
	} {
		p, err := ParsePreprocessing(text)
		if err != nil || p.String() != want {
			t.Errorf("%q parses to %q, %v; want %q", text, p, err, want)
		}
	}
	for text, want := range map[string]string{
		"/0": "not positive", "/-1": "not positive", "/x": "no number", "/NaN": "no number", "mean=": "no number",
		"std=0": "not positive", "/255,[-1,1]": "more than once", "[-1,1],[-1,1]": "more than once", "[-2,2]": "unknown step",
		"1,2": "unknown step", "/255,1": "unknown step", "none,/255": "unknown step", "/255,": "unknown step", "/1e-60": "not positive",
		"resize": "unknown step",
	} {
		_, err := ParsePreprocessing(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestPreprocessRejects(t *testing.T) {
	p := must(ParsePreprocessing("mean=1,2,3"))
	if _, err := Preprocess(count(1), p); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("three channels for two: %v", err)
	}
	q := must(ParsePreprocessing("/255"))
	if _, err := Preprocess(must(Preprocess(count(1), q)), q); !errors.Is(err, tensor.ErrUnsupported) {
		t.Errorf("twice: %v", err)
	}
	complexes := must(FromColumns(Columns{Inputs: []Column{{"x", of[complex64](tensor.Shape{1}, 1)}}}))
	if _, err := Preprocess(complexes, q); !errors.Is(err, tensor.ErrType) {
		t.Errorf("complex: %v", err)
	}
	src := count(1)
	if got := must(Preprocess(src, Preprocessing{})); got != src {
		t.Error("no steps wrap the source")
	}
}

func FuzzPreprocessing(f *testing.F) {
	for _, text := range []string{"none", "/255", "[-1,1]", "mean=1,2,3,std=.5", "/1e30,std=3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePreprocessing(text)
		if err != nil {
			return
		}
		q, err := ParsePreprocessing(p.String())
		if err != nil || q.String() != p.String() {
			t.Fatalf("%q is %q, which parses to %q, %v", text, p, q, err)
		}
	})
}
