package dataset

import (
	"context"
	"errors"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/litequant/litequant/tensor"
	"pgregory.net/rapid"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func of[T tensor.Element](s tensor.Shape, v ...T) tensor.Tensor { return must(tensor.Of(s, v...)) }

// count is a source of n samples: input "x" of shape [2] holds i and 2i, the
// label i.
func count(n int) Indexed {
	x, y := make([]int16, 0, 2*n), make([]int32, n)
	for i := range n {
		x, y[i] = append(x, int16(i), int16(2*i)), int32(i)
	}
	return must(FromColumns(Columns{Inputs: []Column{{"x", of(tensor.Shape{n, 2}, x...)}}, Label: &Column{"y", of(tensor.Shape{n}, y...)}}))
}

// foreign is the same through the interface only; stream also hides At.
type foreign struct{ Indexed }

type stream struct{ src Source }

func (s stream) Len() int                                         { return s.src.Len() }
func (s stream) Spec() Spec                                       { return s.src.Spec() }
func (s stream) All(ctx context.Context) iter.Seq2[Sample, error] { return s.src.All(ctx) }

// kinds are the three ways in which the package treats a source.
func kinds(n int) map[string]Source {
	return map[string]Source{"table": count(n), "indexed": foreign{count(n)}, "stream": stream{count(n)}}
}

// labels reads the labels of all samples, checking the inputs against them.
func labels(t *testing.T, src Source) []int {
	t.Helper()
	out := []int{}
	for s, err := range src.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		x, y := s.Inputs[0].Float32s(), s.Label.Float32s()[0]
		if len(x) != 2 || x[0] != y || x[1] != 2*y {
			t.Fatalf("sample %v belongs to label %v", x, y)
		}
		out = append(out, int(y))
	}
	if len(out) != src.Len() {
		t.Fatalf("%d samples, Len says %d", len(out), src.Len())
	}
	return out
}

func TestTransforms(t *testing.T) {
	for name, src := range kinds(6) {
		for _, c := range []struct {
			name string
			src  Source
			want []int
		}{
			{"all", src, []int{0, 1, 2, 3, 4, 5}},
			{"take", Take(src, 2), []int{0, 1}},
			{"take too many", Take(src, 9), []int{0, 1, 2, 3, 4, 5}},
			{"slice", Slice(src, 2, 4), []int{2, 3}},
			{"slice of slice", Slice(Slice(src, 1, 5), 1, 3), []int{2, 3}},
			{"slice beyond", Slice(src, -3, 1), []int{0}},
			{"empty", Slice(src, 4, 2), []int{}},
			{"concat", must(Concat(Take(src, 2), Slice(src, 4, 6))), []int{0, 1, 4, 5}},
			{"slice of concat", Slice(must(Concat(src, src)), 4, 8), []int{4, 5, 0, 1}},
			{"preprocessed", must(Preprocess(Take(src, 3), must(ParsePreprocessing("mean=0,0")))), []int{0, 1, 2}},
			{"cast", must(Conform(src, []Field{{"in", tensor.Float32, tensor.Shape{-1}}})), []int{0, 1, 2, 3, 4, 5}},
		} {
			for range 2 { // the same at every call
				if diff := cmp.Diff(c.want, labels(t, c.src)); diff != "" {
					t.Errorf("%s, %s: %s", name, c.name, diff)
				}
			}
			if x, ok := c.src.(Indexed); ok {
				for i, want := range c.want {
					if s, err := x.At(i); err != nil || s.Label.Float32s()[0] != float32(want) {
						t.Errorf("%s, %s: At(%d) = %v, %v", name, c.name, i, s, err)
					}
				}
				for _, i := range []int{-1, len(c.want)} {
					if _, err := x.At(i); err == nil && c.name != "all" && name != "indexed" {
						t.Errorf("%s, %s: At(%d) succeeds", name, c.name, i)
					}
				}
			} else if name == "table" {
				t.Errorf("%s is not indexed", c.name)
			}
		}
	}
}

// A sample keeps its index in the data set through slices; data sets are
// numbered one behind the other.
func TestIndex(t *testing.T) {
	a, b := count(10), count(4)
	src := must(Concat(Slice(b, 2, 4), Slice(a, 5, 7), Take(b, 1)))
	var got []int
	for s, err := range src.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.Index)
	}
	if diff := cmp.Diff([]int{2, 3, 4 + 5, 4 + 6, 0}, got); diff != "" {
		t.Error(diff)
	}
}

func TestConcatRejects(t *testing.T) {
	other := must(FromColumns(Columns{Inputs: []Column{{"x", of[int16](tensor.Shape{1, 3}, 1, 2, 3)}}}))
	half := must(FromColumns(Columns{Inputs: []Column{{"x", of[int16](tensor.Shape{1, 2}, 1, 2)}}}))
	scaled := must(Preprocess(count(1), must(ParsePreprocessing("/2"))))
	for _, srcs := range [][]Source{nil, {count(1), other}, {count(1), half}, {count(1), scaled}} {
		if _, err := Concat(srcs...); err == nil {
			t.Errorf("%v concatenate", srcs)
		}
	}
}

