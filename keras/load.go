package keras

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

	"github.com/litequant/litequant/hub"
	"github.com/litequant/litequant/tensor"
)

// LoadOptions says how to load a model.
type LoadOptions struct {
	// Hub places the modules that Hub layers name: entries HANDLE=PATH, or one PATH
	// alone for a model with one Hub layer. A module without an entry is looked for
	// under its own handle, which may be an address or a path.
	Hub []string
	// Module says how to find modules; Signature and OutputKey are not used.
	Module hub.Options
}

// Format is a file format of models.
type Format int

// The formats that Detect tells apart.
const (
	Unknown         Format = iota
	HDF5                   // .h5 of Keras 2 or 3
	Archive                // .keras: a zip of configuration and weights
	KerasSavedModel        // a SavedModel with Keras's metadata
	PlainSavedModel        // a SavedModel without: its graph says all there is
	PlainHubModule         // a module in the TF1 Hub format
)

// Detect tells by content what the file or directory is. The last two formats are
// not Load's: internal/savedmodel's Freeze gives their graph.
func Detect(name string) (Format, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Unknown, err
	}
	if info.IsDir() {
		return detectDir(name), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return Unknown, err
	}
	defer f.Close()
	head := make([]byte, 8)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return Unknown, err
	}
	return detectHead(head[:n]), nil
}

func detectHead(head []byte) Format {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.format
		}
	}
	return Unknown
}

var magics = []struct {
	magic  string
	format Format
}{{"\x89HDF\r\n\x1a\n", HDF5}, {"PK\x03\x04", Archive}}

func detectDir(dir string) Format {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	switch {
	case !has("saved_model.pb"):
		return Unknown
	case has("tfhub_module.pb"):
		return PlainHubModule
	case has(metadataFile):
		return KerasSavedModel
	}
	return PlainSavedModel
}

// Load reads a model that Keras saved, with its weights: a .h5 or .keras file or a
// SavedModel directory, told apart by content. Errors name the file; those of the
// model name layer and class, and all of them come joined.
func Load(ctx context.Context, name string, o LoadOptions) (*Model, error) {
	format, err := Detect(name)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, modules: newModules(o, filepath.Dir(name))}
	load, ok := loaders[format]
	if !ok {
		return nil, fmt.Errorf("%s: no Keras model (neither HDF5 nor .keras nor a SavedModel that Keras wrote): %w", name, tensor.ErrUnsupported)
	}
	m, err := load(r, name)
	if err != nil {
		return nil, inFile(name, err)
	}
	return m, nil
}

// inFile prefixes every problem with the file's name.
func inFile(name string, err error) error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range all.Unwrap() {
			out = append(out, inFile(name, e))
		}
		return errors.Join(out...)
	}
	return fmt.Errorf("%s: %w", name, err)
}

var loaders = map[Format]func(*reader, string) (*Model, error){
	HDF5: (*reader).loadHDF5, Archive: (*reader).loadArchive, KerasSavedModel: (*reader).loadSavedModel,
}

// modules finds the modules of Hub layers.
type modules struct {
	single  string            // the path for the only layer
	placed  map[string]string // paths by handle
	options hub.Options
	dir     string // of the model's file
	loaded  map[[3]string]*hub.Module
}

func newModules(o LoadOptions, dir string) *modules {
	m := &modules{placed: map[string]string{}, options: o.Module, dir: dir, loaded: map[[3]string]*hub.Module{}}
	for _, entry := range o.Hub {
		_, err := os.Stat(entry)
		if i := strings.LastIndexByte(entry, '='); i > 0 && err != nil {
			m.placed[entry[:i]] = entry[i+1:]
		} else {
			m.single = entry
		}
	}
	return m
}

// load loads the module of a layer; layers is the number of Hub layers.
func (m *modules) load(ctx context.Context, handle string, layers int, signature, outputKey string) (*hub.Module, error) {
	key := [3]string{handle, signature, outputKey}
	if mod := m.loaded[key]; mod != nil {
		return mod, nil
	}
	path, err := m.place(handle, layers)
	if err != nil {
		return nil, err
	}
	o := m.options
	o.Signature, o.OutputKey = signature, outputKey
	mod, err := hub.Load(ctx, path, o)
	if err != nil {
		return nil, err
	}
	m.loaded[key] = mod
	return mod, nil
}

// place returns where the module with that handle is.
func (m *modules) place(handle string, layers int) (string, error) {
	if path, ok := m.placed[handle]; ok {
		return path, nil
	}
	if m.single != "" {
		if layers > 1 {
			return "", fmt.Errorf("the model has %d Hub layers; place each with --hub %s=PATH: %w", layers, handle, tensor.ErrUnsupported)
		}
		return m.single, nil
	}
	if hub.IsRemote(handle) {
		return handle, nil
	}
	for _, path := range []string{handle, filepath.Join(m.dir, handle)} {
		if _, err := os.Stat(path); err == nil && handle != "" {
			return path, nil
		}
	}
	return "", fmt.Errorf("the Hub module %q is not here; place it with --hub %s=PATH: %w", handle, handle, fs.ErrNotExist)
}
