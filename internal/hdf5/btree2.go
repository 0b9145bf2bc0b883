package hdf5

// Record types of version 2 B-trees.
const (
	tree2HugeObject     = 1
	tree2LinkName       = 5
	tree2AttrName       = 8
	tree2Chunk          = 10
	tree2ChunkFiltered  = 11
	tree2MaxDepth       = 16
	tree2NodeOverhead   = 4 + 1 + 1 + 4 // signature, version, type, checksum
	tree2SmallestRecord = 5
)

// tree2 is a version 2 B-tree in a walk.
type tree2 struct {
	f          *File
	w          *walk
	kind       uint8
	nodeSize   uint64
	recordSize uint64
	countSize  int   // bytes of the number of records in a child
	totalSizes []int // bytes of the number of records below a node, by its depth; leaves have depth 0
	visit      func(record []byte) error
}

// btree2 walks the version 2 B-tree with its header at addr and calls visit for each record, in order.
func (f *File) btree2(addr uint64, kind uint8, visit func(record []byte) error) error {
	w := f.newWalk()
	b, err := f.checked(w, "BTHD", addr, uint64(4+1+1+4+2+2+1+1+f.offsetSize+2+f.lengthSize+4))
	if err != nil {
		return err
	}
	c := f.cursor(b)
	c.expect("B-tree version", 0)
	if got := c.u8(); c.err == nil && got != kind {
		return malformed("B-tree at %#x has records of type %d instead of %d", addr, got, kind)
	}
	t := tree2{f: f, w: w, kind: kind, visit: visit}
	t.nodeSize, t.recordSize = uint64(c.u32()), uint64(c.u16())
	depth := int(c.u16())
	c.skip(2) // split and merge percentages
	root, records := c.offset(), uint64(c.u16())
	if c.err != nil {
		return c.err
	}
	if records == 0 {
		return nil
	}
	if depth > tree2MaxDepth || t.recordSize < tree2SmallestRecord || t.nodeSize < tree2NodeOverhead+t.recordSize {
		return malformed("B-tree at %#x: depth %d, nodes of %d bytes, records of %d", addr, depth, t.nodeSize, t.recordSize)
	}
	if !t.measure(depth) {
		return malformed("B-tree at %#x: %d levels of nodes of %d bytes", addr, depth, t.nodeSize)
	}
	return t.node(root, records, depth)
}

// measure computes the widths of the counts in nodes down from a depth (H5B2__hdr_init).
func (t *tree2) measure(depth int) bool {
	perLeaf := (t.nodeSize - tree2NodeOverhead) / t.recordSize
	t.countSize = encodedSize(perLeaf)
	t.totalSizes = []int{0}
	total := perLeaf
	for d := 1; d <= depth; d++ {
		pointer := t.pointerSize(d)
		if t.nodeSize < tree2NodeOverhead+pointer {
			return false
		}
		perNode := (t.nodeSize - tree2NodeOverhead - pointer) / (t.recordSize + pointer)
		below, ok := product(perNode+1, total)
		if !ok || perNode == 0 {
			return false
		}
		total = below + perNode
		t.totalSizes = append(t.totalSizes, encodedSize(total))
	}
	return true
}

// pointerSize is the number of bytes of a pointer from a node at a depth to its child.
func (t *tree2) pointerSize(depth int) uint64 {
	return uint64(t.f.offsetSize + t.countSize + t.totalSizes[depth-1])
}

// node visits the records at and below a node.
func (t *tree2) node(addr, records uint64, depth int) error {
	sig, size := "BTLF", tree2NodeOverhead+records*t.recordSize
	if depth > 0 {
		sig, size = "BTIN", size+(records+1)*t.pointerSize(depth)
	}
	if size > t.nodeSize {
		return malformed("B-tree node at %#x: %d records in %d bytes", addr, records, t.nodeSize)
	}
	// The checksum follows the last field in use; the rest of the node is void.
	b, err := t.f.checked(t.w, sig, addr, size)
	if err != nil {
		return err
	}
	c := t.f.cursor(b)
	c.expect("B-tree node version", 0)
	if kind := c.u8(); kind != t.kind {
		return malformed("B-tree node at %#x has type %d", addr, kind)
	}
	data := c.take(records * t.recordSize)
	for i := uint64(0); ; i++ {
		if depth > 0 {
			child, n := c.offset(), c.uint(t.countSize)
			c.skip(t.totalSizes[depth-1])
			if c.err != nil {
				return c.err
			}
			if err := t.node(child, n, depth-1); err != nil {
				return err
			}
		}
		if i == records {
			return nil
		}
		if err := t.visit(data[i*t.recordSize:][:t.recordSize]); err != nil {
			return err
		}
	}
}
