package hdf5

import "fmt"

// Kinds of chunk index. The version 1 B-tree has no number in the format.
const (
	indexBTree1     = 0
	indexSingle     = 1
	indexImplicit   = 2
	indexFixed      = 3
	indexExtensible = 4
	indexBTree2     = 5
)

// Flags of a version 4 chunked layout.
const (
	chunkPartialUnfiltered = 1 // chunks that reach over the edge are stored without filters
	chunkSingleFiltered    = 2 // the only chunk has a size and a mask of filters
)

// chunkLayout is how a dataset is cut into chunks of equal shape.
type chunkLayout struct {
	dims     []uint64 // shape of a chunk
	elemSize uint64
	index    uint8
	flags    uint8
	single   span   // size of the only chunk, if filtered
	mask     uint32 // filters not applied to the only chunk

	bytes  uint64   // of an unfiltered chunk
	counts []uint64 // chunks along each dimension
	total  uint64   // chunks
}

// read reads the chunk's shape of rank-1 sizes of width bytes, then the element's size.
func (l *chunkLayout) read(c *cursor, rank, width int) {
	if c.err == nil && (rank < 2 || rank > maxRank+1) {
		c.err = malformed("chunks of rank %d", rank-1)
	}
	if c.err != nil {
		return
	}
	l.dims = make([]uint64, rank-1)
	for i := range l.dims {
		l.dims[i] = c.uint(width)
	}
	l.elemSize = c.uint(width)
}

// read4 reads the rest of a version 4 layout message and returns the address of the index.
func (l *chunkLayout) read4(c *cursor) uint64 {
	l.flags = c.u8()
	rank, width := int(c.u8()), int(c.u8())
	if c.err == nil && (width < 1 || width > 8) {
		c.err = malformed("chunk sizes of %d bytes", width)
	}
	l.read(c, rank, width)
	l.index = c.u8()
	switch l.index {
	case indexSingle:
		if l.flags&chunkSingleFiltered != 0 {
			l.single.size = c.length()
			l.mask = c.u32()
		}
	case indexImplicit:
	case indexFixed:
		c.skip(1) // the index repeats its parameters
	case indexExtensible:
		c.skip(5)
	case indexBTree2:
		c.skip(6)
	default:
		if c.err == nil {
			c.err = unsupported("chunk index %d", l.index)
		}
	}
	return c.offset()
}

// check compares the chunks with the values that they are to hold, and counts them.
func (l *chunkLayout) check(v *values) error {
	if len(l.dims) != len(v.space.dims) || l.elemSize != uint64(v.typ.Size) {
		return malformed("chunks %d of elements of %d bytes in a dataset %d of %d", l.dims, l.elemSize, v.space.dims, v.typ.Size)
	}
	l.counts = make([]uint64, len(l.dims))
	for i, d := range l.dims {
		if d == 0 {
			return malformed("empty chunks")
		}
		l.counts[i] = chunksAlong(v.space.dims[i], d)
	}
	var ok1, ok2, ok3 bool
	l.bytes, ok1 = product(append([]uint64{l.elemSize}, l.dims...)...)
	l.total, ok2 = product(l.counts...)
	_, ok3 = product(l.bytes, l.total)
	if !ok1 || !ok2 || !ok3 {
		return overLimit("chunks of shape %d", l.dims)
	}
	return nil
}

func chunksAlong(size, chunk uint64) uint64 {
	if size == 0 {
		return 0
	}
	return (size-1)/chunk + 1
}

// chunkReader copies the chunks of a dataset to their places in out.
type chunkReader struct {
	*chunkLayout
	d       *Dataset
	f       *File
	w       *walk
	out     []byte
	filters *pipeline
	placed  uint64
	scaled  []uint64 // position of the chunk in work, counted in chunks
	order   []int    // dimensions from slowest to fastest, in the numbering of chunks
	along   []uint64 // chunks along each dimension at its greatest size
}

func (d *Dataset) readChunks(out []byte) error {
	l := &d.layout.chunks
	if err := d.object.f.checkLimit(l.bytes * l.total); err != nil {
		return err
	}
	rank := len(l.dims)
	r := &chunkReader{chunkLayout: l, d: d, f: d.object.f, w: d.object.f.newWalk(), out: out,
		filters: newPipeline(d.filters), scaled: make([]uint64, rank)}
	r.number()
	addr := d.layout.addr
	switch l.index {
	case indexBTree1:
		return r.btree1(addr)
	case indexSingle:
		if l.total != 1 {
			return malformed("%d chunks instead of one", l.total)
		}
		size := l.bytes
		if l.flags&chunkSingleFiltered != 0 {
			size = l.single.size
		}
		return r.place(addr, size, l.mask)
	case indexImplicit:
		return r.implicit(addr)
	case indexFixed:
		return r.fixedArray(addr)
	case indexExtensible:
		return r.extensibleArray(addr)
	}
	return r.btree2(addr)
}

// number sets how chunks are numbered: in row-major order of the greatest shape, except that an extensible array has
// the only unlimited dimension as the slowest.
func (r *chunkReader) number() {
	limits := r.d.space.max
	if limits == nil {
		limits = r.d.space.dims
	}
	for i, m := range limits {
		r.along = append(r.along, chunksAlong(m, r.dims[i]))
		if m == undefined && r.index == indexExtensible {
			r.order = append([]int{i}, r.order...)
		} else {
			r.order = append(r.order, i)
		}
	}
}

