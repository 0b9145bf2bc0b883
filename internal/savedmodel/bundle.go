package savedmodel

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"sort"

	"google.golang.org/protobuf/proto"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// Bundle is a checkpoint in TensorFlow's bundle format: an index, PREFIX.index,
// and shards of raw tensors, PREFIX.data-SSSSS-of-NNNNN. Tensors are read when
// asked for. It may be used by several goroutines.
type Bundle struct {
	fsys    fs.FS
	prefix  string
	shards  int
	keys    []string
	entries map[string]*bundleEntry
}

type bundleEntry struct {
	dtype  tensor.DType
	shape  tensor.Shape
	shard  int
	offset int64
	size   int64
	crc    uint32
	slices []*pb.TensorSliceProto
}

// unmarshal parses a protocol buffer with a bound on its nesting.
func unmarshal(b []byte, m proto.Message) error {
	if err := (proto.UnmarshalOptions{RecursionLimit: 200}).Unmarshal(b, m); err != nil {
		return fmt.Errorf("no valid %s: %w", m.ProtoReflect().Descriptor().Name(), tensor.ErrMalformed)
	}
	return nil
}

// OpenBundle reads the index of the checkpoint at prefix, for example
// "model/variables/variables", verifies its checksums and makes sure that every
// entry lies within its shard.
func OpenBundle(fsys fs.FS, prefix string) (*Bundle, error) {
	name := prefix + ".index"
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	b := &Bundle{fsys: fsys, prefix: prefix, entries: map[string]*bundleEntry{}}
	if err := b.parseIndex(raw); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, b.checkShards()
}

func (b *Bundle) parseIndex(raw []byte) error {
	table, err := parseTable(raw)
	if err != nil {
		return err
	}
	if len(table) == 0 || table[0].key != "" {
		return fmt.Errorf("no header: %w", tensor.ErrMalformed)
	}
	var h pb.BundleHeaderProto
	if err := unmarshal(table[0].value, &h); err != nil {
		return err
	}
	if h.GetEndianness() != pb.BundleHeaderProto_LITTLE {
		return fmt.Errorf("big-endian checkpoint: %w", tensor.ErrUnsupported)
	}
	b.shards = int(h.GetNumShards())
	for _, row := range table[1:] {
		e, err := b.parseEntry(row.value)
		if err != nil {
			return fmt.Errorf("entry %.80q: %w", row.key, err)
		}
		b.keys = append(b.keys, row.key)
		b.entries[row.key] = e
	}
	return nil
}

func (b *Bundle) parseEntry(raw []byte) (*bundleEntry, error) {
	var p pb.BundleEntryProto
	if err := unmarshal(raw, &p); err != nil {
		return nil, err
	}
	d, err := DTypeOf(p.GetDtype())
	if err != nil {
		return nil, err
	}
	shape, known, err := shapeOf(p.GetShape())
	if err != nil {
		return nil, err
	}
	n, err := shape.Elems()
	if err != nil {
		return nil, err
	}
	if !known || p.GetOffset() < 0 || p.GetSize() < 0 || p.GetShardId() < 0 || int(p.GetShardId()) >= b.shards {
		return nil, fmt.Errorf("shard %d of %d, %d bytes at %d: %w", p.GetShardId(), b.shards, p.GetSize(), p.GetOffset(), tensor.ErrMalformed)
	}
	sliced := len(p.GetSlices()) > 0
	if w := wireWidth(d); w > 0 && !sliced && (p.GetSize()%int64(w) != 0 || p.GetSize()/int64(w) != int64(n)) {
		return nil, fmt.Errorf("%v%v has %d bytes: %w", d, shape, p.GetSize(), tensor.ErrMalformed)
	}
	return &bundleEntry{d, shape, int(p.GetShardId()), p.GetOffset(), p.GetSize(), p.GetCrc32C(), p.GetSlices()}, nil
}

func shardName(prefix string, i, n int) string {
	return fmt.Sprintf("%s.data-%05d-of-%05d", prefix, i, n)
}

// checkShards finds shards that are missing or too short.
func (b *Bundle) checkShards() error {
	sizes := map[int]int64{}
	for _, key := range b.keys {
		e := b.entries[key]
		if len(e.slices) > 0 {
			continue
		}
		name := shardName(b.prefix, e.shard, b.shards)
		size, ok := sizes[e.shard]
		if !ok {
			info, err := fs.Stat(b.fsys, name)
			if err != nil {
				return err
			}
			size = info.Size()
			sizes[e.shard] = size
		}
		if e.offset > size || e.size > size-e.offset {
			return fmt.Errorf("%s: %d bytes, but tensor %.80q takes %d at %d: %w", name, size, key, e.size, e.offset, tensor.ErrMalformed)
		}
	}
	return nil
}

// Keys returns the names of all tensors, sorted.
func (b *Bundle) Keys() []string { return b.keys }

// Has reports whether there is a tensor named key.
func (b *Bundle) Has(key string) bool { return b.entries[key] != nil }

