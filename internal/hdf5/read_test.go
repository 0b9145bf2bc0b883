package hdf5

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/litequant/litequant/tensor"
)

func dataset(t *testing.T, f *File, path string) *Dataset {
	t.Helper()
	d, err := f.Root().Dataset(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// typesFile holds, under "mixed", values of every type that convert without loss.
func typesFile(t *testing.T) *File {
	b := NewBuilder()
	g := b.Root()
	g.Dataset("f2", tensor.Raw(tensor.Float16, tensor.Shape{2}, tensor.Quant{}, tensor.BytesOf([]uint16{0x3c00, 0xc000})))
	g.Dataset("f4", []float32{1, -2})
	g.Dataset("f8", mustTensor(t, tensor.Shape{2}, 1.0, -2.0))
	g.Dataset("i1", mustTensor[int8](t, tensor.Shape{2}, 1, -2))
	g.Dataset("i2", mustTensor[int16](t, tensor.Shape{2}, 1, -2))
	g.Dataset("i4", mustTensor[int32](t, tensor.Shape{2}, 1, -2))
	g.Dataset("i8", []int64{1, -2})
	g.Dataset("u1", mustTensor[uint8](t, tensor.Shape{2}, 1, 254))
	g.Dataset("u8", mustTensor[uint64](t, tensor.Shape{2}, 1, math.MaxUint64))
	g.Dataset("bool", mustTensor(t, tensor.Shape{2}, true, false))
	g.Dataset("text", "abc")
	g.Dataset("texts", []string{"abc", "d"})
	g.Dataset("opaque", tensor.Raw(tensor.BFloat16, tensor.Shape{1}, tensor.Quant{}, []byte{1, 2}))
	return openBytes(t, written(t, b))
}

func TestConversions(t *testing.T) {
	f := typesFile(t)
	for path, want := range map[string][]float64{
		"f2": {1, -2}, "f4": {1, -2}, "f8": {1, -2}, "i1": {1, -2}, "i2": {1, -2}, "i4": {1, -2}, "i8": {1, -2},
		"u1": {1, 254}, "u8": {1, 1 << 64}, "bool": {1, 0},
	} {
		d := dataset(t, f, path)
		got, err := d.Float64s()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: Float64s %v, %v; want %v", path, got, err, want)
		}
		narrow, err := d.Float32s()
		if err != nil || !slices.Equal(narrow, []float32{float32(want[0]), float32(want[1])}) {
			t.Errorf("%s: Float32s %v, %v; want %v", path, narrow, err, want)
		}
		ints, err := d.Ints()
		switch {
		case path[0] == 'f':
			checkIs(t, err, tensor.ErrType)
		case path == "u8":
			checkIs(t, err, tensor.ErrLimit)
		case err != nil || !slices.Equal(ints, []int64{int64(want[0]), int64(want[1])}):
			t.Errorf("%s: Ints %v, %v; want %v", path, ints, err, want)
		}
	}
}

func TestBigEndianAndOddSizes(t *testing.T) {
	f := openBytes(t, readGzip(t, "testdata/types_latest.h5.gz"))
	for path, want := range map[string][]float64{
		"int24be":  {0x030201, -1, -(1 << 23)},
		"uint24le": {0x030201, 1<<24 - 1, 1 << 23},
		"bfloat16": {1, -2.5, math.Inf(1)},
		"enum":     {0, 42, 1},
	} {
		if got, err := dataset(t, f, path).Float64s(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", path, got, err, want)
		}
	}
}

func checkIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want one wrapping %v", err, want)
	}
}

func TestWrongRequests(t *testing.T) {
	f := typesFile(t)
	root := f.Root()
	_, err := root.Open("missing")
	checkIs(t, err, fs.ErrNotExist)
	_, err = root.Attr("missing")
	checkIs(t, err, fs.ErrNotExist)
	_, err = root.Group("f4")
	checkIs(t, err, tensor.ErrType)
	_, err = root.Dataset("/")
	checkIs(t, err, tensor.ErrType)
	_, err = dataset(t, f, "f4").Strings()
	checkIs(t, err, tensor.ErrType)
	_, err = dataset(t, f, "f4").Text()
	checkIs(t, err, tensor.ErrShape)
	_, err = dataset(t, f, "texts").Float32s()
	checkIs(t, err, tensor.ErrType)
	_, err = dataset(t, f, "text").Bytes()
	checkIs(t, err, tensor.ErrType)
	_, err = dataset(t, f, "text").Tensor()
	checkIs(t, err, tensor.ErrType)
	_, err = dataset(t, f, "opaque").Ints()
	checkIs(t, err, tensor.ErrType)
	if root.HasAttr("missing") || root.Has("missing") || !root.Has("f4") {
		t.Error("Has or HasAttr is wrong")
	}
}

func TestValuesAreTheCallers(t *testing.T) {
	b := NewBuilder()
	b.Root().SetAttr("a", []int64{1, 2})
	f := openBytes(t, written(t, b))
	a, err := f.Root().Attr("a")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := a.Bytes()
	clear(first)
	if got, _ := a.Ints(); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("changed to %v", got)
	}
}

