package savedmodel

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sort"

	"github.com/golang/snappy"

	"github.com/litequant/litequant/tensor"
)

// A table is LevelDB's sorted string table, the format of variables.index:
//
//	data block…, metaindex block, index block, footer (48 bytes)
//
// A block holds prefix-compressed entries (varint shared, unshared and value
// lengths; the key's unshared part; the value), the offsets of the entries that
// share nothing (restarts) and their number; after it come a byte for the
// compression and a masked CRC-32C of both. The index block maps the last key
// of each data block to its handle: varint offset and size. The footer holds
// the handles of metaindex and index, zeros, and the magic number.
const (
	tableMagic      = 0xdb4775248b80fb57
	footerSize      = 48
	blockTrailer    = 5
	restartInterval = 16
	blockSize       = 256 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskCRC is LevelDB's mask: checksums that are stored beside the data they
// cover are rotated and offset.
func maskCRC(c uint32) uint32 { return (c>>15 | c<<17) + 0xa282ead8 }

type entry struct {
	key   string
	value []byte
}

// parseTable returns the entries of a table in the order of their keys. Values
// are views of b.
func parseTable(b []byte) ([]entry, error) {
	if len(b) < footerSize {
		return nil, fmt.Errorf("%d bytes are too few for a table: %w", len(b), tensor.ErrMalformed)
	}
	footer := b[len(b)-footerSize:]
	if binary.LittleEndian.Uint64(footer[40:]) != tableMagic {
		return nil, fmt.Errorf("no table: wrong magic number: %w", tensor.ErrMalformed)
	}
	_, rest, err := readHandle(footer[:40]) // metaindex, always empty
	if err != nil {
		return nil, err
	}
	root, _, err := readHandle(rest)
	if err != nil {
		return nil, err
	}
	r := tableReader{file: b, keyBudget: 1<<20 + 64*len(b)}
	index, err := r.block(root)
	if err != nil {
		return nil, fmt.Errorf("index block: %w", err)
	}
	var all []entry
	for _, e := range index {
		h, _, err := readHandle(e.value)
		if err != nil {
			return nil, err
		}
		entries, err := r.block(h)
		if err != nil {
			return nil, fmt.Errorf("block at %d: %w", h.offset, err)
		}
		all = append(all, entries...)
	}
	return all, checkKeys(all)
}

// maxBlock bounds what a compressed block may expand to. TensorFlow's blocks hold
// 256 KiB, or one entry if that is longer.
const maxBlock = 64 << 20

// uncompressed undoes a block's compression: none (0) or Snappy (1).
func uncompressed(block []byte, compression byte) ([]byte, error) {
	switch compression {
	case 0:
		return block, nil
	case 1:
		n, err := snappy.DecodedLen(block)
		if err != nil || n > maxBlock {
			return nil, fmt.Errorf("snappy block of %d bytes: %w", n, tensor.ErrMalformed)
		}
		out, err := snappy.Decode(nil, block)
		if err != nil {
			return nil, fmt.Errorf("snappy block: %w: %w", err, tensor.ErrMalformed)
		}
		return out, nil
	}
	return nil, fmt.Errorf("compression %d: %w", compression, tensor.ErrUnsupported)
}

// tableReader reads blocks. Its budgets bound what prefix compression, or an
// index that names a block many times, may expand to.
type tableReader struct {
	file      []byte
	entries   int
	keyBudget int
}

// checkKeys makes sure that keys ascend strictly.
func checkKeys(all []entry) error {
	for i := 1; i < len(all); i++ {
		if all[i-1].key >= all[i].key {
			return fmt.Errorf("keys %.40q and %.40q are not in order: %w", all[i-1].key, all[i].key, tensor.ErrMalformed)
		}
	}
	return nil
}

type handle struct{ offset, size uint64 }

func readHandle(b []byte) (handle, []byte, error) {
	offset, n := binary.Uvarint(b)
	if n <= 0 {
		return handle{}, nil, fmt.Errorf("block handle: %w", tensor.ErrMalformed)
	}
	size, k := binary.Uvarint(b[n:])
	if k <= 0 {
		return handle{}, nil, fmt.Errorf("block handle: %w", tensor.ErrMalformed)
	}
	return handle{offset, size}, b[n+k:], nil
}

// block checks a block's checksum and returns its entries.
func (r *tableReader) block(h handle) ([]entry, error) {
	file, n := r.file, uint64(len(r.file))
	if h.offset > n || h.size > n-h.offset || n-h.offset-h.size < blockTrailer {
		return nil, fmt.Errorf("handle %d+%d outside the file: %w", h.offset, h.size, tensor.ErrMalformed)
	}
	block := file[h.offset : h.offset+h.size]
	trailer := file[h.offset+h.size:][:blockTrailer]
	sum := crc32.Checksum(file[h.offset:h.offset+h.size+1], castagnoli)
	if maskCRC(sum) != binary.LittleEndian.Uint32(trailer[1:]) {
		return nil, fmt.Errorf("checksum differs: %w", tensor.ErrMalformed)
	}
	block, err := uncompressed(block, trailer[0])
	if err != nil {
		return nil, err
	}
	if len(block) < 4 {
		return nil, fmt.Errorf("block of %d bytes: %w", len(block), tensor.ErrMalformed)
	}
	restarts := uint64(binary.LittleEndian.Uint32(block[len(block)-4:]))
	if restarts > uint64(len(block)-4)/4 {
		return nil, fmt.Errorf("%d restarts: %w", restarts, tensor.ErrMalformed)
	}
	return r.parse(block[:len(block)-4-4*int(restarts)])
}

// parse returns the entries of a block's body.
func (r *tableReader) parse(b []byte) (all []entry, err error) {
	var key []byte
	for len(b) > 0 {
		var lens [3]uint64 // shared, unshared, value
		for i := range lens {
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return nil, fmt.Errorf("entry: %w", tensor.ErrMalformed)
			}
			lens[i], b = v, b[n:]
		}
		if lens[0] > uint64(len(key)) || lens[1] > uint64(len(b)) || lens[2] > uint64(len(b))-lens[1] {
			return nil, fmt.Errorf("entry lengths %v: %w", lens, tensor.ErrMalformed)
		}
		key = append(key[:lens[0]], b[:lens[1]]...)
		r.keyBudget -= len(key)
		if r.entries++; r.keyBudget < 0 || r.entries > len(r.file)/3 { // an entry takes three bytes at least
			return nil, fmt.Errorf("%d entries with long keys in %d bytes: %w", r.entries, len(r.file), tensor.ErrLimit)
		}
		all = append(all, entry{string(key), b[lens[1]:][:lens[2]]})
		b = b[lens[1]+lens[2]:]
	}
	return all, nil
}

