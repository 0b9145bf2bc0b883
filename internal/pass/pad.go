package pass

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op/conv"
)

// fusePadConv and fusePadDepthwise are fusePad; the converter does the former
// before anything else.
func fusePadConv(r *rewriter, i int) bool      { return fusePad(r, i, schema.CONV_2D) }
func fusePadDepthwise(r *rewriter, i int) bool { return fusePad(r, i, schema.DEPTHWISE_CONV_2D) }

// fusePad: a VALID convolution of an input that is padded as SAME pads → a SAME
// convolution. The converter asks for output sizes that agree; that the padding
// itself is the same keeps it exact for strides above one.
func fusePad(r *rewriter, i int, code schema.BuiltinOperator) bool {
	n := r.node(i, code)
	if n == nil || paddingOf(n.Options) != fb.PaddingVALID {
		return false
	}
	pad, _ := r.def(n, 0, schema.PAD)
	if pad == nil {
		return false
	}
	p, in := r.ints(pad, 1), r.shape(pad, 0)
	if len(p) != 8 || len(in) != 4 || in[1] < 0 || in[2] < 0 || p[0] != 0 || p[1] != 0 || p[6] != 0 || p[7] != 0 {
		return false
	}
	window, err := conv.ParamsOf(n, r.shape(n, 1))
	if err != nil {
		return false
	}
	for k, a := range []struct {
		before, after int
		axis          interface {
			Out(fb.Padding, int) (int, error)
			Before(in, out int) int
			Extent() int
		}
		stride int
	}{{p[2], p[3], window.H, window.H.Stride}, {p[4], p[5], window.W, window.W.Stride}} {
		size := in[1+k]
		out, err := a.axis.Out(fb.PaddingSAME, size)
		total := max(0, (out-1)*a.stride+a.axis.Extent()-size)
		if err != nil || a.axis.Before(size, out) != a.before || total-a.before != a.after {
			return false
		}
	}
	inputs := append([]graph.ValueID{}, n.Inputs...)
	inputs[0] = pad.Inputs[0]
	r.replace(i, graph.Node{
		Op: n.Op, Inputs: inputs, Outputs: n.Outputs, Options: withSamePadding(n.Options),
		Origins: graph.MergeOrigins(n.Origins, r.constantOrigins(pad), pad.Origins),
	})
	return true
}

func withSamePadding(options any) any {
	switch o := options.(type) {
	case *fb.Conv2DOptionsT:
		c := *o
		c.Padding = fb.PaddingSAME
		return &c
	case *fb.DepthwiseConv2DOptionsT:
		c := *o
		c.Padding = fb.PaddingSAME
		return &c
	}
	return options
}
