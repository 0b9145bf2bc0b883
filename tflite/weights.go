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

// indexVector writes a list also where it has no elements: LiteRT wants one.
func indexVector(x graph.Indices) *fb.SparseIndexVectorT {
	switch x.Bits {
	case 32:
		return &fb.SparseIndexVectorT{Type: fb.SparseIndexVectorInt32Vector, Value: &fb.Int32VectorT{Values: append([]int32{}, x.Values...)}}
	case 16:
		return &fb.SparseIndexVectorT{Type: fb.SparseIndexVectorUint16Vector, Value: &fb.Uint16VectorT{Values: append([]uint16{}, converted[uint16](x.Values)...)}}
	case 8:
		return &fb.SparseIndexVectorT{Type: fb.SparseIndexVectorUint8Vector, Value: &fb.Uint8VectorT{Values: append([]uint8{}, converted[uint8](x.Values)...)}}
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

// blockwiseOf reads a quantization whose scales are a tensor; nil for other kinds.
func blockwiseOf(q *fb.QuantizationParametersT) *graph.Blockwise {
	if q == nil || q.Details == nil {
		return nil
	}
	switch b := q.Details.Value.(type) {
	case *fb.BlockwiseQuantizationT:
		return &graph.Blockwise{Size: int(b.BlockSize), Scales: graph.ValueID(b.Scales), ZeroPoints: graph.ValueID(b.ZeroPoints)}
	case *fb.MultiAxisQuantizationT:
		axes := append([]int{}, ints(b.QuantizedDimensions)...)
		return &graph.Blockwise{Size: int(b.BlockSize), Scales: graph.ValueID(b.Scales), ZeroPoints: graph.ValueID(b.ZeroPoints), Axes: axes}
	}
	return nil
}

// setBlockwise writes a quantization whose scales are a tensor, in place of the one a
// file had.
func setBlockwise(t *fb.TensorT, w *graph.Blockwise) {
	if w == nil {
		if blockwiseOf(t.Quantization) != nil {
			t.Quantization.Details = nil
		}
		return
	}
	if t.Quantization == nil {
		t.Quantization = &fb.QuantizationParametersT{}
	}
	if w.Axes != nil {
		t.Quantization.Details = &fb.QuantizationDetailsT{Type: fb.QuantizationDetailsMultiAxisQuantization, Value: &fb.MultiAxisQuantizationT{
			Scales: int32(w.Scales), ZeroPoints: int32(w.ZeroPoints), BlockSize: int32(w.Size), QuantizedDimensions: int32s(w.Axes),
		}}
		return
	}
	b := &fb.BlockwiseQuantizationT{}
	if d := t.Quantization.Details; d != nil {
		if old, ok := d.Value.(*fb.BlockwiseQuantizationT); ok {
			*b = *old // keeps what is in no graph.Blockwise
		}
	}
	b.Scales, b.ZeroPoints, b.BlockSize = int32(w.Scales), int32(w.ZeroPoints), int32(w.Size)
	t.Quantization.Details = &fb.QuantizationDetailsT{Type: fb.QuantizationDetailsBlockwiseQuantization, Value: b}
}
