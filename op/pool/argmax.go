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
// windows that do not overlap, and where in its window each one lies, counted row by
// row. Its options are a TfLitePoolParams.
var MaxPoolArgmax = &op.Def{
	Code:     graph.Custom,
	Name:     "MaxPoolingWithArgmax2D",
	Operands: op.In("input", op.F32).Out("output", op.F32).Out("indices", op.F32|op.I32),
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
	Operands: op.In("input", op.F32).In("indices", op.F32|op.I32).Out("output", op.F32),
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

// poolArgmax takes the first of equal maxima.
func poolArgmax(r *op.Run, p Params) error {
	in, s := op.F32s(r.In[0]), r.In[0].Shape()
	top := p.H.Before(s[1], r.Out[0].Shape()[1])
	left := p.W.Before(s[2], r.Out[0].Shape()[2])
	out, put := op.F32s(r.Out[0]), indexWriter(r.Out[1])
	w := r.Out[0].Shape()[2]
	h := r.Out[0].Shape()[1]
	return each(r, p, func(b, y0, y1, x0, x1, c, i int) {
		oy, ox := i/(w*s[3])%h, i/s[3]%w
		best, at := in[((b*s[1]+y0)*s[2]+x0)*s[3]+c], 0
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				v := in[((b*s[1]+y)*s[2]+x)*s[3]+c]
				if k := (y-oy*p.H.Stride+top)*p.W.Kernel + x - ox*p.W.Stride + left; v > best || y == y0 && x == x0 {
					best, at = v, k
				}
			}
		}
		out[i] = best
		put(i, at)
	})
}
