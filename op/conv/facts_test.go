package conv

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func operand(s ...int) op.Fact { return op.Fact{Present: true, DType: tensor.Float32, Shape: s} }

// filter is an int8 operand with n scales.
func filter(n int, s ...int) op.Fact {
	return op.Fact{Present: true, DType: tensor.Int8, Shape: s, Quant: tensor.Quant{Scales: make([]float32, n)}}
}

func size(v ...int32) op.Fact {
	t, err := tensor.Of(tensor.Shape{len(v)}, v...)
	if err != nil {
		panic(err)
	}
	return op.Fact{Present: true, DType: tensor.Int32, Shape: t.Shape(), Const: t.Bytes()}
}

func TestFacts(t *testing.T) {
	later := op.Fact{Present: true, DType: tensor.Int32, Shape: tensor.Shape{4}}
	same := &fb.TransposeConvOptionsT{StrideH: 2, StrideW: 2}
	valid := &fb.TransposeConvOptionsT{Padding: fb.PaddingVALID, StrideH: 2, StrideW: 2}
	cube := &fb.Conv3DOptionsT{StrideD: 1, StrideH: 1, StrideW: 1, DilationDFactor: 1, DilationHFactor: 1, DilationWFactor: 1}
	flat := &fb.Conv2DOptionsT{StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1}
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		in      []op.Fact
		want    tensor.Shape
		err     error
	}{
		{"transposed, SAME", TransposeConv, same, []op.Fact{size(1, 5, 6, 4), operand(4, 3, 3, 2), operand(1, 3, 3, 2)}, tensor.Shape{1, 5, 6, 4}, nil},
		{"transposed, VALID", TransposeConv, valid, []op.Fact{size(1, 7, 8, 4), operand(4, 3, 3, 2), operand(-1, 3, 3, 2)}, tensor.Shape{-1, 7, 8, 4}, nil},
		{"transposed to a size that comes later", TransposeConv, same, []op.Fact{later, operand(4, 3, 3, 2), operand(1, 3, 3, 2)}, nil, op.ErrLater},
		{"transposed to a size of another input", TransposeConv, same, []op.Fact{size(1, 7, 6, 4), operand(4, 3, 3, 2), operand(1, 3, 3, 2)}, nil, tensor.ErrShape},
		{"transposed to other channels", TransposeConv, same, []op.Fact{size(1, 5, 6, 3), operand(4, 3, 3, 2), operand(1, 3, 3, 2)}, nil, tensor.ErrShape},
		{"transposed from other channels", TransposeConv, same, []op.Fact{size(1, 5, 6, 4), operand(4, 3, 3, 2), operand(1, 3, 3, 1)}, nil, tensor.ErrShape},
		{"transposed from another batch", TransposeConv, same, []op.Fact{size(1, 5, 6, 4), operand(4, 3, 3, 2), operand(2, 3, 3, 2)}, tensor.Shape{2, 5, 6, 4}, nil},
		{"transposed to a negative size", TransposeConv, same, []op.Fact{size(1, -5, 6, 4), operand(4, 3, 3, 2), operand(1, 3, 3, 2)}, nil, tensor.ErrShape},
		{"transposed to rank 3", TransposeConv, same, []op.Fact{size(5, 6, 4), operand(4, 3, 3, 2), operand(1, 3, 3, 2)}, nil, tensor.ErrShape},
		{"transposed bias of 3", TransposeConv, same, []op.Fact{size(1, 5, 6, 4), operand(4, 3, 3, 2), operand(1, 3, 3, 2), operand(3)}, nil, tensor.ErrShape},
		{"transposed, stride 0", TransposeConv, &fb.TransposeConvOptionsT{StrideW: 1}, []op.Fact{size(1, 5, 6, 4), operand(4, 3, 3, 2), operand(1, 3, 3, 2)}, nil, tensor.ErrMalformed},
		{"transposed without options", TransposeConv, nil, []op.Fact{size(1, 5, 6, 4), operand(4, 3, 3, 2), operand(1, 3, 3, 2)}, nil, tensor.ErrMalformed},
		{"3D", Conv3D, cube, []op.Fact{operand(-1, 4, 5, 6, 2), operand(3, 3, 3, 2, 7), operand(7)}, tensor.Shape{-1, 4, 5, 6, 7}, nil},
		{"3D of rank 4", Conv3D, cube, []op.Fact{operand(4, 5, 6, 2), operand(3, 3, 3, 2, 7)}, nil, tensor.ErrShape},
		{"3D with a filter of rank 4", Conv3D, cube, []op.Fact{operand(1, 4, 5, 6, 2), operand(3, 3, 2, 7)}, nil, tensor.ErrShape},
		{"3D from other channels", Conv3D, cube, []op.Fact{operand(1, 4, 5, 6, 3), operand(3, 3, 3, 2, 7)}, nil, tensor.ErrShape},
		{"3D bias of 2", Conv3D, cube, []op.Fact{operand(1, 4, 5, 6, 2), operand(3, 3, 3, 2, 7), operand(2)}, nil, tensor.ErrShape},
		{"3D transposed", Conv3DTranspose, cube, []op.Fact{size(1, 4, 5, 6, 7), operand(3, 3, 3, 7, 2), operand(1, 4, 5, 6, 2)}, tensor.Shape{1, 4, 5, 6, 7}, nil},
		{"3D transposed to rank 4", Conv3DTranspose, cube, []op.Fact{size(1, 4, 5, 7), operand(3, 3, 3, 7, 2), operand(1, 4, 5, 6, 2)}, nil, tensor.ErrShape},
		{"filter deeper than the input", Conv2D, flat, []op.Fact{operand(1, 4, 4, 2), operand(3, 1, 1, 4), operand(3)}, nil, tensor.ErrShape},
		{"filter with a scale", Conv2D, flat, []op.Fact{operand(1, 4, 4, 2), filter(1, 3, 1, 1, 2), operand(3)}, tensor.Shape{1, 4, 4, 3}, nil},
		{"filter with too many scales", Conv2D, flat, []op.Fact{operand(1, 4, 4, 2), filter(4, 3, 1, 1, 2), operand(3)}, nil, tensor.ErrMalformed},
		{"transposed, too few scales", TransposeConv, same, []op.Fact{size(1, 5, 6, 4), filter(2, 4, 3, 3, 2), operand(1, 3, 3, 2)}, nil, tensor.ErrMalformed},
		{"dilated beyond reason", Conv2D, &fb.Conv2DOptionsT{StrideH: 1, StrideW: 1, DilationHFactor: 1 << 20, DilationWFactor: 1}, []op.Fact{operand(1, 4, 4, 2), operand(3, 1<<20, 1, 2), operand(3)}, nil, tensor.ErrLimit},
		{"kernel without elements", Conv2D, flat, []op.Fact{operand(1, 4, 4, 2), operand(3, 0, 1, 2), operand(3)}, nil, tensor.ErrMalformed},
	} {
		call := &op.Call{Node: &graph.Node{Op: c.def.Code, Options: c.options}, In: c.in, Out: make([]op.Fact, 1)}
		check(t, c.name, c.def, call, c.want, c.err)
	}
}

