package selection

import (
	"errors"
	"slices"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func typed(d tensor.DType, s ...int) op.Fact { return op.Fact{Present: true, DType: d, Shape: s} }

func floats(s ...int) op.Fact { return typed(tensor.Float32, s...) }

func numbers(s ...int) op.Fact { return typed(tensor.Int32, s...) }

// known is a known int32 tensor.
func known(s tensor.Shape, v ...int32) op.Fact {
	return op.Fact{Present: true, DType: tensor.Int32, Shape: s, Const: append(tensor.Aligned(0), tensor.BytesOf(v)...)}
}

func scalar(v int32) op.Fact { return known(tensor.Shape{}, v) }

var unknown = op.Fact{Present: true, DType: tensor.Float32, Unknown: true}

func derive(d *op.Def, options any, custom []byte, out tensor.DType, in ...op.Fact) (tensor.Shape, error) {
	c := &op.Call{Node: &graph.Node{Op: d.Code, Options: options, CustomOptions: custom}, In: in, Out: make([]op.Fact, len(d.Operands.Outs))}
	for i := range c.Out {
		c.Out[i] = op.Fact{Present: true, DType: out}
	}
	err := d.Facts(c)
	return c.Out[0].Shape, err
}

// detectionMap is a FlexBuffer: max_detections 10, max_classes_per_detection 1,
// nms_iou_threshold 0.5, num_classes 3, and scales of 1.
func detectionMap(t *testing.T) []byte {
	t.Helper()
	// Keys, then the vector of their offsets, then values and types.
	names := []string{"h_scale", "max_classes_per_detection", "max_detections", "nms_iou_threshold", "num_classes", "w_scale", "x_scale", "y_scale"}
	values := []byte{1, 1, 10, 1, 3, 1, 1, 1}
	var b []byte
	at := make([]int, len(names))
	for i, n := range names {
		at[i] = len(b)
		b = append(append(b, n...), 0)
	}
	b = append(b, byte(len(names)))
	keys := len(b)
	for i := range names {
		b = append(b, byte(len(b)-at[i]))
	}
	b = append(b, byte(len(b)-keys), 1, byte(len(names)))
	root := len(b)
	b = append(b, values...)
	for range values {
		b = append(b, 1<<2)
	}
	return append(b, byte(len(b)-root), 9<<2, 1)
}

// TestFacts holds what no golden shows: unknown shapes and bad operands.
func TestFacts(t *testing.T) {
	box := detectionMap(t)
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		out     tensor.DType
		in      []op.Fact
		want    tensor.Shape
		err     error
	}{
		{"k of rows", TopK, nil, tensor.Int32, []op.Fact{floats(-1, 5), scalar(2)}, tensor.Shape{-1, 2}, nil},
		{"k of unknown rows", TopK, nil, tensor.Int32, []op.Fact{floats(2, -1), scalar(2)}, tensor.Shape{2, 2}, nil},
		{"unknown k", TopK, nil, tensor.Int32, []op.Fact{floats(5), numbers()}, nil, op.ErrLater},
		{"unknown input", TopK, nil, tensor.Int32, []op.Fact{unknown, scalar(2)}, nil, op.ErrLater},
		{"k of a scalar", TopK, nil, tensor.Int32, []op.Fact{floats(), scalar(2)}, nil, tensor.ErrShape},
		{"k too large", TopK, nil, tensor.Int32, []op.Fact{floats(5), scalar(6)}, nil, tensor.ErrShape},
		{"several k", TopK, nil, tensor.Int32, []op.Fact{floats(5), known(tensor.Shape{2}, 1, 2)}, nil, tensor.ErrShape},
		{"positions too small", TopK, nil, tensor.Int16, []op.Fact{floats(40000), scalar(6)}, nil, tensor.ErrShape},
		{"unique", Unique, nil, tensor.Int32, []op.Fact{floats(5)}, nil, op.ErrLater},
		{"unique of a matrix", Unique, nil, tensor.Int32, []op.Fact{floats(5, 2)}, nil, tensor.ErrShape},
		{"unique to float", Unique, &fb.UniqueOptionsT{}, tensor.Int32, []op.Fact{floats(5)}, nil, tensor.ErrUnsupported},
		{"one hot", OneHot, &fb.OneHotOptionsT{Axis: 1}, tensor.Float32, []op.Fact{numbers(2, -1), scalar(3), floats(), floats(1)}, tensor.Shape{2, 3, -1}, nil},
		{"one hot of unknown depth", OneHot, &fb.OneHotOptionsT{Axis: -1}, tensor.Float32, []op.Fact{numbers(2), numbers(), floats(), floats()}, nil, op.ErrLater},
		{"negative depth", OneHot, &fb.OneHotOptionsT{Axis: -1}, tensor.Float32, []op.Fact{numbers(2), scalar(-1), floats(), floats()}, nil, tensor.ErrShape},
		{"axis too large", OneHot, &fb.OneHotOptionsT{Axis: 2}, tensor.Float32, []op.Fact{numbers(2), scalar(3), floats(), floats()}, nil, tensor.ErrShape},
		{"axis too small", OneHot, &fb.OneHotOptionsT{Axis: -2}, tensor.Float32, []op.Fact{numbers(2), scalar(3), floats(), floats()}, nil, tensor.ErrShape},
		{"several on values", OneHot, &fb.OneHotOptionsT{}, tensor.Float32, []op.Fact{numbers(2), scalar(3), floats(2), floats()}, nil, tensor.ErrShape},
		{"on and off of two types", OneHot, &fb.OneHotOptionsT{}, tensor.Float32, []op.Fact{numbers(2), scalar(3), floats(), numbers()}, nil, tensor.ErrType},
		{"sparse", SparseToDense, nil, tensor.Float32, []op.Fact{numbers(-1, 2), known(tensor.Shape{2}, 4, 5), floats(3), floats()}, tensor.Shape{4, 5}, nil},
		{"sparse of unknown shape", SparseToDense, nil, tensor.Float32, []op.Fact{numbers(3, 2), numbers(2), floats(3), floats()}, nil, op.ErrLater},
		{"indices of another rank", SparseToDense, nil, tensor.Float32, []op.Fact{numbers(3, 3), known(tensor.Shape{2}, 4, 5), floats(3), floats()}, nil, tensor.ErrShape},
		{"values for other indices", SparseToDense, nil, tensor.Float32, []op.Fact{numbers(3, 2), known(tensor.Shape{2}, 4, 5), floats(4), floats()}, nil, tensor.ErrShape},
		{"negative dimension", SparseToDense, nil, tensor.Float32, []op.Fact{numbers(3, 2), known(tensor.Shape{2}, 4, -5), floats(3), floats()}, nil, tensor.ErrShape},
		{"result of rank 5", SparseToDense, nil, tensor.Float32, []op.Fact{numbers(3, 5), known(tensor.Shape{5}, 1, 1, 1, 1, 1), floats(3), floats()}, nil, tensor.ErrShape},
		{"default of another type", SparseToDense, nil, tensor.Float32, []op.Fact{numbers(3, 1), known(tensor.Shape{1}, 4), floats(3), numbers()}, nil, tensor.ErrType},
		{"diagonals", MatrixDiag, nil, tensor.Float32, []op.Fact{floats(-1, 3)}, tensor.Shape{-1, 3, 3}, nil},
		{"diagonal of a scalar", MatrixDiag, nil, tensor.Float32, []op.Fact{floats()}, nil, tensor.ErrShape},
		{"set diagonals", MatrixSetDiag, nil, tensor.Float32, []op.Fact{floats(-1, 3, 2), floats(-1, 2)}, tensor.Shape{-1, 3, 2}, nil},
		{"too short a diagonal", MatrixSetDiag, nil, tensor.Float32, []op.Fact{floats(3, 3), floats(2)}, nil, tensor.ErrShape},
		{"longer diagonals", MatrixSetDiag, nil, tensor.Float32, []op.Fact{floats(2, 3, 3), floats(7)}, tensor.Shape{2, 3, 3}, nil},
		{"diagonal of another type", MatrixSetDiag, nil, tensor.Float32, []op.Fact{floats(3, 3), numbers(3)}, nil, tensor.ErrType},
		{"diagonal into a vector", MatrixSetDiag, nil, tensor.Float32, []op.Fact{floats(3), floats(3)}, nil, tensor.ErrShape},
		{"boxes", NonMaxSuppressionV4, nil, tensor.Int32, []op.Fact{floats(-1, 4), floats(7), scalar(3), floats(), floats()}, tensor.Shape{3}, nil},
		{"unknown number of boxes", NonMaxSuppressionV4, nil, tensor.Int32, []op.Fact{floats(7, 4), floats(7), numbers(), floats(), floats()}, nil, op.ErrLater},
		{"boxes of five corners", NonMaxSuppressionV4, nil, tensor.Int32, []op.Fact{floats(7, 5), floats(7), scalar(3), floats(), floats()}, nil, tensor.ErrShape},
		{"other scores", NonMaxSuppressionV4, nil, tensor.Int32, []op.Fact{floats(7, 4), floats(6), scalar(3), floats(), floats()}, nil, tensor.ErrShape},
		{"threshold of rank 1", NonMaxSuppressionV4, nil, tensor.Int32, []op.Fact{floats(7, 4), floats(7), scalar(3), floats(1), floats()}, nil, tensor.ErrShape},
		{"negative number of boxes", NonMaxSuppressionV4, nil, tensor.Int32, []op.Fact{floats(7, 4), floats(7), scalar(-3), floats(), floats()}, nil, tensor.ErrMalformed},
		{"detection", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(1, -1, 4), floats(1, 6, 4), floats(6, 4)}, tensor.Shape{1, 10, 4}, nil},
		{"other anchors", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(1, 6, 4), floats(1, 6, 4), floats(5, 4)}, nil, tensor.ErrShape},
		{"two batches", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(2, 6, 4), floats(2, 6, 4), floats(6, 4)}, nil, tensor.ErrShape},
		{"other classes", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(1, 6, 4), floats(1, 6, 5), floats(6, 4)}, nil, tensor.ErrShape},
		{"more anchors", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(1, 6, 4), floats(1, 6, 4), floats(12, 4)}, tensor.Shape{1, 10, 4}, nil},
		{"anchors in other rows", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(1, 6, 4), floats(1, 6, 4), floats(3, 8)}, tensor.Shape{1, 10, 4}, nil},
		{"part of an anchor", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(1, 6, 4), floats(1, 6, 4), floats(23, 1)}, nil, tensor.ErrShape},
		{"anchors of rank 3", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(1, 6, 4), floats(1, 6, 4), floats(1, 6, 4)}, nil, tensor.ErrShape},
		{"anchors of another type", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(1, 6, 4), floats(1, 6, 4), typed(tensor.UInt8, 6, 4)}, nil, tensor.ErrType},
		{"no parameters", DetectionPostProcess, nil, tensor.Float32, []op.Fact{floats(1, 6, 4), typed(tensor.UInt8, 1, 6, 4), floats(6, 4)}, nil, tensor.ErrMalformed},
	} {
		got, err := derive(c.def, c.options, box, c.out, c.in...)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		} else if err == nil && !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if _, err := derive(DetectionPostProcess, nil, nil, tensor.Float32, floats(1, 6, 4), floats(1, 6, 4), floats(6, 4)); !errors.Is(err, tensor.ErrMalformed) {
		t.Errorf("detection without options: %v", err)
	}
}

