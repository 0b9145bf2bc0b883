//go:build !amd64 || purego

package simd

func cpuLevels() []*Level { return nil }

func pause() {}
