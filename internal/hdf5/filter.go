package hdf5

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
)

// filter is a stage of a filter pipeline.
type filter struct {
	id     uint16
	params []uint32
}

// undoFunc reverts a filter with parameters on the bytes of one chunk, giving at most so many bytes.
type undoFunc func(b []byte, params []uint32, most int) ([]byte, error)

// filterKinds has a row for each filter with a name. Start returns the function that reverts it on the chunks of one
// dataset; it is nil for filters that are not read.
var filterKinds = map[uint16]struct {
	name  string
	start func() undoFunc
}{
	1:     {"deflate", func() undoFunc { return new(inflater).undo }},
	2:     {"shuffle", func() undoFunc { return unshuffle }},
	3:     {"fletcher32", func() undoFunc { return unfletcher }},
	4:     {"szip", nil},
	5:     {"nbit", nil},
	6:     {"scaleoffset", nil},
	32000: {"lzf", func() undoFunc { return unlzf }},
	32001: {"blosc", nil},
	32004: {"lz4", nil},
	32008: {"bitshuffle", nil},
	32015: {"zstd", nil},
}

// filters reads a filter pipeline message. A filter that cannot be undone is refused by name.
func (f *File) filters(b []byte) ([]filter, error) {
	const namesFrom = 256 // in version 2 only filters from this identifier have a name
	c := f.cursor(b)
	version, count := c.u8(), int(c.u8())
	switch version {
	case 1:
		c.skip(6)
	case 2:
	default:
		return nil, unsupported("version %d", version)
	}
	var list []filter
	for range count {
		s := filter{id: c.u16()}
		nameSize := 0
		if version == 1 || s.id >= namesFrom {
			nameSize = int(c.u16())
		}
		c.skip(2) // flags
		params := int(c.u16())
		name := c.take(uint64(nameSize))
		for range params {
			s.params = append(s.params, c.u32())
			if c.err != nil {
				return nil, c.err
			}
		}
		if version == 1 && params%2 == 1 {
			c.skip(4)
		}
		if c.err != nil {
			return nil, c.err
		}
		kind := filterKinds[s.id]
		if kind.name != "" {
			name = []byte(kind.name)
		}
		if kind.start == nil {
			return nil, unsupported("filter %d %q", s.id, bytes.TrimRight(name, "\x00"))
		}
		list = append(list, s)
	}
	return list, nil
}

// pipeline reverts the filters of one dataset, a chunk at a time.
type pipeline struct {
	filters []filter
	undo    []undoFunc
}

func newPipeline(filters []filter) *pipeline {
	p := &pipeline{filters: filters}
	for _, s := range filters {
		p.undo = append(p.undo, filterKinds[s.id].start())
	}
	return p
}

// revert reverts all filters but those in mask, last first. Most bounds the size in between.
func (p *pipeline) revert(b []byte, mask uint32, most int) ([]byte, error) {
	for i := len(p.filters) - 1; i >= 0; i-- {
		if i < 32 && mask>>i&1 != 0 {
			continue
		}
		var err error
		if b, err = p.undo[i](b, p.filters[i].params, most); err != nil {
			return nil, fmt.Errorf("%s: %w", filterKinds[p.filters[i].id].name, err)
		}
	}
	return b, nil
}

// inflater reverts deflate; its state is used again for each chunk.
type inflater struct{ z io.ReadCloser }

func (f *inflater) undo(b []byte, _ []uint32, most int) ([]byte, error) {
	if err := f.reset(bytes.NewReader(b)); err != nil {
		return nil, malformed("%v", err)
	}
	out := make([]byte, most+1)
	for n := 0; n < len(out); {
		k, err := f.z.Read(out[n:])
		n += k
		if err == io.EOF {
			return out[:n], nil
		}
		if err != nil {
			return nil, malformed("%v", err)
		}
	}
	return nil, malformed("more than %d bytes", most)
}

func (f *inflater) reset(r io.Reader) (err error) {
	if f.z == nil {
		f.z, err = zlib.NewReader(r)
		return err
	}
	return f.z.(zlib.Resetter).Reset(r, nil)
}

// unshuffle gathers the bytes of each element, of which all first ones come first, then all second ones and so on.
// Bytes beyond the last whole element stay.
func unshuffle(b []byte, params []uint32, _ int) ([]byte, error) {
	if len(params) == 0 || params[0] == 0 {
		return nil, malformed("without the size of elements")
	}
	size := int(params[0])
	n := len(b) / size
	out := make([]byte, len(b))
	copy(out[n*size:], b[n*size:])
	for j := range min(size, len(b)) {
		for i, x := range b[j*n : (j+1)*n] {
			out[i*size+j] = x
		}
	}
	return out, nil
}

// unfletcher verifies and cuts off a Fletcher checksum of 32 bits.
func unfletcher(b []byte, _ []uint32, _ int) ([]byte, error) {
	n := len(b) - 4
	if n < 0 {
		return nil, malformed("chunk of %d bytes", len(b))
	}
	if binary.LittleEndian.Uint32(b[n:]) != fletcher32(b[:n]) {
		return nil, malformed("wrong checksum")
	}
	return b[:n], nil
}

// fletcher32 is Fletcher's checksum over big-endian 16-bit words in ones' complement; a last odd byte is a high one.
func fletcher32(b []byte) uint32 {
	var s1, s2 uint64
	for len(b) > 0 {
		// So many words overflow no sum: 65535 * 65536 * 65537 / 2 < 2^64.
		part := b[:min(len(b), 1<<16)]
		b = b[len(part):]
		for ; len(part) > 1; part = part[2:] {
			s1 += uint64(binary.BigEndian.Uint16(part))
			s2 += s1
		}
		if len(part) == 1 {
			s1 += uint64(part[0]) << 8
			s2 += s1
		}
		s1, s2 = fold(s1), fold(s2)
	}
	return uint32(s2)<<16 | uint32(s1)
}

// fold adds the carries of a ones' complement sum back in until it has 16 bits.
func fold(s uint64) uint64 {
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return s
}

// unlzf decodes LibLZF: a control byte below 32 starts a literal run of one byte more; any other is a back reference
// with a length of 2 plus its upper three bits (7: plus the next byte) and a distance of 1 plus its lower five bits
// and the byte after.
func unlzf(b []byte, _ []uint32, most int) ([]byte, error) {
	out := make([]byte, 0, most)
	c := &cursor{b: b}
	for len(c.b) > 0 {
		ctrl := int(c.u8())
		if ctrl < 32 {
			out = append(out, c.take(uint64(ctrl)+1)...)
		} else {
			n := ctrl>>5 + 2
			if n == 9 {
				n += int(c.u8())
			}
			from := len(out) - 1 - (ctrl&31<<8 | int(c.u8()))
			if from < 0 {
				return nil, malformed("reference before the start")
			}
			for i := range n {
				out = append(out, out[from+i])
			}
		}
		if c.err != nil || len(out) > most {
			return nil, malformed("cut short or more than %d bytes", most)
		}
	}
	return out, nil
}
