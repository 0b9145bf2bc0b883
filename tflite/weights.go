package tflite

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
)

// sparsityOf reads how a sparse constant is stored; nil for dense ones. What it
// says is checked where the constant is expanded.
func sparsityOf(t *fb.SparsityParametersT) *graph.Sparsity {
	if t == nil {
		return nil
	}
	s := &graph.Sparsity{Order: ints(t.TraversalOrder), BlockMap: ints(t.BlockMap), Levels: make([]graph.Level, len(t.DimMetadata))}
	for i, d := range t.DimMetadata {
		s.Levels[i] = graph.Level{
			Sparse: d.Format == fb.DimensionTypeSPARSE_CSR, Size: int(d.DenseSize),
			Segments: indicesOf(d.ArraySegments), Indices: indicesOf(d.ArrayIndices),
		}
	}
	return s
}

func sparsityParameters(s *graph.Sparsity) *fb.SparsityParametersT {
	if s == nil {
		return nil
	}
	t := &fb.SparsityParametersT{TraversalOrder: int32s(s.Order), BlockMap: int32s(s.BlockMap)}
	for i := range s.Levels {
		l := &s.Levels[i]
		d := &fb.DimensionMetadataT{DenseSize: int32(l.Size), ArraySegments: indexVector(l.Segments), ArrayIndices: indexVector(l.Indices)}
		if l.Sparse {
			d.Format = fb.DimensionTypeSPARSE_CSR
		}
		t.DimMetadata = append(t.DimMetadata, d)
	}
	return t
}

// ints and int32s keep the difference between a list without elements and none.
func ints(list []int32) []int {
	if list == nil {
		return nil
	}
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = int(v)
	}
	return out
}

func int32s(list []int) []int32 {
	if list == nil {
		return nil
	}
	out := make([]int32, len(list))
	for i, v := range list {
		out[i] = int32(v)
	}
	return out
}

func indicesOf(t *fb.SparseIndexVectorT) graph.Indices {
	if t == nil {
		return graph.Indices{}
	}
	switch v := t.Value.(type) {
	case *fb.Int32VectorT:
		return graph.Indices{Bits: 32, Values: converted[int32](v.Values)}
	case *fb.Uint16VectorT:
		return graph.Indices{Bits: 16, Values: converted[int32](v.Values)}
	case *fb.Uint8VectorT:
		return graph.Indices{Bits: 8, Values: converted[int32](v.Values)}
	}
	return graph.Indices{}
}

func indexVector(x graph.Indices) *fb.SparseIndexVectorT {
	switch x.Bits {
	case 32:
		return &fb.SparseIndexVectorT{Type: fb.SparseIndexVectorInt32Vector, Value: &fb.Int32VectorT{Values: x.Values}}
	case 16:
		return &fb.SparseIndexVectorT{Type: fb.SparseIndexVectorUint16Vector, Value: &fb.Uint16VectorT{Values: converted[uint16](x.Values)}}
	case 8:
		return &fb.SparseIndexVectorT{Type: fb.SparseIndexVectorUint8Vector, Value: &fb.Uint8VectorT{Values: converted[uint8](x.Values)}}
	}
	return nil
}

// converted copies a list; one without elements becomes nil.
func converted[T, F int32 | uint16 | uint8](list []F) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = T(v)
	}
	return out
}

// blockwiseOf reads a quantization in blocks; nil for other kinds.
func blockwiseOf(q *fb.QuantizationParametersT) *graph.Blockwise {
	if q == nil || q.Details == nil {
		return nil
	}
	b, ok := q.Details.Value.(*fb.BlockwiseQuantizationT)
	if !ok || b == nil {
		return nil
	}
	w := &graph.Blockwise{Size: int(b.BlockSize), Scales: graph.ValueID(b.Scales), ZeroPoints: graph.ValueID(b.ZeroPoints)}
	if w.ZeroPoints < 0 {
		w.ZeroPoints = graph.None
	}
	return w
}

// setBlockwise writes a quantization in blocks, in place of the one a file had.
func setBlockwise(t *fb.TensorT, w *graph.Blockwise) {
	old := blockwiseOf(t.Quantization)
	switch {
	case w != nil:
		b := &fb.BlockwiseQuantizationT{}
		if old != nil {
			*b = *t.Quantization.Details.Value.(*fb.BlockwiseQuantizationT)
		}
		b.Scales, b.ZeroPoints, b.BlockSize = int32(w.Scales), int32(w.ZeroPoints), int32(w.Size)
		if t.Quantization == nil {
			t.Quantization = &fb.QuantizationParametersT{}
		}
		t.Quantization.Details = &fb.QuantizationDetailsT{Type: fb.QuantizationDetailsBlockwiseQuantization, Value: b}
	case old != nil:
		t.Quantization.Details = nil
	}
}
