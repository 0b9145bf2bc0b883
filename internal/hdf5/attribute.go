package hdf5

import (
	"fmt"
	"io/fs"
	"slices"
)

// Attribute is a small array of values attached to a group or dataset.
type Attribute struct{ values }

// AttrNames returns the names of the object's attributes in lexical order.
func (o *object) AttrNames() ([]string, error) {
	names := []string{}
	err := o.eachAttribute(func(a encodedAttribute) error {
		names = append(names, a.name)
		return nil
	})
	if err != nil {
		return nil, o.wrap(fmt.Errorf("attributes: %w", err))
	}
	slices.Sort(names)
	return names, nil
}

// HasAttr tells whether the object has an attribute of that name; it is false too if the attributes cannot be read.
func (o *object) HasAttr(name string) bool {
	names, err := o.AttrNames()
	return err == nil && slices.Contains(names, name)
}

// Attr returns the attribute of that name, or an error wrapping fs.ErrNotExist.
func (o *object) Attr(name string) (*Attribute, error) {
	var found *Attribute
	err := o.eachAttribute(func(e encodedAttribute) (err error) {
		if e.name == name && found == nil {
			found, err = o.decodeAttribute(e)
		}
		return err
	})
	if err == nil && found == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, o.wrap(fmt.Errorf("attribute %q: %w", name, err))
	}
	return found, nil
}

// encodedAttribute is an attribute message of which the name is read, c is at its datatype.
type encodedAttribute struct {
	name           string
	c              *cursor
	typeSize       int
	spaceSize      int
	padded, shared bool
}

// eachAttribute calls fn for each attribute in the object header and in the fractal heap it may point to.
func (o *object) eachAttribute(fn func(encodedAttribute) error) error {
	visit := func(b []byte, shared bool) error {
		if shared {
			return unsupported("shared attribute message")
		}
		a, err := o.f.encodedAttribute(b)
		if err != nil {
			return err
		}
		return fn(a)
	}
	for _, m := range o.msgs {
		var err error
		switch m.kind {
		case msgAttribute:
			err = visit(m.body, m.flags&msgFlagShared != 0)
		case msgAttrInfo:
			err = o.denseAttributes(m.body, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// denseAttributes visits the attributes that an attribute info message points to, if any.
func (o *object) denseAttributes(b []byte, visit func(b []byte, shared bool) error) error {
	const hasOrder, idSize = 1, 8
	c := o.f.cursor(b)
	c.expect("attribute info version", 0)
	if c.u8()&hasOrder != 0 {
		c.skip(2)
	}
	heap, index := c.offset(), c.offset()
	if c.err != nil || heap == undefined {
		return c.err
	}
	return o.f.dense(heap, index, tree2AttrName, func(record []byte) []byte { return record[:min(idSize, len(record))] },
		func(object, record []byte) error {
			return visit(object, len(record) > idSize && record[idSize]&msgFlagShared != 0)
		})
}

// encodedAttribute reads an attribute message up to its name.
func (f *File) encodedAttribute(b []byte) (encodedAttribute, error) {
	const sharedType, sharedSpace = 1, 2
	c := f.cursor(b)
	version, flags := c.u8(), c.u8()
	nameSize := int(c.u16())
	a := encodedAttribute{c: c, typeSize: int(c.u16()), spaceSize: int(c.u16())}
	if version == 3 {
		c.skip(1) // character set of the name
	}
	a.padded = version == 1
	a.shared = version > 1 && flags&(sharedType|sharedSpace) != 0
	name := f.cursor(a.part(nameSize))
	a.name = name.untilNul()
	switch {
	case c.err != nil:
		return a, c.err
	case version < 1 || version > 3:
		return a, unsupported("attribute message version %d", version)
	}
	return a, name.err
}

// part takes n bytes and, in the version that has it, the padding to a multiple of eight.
func (a *encodedAttribute) part(n int) []byte {
	b := a.c.take(uint64(n))
	if a.padded {
		a.c.skip(-n & 7)
	}
	return b
}

func (o *object) decodeAttribute(e encodedAttribute) (*Attribute, error) {
	if e.shared {
		return nil, unsupported("committed datatype or shared dataspace")
	}
	typeBytes, spaceBytes := e.part(e.typeSize), e.part(e.spaceSize)
	if e.c.err != nil {
		return nil, e.c.err
	}
	v, err := o.f.newValues(o.path+"@"+e.name, typeBytes, spaceBytes)
	if err != nil {
		return nil, err
	}
	data := e.c.take(v.byteSize)
	v.read = func() ([]byte, error) { return aligned(data), nil }
	return &Attribute{v}, e.c.err
}
