//go:build unix

package tflite

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/litequant/litequant/tensor"
)

func mapFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping stays
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	n := info.Size()
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file: %w", name, tensor.ErrMalformed)
	case n == 0: // cannot be mapped
		return nil, nil
	case n > math.MaxInt:
		return nil, fmt.Errorf("%s has %d bytes: %w", name, n, tensor.ErrLimit)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(n), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: name, Err: err}
	}
	return b, nil
}

func unmapFile(b []byte) error {
	if b == nil {
		return nil
	}
	return unix.Munmap(b)
}
