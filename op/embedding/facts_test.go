package embedding

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

func numbers(v ...int32) op.Fact {
	t, err := tensor.Of(tensor.Shape{len(v)}, v...)
	if err != nil {
		panic(err)
	}
	return op.Fact{Present: true, DType: tensor.Int32, Shape: t.Shape(), Const: t.Bytes()}
}

func TestFacts(t *testing.T) {
	bits := &fb.LSHProjectionOptionsT{Type: fb.LSHProjectionTypeDENSE}
	words := &fb.LSHProjectionOptionsT{Type: fb.LSHProjectionTypeSPARSE}
	text := op.Fact{Present: true, DType: tensor.String, Shape: tensor.Shape{4, 2}}
	for _, c := range []struct {
		name    string
		def     *op.Def
		options any
		in      []op.Fact
		want    tensor.Shape
		err     error
	}{
		{"rows", Lookup, nil, []op.Fact{operand(-1), operand(9, 4, 2)}, tensor.Shape{-1, 4, 2}, nil},
		{"a matrix of ids", Lookup, nil, []op.Fact{operand(2, 2), operand(9, 4)}, nil, tensor.ErrShape},
		{"a table of rank 1", Lookup, nil, []op.Fact{operand(2), operand(9)}, nil, tensor.ErrShape},
		{"sparse", LookupSparse, nil, []op.Fact{operand(3), operand(3, 2), numbers(5, 4), operand(3), operand(9, 8)}, tensor.Shape{5, 8}, nil},
		{"sparse with a shape that comes later", LookupSparse, nil, []op.Fact{operand(3), operand(3, 2), operand(2), operand(3), operand(9, 8)}, nil, op.ErrLater},
		{"sparse with 2 weights", LookupSparse, nil, []op.Fact{operand(3), operand(3, 2), numbers(5, 4), operand(2), operand(9, 8)}, nil, tensor.ErrShape},
		{"sparse of another rank", LookupSparse, nil, []op.Fact{operand(3), operand(3, 2), numbers(5, 4, 1), operand(3), operand(9, 8)}, nil, tensor.ErrShape},
		{"sparse of a negative size", LookupSparse, nil, []op.Fact{operand(3), operand(3, 2), numbers(-5, 4), operand(3), operand(9, 8)}, nil, tensor.ErrShape},
		{"keys", HashtableLookup, nil, []op.Fact{operand(3), operand(4), operand(4, 2)}, tensor.Shape{3, 2}, nil},
		{"too few keys", HashtableLookup, nil, []op.Fact{operand(3), operand(3), operand(4, 2)}, nil, tensor.ErrShape},
		{"a table of no rows", HashtableLookup, nil, []op.Fact{operand(3), operand(0), operand(0, 2)}, nil, tensor.ErrShape},
		{"a matrix of strings", HashtableLookup, nil, []op.Fact{operand(3), operand(4), text}, nil, tensor.ErrShape},
		{"projection to bits", LSHProjection, bits, []op.Fact{operand(3, 4), operand(5, 2), operand(5)}, tensor.Shape{12}, nil},
		{"projection to numbers", LSHProjection, words, []op.Fact{operand(3, 4), operand(5)}, tensor.Shape{3}, nil},
		{"projection of unknown type", LSHProjection, nil, []op.Fact{operand(3, 4), operand(5)}, nil, tensor.ErrUnsupported},
		{"projection to 33 bits", LSHProjection, words, []op.Fact{operand(3, 33), operand(5)}, nil, tensor.ErrShape},
		{"projection of nothing", LSHProjection, words, []op.Fact{operand(3, 4), operand(0)}, nil, tensor.ErrShape},
		{"projection with 4 weights", LSHProjection, words, []op.Fact{operand(3, 4), operand(5), operand(4)}, nil, tensor.ErrShape},
		{"n-grams", SkipGram, nil, []op.Fact{text}, nil, op.ErrLater},
	} {
		if c.def == HashtableLookup {
			c.in[0].DType, c.in[1].DType = tensor.Int32, tensor.Int32
		}
		call := &op.Call{Node: &graph.Node{Op: c.def.Code, Options: c.options}, In: c.in, Out: make([]op.Fact, len(c.def.Operands.Outs))}
		err := c.def.Facts(call)
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
		if d := cmp.Diff(c.want, call.Out[0].Shape); err == nil && d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestRowOutOfRange: ids that no row has are an error in tables of every form.
func TestRowOutOfRange(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float32, tensor.Int8, tensor.Int4} {
		table := op.Fact{Present: true, DType: d, Shape: tensor.Shape{2, 4}, Quant: tensor.PerTensor(1, 0)}
		c := &op.Call{Node: &graph.Node{}, In: []op.Fact{operand(1), table}, Out: []op.Fact{operand(1, 4)}}
		k, err := Lookup.Ref(c)
		if err != nil {
			t.Fatal(err)
		}
		values, _ := tensor.Zeros(d, table.Shape)
		for id, want := range map[int32]error{0: nil, 1: nil, 2: tensor.ErrShape, -1: tensor.ErrShape} {
			ids, _ := tensor.Of(tensor.Shape{1}, id)
			out, _ := tensor.Zeros(tensor.Float32, tensor.Shape{1, 4})
			if err := k.Run(&op.Run{In: []tensor.Tensor{ids, values}, Out: []tensor.Tensor{out}}); !errors.Is(err, want) {
				t.Errorf("%v table, row %d: %v, want %v", d, id, err, want)
			}
		}
	}
}

// TestSkipGramLimit: texts whose n-grams do not end are refused.
func TestSkipGramLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 256 MiB of strings")
	}
	k, err := SkipGram.Ref(&op.Call{Node: &graph.Node{Options: &fb.SkipGramOptionsT{NgramSize: 30, MaxSkipSize: 40}}})
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 0, 120)
	for range 60 {
		text = append(text, "a "...)
	}
	in, _ := tensor.OfStrings(tensor.Shape{1}, text)
	if err := k.Run(&op.Run{In: []tensor.Tensor{in}, Out: make([]tensor.Tensor, 1)}); !errors.Is(err, tensor.ErrLimit) {
		t.Errorf("%v, want %v", err, tensor.ErrLimit)
	}
}
