// Package schema is the .tflite file format: its FlatBuffers schema
// (tflite.fbs), the code generated from it (package fb), the operator codes, a
// verifier, and pack and unpack between a file's bytes and fb.ModelT.
//
// It promises that
//
//   - after Verify accepts a file, no accessor of package fb and no Unpack
//     panics on it, and Unpack's memory is bounded by the limits;
//   - Pack never panics, writes equal models to equal bytes, and aligns every
//     Buffer.data to 16 bytes;
//   - Unpack(Pack(m)) equals m, but for unions without a member, which become nil,
//     and for -0 in a scalar field, which becomes 0.
//
// What a model means (indices in range, shapes, operand counts) is package
// tflite's and graph's to check, as are buffers behind the flatbuffer: Offset and
// Size of fb.BufferT and LargeCustomOptions… of fb.OperatorT are kept as they are.
//
// The schema is revision 3d, complete up to operator code 209 (STABLEHLO_CASE),
// TensorType 22 (FLOAT8_E5M2) and external buffers. A newer file's unknown
// fields, deprecated fields and vtable layout are not kept by Unpack; an unknown
// member of a union is refused by Verify. Blobs that share bytes in a file are
// written apart by Pack.
package schema

import (
	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/litequant/litequant/internal/schema/fb"
)

//go:generate ../../tools/schemagen/generate.sh

// A BuiltinOperator is an operator code; its constants are ADD, CONV_2D, ….
type BuiltinOperator = fb.BuiltinOperator

// Unpack reads a file that Verify has accepted. Constants (Buffer.data, custom
// options) are views of file with their capacity cut; everything else is copied.
// An absent vector is nil, an empty one is not.
func Unpack(file []byte) *fb.ModelT {
	return fb.GetRootAsModel(file, 0).UnPack()
}

// UnpackConversionMetadata reads what VerifyConversionMetadata has accepted.
func UnpackConversionMetadata(blob []byte) *fb.ConversionMetadataT {
	return fb.GetRootAsConversionMetadata(blob, 0).UnPack()
}

// Operator returns the operator that a code names. Files before revision 3a,
// and code below 127, have it in deprecated_builtin_code.
func Operator(c *fb.OperatorCodeT) BuiltinOperator {
	return max(BuiltinOperator(c.DeprecatedBuiltinCode), c.BuiltinCode)
}

// NewOperatorCode returns the code of a builtin operator as readers of every
// revision understand it; version is the operator's, 1 or more.
func NewOperatorCode(op BuiltinOperator, version int32) *fb.OperatorCodeT {
	return &fb.OperatorCodeT{
		DeprecatedBuiltinCode: int8(min(op, PLACEHOLDER_FOR_GREATER_OP_CODES)),
		BuiltinCode:           op,
		Version:               version,
	}
}

// emptyTable is a table without fields, so every accessor returns the schema's
// default: a vtable of 4 bytes, then the table's offset to it.
func emptyTable() flatbuffers.Table {
	return flatbuffers.Table{Bytes: []byte{4, 0, 4, 0, 4, 0, 0, 0}, Pos: 4}
}

// DefaultOptions returns the union holding the struct of the given member with
// the schema's defaults, or nil for NONE and unknown members.
func DefaultOptions(member fb.BuiltinOptions) *fb.BuiltinOptionsT {
	return member.UnPack(emptyTable())
}

// DefaultOptions2 is DefaultOptions for the second union.
func DefaultOptions2(member fb.BuiltinOptions2) *fb.BuiltinOptions2T {
	return member.UnPack(emptyTable())
}