// countingReader counts the bytes read.
type countingReader struct {
	r io.ReaderAt
	n int
}

func (c *countingReader) ReadAt(b []byte, at int64) (int, error) {
	c.n += len(b)
	return c.r.ReadAt(b, at)
}

func TestOpenIsLazy(t *testing.T) {
	b := NewBuilder()
	b.Root().Dataset("g/large", counting(t, 1<<20, func(i int) float32 { return float32(i) }))
	file := written(t, b)
	r := &countingReader{r: bytes.NewReader(file)}
	f, err := Open(r, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if dataset(t, f, "g/large"); r.n > 8192 {
		t.Errorf("%d bytes are read to open a dataset", r.n)
	}
	part := r.n
	if _, err := dataset(t, f, "g/large").Float32s(); err != nil || r.n-part < 4<<20 {
		t.Errorf("%d bytes are read for 4 MiB of values: %v", r.n-part, err)
	}
}

// walked counts what a walk through a file met.
type walked struct{ objects, errors int }

// walkAll opens and reads all it can find, at most 200 objects. Every error must wrap a known one.
func walkAll(t testing.TB, f *File) walked {
	var w walked
	w.visit(t, f.Root(), 0)
	return w
}

func (w *walked) check(t testing.TB, err error) bool {
	if err == nil {
		return true
	}
	w.errors++
	for _, known := range []error{tensor.ErrMalformed, tensor.ErrUnsupported, tensor.ErrLimit, tensor.ErrType, tensor.ErrShape, fs.ErrNotExist} {
		if errors.Is(err, known) {
			return false
		}
	}
	t.Errorf("error %v is of no known kind", err)
	return false
}

func (w *walked) visit(t testing.TB, o Object, depth int) {
	if w.objects++; w.objects > 200 || depth > 6 {
		return
	}
	names, err := o.AttrNames()
	w.check(t, err)
	for _, name := range names[:min(20, len(names))] {
		if a, err := o.Attr(name); w.check(t, err) {
			w.read(t, &a.values)
		}
	}
	switch o := o.(type) {
	case *Dataset:
		w.read(t, &o.values)
	case *Group:
		for _, name := range o.Names() {
			if child, err := o.Open(name); w.check(t, err) {
				w.visit(t, child, depth+1)
			}
		}
	}
}

// read calls the accessors that suit the type.
func (w *walked) read(t testing.TB, v *values) {
	if v.Type().Class == ClassString || v.Type().Class == ClassVarString {
		_, err := v.Strings()
		w.check(t, err)
		return
	}
	_, err := v.Bytes()
	if w.check(t, err) && v.Len() < 1<<16 {
		_, err = v.Float32s()
		w.check(t, err)
	}
}

func TestTruncated(t *testing.T) {
	for _, name := range goldenFiles(t) {
		b := readGzip(t, name)
		for i := range 60 {
			n := len(b)*i/60 + i%7
			if _, err := Open(bytes.NewReader(b[:n]), int64(n)); err == nil {
				t.Errorf("%s: first %d bytes of %d are opened", name, n, len(b))
			} else if !errors.Is(err, tensor.ErrMalformed) {
				t.Errorf("%s: first %d bytes: %v", name, n, err)
			}
			// A reader that ends before the size it was announced with.
			if f, err := Open(bytes.NewReader(b[:n]), int64(len(b))); err == nil {
				walkAll(t, f)
			} else if !errors.Is(err, tensor.ErrMalformed) {
				t.Errorf("%s: %d bytes instead of %d: %v", name, n, len(b), err)
			}
		}
	}
}

// TestFlippedBytes reads files with wrong bytes, of which checksums, if any, are ignored.
func TestFlippedBytes(t *testing.T) {
	for _, name := range goldenFiles(t) {
		b := readGzip(t, name)
		if len(b) > 1<<18 {
			continue
		}
		for i := range 40 {
			at := int(uint64(i) * 2654435761 % uint64(len(b)))
			flipped := bytes.Clone(b)
			flipped[at] ^= byte(1 + i*37%255)
			if f, err := openLax(flipped); err == nil {
				walkAll(t, f)
			}
		}
	}
}

// fuzzLimit bounds the data of a dataset where many hostile files are read.
const fuzzLimit = 1 << 18

// openLax opens a file without verifying checksums.
func openLax(b []byte) (*File, error) {
	f := &File{r: bytes.NewReader(b), lax: true, limit: fuzzLimit}
	return f, f.open(int64(len(b)))
}

func TestChecksums(t *testing.T) {
	for name, signatures := range map[string][]string{
		"small_groups": {"\x89HDF", "OHDR", "FRHP", "FHDB", "BTHD", "BTLF"},
		"small_chunks": {"FAHD", "FADB", "EAHD", "EAIB", "EADB"},
	} {
		b := readGzip(t, "testdata/"+name+".h5.gz")
		for _, sig := range signatures {
			i := bytes.Index(b, []byte(sig))
			if i < 0 {
				t.Errorf("%s: no %q", name, sig)
				continue
			}
			flipped := bytes.Clone(b)
			flipped[i+12] ^= 0x40
			f, err := Open(bytes.NewReader(flipped), int64(len(b)))
			if err == nil && walkAll(t, f).errors == 0 {
				t.Errorf("%s: %q with a flipped bit is read", name, sig)
			}
		}
	}
}

// TestFletcher flips a bit of a chunk with a checksum of its own.
func TestFletcher(t *testing.T) {
	b := readGzip(t, "testdata/chunks_earliest.h5.gz")
	d := dataset(t, openBytes(t, b), "fletcher_odd")
	values, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	chunk := values[:5]
	if bytes.Count(b, chunk) != 1 {
		t.Fatalf("chunk comes %d times", bytes.Count(b, chunk))
	}
	b[bytes.Index(b, chunk)] ^= 1
	_, err = dataset(t, openBytes(t, b), "fletcher_odd").Bytes()
	checkIs(t, err, tensor.ErrMalformed)
}

// raw is a file without a superblock, for hostile structures.
func raw(b []byte) *File {
	return &File{r: bytes.NewReader(b), size: uint64(len(b)), offsetSize: 8, lengthSize: 8, limit: minLimit}
}

func TestHostileHeaders(t *testing.T) {
	continuation := func(addr, size uint64) []byte {
		e := &encoder{}
		e.u64(addr)
		e.u64(size)
		h, err := encodeHeader([]message{{kind: msgContinuation, body: e.b}})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for name, b := range map[string][]byte{
		"cycle":   continuation(16, 24),
		"wild":    continuation(1<<40, 24),
		"huge":    continuation(24, 1<<62),
		"wrapped": continuation(math.MaxUint64-8, 24),
		"empty":   make([]byte, 16),
		"short":   {1},
		"none":    {},
	} {
		_, err := raw(b).readHeader(0)
		if !errors.Is(err, tensor.ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestHostileTrees(t *testing.T) {
	leaf := func([]byte, uint64) error { return nil }
	self := encodeTreeNode(1, undefined, undefined, 0, []treeEntry{{0, 8}})
	if err := raw(self).btree1(0, tree1Group, 8, leaf); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("tree that is its own child: %v", err)
	}
	shared := append(encodeTreeNode(1, undefined, undefined, 0, []treeEntry{{treeNodeSize, 8}, {treeNodeSize, 16}}),
		encodeTreeNode(0, undefined, undefined, 0, nil)...)
	if err := raw(shared).btree1(0, tree1Group, 8, leaf); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("tree with a child twice: %v", err)
	}
}

func TestHostileSizes(t *testing.T) {
	patch := func(old, new string) *File {
		b := readGzip(t, "testdata/chunks_earliest.h5.gz")
		if bytes.Count(b, []byte(old)) != 1 {
			t.Fatalf("%q comes %d times", old, bytes.Count(b, []byte(old)))
		}
		return openBytes(t, bytes.Replace(b, []byte(old), []byte(new), 1))
	}
	// The dataset "never" of five elements, for which no chunk exists.
	const before, five = "\x01\x01\x01\x00\x00\x00\x00\x00", "\x05\x00\x00\x00\x00\x00\x00\x00"
	for _, size := range []string{"\x00\x00\x00\x00\x00\x01\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\x7f"} {
		f := patch(before+five+five, before+size+size)
		d, err := f.Root().Dataset("never")
		if err == nil {
			_, err = d.Bytes()
		}
		checkIs(t, err, tensor.ErrLimit)
	}
}

// TestSharedString reads an array of references to the same string, which must not be copied for each.
func TestSharedString(t *testing.T) {
	const n = 4000
	long := strings.Repeat("x", 1<<20)
	b := encodeCollection([]string{long})
	f := raw(b)
	refs := bytes.Repeat(encodeReference(len(long), 0, 1), n)
	v := values{f: f, typ: Type{Class: ClassVarString, Size: referenceSize}, space: dataspace{dims: []uint64{n}, count: n},
		read: func() ([]byte, error) { return refs, nil }}
	got, err := v.Strings()
	if err != nil || len(got) != n || got[n-1] != long {
		t.Errorf("%d strings, %v", len(got), err)
	}
	allocs := testing.AllocsPerRun(1, func() { _, _ = v.Strings() })
	if allocs > 100 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestPathsAreOfObjects(t *testing.T) {
	f := openBytes(t, readGzip(t, "testdata/groups_latest.h5.gz"))
	d := dataset(t, f, "rel")
	if diff := cmp.Diff("/a/b/c/d", d.Path()); diff != "" {
		t.Error(diff)
	}
}

// FuzzOpen reads all of any file, with checksums and without.
func FuzzOpen(f *testing.F) {
	for _, name := range goldenFiles(f) {
		if b := readGzip(f, name); len(b) < 1<<15 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if file, err := openLax(b); err == nil {
			walkAll(t, file)
		}
		if file, err := Open(bytes.NewReader(b), int64(len(b))); err == nil {
			file.limit = fuzzLimit
			walkAll(t, file)
		}
	})
}
