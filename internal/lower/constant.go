package lower

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/tensor"
)

// bytesOf returns a constant's bytes, aligned for kernels and never nil.
func bytesOf(t tensor.Tensor) []byte {
	if b := t.Bytes(); len(b) > 0 && tensor.IsAligned(b, 16) {
		return b
	}
	b := tensor.Aligned(len(t.Bytes()))
	copy(b, t.Bytes())
	return b
}

// add adds a constant.
func (c *call) add(v graph.Value) graph.ValueID {
	if c.err != nil {
		return graph.None
	}
	return c.b.sub.Add(v)
}

// int32s adds an int32 constant of a shape.
func (c *call) int32s(s tensor.Shape, origins []string, v ...int) graph.ValueID {
	if n, err := s.Elems(); err != nil || n != len(v) {
		c.fail("%d integers for shape %v: %w", len(v), s, tensor.ErrShape)
		return graph.None
	}
	data := tensor.Aligned(4 * len(v))
	for i, x := range v {
		if x != int(int32(x)) {
			c.fail("%d does not fit int32: %w", x, tensor.ErrUnsupported)
		}
		tensor.View[int32](data)[i] = int32(x)
	}
	return c.add(graph.Value{DType: tensor.Int32, Shape: s, Const: data, Origins: origins})
}

// float adds a float32 scalar.
func (c *call) float(x float32) graph.ValueID {
	return c.add(graph.Value{DType: tensor.Float32, Shape: tensor.Shape{}, Const: tensor.BytesOf([]float32{x})})
}

// zeros adds a float32 vector of zeros: the bias of what has none.
func (c *call) zeros(n int) graph.ValueID {
	const most = 1 << 26
	if c.err != nil || n < 0 || n > most {
		c.fail("%d channels: %w", n, tensor.ErrLimit)
		return graph.None
	}
	return c.add(graph.Value{DType: tensor.Float32, Shape: tensor.Shape{n}, Const: tensor.Aligned(4 * n), Origins: c.origins()})
}

// transpose returns v in another order of axes, as tf.transpose takes it. A
// constant is permuted here, whatever it holds; parameters remember how.
func (c *call) transpose(v graph.ValueID, perm ...int) graph.ValueID {
	if c.err != nil {
		return graph.None
	}
	x := c.val(v)
	if !x.IsConst() {
		return c.emit(schema.TRANSPOSE, nil, v, c.int32s(tensor.Shape{len(perm)}, c.origins(), perm...))
	}
	key := permutation{v, fmt.Sprint(perm)}
	if id, ok := c.b.permuted[key]; ok {
		c.b.sub.Value(id).Origins = nil // one of several, merged
		return id
	}
	t, err := transposed(x.Tensor(), perm)
	if err != nil {
		c.fail("%w", err)
		return graph.None
	}
	id := c.add(graph.Value{DType: x.DType, Shape: t.Shape(), Const: t.Bytes(), Origins: c.origins(), Param: permutedParam(x.Param, perm)})
	c.b.permuted[key] = id
	return id
}

// permutedParam describes a parameter whose value was permuted (once more).
func permutedParam(p *graph.Param, perm []int) *graph.Param {
	if p == nil {
		return nil
	}
	q := *p
	q.Perm = slices.Clone(perm)
	if p.Perm != nil {
		for i, a := range perm {
			q.Perm[i] = p.Perm[a]
		}
	}
	return &q
}

// reshaped returns v under another shape of the same size. A constant keeps its
// bytes; one that holds a permuted parameter is reshaped by a node in training.
func (c *call) reshaped(v graph.ValueID, s tensor.Shape) graph.ValueID {
	if c.err != nil {
		return graph.None
	}
	x := c.val(v)
	permuted := x.Param != nil && x.Param.Perm != nil
	if !x.IsConst() || permuted && c.b.train {
		return c.emit(schema.RESHAPE, nil, v, c.int32s(tensor.Shape{len(s)}, c.origins(), s...))
	}
	if _, err := x.Tensor().Reshaped(s); err != nil {
		c.fail("%w", err)
	}
	y := graph.Value{DType: x.DType, Shape: s, Const: x.Const, Origins: c.origins()}
	if !permuted {
		y.Param = x.Param
	}
	return c.add(y)
}

// transposed permutes the axes of a tensor of whole-byte elements.
func transposed(t tensor.Tensor, perm []int) (tensor.Tensor, error) {
	in, size := t.Shape(), t.DType().Size()
	if len(perm) != len(in) || size == 0 {
		return t, fmt.Errorf("%v%v does not transpose by %v: %w", t.DType(), in, perm, tensor.ErrShape)
	}
	strides := make([]int, len(in)) // of the input, in bytes
	for i, n := len(in)-1, size; i >= 0; i-- {
		strides[i] = n
		n *= in[i]
	}
	shape, step, seen := make(tensor.Shape, len(in)), make([]int, len(in)), make([]bool, len(in))
	for i, p := range perm {
		if p < 0 || p >= len(in) || seen[p] {
			return t, fmt.Errorf("permutation %v: %w", perm, tensor.ErrMalformed)
		}
		seen[p], shape[i], step[i] = true, in[p], strides[p]
	}
	src, dst := t.Bytes(), tensor.Aligned(len(t.Bytes()))
	at, pos := make([]int, len(shape)), 0
	for to := 0; to < len(dst); to += size {
		copy(dst[to:to+size], src[pos:pos+size])
		for i := len(shape) - 1; i >= 0; i-- {
			at[i]++
			pos += step[i]
			if at[i] < shape[i] {
				break
			}
			pos -= step[i] * shape[i]
			at[i] = 0
		}
	}
	return tensor.Raw(t.DType(), shape, tensor.Quant{}, dst), nil
}
