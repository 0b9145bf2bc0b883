package pool

import (
	"encoding/binary"
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/window"
	"github.com/litequant/litequant/tensor"
)

// MaxPoolArgmax is MediaPipe's MaxPoolingWithArgmax2D over [N,H,W,C]: the maxima of
// windows that do not overlap, and where in its window each one lies. As in XNNPACK,
// positions are counted column by column and stored as the bits of an int32, though
// the result's type is float32. Its options are a TfLitePoolParams.
var MaxPoolArgmax = &op.Def{
	Code:     graph.Custom,
	Name:     "MaxPoolingWithArgmax2D",
	Operands: op.In("input", op.F32).Out("output", op.F32).Out("indices", op.F32),
	Facts:    argmaxFacts,
	Quant:    op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		p, err := customParams(c.Node)
		return op.Kernel{Run: func(r *op.Run) error { return poolArgmax(r, p) }}, err
	},
}

// MaxUnpool is MediaPipe's MaxUnpooling2D, the inverse of MaxPoolArgmax: values go
// to where their indices say, all else is 0.
var MaxUnpool = &op.Def{
	Code:     graph.Custom,
	Name:     "MaxUnpooling2D",
	Operands: op.In("input", op.F32).In("indices", op.F32).Out("output", op.F32),
	Facts:    unpoolFacts,
	Quant:    op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		p, err := customParams(c.Node)
		return op.Kernel{Run: func(r *op.Run) error { return unpool(r, p) }}, err
	},
}

// customParams reads a TfLitePoolParams: padding (1 SAME, 2 VALID), strides and
// window as width and height, activation. Windows that overlap are unsupported, as
// in LiteRT.
func customParams(n *graph.Node) (Params, error) {
	if len(n.CustomOptions) < 24 {
		return Params{}, fmt.Errorf("custom options of %d bytes, want 24: %w", len(n.CustomOptions), tensor.ErrMalformed)
	}
	field := func(i int) int { return int(int32(binary.LittleEndian.Uint32(n.CustomOptions[4*i:]))) }
	p := Params{
		H: window.Axis{Stride: field(2), Kernel: field(4), Dilation: 1},
		W: window.Axis{Stride: field(1), Kernel: field(3), Dilation: 1},
	}
	switch field(0) {
	case 1:
		p.Padding = fb.PaddingSAME
	case 2:
		p.Padding = fb.PaddingVALID
	default:
		return p, fmt.Errorf("padding %d: %w", field(0), tensor.ErrMalformed)
	}
	if field(5) != 0 || p.H.Stride != p.H.Kernel || p.W.Stride != p.W.Kernel {
		return p, fmt.Errorf("windows %dx%d at strides %dx%d, activation %d: %w",
			p.H.Kernel, p.W.Kernel, p.H.Stride, p.W.Stride, field(5), tensor.ErrUnsupported)
	}
	if err := p.H.Valid(); err != nil {
		return p, err
	}
	return p, p.W.Valid()
}

func argmaxFacts(c *op.Call) error {
	in := &c.In[0]
	if in.Unknown {
		return op.ErrLater
	}
	p, err := customParams(c.Node)
	if err != nil {
		return err
	}
	out, err := p.out(in.Shape)
	for i := range c.Out {
		c.Out[i].Shape, c.Out[i].Unknown = out, false
	}
	if len(c.Out) != 2 {
		return fmt.Errorf("%d results, want 2: %w", len(c.Out), tensor.ErrMalformed)
	}
	return err
}

// poolArgmax takes the first of equal maxima. Windows that reach over the edge see
// the elements at the edge again.
func poolArgmax(r *op.Run, p Params) error {
	in, s, o := op.F32s(r.In[0]), r.In[0].Shape(), r.Out[0].Shape()
	out, indices := op.F32s(r.Out[0]), op.I32s(r.Out[1])
	top, left := p.H.Before(s[1], o[1]), p.W.Before(s[2], o[2])
	i := 0
	for b := range o[0] {
		for y := range o[1] {
			for x := range o[2] {
				if r.Stop() {
					return op.ErrStopped
				}
				for c := range o[3] {
					out[i], indices[i] = windowMax(p, func(ky, kx int) float32 {
						iy := min(max(y*p.H.Stride-top+ky, 0), s[1]-1)
						ix := min(max(x*p.W.Stride-left+kx, 0), s[2]-1)
						return in[((b*s[1]+iy)*s[2]+ix)*s[3]+c]
					})
					i++
				}
			}
		}
	}
	return nil
}

func windowMax(p Params, at func(ky, kx int) float32) (best float32, index int32) {
	best = at(0, 0)
	for kx := range p.W.Kernel {
		for ky := range p.H.Kernel {
			if v := at(ky, kx); v > best {
				best, index = v, int32(kx*p.H.Kernel+ky)
			}
		}
	}
	return best, index
}

func unpoolFacts(c *op.Call) error {
	in, indices := &c.In[0], &c.In[1]
	if in.Unknown || indices.Unknown {
		return op.ErrLater
	}
	p, err := customParams(c.Node)
	if err != nil {
		return err
	}
	if len(in.Shape) != 4 || !in.Shape.Equal(indices.Shape) {
		return fmt.Errorf("input %v with indices %v: %w", in.Shape, indices.Shape, tensor.ErrShape)
	}
	out := in.Shape.Clone()
	for i, a := range []window.Axis{p.H, p.W} {
		if out[i+1], err = window.Spread(out[i+1], a.Kernel); err != nil {
			return err
		}
	}
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	return nil
}

func unpool(r *op.Run, p Params) error {
	in, indices, s := op.F32s(r.In[0]), op.I32s(r.In[1]), r.In[0].Shape()
	out, o := op.F32s(r.Out[0]), r.Out[0].Shape()
	clear(out)
	for i, v := range in {
		k := int(indices[i])
		if k < 0 || k >= p.H.Kernel*p.W.Kernel {
			return fmt.Errorf("index %d in a window of %dx%d: %w", k, p.H.Kernel, p.W.Kernel, tensor.ErrShape)
		}
		c, x, y, b := i%s[3], i/s[3]%s[2], i/(s[3]*s[2])%s[1], i/(s[3]*s[2]*s[1])
		y, x = y*p.H.Kernel+k%p.H.Kernel, x*p.W.Kernel+k/p.H.Kernel
		out[((b*o[1]+y)*o[2]+x)*o[3]+c] = v
	}
	return nil
}
