// Package farmhash is FarmHash's Fingerprint64, the hash that never changes: the
// one that LSH_PROJECTION and TensorFlow's hash buckets are defined by.
package farmhash

import (
	"encoding/binary"
	"math/bits"
)

// Primes between 2^63 and 2^64.
const (
	k0 = 0xc3a5c85c97cb3127
	k1 = 0xb492b66fbe98f273
	k2 = 0x9ae16a3b2f90404f
)

// Fingerprint64 returns the hash of s.
func Fingerprint64(s []byte) uint64 {
	switch n := len(s); {
	case n <= 16:
		return upTo16(s)
	case n <= 32:
		return upTo32(s)
	case n <= 64:
		return upTo64(s)
	}
	return long(s)
}

func at(s []byte, i int) uint64 { return binary.LittleEndian.Uint64(s[i:]) }

// fromEnd reads the eight bytes that begin n before the end.
func fromEnd(s []byte, n int) uint64 { return at(s, len(s)-n) }

func rotate(x uint64, right int) uint64 { return bits.RotateLeft64(x, -right) }

func shiftMix(x uint64) uint64 { return x ^ x>>47 }

// mix hashes two words to one.
func mix(u, v, mul uint64) uint64 {
	a := shiftMix((u ^ v) * mul)
	return shiftMix((v^a)*mul) * mul
}

func multiplier(s []byte) uint64 { return k2 + 2*uint64(len(s)) }

func upTo16(s []byte) uint64 {
	n := len(s)
	switch {
	case n >= 8:
		mul := multiplier(s)
		a, b := at(s, 0)+k2, fromEnd(s, 8)
		return mix(rotate(b, 37)*mul+a, (rotate(a, 25)+b)*mul, mul)
	case n >= 4:
		a, b := binary.LittleEndian.Uint32(s), binary.LittleEndian.Uint32(s[n-4:])
		return mix(uint64(n)+uint64(a)<<3, uint64(b), multiplier(s))
	case n > 0:
		y := uint32(s[0]) + uint32(s[n/2])<<8
		z := uint32(n) + uint32(s[n-1])<<2
		return shiftMix(uint64(y)*k2^uint64(z)*k0) * k2
	}
	return k2
}

func upTo32(s []byte) uint64 {
	mul := multiplier(s)
	a, b, c, d := at(s, 0)*k1, at(s, 8), fromEnd(s, 8)*mul, fromEnd(s, 16)*k2
	return mix(rotate(a+b, 43)+rotate(c, 30)+d, a+rotate(b+k2, 18)+c, mul)
}

func upTo64(s []byte) uint64 {
	mul := multiplier(s)
	a, b, c, d := at(s, 0)*k2, at(s, 8), fromEnd(s, 8)*mul, fromEnd(s, 16)*k2
	y := rotate(a+b, 43) + rotate(c, 30) + d
	z := mix(y, a+rotate(b+k2, 18)+c, mul)
	e, f, g, h := at(s, 16)*mul, at(s, 24), (y+fromEnd(s, 32))*mul, (z+fromEnd(s, 24))*mul
	return mix(rotate(e+f, 43)+rotate(g, 30)+h, e+rotate(f+a, 18)+g, mul)
}

// state is what long strings are folded into, 64 bytes at a time.
type state struct {
	x, y, z uint64
	v, w    [2]uint64
}

// fold takes in a block; last is 1, and 9 for the final block.
func (t *state) fold(s []byte, mul, last uint64) {
	t.x = rotate(t.x+t.y+t.v[0]+at(s, 8), 37) * mul
	t.y = rotate(t.y+t.v[1]+at(s, 48), 42) * mul
	t.x ^= t.w[1] * last
	t.y += t.v[0]*last + at(s, 40)
	t.z = rotate(t.z+t.w[0], 33) * mul
	t.v = weak(s, t.v[1]*mul, t.x+t.w[0])
	t.w = weak(s[32:], t.z+t.w[1], t.y+at(s, 16))
	t.x, t.z = t.z, t.x
}

// weak hashes 32 bytes and two seeds.
func weak(s []byte, a, b uint64) [2]uint64 {
	w, x, y, z := at(s, 0), at(s, 8), at(s, 16), at(s, 24)
	a += w
	b = rotate(b+a+z, 21)
	c := a
	a += x + y
	b += rotate(a, 44)
	return [2]uint64{a + z, b + c}
}

func long(s []byte) uint64 {
	const seed = 81
	t := state{x: seed, y: 2480279821605975764} // y = seed·k1 + 113 mod 2^64
	t.z = shiftMix(t.y*k2+113) * k2
	t.x = t.x*k2 + at(s, 0)
	rest := uint64(len(s)-1) & 63
	for p := s; len(p) > 64; p = p[64:] {
		t.fold(p, k1, 1)
	}
	mul := k1 + t.z&0xff<<1
	t.w[0] += rest
	t.v[0] += t.w[0]
	t.w[0] += t.v[0]
	t.fold(s[len(s)-64:], mul, 9)
	return mix(mix(t.v[0], t.w[0], mul)+shiftMix(t.y)*k0+t.z, mix(t.v[1], t.w[1], mul)+t.x, mul)
}
