package npy

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math"
	"os"
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

func halves(v ...uint16) tensor.Tensor {
	return must(tensor.New(tensor.Float16, tensor.Shape{len(v)}, tensor.Quant{}, tensor.BytesOf(v)))
}

func strs(s tensor.Shape, v ...string) tensor.Tensor { return must(tensor.OfStrings(s, v...)) }

// cases are the arrays of testdata/cases.npz, in its order.
func cases() []Array {
	s := tensor.Shape{2, 3}
	f2 := must(halves(0, 0x3c00, 0xc000, 0x5640, 0xd800, 0x4700).Reshaped(s))
	return []Array{
		{"f2", f2},
		{"f4", of[float32](s, 0, 1, -2, 100, -128, 7)},
		{"f8", of[float64](s, 0, 1, -2, 100, -128, 7)},
		{"i1", of[int8](s, 0, 1, -2, 100, -128, 7)},
		{"i2", of[int16](s, 0, 1, -2, 100, -128, 7)},
		{"i4", of[int32](s, 0, 1, -2, 100, -128, 7)},
		{"i8", of[int64](s, 0, 1, -2, 100, -128, 7)},
		{"u1", of[uint8](s, 0, 1, 2, 100, 128, 255)},
		{"u2", of[uint16](s, 0, 1, 2, 100, 128, 255)},
		{"u4", of[uint32](s, 0, 1, 2, 100, 128, 255)},
		{"u8", of[uint64](s, 0, 1, 2, 100, 128, 255)},
		{"b1", of(tensor.Shape{3}, true, false, true)},
		{"c8", of[complex64](tensor.Shape{2}, 1+2i, complex(float32(math.Copysign(0, -1)), -3))},
		{"c16", of[complex128](tensor.Shape{2}, 1+2i, complex(math.Copysign(0, -1), -3))},
		{"special", halves(0x7c00, 0xfc00, 0x8000, 1, 0x7bff)},
		{"scalar", of(tensor.Shape{}, 3.5)},
		{"empty", of[float32](tensor.Shape{0, 4})},
		{"bytes", strs(tensor.Shape{3}, "ab", "", "cde")},
		{"layer/é:0", of[int32](tensor.Shape{1}, 1)},
	}
}

// foreign are the arrays that are stored in another way than Write does.
func foreign() []Array {
	fortran := make([]int16, 24)
	for i := range fortran {
		fortran[i] = int16(i)
	}
	return []Array{
		{"big_i4", of[int32](tensor.Shape{2, 3}, 0, 1, -2, 100, -128, 7)},
		{"big_c8", of[complex64](tensor.Shape{2}, 1+2i, complex(float32(math.Copysign(0, -1)), -3))},
		{"fortran", of(tensor.Shape{2, 3, 4}, fortran...)},
		{"unicode", strs(tensor.Shape{3}, "hé", "", "世")},
		{"fortran_bytes", strs(tensor.Shape{2, 2}, "a", "bb", "c", "")},
	}
}

// equal compares dtype, shape and bytes.
var equal = cmp.Comparer(func(a, b tensor.Tensor) bool {
	return a.DType() == b.DType() && a.Shape().Equal(b.Shape()) && bytes.Equal(a.Bytes(), b.Bytes())
})