// Info returns a tensor's type and shape without reading it.
func (b *Bundle) Info(key string) (d tensor.DType, s tensor.Shape, ok bool) {
	e, ok := b.entries[key]
	if !ok {
		return 0, nil, false
	}
	return e.dtype, e.shape, true
}

// Tensor reads a tensor and verifies its checksum. A tensor of strings comes in
// TFLite's layout (PackStrings).
func (b *Bundle) Tensor(key string) (tensor.Tensor, error) {
	e, ok := b.entries[key]
	if !ok {
		return tensor.Tensor{}, fmt.Errorf("%s.index: no tensor %.80q: %w", b.prefix, key, fs.ErrNotExist)
	}
	if len(e.slices) > 0 {
		return b.sliced(key, e)
	}
	if e.dtype == tensor.String {
		v, err := b.Strings(key)
		if err != nil {
			return tensor.Tensor{}, err
		}
		return tensor.Raw(tensor.String, e.shape, tensor.Quant{}, PackStrings(v)), nil
	}
	raw, err := b.read(e)
	if err == nil && maskCRC(crc32.Checksum(raw, castagnoli)) != e.crc {
		err = fmt.Errorf("checksum differs: %w", tensor.ErrMalformed)
	}
	if err != nil {
		return tensor.Tensor{}, b.shardError(key, e, err)
	}
	return fromWire(e.dtype, e.shape, raw)
}

func (b *Bundle) shardError(key string, e *bundleEntry, err error) error {
	return fmt.Errorf("%s: tensor %.80q: %w", shardName(b.prefix, e.shard, b.shards), key, err)
}

// Strings reads a tensor of strings.
func (b *Bundle) Strings(key string) ([][]byte, error) {
	e, ok := b.entries[key]
	if !ok {
		return nil, fmt.Errorf("%s.index: no tensor %.80q: %w", b.prefix, key, fs.ErrNotExist)
	}
	if e.dtype != tensor.String || len(e.slices) > 0 {
		return nil, fmt.Errorf("%s.index: tensor %.80q holds %v: %w", b.prefix, key, e.dtype, tensor.ErrType)
	}
	raw, err := b.read(e)
	var v [][]byte
	if err == nil {
		v, err = parseStrings(raw, e)
	}
	if err != nil {
		return nil, b.shardError(key, e, err)
	}
	return v, nil
}

// parseStrings decodes a tensor of strings: varint lengths, a masked checksum of
// the lengths as uint32, the bytes. The entry's checksum covers the lengths as
// uint32, the first checksum and the bytes.
func parseStrings(raw []byte, e *bundleEntry) ([][]byte, error) {
	n, err := e.shape.Elems()
	if err != nil {
		return nil, err
	}
	if n > len(raw) {
		return nil, fmt.Errorf("%d strings in %d bytes: %w", n, len(raw), tensor.ErrMalformed)
	}
	lens, crc := make([]int, n), uint32(0)
	for i := range lens {
		v, k := binary.Uvarint(raw)
		if k <= 0 || v > uint64(len(raw)) {
			return nil, fmt.Errorf("string %d: %w", i, tensor.ErrMalformed)
		}
		lens[i], raw = int(v), raw[k:]
		crc = updateLength(crc, int(v))
	}
	if len(raw) < 4 || binary.LittleEndian.Uint32(raw) != maskCRC(crc) {
		return nil, fmt.Errorf("checksum of string lengths differs: %w", tensor.ErrMalformed)
	}
	crc = crc32.Update(crc, castagnoli, raw)
	if maskCRC(crc) != e.crc {
		return nil, fmt.Errorf("checksum differs: %w", tensor.ErrMalformed)
	}
	raw = raw[4:]
	out := make([][]byte, n)
	for i, l := range lens {
		if l > len(raw) {
			return nil, fmt.Errorf("string %d: %w", i, tensor.ErrMalformed)
		}
		out[i], raw = raw[:l:l], raw[l:]
	}
	return out, nil
}

// updateLength adds a string's length to a checksum as TensorFlow does: four
// bytes, eight if they do not suffice.
func updateLength(crc uint32, n int) uint32 {
	var b [8]byte
	if uint64(n) <= math.MaxUint32 {
		binary.LittleEndian.PutUint32(b[:], uint32(n))
		return crc32.Update(crc, castagnoli, b[:4])
	}
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	return crc32.Update(crc, castagnoli, b[:])
}

// read returns the bytes of an entry. Its size was checked against the shard's.
func (b *Bundle) read(e *bundleEntry) ([]byte, error) {
	f, err := b.fsys.Open(shardName(b.prefix, e.shard, b.shards))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := tensor.Aligned(int(e.size))
	switch f := f.(type) {
	case io.ReaderAt:
		_, err = io.ReadFull(io.NewSectionReader(f, e.offset, e.size), out)
	case io.Reader: // for example a file of an archive
		if _, err = io.CopyN(io.Discard, f, e.offset); err == nil {
			_, err = io.ReadFull(f, out)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, tensor.ErrMalformed)
	}
	return out, nil
}

