package hdf5

import "encoding/binary"

// The writer's choices: offsets and lengths of eight bytes, and the node sizes of libhdf5's defaults.
const (
	maxMessage      = 1<<16 - 8 // bytes of a header message
	referenceSize   = 16        // bytes of a reference to a string in the global heap
	superblockSize  = 96
	leafK           = 4  // a symbol table node has at most 2*leafK entries
	internalK       = 16 // a B-tree node has at most 2*internalK children
	symbolSize      = 40
	symbolNodeSize  = 8 + 2*leafK*symbolSize
	treeNodeSize    = 24 + 2*internalK*8 + (2*internalK+1)*8
	minCollection   = 4096 // bytes of a global heap collection
	collectionHead  = 16
	heapObjectHead  = 16
	utf8Charset     = 1
	cacheNothing    = 0
	cacheSymbolNode = 1
)

// encoder appends little-endian fields.
type encoder struct{ b []byte }

func (e *encoder) bytes(b ...byte) { e.b = append(e.b, b...) }
func (e *encoder) string(s string) { e.b = append(e.b, s...) }
func (e *encoder) u16(v int)       { e.b = binary.LittleEndian.AppendUint16(e.b, uint16(v)) }
func (e *encoder) u32(v uint64)    { e.b = binary.LittleEndian.AppendUint32(e.b, uint32(v)) }
func (e *encoder) u64(v uint64)    { e.b = binary.LittleEndian.AppendUint64(e.b, v) }

// pad appends zeros up to a length.
func (e *encoder) pad(n int) { e.b = append(e.b, make([]byte, n-len(e.b))...) }

// align appends zeros up to a multiple of eight bytes.
func (e *encoder) align() { e.pad(align8(len(e.b))) }

func align8[T int | uint64](n T) T { return (n + 7) &^ 7 }

// encodeDatatype is the datatype message (version 1) of a type other than ClassOther.
func encodeDatatype(t Type) []byte {
	const version, implied = 1 << 4, 0x20
	e := &encoder{}
	head := func(class byte, b0, b1, b2 byte) {
		e.bytes(version|class, b0, b1, b2)
		e.u32(uint64(t.Size))
	}
	switch t.Class {
	case ClassInt, ClassUint:
		const signed = 8
		if t.Class == ClassInt {
			head(dtFixed, signed, 0, 0)
		} else {
			head(dtFixed, 0, 0, 0)
		}
		e.u16(0)
		e.u16(8 * t.Size)
	case ClassFloat:
		l := floatLayoutOf(t)
		head(dtFloat, implied, l.sign, 0)
		e.u16(0)
		e.u16(8 * t.Size)
		e.bytes(l.expAt, l.expBits, l.manAt, l.manBs)
		e.u32(uint64(l.bias))
	case ClassBool:
		const members = 2
		head(dtEnum, members, 0, 0)
		e.bytes(encodeDatatype(Type{Class: ClassInt, Size: 1})...)
		e.string("FALSE\x00\x00\x00TRUE\x00\x00\x00\x00")
		e.bytes(0, 1)
	case ClassString:
		head(dtString, t.padding, 0, 0)
	case ClassVarString:
		const isString = 1
		head(dtVarLen, isString, utf8Charset, 0)
		e.bytes(encodeDatatype(Type{Class: ClassUint, Size: 1})...)
	case ClassOpaque:
		head(dtOpaque, 0, 0, 0)
	}
	return e.b
}

func floatLayoutOf(t Type) floatLayout {
	for l, class := range floatLayouts {
		if class == t.Class && l.size == t.Size {
			return l
		}
	}
	return floatLayout{}
}

// encodeDataspace is the dataspace message (version 1) of a shape.
func encodeDataspace(shape []int) []byte {
	e := &encoder{}
	e.bytes(1, byte(len(shape)), 0, 0, 0, 0, 0, 0)
	for _, d := range shape {
		e.u64(uint64(d))
	}
	return e.b
}

// encodeAttribute is the attribute message (version 1) of a payload with the encoded values data.
func encodeAttribute(name string, p *payload, data []byte) []byte {
	space := encodeDataspace(p.shape)
	e := &encoder{}
	e.bytes(1, 0)
	e.u16(len(name) + 1)
	e.u16(len(p.typ))
	e.u16(len(space))
	for _, part := range [][]byte{append([]byte(name), 0), p.typ, space, data} {
		e.bytes(part...)
		e.align()
	}
	return e.b
}

// encodeLayout is the layout message (version 3) of contiguous values.
func encodeLayout(addr, size uint64) []byte {
	e := &encoder{}
	e.bytes(3, layoutContiguous)
	e.u64(addr)
	e.u64(size)
	return e.b
}

// encodeFill is the fill value message (version 2) of zeros: allocated late, written if set, default value.
func encodeFill() []byte { return []byte{2, 2, 2, 1, 0, 0, 0, 0} }

