package pool

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func operand(s ...int) op.Fact { return op.Fact{Present: true, DType: tensor.Float32, Shape: s} }

// params is a TfLitePoolParams.
func params(fields ...int32) []byte {
	var b []byte
	for i := range 10 {
		v := int32(0)
		if i < len(fields) {
			v = fields[i]
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func TestCustomFacts(t *testing.T) {
	for _, c := range []struct {
		name    string
		def     *op.Def
		options []byte
		in      []op.Fact
		want    tensor.Shape
		err     error
	}{
		{"maxima, SAME", MaxPoolArgmax, params(1, 3, 2, 3, 2), []op.Fact{operand(-1, 5, 7, 4)}, tensor.Shape{-1, 3, 3, 4}, nil},
		{"maxima, VALID", MaxPoolArgmax, params(2, 3, 2, 3, 2), []op.Fact{operand(1, 5, 7, 4)}, tensor.Shape{1, 2, 2, 4}, nil},
		{"padding 0", MaxPoolArgmax, params(0, 3, 2, 3, 2), []op.Fact{operand(1, 5, 7, 4)}, nil, tensor.ErrMalformed},
		{"overlapping windows", MaxPoolArgmax, params(2, 1, 1, 3, 2), []op.Fact{operand(1, 5, 7, 4)}, nil, tensor.ErrUnsupported},
		{"an activation", MaxPoolArgmax, params(2, 3, 2, 3, 2, 1), []op.Fact{operand(1, 5, 7, 4)}, nil, tensor.ErrUnsupported},
		{"window of 0", MaxPoolArgmax, params(2), []op.Fact{operand(1, 5, 7, 4)}, nil, tensor.ErrMalformed},
		{"short options", MaxPoolArgmax, make([]byte, 23), []op.Fact{operand(1, 5, 7, 4)}, nil, tensor.ErrMalformed},
		{"rank 3", MaxPoolArgmax, params(1, 3, 2, 3, 2), []op.Fact{operand(5, 7, 4)}, nil, tensor.ErrShape},
		{"inverse", MaxUnpool, params(2, 3, 2, 3, 2), []op.Fact{operand(1, 5, 7, 4), operand(1, 5, 7, 4)}, tensor.Shape{1, 10, 21, 4}, nil},
		{"inverse beyond reason", MaxUnpool, params(2, 1<<20, 1<<20, 1<<20, 1<<20), []op.Fact{operand(0, 1<<12, 7, 4), operand(0, 1<<12, 7, 4)}, nil, tensor.ErrLimit},
		{"indices of another shape", MaxUnpool, params(2, 3, 2, 3, 2), []op.Fact{operand(1, 5, 7, 4), operand(1, 5, 7, 3)}, nil, tensor.ErrShape},
	} {
		call := &op.Call{Node: &graph.Node{Op: graph.Custom, Custom: c.def.Name, CustomOptions: c.options}, In: c.in, Out: make([]op.Fact, len(c.def.Operands.Outs))}
		err := c.def.Facts(call)
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
		if d := cmp.Diff(c.want, call.Out[0].Shape); err == nil && d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestUnpoolIndices: indices outside the window are refused.
func TestUnpoolIndices(t *testing.T) {
	k, err := MaxUnpool.Ref(&op.Call{Node: &graph.Node{Op: graph.Custom, CustomOptions: params(2, 2, 2, 2, 2)}})
	if err != nil {
		t.Fatal(err)
	}
	for index, want := range map[int32]error{0: nil, 3: nil, 4: tensor.ErrShape, -1: tensor.ErrShape, 1 << 30: tensor.ErrShape} {
		in, _ := tensor.Of(tensor.Shape{1, 1, 1, 1}, float32(1))
		at, _ := tensor.Of(tensor.Shape{1, 1, 1, 1}, index)
		out, _ := tensor.Zeros(tensor.Float32, tensor.Shape{1, 2, 2, 1})
		if err := k.Run(&op.Run{In: []tensor.Tensor{in, at}, Out: []tensor.Tensor{out}}); !errors.Is(err, want) {
			t.Errorf("index %d: %v, want %v", index, err, want)
		}
	}
}
