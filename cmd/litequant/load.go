package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/hub"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// loaded is a MODEL of any format, lowered to TFLite's operators.
type loaded struct {
	name   string
	format string
	graph  *graph.Model
	file   []byte // a .tflite file's bytes, nil for other formats
	size   int64  // bytes on disk; as .tflite for what is not on this one
}

// encoded returns the model as a .tflite file.
func (l *loaded) encoded() ([]byte, error) {
	if l.file != nil {
		return l.file, nil
	}
	b, err := tflite.Encode(l.graph)
	return b, in(l.name, err)
}

// cut says which part of a TensorFlow graph is the model, in the TFLite
// converter's terms; the zero cut is a signature.
type cut struct {
	tags            []string
	inputs, outputs []string
	shapes          []tensor.Shape // of the inputs, in order
}

func (c *cut) empty() bool {
	return c.tags == nil && c.inputs == nil && c.outputs == nil && c.shapes == nil
}

// load reads a MODEL; its content says which format it is.
func (a *app) load(ctx context.Context, name string) (*loaded, error) {
	return a.loadCut(ctx, name, cut{})
}

func (a *app) loadCut(ctx context.Context, name string, c cut) (*loaded, error) {
	f, err := detect(a, name)
	if err != nil {
		return nil, in(name, err)
	}
	if !c.empty() && !f.cuts {
		return nil, usagef("they are for SavedModels and frozen graphs", "%s: --tags, --input-arrays, --output-arrays and --input-shapes do not apply to %s", name, f.name)
	}
	l, err := f.load(a, ctx, name, c)
	if err != nil {
		return nil, in(name, err)
	}
	l.name, l.format = name, f.name
	if l.size == 0 {
		l.size = sizeOnDisk(name)
	}
	if l.size == 0 { // of a downloaded module
		b, err := l.encoded()
		if err != nil {
			return nil, err
		}
		l.size = int64(len(b))
	}
	a.detailf("%s: %s, %s bytes", name, l.format, grouped(l.size))
	return l, nil
}

// format is a kind of file that a MODEL may be.
type format struct {
	name string
	// is tells a file by its first bytes; nil for what is no file.
	is func(head []byte) bool
	// cuts says that a part of the graph may be chosen.
	cuts bool
	load func(a *app, ctx context.Context, name string, c cut) (*loaded, error)
}

// formats lists the files; a frozen graph, which has no magic number, comes last.
var formats = []format{
	{name: "TFLite", is: tflite.IsFile, load: loadTFLite},
	{name: "Keras HDF5", is: startsWith("\x89HDF\r\n\x1a\n"), load: loadKeras},
	{name: "Keras v3", is: startsWith("PK\x03\x04"), load: loadKeras},
	{name: "TF-Hub archive", is: startsWith("\x1f\x8b"), load: loadHub},
	{name: "frozen graph", is: isGraphDef, cuts: true, load: loadGraphDef},
}

var (
	savedModelFormat = format{name: "SavedModel", cuts: true, load: loadSavedModel}
	remoteFormat     = format{name: "TF-Hub module", load: loadHub}
)

func startsWith(magic string) func([]byte) bool {
	return func(head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) }
}

// isGraphDef reports whether bytes may start a GraphDef: with a node, the
// versions or the library.
func isGraphDef(head []byte) bool {
	return len(head) > 0 && strings.IndexByte("\x0a\x12\x22", head[0]) >= 0
}

// headBytes is enough to tell a format.
const headBytes = 16

func detect(a *app, name string) (format, error) {
	if hub.IsRemote(name) {
		return remoteFormat, nil
	}
	if name == "-" {
		return detectHead(name, a.peek())
	}
	info, err := os.Stat(name)
	if err != nil {
		return format{}, cause(err)
	}
	if info.IsDir() {
		if _, err := os.Stat(filepath.Join(name, "saved_model.pb")); err != nil {
			return format{}, fmt.Errorf("directory holds no saved_model.pb: %w", tensor.ErrUnsupported)
		}
		return savedModelFormat, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return format{}, cause(err)
	}
	defer file.Close()
	head := make([]byte, headBytes)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return format{}, cause(err)
	}
	return detectHead(name, head[:n])
}

func detectHead(name string, head []byte) (format, error) {
	for _, f := range formats {
		if f.is(head) {
			return f, nil
		}
	}
	suffixes := map[string]string{".h5": "not an HDF5 file", ".hdf5": "not an HDF5 file", ".keras": "not a zip archive", ".tflite": "not a .tflite file"}
	what := suffixes[strings.ToLower(filepath.Ext(name))]
	if what == "" {
		what = "unknown format"
	}
	if len(head) == 0 {
		return format{}, fmt.Errorf("%s: the file is empty: %w", what, tensor.ErrMalformed)
	}
	return format{}, &hinted{fmt.Errorf("%s (starts with %.8q): %w", what, head, tensor.ErrMalformed),
		"litequant reads .tflite, .h5, .keras, SavedModel, frozen .pb and TF-Hub modules"}
}

// loadTFLite maps a file; it stays mapped until the program ends.
func loadTFLite(a *app, _ context.Context, name string, _ cut) (*loaded, error) {
	if name != "-" {
		m, err := tflite.Map(name)
		if err != nil {
			return nil, err
		}
		return &loaded{graph: m.Model, file: m.File, size: int64(len(m.File))}, nil
	}
	file, err := a.readFile(name)
	if err != nil {
		return nil, err
	}
	g, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		return nil, err
	}
	return &loaded{graph: g, file: file, size: int64(len(file))}, nil
}

// peek returns the first bytes of stdin, which stay to be read.
func (a *app) peek() []byte {
	head := make([]byte, headBytes)
	n, _ := io.ReadFull(a.stdin, head)
	a.stdin = io.MultiReader(bytes.NewReader(head[:n]), a.stdin)
	return head[:n]
}

// readFile reads a file, or stdin for "-".
func (a *app) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.stdin)
	}
	return os.ReadFile(name)
}

// sizeOnDisk is the size of a file, or of the files in a directory, as far as they
// can be read.
func sizeOnDisk(name string) int64 {
	var n int64
	_ = filepath.WalkDir(name, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}
