package training

import (
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/conv"
	"github.com/litequant/litequant/op/pool"
	"github.com/litequant/litequant/tensor"
)

// ConvInputGrad is the gradient of CONV_2D or DEPTHWISE_CONV_2D with respect to the
// input: operands filter, dy, and the input for its shape. Options: the
// convolution's, which tell the two apart.
var ConvInputGrad = def(ConvInputGradCode, "CONV_2D_INPUT_GRAD",
	op.In("filter", op.F32).In("dy", op.F32).In("x", op.F32).Out("dx", op.F32), like(2),
	func(c *op.Call) (op.Kernel, error) {
		p, err := conv.ParamsOf(c.Node, c.In[0].Shape)
		if err != nil {
			return op.Kernel{}, err
		}
		return op.Kernel{Run: func(r *op.Run) error {
			filter, dy, dx := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0])
			clear(dx)
			pairs(p, r.Out[0].Shape(), r.In[0].Shape(), r.In[1].Shape(), func(x, w, y int) {
				dx[x] += float32(filter[w] * dy[y])
			})
			return nil
		}}, nil
	})

// ConvFilterGrad is the gradient of CONV_2D or DEPTHWISE_CONV_2D with respect to the
// filter: operands x, dy, and the filter for its shape. Options: the
// convolution's.
var ConvFilterGrad = def(ConvFilterGradCode, "CONV_2D_FILTER_GRAD",
	op.In("x", op.F32).In("dy", op.F32).In("filter", op.F32).Out("dfilter", op.F32), like(2),
	func(c *op.Call) (op.Kernel, error) {
		p, err := conv.ParamsOf(c.Node, c.In[2].Shape)
		if err != nil {
			return op.Kernel{}, err
		}
		return op.Kernel{Run: func(r *op.Run) error {
			x, dy, df := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0])
			clear(df)
			pairs(p, r.In[0].Shape(), r.Out[0].Shape(), r.In[1].Shape(), func(i, w, y int) {
				df[w] += float32(x[i] * dy[y])
			})
			return nil
		}}, nil
	})

// pairs visits every product x[i]·filter[w] that contributes to y[o].
func pairs(p conv.Params, in, filter, out tensor.Shape, f func(i, w, o int)) {
	beforeH, beforeW := p.H.Before(in[1], out[1]), p.W.Before(in[2], out[2])
	run, filterC, filterPos := filter[3], filter[1]*filter[2]*filter[3], filter[3] // as in conv: OHWI, groups of channels
	if p.Depthwise {
		run, filterC, filterPos = 1, 1, filter[3]
	}
	share := out[3] / max(in[3]/run, 1) // outputs that read the same channels
	o := 0
	for b := range out[0] {
		for y := range out[1] {
			for x := range out[2] {
				for c := range out[3] {
					for ky := range p.H.Kernel {
						iy := y*p.H.Stride - beforeH + ky*p.H.Dilation
						for kx := range p.W.Kernel {
							ix := x*p.W.Stride - beforeW + kx*p.W.Dilation
							if iy < 0 || iy >= in[1] || ix < 0 || ix >= in[2] {
								continue
							}
							at := ((b*in[1]+iy)*in[2]+ix)*in[3] + c/share*run
							w := c*filterC + (ky*p.W.Kernel+kx)*filterPos
							for k := range run {
								f(at+k, w+k, o)
							}
						}
					}
					o++
				}
			}
		}
	}
}

// MaxPoolGrad sends each output's gradient to the first input that is its
// window's maximum: operands x, y, dy. Options: MAX_POOL_2D's.
var MaxPoolGrad = def(MaxPoolGradCode, "MAX_POOL_2D_GRAD",
	op.In("x", op.F32).In("y", op.F32).In("dy", op.F32).Out("dx", op.F32), like(0),
	func(c *op.Call) (op.Kernel, error) {
		p, err := pool.ParamsOf(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		return op.Kernel{Run: func(r *op.Run) error {
			x, y, dy, dx := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.In[2]), op.F32s(r.Out[0])
			clear(dx)
			windows(p, r.In[0].Shape(), r.In[1].Shape(), func(o int, w window2D) {
				if i := w.find(func(i int) bool { return x[i] == y[o] }); i >= 0 {
					dx[i] += dy[o]
				}
			})
			return nil
		}}, nil
	})

