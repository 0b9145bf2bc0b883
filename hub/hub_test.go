package hub

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/tensor"
)

// The modules that TensorFlow wrote for package savedmodel's tests.
const modules = "../internal/savedmodel/testdata/"

func names(m *Module) []string {
	var all []string
	for _, v := range m.Variables() {
		all = append(all, fmt.Sprintf("%s%v %v", v.Name, v.Value.Shape(), v.Trainable))
	}
	return all
}

func load0(t *testing.T, handle string, o Options) *Module {
	t.Helper()
	m, err := Load(context.Background(), handle, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// archiveOf packs a module, below a directory if prefix says so.
func archiveOf(t *testing.T, dir, prefix string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: prefix + filepath.ToSlash(rel), Mode: 0o644, Size: int64(len(raw)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err = w.Write(raw)
		return err
	})
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// writeModule writes a module in the TF2 form.
func writeModule(t *testing.T) string {
	t.Helper()
	var b savedmodel.Builder
	kernel, err1 := tensor.Of(tensor.Shape{2, 3}, float32(1), 2, 3, 4, 5, 6)
	bias, err2 := tensor.Of(tensor.Shape{3}, float32(1), 2, 3)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	v := &savedmodel.Variable{Name: "fixed/bias", DType: tensor.Float32, Shape: bias.Shape()}
	w := &savedmodel.Variable{Name: "dense/kernel", DType: tensor.Float32, Shape: kernel.Shape(), Trainable: true}
	x := b.Input("x", tensor.Float32, tensor.Shape{-1, 2})
	y := b.BiasAdd("BiasAdd", b.MatMul("MatMul", x, b.ReadVariable("MatMul/ReadVariableOp", w)), b.ReadVariable("BiasAdd/ReadVariableOp", v))
	b.Output("y", b.Identity("Identity", y), tensor.Float32, tensor.Shape{-1, 3})
	dir := filepath.Join(t.TempDir(), "module")
	err := savedmodel.Write(dir, savedmodel.Spec{Graph: b.Graph(), Hub: true, Variables: []savedmodel.VariableValue{{Variable: v, Value: bias}, {Variable: w, Value: kernel}}})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTF1(t *testing.T) {
	m := load0(t, modules+"hub_tf1", Options{})
	if sig, key := m.Signature(); sig != "default" || key != "default" {
		t.Errorf("signature %q, output %q", sig, key)
	}
	if len(m.Graph().Inputs) != 1 || len(m.Graph().Outputs) != 1 || len(m.Variables()) == 0 {
		t.Errorf("graph %v", m.Graph())
	}
	for _, v := range m.Variables() {
		if v.Value.Len() == 0 || v.In == nil {
			t.Errorf("variable %s has no value", v.Name)
		}
	}
	class, name, frozen := m.Layer().Describe()
	if class != "KerasLayer" || name != "" || !frozen {
		t.Errorf("layer %s %q %v", class, name, frozen)
	}
}

func TestTF2(t *testing.T) {
	dir := writeModule(t)
	m := load0(t, dir, Options{})
	if diff := cmp.Diff([]string{"dense/kernel[2,3] true", "fixed/bias[3] false"}, names(m)); diff != "" {
		t.Error(diff)
	}
	if sig, key := m.Signature(); sig != "" || key != "" || m.Handle() != dir {
		t.Errorf("signature %q, output %q, handle %q", sig, key, m.Handle())
	}
	m = load0(t, dir, Options{Signature: "serving_default"})
	if sig, key := m.Signature(); sig != "serving_default" || key != "y" {
		t.Errorf("signature %q, output %q", sig, key)
	}
	for _, o := range []Options{{Signature: "none"}, {Signature: "serving_default", OutputKey: "none"}, {Tags: []string{"none"}}} {
		if _, err := Load(context.Background(), dir, o); err == nil || !strings.Contains(err.Error(), "none") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
}

// TestKerasModules loads modules that TensorFlow saved with several traces.
func TestKerasModules(t *testing.T) {
	for _, name := range []string{"module", "keras2"} {
		m := load0(t, modules+name, Options{})
		if len(m.Graph().Inputs) != 1 || len(m.Graph().Outputs) != 1 {
			t.Errorf("%s: %v", name, m.Graph())
		}
	}
}

func TestArchives(t *testing.T) {
	want := names(load0(t, modules+"hub_tf1", Options{}))
	for _, prefix := range []string{"", "./", "module/"} {
		file := filepath.Join(t.TempDir(), "m.tar.gz")
		if err := os.WriteFile(file, archiveOf(t, modules+"hub_tf1", prefix), 0o644); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, names(load0(t, file, Options{}))); diff != "" {
			t.Error(diff)
		}
	}
}

// entry makes an archive of one entry.
func entry(t *testing.T, h tar.Header, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	return b.Bytes() // not closed: cut short behind the body
}

func TestBadArchives(t *testing.T) {
	whole := archiveOf(t, modules+"hub_tf1", "")
	cases := []struct {
		name string
		raw  []byte
		want error
	}{
		{"empty", nil, tensor.ErrMalformed},
		{"text", []byte("hello"), tensor.ErrMalformed},
		{"gzip of nothing", []byte{0x1f, 0x8b}, tensor.ErrMalformed},
		{"cut", whole[:len(whole)/2], tensor.ErrMalformed},
		{"parent", entry(t, tar.Header{Name: "../evil", Typeflag: tar.TypeReg, Size: 1, Mode: 0o644}, "x"), tensor.ErrMalformed},
		{"absolute", entry(t, tar.Header{Name: "/tmp/evil", Typeflag: tar.TypeReg, Size: 1, Mode: 0o644}, "x"), tensor.ErrMalformed},
		{"inner parent", entry(t, tar.Header{Name: "a/../../evil", Typeflag: tar.TypeReg, Size: 1, Mode: 0o644}, "x"), tensor.ErrMalformed},
		{"link", entry(t, tar.Header{Name: "a", Linkname: "/etc", Typeflag: tar.TypeSymlink}, ""), tensor.ErrUnsupported},
		{"hard link", entry(t, tar.Header{Name: "a", Linkname: "/etc/passwd", Typeflag: tar.TypeLink}, ""), tensor.ErrUnsupported},
		{"huge", entry(t, tar.Header{Name: "a", Size: 1 << 40, Typeflag: tar.TypeReg}, ""), tensor.ErrLimit},
		{"cut file", entry(t, tar.Header{Name: "a", Size: 1 << 20, Typeflag: tar.TypeReg}, "x"), tensor.ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := extract(context.Background(), bytes.NewReader(c.raw), dir); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if left, _ := os.ReadDir(parent); len(left) != 1 {
				t.Errorf("%v was made", left)
			}
			file := filepath.Join(t.TempDir(), "m.tar.gz")
			if err := os.WriteFile(file, c.raw, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(context.Background(), file, Options{}); !errors.Is(err, c.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("Load: %v", err)
			}
		})
	}
}

func FuzzExtract(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "d/a", Size: 2, Mode: 0o644, Typeflag: tar.TypeReg}} {
		if err := w.WriteHeader(h); err != nil {
			f.Fatal(err)
		}
	}
	if _, err := w.Write([]byte("hi")); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_ = extract(context.Background(), bytes.NewReader(raw), dir)
		if left, _ := os.ReadDir(parent); len(left) != 1 {
			t.Fatalf("%v was made", left)
		}
	})
}

