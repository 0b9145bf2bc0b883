package savedmodel

import (
	"fmt"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// dtypes is the one table of TensorFlow's element types. Quantized types are
// read as the integers that hold them.
var dtypes = map[pb.DataType]tensor.DType{
	pb.DataType_DT_FLOAT:         tensor.Float32,
	pb.DataType_DT_DOUBLE:        tensor.Float64,
	pb.DataType_DT_INT32:         tensor.Int32,
	pb.DataType_DT_UINT8:         tensor.UInt8,
	pb.DataType_DT_INT16:         tensor.Int16,
	pb.DataType_DT_INT8:          tensor.Int8,
	pb.DataType_DT_STRING:        tensor.String,
	pb.DataType_DT_COMPLEX64:     tensor.Complex64,
	pb.DataType_DT_INT64:         tensor.Int64,
	pb.DataType_DT_BOOL:          tensor.Bool,
	pb.DataType_DT_QINT8:         tensor.Int8,
	pb.DataType_DT_QUINT8:        tensor.UInt8,
	pb.DataType_DT_QINT32:        tensor.Int32,
	pb.DataType_DT_BFLOAT16:      tensor.BFloat16,
	pb.DataType_DT_QINT16:        tensor.Int16,
	pb.DataType_DT_QUINT16:       tensor.UInt16,
	pb.DataType_DT_UINT16:        tensor.UInt16,
	pb.DataType_DT_COMPLEX128:    tensor.Complex128,
	pb.DataType_DT_HALF:          tensor.Float16,
	pb.DataType_DT_RESOURCE:      tensor.Resource,
	pb.DataType_DT_VARIANT:       tensor.Variant,
	pb.DataType_DT_UINT32:        tensor.UInt32,
	pb.DataType_DT_UINT64:        tensor.UInt64,
	pb.DataType_DT_FLOAT8_E5M2:   tensor.Float8E5M2,
	pb.DataType_DT_FLOAT8_E4M3FN: tensor.Float8E4M3FN,
	pb.DataType_DT_INT4:          tensor.Int4,
	pb.DataType_DT_UINT4:         tensor.UInt4,
	pb.DataType_DT_INT2:          tensor.Int2,
}

// protoTypes is the inverse of dtypes; of several TensorFlow types it holds the
// one that is not a quantized type.
var protoTypes = func() map[tensor.DType]pb.DataType {
	m := make(map[tensor.DType]pb.DataType, len(dtypes))
	for p, d := range dtypes {
		if old, ok := m[d]; !ok || p < old && !isQuantized(p) || isQuantized(old) {
			m[d] = p
		}
	}
	return m
}()

func isQuantized(p pb.DataType) bool {
	return p >= pb.DataType_DT_QINT8 && p <= pb.DataType_DT_QINT32 || p == pb.DataType_DT_QINT16 || p == pb.DataType_DT_QUINT16
}

// refOffset separates a type from the type of references to it (DT_FLOAT_REF is
// 101), which TF1 graphs use for variables.
const refOffset = 100

// DTypeOf returns the element type that TensorFlow's p stands for, references
// included, or ErrUnsupported.
func DTypeOf(p pb.DataType) (tensor.DType, error) {
	if p > refOffset {
		p -= refOffset
	}
	d, ok := dtypes[p]
	if !ok {
		return 0, fmt.Errorf("element type %v: %w", p, tensor.ErrUnsupported)
	}
	return d, nil
}

// ProtoType is the inverse of DTypeOf: TensorFlow's name of an element type.
func ProtoType(d tensor.DType) pb.DataType { return protoTypes[d] }