func TestBatches(t *testing.T) {
	for name, src := range kinds(5) {
		var got [][]int
		var sizes []tensor.Shape
		for b, err := range Batches(t.Context(), src, 2) {
			if err != nil {
				t.Fatal(err)
			}
			var labels []int
			for _, y := range must(tensor.Values[int32](b.Label)) {
				labels = append(labels, int(y))
			}
			if diff := cmp.Diff(labels, b.Indices); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			for k, x := range must(tensor.Values[int16](b.Inputs[0])) {
				if int(x) != labels[k/2]*(1+k%2) {
					t.Errorf("%s: inputs %v of labels %v", name, b.Inputs[0].Float32s(), labels)
				}
			}
			got, sizes = append(got, labels), append(sizes, b.Inputs[0].Shape())
		}
		if diff := cmp.Diff([][]int{{0, 1}, {2, 3}, {4}}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([]tensor.Shape{{2, 2}, {2, 2}, {1, 2}}, sizes); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Every sample is in exactly one batch, in order, whatever the sizes.
func TestBatchesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, size := rapid.IntRange(1, 20).Draw(t, "n"), rapid.IntRange(1, 25).Draw(t, "size")
		for name, src := range kinds(n) {
			next := 0
			for b, err := range Batches(context.Background(), src, size) {
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range b.Indices {
					if i != next {
						t.Fatalf("%s: sample %d, want %d", name, i, next)
					}
					next++
				}
			}
			if next != n {
				t.Fatalf("%s: %d samples of %d", name, next, n)
			}
		}
	})
}

func TestGatherShuffled(t *testing.T) {
	for name, src := range map[string]Indexed{"table": count(9), "indexed": foreign{count(9)}} {
		var b Batch
		for _, positions := range [][]int{{8, 0, 3}, {1}, {2, 2, 7, 4}} {
			if err := b.Gather(src, positions); err != nil {
				t.Fatal(err)
			}
			for k, i := range positions {
				if x := must(tensor.Values[int16](b.Inputs[0])); int(x[2*k+1]) != 2*i || b.Indices[k] != i {
					t.Errorf("%s: %v gathers %v", name, positions, x)
				}
			}
		}
		if err := b.Gather(src, []int{9}); err == nil {
			t.Errorf("%s: sample 9 of 9 is gathered", name)
		}
		if err := b.Gather(src, nil); !errors.Is(err, tensor.ErrShape) {
			t.Errorf("%s: empty batch: %v", name, err)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	for name, src := range kinds(4) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		n := 0
		var last error
		for _, err := range Take(src, 3).All(ctx) {
			if last = err; err == nil {
				n++
			}
			stop()
		}
		if n != 1 || !errors.Is(last, context.Canceled) {
			t.Errorf("%s: %d samples, then %v", name, n, last)
		}
	}
	cancel()
	for _, err := range Batches(ctx, count(3), 2) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("batch of a cancelled context: %v", err)
		}
	}
	if _, err := Open(ctx, "testdata/xy.npz", Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
	for _, err := range Batches(t.Context(), count(3), 0) {
		if !errors.Is(err, tensor.ErrShape) {
			t.Errorf("batches of no samples: %v", err)
		}
	}
}