// AveragePoolGrad spreads each output's gradient over its window: operands x for
// its shape, dy. Options: AVERAGE_POOL_2D's.
var AveragePoolGrad = def(AveragePoolGradCode, "AVERAGE_POOL_2D_GRAD",
	op.In("x", op.F32).In("dy", op.F32).Out("dx", op.F32), like(0),
	func(c *op.Call) (op.Kernel, error) {
		p, err := pool.ParamsOf(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		return op.Kernel{Run: func(r *op.Run) error {
			dy, dx := op.F32s(r.In[1]), op.F32s(r.Out[0])
			clear(dx)
			windows(p, r.In[0].Shape(), r.In[1].Shape(), func(o int, w window2D) {
				share := dy[o] / float32((w.y1-w.y0)*(w.x1-w.x0))
				w.find(func(i int) bool {
					dx[i] += share
					return false
				})
			})
			return nil
		}}, nil
	})

// window2D is the part of a pool's window that lies in the input, for one
// channel of one image.
type window2D struct {
	y0, y1, x0, x1        int
	base, width, channels int // index of element (y,x): base + (y·width + x)·channels
}

// find returns the index of the first element for which is answers true, -1 if
// there is none.
func (w *window2D) find(is func(i int) bool) int {
	for y := w.y0; y < w.y1; y++ {
		for x := w.x0; x < w.x1; x++ {
			if i := w.base + (y*w.width+x)*w.channels; is(i) {
				return i
			}
		}
	}
	return -1
}

// windows visits each output of a pool with its window.
func windows(p pool.Params, in, out tensor.Shape, f func(o int, w window2D)) {
	beforeH, beforeW := p.H.Before(in[1], out[1]), p.W.Before(in[2], out[2])
	o := 0
	for b := range out[0] {
		for y := range out[1] {
			for x := range out[2] {
				y0, x0 := y*p.H.Stride-beforeH, x*p.W.Stride-beforeW
				w := window2D{max(y0, 0), min(y0+p.H.Kernel, in[1]), max(x0, 0), min(x0+p.W.Kernel, in[2]), 0, in[2], in[3]}
				for c := range out[3] {
					w.base = b*in[1]*in[2]*in[3] + c
					f(o, w)
					o++
				}
			}
		}
	}
}

// DenseInputGrad is the gradient of FULLY_CONNECTED with respect to its input:
// dy [M,N] · weights [N,K], under the shape of operand x.
var DenseInputGrad = def(DenseInputGradCode, "FULLY_CONNECTED_INPUT_GRAD",
	op.In("dy", op.F32).In("weights", op.F32).In("x", op.F32).Out("dx", op.F32), like(2),
	op.Plain(func(r *op.Run) error {
		dy, w, dx := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0])
		n, k := r.In[1].Shape()[0], r.In[1].Shape()[1]
		clear(dx)
		for i, g := range dy {
			row, unit := i/n*k, i%n*k
			for j := range k {
				dx[row+j] += float32(g * w[unit+j])
			}
		}
		return nil
	}))

// DenseWeightsGrad is the gradient of FULLY_CONNECTED with respect to its
// weights: dyᵀ [N,M] · x [M,K]; operand weights is there for its shape.
var DenseWeightsGrad = def(DenseWeightsGradCode, "FULLY_CONNECTED_WEIGHTS_GRAD",
	op.In("dy", op.F32).In("x", op.F32).In("weights", op.F32).Out("dweights", op.F32), like(2),
	op.Plain(func(r *op.Run) error {
		dy, x, dw := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0])
		n, k := r.Out[0].Shape()[0], r.Out[0].Shape()[1]
		clear(dw)
		for i, g := range dy {
			row, unit := i/n*k, i%n*k
			for j := range k {
				dw[unit+j] += float32(g * x[row+j])
			}
		}
		return nil
	}))