// TestCachePath gives what hashlib.sha1(handle) gives TF-Hub.
func TestCachePath(t *testing.T) {
	const handle = "https://tfhub.dev/tensorflow/tfgan/eval/mnist/logits/1"
	const want = "/cache/977b25dcd7e9d44e13a42af999d5a3f512493960"
	if got := filepath.ToSlash(CachePath(handle, "/cache")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	t.Setenv("TFHUB_CACHE_DIR", "/elsewhere")
	if got := filepath.ToSlash(CachePath(handle, "")); !strings.HasPrefix(got, "/elsewhere/") {
		t.Error(got)
	}
}

func TestCached(t *testing.T) {
	cache := t.TempDir()
	const hubHandle, kaggle = "https://tfhub.dev/a/b/1", "https://www.kaggle.com/models/a/b/TensorFlow1/c/1"
	t.Setenv("KAGGLEHUB_CACHE", filepath.Join(cache, "kagglehub"))
	for handle, dir := range map[string]string{
		hubHandle: CachePath(hubHandle, cache),
		kaggle:    filepath.Join(cache, "kagglehub/models/a/b/TensorFlow1/c/1"),
	} {
		if err := os.CopyFS(dir, os.DirFS(modules+"hub_tf1")); err != nil {
			t.Fatal(err)
		}
		if m := load0(t, handle, Options{CacheDir: cache}); m.Handle() != handle {
			t.Errorf("handle %q", m.Handle())
		}
	}
}

// site answers every request by fn.
type site func(*http.Request) (*http.Response, error)

func (s site) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func TestDownload(t *testing.T) {
	raw := archiveOf(t, modules+"hub_tf1", "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path + "?" + r.URL.RawQuery {
		case "/m/1?tf-hub-format=compressed":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/file?":
			w.Header().Set("Content-Length", fmt.Sprint(len(raw)))
			_, _ = w.Write(raw)
		case "/bad/1?tf-hub-format=compressed":
			_, _ = w.Write(raw[:len(raw)/2])
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	var done, total int64
	o := Options{CacheDir: t.TempDir(), Progress: func(d, n int64) { done, total = d, n }}
	m := load0(t, server.URL+"/m/1", o)
	if len(m.Variables()) == 0 || done == 0 || total != int64(len(raw)) {
		t.Errorf("%d of %d bytes", done, total)
	}
	for _, name := range []string{"/bad/1", "/none/1"} {
		if _, err := Load(context.Background(), server.URL+name, o); err == nil || !strings.Contains(err.Error(), CachePath(server.URL+name, o.CacheDir)) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if left, _ := os.ReadDir(o.CacheDir); len(left) != 1 {
		t.Errorf("the cache holds %v", left)
	}
	server.Close()
	load0(t, server.URL+"/m/1", o) // from the cache
}

// TestNoNetwork says in one line where to place the module.
func TestNoNetwork(t *testing.T) {
	var asked []string
	o := Options{CacheDir: t.TempDir(), Client: &http.Client{Transport: site(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.String())
		return nil, errors.New("no network")
	})}}
	t.Setenv("KAGGLEHUB_CACHE", t.TempDir())
	for _, handle := range []string{"https://tfhub.dev/a/b/1", "https://www.kaggle.com/models/a/b/frameworks/TensorFlow2/variations/c/versions/1"} {
		_, err := Load(context.Background(), handle, o)
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "by hand") || !strings.Contains(err.Error(), CachePath(handle, o.CacheDir)) {
			t.Errorf("error %v", err)
		}
	}
	want := []string{"https://tfhub.dev/a/b/1?tf-hub-format=compressed", "https://www.kaggle.com/api/v1/models/a/b/TensorFlow2/c/1/download"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Load(ctx, "https://tfhub.dev/a/b/1", Options{CacheDir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestMissing(t *testing.T) {
	for _, handle := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir(), ""} {
		if _, err := Load(context.Background(), handle, Options{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", handle, err)
		}
	}
}