func readAll(t *testing.T, file []byte) []Array {
	t.Helper()
	got, err := ReadAll(bytes.NewReader(file), int64(len(file)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReadNumPy(t *testing.T) {
	for name, want := range map[string][]Array{
		"cases.npz":      cases(),
		"foreign.npz":    foreign(),
		"compressed.npz": append(cases(), foreign()...),
	} {
		got := readAll(t, must(os.ReadFile("testdata/"+name)))
		if diff := cmp.Diff(want, got, equal); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	v2 := must(os.ReadFile("testdata/version2.npy"))
	got, err := Read(bytes.NewReader(v2), int64(len(v2)))
	if diff := cmp.Diff(of[int8](tensor.Shape{3}, 0, 1, 2), got, equal); diff != "" || err != nil {
		t.Errorf("version 2: %v %s", err, diff)
	}
}

// Every array is written byte for byte as numpy.save wrote it.
func TestWriteEqualsNumPy(t *testing.T) {
	z := must(zip.OpenReader("testdata/cases.npz"))
	defer z.Close()
	for i, a := range cases() {
		want := must(io.ReadAll(must(z.File[i].Open())))
		var got bytes.Buffer
		if err := Write(&got, a.Tensor); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: %q, NumPy writes %q", a.Name, got.Bytes(), want)
		}
	}
}

func TestWriteAll(t *testing.T) {
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		if err := WriteAll(w, cases()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two runs differ")
	}
	if diff := cmp.Diff(cases(), readAll(t, a.Bytes()), equal); diff != "" {
		t.Error(diff)
	}
	x := cases()[0]
	if err := WriteAll(io.Discard, []Array{x, x}); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("two arrays of one name: %v", err)
	}
}

func TestWriteWidens(t *testing.T) {
	for _, c := range []struct{ in, want tensor.Tensor }{
		{tensor.Raw(tensor.BFloat16, tensor.Shape{2}, tensor.Quant{}, []byte{0x80, 0x3f, 0x20, 0xc1}), of[float32](tensor.Shape{2}, 1, -10)},
		{tensor.Raw(tensor.Int4, tensor.Shape{3}, tensor.PerTensor(9, 1), []byte{0x8f, 7}), of[int8](tensor.Shape{3}, -1, -8, 7)},
		{tensor.Raw(tensor.UInt4, tensor.Shape{3}, tensor.Quant{}, []byte{0x8f, 7}), of[uint8](tensor.Shape{3}, 15, 8, 7)},
	} {
		var b bytes.Buffer
		if err := Write(&b, c.in); err != nil {
			t.Fatal(err)
		}
		got, err := Read(&b, int64(b.Len()))
		if diff := cmp.Diff(c.want, got, equal); diff != "" || err != nil {
			t.Errorf("%v: %v %s", c.in.DType(), err, diff)
		}
	}
	if err := Write(io.Discard, tensor.Raw(tensor.Resource, nil, tensor.Quant{}, nil)); !errors.Is(err, tensor.ErrUnsupported) {
		t.Errorf("resource: %v", err)
	}
	if err := Write(io.Discard, tensor.Raw(tensor.Float32, tensor.Shape{2}, tensor.Quant{}, nil)); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("bytes missing: %v", err)
	}
}

func TestReadRejects(t *testing.T) {
	raw := func(dict string) string {
		return magic + "\x01\x00" + string([]byte{byte(len(dict)), byte(len(dict) >> 8)}) + dict
	}
	for _, c := range []struct {
		name, file, want string
		err              error
	}{
		{"empty", "", "truncated header", tensor.ErrMalformed},
		{"magic", strings.Repeat("x", 20), "wrong magic", tensor.ErrMalformed},
		{"version", magic + "\x09\x00\x00\x00", "version 9.0", tensor.ErrUnsupported},
		{"long header", magic + "\x02\x00\xff\xff\xff\xff", "header of", tensor.ErrLimit},
		{"header cut", magic + "\x01\x00\x40\x00{", "truncated header", tensor.ErrMalformed},
		{"no dictionary", raw("[]"), `"{" expected`, tensor.ErrMalformed},
		{"key missing", raw("{'descr': '<f4', 'shape': (1,)}"), "dictionary", tensor.ErrMalformed},
		{"key twice", raw("{'shape': (), 'shape': (1,)}"), "twice", tensor.ErrMalformed},
		{"negative", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), "dimension", tensor.ErrMalformed},
		{"too big an integer", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"), "dimension", tensor.ErrMalformed},
		{"huge", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000, 2000000000), }"), "too many elements", tensor.ErrLimit},
		{"data cut", raw("{'descr': '<f4', 'fortran_order': False, 'shape': (4000000,), }"), "truncated array", tensor.ErrMalformed},
		{"empty strings", raw("{'descr': '|S0', 'fortran_order': False, 'shape': (400000000,), }"), "strings", tensor.ErrLimit},
		{"type", raw("{'descr': '<q9', 'fortran_order': False, 'shape': (), }"), "element type", tensor.ErrUnsupported},
		{"structured", raw("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (), }"), "structured", tensor.ErrUnsupported},
	} {
		_, err := Read(strings.NewReader(c.file), int64(len(c.file)))
		if err == nil || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestArchiveRejects(t *testing.T) {
	good := must(os.ReadFile("testdata/compressed.npz"))
	open := func(file []byte, limit int64) error {
		_, err := ReadAll(bytes.NewReader(file), int64(len(file)), limit)
		return err
	}
	if err := open(good, 300); !errors.Is(err, tensor.ErrLimit) {
		t.Errorf("300 bytes allowed: %v", err)
	}
	if err := open(good[:len(good)/2], 1<<20); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("truncated: %v", err)
	}
	flipped := bytes.Clone(good)
	flipped[60] ^= 0xff
	if err := open(flipped, 1<<20); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("flipped byte: %v", err)
	}
	stored := must(os.ReadFile("testdata/cases.npz"))
	at := bytes.Index(stored, []byte("\x00\x3c\x00\xc0")) // in f2's data
	stored[at] ^= 1
	if err := open(stored, 1<<20); !errors.Is(err, tensor.ErrMalformed) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("wrong checksum: %v", err)
	}
	file := must(os.ReadFile("testdata/unsupported.npz"))
	a := must(OpenArchive(bytes.NewReader(file), int64(len(file)), 1<<20))
	for _, name := range a.Names() {
		if _, err := a.Read(name); !errors.Is(err, tensor.ErrUnsupported) || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Read("nothing"); !errors.Is(err, tensor.ErrMalformed) || a.Has("nothing") {
		t.Errorf("missing array: %v", err)
	}
}

