package hdf5

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden is what a golden file is to hold; testdata/gen_golden.py describes it.
type golden struct {
	Objects map[string]goldenObject
	Attrs   map[string]map[string]goldenObject
	Errors  map[string]string
}

type goldenObject struct {
	Kind    string
	Names   []string
	Type    string
	Shape   []int
	Data    *string
	Strings []string
}

func readGzip(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goldenFiles returns the names of the golden files.
func goldenFiles(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/*.h5.gz")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return names
}

func openBytes(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestGolden(t *testing.T) {
	for _, name := range goldenFiles(t) {
		stem := strings.TrimSuffix(filepath.Base(name), ".h5.gz")
		t.Run(stem, func(t *testing.T) {
			checkGolden(t, openBytes(t, readGzip(t, name)), stem)
		})
	}
}

// checkGolden compares f with what the golden file of a name is to hold.
func checkGolden(t *testing.T, f *File, name string) {
	t.Helper()
	var want golden
	if err := json.Unmarshal(readGzip(t, "testdata/"+name+".json.gz"), &want); err != nil {
		t.Fatal(err)
	}
	for path, o := range want.Objects {
		checkObject(t, f, path, o)
	}
	for path, attrs := range want.Attrs {
		o, err := f.Root().Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		checkAttrs(t, o, attrs)
	}
	for path, word := range want.Errors {
		checkError(t, f, path, word)
	}
}

func checkObject(t *testing.T, f *File, path string, want goldenObject) {
	t.Helper()
	if want.Kind == "group" {
		g, err := f.Root().Group(path)
		if err != nil {
			t.Error(err)
			return
		}
		if d := cmp.Diff(want.Names, g.Names()); d != "" {
			t.Errorf("%s: names (-want +got):\n%s", path, d)
		}
		return
	}
	d, err := f.Root().Dataset(path)
	if err != nil {
		t.Error(err)
		return
	}
	checkValues(t, path, &d.values, want)
}

func checkAttrs(t *testing.T, o Object, want map[string]goldenObject) {
	t.Helper()
	for name, w := range want {
		a, err := o.Attr(name)
		if err != nil {
			t.Error(err)
			continue
		}
		checkValues(t, o.Path()+"@"+name, &a.values, w)
	}
	names, err := o.AttrNames()
	if err != nil {
		t.Error(err)
	}
	if len(names) < len(want) {
		t.Errorf("%s: attributes %q are fewer than %d", o.Path(), names, len(want))
	}
}

func checkValues(t *testing.T, path string, v *values, want goldenObject) {
	t.Helper()
	if d := cmp.Diff(want.Shape, v.Shape()); d != "" {
		t.Errorf("%s: shape (-want +got):\n%s", path, d)
	}
	if v.Type().String() != want.Type {
		t.Errorf("%s: type %s, want %s", path, v.Type(), want.Type)
	}
	if want.Data == nil {
		got, err := v.Strings()
		if err != nil {
			t.Error(err)
			return
		}
		if d := cmp.Diff(want.Strings, got); d != "" {
			t.Errorf("%s: strings (-want +got):\n%s", path, d)
		}
		return
	}
	z, err := zlib.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(*want.Data)))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Bytes()
	if err != nil {
		t.Error(err)
		return
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%s: wrong values: %d bytes, want %d\n got %.64x\nwant %.64x", path, len(got), len(data), got, data)
	}
}

func checkError(t *testing.T, f *File, path, word string) {
	t.Helper()
	o, err := f.Root().Open(path)
	if err == nil {
		if d, ok := o.(*Dataset); ok {
			_, err = d.Bytes()
		}
	}
	if err == nil || !strings.Contains(err.Error(), word) {
		t.Errorf("%s: error %v, want one with %q", path, err, word)
	}
}
