//go:build amd64 && !purego

package simd

// pause tells the CPU that this is a spin loop.
func pause()
