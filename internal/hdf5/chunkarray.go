package hdf5

// arrayHeader is what fixed and extensible arrays of chunks have in common.
type arrayHeader struct {
	*chunkReader
	elemSize uint64 // bytes of an entry
	prefix   uint64 // bytes from the signature of a block to its first field of its own
}

// start reads the first fields of an array's header.
func (a *arrayHeader) start(c *cursor) {
	filtered := uint8(0)
	if len(a.d.filters) > 0 {
		filtered = 1
	}
	c.expect("array version", 0)
	if client := c.u8(); c.err == nil && client != filtered {
		c.err = malformed("array of client %d", client)
	}
	a.elemSize = uint64(c.u8())
	if c.err == nil && (a.elemSize < uint64(a.f.offsetSize) || filtered == 0 && a.elemSize != uint64(a.f.offsetSize)) {
		c.err = malformed("array entries of %d bytes", a.elemSize)
	}
	a.prefix = uint64(4 + 1 + 1 + a.f.offsetSize)
}

// entries places the chunks of consecutive entries, of which the first has number n.
func (a *arrayHeader) entries(b []byte, n uint64) error {
	for c := a.f.cursor(b); len(c.b) > 0; n++ {
		addr, size, mask := a.entry(c, int(a.elemSize))
		if c.err != nil {
			return c.err
		}
		if err := a.placeNumbered(n, addr, size, mask); err != nil {
			return err
		}
	}
	return nil
}

// page places the chunks of count entries at addr, which a checksum follows.
func (a *arrayHeader) page(addr, count, n uint64) error {
	b, err := a.f.checked(a.w, "", addr, count*a.elemSize+4)
	if err != nil {
		return err
	}
	return a.entries(b, n)
}

// bit tells whether bit i, counted from the most significant bit of the first byte, is set.
func bit(b []byte, i uint64) bool { return b[i/8]&(0x80>>(i%8)) != 0 }

const maxPageBits = 32

// fixedArray places the chunks of the fixed array with its header at addr.
func (r *chunkReader) fixedArray(addr uint64) error {
	b, err := r.f.checked(r.w, "FAHD", addr, uint64(4+4+r.f.lengthSize+r.f.offsetSize+4))
	if err != nil {
		return err
	}
	a := &arrayHeader{chunkReader: r}
	c := r.f.cursor(b)
	a.start(c)
	pageBits, count, data := c.u8(), c.length(), c.offset()
	switch {
	case c.err != nil:
		return c.err
	case data == undefined:
		return nil
	case pageBits > maxPageBits || count > r.f.size:
		return malformed("array of %d entries in pages of 2^%d", count, pageBits)
	}
	perPage := uint64(1) << pageBits
	if count <= perPage {
		if b, err = r.f.checked(r.w, "FADB", data, a.prefix+count*a.elemSize+4); err != nil {
			return err
		}
		return a.entries(b[a.prefix-4:], 0)
	}
	pages := (count-1)/perPage + 1
	head := a.prefix + (pages+7)/8 + 4
	if b, err = r.f.checked(r.w, "FADB", data, head); err != nil {
		return err
	}
	used := b[a.prefix-4:]
	for p := range pages {
		if !bit(used, p) {
			continue
		}
		first := p * perPage
		at := data + head + p*(perPage*a.elemSize+4)
		if err := a.page(at, min(perPage, count-first), first); err != nil {
			return err
		}
	}
	return nil
}

// extensible is an extensible array: an index block with the first entries, the addresses of some data blocks, and of
// "super blocks" with the addresses of the others. Data blocks grow: super block u has 2^(u/2) blocks of
// minEntries*2^((u+1)/2) entries.
type extensible struct {
	arrayHeader
	maxBits    uint8
	inIndex    uint64 // entries in the index block
	minEntries uint64 // entries of the smallest data block
	perPage    uint64 // entries of a page of a data block that has pages
	used       uint64 // entries in use
}

