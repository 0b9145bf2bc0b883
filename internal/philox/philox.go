// Package philox is the random number generator Philox4x32-10 of Salmon et al.,
// "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
package philox

import "math/bits"

// Block encrypts a counter with a key: four random numbers for each counter.
func Block(key [2]uint32, counter [4]uint32) [4]uint32 {
	const rounds = 10
	for range rounds {
		hi0, lo0 := bits.Mul32(0xD2511F53, counter[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, counter[2])
		counter = [4]uint32{hi1 ^ counter[1] ^ key[0], lo1, hi0 ^ counter[3] ^ key[1], lo0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return counter
}