func check(t *testing.T, name string, d *op.Def, c *op.Call, want tensor.Shape, wantErr error) {
	t.Helper()
	err := d.Facts(c)
	if !errors.Is(err, wantErr) || wantErr == nil && err != nil {
		t.Errorf("%s: %v, want %v", name, err, wantErr)
	}
	if diff := cmp.Diff(want, c.Out[0].Shape); err == nil && diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

// TestTransposeConvBiasFacts: the result differs from the declared size by whole strides.
func TestTransposeConvBiasFacts(t *testing.T) {
	same, valid := []byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}, []byte{2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}
	for _, c := range []struct {
		name     string
		options  []byte
		in       op.Fact
		declared tensor.Shape
		want     tensor.Shape
		err      error
	}{
		{"SAME", same, operand(2, 4, 4, 5), nil, tensor.Shape{2, 12, 8, 7}, nil},
		{"SAME, one less", same, operand(2, 4, 4, 5), tensor.Shape{1, 11, 7, 7}, tensor.Shape{2, 11, 7, 7}, nil},
		{"SAME, resized", same, operand(2, 5, 4, 5), tensor.Shape{1, 11, 7, 7}, tensor.Shape{2, 14, 7, 7}, nil},
		{"VALID, resized", valid, operand(2, 5, 4, 5), tensor.Shape{1, 15, 10, 7}, tensor.Shape{2, 18, 10, 7}, nil},
		{"VALID", valid, operand(1, 4, 4, 5), nil, tensor.Shape{1, 13, 9, 7}, nil},
		{"unknown height", valid, operand(1, -1, 4, 5), nil, tensor.Shape{1, -1, 9, 7}, nil},
		{"other channels", same, operand(1, 4, 4, 3), nil, nil, tensor.ErrShape},
		{"short options", same[:11], operand(1, 4, 4, 5), nil, nil, tensor.ErrMalformed},
		{"padding 0", make([]byte, 12), operand(1, 4, 4, 5), nil, nil, tensor.ErrMalformed},
		{"overflow", same, operand(1, 1<<30, 1<<30, 5), nil, nil, tensor.ErrLimit},
	} {
		d := TransposeConvBias
		call := &op.Call{Node: &graph.Node{Op: d.Code, Custom: d.Name, CustomOptions: c.options}, In: []op.Fact{c.in, operand(7, 4, 3, 5), operand(7)}, Out: []op.Fact{{Shape: c.declared}}}
		check(t, c.name, d, call, c.want, c.err)
	}
}