func (r *chunkReader) extensibleArray(addr uint64) error {
	b, err := r.f.checked(r.w, "EAHD", addr, uint64(4+8+6*r.f.lengthSize+r.f.offsetSize+4))
	if err != nil {
		return err
	}
	e := &extensible{arrayHeader: arrayHeader{chunkReader: r}}
	c := r.f.cursor(b)
	e.start(c)
	e.maxBits = c.u8()
	e.inIndex, e.minEntries = uint64(c.u8()), uint64(c.u8())
	minPointers := uint64(c.u8())
	pageBits := c.u8()
	for range 4 {
		c.length() // statistics
	}
	e.used = c.length()
	c.length() // entries allocated
	index := c.offset()
	switch {
	case c.err != nil:
		return c.err
	case index == undefined:
		return nil
	case e.maxBits > 64 || !powerOfTwo(e.minEntries) || !powerOfTwo(minPointers) || log2(e.minEntries) > int(e.maxBits) || pageBits > maxPageBits:
		return malformed("extensible array of 2^%d entries, blocks from %d, pointers from %d", e.maxBits, e.minEntries, minPointers)
	}
	e.perPage = 1 << pageBits
	return e.indexBlock(index, log2(minPointers))
}

// indexBlock places all chunks; the data blocks of the first 2*direct super blocks are in the index block.
func (e *extensible) indexBlock(addr uint64, direct int) error {
	width := uint64(e.f.offsetSize)
	supers := 1 + int(e.maxBits) - log2(e.minEntries)
	blocks := uint64(2)<<direct - 2
	if supers < 2*direct {
		return malformed("%d super blocks, %d direct", supers, 2*direct)
	}
	b, err := e.f.checked(e.w, "EAIB", addr, e.prefix+e.inIndex*e.elemSize+(blocks+uint64(supers-2*direct))*width+4)
	if err != nil {
		return err
	}
	c := e.f.cursor(b[e.prefix-4:])
	if err := e.entries(c.take(e.inIndex*e.elemSize), 0); err != nil {
		return err
	}
	n := e.inIndex
	for u := 0; u < supers && n < e.used; u++ {
		count, size := uint64(1)<<(u/2), e.minEntries<<((u+1)/2)
		if u >= 2*direct {
			if err := e.superBlock(c.offset(), count, size, n); err != nil {
				return err
			}
			n += count * size
			continue
		}
		for range count {
			if err := e.dataBlock(c.offset(), size, nil, n); err != nil {
				return err
			}
			n += size
		}
	}
	return c.err
}

// superBlock places the chunks of count data blocks of size entries each, the first of which is entry n.
func (e *extensible) superBlock(addr, count, size, n uint64) error {
	if addr == undefined {
		return nil
	}
	bitmap := uint64(0)
	if size > e.perPage {
		bitmap = count * ((size/e.perPage + 7) / 8)
	}
	offset := uint64(e.maxBits+7) / 8
	b, err := e.f.checked(e.w, "EASB", addr, e.prefix+offset+bitmap+count*uint64(e.f.offsetSize)+4)
	if err != nil {
		return err
	}
	c := e.f.cursor(b[e.prefix-4+offset:])
	used := c.take(bitmap)
	for i := range count {
		first := n + i*size
		if first >= e.used {
			break
		}
		var isUsed func(page uint64) bool
		if bitmap > 0 {
			isUsed = func(page uint64) bool { return bit(used, i*(size/e.perPage)+page) }
		}
		if err := e.dataBlock(c.offset(), size, isUsed, first); err != nil {
			return err
		}
	}
	return c.err
}

// dataBlock places the chunks of a data block, of which the first is entry n. It has pages if isUsed is not nil.
func (e *extensible) dataBlock(addr, size uint64, isUsed func(page uint64) bool, n uint64) error {
	if addr == undefined {
		return nil
	}
	head := e.prefix + uint64(e.maxBits+7)/8
	if isUsed == nil {
		b, err := e.f.checked(e.w, "EADB", addr, head+size*e.elemSize+4)
		if err != nil {
			return err
		}
		return e.entries(b[head-4:], n)
	}
	if _, err := e.f.checked(e.w, "EADB", addr, head+4); err != nil {
		return err
	}
	for p := range size / e.perPage {
		at := addr + head + 4 + p*(e.perPage*e.elemSize+4)
		if !isUsed(p) {
			continue
		}
		if err := e.page(at, e.perPage, n+p*e.perPage); err != nil {
			return err
		}
	}
	return nil
}
