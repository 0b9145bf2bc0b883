package hdf5

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/litequant/litequant/tensor"
	"pgregory.net/rapid"
)

// python returns the interpreter that has h5py, or skips the test.
func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv("LITEQUANT_PYTHON")
	if p == "" {
		t.Skip("LITEQUANT_PYTHON does not name a Python with h5py")
	}
	return p
}

func runCheck(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command(python(t), append([]string{"testdata/check_write.py"}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("check_write.py %s: %v\n%s", args, err, out)
	}
}

func written(t testing.TB, b *Builder) []byte {
	t.Helper()
	var buf bytes.Buffer
	n, err := b.WriteTo(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(buf.Len()) {
		t.Errorf("WriteTo returned %d for %d bytes", n, buf.Len())
	}
	return buf.Bytes()
}

func saved(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustTensor[T tensor.Element](t testing.TB, shape tensor.Shape, v ...T) tensor.Tensor {
	t.Helper()
	x, err := tensor.Of(shape, v...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// counting is a tensor of 24 numbers from a first one.
func counting[T tensor.Element](t testing.TB, n int, number func(i int) T) tensor.Tensor {
	v := make([]T, n)
	for i := range v {
		v[i] = number(i)
	}
	if n == 24 {
		return mustTensor(t, tensor.Shape{2, 3, 4}, v...)
	}
	return mustTensor(t, tensor.Shape{n}, v...)
}

// everything builds the file that check_write.py knows.
func everything(t testing.TB) *Builder {
	b := NewBuilder()
	root := b.Root()
	g := root.Group("numbers")
	f4 := g.Dataset("f4", counting(t, 24, func(i int) float32 { return float32(i - 5) }))
	g.Dataset("f8", counting(t, 24, func(i int) float64 { return float64(i - 5) }))
	g.Dataset("i1", counting(t, 24, func(i int) int8 { return int8(i - 5) }))
	g.Dataset("i2", counting(t, 24, func(i int) int16 { return int16(i - 5) }))
	g.Dataset("i4", counting(t, 24, func(i int) int32 { return int32(i - 5) }))
	g.Dataset("i8", counting(t, 24, func(i int) int64 { return int64(i - 5) }))
	g.Dataset("u1", counting(t, 24, func(i int) uint8 { return uint8(i) }))
	g.Dataset("u2", counting(t, 24, func(i int) uint16 { return uint16(i) }))
	g.Dataset("u4", counting(t, 24, func(i int) uint32 { return uint32(i) }))
	g.Dataset("u8", counting(t, 24, func(i int) uint64 { return uint64(i) }))
	half := []uint16{0x3c00, 0xc000, 0x7c00}
	g.Dataset("f2", tensor.Raw(tensor.Float16, tensor.Shape{3}, tensor.Quant{}, tensor.BytesOf(half)))
	g.Dataset("bool", mustTensor(t, tensor.Shape{1, 2}, true, false))
	g.Dataset("bf16", tensor.Raw(tensor.BFloat16, tensor.Shape{2}, tensor.Quant{}, tensor.BytesOf([]uint16{0x3f80, 0xc020})))
	root.Dataset("scalar", -3)
	root.Dataset("scalar_f4", float32(0.5))
	root.Dataset("empty", mustTensor[float32](t, tensor.Shape{0, 3}))
	root.Dataset("text", "naïve ü")
	root.Dataset("strings", []string{"", "a", "ü"})
	root.Dataset("large", counting(t, 300000, func(i int) float32 { return float32(i) }))
	many := root.Group("many")
	for i := range 3000 {
		many.Group(fmt.Sprintf("layer_%d", i)).SetAttr("i", i)
	}
	root.Group("名前").Dataset("ü x", int64(1))
	root.Group("none")
	for _, n := range []interface{ SetAttr(string, any) }{root, many, f4} {
		n.SetAttr("text", "héllo")
		n.SetAttr("empty_text", "")
		n.SetAttr("config", strings.Repeat("0123456789", 20000))
		n.SetAttr("names", []string{"kernel:0", "bias:0"})
		n.SetAttr("no_names", []string{})
		n.SetAttr("int", 7)
		n.SetAttr("ints", []int64{1, -2, 3})
		n.SetAttr("floats", []float32{0.5, 2})
		n.SetAttr("bool", true)
		n.SetAttr("long", counting(t, 8000, func(i int) int64 { return int64(i) }))
		n.SetAttr("ünï", 1)
	}
	attrs := root.Group("many_attrs")
	for i := range 200 {
		attrs.SetAttr(fmt.Sprintf("a%03d", i), fmt.Sprintf("text %d", i))
	}
	return b
}

func TestWriteH5py(t *testing.T) {
	runCheck(t, "values", saved(t, "values.h5", written(t, everything(t))))
}

// TestSuperblock1 reads a file with a superblock of version 1, which has four bytes more.
func TestSuperblock1(t *testing.T) {
	const at, more = 24, 8 // the other four bytes keep the alignment
	b := everything(t)
	p := &plan{end: superblockSize + more, references: map[*payload][]byte{}}
	p.collect(b.root)
	p.flushStrings()
	root, err := p.group(b.root)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	old := encodeSuperblock(p.end, root)
	old[8] = 1
	chunkK := []byte{32, 0, 0, 0}
	if _, err := p.write(&buf, slices.Concat(old[:at], chunkK, old[at:], make([]byte, 4))); err != nil {
		t.Fatal(err)
	}
	f := openBytes(t, buf.Bytes())
	if got, err := dataset(t, f, "numbers/i1").Ints(); err != nil || len(got) != 24 || got[23] != 18 {
		t.Errorf("%v, %v", got, err)
	}
	if os.Getenv("LITEQUANT_PYTHON") != "" { // h5py agrees that the file is valid
		runCheck(t, "values", saved(t, "values.h5", buf.Bytes()))
	}
}

func TestWriteIsDeterministic(t *testing.T) {
	b := everything(t)
	first := written(t, b)
	if !bytes.Equal(first, written(t, b)) || !bytes.Equal(first, written(t, everything(t))) {
		t.Error("the same content was written as other bytes")
	}
}

// copyGroup adds all that g holds to dst.
func copyGroup(t *testing.T, dst *GroupBuilder, g *Group) {
	t.Helper()
	copyAttrs(t, dst, g)
	for _, name := range g.Names() {
		o, err := g.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		switch o := o.(type) {
		case *Group:
			copyGroup(t, dst.Group(name), o)
		case *Dataset:
			copyAttrs(t, dst.Dataset(name, copiedValue(t, &o.values)), o)
		}
	}
}

func copyAttrs(t *testing.T, dst interface{ SetAttr(string, any) }, o Object) {
	t.Helper()
	names, err := o.AttrNames()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		a, err := o.Attr(name)
		if err != nil {
			t.Fatal(err)
		}
		dst.SetAttr(name, copiedValue(t, &a.values))
	}
}

func copiedValue(t *testing.T, v *values) any {
	t.Helper()
	if _, ok := v.Type().DType(); ok {
		x, err := v.Tensor()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	if len(v.Shape()) == 0 {
		s, err := v.Text()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, err := v.Strings()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// copied rewrites an HDF5 file by reader and writer.
func copied(t *testing.T, original []byte) []byte {
	t.Helper()
	b := NewBuilder()
	copyGroup(t, b.Root(), openBytes(t, original).Root())
	return written(t, b)
}

// TestRewrite copies files made by Keras and compares the copies with what is known of the originals.
func TestRewrite(t *testing.T) {
	for _, name := range kerasFiles {
		t.Run(name, func(t *testing.T) {
			checkGolden(t, openBytes(t, copied(t, readGzip(t, "testdata/"+name+".h5.gz"))), name)
		})
	}
}

var kerasFiles = []string{"keras2_model", "keras2_weights", "keras2_archive", "keras3_model", "keras3_archive"}

// TestRewriteH5py compares such copies with the originals by means of h5py, and one by loading both with Keras.
func TestRewriteH5py(t *testing.T) {
	for _, name := range kerasFiles {
		t.Run(name, func(t *testing.T) {
			original := readGzip(t, "testdata/"+name+".h5.gz")
			a := saved(t, "original.h5", original)
			b := saved(t, "copy.h5", copied(t, original))
			runCheck(t, "same", a, b)
			if name == "keras2_model" {
				runCheck(t, "keras", a, b)
			}
		})
	}
}

func TestBuilderErrors(t *testing.T) {
	for name, c := range map[string]struct {
		build func(g *GroupBuilder)
		want  error
	}{
		"attribute of 64 KiB":  {func(g *GroupBuilder) { g.SetAttr("a", make([]int64, 1<<13)) }, tensor.ErrLimit},
		"names of 64 KiB":      {func(g *GroupBuilder) { g.SetAttr("a", slices.Repeat([]string{"0123456789"}, 6554)) }, tensor.ErrLimit},
		"attribute just below": {func(g *GroupBuilder) { g.SetAttr("a", make([]int64, 8181)) }, nil},
		"attribute too long":   {func(g *GroupBuilder) { g.SetAttr("a", make([]int64, 8190)) }, tensor.ErrLimit},
		"attribute twice":      {func(g *GroupBuilder) { g.SetAttr("a", 1); g.SetAttr("a", 2) }, tensor.ErrMalformed},
		"attribute of a map":   {func(g *GroupBuilder) { g.SetAttr("a", map[string]int{}) }, tensor.ErrType},
		"unnamed attribute":    {func(g *GroupBuilder) { g.SetAttr("", 1) }, tensor.ErrMalformed},
		"text with NUL":        {func(g *GroupBuilder) { g.SetAttr("a", "x\x00y") }, tensor.ErrMalformed},
		"names with NUL":       {func(g *GroupBuilder) { g.SetAttr("a", []string{"x\x00"}) }, tensor.ErrMalformed},
		"unnamed dataset":      {func(g *GroupBuilder) { g.Dataset("a/", 1) }, tensor.ErrMalformed},
		"dataset twice":        {func(g *GroupBuilder) { g.Dataset("a/b", 1); g.Dataset("a/b", 1) }, tensor.ErrMalformed},
		"group over dataset":   {func(g *GroupBuilder) { g.Dataset("a", 1); g.Group("a/b") }, tensor.ErrMalformed},
		"name with NUL":        {func(g *GroupBuilder) { g.Group("a\x00") }, tensor.ErrMalformed},
		"dot":                  {func(g *GroupBuilder) { g.Group("a/./b") }, tensor.ErrMalformed},
		"wrong shape": {func(g *GroupBuilder) {
			g.Dataset("a", tensor.Raw(tensor.Float32, tensor.Shape{3}, tensor.Quant{}, make([]byte, 8)))
		}, tensor.ErrShape},
		"int4": {func(g *GroupBuilder) {
			g.Dataset("a", tensor.Raw(tensor.Int4, tensor.Shape{2}, tensor.Quant{}, make([]byte, 1)))
		}, tensor.ErrUnsupported},
	} {
		b := NewBuilder()
		c.build(b.Root())
		_, err := b.WriteTo(io.Discard)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want one wrapping %v", name, err, c.want)
		}
	}
}

// failingWriter fails after some bytes.
type failingWriter struct{ left int }

var errFull = errors.New("disk full")

func (f *failingWriter) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWriteFails(t *testing.T) {
	for _, left := range []int{0, 100000, 1300000} {
		if _, err := everything(t).WriteTo(&failingWriter{left}); !errors.Is(err, errFull) {
			t.Errorf("after %d bytes: %v", left, err)
		}
	}
}

// TestRoundTrip writes any tree of groups, tensors and strings and reads it again.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuilder()
		want := map[string]any{}
		fillGroup(t, b.Root(), "", want, 0)
		var buf bytes.Buffer
		if _, err := b.WriteTo(&buf); err != nil {
			t.Fatal(err)
		}
		f, err := Open(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]any{}
		if err := readGroup(f.Root(), "", got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("written (-) and read (+) differ:\n%s", d)
		}
	})
}

// plain is a tensor as cmp compares it.
type plain struct {
	Type  string
	Shape []int
	Bytes string
}

var (
	linkName   = rapid.StringMatching(`[a-z_:ü0-9 ]{1,12}`)
	anyText    = rapid.StringMatching(`[a-zé\n]{0,40}`)
	tensorType = rapid.SampledFrom([]tensor.DType{tensor.Float16, tensor.Float32, tensor.Float64, tensor.Int8, tensor.Int16,
		tensor.Int32, tensor.Int64, tensor.UInt8, tensor.UInt16, tensor.UInt32, tensor.UInt64, tensor.Bool})
)

func fillGroup(t *rapid.T, g *GroupBuilder, path string, want map[string]any, depth int) {
	want[path+"/"] = "group"
	fillAttrs(t, g, path+"/", want)
	for _, name := range rapid.SliceOfNDistinct(linkName, 0, 30, rapid.ID).Draw(t, "names") {
		at := path + "/" + name
		if depth < 3 && rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
			fillGroup(t, g.Group(name), at, want, depth+1)
			continue
		}
		var value any
		value, want[at] = anyValue(t)
		fillAttrs(t, g.Dataset(name, value), at, want)
	}
}

func fillAttrs(t *rapid.T, n interface{ SetAttr(string, any) }, path string, want map[string]any) {
	for _, name := range rapid.SliceOfNDistinct(linkName, 0, 3, rapid.ID).Draw(t, "attributes") {
		var value any
		value, want[path+"@"+name] = anyValue(t)
		n.SetAttr(name, value)
	}
}

// anyValue draws a value to be written, and what is to be read.
func anyValue(t *rapid.T) (value, want any) {
	switch rapid.IntRange(0, 3).Draw(t, "sort") {
	case 0:
		s := anyText.Draw(t, "text")
		return s, []string{s}
	case 1:
		s := rapid.SliceOfN(anyText, 0, 5).Draw(t, "texts")
		return s, append([]string{}, s...)
	}
	d := tensorType.Draw(t, "type")
	shape := tensor.Shape(rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape"))
	n, err := shape.Bytes(d)
	if err != nil {
		t.Fatal(err)
	}
	data := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes")
	return tensor.Raw(d, shape, tensor.Quant{}, data), plain{d.String(), append([]int{}, shape...), string(data)}
}

func readGroup(g *Group, path string, got map[string]any) error {
	got[path+"/"] = "group"
	if err := readAttrs(g, path+"/", got); err != nil {
		return err
	}
	for _, name := range g.Names() {
		o, err := g.Open(name)
		if err != nil {
			return err
		}
		at := path + "/" + name
		switch o := o.(type) {
		case *Group:
			err = readGroup(o, at, got)
		case *Dataset:
			if got[at], err = readValue(&o.values); err == nil {
				err = readAttrs(o, at, got)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readAttrs(o Object, path string, got map[string]any) error {
	names, err := o.AttrNames()
	for _, name := range names {
		a, err := o.Attr(name)
		if err != nil {
			return err
		}
		if got[path+"@"+name], err = readValue(&a.values); err != nil {
			return err
		}
	}
	return err
}

func readValue(v *values) (any, error) {
	if c := v.Type().Class; c == ClassString || c == ClassVarString {
		return v.Strings()
	}
	t, err := v.Tensor()
	return plain{t.DType().String(), append([]int{}, t.Shape()...), string(t.Bytes())}, err
}