// sliced assembles a partitioned variable from its slices, each of which is a
// tensor of its own.
func (b *Bundle) sliced(key string, e *bundleEntry) (tensor.Tensor, error) {
	width := int64(e.dtype.Size())
	if width == 0 {
		return tensor.Tensor{}, fmt.Errorf("%s.index: partitioned tensor %.80q of %v: %w", b.prefix, key, e.dtype, tensor.ErrUnsupported)
	}
	total := int64(0)
	for _, s := range e.slices { // what the slices hold bounds what is allocated
		if p := b.entries[sliceKey(key, s)]; p != nil && len(p.slices) == 0 {
			total += p.size
		}
	}
	n, err := e.shape.Bytes(e.dtype)
	if err != nil || int64(n) != total {
		return tensor.Tensor{}, fmt.Errorf("%s.index: tensor %.80q: its slices do not add up: %w", b.prefix, key, tensor.ErrMalformed)
	}
	out := tensor.Aligned(n)
	for _, s := range e.slices {
		part, err := b.Tensor(sliceKey(key, s))
		if err != nil {
			return tensor.Tensor{}, err
		}
		start := sliceStart(s, e.shape, part.Shape())
		if start == nil || part.DType() != e.dtype {
			return tensor.Tensor{}, fmt.Errorf("%s.index: tensor %.80q: a slice lies outside: %w", b.prefix, key, tensor.ErrMalformed)
		}
		copySlice(out, e.shape, part.Bytes(), part.Shape(), start, int(width))
	}
	return tensor.New(e.dtype, e.shape, tensor.Quant{}, out)
}

// sliceStart returns where a slice begins in a tensor of the given shape, nil if
// it is not within.
func sliceStart(s *pb.TensorSliceProto, full, part tensor.Shape) []int {
	if len(s.GetExtent()) != len(full) || len(part) != len(full) {
		return nil
	}
	start := make([]int, len(full))
	for i, x := range s.GetExtent() {
		if x.GetStart() < 0 || x.GetStart() > int64(full[i]) || part[i] > full[i]-int(x.GetStart()) {
			return nil
		}
		start[i] = int(x.GetStart())
	}
	return start
}

// copySlice writes part, row-major, into full at start.
func copySlice(full []byte, shape tensor.Shape, part []byte, ps tensor.Shape, start []int, width int) {
	if len(ps) == 0 {
		copy(full, part)
		return
	}
	inner := width
	for _, d := range shape[1:] {
		inner *= d
	}
	pinner := width
	for _, d := range ps[1:] {
		pinner *= d
	}
	for i := range ps[0] {
		copySlice(full[(start[0]+i)*inner:], shape[1:], part[i*pinner:], ps[1:], start[1:], width)
	}
}

// sliceKey names a slice's tensor: TensorFlow's EncodeTensorNameSlice, an
// order-preserving encoding of 0, the name, the rank, and starts and lengths.
func sliceKey(name string, s *pb.TensorSliceProto) string {
	b := orderedNum(nil, 0)
	b = orderedString(b, name)
	b = orderedNum(b, uint64(len(s.GetExtent())))
	for _, x := range s.GetExtent() {
		start, length := x.GetStart(), int64(-1)
		if x.GetHasLength() != nil {
			length = x.GetLength()
		}
		b = orderedSigned(orderedSigned(b, start), length)
	}
	return string(b)
}

// orderedNum appends an unsigned number: its length in bytes, then big-endian.
func orderedNum(b []byte, v uint64) []byte {
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], v)
	i := sort.Search(8, func(i int) bool { return v>>(8*(7-i)) != 0 })
	return append(append(b, byte(8-i)), be[i:]...)
}

// orderedString appends a string with 0 and 255 escaped, and its end mark.
func orderedString(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		switch c {
		case 0:
			b = append(b, 0, 0xff)
		case 0xff:
			b = append(b, 0xff, 0)
		default:
			b = append(b, c)
		}
	}
	return append(b, 0, 1)
}

// orderedSigned appends a signed number: n bytes hold 7n-1 bits and the sign;
// the leading n bits differ from the sign and tell the length.
func orderedSigned(b []byte, v int64) []byte {
	mag := uint64(v)
	if v < 0 {
		mag = ^mag
	}
	if mag < 64 {
		return append(b, 0x80^byte(v))
	}
	n := 2
	for n < 10 && mag>>(7*n-1) != 0 {
		n++
	}
	var buf [10]byte
	if v < 0 {
		buf[0], buf[1] = 0xff, 0xff
	}
	binary.BigEndian.PutUint64(buf[2:], uint64(v))
	out := buf[10-n:]
	header := uint16(0xffff) << (16 - n)
	out[0] ^= byte(header >> 8)
	out[1] ^= byte(header)
	return append(b, out...)
}
