package conv

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/window"
	"github.com/litequant/litequant/tensor"
)

// Conv3D is CONV_3D: input [N,D,H,W,I], filter [KD,KH,KW,I,O], bias [O].
var Conv3D = &op.Def{
	Code:     graph.OpCode(schema.CONV_3D),
	Name:     "CONV_3D",
	Operands: op.In("input", op.F32).In("filter", op.F32).Opt("bias", op.F32).Out("output", op.F32),
	Facts:    conv3DFacts,
	Since:    []string{"2.5.0"},
	Quant:    op.Quant{None: true},
	Ref:      conv3D,
}

// Conv3DTranspose is CONV_3D_TRANSPOSE: the result's shape [N,D,H,W,O], filter
// [KD,KH,KW,O,I], input [N,d,h,w,I], bias [O].
var Conv3DTranspose = &op.Def{
	Code: graph.OpCode(schema.CONV_3D_TRANSPOSE),
	Name: "CONV_3D_TRANSPOSE",
	Operands: op.In("output_shape", op.I32).In("filter", op.F32).In("input", op.F32).
		Opt("bias", op.F32).Out("output", op.F32),
	Facts: func(c *op.Call) error { return transposedFacts(c, conv3DTransposeParams) },
	Since: []string{"2.6.0"},
	Quant: op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		t, err := conv3DTransposeParams(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		return floatScatter(t, transposeInput, transposeFilter, transposeBias)
	},
}

// axes3D reads the options; the window's size is the filter's.
func axes3D(n *graph.Node) (*fb.Conv3DOptionsT, [3]window.Axis, error) {
	o, ok := n.Options.(*fb.Conv3DOptionsT)
	if !ok {
		return nil, [3]window.Axis{}, fmt.Errorf("options are missing: %w", tensor.ErrMalformed)
	}
	return o, [3]window.Axis{
		{Stride: int(o.StrideD), Dilation: int(o.DilationDFactor)},
		{Stride: int(o.StrideH), Dilation: int(o.DilationHFactor)},
		{Stride: int(o.StrideW), Dilation: int(o.DilationWFactor)},
	}, nil
}

func conv3DTransposeParams(n *graph.Node) (*transposed, error) {
	o, a, err := axes3D(n)
	if err != nil {
		return nil, err
	}
	return &transposed{padding: o.Padding, act: o.FusedActivationFunction, axes: a[:], outChannels: 3, inChannels: 4}, nil
}

func conv3DFacts(c *op.Call) error {
	in, filter := &c.In[0], &c.In[1]
	if in.Unknown || filter.Unknown || !filter.Shape.Known() {
		return op.ErrLater
	}
	o, axes, err := axes3D(c.Node)
	if err != nil {
		return err
	}
	if len(filter.Shape) != 5 {
		return fmt.Errorf("filter of shape %v, want rank 5: %w", filter.Shape, tensor.ErrShape)
	}
	if len(in.Shape) != 5 || in.Shape[4] >= 0 && in.Shape[4] != filter.Shape[3] {
		return fmt.Errorf("input %v for filter %v: %w", in.Shape, filter.Shape, tensor.ErrShape)
	}
	channels := filter.Shape[4]
	if err := checkChannels(channels, filter, c.In[2:]); err != nil {
		return err
	}
	out := tensor.Shape{in.Shape[0], 0, 0, 0, channels}
	for i, a := range axes {
		a.Kernel = filter.Shape[i]
		if err := a.Valid(); err != nil {
			return err
		}
		if out[i+1], err = a.Out(o.Padding, in.Shape[i+1]); err != nil {
			return err
		}
	}
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	return nil
}

func conv3D(c *op.Call) (op.Kernel, error) {
	o, axes, err := axes3D(c.Node)
	if err != nil {
		return op.Kernel{}, err
	}
	lo, hi := op.FloatRange(o.FusedActivationFunction)
	return op.Kernel{Run: func(r *op.Run) error {
		v := volume{axes: axes, in: r.In[0].Shape(), out: r.Out[0].Shape(), x: op.F32s(r.In[0]), w: op.F32s(r.In[1])}
		for i := range v.axes {
			v.axes[i].Kernel = r.In[1].Shape()[i]
			v.before[i] = v.axes[i].Before(v.in[i+1], v.out[i+1])
		}
		out, bias := op.F32s(r.Out[0]), op.OptF32s(r.In, 2)
		return v.each(r, func(sum float32, c, i int) {
			if bias != nil {
				sum += bias[c]
			}
			out[i] = op.Clamp(sum, lo, hi)
		})
	}}, nil
}

// volume is a convolution in three dimensions.
type volume struct {
	axes    [3]window.Axis
	before  [3]int
	in, out tensor.Shape
	x, w    []float32
}

// each hands every element's sum to emit with its channel and index.
func (v *volume) each(r *op.Run, emit func(sum float32, c, i int)) error {
	i := 0
	for b := range v.out[0] {
		for d := range v.out[1] {
			for y := range v.out[2] {
				for x := range v.out[3] {
					if r.Stop() {
						return op.ErrStopped
					}
					for c := range v.out[4] {
						emit(v.sum(b, [3]int{d, y, x}, c), c, i)
						i++
					}
				}
			}
		}
	}
	return nil
}

func (v *volume) sum(b int, p [3]int, c int) float32 {
	at := func(i, k int) (int, bool) {
		x := p[i]*v.axes[i].Stride - v.before[i] + k*v.axes[i].Dilation
		return x, x >= 0 && x < v.in[i+1]
	}
	var sum float32
	depth, channels := v.in[4], v.out[4]
	w := c
	for kd := range v.axes[0].Kernel {
		d, inD := at(0, kd)
		for ky := range v.axes[1].Kernel {
			y, inY := at(1, ky)
			for kx := range v.axes[2].Kernel {
				if x, inX := at(2, kx); inD && inY && inX {
					from := (((b*v.in[1]+d)*v.in[2]+y)*v.in[3] + x) * depth
					for k := range depth {
						sum += float32(v.x[from+k] * v.w[w+k*channels])
					}
				}
				w += depth * channels
			}
		}
	}
	return sum
}
