package hdf5

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

const (
	maxSteps = 1024    // links followed for one path, those of soft links included
	maxName  = 1 << 14 // bytes of a link's name
)

// Object is a *Group or a *Dataset.
type Object interface {
	// Path is the path by which the object was opened.
	Path() string
	// AttrNames returns the names of the attributes in lexical order.
	AttrNames() ([]string, error)
	// HasAttr tells whether there is an attribute of that name; it is false too if the attributes cannot be read.
	HasAttr(name string) bool
	// Attr returns the attribute of that name, or an error wrapping fs.ErrNotExist.
	Attr(name string) (*Attribute, error)
}

// object is what groups and datasets have in common.
type object struct {
	f    *File
	path string
	msgs []message
}

// Path is the path by which the object was opened.
func (o *object) Path() string { return o.path }

func (o *object) wrap(err error) error { return fmt.Errorf("hdf5: %s: %w", o.path, err) }

// link is an entry of a group: a hard link to the object header at addr, a soft link to the path target, or, if both
// are unset, a link of another kind.
type link struct {
	hard   bool
	addr   uint64
	target string
}

// Group is a group with its links, which are read when it is opened.
type Group struct {
	object
	names []string
	links map[string]link
}

// Names returns the names of the group's links in lexical order.
func (g *Group) Names() []string { return append([]string{}, g.names...) }

// Has tells whether the group has a link of that name; what it leads to may still be missing.
func (g *Group) Has(name string) bool {
	_, ok := g.links[name]
	return ok
}

// Open returns the object at a path from this group, or from the root if it starts with "/". Soft links are followed.
// The error wraps fs.ErrNotExist if a part of the path is missing.
func (g *Group) Open(path string) (Object, error) {
	steps := 0
	o, err := g.resolve(path, &steps)
	if err != nil {
		return nil, g.wrap(fmt.Errorf("open %q: %w", path, err))
	}
	return o, nil
}

// Group is Open for a group; another object gives an error wrapping tensor.ErrType.
func (g *Group) Group(path string) (*Group, error) {
	o, err := g.Open(path)
	if err != nil {
		return nil, err
	}
	if sub, ok := o.(*Group); ok {
		return sub, nil
	}
	return nil, g.wrap(wrongType("%q is no group", path))
}

// Dataset is Open for a dataset; another object gives an error wrapping tensor.ErrType.
func (g *Group) Dataset(path string) (*Dataset, error) {
	o, err := g.Open(path)
	if err != nil {
		return nil, err
	}
	if d, ok := o.(*Dataset); ok {
		return d, nil
	}
	return nil, g.wrap(wrongType("%q is no dataset", path))
}

