package hdf5

// Node types of version 1 B-trees.
const (
	tree1Group = 0
	tree1Chunk = 1
)

// btree1 walks a version 1 B-tree from the node at addr in key order and calls leaf for each entry of level 0 with its
// left key and the child's address. Keys are of keySize bytes.
func (f *File) btree1(addr uint64, kind uint8, keySize int, leaf func(key []byte, child uint64) error) error {
	const anyLevel = 256
	return f.btree1Node(f.newWalk(), addr, kind, keySize, anyLevel, leaf)
}

// btree1Node walks the node at addr, whose level must be below the given one.
func (f *File) btree1Node(w *walk, addr uint64, kind uint8, keySize, below int, leaf func([]byte, uint64) error) error {
	head := uint64(8 + 2*f.offsetSize)
	b, err := f.block(w, "TREE", addr, head)
	if err != nil {
		return err
	}
	nodeKind, level, used := b[4], int(b[5]), littleUint(b[6:8])
	if nodeKind != kind || level >= below {
		return malformed("B-tree node at %#x: type %d, level %d", addr, nodeKind, level)
	}
	if below <= 255 && level != below-1 {
		return malformed("B-tree node at %#x: level %d under level %d", addr, level, below)
	}
	if b, err = f.block(w, "", addr+head, used*uint64(keySize+f.offsetSize)); err != nil {
		return err
	}
	for c := f.cursor(b); len(c.b) > 0; {
		key, child := c.take(uint64(keySize)), c.offset()
		if level == 0 {
			err = leaf(key, child)
		} else {
			err = f.btree1Node(w, child, kind, keySize, level, leaf)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
