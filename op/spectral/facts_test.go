package spectral

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func floats(s ...int) op.Fact { return op.Fact{Present: true, DType: tensor.Float32, Shape: s} }

func known(v ...int32) op.Fact {
	return op.Fact{Present: true, DType: tensor.Int32, Shape: tensor.Shape{len(v)}, Const: append(tensor.Aligned(0), tensor.BytesOf(v)...)}
}

// TestFacts holds what no golden shows: unknown shapes and bad operands.
func TestFacts(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []op.Fact
		want tensor.Shape
		err  error
	}{
		{"transform", []op.Fact{floats(-1, 5, -1), known(4, 8)}, tensor.Shape{-1, 4, 5}, nil},
		{"unknown lengths", []op.Fact{floats(5, 5), {Present: true, DType: tensor.Int32, Shape: tensor.Shape{2}}}, nil, op.ErrLater},
		{"unknown input", []op.Fact{{Present: true, Unknown: true}, known(4, 8)}, nil, op.ErrLater},
		{"no power of two", []op.Fact{floats(5, 5), known(4, 6)}, nil, tensor.ErrShape},
		{"negative length", []op.Fact{floats(5, 5), known(-4, 8)}, nil, tensor.ErrShape},
		{"three lengths", []op.Fact{floats(5, 5), known(4, 8, 2)}, nil, tensor.ErrShape},
		{"of a vector", []op.Fact{floats(5), known(4, 8)}, nil, tensor.ErrShape},
	} {
		k := &op.Call{Node: &graph.Node{Op: RFFT2D.Code}, In: c.in, Out: []op.Fact{{Present: true}}}
		if err := RFFT2D.Facts(k); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		} else if err == nil && !slices.Equal(k.Out[0].Shape, c.want) {
			t.Errorf("%s: %v, want %v", c.name, k.Out[0].Shape, c.want)
		}
	}
}

// TestCustomOptions tests that custom operators refuse options that are no map.
func TestCustomOptions(t *testing.T) {
	for _, d := range []*op.Def{AudioSpectrogram, Mfcc, HadamardRotation} {
		for _, options := range [][]byte{nil, {1, 4, 1}, {0, 0, 0, 0, 0, 0}} {
			c := &op.Call{Node: &graph.Node{Op: d.Code, CustomOptions: options}, In: []op.Fact{floats(1, 1, 1), known(1)}, Out: []op.Fact{{Present: true}}}
			if _, err := d.Ref(c); !errors.Is(err, tensor.ErrMalformed) {
				t.Errorf("%s with options %v: %v", d.Name, options, err)
			}
		}
	}
}

// TestTransform compares transforms with the sums that define them.
func TestTransform(t *testing.T) {
	for n := 1; n <= 64; n *= 2 {
		var f transform
		f.resize(n)
		re, im := make([]float64, n), make([]float64, n)
		for i := range n {
			re[i], im[i] = float64(i*i%7)-3, float64(i*5%11)/4
		}
		wantRe, wantIm := make([]float64, n), make([]float64, n)
		for k := range n {
			for j := range n {
				s, c := math.Sincos(-2 * math.Pi * float64(j*k%n) / float64(n))
				wantRe[k] += re[j]*c - im[j]*s
				wantIm[k] += re[j]*s + im[j]*c
			}
		}
		f.forward(re, im)
		for k := range n {
			if math.Abs(re[k]-wantRe[k]) > 1e-12*float64(n) || math.Abs(im[k]-wantIm[k]) > 1e-12*float64(n) {
				t.Fatalf("length %d, sum %d: %v%+vi, want %v%+vi", n, k, re[k], im[k], wantRe[k], wantIm[k])
			}
		}
	}
}
