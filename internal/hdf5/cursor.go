package hdf5

import (
	"encoding/binary"
	"math/bits"
)

// cursor takes little-endian fields off the front of b. The first read beyond the end sets err; from then on every
// field reads as zero.
type cursor struct {
	b          []byte
	offsetSize int
	lengthSize int
	err        error
}

func (f *File) cursor(b []byte) *cursor {
	return &cursor{b: b, offsetSize: f.offsetSize, lengthSize: f.lengthSize}
}

// take returns the next n bytes, or nil at an error.
func (c *cursor) take(n uint64) []byte {
	if c.err != nil {
		return nil
	}
	if n > uint64(len(c.b)) {
		c.err = malformed("structure ends %d bytes early", n-uint64(len(c.b)))
		c.b = nil
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) skip(n int) { c.take(uint64(n)) }

// uint reads an unsigned integer of n <= 8 bytes.
func (c *cursor) uint(n int) uint64 { return littleUint(c.take(uint64(n))) }

func (c *cursor) u8() uint8   { return uint8(c.uint(1)) }
func (c *cursor) u16() uint16 { return uint16(c.uint(2)) }
func (c *cursor) u32() uint32 { return uint32(c.uint(4)) }
func (c *cursor) u64() uint64 { return c.uint(8) }

// length reads a field of the file's "size of lengths".
func (c *cursor) length() uint64 { return c.uint(c.lengthSize) }

// offset reads an address; the undefined one comes as undefined.
func (c *cursor) offset() uint64 {
	v := c.uint(c.offsetSize)
	if v == uint64(undefined)>>(64-8*c.offsetSize) {
		return undefined
	}
	return v
}

// expect fails unless the next byte is want.
func (c *cursor) expect(what string, want uint8) {
	if got := c.u8(); c.err == nil && got != want {
		c.err = unsupported("%s %d", what, got)
	}
}

// littleUint is the value of up to eight little-endian bytes.
func littleUint(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	case 8:
		return binary.LittleEndian.Uint64(b)
	}
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v
}

// product multiplies sizes; ok is false on overflow of 63 bits. The empty product is 1.
func product(sizes ...uint64) (p uint64, ok bool) {
	p = 1
	for _, s := range sizes {
		hi, lo := bits.Mul64(p, s)
		if hi != 0 || lo > 1<<63-1 {
			return 0, false
		}
		p = lo
	}
	return p, true
}

// log2 is the position of the highest bit set in v, and 0 for 0.
func log2(v uint64) int {
	if v == 0 {
		return 0
	}
	return bits.Len64(v) - 1
}

// encodedSize is the number of bytes that hold every integer up to limit (H5VM_limit_enc_size).
func encodedSize(limit uint64) int { return log2(limit)/8 + 1 }

// lookup3 is Bob Jenkins' hash of that name ("hashlittle" with initial value 0), HDF5's checksum of metadata.
func lookup3(b []byte) uint32 {
	le := binary.LittleEndian
	x := 0xdeadbeef + uint32(len(b))
	y, z := x, x
	for ; len(b) > 12; b = b[12:] {
		x += le.Uint32(b)
		y += le.Uint32(b[4:])
		z += le.Uint32(b[8:])
		x, y, z = lookup3Mix(x, y, z)
	}
	if len(b) == 0 {
		return z
	}
	var last [12]byte
	copy(last[:], b)
	x += le.Uint32(last[:])
	y += le.Uint32(last[4:])
	z += le.Uint32(last[8:])
	return lookup3Final(x, y, z)
}

func lookup3Mix(x, y, z uint32) (uint32, uint32, uint32) {
	rot := bits.RotateLeft32
	x -= z
	x ^= rot(z, 4)
	z += y
	y -= x
	y ^= rot(x, 6)
	x += z
	z -= y
	z ^= rot(y, 8)
	y += x
	x -= z
	x ^= rot(z, 16)
	z += y
	y -= x
	y ^= rot(x, 19)
	x += z
	z -= y
	z ^= rot(y, 4)
	y += x
	return x, y, z
}

func lookup3Final(x, y, z uint32) uint32 {
	rot := bits.RotateLeft32
	z ^= y
	z -= rot(y, 14)
	x ^= z
	x -= rot(z, 11)
	y ^= x
	y -= rot(x, 25)
	z ^= y
	z -= rot(y, 16)
	x ^= z
	x -= rot(z, 4)
	y ^= x
	y -= rot(x, 14)
	z ^= y
	z -= rot(y, 24)
	return z
}
