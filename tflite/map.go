package tflite

import (
	"fmt"
	"path/filepath"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/tensor"
)

// Mapped is a model whose constants are views of a memory-mapped file, so that
// models larger than memory can be read and what is not used is never loaded.
type Mapped struct {
	Model *graph.Model
	// File is the file itself, without those that hold external constants.
	File []byte
	maps [][]byte
}

// Map reads a file without copying it, and the files next to it that hold external
// constants. Where files cannot be mapped it reads them. The files must not be
// changed before Close: a program that reads what was truncated is killed by the
// system.
func Map(name string) (*Mapped, error) {
	m := &Mapped{}
	file, err := m.open(name)
	if err != nil {
		return nil, err
	}
	d := decoder{open: once(func(other string) ([]byte, error) {
		if !filepath.IsLocal(other) {
			return nil, fmt.Errorf("file %q lies elsewhere: %w", other, tensor.ErrMalformed)
		}
		return m.open(filepath.Join(filepath.Dir(name), other))
	})}
	model, err := d.decode(file, schema.Limits{})
	if err != nil {
		return nil, inFile(name, graph.Join(err, m.Close()))
	}
	m.Model, m.File = model, file
	return m, nil
}

func (m *Mapped) open(name string) ([]byte, error) {
	b, err := mapFile(name)
	if err == nil {
		m.maps = append(m.maps, b)
	}
	return b, err
}

// Close releases the files. Nothing may use the model any more: no program or
// runner that was made of it, no tensor of theirs that is a constant. Closing again
// does nothing.
func (m *Mapped) Close() error {
	var errs []error
	for _, b := range m.maps {
		errs = append(errs, unmapFile(b))
	}
	m.maps, m.File, m.Model = nil, nil, nil
	return graph.Join(errs...)
}