// What is written reads back as the same bytes.
func TestRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]tensor.DType{tensor.Float16, tensor.Float32, tensor.Int8, tensor.Int64, tensor.Complex128}).Draw(t, "dtype")
		s := tensor.Shape(rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape"))
		n := must(s.Bytes(d))
		x := must(tensor.New(d, s, tensor.Quant{}, rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "data")))
		var b bytes.Buffer
		if err := Write(&b, x); err != nil {
			t.Fatal(err)
		}
		got, err := Read(&b, int64(b.Len()))
		if diff := cmp.Diff(x, got, equal); diff != "" || err != nil {
			t.Fatalf("%v %s", err, diff)
		}
	})
}

// rowMajor equals indexing by strides, on every rank.
func TestRowMajorProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tensor.Shape(rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(t, "shape"))
		n := must(s.Elems())
		src := make([]byte, n)
		for i := range src {
			src[i] = byte(i)
		}
		got := rowMajor(src, s, 1)
		for to := range n {
			from, rest, stride := 0, to, n
			for axis := len(s) - 1; axis >= 0; axis-- {
				stride /= s[axis]
				from += rest % s[axis] * stride
				rest /= s[axis]
			}
			if got[to] != src[from] {
				t.Fatalf("%v: element %d is %d, want %d", s, to, got[to], src[from])
			}
		}
	})
}

func FuzzNpz(f *testing.F) {
	for _, name := range []string{"cases.npz", "foreign.npz", "compressed.npz", "unsupported.npz", "version2.npy"} {
		f.Add(must(os.ReadFile("testdata/" + name)))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		arrays, err := ReadAll(bytes.NewReader(file), int64(len(file)), 1<<20)
		if err != nil {
			if x, err := Read(bytes.NewReader(file), int64(len(file))); err == nil {
				arrays = []Array{{"x", x}}
			}
		}
		var b bytes.Buffer
		if err := WriteAll(&b, arrays); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := ReadAll(bytes.NewReader(b.Bytes()), int64(b.Len()), 1<<40)
		if diff := cmp.Diff(arrays, again, equal); diff != "" || err != nil {
			t.Fatalf("%v %s", err, diff)
		}
	})
}

func TestUnknownCompression(t *testing.T) {
	file := must(os.ReadFile("testdata/version2.npy"))
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w := must(z.CreateRaw(&zip.FileHeader{Name: "x.npy", Method: 99, CompressedSize64: uint64(len(file)), UncompressedSize64: uint64(len(file))}))
	w.Write(file)
	z.Close()
	if _, err := ReadAll(bytes.NewReader(b.Bytes()), int64(b.Len()), 1<<20); !errors.Is(err, tensor.ErrUnsupported) {
		t.Errorf("method 99: %v", err)
	}
}

// A member that claims more than deflate can pack is refused before memory is
// allocated.
func TestBomb(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w := must(z.CreateRaw(&zip.FileHeader{Name: "x.npy", Method: zip.Deflate, CompressedSize64: 10, UncompressedSize64: 1 << 40}))
	w.Write(make([]byte, 10))
	z.Close()
	if _, err := ReadAll(bytes.NewReader(b.Bytes()), int64(b.Len()), math.MaxInt64); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("1 TiB in 10 bytes: %v", err)
	}
}
