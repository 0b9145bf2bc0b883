// Package selection holds the operators that pick elements and place them: the
// greatest or distinct ones, boxes that do not overlap, single positions and
// diagonals. Results are exact, ties included.
package selection

import (
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{
	TopK, Unique, OneHot, SparseToDense, MatrixDiag, MatrixSetDiag, Bucketize,
	NonMaxSuppressionV4, NonMaxSuppressionV5, DetectionPostProcess,
}

// float marks operators that quantizers leave in real numbers. TensorFlow makes
// ONE_HOT, MATRIX_DIAG and MATRIX_SET_DIAG int8 with parameters of their own for each
// operand and result, between which their kernels do not convert.
var float = op.Quant{None: true}

func version1(*op.Call) int { return 1 }

// put writes element i of an int32, int64 or int16 tensor.
func put(t tensor.Tensor, i, v int) {
	switch t.DType() {
	case tensor.Int64:
		op.I64s(t)[i] = int64(v)
	case tensor.Int16:
		op.I16s(t)[i] = int16(v)
	default:
		op.I32s(t)[i] = int32(v)
	}
}

// index reads element i of an int32 or int64 tensor.
func index(t tensor.Tensor, i int) int {
	if t.DType() == tensor.Int64 {
		return int(op.I64s(t)[i])
	}
	return int(op.I32s(t)[i])
}