func (g *Group) resolve(path string, steps *int) (Object, error) {
	var at Object = g
	if strings.HasPrefix(path, "/") {
		at = g.f.root
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." {
			continue
		}
		if *steps++; *steps > maxSteps {
			return nil, overLimit("more than %d links to follow", maxSteps)
		}
		sub, ok := at.(*Group)
		if !ok {
			return nil, fmt.Errorf("%s is no group: %w", at.Path(), fs.ErrNotExist)
		}
		var err error
		if at, err = sub.follow(part, steps); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// follow returns the object at the end of a link of the group.
func (g *Group) follow(name string, steps *int) (Object, error) {
	l, ok := g.links[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is not in %s: %w", name, g.path, fs.ErrNotExist)
	case l.hard:
		o, err := g.f.openObject(l.addr, join(g.path, name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", join(g.path, name), err)
		}
		return o, nil
	case l.target != "":
		return g.resolve(l.target, steps)
	}
	return nil, unsupported("%q is neither a hard nor a soft link", name)
}

func join(dir, name string) string { return strings.TrimSuffix(dir, "/") + "/" + name }

// openObject reads the object header at addr.
func (f *File) openObject(addr uint64, path string) (Object, error) {
	msgs, err := f.readHeader(addr)
	if err != nil {
		return nil, err
	}
	o := object{f, path, msgs}
	for _, m := range msgs {
		switch m.kind {
		case msgLayout:
			return newDataset(o)
		case msgSymbolTable, msgLinkInfo, msgLink, msgGroupInfo:
			return newGroup(o)
		}
	}
	return nil, unsupported("object that is neither group nor dataset")
}

func newGroup(o object) (*Group, error) {
	g := &Group{object: o, names: []string{}, links: map[string]link{}}
	if err := g.readLinks(); err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	slices.Sort(g.names)
	return g, nil
}

func (g *Group) add(name string, l link) error {
	if name == "" || len(name) > maxName || strings.ContainsAny(name, "/\x00") {
		return malformed("link name %.40q of %d bytes", name, len(name))
	}
	if g.Has(name) {
		return malformed("two links named %.40q", name)
	}
	g.names = append(g.names, name)
	g.links[name] = l
	return nil
}

// readLinks reads the links from wherever the group keeps them: a symbol table, link messages or a fractal heap.
func (g *Group) readLinks() error {
	for _, m := range g.msgs {
		var err error
		switch m.kind {
		case msgSymbolTable:
			err = g.readSymbolTable(m.body)
		case msgLink:
			if m.flags&msgFlagShared != 0 {
				return unsupported("shared link message")
			}
			err = g.readLink(m.body)
		case msgLinkInfo:
			err = g.readDenseLinks(m.body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readLink reads a link message.
func (g *Group) readLink(b []byte) error {
	const hasOrder, hasKind, hasCharset = 0x04, 0x08, 0x10
	const hard, soft = 0, 1
	c := g.f.cursor(b)
	c.expect("link message version", 1)
	flags := c.u8()
	kind := uint8(hard)
	if flags&hasKind != 0 {
		kind = c.u8()
	}
	if flags&hasOrder != 0 {
		c.skip(8)
	}
	if flags&hasCharset != 0 {
		c.skip(1)
	}
	name := string(c.take(c.uint(1 << (flags & 3))))
	var l link
	switch kind {
	case hard:
		l = link{hard: true, addr: c.offset()}
	case soft:
		l.target = string(c.take(uint64(c.u16())))
	}
	if c.err != nil {
		return c.err
	}
	return g.add(name, l)
}

// readDenseLinks reads the links that a link info message points to, if any.
func (g *Group) readDenseLinks(b []byte) error {
	const hasOrder = 1
	c := g.f.cursor(b)
	c.expect("link info version", 0)
	if c.u8()&hasOrder != 0 {
		c.skip(8)
	}
	heap, index := c.offset(), c.offset()
	if c.err != nil || heap == undefined {
		return c.err
	}
	const hashSize = 4
	return g.f.dense(heap, index, tree2LinkName, func(record []byte) []byte { return record[hashSize:] },
		func(object, _ []byte) error { return g.readLink(object) })
}

// readSymbolTable reads the links of an old-style group.
func (g *Group) readSymbolTable(b []byte) error {
	c := g.f.cursor(b)
	tree, heapAddr := c.offset(), c.offset()
	if c.err != nil {
		return c.err
	}
	names, err := g.f.localHeap(heapAddr)
	if err != nil {
		return fmt.Errorf("local heap: %w", err)
	}
	w := g.f.newWalk()
	return g.f.btree1(tree, tree1Group, g.f.lengthSize, func(_ []byte, child uint64) error {
		return g.readSymbols(w, child, names)
	})
}

// readSymbols reads a symbol table node; names is the local heap.
func (g *Group) readSymbols(w *walk, addr uint64, names string) error {
	const softLink, scratch = 2, 16
	b, err := g.f.block(w, "SNOD", addr, 8)
	if err != nil {
		return err
	}
	entry := uint64(2*g.f.offsetSize + 8 + scratch)
	if b, err = g.f.block(w, "", addr+8, littleUint(b[6:8])*entry); err != nil {
		return err
	}
	for c := g.f.cursor(b); len(c.b) > 0; {
		nameAt := c.offset()
		l := link{hard: true, addr: c.offset()}
		cached := c.u32()
		c.skip(4)
		pad := g.f.cursor(c.take(scratch))
		name, err := heapString(names, nameAt)
		if err != nil {
			return err
		}
		if cached == softLink {
			l = link{}
			if l.target, err = heapString(names, uint64(pad.u32())); err != nil {
				return err
			}
		}
		if err := g.add(name, l); err != nil {
			return err
		}
	}
	return nil
}

// localHeap returns the data segment of the local heap at addr.
func (f *File) localHeap(addr uint64) (string, error) {
	w := f.newWalk()
	b, err := f.block(w, "HEAP", addr, uint64(8+2*f.lengthSize+f.offsetSize))
	if err != nil {
		return "", err
	}
	c := f.cursor(b)
	c.skip(4)
	c.expect("local heap version", 0)
	c.skip(3)
	size := c.length()
	c.length() // head of the free list
	data := c.offset()
	if c.err != nil {
		return "", c.err
	}
	b, err = f.block(w, "", data, size)
	return string(b), err
}

// heapString is the NUL-terminated string at an offset of a local heap.
func heapString(heap string, at uint64) (string, error) {
	if at >= uint64(len(heap)) {
		return "", malformed("name at %d of a local heap of %d bytes", at, len(heap))
	}
	s := heap[at:]
	end := strings.IndexByte(s[:min(len(s), maxName+1)], 0)
	if end < 0 {
		return "", malformed("name of more than %d bytes", maxName)
	}
	return s[:end], nil
}