// placeNumbered is place for the chunk of a number.
func (r *chunkReader) placeNumbered(n, addr, size uint64, mask uint32) error {
	for i := len(r.order) - 1; i > 0; i-- {
		d := r.order[i]
		r.scaled[d] = n % r.along[d]
		n /= r.along[d]
	}
	r.scaled[r.order[0]] = n
	return r.place(addr, size, mask)
}

// place reads the chunk at addr and copies it to its place, r.scaled. Chunks outside of the dataset are passed over: they are
// left from when it was larger, or not yet in use.
func (r *chunkReader) place(addr, size uint64, mask uint32) error {
	partial := false
	for i, s := range r.scaled {
		if s >= r.counts[i] {
			return nil
		}
		partial = partial || (s+1)*r.dims[i] > r.d.space.dims[i]
	}
	if addr == undefined {
		return nil
	}
	if r.placed++; r.placed > r.total {
		return malformed("more than %d", r.total)
	}
	if err := r.w.enter(addr, size); err != nil {
		return err
	}
	b, err := r.f.bytes(addr, size)
	if err != nil {
		return err
	}
	if !partial || r.flags&chunkPartialUnfiltered == 0 {
		const checksums = 64 // more bytes than the filters add
		if b, err = r.filters.revert(b, mask, int(r.bytes)+checksums); err != nil {
			return fmt.Errorf("chunk at %#x: %w", addr, err)
		}
	}
	if uint64(len(b)) != r.bytes {
		return malformed("chunk at %#x: %d bytes instead of %d", addr, len(b), r.bytes)
	}
	r.copy(b)
	return nil
}

// copy copies the part of chunk b that lies in the dataset, one run along the last dimension at a time.
func (r *chunkReader) copy(b []byte) {
	rank := len(r.dims)
	size := make([]uint64, rank) // shape of the part
	at := make([]uint64, rank)   // position in it
	rows := uint64(1)
	for i, d := range r.dims {
		size[i] = min(d, r.d.space.dims[i]-r.scaled[i]*d)
		if i < rank-1 {
			rows *= size[i]
		}
	}
	run := size[rank-1] * r.elemSize
	for range rows {
		from, to := uint64(0), uint64(0)
		for i, d := range r.dims {
			from = from*d + at[i]
			to = to*r.d.space.dims[i] + r.scaled[i]*d + at[i]
		}
		from, to = from*r.elemSize, to*r.elemSize
		copy(r.out[to:to+run], b[from:from+run])
		for i := rank - 2; i >= 0; i-- {
			if at[i]++; at[i] < size[i] {
				break
			}
			at[i] = 0
		}
	}
}

// btree1 places the chunks of a version 1 B-tree.
func (r *chunkReader) btree1(addr uint64) error {
	keySize := 8 + 8*(len(r.dims)+1)
	return r.f.btree1(addr, tree1Chunk, keySize, func(key []byte, child uint64) error {
		c := r.f.cursor(key)
		size, mask := uint64(c.u32()), c.u32()
		for i, d := range r.dims {
			at := c.u64()
			if at%d != 0 {
				return malformed("chunk of size %d at %d", d, at)
			}
			r.scaled[i] = at / d
		}
		return r.place(child, size, mask)
	})
}

// btree2 places the chunks of a version 2 B-tree.
func (r *chunkReader) btree2(addr uint64) error {
	kind := uint8(tree2Chunk)
	if len(r.d.filters) > 0 {
		kind = tree2ChunkFiltered
	}
	return r.f.btree2(addr, kind, func(record []byte) error {
		c := r.f.cursor(record)
		position := 8 * len(r.dims)
		at, size, mask := r.entry(c, len(record)-position)
		for i := range r.scaled {
			r.scaled[i] = c.u64()
		}
		if c.err != nil {
			return c.err
		}
		return r.place(at, size, mask)
	})
}

// entry reads the address of a chunk and, if the dataset has filters, its size and mask from n bytes.
func (r *chunkReader) entry(c *cursor, n int) (addr, size uint64, mask uint32) {
	addr = c.offset()
	if len(r.d.filters) == 0 {
		return addr, r.bytes, 0
	}
	const maskSize = 4
	width := n - r.f.offsetSize - maskSize
	if c.err == nil && (width < 1 || width > 8) {
		c.err = malformed("chunk entry of %d bytes", n)
		return 0, 0, 0
	}
	return addr, c.uint(width), c.u32()
}

// implicit places chunks that follow each other in the file.
func (r *chunkReader) implicit(addr uint64) error {
	last := uint64(0)
	for i, d := range r.order {
		if i > 0 {
			var ok bool
			if last, ok = product(last, r.along[d]); !ok {
				return malformed("numbers of chunks")
			}
		}
		last += r.counts[d] - 1
	}
	if most := r.f.size / r.bytes; last >= most {
		return malformed("chunk %d lies beyond the end of the file", last)
	}
	for n := range last + 1 {
		if err := r.placeNumbered(n, addr+n*r.bytes, r.bytes, 0); err != nil {
			return err
		}
	}
	return nil
}
