package mnist

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/tensor"
)

type golden struct {
	Pixels string `json:"pixels"`
	Labels string `json:"labels"`
	First  []int  `json:"first_labels"`
	Counts []int  `json:"counts"`
}

// All 70,000 images and labels are what NumPy reads, the pixels bit for bit.
func TestEqualsNumPy(t *testing.T) {
	file, err := os.ReadFile("testdata/mnist.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]golden
	if err := json.Unmarshal(file, &want); err != nil {
		t.Fatal(err)
	}
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]dataset.Source{"train": d.Train, "test": d.Test} {
		pixels, labels := sha256.New(), sha256.New()
		got := golden{Counts: make([]int, classes)}
		next := 0
		for b, err := range dataset.Batches(t.Context(), src, 1000) {
			if err != nil {
				t.Fatal(err)
			}
			pixels.Write(b.Inputs[0].Bytes())
			labels.Write(b.Label.Bytes())
			for k, y := range b.Label.Bytes() {
				if got.Counts[y]++; len(got.First) < 10 {
					got.First = append(got.First, int(y))
				}
				if b.Indices[k] != next {
					t.Fatalf("%s: index %d, want %d", name, b.Indices[k], next)
				}
				next++
			}
		}
		got.Pixels, got.Labels = hex.EncodeToString(pixels.Sum(nil)), hex.EncodeToString(labels.Sum(nil))
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	field := dataset.Field{Name: "image", DType: tensor.Float32, Shape: tensor.Shape{28, 28, 1}}
	label := dataset.Field{Name: "label", DType: tensor.UInt8, Shape: tensor.Shape{}}
	spec := dataset.Spec{Inputs: []dataset.Field{field}, Label: &label, Classes: 10, Preprocess: "/255"}
	if diff := cmp.Diff(spec, d.Train.Spec()); diff != "" {
		t.Error(diff)
	}
}

// The embedded files are the originals.
func TestChecksums(t *testing.T) {
	sums, err := os.ReadFile("data/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	embedded := map[string][]byte{
		"train-images-idx3-ubyte.gz": trainImages, "train-labels-idx1-ubyte.gz": trainLabels,
		"t10k-images-idx3-ubyte.gz": testImages, "t10k-labels-idx1-ubyte.gz": testLabels,
	}
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if sum := sha256.Sum256(embedded[name]); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s: %x", name, sum)
		}
		delete(embedded, name)
	}
	if len(embedded) != 0 {
		t.Errorf("files without checksum: %v", len(embedded))
	}
}

func TestSet(t *testing.T) {
	sets := map[string]dataset.Set{"mnist": Set()}
	for text, want := range map[string]struct{ n, first int }{
		"mnist:train[:100]":                 {100, 0},
		"mnist:test[-100:]":                 {100, 9900},
		"mnist:train[:10%]":                 {6000, 0},
		"mnist:train[99%:]+test":            {10600, 59400},
		"mnist:all":                         {70000, 0},
		"mnist:train[1_000:2_000]+test[:1]": {1001, 1000},
	} {
		src, err := dataset.Open(t.Context(), text, dataset.Options{Sets: sets})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		s, err := src.(dataset.Indexed).At(0)
		if src.Len() != want.n || err != nil || s.Index != want.first || src.Spec().Preprocess != "/255" {
			t.Errorf("%s: %d samples from %d, %v; want %v", text, src.Len(), s.Index, err, want)
		}
	}
	raw, err := dataset.Open(t.Context(), "mnist:test", dataset.Options{Sets: sets, Preprocess: "none"})
	if err != nil || raw.Spec().Inputs[0].DType != tensor.UInt8 {
		t.Errorf("without preprocessing: %v, %v", raw, err)
	}
	if _, err := Set().Open("validation"); err == nil {
		t.Error("a split that is not there opens")
	}
}

// A batch is gathered without allocation once its memory is there.
func TestGatherAllocates(t *testing.T) {
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	positions := []int{5, 59999, 0, 31}
	var b dataset.Batch
	gather := func() {
		if err := b.Gather(d.Train, positions); err != nil {
			t.Fatal(err)
		}
	}
	gather()
	if n := testing.AllocsPerRun(100, gather); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

func BenchmarkGather(b *testing.B) {
	d, err := Load()
	if err != nil {
		b.Fatal(err)
	}
	positions := make([]int, 32)
	var batch dataset.Batch
	b.SetBytes(32 * 28 * 28)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for k := range positions {
			positions[k] = (i*7919 + k*104729) % 60000
		}
		if err := batch.Gather(d.Train, positions); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		if _, err := decode(trainImages, trainLabels, 60000); err != nil {
			b.Fatal(err)
		}
	}
}