func TestFromColumnsRejects(t *testing.T) {
	nan, inf := float32(math.NaN()), math.Inf(-1)
	x := Column{"x", of[float32](tensor.Shape{3, 2}, 0, 1, 2, 3, 4, 5)}
	half := must(tensor.New(tensor.Float16, tensor.Shape{2}, tensor.Quant{}, []byte{0, 0x3c, 1, 0x7c}))
	for _, c := range []struct {
		name   string
		inputs []Column
		label  *Column
		want   string
		err    error
	}{
		{"nothing", nil, nil, "without inputs", tensor.ErrShape},
		{"labels", []Column{x}, &Column{"y", of[uint8](tensor.Shape{2}, 0, 1)}, "3 samples, 2 labels", tensor.ErrShape},
		{"inputs", []Column{x, {"z", of[uint8](tensor.Shape{1}, 0)}}, nil, "3 samples of x, 1 of z", tensor.ErrShape},
		{"no samples", []Column{{"x", of[float32](tensor.Shape{0, 2})}}, nil, "no samples", tensor.ErrShape},
		{"scalar", []Column{{"x", of[float32](nil, 1)}}, nil, "scalar", tensor.ErrShape},
		{"NaN", []Column{{"x", of(tensor.Shape{3, 2}, 0, 1, 2, nan, 4, 5)}}, nil, "x: sample 1 holds NaN", tensor.ErrMalformed},
		{"Inf", []Column{{"x", of(tensor.Shape{2, 1}, 0, inf)}}, nil, "x: sample 1 holds Inf", tensor.ErrMalformed},
		{"NaN half", []Column{{"x", half}}, nil, "x: sample 1 holds NaN", tensor.ErrMalformed},
		{"NaN label", []Column{x}, &Column{"y", of(tensor.Shape{3}, 0, 0, nan)}, "y: sample 2 holds NaN", tensor.ErrMalformed},
		{"strings", []Column{{"x", must(tensor.OfStrings(tensor.Shape{1}, "a"))}}, nil, "string data", tensor.ErrUnsupported},
	} {
		_, err := FromColumns(Columns{Inputs: c.inputs, Label: c.label})
		if err == nil || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestConform(t *testing.T) {
	src := must(FromColumns(Columns{Inputs: []Column{{"x", of(tensor.Shape{1, 2, 3}, []uint8{1, 2, 3, 4, 5, 6}...)}}}))
	for _, c := range []struct{ want, got tensor.Shape }{
		{tensor.Shape{2, 3}, tensor.Shape{2, 3}},
		{tensor.Shape{2, 3, 1}, tensor.Shape{2, 3, 1}},
		{tensor.Shape{-1, -1, 1}, tensor.Shape{2, 3, 1}},
		{tensor.Shape{1, 2, 3}, tensor.Shape{1, 2, 3}},
		{tensor.Shape{1, 2, 1, 3}, tensor.Shape{1, 2, 1, 3}},
		{tensor.Shape{3, 2}, nil},
		{tensor.Shape{6}, nil},
		{tensor.Shape{2, 4}, nil},
	} {
		got, err := Conform(src, []Field{{"in", tensor.Int8, c.want}})
		if c.got == nil {
			if !errors.Is(err, tensor.ErrShape) || !strings.Contains(err.Error(), `"in": data has shape [2,3]`) {
				t.Errorf("%v: %v", c.want, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", c.want, err)
			continue
		}
		want := []Field{{"in", tensor.UInt8, c.got}}
		if diff := cmp.Diff(want, got.Spec().Inputs); diff != "" {
			t.Errorf("%v: %s", c.want, diff)
		}
	}
	if _, err := Conform(src, nil); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("no inputs: %v", err)
	}
	if got := must(Conform(src, src.Spec().Inputs)); got != src {
		t.Error("what fits is wrapped")
	}
	f := must(Conform(src, []Field{{"in", tensor.Float32, tensor.Shape{2, 3}}})).(Indexed)
	if diff := cmp.Diff([]float32{1, 2, 3, 4, 5, 6}, must(tensor.Values[float32](must(f.At(0)).Inputs[0]))); diff != "" {
		t.Error(diff)
	}
	complexes := must(FromColumns(Columns{Inputs: []Column{{"x", of[complex64](tensor.Shape{1}, 1)}}}))
	if _, err := Conform(complexes, []Field{{"in", tensor.Float32, nil}}); !errors.Is(err, tensor.ErrType) {
		t.Errorf("complex as float: %v", err)
	}
}

// liar is a source whose samples are not what Spec says, or end in an error.
type liar struct {
	stream
	sample Sample
	err    error
}

func (l liar) All(context.Context) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		_ = yield(must(count(1).At(0)), nil) && yield(l.sample, l.err)
	}
}

func TestForeignSourceIsChecked(t *testing.T) {
	good := must(count(1).At(0))
	failed := errors.New("disk on fire")
	p := must(ParsePreprocessing("/2"))
	for _, c := range []struct {
		name string
		l    liar
		err  error
	}{
		{"no inputs", liar{sample: Sample{Label: good.Label}}, tensor.ErrShape},
		{"input", liar{sample: Sample{Inputs: []tensor.Tensor{good.Label}, Label: good.Label}}, tensor.ErrShape},
		{"error", liar{err: failed}, failed},
	} {
		c.l.stream = stream{count(2)}
		for name, src := range map[string]Source{
			"raw": c.l, "preprocessed": must(Preprocess(c.l, p)), "slice": Slice(c.l, 0, 2), "concat": must(Concat(stream{count(1)}, c.l)),
		} {
			var last error
			for _, err := range Batches(t.Context(), src, 2) {
				last = err
			}
			if !errors.Is(last, c.err) {
				t.Errorf("%s, %s: %v, want %v", c.name, name, last, c.err)
			}
		}
	}
	bad := liar{stream: stream{count(2)}, sample: Sample{Inputs: good.Inputs}}
	var last error
	for _, err := range Batches(t.Context(), bad, 2) {
		last = err
	}
	if !errors.Is(last, tensor.ErrShape) {
		t.Errorf("label missing: %v", last)
	}
}

func TestSetAll(t *testing.T) {
	set := Set{Splits: []string{"a", "b"}, Open: func(string) (Indexed, error) { return count(10), nil }}
	src, err := Open(t.Context(), "n:all[5:15]", Options{Sets: map[string]Set{"n": set}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{5, 6, 7, 8, 9, 0, 1, 2, 3, 4}, labels(t, src)); diff != "" {
		t.Error(diff)
	}
}
