package hdf5

import "fmt"

// fractalHeap is an open fractal heap. Its managed objects lie in direct blocks, found through a "doubling table" of
// rows of equally large blocks, each row but the first two twice the block size of the one before.
type fractalHeap struct {
	f           *File
	w           *walk
	blocks      map[uint64][]byte // blocks already read, by address
	idSize      int
	width       uint64 // blocks in a row
	start       uint64 // size of the blocks of the first row
	maxDirect   uint64 // size of the largest direct block
	rootAddr    uint64
	rootRows    uint64 // rows of the root indirect block; 0 if the root is a direct block
	offsetSize  int    // bytes of an offset into the heap
	objectSize  int    // bytes of the length of a managed object
	checksummed bool   // direct blocks have checksums
	hugeTree    uint64
	huge        map[uint64]span // huge objects by their key; nil until needed
}

// dense calls fn for each object in the fractal heap at heapAddr which the version 2 B-tree at index lists, with the
// object's bytes and the record; id extracts the heap ID from a record.
func (f *File) dense(heapAddr, index uint64, kind uint8, id func(record []byte) []byte, fn func(object, record []byte) error) error {
	h, err := f.fractalHeap(heapAddr)
	if err != nil {
		return fmt.Errorf("fractal heap: %w", err)
	}
	return f.btree2(index, kind, func(record []byte) error {
		b, err := h.object(id(record))
		if err != nil {
			return fmt.Errorf("fractal heap: %w", err)
		}
		return fn(b, record)
	})
}

func (f *File) fractalHeap(addr uint64) (*fractalHeap, error) {
	const checksumBlocks = 2
	w := f.newWalk()
	b, err := f.checked(w, "FRHP", addr, uint64(26+12*f.lengthSize+3*f.offsetSize))
	if err != nil {
		return nil, err
	}
	c := f.cursor(b)
	h := &fractalHeap{f: f, w: w, blocks: map[uint64][]byte{}}
	c.expect("version", 0)
	h.idSize = int(c.u16())
	filters := c.u16()
	h.checksummed = c.u8()&checksumBlocks != 0
	maxManaged := uint64(c.u32())
	c.length() // next huge object's key
	h.hugeTree = c.offset()
	c.length() // free space
	c.offset() // free space manager
	for range 8 {
		c.length() // statistics
	}
	h.width, h.start, h.maxDirect = uint64(c.u16()), c.length(), c.length()
	heapBits := int(c.u16())
	c.skip(2) // rows at the start
	h.rootAddr, h.rootRows = c.offset(), uint64(c.u16())
	if c.err != nil {
		return nil, c.err
	}
	if filters != 0 {
		return nil, unsupported("filtered")
	}
	if h.width == 0 || !powerOfTwo(h.width) || !powerOfTwo(h.start) || !powerOfTwo(h.maxDirect) || h.start > h.maxDirect ||
		heapBits == 0 || heapBits > 64 || h.maxDirect > 1<<32 {
		return nil, malformed("%d blocks of %d to %d bytes in %d bits", h.width, h.start, h.maxDirect, heapBits)
	}
	h.offsetSize = (heapBits + 7) / 8
	h.objectSize = min((log2(h.maxDirect)+7)/8, encodedSize(maxManaged))
	return h, nil
}

func powerOfTwo(v uint64) bool { return v != 0 && v&(v-1) == 0 }

// object returns the object with a heap ID.
func (h *fractalHeap) object(id []byte) ([]byte, error) {
	const managed, huge, tiny = 0, 1, 2
	if len(id) != h.idSize || len(id) == 0 {
		return nil, malformed("ID of %d bytes instead of %d", len(id), h.idSize)
	}
	c := h.f.cursor(id)
	flags := c.u8()
	if flags>>6 != 0 {
		return nil, unsupported("ID of version %d", flags>>6)
	}
	switch flags >> 4 & 3 {
	case managed:
		at, n := c.uint(h.offsetSize), c.uint(h.objectSize)
		if c.err != nil {
			return nil, c.err
		}
		return h.managed(at, n)
	case huge:
		return h.hugeObject(c)
	case tiny:
		n := uint64(flags&0xf) + 1
		if h.idSize > 17 { // extended form: twelve bits of length
			n = uint64(flags&0xf)<<8 + uint64(c.u8()) + 1
		}
		b := c.take(n)
		return b, c.err
	}
	return nil, malformed("ID of unknown type")
}

