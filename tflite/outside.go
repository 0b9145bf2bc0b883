package tflite

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// A flatbuffer ends at 2 GiB. Larger files hold constants and custom options
// behind it, each at a multiple of 16 bytes, and say so in a metadata entry.
const (
	bufferLocation  = "buffer_location"
	outsideLocation = "outside flatbuffers"
	blobAlign       = 16
	// maxInside is the constants' size from which on they go behind the
	// flatbuffer: what LiteRT's converter leaves room for.
	maxInside = 2<<30 - 512<<20
	// toBeSet is an offset that takes its place until the real one is known; 0 and 1
	// mean none.
	toBeSet = 2
)

// packed is a file in parts: the flatbuffer and what lies behind it, each part at a
// multiple of 16.
type packed struct{ parts [][]byte }

// size is the file's, in bytes.
func (p *packed) size() int64 {
	n := int64(0)
	for _, part := range p.parts {
		n = alignBlob(n) + int64(len(part))
	}
	return n
}

func (p *packed) bytes() []byte {
	if len(p.parts) == 1 {
		return p.parts[0]
	}
	b := bytes.NewBuffer(make([]byte, 0, p.size()))
	_ = p.write(b) // never fails
	return b.Bytes()
}

func (p *packed) write(w io.Writer) error {
	at := int64(0)
	for _, part := range p.parts {
		gap := alignBlob(at) - at
		for _, b := range [][]byte{make([]byte, gap), part} {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		at += gap + int64(len(part))
	}
	return nil
}

func alignBlob(n int64) int64 { return (n + blobAlign - 1) &^ (blobAlign - 1) }

// pack writes the tree, with its blobs inside or behind the flatbuffer.
func (e *encoder) pack() (*packed, error) {
	if !e.outside {
		b, err := schema.Pack(e.t)
		return &packed{[][]byte{b}}, err
	}
	blobs := e.moveOut()
	b, err := schema.Pack(e.t)
	if err != nil {
		return nil, err
	}
	p := &packed{parts: [][]byte{b}}
	for _, m := range blobs {
		*m.offset = uint64(alignBlob(p.size()))
		p.parts = append(p.parts, m.data)
	}
	if p.parts[0], err = schema.Pack(e.t); err == nil && len(p.parts[0]) != len(b) {
		err = fmt.Errorf("pack: offsets change the flatbuffer's size: %w", tensor.ErrMalformed)
	}
	if len(blobs) > 0 {
		p.parts = append(p.parts, make([]byte, blobAlign)) // kernels may read beyond the last constant
	}
	return p, err
}

// moved is a blob and the field that says where it lies.
type moved struct {
	data   []byte
	offset *uint64
}

// moveOut takes the constants and custom options out of the tree.
func (e *encoder) moveOut() []moved {
	var list []moved
	for _, b := range e.t.Buffers[:e.constants] {
		if len(b.Data) > 0 {
			list = append(list, moved{b.Data, &b.Offset})
			b.Data, b.Offset, b.Size = nil, toBeSet, uint64(len(b.Data))
		}
	}
	for _, s := range e.t.Subgraphs {
		for _, o := range s.Operators {
			if len(o.CustomOptions) > 0 {
				list = append(list, moved{o.CustomOptions, &o.LargeCustomOptionsOffset})
				o.LargeCustomOptionsOffset, o.LargeCustomOptionsSize = toBeSet, uint64(len(o.CustomOptions))
				o.CustomOptions = nil
			}
		}
	}
	return list
}

// blobBytes is the size of the constants and custom options.
func blobBytes(t *fb.ModelT) int64 {
	n := int64(0)
	for _, b := range t.Buffers {
		n += int64(len(b.Data))
	}
	for _, s := range t.Subgraphs {
		for _, o := range s.Operators {
			n += int64(len(o.CustomOptions))
		}
	}
	return n
}

// behind returns what lies at an offset of the file; the flatbuffer says so.
func (d *decoder) behind(what string, offset, size uint64) ([]byte, error) {
	if offset > uint64(len(d.file)) || size > uint64(len(d.file))-offset {
		return nil, fmt.Errorf("%s at %d+%d outside the file's %d bytes: %w", what, offset, size, len(d.file), tensor.ErrMalformed)
	}
	if size == 0 {
		return nil, nil
	}
	end := offset + size
	return d.file[offset:end:end], nil
}

// takeLocation removes the entry that says where constants lie, which is the
// writer's to make, and reports whether they lie behind the flatbuffer.
func (d *decoder) takeLocation(m *graph.Model) bool {
	i := slices.IndexFunc(m.Metadata, func(md graph.Metadata) bool {
		return md.Name == bufferLocation && string(md.Data) == outsideLocation
	})
	if i >= 0 {
		m.Metadata = slices.Delete(m.Metadata, i, i+1)
		return true
	}
	return slices.ContainsFunc(d.t.Buffers, func(b *fb.BufferT) bool { return b.Offset > 1 && b.Size > 0 })
}
