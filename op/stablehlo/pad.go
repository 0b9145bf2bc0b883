package stablehlo

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Pad is STABLEHLO_PAD: a value before, behind and between the elements along each
// axis. Negative padding at an edge removes what is there, interior padding
// included.
var Pad = def(schema.STABLEHLO_PAD, "2.16.0",
	op.In("operand", wholeBytes).In("padding_value", wholeBytes).Like(0).Out("result", wholeBytes).Like(0), padFacts,
	func(c *op.Call) (op.Kernel, error) {
		o, err := padOptions(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		var s spread
		for i, low := range o.EdgePaddingLow {
			s.low[i], s.step[i] = int(low), int(o.InteriorPadding[i])+1
		}
		return op.Kernel{Run: func(r *op.Run) error { return s.run(r, r.In[1]) }}, nil
	})

// Dilate is DILATE: dilations[i] − 1 values between the elements along axis i.
var Dilate = def(schema.DILATE, "2.15.0",
	op.In("input", wholeBytes).In("dilations", op.I32).In("padding_value", wholeBytes).Like(0).Out("output", wholeBytes).Like(0), dilateFacts,
	op.Plain(func(r *op.Run) error {
		var s spread
		for i, d := range op.I32s(r.In[1]) {
			s.step[i] = int(d)
		}
		return s.run(r, r.In[2])
	}))

// padOptions returns paddings that are in range, a low, a high and an interior one
// for each axis.
func padOptions(n *graph.Node) (*fb.StablehloPadOptionsT, error) {
	o := graph.Options[fb.StablehloPadOptionsT](n)
	rank := len(o.EdgePaddingLow)
	if rank > maxRank || len(o.EdgePaddingHigh) != rank || len(o.InteriorPadding) != rank {
		return nil, fmt.Errorf("%d low, %d high and %d interior paddings: %w", rank, len(o.EdgePaddingHigh), len(o.InteriorPadding), tensor.ErrMalformed)
	}
	for i, interior := range o.InteriorPadding {
		low, high := o.EdgePaddingLow[i], o.EdgePaddingHigh[i]
		if interior < 0 || max(low, high, interior) > maxSize || min(low, high) < -maxSize {
			return nil, fmt.Errorf("paddings %d, %d and %d: %w", low, high, interior, tensor.ErrMalformed)
		}
	}
	return o, nil
}

func padFacts(c *op.Call) error {
	o, err := padOptions(c.Node)
	if err != nil {
		return err
	}
	in, err := ranked(c, 0, 1, maxRank)
	if err != nil {
		return err
	}
	if err := c.CheckSingle(1); err != nil {
		return err
	}
	if len(o.EdgePaddingLow) != len(in) {
		return fmt.Errorf("paddings of %d axes of an operand of shape %v: %w", len(o.EdgePaddingLow), in, tensor.ErrShape)
	}
	out, empty := in.Clone(), false
	for i, n := range in {
		if n >= 0 {
			out[i] = n + max(n-1, 0)*int(o.InteriorPadding[i]) + int(o.EdgePaddingLow[i]+o.EdgePaddingHigh[i])
			empty = empty || out[i] <= 0
		}
	}
	if empty { // LiteRT's result has no elements along any axis then
		clear(out)
	}
	c.SetResult(0, c.In[0].DType, out)
	return nil
}

func dilateFacts(c *op.Call) error {
	in, err := ranked(c, 0, 1, maxRank)
	if err != nil {
		return err
	}
	if err := c.CheckSingle(2); err != nil {
		return err
	}
	dilations, err := c.Ints(1)
	if err != nil {
		return err
	}
	if len(c.In[1].Shape) != 1 || len(dilations) != len(in) {
		return fmt.Errorf("dilations of shape %v for an input of shape %v: %w", c.In[1].Shape, in, tensor.ErrShape)
	}
	out := in.Clone()
	for i, d := range dilations {
		if d < 1 {
			return fmt.Errorf("dilation %d: %w", d, tensor.ErrMalformed)
		}
		if in[i] > 0 {
			out[i] = (in[i]-1)*d + 1
		}
	}
	c.SetResult(0, c.In[0].DType, out)
	return nil
}

// spread places element i of an axis at low + i·step of the result, unless it falls
// outside.
type spread struct{ low, step dims }

func (s *spread) run(r *op.Run, value tensor.Tensor) error {
	in, out := r.In[0].Shape(), r.Out[0].Shape()
	src, dst, size := r.In[0].Bytes(), r.Out[0].Bytes(), r.Out[0].DType().Size()
	for n := copy(dst, value.Bytes()); n < len(dst); {
		n += copy(dst[n:], dst[:n])
	}
	var index dims
	for i := range r.In[0].Len() {
		if i%polled == 0 && r.Stop() {
			return op.ErrStopped
		}
		at, inside := 0, true
		for k, n := range out {
			p := s.low[k] + index[k]*s.step[k]
			inside = inside && p >= 0 && p < n
			at = at*n + p
		}
		if inside {
			copy(dst[at*size:(at+1)*size], src[i*size:])
		}
		index.next(in)
	}
	return nil
}
