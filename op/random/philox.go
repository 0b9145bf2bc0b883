package random

import "math"

// philox is the generator Philox-4x32-10 of Salmon et al. (Parallel Random Numbers:
// As Easy as 1, 2, 3; SC 2011): a counter, encrypted with a key.
type philox struct {
	counter [4]uint32
	key     [2]uint32
}

// newPhilox starts a stream as TensorFlow does: the first seed is the key, the
// second the upper half of the counter.
func newPhilox(seed, seed2 uint64) philox {
	return philox{
		counter: [4]uint32{2: uint32(seed2), 3: uint32(seed2 >> 32)},
		key:     [2]uint32{uint32(seed), uint32(seed >> 32)},
	}
}

// next returns four numbers.
func (p *philox) next() [4]uint32 {
	const (
		multiplyA, multiplyB = 0xD2511F53, 0xCD9E8D57
		raiseA, raiseB       = 0x9E3779B9, 0xBB67AE85
		rounds               = 10
	)
	c, k := p.counter, p.key
	for range rounds {
		a, b := uint64(multiplyA)*uint64(c[0]), uint64(multiplyB)*uint64(c[2])
		c = [4]uint32{uint32(b>>32) ^ c[1] ^ k[0], uint32(b), uint32(a>>32) ^ c[3] ^ k[1], uint32(a)}
		k[0] += raiseA
		k[1] += raiseB
	}
	p.skip(1)
	return c
}

// skip leaves out n groups of four.
func (p *philox) skip(n uint64) {
	low := uint64(p.counter[1])<<32 | uint64(p.counter[0])
	sum := low + n
	p.counter[0], p.counter[1] = uint32(sum), uint32(sum>>32)
	if sum < low {
		if p.counter[2]++; p.counter[2] == 0 {
			p.counter[3]++
		}
	}
}

// uniform maps a number's lower 23 bits to [0, 1).
func uniform(x uint32) float32 {
	return math.Float32frombits(127<<23|x&(1<<23-1)) - 1
}

// uniform64 maps 52 bits of two numbers to [0, 1).
func uniform64(hi, lo uint32) float64 {
	return math.Float64frombits(1023<<52|uint64(hi&(1<<20-1))<<32|uint64(lo)) - 1
}