// managed returns the n bytes at an offset of the heap's space.
func (h *fractalHeap) managed(at, n uint64) ([]byte, error) {
	addr, rows, size := h.rootAddr, h.rootRows, h.start
	for rows > 0 {
		row, col, rowStart, blockSize := h.locate(at)
		if row >= rows {
			return nil, malformed("offset %#x lies beyond the heap", at)
		}
		at -= rowStart + col*blockSize
		child, err := h.child(addr, rows, row*h.width+col)
		if err != nil {
			return nil, err
		}
		addr, size, rows = child, blockSize, 0
		if blockSize > h.maxDirect {
			// An indirect block covers as many rows as make up the size of one block of its own row.
			rows = uint64(max(0, log2(blockSize)-log2(h.start*h.width)+1))
			if rows == 0 || rows > row {
				return nil, malformed("indirect block of %d bytes", blockSize)
			}
		}
	}
	b, err := h.direct(addr, size)
	if err != nil {
		return nil, err
	}
	if at > uint64(len(b)) || n > uint64(len(b))-at {
		return nil, malformed("object of %d bytes at %#x of a block of %d", n, at, len(b))
	}
	return b[at : at+n], nil
}

// locate returns the row and column of the doubling table for an offset, the offset of the row and its block size.
func (h *fractalHeap) locate(at uint64) (row, col, rowStart, blockSize uint64) {
	first := h.width * h.start
	if at < first {
		return 0, at / h.start, 0, h.start
	}
	k := log2(at / first)
	rowStart, blockSize = first<<k, h.start<<k
	return uint64(k) + 1, (at - rowStart) / blockSize, rowStart, blockSize
}

// child returns entry i of the indirect block at addr.
func (h *fractalHeap) child(addr, rows, i uint64) (uint64, error) {
	prefix := uint64(5 + h.f.offsetSize + h.offsetSize)
	b, err := h.block(addr, "FHIB", prefix+rows*h.width*uint64(h.f.offsetSize)+4, true)
	if err != nil {
		return 0, err
	}
	c := h.f.cursor(b[prefix+i*uint64(h.f.offsetSize):])
	child := c.offset()
	return child, c.err
}

// direct returns the direct block at addr with its prefix, which counts in the heap's space.
func (h *fractalHeap) direct(addr, size uint64) ([]byte, error) {
	return h.block(addr, "FHDB", size, false)
}

// block reads a block once. A checksum is at the end of an indirect block, in a direct block after the prefix.
func (h *fractalHeap) block(addr uint64, sig string, n uint64, indirect bool) ([]byte, error) {
	if b, ok := h.blocks[addr]; ok {
		if uint64(len(b)) != n || string(b[:4]) != sig {
			return nil, malformed("block at %#x is of two kinds", addr)
		}
		return b, nil
	}
	b, err := h.f.block(h.w, sig, addr, n)
	if err != nil {
		return nil, err
	}
	switch {
	case indirect:
		_, err = h.f.verify(sig, addr, b, 0)
	case h.checksummed:
		err = h.verifyDirect(addr, b)
	}
	if err != nil {
		return nil, err
	}
	h.blocks[addr] = b
	return b, nil
}

// verifyDirect compares the checksum in a direct block with that of the block with zeros in its place.
func (h *fractalHeap) verifyDirect(addr uint64, b []byte) error {
	at := 5 + h.f.offsetSize + h.offsetSize
	if len(b) < at+4 {
		return malformed("block of %d bytes at %#x", len(b), addr)
	}
	want := uint32(littleUint(b[at : at+4]))
	zeroed := append([]byte(nil), b...)
	clear(zeroed[at : at+4])
	if want != lookup3(zeroed) && !h.f.lax {
		return malformed("block at %#x: wrong checksum", addr)
	}
	return nil
}

// hugeObject returns an object stored outside of the heap's blocks. The rest of its ID is address and length if these
// fit, else a key.
func (h *fractalHeap) hugeObject(c *cursor) ([]byte, error) {
	var s span
	if len(c.b) >= h.f.offsetSize+h.f.lengthSize {
		s = span{c.offset(), c.length()}
	} else {
		if err := h.loadHuge(); err != nil {
			return nil, err
		}
		key := c.uint(min(h.f.lengthSize, len(c.b)))
		var ok bool
		if s, ok = h.huge[key]; !ok {
			return nil, malformed("no huge object %d", key)
		}
	}
	if err := h.w.enter(s.addr, s.size); err != nil {
		return nil, err
	}
	return h.f.bytes(s.addr, s.size)
}

func (h *fractalHeap) loadHuge() error {
	if h.huge != nil {
		return nil
	}
	h.huge = map[uint64]span{}
	return h.f.btree2(h.hugeTree, tree2HugeObject, func(record []byte) error {
		c := h.f.cursor(record)
		s := span{c.offset(), c.length()}
		h.huge[c.length()] = s
		return c.err
	})
}
