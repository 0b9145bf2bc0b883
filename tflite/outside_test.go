package tflite

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// withBlobs has a constant, one that shares its memory, and custom options.
func withBlobs(weights []byte) *graph.Model {
	s := &graph.Subgraph{Name: "main", Inputs: []graph.ValueID{0}, Outputs: []graph.ValueID{3}}
	shape := tensor.Shape{len(weights)}
	s.Values = []graph.Value{
		{Name: "x", DType: tensor.Int8, Shape: shape},
		{Name: "w", DType: tensor.Int8, Shape: shape, Const: weights},
		{Name: "w again", DType: tensor.Int8, Shape: shape, Const: weights},
		{Name: "y", DType: tensor.Int8, Shape: shape},
	}
	s.Nodes = []graph.Node{{Op: graph.Custom, Custom: "mine", Version: 1, CustomOptions: []byte("options"), Inputs: []graph.ValueID{0, 1, 2}, Outputs: []graph.ValueID{3}}}
	return &graph.Model{Subgraphs: []*graph.Subgraph{s}, Metadata: []graph.Metadata{{Name: "a", Data: []byte("b")}}}
}

// TestBehindTheFlatbuffer writes constants outside from a low threshold on.
func TestBehindTheFlatbuffer(t *testing.T) {
	m := withBlobs([]byte("weights of seventeen"))
	for _, inside := range []int64{0, 26, 27} {
		p := must(pack(all.Set(), m, inside))(t)
		file := p.bytes()
		tree := schema.Unpack(file)
		outside := inside < 27
		if got := tree.Buffers[2].Offset > 1; got != outside || outside != (tree.Metadata[0].Name == bufferLocation) {
			t.Errorf("%d bytes inside: buffer at %d, metadata %q", inside, tree.Buffers[2].Offset, tree.Metadata[0].Name)
		}
		o := tree.Subgraphs[0].Operators[0]
		if outside && (tree.Buffers[2].Offset%16 != 0 || o.LargeCustomOptionsOffset%16 != 0 || o.CustomOptions != nil) {
			t.Errorf("constant at %d, options at %d", tree.Buffers[2].Offset, o.LargeCustomOptionsOffset)
		}
		again := must(Decode(file, DecodeOptions{}))(t)
		again.Metadata = again.Metadata[1:] // min_runtime_version
		if d := cmp.Diff(m, again, same, aside); d != "" {
			t.Error(d)
		}
		if w := again.Main().Values; &w[1].Const[0] != &w[2].Const[0] {
			t.Error("shared memory is written twice")
		}
		if second := must(Encode(again))(t); (schema.Unpack(second).Buffers[2].Offset > 1) != outside {
			t.Error("the constants' place is not kept")
		}
		var w bytes.Buffer
		if err := p.write(&w); err != nil || !bytes.Equal(w.Bytes(), file) || int64(len(file)) != p.size() {
			t.Errorf("written in parts: %v, or other bytes", err)
		}
	}
}

func TestWildOffsetsBehindTheFlatbuffer(t *testing.T) {
	file := must(pack(all.Set(), withBlobs([]byte("weights")), 0))(t).bytes()
	for _, at := range []uint64{uint64(len(file)) - 3, 1 << 40, 1<<64 - 2} {
		tree := schema.Unpack(file)
		tree.Buffers[2].Offset = at
		tree.Subgraphs[0].Operators[0].LargeCustomOptionsOffset = at
		_, err := Decode(must(schema.Pack(tree))(t), DecodeOptions{})
		if !errors.Is(err, tensor.ErrMalformed) || !strings.Contains(err.Error(), `tensor 1 "w": buffer 2 at`) || !strings.Contains(err.Error(), "node 0: custom options at") {
			t.Errorf("at %d: %v", at, err)
		}
	}
}

// sparseWriter leaves holes where zeros are written.
type sparseWriter struct{ f *os.File }

var zeros [1 << 20]byte

func (w sparseWriter) Write(b []byte) (int, error) {
	for at := 0; at < len(b); at += len(zeros) {
		piece := b[at:min(at+len(zeros), len(b))]
		var err error
		if bytes.Equal(piece, zeros[:len(piece)]) {
			_, err = w.f.Seek(int64(len(piece)), io.SeekCurrent)
		} else {
			_, err = w.f.Write(piece)
		}
		if err != nil {
			return at, err
		}
	}
	return len(b), nil
}

// TestMoreThan2GiB writes a constant of 2 GiB into a file with holes and maps that.
func TestMoreThan2GiB(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("looks at 2 GiB; files with holes are not portable")
	}
	shape := tensor.Shape{3, 715827883}
	n := must(shape.Elems())(t)
	weights := make([]byte, n) // zeros take no memory until something writes them
	copy(weights[n-3:], "end")
	m := withBlobs(weights)
	if _, err := Encode(m); !errors.Is(err, tensor.ErrLimit) || !strings.Contains(err.Error(), `tensor 0 "x": dimension`) {
		t.Errorf("a dimension of %d: %v", n, err)
	}
	for i := range m.Main().Values {
		m.Main().Values[i].Shape = shape
	}
	m.Main().Values = append(m.Main().Values, graph.Value{Name: "small", DType: tensor.Int8, Shape: tensor.Shape{5}, Const: []byte("small")})

	name := filepath.Join(t.TempDir(), "big.tflite")
	f := must(os.Create(name))(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := errors.Join(Write(sparseWriter{f}, m), f.Close()); err != nil {
		t.Fatal(err)
	}
	mapped := must(Map(name))(t)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes allocated", used)
	}
	values := mapped.Model.Main().Values
	if w := values[1].Const; len(w) != n || string(w[n-3:]) != "end" || w[0] != 0 || string(values[4].Const) != "small" {
		t.Errorf("%d bytes ending in %q, and %q", len(w), w[max(len(w)-3, 0):], values[4].Const)
	}
	if got := string(mapped.Model.Main().Nodes[0].CustomOptions); got != "options" {
		t.Errorf("custom options %q", got)
	}
	if err := errors.Join(mapped.Close(), mapped.Close()); err != nil || mapped.Model != nil {
		t.Errorf("closed: %v", err)
	}
}

