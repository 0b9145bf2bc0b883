// Package hdf5 reads and writes HDF5 files as far as Keras uses them: groups, attributes and numeric or string datasets.
//
// Reading is lazy: Open reads the superblock and the root group, a Group reads its links when it is opened, and the
// values of a dataset are read only by its accessors. A File and everything opened from it are immutable and safe for
// concurrent use if the io.ReaderAt is.
//
// Whatever the input holds, reading ends with a value or an error, in time and memory bounded by the size of the file
// (and 64 MiB for what compression and fill values may expand to). Errors wrap tensor.ErrMalformed for bytes that
// break the format, tensor.ErrLimit for sizes beyond the bound, tensor.ErrUnsupported for features that are not read,
// tensor.ErrType for a value asked for as another type, and fs.ErrNotExist for a missing object or attribute.
//
// The layout follows the "HDF5 File Format Specification Version 3.0" of The HDF Group, whose terms are used here.
package hdf5

import (
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	signature  = "\x89HDF\r\n\x1a\n"
	undefined  = math.MaxUint64 // the undefined address, whatever the width of addresses in the file
	maxRank    = 32             // H5S_MAX_RANK
	maxInflate = 1032           // deflate expands no further than this factor
	minLimit   = 64 << 20       // bytes that any file may expand to
	maxLimit   = 8 << 30        // bytes that no dataset may expand to
)

// File is an open HDF5 file.
type File struct {
	r          io.ReaderAt
	base       uint64 // position in r of address 0
	size       uint64 // bytes from base to the end of r
	offsetSize int    // bytes of an address
	lengthSize int    // bytes of a length
	limit      uint64 // most bytes that one dataset may expand to
	lax        bool   // checksums of metadata are not verified; for fuzzing
	root       *Group
}

// Open opens the HDF5 file held in the first size bytes of r. It reads the superblock and the links of the root group.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r}
	if err := f.open(size); err != nil {
		return nil, fmt.Errorf("hdf5: %w", err)
	}
	return f, nil
}

// Root returns the root group.
func (f *File) Root() *Group { return f.root }

func (f *File) open(size int64) error {
	if size < 0 {
		return malformed("negative file size %d", size)
	}
	f.size = uint64(size)
	if f.limit == 0 {
		f.limit = max(minLimit, min(maxLimit, min(maxLimit, f.size)*maxInflate))
	}
	if err := f.findSignature(); err != nil {
		return err
	}
	root, err := f.superblock()
	if err != nil {
		return fmt.Errorf("superblock: %w", err)
	}
	obj, err := f.openObject(root, "/")
	if err != nil {
		return fmt.Errorf("/: %w", err)
	}
	g, ok := obj.(*Group)
	if !ok {
		return malformed("/: root object is no group")
	}
	f.root = g
	return nil
}

// findSignature sets base and size: the superblock lies at 0 or after a user block of 512 bytes or a doubling of that.
func (f *File) findSignature() error {
	for at := uint64(0); at+uint64(len(signature)) <= f.size; at = max(512, 2*at) {
		b, err := f.bytes(at, uint64(len(signature)))
		if err != nil {
			return err
		}
		if string(b) == signature {
			f.base = at
			f.size -= at
			return nil
		}
	}
	return malformed("no HDF5 signature")
}

