package savedmodel

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// bundleWriter writes a checkpoint of one shard: tensors to w as they are added,
// and what the index needs to know of them.
type bundleWriter struct {
	w       io.Writer
	offset  int64
	entries []entry
}

// marshal encodes a message so that equal messages give equal bytes.
func marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// add writes a tensor of any type but strings.
func (b *bundleWriter) add(key string, t tensor.Tensor) error {
	if wireWidth(t.DType()) == 0 {
		return fmt.Errorf("tensor %.80q of %v: %w", key, t.DType(), tensor.ErrUnsupported)
	}
	raw := toWire(t)
	return b.put(key, raw, &pb.BundleEntryProto{
		Dtype: ProtoType(t.DType()), Shape: shapeProto(t.Shape()), Crc32C: maskCRC(crc32.Checksum(raw, castagnoli)),
	})
}

// addString writes a scalar string (parseStrings has the layout).
func (b *bundleWriter) addString(key string, s []byte) error {
	crc := updateLength(0, len(s))
	raw := binary.AppendUvarint(nil, uint64(len(s)))
	head := len(raw)
	raw = append(binary.LittleEndian.AppendUint32(raw, maskCRC(crc)), s...)
	return b.put(key, raw, &pb.BundleEntryProto{
		Dtype: pb.DataType_DT_STRING, Shape: &pb.TensorShapeProto{}, Crc32C: maskCRC(crc32.Update(crc, castagnoli, raw[head:])),
	})
}

func (b *bundleWriter) put(key string, raw []byte, e *pb.BundleEntryProto) error {
	e.Offset, e.Size = b.offset, int64(len(raw))
	b.offset += int64(len(raw))
	v, err := marshal(e)
	if err != nil {
		return err
	}
	b.entries = append(b.entries, entry{key, v})
	_, err = b.w.Write(raw)
	return err
}

// index returns the contents of the index file.
func (b *bundleWriter) index() ([]byte, error) {
	h, err := marshal(&pb.BundleHeaderProto{NumShards: 1, Version: &pb.VersionDef{Producer: 1}})
	if err != nil {
		return nil, err
	}
	all := appendTable(nil, append([]entry{{"", h}}, b.entries...))
	entries, err := parseTable(all)
	if err != nil || len(entries) != len(b.entries)+1 {
		return nil, fmt.Errorf("keys of the checkpoint: %w", err)
	}
	return all, nil
}