// encodeSymbolTable is the message that makes an object header one of a group.
func encodeSymbolTable(tree, heap uint64) []byte {
	e := &encoder{}
	e.u64(tree)
	e.u64(heap)
	return e.b
}

// encodeHeader is an object header (version 1) with the messages in one block.
func encodeHeader(msgs []message) ([]byte, error) {
	const constant = 1 // flag of messages that do not change
	body := &encoder{}
	for _, m := range msgs {
		n := align8(len(m.body))
		if n > maxMessage {
			return nil, overLimit("header message of %d bytes; at most %d are possible", n, maxMessage)
		}
		flags := byte(0)
		if m.kind == msgDatatype || m.kind == msgFill {
			flags = constant
		}
		body.u16(int(m.kind))
		body.u16(n)
		body.bytes(flags, 0, 0, 0)
		body.bytes(m.body...)
		body.align()
	}
	if len(msgs) > 1<<16-1 || len(body.b) > 1<<30 {
		return nil, overLimit("%d header messages of %d bytes", len(msgs), len(body.b))
	}
	e := &encoder{}
	e.bytes(1, 0)
	e.u16(len(msgs))
	e.u32(1) // references
	e.u32(uint64(len(body.b)))
	e.align()
	e.bytes(body.b...)
	return e.b, nil
}

// symbol is an entry of a symbol table node.
type symbol struct{ name, header uint64 }

// encodeSymbolNode is a symbol table node.
func encodeSymbolNode(symbols []symbol) []byte {
	e := &encoder{}
	e.string("SNOD")
	e.bytes(1, 0)
	e.u16(len(symbols))
	for _, s := range symbols {
		e.symbol(s, cacheNothing, 0, 0)
	}
	e.pad(symbolNodeSize)
	return e.b
}

// symbol appends an entry, for a group perhaps with the addresses of its B-tree and local heap.
func (e *encoder) symbol(s symbol, cache, tree, heap uint64) {
	e.u64(s.name)
	e.u64(s.header)
	e.u32(cache)
	e.u32(0)
	e.u64(tree)
	e.u64(heap)
}

// treeEntry is a child of a B-tree node; last is the offset of the greatest name in it.
type treeEntry struct{ addr, last uint64 }

// encodeTreeNode is a group's B-tree node (version 1); before is the offset of the last name left of it.
func encodeTreeNode(level int, left, right, before uint64, children []treeEntry) []byte {
	e := &encoder{}
	e.string("TREE")
	e.bytes(tree1Group, byte(level))
	e.u16(len(children))
	e.u64(left)
	e.u64(right)
	e.u64(before)
	for _, c := range children {
		e.u64(c.addr)
		e.u64(c.last)
	}
	e.pad(treeNodeSize)
	return e.b
}

// encodeLocalHeap is the head of a local heap, of which the data follow.
func encodeLocalHeap(size, data uint64) []byte {
	const noFreeSpace = 1
	e := &encoder{}
	e.string("HEAP")
	e.bytes(0, 0, 0, 0)
	e.u64(size)
	e.u64(noFreeSpace)
	e.u64(data)
	return e.b
}

// encodeCollection is a global heap collection of strings, numbered from 1.
func encodeCollection(objects []string) []byte {
	e := &encoder{}
	e.string("GCOL")
	e.bytes(1, 0, 0, 0)
	e.u64(collectionSize(objects))
	for i, s := range objects {
		e.u16(i + 1)
		e.u16(1) // references
		e.u32(0)
		e.u64(uint64(len(s)))
		e.string(s)
		e.align()
	}
	if free := minCollection - len(e.b); free >= heapObjectHead {
		e.u64(0)
		e.u64(uint64(free))
	}
	if len(e.b) < minCollection {
		e.pad(minCollection)
	}
	return e.b
}

func collectionSize(objects []string) uint64 {
	n := uint64(collectionHead)
	for _, s := range objects {
		n += heapObjectHead + align8(uint64(len(s)))
	}
	return max(n, minCollection)
}

// encodeReference is a reference to a string in the global heap.
func encodeReference(size int, collection uint64, index int) []byte {
	e := &encoder{}
	e.u32(uint64(size))
	e.u64(collection)
	e.u32(uint64(index))
	return e.b
}

// encodeSuperblock is the superblock (version 0) of a file that ends at end.
func encodeSuperblock(end uint64, root groupPlace) []byte {
	e := &encoder{}
	e.string(signature)
	e.bytes(0, 0, 0, 0, 0, 8, 8, 0)
	e.u16(leafK)
	e.u16(internalK)
	e.u32(0)
	e.u64(0)         // base address
	e.u64(undefined) // free space
	e.u64(end)
	e.u64(undefined) // driver information
	e.symbol(symbol{0, root.header}, cacheSymbolNode, root.tree, root.heap)
	return e.b
}