// superblock reads the superblock and returns the address of the root group's object header.
func (f *File) superblock() (uint64, error) {
	b, err := f.bytes(0, min(f.size, 128))
	if err != nil {
		return 0, err
	}
	c := &cursor{b: b}
	c.skip(len(signature))
	version := c.u8()
	switch version {
	case 0, 1:
		c.skip(4) // versions of free space, root group and shared headers
	case 2, 3:
	default:
		return 0, unsupported("superblock version %d", version)
	}
	f.offsetSize, f.lengthSize = int(c.u8()), int(c.u8())
	if !validWidth(f.offsetSize) || !validWidth(f.lengthSize) {
		return 0, malformed("offsets of %d bytes, lengths of %d", f.offsetSize, f.lengthSize)
	}
	c.offsetSize, c.lengthSize = f.offsetSize, f.lengthSize
	var root, end uint64
	if version < 2 {
		c.skip(9) // reserved, leaf K, internal K, flags
		if version == 1 {
			c.skip(4) // indexed storage K
		}
		c.offset() // base address
		c.offset() // free space
		end = c.offset()
		c.offset() // driver information
		c.offset() // link name of the root entry
		root = c.offset()
	} else {
		c.skip(1)  // flags
		c.offset() // base address
		c.offset() // superblock extension
		end = c.offset()
		root = c.offset()
		at := len(b) - len(c.b)
		if sum := c.u32(); c.err == nil && !f.lax && sum != lookup3(b[:at]) {
			return 0, malformed("wrong checksum")
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	// The end is counted from the start of the file or from the base address, depending on the writing library.
	if end != undefined && end > f.size+f.base {
		return 0, malformed("file is cut short: %d bytes of %d", f.size, end)
	}
	return root, nil
}

func validWidth(n int) bool { return n == 2 || n == 4 || n == 8 }

// bytes reads n bytes at an address.
func (f *File) bytes(addr, n uint64) ([]byte, error) {
	if err := f.checkRange(addr, n); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, f.readAt(b, addr)
}

// checkRange refuses bytes beyond the end of the file.
func (f *File) checkRange(addr, n uint64) error {
	if addr > f.size || n > f.size-addr {
		return malformed("%d bytes at %#x lie beyond the end of the file (%#x)", n, addr, f.size)
	}
	return nil
}

// readAt fills b from an address.
func (f *File) readAt(b []byte, addr uint64) error {
	if k, err := f.r.ReadAt(b, int64(f.base+addr)); k < len(b) {
		if errors.Is(err, io.EOF) {
			return malformed("file ends at %#x", addr+uint64(k))
		}
		return err
	}
	return nil
}

// block reads n bytes at an address, which start with a signature, in a walk.
func (f *File) block(w *walk, sig string, addr, n uint64) ([]byte, error) {
	if n < uint64(len(sig)) {
		return nil, malformed("%s of %d bytes at %#x", sig, n, addr)
	}
	if err := w.enter(addr, n); err != nil {
		return nil, err
	}
	b, err := f.bytes(addr, n)
	if err != nil {
		return nil, err
	}
	if string(b[:len(sig)]) != sig {
		return nil, malformed("no %s at %#x", sig, addr)
	}
	return b, nil
}

// checked is block for a block that ends with the checksum of the bytes before; it returns the bytes between the two.
func (f *File) checked(w *walk, sig string, addr, n uint64) ([]byte, error) {
	if n < uint64(len(sig)+4) {
		return nil, malformed("%s of %d bytes at %#x", sig, n, addr)
	}
	b, err := f.block(w, sig, addr, n)
	if err != nil {
		return nil, err
	}
	return f.verify(sig, addr, b, len(sig))
}

// verify compares the last four bytes of b with the checksum of the others, which it returns less the first skip.
func (f *File) verify(what string, addr uint64, b []byte, skip int) ([]byte, error) {
	end := len(b) - 4
	c := &cursor{b: b[end:]}
	if c.u32() != lookup3(b[:end]) && !f.lax {
		return nil, malformed("%s at %#x: wrong checksum", what, addr)
	}
	return b[skip:end], nil
}

// walk follows pointers through one data structure. In a valid file no byte belongs to two blocks of a structure; so an
// address that comes twice, or more bytes than the file has, end the walk. That bounds every cycle and every fan-out.
type walk struct {
	seen map[uint64]bool
	left uint64
}

func (f *File) newWalk() *walk { return &walk{seen: map[uint64]bool{}, left: f.size} }

// enter notes that n bytes at addr are visited.
func (w *walk) enter(addr, n uint64) error {
	if w.seen[addr] {
		return malformed("block at %#x is reached twice", addr)
	}
	if n > w.left {
		return malformed("block of %d bytes at %#x: more metadata than the file holds", n, addr)
	}
	w.seen[addr] = true
	w.left -= n
	return nil
}

// checkLimit refuses a size in memory beyond what the file may expand to.
func (f *File) checkLimit(n uint64) error {
	if n > f.limit {
		return overLimit("%d bytes of data in a file of %d bytes; at most %d are read", n, f.size, f.limit)
	}
	return nil
}
