package hdf5

// Types of object header messages.
const (
	msgDataspace    = 0x01
	msgLinkInfo     = 0x02
	msgDatatype     = 0x03
	msgFillOld      = 0x04
	msgFill         = 0x05
	msgLink         = 0x06
	msgExternal     = 0x07
	msgLayout       = 0x08
	msgGroupInfo    = 0x0a
	msgFilters      = 0x0b
	msgAttribute    = 0x0c
	msgContinuation = 0x10
	msgSymbolTable  = 0x11
	msgAttrInfo     = 0x15
)

const (
	msgFlagShared     = 0x02 // the body is a reference to the message
	msgFlagMustUnder  = 0x80 // a reader that does not know the type must not read the object
	msgHighestKnown   = 0x17
	headerFlagOrder   = 0x04 // messages carry a creation order
	headerFlagPhase   = 0x10 // attribute phase change values are stored
	headerFlagTimes   = 0x20
	shortestHeaderLen = 16
)

// message is one message of an object header.
type message struct {
	kind  uint16
	flags uint8
	body  []byte
}

// span is a part of the file still to be read.
type span struct{ addr, size uint64 }

// readHeader reads all messages of the object header at addr, its continuations included.
func (f *File) readHeader(addr uint64) ([]message, error) {
	b, err := f.bytes(addr, shortestHeaderLen)
	if err != nil {
		return nil, err
	}
	switch {
	case string(b[:4]) == "OHDR":
		return f.readHeader2(addr)
	case b[0] == 1:
		c := f.cursor(b[8:])
		return f.readHeader1(span{addr + shortestHeaderLen, uint64(c.u32())})
	}
	return nil, malformed("no object header at %#x", addr)
}

// readHeader1 reads the blocks of a version 1 header, of which first is the first.
func (f *File) readHeader1(first span) ([]message, error) {
	var msgs []message
	w := f.newWalk()
	for todo := []span{first}; len(todo) > 0; todo = todo[1:] {
		b, err := f.block(w, "", todo[0].addr, todo[0].size)
		if err != nil {
			return nil, err
		}
		for c := f.cursor(b); len(c.b) >= 8; {
			m := message{kind: c.u16()}
			size := c.u16()
			m.flags = c.u8()
			c.skip(3)
			m.body = c.take(uint64(size))
			if c.err != nil {
				return nil, c.err
			}
			if msgs, todo, err = f.collect(msgs, todo, m); err != nil {
				return nil, err
			}
		}
	}
	return msgs, nil
}

func (f *File) readHeader2(addr uint64) ([]message, error) {
	prefix, err := f.bytes(addr, min(64, f.size-addr))
	if err != nil {
		return nil, err
	}
	c := f.cursor(prefix)
	c.skip(4)
	c.expect("object header version", 2)
	flags := c.u8()
	if flags&headerFlagTimes != 0 {
		c.skip(16)
	}
	if flags&headerFlagPhase != 0 {
		c.skip(4)
	}
	size := c.uint(1 << (flags & 3))
	if c.err != nil {
		return nil, c.err
	}
	start := uint64(len(prefix) - len(c.b))
	if size > f.size {
		return nil, malformed("object header of %d bytes", size)
	}
	var msgs []message
	w := f.newWalk()
	b, err := f.checked(w, "OHDR", addr, start+size+4)
	if err != nil {
		return nil, err
	}
	b = b[start-4:]
	for todo := []span(nil); ; {
		if msgs, todo, err = f.messages2(msgs, todo, flags, b); err != nil {
			return nil, err
		}
		if len(todo) == 0 {
			return msgs, nil
		}
		next := todo[0]
		todo = todo[1:]
		if b, err = f.checked(w, "OCHK", next.addr, next.size); err != nil {
			return nil, err
		}
	}
}

// messages2 appends the messages of one block of a version 2 header. Too few bytes for a message are a gap.
func (f *File) messages2(msgs []message, todo []span, flags uint8, b []byte) ([]message, []span, error) {
	prefix := 4
	if flags&headerFlagOrder != 0 {
		prefix = 6
	}
	var err error
	for c := f.cursor(b); len(c.b) >= prefix; {
		m := message{kind: uint16(c.u8())}
		size := c.u16()
		m.flags = c.u8()
		c.skip(prefix - 4)
		m.body = c.take(uint64(size))
		if c.err != nil {
			return nil, nil, c.err
		}
		if msgs, todo, err = f.collect(msgs, todo, m); err != nil {
			return nil, nil, err
		}
	}
	return msgs, todo, nil
}

// collect appends m to the messages, or to the blocks still to be read.
func (f *File) collect(msgs []message, todo []span, m message) ([]message, []span, error) {
	if m.kind > msgHighestKnown && m.flags&msgFlagMustUnder != 0 {
		return nil, nil, unsupported("object header message of type %#x", m.kind)
	}
	if m.kind != msgContinuation {
		return append(msgs, m), todo, nil
	}
	c := f.cursor(m.body)
	s := span{c.offset(), c.length()}
	return msgs, append(todo, s), c.err
}

// find returns the body of the first message of a kind, or nil. A shared message is refused.
func find(msgs []message, kind uint16) ([]byte, error) {
	for _, m := range msgs {
		if m.kind != kind {
			continue
		}
		if m.flags&msgFlagShared != 0 {
			return nil, unsupported("shared message of type %#x (committed datatype or shared message table)", kind)
		}
		return m.body, nil
	}
	return nil, nil
}
