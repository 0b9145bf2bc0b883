package spectral

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/flexbuffers"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// AudioSpectrogram is the custom operator AudioSpectrogram: of [samples, channels]
// the magnitudes, or their squares, of the frequencies in windows of window_size
// samples, stride apart, under a Hann window: [channels, windows, frequencies]. The
// transform's length is the next power of two.
var AudioSpectrogram = &op.Def{
	Code:     graph.Custom,
	Name:     "AudioSpectrogram",
	Operands: op.In("samples", op.F32).Out("spectrogram", op.F32),
	Facts:    spectrogramFacts,
	Version:  version1,
	Quant:    float,
	Ref: func(c *op.Call) (op.Kernel, error) {
		o, err := spectrogramOptions(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		return op.Kernel{
			State: func() any { return new(hann) },
			Temp: func(_, out []tensor.Shape) (int, error) {
				if n, err := out[0].Elems(); n == 0 {
					return 0, err
				}
				return tensor.Shape{2, o.length()}.Bytes(tensor.Float64)
			},
			Run: o.run,
		}, nil
	},
}

type spectrogram struct {
	window, stride int
	squared        bool
}

func spectrogramOptions(n *graph.Node) (*spectrogram, error) {
	m, err := flexbuffers.Root(n.CustomOptions)
	if err != nil {
		return nil, err
	}
	o := &spectrogram{
		window: int(int32(m.Get("window_size").Int())), stride: int(int32(m.Get("stride").Int())),
		squared: m.Get("magnitude_squared").Bool(),
	}
	if o.window < 2 || o.stride < 1 {
		return nil, fmt.Errorf("windows of %d samples, %d apart: %w", o.window, o.stride, tensor.ErrMalformed)
	}
	return o, nil
}

// length is the transform's: the least power of two that holds a window.
func (o *spectrogram) length() int { return 1 << bits.Len(uint(o.window-1)) }

func spectrogramFacts(c *op.Call) error {
	o, err := spectrogramOptions(c.Node)
	if err != nil {
		return err
	}
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	if len(s) != 2 {
		return fmt.Errorf("samples of shape %v, want [samples, channels]: %w", s, tensor.ErrShape)
	}
	windows := -1
	switch {
	case s[0] >= o.window:
		windows = 1 + (s[0]-o.window)/o.stride
	case s[0] >= 0:
		windows = 0
	}
	c.SetResult(0, tensor.Float32, tensor.Shape{s[1], windows, 1 + o.length()/2})
	return nil
}

// hann is a node's memory: the window 0.5 − 0.5·cos(2πi/n) and the transform.
type hann struct {
	fft    transform
	window []float64
}

func (h *hann) resize(window, length int) {
	h.fft.resize(length)
	if len(h.window) == window {
		return
	}
	h.window = make([]float64, window)
	for i := range h.window {
		h.window[i] = 0.5 - float64(0.5*libm.Cos(2*math.Pi*float64(i)/float64(window)))
	}
}

func (o *spectrogram) run(r *op.Run) error {
	in, out := op.F32s(r.In[0]), op.F32s(r.Out[0])
	if len(out) == 0 {
		return nil
	}
	h := r.State.(*hann)
	h.resize(o.window, o.length())
	s := r.Out[0].Shape()
	channels, windows, bins := s[0], s[1], s[2]
	n := o.length()
	temp := tensor.View[float64](r.Temp)
	re, im := temp[:n], temp[n:2*n]
	for c := range channels {
		for w := range windows {
			if r.Stop() {
				return op.ErrStopped
			}
			clear(temp[:2*n])
			for i, weight := range h.window {
				re[i] = float64(in[(w*o.stride+i)*channels+c]) * weight
			}
			h.fft.forward(re, im)
			o.magnitudes(out[(c*windows+w)*bins:][:bins], re, im)
		}
	}
	return nil
}

func (o *spectrogram) magnitudes(out []float32, re, im []float64) {
	for i := range out {
		out[i] = float32(float64(re[i]*re[i]) + float64(im[i]*im[i]))
		if !o.squared {
			out[i] = float32(math.Sqrt(float64(out[i])))
		}
	}
}