// appendTable encodes entries, which it sorts by key. The same entries give
// the same bytes.
func appendTable(b []byte, entries []entry) []byte {
	sort.Slice(entries, func(i, j int) bool { return entries[i].key < entries[j].key })
	var index []entry
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && size < blockSize {
			size += len(entries[n].key) + len(entries[n].value)
			n++
		}
		h := handle{offset: uint64(len(b))}
		b = appendBlock(b, entries[:n])
		h.size = uint64(len(b)) - h.offset - blockTrailer
		index = append(index, entry{entries[n-1].key, appendHandle(nil, h)})
		entries = entries[n:]
	}
	meta := handle{offset: uint64(len(b))}
	b = appendBlock(b, nil)
	meta.size = uint64(len(b)) - meta.offset - blockTrailer
	idx := handle{offset: uint64(len(b))}
	b = appendBlock(b, index)
	idx.size = uint64(len(b)) - idx.offset - blockTrailer

	footer := appendHandle(appendHandle(nil, meta), idx)
	footer = append(footer, make([]byte, footerSize-8-len(footer))...)
	return binary.LittleEndian.AppendUint64(append(b, footer...), tableMagic)
}

func appendHandle(b []byte, h handle) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, h.offset), h.size)
}

func appendBlock(b []byte, entries []entry) []byte {
	start := len(b)
	restarts := []uint32{0}
	last := ""
	for i, e := range entries {
		shared := 0
		if i%restartInterval != 0 {
			for shared < min(len(last), len(e.key)) && last[shared] == e.key[shared] {
				shared++
			}
		} else if i > 0 {
			restarts = append(restarts, uint32(len(b)-start))
		}
		b = binary.AppendUvarint(b, uint64(shared))
		b = binary.AppendUvarint(b, uint64(len(e.key)-shared))
		b = binary.AppendUvarint(b, uint64(len(e.value)))
		b = append(append(b, e.key[shared:]...), e.value...)
		last = e.key
	}
	for _, r := range restarts {
		b = binary.LittleEndian.AppendUint32(b, r)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(restarts)))
	b = append(b, 0) // not compressed
	return binary.LittleEndian.AppendUint32(b, maskCRC(crc32.Checksum(b[start:], castagnoli)))
}
