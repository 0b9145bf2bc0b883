package dataset

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/litequant/litequant/tensor"
)

func gz(file string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(file))
	z.Close()
	return b.String()
}

const (
	images = "\x00\x00\x08\x03\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x01\x02\x03\x04\x05"
	classs = "\x00\x00\x08\x01\x00\x00\x00\x03\x07\x08\x09"
)

// dir makes a directory of files that the tests read and returns its path.
func dir(t *testing.T) string {
	t.Helper()
	d := t.TempDir()
	for name, content := range map[string]string{
		"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte.gz": gz(classs),
		"t10k-images.idx3-ubyte.gz": gz(images), "t10k-labels.idx1-ubyte.gz": gz(classs),
		"other": images, "labels of other, too": classs,
		"short-images": images, "short-labels": "\x00\x00\x08\x01\x00\x00\x00\x02\x07\x08",
		"cut.gz": gz(images)[:20], "cut": images[:20], "text": "hello, world", "empty": "", "broken.npz": "PK\x03\x04rest",
		"huge": "\x00\x00\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		if err := os.WriteFile(filepath.Join(d, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d + string(filepath.Separator)
}

// first prints a source's size and its first sample.
func first(t *testing.T, src Source) (int, []float32, []float32) {
	t.Helper()
	s, err := src.(Indexed).At(0)
	if err != nil {
		t.Fatal(err)
	}
	if src.Spec().Label == nil {
		return src.Len(), s.Inputs[0].Float32s(), nil
	}
	return src.Len(), s.Inputs[0].Float32s(), s.Label.Float32s()
}

func TestOpen(t *testing.T) {
	d := dir(t)
	model := func(names ...string) []Field {
		var f []Field
		for _, n := range names {
			f = append(f, Field{n, tensor.Float32, tensor.Shape{-1, 2}})
		}
		return f
	}
	onehot := []float32{1, 0, 0, 0, 0, 0}
	for _, c := range []struct {
		text  string
		o     Options
		n     int
		x, y  []float32
		input Field
	}{
		{"testdata/xy.npz", Options{}, 6, []float32{0, 1, 2, 3}, []float32{0}, Field{"x", tensor.UInt8, tensor.Shape{2, 2}}},
		{"testdata/xy.npz", Options{Preprocess: "mean=1"}, 6, []float32{-1, 0, 1, 2}, []float32{0}, Field{"x", tensor.Float32, tensor.Shape{2, 2}}},
		{"testdata/xy.npz:[2:4]", Options{}, 2, []float32{8, 9, 10, 11}, []float32{2}, Field{"x", tensor.UInt8, tensor.Shape{2, 2}}},
		{"testdata/xy.npz", Options{Limit: 4, Inputs: model("image")}, 4, []float32{0, 1, 2, 3}, []float32{0}, Field{"image", tensor.Float32, tensor.Shape{2, 2}}},
		{"testdata/splits.npz:test", Options{}, 2, []float32{100, 101, 102, 103}, []float32{0}, Field{"x_test", tensor.UInt8, tensor.Shape{2, 2}}},
		{"testdata/splits.npz:train[50%:]", Options{}, 3, []float32{12, 13, 14, 15}, []float32{3}, Field{"x_train", tensor.UInt8, tensor.Shape{2, 2}}},
		{"testdata/named.npz", Options{}, 6, []float32{0, 1, 2, 3}, onehot, Field{"a", tensor.Float32, tensor.Shape{2, 2}}},
		{"testdata/named.npz", Options{Inputs: model("serving_default_b:0")}, 6, []float32{0, 1}, onehot, Field{"serving_default_b:0", tensor.Float32, tensor.Shape{1, 2}}},
		{"testdata/named.npz", Options{Inputs: model("b", "a")}, 6, []float32{0, 1}, onehot, Field{"b", tensor.Float32, tensor.Shape{1, 2}}},
		{"testdata/positional.npz", Options{Inputs: model("image")}, 6, []float32{0, 1, 2, 3}, nil, Field{"image", tensor.Float32, tensor.Shape{2, 2}}},
		{"testdata/x.npy", Options{}, 6, []float32{0, 1, 2, 3}, nil, Field{"x", tensor.UInt8, tensor.Shape{2, 2}}},
		{"testdata/x.npy,testdata/y.npy:all[1:]", Options{}, 5, []float32{4, 5, 6, 7}, []float32{1}, Field{"x", tensor.UInt8, tensor.Shape{2, 2}}},
		{d + "train-images-idx3-ubyte", Options{}, 3, []float32{0, 1}, []float32{7}, Field{"x", tensor.UInt8, tensor.Shape{1, 2}}},
		{d + "t10k-images.idx3-ubyte.gz:[-1:]", Options{Preprocess: "/2"}, 1, []float32{2, 2.5}, []float32{9}, Field{"x", tensor.Float32, tensor.Shape{1, 2}}},
		{d + "other", Options{}, 3, []float32{0, 1}, nil, Field{"x", tensor.UInt8, tensor.Shape{1, 2}}},
		{d + "other," + d + "labels of other, too:[1:]", Options{}, 2, []float32{2, 3}, []float32{8}, Field{"x", tensor.UInt8, tensor.Shape{1, 2}}},
	} {
		src, err := Open(t.Context(), c.text, c.o)
		if err != nil {
			t.Error(err)
			continue
		}
		n, x, y := first(t, src)
		if diff := cmp.Diff([]any{c.n, c.x, c.y, c.input}, []any{n, x, y, src.Spec().Inputs[0]}); diff != "" {
			t.Errorf("%s: %s", c.text, diff)
		}
	}
}

func TestOpenRejects(t *testing.T) {
	d := dir(t)
	set := Set{Splits: []string{"train", "test"}, Open: func(string) (Indexed, error) { return count(10), nil }}
	o := Options{Sets: map[string]Set{"mnist": set, "digits": set}}
	image := []Field{{"image", tensor.Float32, tensor.Shape{28, 28, 1}}}
	for _, c := range []struct {
		text, want string
		o          Options
		err        error
	}{
		{"minst:train", `unknown data set "minst" (known: digits, mnist)`, o, tensor.ErrUnsupported},
		{"mnist", "which split? (mnist:train, mnist:test)", o, tensor.ErrMalformed},
		{"mnist:validation", `unknown split "validation" (there are train, test)`, o, tensor.ErrUnsupported},
		{"mnist:train[:", "bad slice", o, tensor.ErrMalformed},
		{"mnist:train[:99]", "beyond the 10 samples", o, tensor.ErrLimit},
		{"mnist:train", `input "image": data has shape [2], the model takes [28,28,1]`, Options{Sets: o.Sets, Inputs: image}, tensor.ErrShape},
		{"mnist:train", "unknown step", Options{Sets: o.Sets, Preprocess: "resize"}, tensor.ErrUnsupported},
		{d + "nothing.npz", "nothing.npz: file does not exist", Options{}, fs.ErrNotExist},
		{d, "not a file", Options{}, tensor.ErrUnsupported},
		{d + "text", "wrong magic", Options{}, tensor.ErrMalformed},
		{d + "empty", "wrong magic", Options{}, tensor.ErrMalformed},
		{d + "cut", "truncated idx file", Options{}, tensor.ErrMalformed},
		{d + "cut.gz", "truncated idx file", Options{}, tensor.ErrMalformed},
		{d + "huge", "too many elements", Options{}, tensor.ErrLimit},
		{d + "broken.npz", "not a .npz file", Options{}, tensor.ErrMalformed},
		{d + "short-images", "3 samples, 2 labels", Options{}, tensor.ErrShape},
		{d + "other," + d + "text", "labels " + d + "text: neither", Options{}, tensor.ErrMalformed},
		{d + "other:train", `no split "train"`, Options{}, tensor.ErrUnsupported},
		{d + "other", "allowed", Options{MaxBytes: 5}, tensor.ErrLimit},
		{"testdata/xy.npz", "allowed", Options{MaxBytes: 5}, tensor.ErrLimit},
		{"testdata/xy.npz:train", `no array for input "x_train" (there are x, y)`, Options{}, tensor.ErrMalformed},
		{"testdata/splits.npz", "name a split: train, test", Options{}, tensor.ErrMalformed},
		{"testdata/named.npz", `no array for input "image" (there are a, b, labels)`, Options{Inputs: image}, tensor.ErrMalformed},
		{"testdata/xy.npz,testdata/y.npy", "holds its labels itself", Options{}, tensor.ErrUnsupported},
	} {
		_, err := Open(t.Context(), c.text, c.o)
		if err == nil || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), c.text+": ") {
			t.Errorf("%s: the error %q does not begin with the data", c.text, err)
		}
	}
}
