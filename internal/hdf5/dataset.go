package hdf5

import (
	"fmt"

	"github.com/litequant/litequant/tensor"
)

// Dataset is an array of values. Its accessors read the values anew at each call.
type Dataset struct {
	object
	values
	layout  layout
	fill    []byte // one element, or nil for zeros
	filters []filter
}

// Layout classes.
const (
	layoutCompact    = 0
	layoutContiguous = 1
	layoutChunked    = 2
	layoutVirtual    = 3
)

// layout tells where the values of a dataset are.
type layout struct {
	class   uint8
	compact []byte // the values of the compact class
	addr    uint64 // of the values, or of the index of chunks
	chunks  chunkLayout
}

// newDataset makes a dataset of an object header. Types that cannot be read are refused only by the accessors.
func newDataset(o object) (*Dataset, error) {
	d := &Dataset{object: o}
	if m, _ := find(o.msgs, msgExternal); m != nil {
		return nil, unsupported("external data files")
	}
	typ, err := o.need(msgDatatype, "datatype")
	if err != nil {
		return nil, err
	}
	space, err := o.need(msgDataspace, "dataspace")
	if err != nil {
		return nil, err
	}
	if d.values, err = o.f.newValues(o.path, typ, space); err != nil {
		return nil, err
	}
	d.values.read = d.readAll
	return d, d.readMessages()
}

// need is find for a message that must exist.
func (o *object) need(kind uint16, name string) ([]byte, error) {
	b, err := find(o.msgs, kind)
	if b == nil && err == nil {
		err = malformed("dataset without %s", name)
	}
	return b, err
}

func (d *Dataset) readMessages() error {
	b, err := d.need(msgLayout, "layout")
	if err != nil {
		return err
	}
	if err := d.readLayout(b); err != nil {
		return fmt.Errorf("layout: %w", err)
	}
	if b, err = find(d.msgs, msgFilters); err != nil {
		return err
	}
	if b != nil {
		if d.filters, err = d.object.f.filters(b); err != nil {
			return fmt.Errorf("filters: %w", err)
		}
	}
	if err := d.readFill(); err != nil {
		return fmt.Errorf("fill value: %w", err)
	}
	return nil
}

// readFill reads the fill value, from its old message if there is no new one.
func (d *Dataset) readFill() error {
	const defined3 = 0x20
	b, err := find(d.msgs, msgFill)
	if err != nil {
		return err
	}
	var value []byte
	if b != nil {
		c := d.object.f.cursor(b)
		version, flags := c.u8(), c.u8()
		defined := flags&defined3 != 0
		switch version {
		case 1, 2:
			c.skip(1) // write time
			defined = c.u8() != 0 || version == 1
		case 3:
		default:
			return unsupported("version %d", version)
		}
		if defined {
			value = c.take(uint64(c.u32()))
		}
		if c.err != nil {
			return c.err
		}
	} else if b, err = find(d.msgs, msgFillOld); err != nil {
		return err
	} else if b != nil {
		c := d.object.f.cursor(b)
		if value = c.take(uint64(c.u32())); c.err != nil {
			return c.err
		}
	}
	if len(value) != 0 && len(value) != d.typ.Size {
		return malformed("%d bytes for elements of %d", len(value), d.typ.Size)
	}
	if !allZero(value) {
		d.fill = value
	}
	return nil
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// readLayout reads a layout message.
func (d *Dataset) readLayout(b []byte) error {
	c := d.object.f.cursor(b)
	l := &d.layout
	switch version := c.u8(); version {
	case 1, 2:
		d.readLayoutOld(c)
	case 3, 4:
		l.class = c.u8()
		switch l.class {
		case layoutCompact:
			l.compact = c.take(uint64(c.u16()))
		case layoutContiguous:
			l.addr = c.offset()
		case layoutChunked:
			if version == 3 {
				rank := int(c.u8())
				l.addr = c.offset()
				l.chunks.read(c, rank, 4)
			} else {
				l.addr = l.chunks.read4(c)
			}
		case layoutVirtual:
			return unsupported("virtual dataset")
		default:
			return malformed("class %d", l.class)
		}
	default:
		return unsupported("version %d", version)
	}
	if c.err != nil {
		return c.err
	}
	if l.class == layoutCompact && uint64(len(l.compact)) < d.byteSize {
		return malformed("%d bytes of %d", len(l.compact), d.byteSize)
	}
	if l.class == layoutChunked {
		return l.chunks.check(&d.values)
	}
	return nil
}

// readLayoutOld reads the rest of a layout message of version 1 or 2.
func (d *Dataset) readLayoutOld(c *cursor) {
	l := &d.layout
	rank := int(c.u8())
	l.class = c.u8()
	c.skip(5)
	switch l.class {
	case layoutCompact:
		c.skip(4 * rank)
		l.compact = c.take(uint64(c.u32()))
	case layoutContiguous:
		l.addr = c.offset()
	case layoutChunked:
		l.addr = c.offset()
		l.chunks.read(c, rank, 4)
	default:
		c.err = malformed("class %d", l.class)
	}
}

// readAll returns the values as stored, less filters.
func (d *Dataset) readAll() ([]byte, error) {
	f, l := d.object.f, &d.layout
	switch {
	case d.byteSize == 0:
		return nil, nil
	case l.class == layoutCompact:
		return aligned(l.compact[:d.byteSize]), nil
	case l.class == layoutContiguous && l.addr != undefined:
		return f.values(l.addr, d.byteSize)
	}
	if err := f.checkLimit(d.byteSize); err != nil {
		return nil, err
	}
	out := tensor.Aligned(int(d.byteSize))
	for i := 0; i < len(out) && d.fill != nil; i += len(d.fill) {
		copy(out[i:], d.fill)
	}
	if l.class == layoutChunked && l.addr != undefined {
		if err := d.readChunks(out); err != nil {
			return nil, fmt.Errorf("chunks: %w", err)
		}
	}
	return out, nil
}

// values reads n bytes at an address into memory aligned for tensors.
func (f *File) values(addr, n uint64) ([]byte, error) {
	if err := f.checkRange(addr, n); err != nil {
		return nil, err
	}
	b := tensor.Aligned(int(n))
	return b, f.readAt(b, addr)
}

// aligned copies b to memory aligned for tensors.
func aligned(b []byte) []byte {
	out := tensor.Aligned(len(b))
	copy(out, b)
	return out
}
