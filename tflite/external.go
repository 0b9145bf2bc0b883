package tflite

import (
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

// external returns the bytes of an external buffer, nil if no files are to be
// opened.
func (d *decoder) external(id uint32) ([]byte, error) {
	if id == 0 || d.open == nil {
		return nil, nil
	}
	i := slices.IndexFunc(d.t.ExternalBuffers, func(x *fb.ExternalBufferT) bool { return x.Id == id })
	if i < 0 {
		return nil, fmt.Errorf("external buffer %d does not exist: %w", id, tensor.ErrMalformed)
	}
	x := d.t.ExternalBuffers[i]
	if int64(x.Group) >= int64(len(d.t.ExternalBufferGroups)) {
		return nil, fmt.Errorf("external buffer %d in group %d of %d: %w", id, x.Group, len(d.t.ExternalBufferGroups), tensor.ErrMalformed)
	}
	if x.Packing != "" && x.Packing != unpacked {
		return nil, fmt.Errorf("external buffer %d is packed as %q: %w", id, x.Packing, tensor.ErrUnsupported)
	}
	data, err := d.open(d.t.ExternalBufferGroups[x.Group].Name)
	if err != nil {
		return nil, fmt.Errorf("external buffer %d: %w", id, err)
	}
	if x.Offset > uint64(len(data)) || x.Length > uint64(len(data))-x.Offset {
		return nil, fmt.Errorf("external buffer %d at %d+%d outside the %d bytes of %q: %w", id, x.Offset, x.Length, len(data), d.t.ExternalBufferGroups[x.Group].Name, tensor.ErrMalformed)
	}
	end := x.Offset + x.Length
	return data[x.Offset:end:end], nil
}

// keepsExternal reports whether a value's bytes are still those that its file says
// lie in another one.
func keepsExternal(v *graph.Value) bool {
	f, ok := v.File.(*valueFile)
	return ok && f.externalBuffer != 0 && len(v.Const) == len(f.external) &&
		(len(v.Const) == 0 || &v.Const[0] == &f.external[0])
}