// external refers to two ranges of weights.bin.
func external(t *testing.T, change func(*fb.ModelT)) []byte {
	tree := schema.Unpack(must(Encode(withBlobs([]byte("four"))))(t))
	tree.ExternalBufferGroups = []*fb.ExternalBufferGroupT{{Name: "weights.bin"}}
	tree.ExternalBuffers = []*fb.ExternalBufferT{
		{Id: 1 << 31, Offset: 0, Length: 4, Packing: "unpacked"}, {Id: 1<<31 + 1, Offset: 5, Length: 4},
	}
	for i, v := range tree.Subgraphs[0].Tensors[1:3] {
		v.Buffer, v.ExternalBuffer = 0, 1<<31+uint32(i)
	}
	if change != nil {
		change(tree)
	}
	return must(schema.Pack(tree))(t)
}

func TestExternalBuffers(t *testing.T) {
	file := external(t, nil)
	m := must(Decode(file, DecodeOptions{}))(t) // without the weights
	if m.Main().Values[1].Const != nil {
		t.Error("bytes from nowhere")
	}
	checkAgain(t, "unloaded", m)

	dir := t.TempDir()
	name := filepath.Join(dir, "m.tflite")
	if _, err := ReadFS(os.DirFS(dir), "m.tflite"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, group := range []string{"no.bin", "../weights.bin", "folder/none"} {
		file := external(t, func(m *fb.ModelT) { m.ExternalBufferGroups[0].Name = group })
		m := must(Decode(file, DecodeOptions{External: fstest.MapFS{"weights.bin": {}}}))(t)
		if err := m.Validate(); m.Main().Values[1].External != group || !errors.Is(err, tensor.ErrUnsupported) || !strings.Contains(err.Error(), `tensor 1 "w", lies in file "`+group) {
			t.Errorf("%s: %v", group, err)
		}
	}
	if err := errors.Join(os.WriteFile(name, file, 0o644), os.WriteFile(filepath.Join(dir, "weights.bin"), []byte("1234-5678"), 0o644)); err != nil {
		t.Fatal(err)
	}
	mapped := must(Map(name))(t)
	defer mapped.Close()
	for how, m := range map[string]*graph.Model{"read": must(ReadFile(name))(t), "mapped": mapped.Model} {
		v := m.Main().Values
		if string(v[1].Const) != "1234" || string(v[2].Const) != "5678" {
			t.Errorf("%s: %q, %q", how, v[1].Const, v[2].Const)
		}
		changed := m.Clone()
		changed.Main().Values[2].Const = []byte("else")
		tree := schema.Unpack(must(Encode(changed))(t))
		ts := tree.Subgraphs[0].Tensors
		if d := cmp.Diff(schema.Unpack(file).ExternalBuffers, tree.ExternalBuffers); d != "" {
			t.Error(d)
		}
		if ts[1].ExternalBuffer != 1<<31 || ts[1].Buffer != 0 || ts[2].ExternalBuffer != 0 || string(tree.Buffers[ts[2].Buffer].Data) != "else" {
			t.Errorf("%s: written as %+v, %+v", how, ts[1], ts[2])
		}
	}
}

func TestExternalBuffersRefused(t *testing.T) {
	files := fstest.MapFS{"weights.bin": {Data: []byte("1234-5678")}, "folder/x": {}}
	for want, change := range map[string]func(m *fb.ModelT){
		"buffer 2147483648 at 6+4 outside":          func(m *fb.ModelT) { m.ExternalBuffers[0].Offset = 6 },
		"at 18446744073709551615+4 outside":         func(m *fb.ModelT) { m.ExternalBuffers[0].Offset = 1<<64 - 1 },
		"in group 1 of 1":                           func(m *fb.ModelT) { m.ExternalBuffers[0].Group = 1 },
		`packed as "zip"`:                           func(m *fb.ModelT) { m.ExternalBuffers[0].Packing = "zip" },
		"external buffer 2147483648 does not exist": func(m *fb.ModelT) { m.ExternalBuffers[0].Id = 7 },
		"folder is no regular file":                 func(m *fb.ModelT) { m.ExternalBufferGroups[0].Name = "folder" },
	} {
		_, err := Decode(external(t, change), DecodeOptions{External: files})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `tensor 1 "w"`) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q, have: %v", want, err)
		}
	}
}

func TestMapRefuses(t *testing.T) {
	dir := t.TempDir()
	empty, far := filepath.Join(dir, "empty"), filepath.Join(dir, "far")
	away := external(t, func(m *fb.ModelT) { m.ExternalBufferGroups[0].Name = "../weights.bin" })
	if err := errors.Join(os.WriteFile(empty, nil, 0o644), os.WriteFile(far, away, 0o644)); err != nil {
		t.Fatal(err)
	}
	for name, reason := range map[string]error{
		filepath.Join(dir, "none"): fs.ErrNotExist, empty: tensor.ErrMalformed, far: tensor.ErrMalformed,
	} {
		if m, err := Map(name); m != nil || !errors.Is(err, reason) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Map(dir); err == nil {
		t.Error("a folder is mapped")
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
