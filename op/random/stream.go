package random

import (
	"math"

	"github.com/litequant/litequant/internal/philox"
)

// stream is a sequence of Philox blocks: a counter, encrypted with a key.
type stream struct {
	counter [4]uint32
	key     [2]uint32
}

// newStream starts a stream as TensorFlow does: the first seed is the key, the
// second the upper half of the counter.
func newStream(seed, seed2 uint64) stream {
	return stream{
		counter: [4]uint32{2: uint32(seed2), 3: uint32(seed2 >> 32)},
		key:     [2]uint32{uint32(seed), uint32(seed >> 32)},
	}
}

// next returns four numbers.
func (s *stream) next() [4]uint32 {
	block := philox.Block(s.key, s.counter)
	s.skip(1)
	return block
}

// skip leaves out n groups of four.
func (s *stream) skip(n uint64) {
	low := uint64(s.counter[1])<<32 | uint64(s.counter[0])
	sum := low + n
	s.counter[0], s.counter[1] = uint32(sum), uint32(sum>>32)
	if sum < low {
		if s.counter[2]++; s.counter[2] == 0 {
			s.counter[3]++
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
