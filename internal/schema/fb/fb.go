// Package fb is the generated FlatBuffers code of internal/schema's two .fbs
// files: enums, read accessors (Model, Tensor, …) over a file's bytes, and the
// object API (ModelT, TensorT, …), plain structs that UnPack fills and Pack
// writes.
//
// Nothing here checks anything. Accessors and UnPack may panic on bytes that
// schema.Verify has not accepted, Pack may panic on values that schema.Pack
// would refuse: use package schema. Byte vectors unpacked from a file are views
// of it.
//
// A zero struct is not the schema's default where the default is not zero
// (dilation factors, debug_metadata_index, OperatorCode.version, …); each such
// field's Go zero is written as it is. schema.DefaultOptions gives options
// with the schema's defaults.
package fb

import flatbuffers "github.com/google/flatbuffers/go"

// createBytes writes a [ubyte] whose first byte's offset in the finished file is
// a multiple of align. flatc's Go generator ignores force_align, hence this.
func createBytes(b *flatbuffers.Builder, data []byte, align int) flatbuffers.UOffsetT {
	b.Prep(align, len(data))
	return b.CreateByteVector(data)
}
