package tflite

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// unpacked is how external constants are stored: as in a file's own buffers.
const unpacked = "unpacked"

// opener returns the contents of a file next to the model.
type opener func(name string) ([]byte, error)

// openIn reads from a file system, each file once; nil for none.
func openIn(fsys fs.FS) opener {
	if fsys == nil {
		return nil
	}
	return once(func(name string) ([]byte, error) {
		info, err := fs.Stat(fsys, name)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is no regular file: %w", name, tensor.ErrMalformed)
		}
		if err != nil {
			return nil, err
		}
		return fs.ReadFile(fsys, name)
	})
}

// once keeps what was opened.
func once(open opener) opener {
	seen := map[string][]byte{}
	return func(name string) ([]byte, error) {
		name = path.Clean(name)
		if b, ok := seen[name]; ok {
			return b, nil
		}
		b, err := open(name)
		if err == nil {
			seen[name] = b
		}
		return b, err
	}
}

// external reads a value's bytes from another file, or names that file if it is not to
// be read or not there.
func (d *decoder) external(v *graph.Value, id uint32) ([]byte, error) {
	if id == 0 {
		return nil, nil
	}
	x, group, err := d.externalBuffer(id)
	if err != nil {
		return nil, err
	}
	var data []byte
	if d.open != nil {
		data, err = d.open(group)
	}
	switch {
	case d.open == nil || errors.Is(err, fs.ErrNotExist):
		v.External = group
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("external buffer %d: %w", id, err)
	case x.Packing != "" && x.Packing != unpacked:
		return nil, fmt.Errorf("external buffer %d is packed as %q: %w", id, x.Packing, tensor.ErrUnsupported)
	case x.Offset > uint64(len(data)) || x.Length > uint64(len(data))-x.Offset:
		return nil, fmt.Errorf("external buffer %d at %d+%d outside the %d bytes of %q: %w", id, x.Offset, x.Length, len(data), group, tensor.ErrMalformed)
	}
	end := x.Offset + x.Length
	return data[x.Offset:end:end], nil
}

// externalBuffer finds an external buffer and the name of its file.
func (d *decoder) externalBuffer(id uint32) (*fb.ExternalBufferT, string, error) {
	if d.byID == nil {
		d.byID = map[uint32]*fb.ExternalBufferT{}
		for _, x := range slices.Backward(d.t.ExternalBuffers) { // the first of an ID counts
			d.byID[x.Id] = x
		}
	}
	x := d.byID[id]
	if x == nil {
		return nil, "", fmt.Errorf("external buffer %d does not exist: %w", id, tensor.ErrMalformed)
	}
	if int64(x.Group) >= int64(len(d.t.ExternalBufferGroups)) {
		return nil, "", fmt.Errorf("external buffer %d in group %d of %d: %w", id, x.Group, len(d.t.ExternalBufferGroups), tensor.ErrMalformed)
	}
	return x, d.t.ExternalBufferGroups[x.Group].Name, nil
}

// keepsExternal reports whether a value's bytes are still those that its file says
// lie in another one.
func keepsExternal(v *graph.Value) bool {
	f, ok := v.File.(*valueFile)
	return ok && f.externalBuffer != 0 && len(v.Const) == len(f.external) &&
		(len(v.Const) == 0 || &v.Const[0] == &f.external[0])
}
