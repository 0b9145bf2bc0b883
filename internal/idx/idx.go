// Package idx reads the IDX format of the original MNIST files: a magic number
// that holds type and rank, big-endian dimensions, elements. Gzip is recognized
// by content. Input is untrusted: memory is allocated only for elements that the
// bytes at hand can carry.
package idx

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/litequant/litequant/internal/npy"
	"github.com/litequant/litequant/tensor"
)

// types maps the third byte of the magic number to element types.
var types = map[byte]tensor.DType{
	0x08: tensor.UInt8, 0x09: tensor.Int8, 0x0b: tensor.Int16,
	0x0c: tensor.Int32, 0x0d: tensor.Float32, 0x0e: tensor.Float64,
}

const (
	gzipMagic = "\x1f\x8b"
	// maxRatio is more than deflate can ever reach (1032).
	maxRatio = 1040
	maxRank  = 8
)

// Is reports whether head, the first bytes of a file, starts an IDX file, or a
// gzip file, which may hold one.
func Is(head []byte) bool {
	if bytes.HasPrefix(head, []byte(gzipMagic)) {
		return true
	}
	if len(head) < 4 {
		return false
	}
	_, _, ok := parseMagic([4]byte(head))
	return ok
}

func parseMagic(m [4]byte) (d tensor.DType, rank int, ok bool) {
	d, ok = types[m[2]]
	return d, int(m[3]), ok && m[0] == 0 && m[1] == 0 && m[3] <= maxRank
}

// Decode reads a whole IDX file, plain or gzipped, whose elements take at most
// limit bytes.
func Decode(file []byte, limit int64) (tensor.Tensor, error) {
	if !bytes.HasPrefix(file, []byte(gzipMagic)) {
		return read(bytes.NewReader(file), int64(len(file)), limit)
	}
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return tensor.Tensor{}, reason(err)
	}
	return read(z, int64(len(file))*maxRatio, limit)
}

// read reads an IDX file from r, which can deliver at most size bytes.
func read(r io.Reader, size, limit int64) (tensor.Tensor, error) {
	d, s, err := readHeader(r)
	if err != nil {
		return tensor.Tensor{}, err
	}
	n, err := s.Bytes(d)
	if err != nil {
		return tensor.Tensor{}, err
	}
	if int64(n) > size {
		return tensor.Tensor{}, reason(io.ErrUnexpectedEOF)
	}
	if int64(n) > limit {
		return tensor.Tensor{}, fmt.Errorf("idx file of %d bytes, %d allowed: %w", n, limit, tensor.ErrLimit)
	}
	data := tensor.Aligned(n)
	if _, err := io.ReadFull(r, data); err != nil {
		return tensor.Tensor{}, reason(err)
	}
	// Gzip compares the checksum at the end.
	if n, err := io.Copy(io.Discard, io.LimitReader(r, 1)); err != nil {
		return tensor.Tensor{}, reason(err)
	} else if n > 0 {
		return tensor.Tensor{}, fmt.Errorf("idx file: bytes behind the last element: %w", tensor.ErrMalformed)
	}
	npy.SwapBytes(data, d.Size())
	return tensor.New(d, s, tensor.Quant{}, data)
}

func readHeader(r io.Reader) (tensor.DType, tensor.Shape, error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return 0, nil, reason(err)
	}
	d, rank, ok := parseMagic(magic)
	if !ok {
		return 0, nil, fmt.Errorf("not an idx file (wrong magic %x): %w", magic, tensor.ErrMalformed)
	}
	s := make(tensor.Shape, rank)
	for i := range s {
		var dim [4]byte
		if _, err := io.ReadFull(r, dim[:]); err != nil {
			return 0, nil, reason(err)
		}
		s[i] = int(binary.BigEndian.Uint32(dim[:]))
	}
	return d, s, nil
}

// reason says in one line why a read from memory failed.
func reason(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("truncated idx file: %w", tensor.ErrMalformed)
	}
	return fmt.Errorf("idx file: %v: %w", err, tensor.ErrMalformed)
}
