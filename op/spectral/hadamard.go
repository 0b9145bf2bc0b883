package spectral

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/flexbuffers"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// HadamardRotation is the custom operator aeq.hadamard_rotation: the normalized
// Walsh-Hadamard transform of each hadamard_size elements; sizes that are no powers of
// two change nothing. As in LiteRT as many are transformed as fit into the rows, from
// the first element on without regard to where rows begin; the rest is copied. Rows
// are those of a matrix or a list of matrices; of higher ranks the first two
// dimensions count, as if there were no others.
var HadamardRotation = &op.Def{
	Code:     graph.Custom,
	Name:     "aeq.hadamard_rotation",
	Operands: op.In("input", op.F32).Out("output", op.F32),
	Facts:    hadamardFacts,
	Alias:    []int{0},
	Version:  version1,
	Quant:    float,
	Ref: func(c *op.Call) (op.Kernel, error) {
		n, err := hadamardSize(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		return op.Kernel{Run: func(r *op.Run) error { return rotate(r, n) }}, nil
	},
}

func hadamardSize(n *graph.Node) (int, error) {
	m, err := flexbuffers.Root(n.CustomOptions)
	if err != nil {
		return 0, err
	}
	size := int(int32(m.Get("hadamard_size").Int()))
	if size == 0 {
		return 0, fmt.Errorf("transforms of no elements: %w", tensor.ErrMalformed)
	}
	return size, nil
}

func hadamardFacts(c *op.Call) error {
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	if len(s) < 2 {
		return fmt.Errorf("rotation of shape %v: %w", s, tensor.ErrShape)
	}
	c.SetResult(0, tensor.Float32, s)
	return nil
}

func rotate(r *op.Run, size int) error {
	out := op.F32s(r.Out[0])
	copy(out, op.F32s(r.In[0]))
	if len(out) == 0 || !powerOfTwo(size) {
		return nil
	}
	s := r.In[0].Shape()
	if len(s) != 3 {
		s = s[:2]
	}
	rows := 1
	for _, d := range s[:len(s)-1] {
		rows *= d
	}
	norm := float32(1 / math.Sqrt(float64(size)))
	for i := range rows * (s[len(s)-1] / size) {
		if r.Stop() {
			return op.ErrStopped
		}
		hadamard(out[i*size:][:size], norm)
	}
	return nil
}

// hadamard transforms in place.
func hadamard(v []float32, norm float32) {
	for half := 1; half < len(v); half *= 2 {
		for start := 0; start < len(v); start += 2 * half {
			for i := start; i < start+half; i++ {
				a, b := v[i], v[i+half]
				v[i], v[i+half] = a+b, a-b
			}
		}
	}
	for i := range v {
		v[i] *= norm
	}
}