// TestBadValues gives kernels operands that only they can refuse.
func TestBadValues(t *testing.T) {
	value := func(s tensor.Shape, v ...float32) op.Fact {
		return op.Fact{Present: true, DType: tensor.Float32, Shape: s, Const: append(tensor.Aligned(0), tensor.BytesOf(v)...)}
	}
	one := value(tensor.Shape{}, 1)
	boxes := value(tensor.Shape{1, 4}, 0, 0, 1, 1)
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		in      []op.Fact
	}{
		{"index out of range", SparseToDense, nil, []op.Fact{known(tensor.Shape{1}, 4), known(tensor.Shape{1}, 4), one, one}},
		{"negative index", SparseToDense, nil, []op.Fact{known(tensor.Shape{1}, -1), known(tensor.Shape{1}, 4), one, one}},
		{"negative sigma", NonMaxSuppressionV5, nil, []op.Fact{boxes, value(tensor.Shape{1}, 1), scalar(1), one, one, value(tensor.Shape{}, -1)}},
		{"falling boundaries", Bucketize, &fb.BucketizeOptionsT{Boundaries: []float32{1, 0}}, []op.Fact{one}},
	} {
		n := &graph.Node{Op: c.def.Code, Options: c.options}
		call := &op.Call{Node: n, In: c.in, Out: make([]op.Fact, len(c.def.Operands.Outs))}
		for i, o := range c.def.Operands.Outs {
			call.Out[i] = op.Fact{Present: true, DType: tensor.Float32}
			if !o.Types.Has(tensor.Float32) {
				call.Out[i].DType = tensor.Int32
			}
		}
		if err := c.def.Facts(call); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if _, err := op.Evaluate(c.def, call); !errors.Is(err, tensor.ErrMalformed) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
