package hdf5

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
)

// WriteTo writes the file to w and returns the number of bytes written. The same content gives the same bytes. The file
// has the oldest form there is (superblock version 0, symbol tables, contiguous values), which every HDF5 library reads.
func (b *Builder) WriteTo(w io.Writer) (int64, error) {
	if b.err != nil {
		return 0, b.err
	}
	p := &plan{end: superblockSize, references: map[*payload][]byte{}}
	p.collect(b.root)
	p.flushStrings()
	root, err := p.group(b.root)
	if err != nil {
		return 0, fmt.Errorf("hdf5: %w", err)
	}
	return p.write(w, encodeSuperblock(p.end, root))
}

// plan is the file after the superblock, as pieces in order. Every piece starts at a multiple of eight bytes and is
// added after those it points to.
type plan struct {
	end        uint64
	pieces     [][]byte
	strings    []*payload // strings of the collection being filled
	stringSize uint64
	references map[*payload][]byte // encoded references to strings
}

// groupPlace is where the parts of a group are.
type groupPlace struct{ header, tree, heap uint64 }

// add appends a piece and returns its address.
func (p *plan) add(b []byte) uint64 {
	at := p.end
	p.pieces = append(p.pieces, b)
	p.end += align8(uint64(len(b)))
	return at
}

// collect adds the strings of variable length of a group and all below it.
func (p *plan) collect(g *GroupBuilder) {
	p.collectStrings(g.attrs, nil)
	for _, name := range slices.Sorted(maps.Keys(g.datasets)) {
		d := g.datasets[name]
		p.collectStrings(d.attrs, d.data)
	}
	for _, name := range slices.Sorted(maps.Keys(g.groups)) {
		p.collect(g.groups[name])
	}
}

func (p *plan) collectStrings(attrs []namedPayload, data *payload) {
	if data != nil {
		p.collectString(data)
	}
	for _, a := range attrs {
		p.collectString(a.payload)
	}
}

// collectString adds one string; a collection takes as many as fit in its least size, or one that does not.
func (p *plan) collectString(v *payload) {
	if v.text == nil {
		return
	}
	if *v.text == "" {
		p.references[v] = make([]byte, referenceSize)
		return
	}
	size := heapObjectHead + align8(uint64(len(*v.text)))
	if len(p.strings) > 0 && collectionHead+p.stringSize+size > minCollection {
		p.flushStrings()
	}
	p.strings = append(p.strings, v)
	p.stringSize += size
}

// flushStrings adds the collection being filled.
func (p *plan) flushStrings() {
	if len(p.strings) == 0 {
		return
	}
	texts := make([]string, len(p.strings))
	for i, v := range p.strings {
		texts[i] = *v.text
		p.references[v] = encodeReference(len(*v.text), p.end, i+1)
	}
	p.add(encodeCollection(texts))
	p.strings, p.stringSize = nil, 0
}

// group adds a group and all below it.
func (p *plan) group(g *GroupBuilder) (groupPlace, error) {
	headers := map[string]uint64{}
	for _, name := range slices.Sorted(maps.Keys(g.datasets)) {
		at, err := p.dataset(g.datasets[name])
		if err != nil {
			return groupPlace{}, err
		}
		headers[name] = at
	}
	for _, name := range slices.Sorted(maps.Keys(g.groups)) {
		at, err := p.group(g.groups[name])
		if err != nil {
			return groupPlace{}, err
		}
		headers[name] = at.header
	}
	place := p.links(headers)
	msgs := []message{{kind: msgSymbolTable, body: encodeSymbolTable(place.tree, place.heap)}}
	var err error
	place.header, err = p.header(&g.node, msgs)
	return place, err
}

// dataset adds a dataset and returns the address of its header.
func (p *plan) dataset(d *DatasetBuilder) (uint64, error) {
	at, data := uint64(undefined), p.encode(d.data)
	if len(data) > 0 {
		at = p.add(data)
	}
	return p.header(&d.node, []message{
		{kind: msgDataspace, body: encodeDataspace(d.data.shape)},
		{kind: msgDatatype, body: d.data.typ},
		{kind: msgFill, body: encodeFill()},
		{kind: msgLayout, body: encodeLayout(at, uint64(len(data)))},
	})
}

// header adds an object header with the messages and the node's attributes, and returns its address.
func (p *plan) header(n *node, msgs []message) (uint64, error) {
	for _, a := range n.attrs {
		body := encodeAttribute(a.name, a.payload, p.encode(a.payload))
		if len(body) > maxMessage {
			return 0, fmt.Errorf("%s: attribute %q: %w", n.path, a.name,
				overLimit("%d bytes; an attribute holds less than 64 KiB", len(body)))
		}
		msgs = append(msgs, message{kind: msgAttribute, body: body})
	}
	b, err := encodeHeader(msgs)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", n.path, err)
	}
	return p.add(b), nil
}

// encode returns the values as stored.
func (p *plan) encode(v *payload) []byte {
	if v.text != nil {
		return p.references[v]
	}
	return v.data
}

// links adds the names, symbol table nodes and B-tree of a group whose objects have the given headers.
func (p *plan) links(headers map[string]uint64) groupPlace {
	names := slices.Sorted(maps.Keys(headers))
	heap := &encoder{b: make([]byte, 8)} // the empty name at 0
	var symbols []symbol
	for _, name := range names {
		symbols = append(symbols, symbol{uint64(len(heap.b)), headers[name]})
		heap.string(name)
		heap.bytes(0)
		heap.align()
	}
	data := p.add(heap.b)
	place := groupPlace{heap: p.add(encodeLocalHeap(uint64(len(heap.b)), data))}
	var children []treeEntry
	for part := range slices.Chunk(symbols, 2*leafK) {
		children = append(children, treeEntry{p.add(encodeSymbolNode(part)), part[len(part)-1].name})
	}
	for level := 0; ; level++ {
		children = p.treeLevel(level, children)
		if len(children) == 1 {
			place.tree = children[0].addr
			return place
		}
	}
}

// treeLevel adds the B-tree nodes above the given children and returns them as children of the next level.
func (p *plan) treeLevel(level int, children []treeEntry) []treeEntry {
	if len(children) == 0 {
		return []treeEntry{{addr: p.add(encodeTreeNode(level, undefined, undefined, 0, nil))}}
	}
	var nodes []treeEntry
	left, before := uint64(undefined), uint64(0)
	for len(children) > 0 {
		n := min(len(children), 2*internalK)
		right := uint64(undefined)
		if n < len(children) {
			right = p.end + treeNodeSize
		}
		last := children[n-1].last
		at := p.add(encodeTreeNode(level, left, right, before, children[:n]))
		nodes = append(nodes, treeEntry{at, last})
		left, before = at, last
		children = children[n:]
	}
	return nodes
}

// write writes the superblock and all pieces. Large pieces go to w as they are, small ones are gathered.
func (p *plan) write(w io.Writer, superblock []byte) (int64, error) {
	const bufferSize = 1 << 16
	out := bufio.NewWriterSize(w, bufferSize)
	var n int64
	for _, b := range append([][]byte{superblock}, p.pieces...) {
		for _, part := range [][]byte{b, make([]byte, -len(b)&7)} {
			k, err := out.Write(part)
			n += int64(k)
			if err != nil {
				return n, err
			}
		}
	}
	return n, out.Flush()
}
