package spectral

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/flexbuffers"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Mfcc is the custom operator Mfcc: of a spectrogram's squared magnitudes [channels,
// windows, frequencies] at the sample rate of operand 1 the mel-frequency cepstral
// coefficients [channels, windows, dct_coefficient_count].
var Mfcc = &op.Def{
	Code:     graph.Custom,
	Name:     "Mfcc",
	Operands: op.In("spectrogram", op.F32).In("sample_rate", op.I32).Out("coefficients", op.F32),
	Facts:    mfccFacts,
	Version:  version1,
	Quant:    float,
	Ref: func(c *op.Call) (op.Kernel, error) {
		o, err := mfccOptions(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		return op.Kernel{
			State: func() any { return &cepstrum{options: *o} },
			Run:   func(r *op.Run) error { return r.State.(*cepstrum).run(r) },
		}, nil
	},
}

type mfccOption struct {
	upper, lower           float64 // frequencies in Hz
	channels, coefficients int
}

const mostCosines = 1 << 24

func mfccOptions(n *graph.Node) (*mfccOption, error) {
	m, err := flexbuffers.Root(n.CustomOptions)
	if err != nil {
		return nil, err
	}
	o := &mfccOption{
		upper: float64(float32(m.Get("upper_frequency_limit").Int())), lower: float64(float32(m.Get("lower_frequency_limit").Int())),
		channels:     int(int32(m.Get("filterbank_channel_count").Int())),
		coefficients: int(int32(m.Get("dct_coefficient_count").Int())),
	}
	switch {
	case o.lower < 0 || o.upper <= o.lower:
		err = fmt.Errorf("frequencies from %v to %v: %w", o.lower, o.upper, tensor.ErrMalformed)
	case o.coefficients < 1 || o.coefficients > o.channels:
		err = fmt.Errorf("%d coefficients of %d channels: %w", o.coefficients, o.channels, tensor.ErrMalformed)
	case o.coefficients*o.channels > mostCosines:
		err = fmt.Errorf("%d coefficients of %d channels: %w", o.coefficients, o.channels, tensor.ErrLimit)
	}
	return o, err
}

func mfccFacts(c *op.Call) error {
	o, err := mfccOptions(c.Node)
	if err != nil {
		return err
	}
	if err := c.CheckSingle(1); err != nil {
		return err
	}
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	if len(s) != 3 {
		return fmt.Errorf("spectrogram of shape %v, want [channels, windows, frequencies]: %w", s, tensor.ErrShape)
	}
	c.SetResult(0, tensor.Float32, tensor.Shape{s[0], s[1], o.coefficients})
	return nil
}

// cepstrum is a node's memory: the mel filter bank for spectra of a number of
// frequencies at a sample rate, and the cosine transform.
type cepstrum struct {
	options mfccOption
	bins    int
	rate    int32

	first, last int       // frequencies in use
	band        []int     // of each frequency: the channel below it, -1 under the first
	weight      []float64 // of each frequency in the channel below it
	cosines     []float64 // coefficients × channels
	energy      []float64 // of each channel
}

func (m *cepstrum) run(r *op.Run) error {
	in, out := op.F32s(r.In[0]), op.F32s(r.Out[0])
	if len(out) == 0 {
		return nil
	}
	bins, rate := r.In[0].Shape()[2], op.I32s(r.In[1])[0]
	if bins < 2 || rate <= 0 {
		return fmt.Errorf("%d frequencies at a sample rate of %d: %w", bins, rate, tensor.ErrMalformed)
	}
	m.resize(bins, rate)
	n := m.options.coefficients
	for i := range len(out) / n {
		if r.Stop() {
			return op.ErrStopped
		}
		m.window(in[i*bins:][:bins], out[i*n:][:n])
	}
	return nil
}

// mel maps a frequency in Hz to the mel scale.
func mel(frequency float64) float64 { return float64(1127 * libm.Log1p(frequency/700)) }

func (m *cepstrum) resize(bins int, rate int32) {
	if m.bins == bins && m.rate == rate {
		return
	}
	o := &m.options
	m.bins, m.rate = bins, rate
	m.energy = make([]float64, o.channels)
	low := mel(o.lower)
	spacing := (mel(o.upper) - low) / float64(o.channels+1)
	centers := make([]float64, o.channels+1)
	for i := range centers {
		centers[i] = low + float64(spacing*float64(i+1))
	}
	each := 0.5 * float64(rate) / float64(bins-1) // Hz
	m.first, m.last = whole(1.5+o.lower/each), whole(o.upper/each)
	m.band, m.weight = make([]int, bins), make([]float64, bins)
	channel := 0
	for i := m.first; i <= m.last && i < bins; i++ {
		f := mel(float64(i) * each)
		for channel < o.channels && centers[channel] < f {
			channel++
		}
		below := low
		if m.band[i] = channel - 1; channel > 0 {
			below = centers[channel-1]
		}
		m.weight[i] = (centers[channel] - f) / (centers[channel] - below)
	}
	m.transform()
}

// whole truncates a number that is not negative.
func whole(x float64) int { return int(min(x, math.MaxInt32)) }

// transform prepares the discrete cosine transform (type II).
func (m *cepstrum) transform() {
	o := &m.options
	m.cosines = make([]float64, o.coefficients*o.channels)
	norm, step := math.Sqrt(2/float64(o.channels)), math.Pi/float64(o.channels)
	for i := range o.coefficients {
		for k := range o.channels {
			m.cosines[i*o.channels+k] = norm * libm.Cos(float64(i)*step*(float64(k)+0.5))
		}
	}
}

// window computes the coefficients of one spectrum; they are 0 if it does not reach
// the upper frequency.
func (m *cepstrum) window(spectrum, out []float32) {
	const floor = 1e-12 // of a channel's energy
	clear(out)
	if len(spectrum) <= m.last {
		return
	}
	clear(m.energy)
	for i := m.first; i <= m.last; i++ {
		v := math.Sqrt(float64(spectrum[i]))
		part := float64(v * m.weight[i])
		c := m.band[i]
		if c >= 0 {
			m.energy[c] += part
		}
		if c+1 < len(m.energy) {
			m.energy[c+1] += v - part
		}
	}
	for i, v := range m.energy {
		if v < floor {
			v = floor
		}
		m.energy[i] = libm.Log(v)
	}
	for i := range out {
		sum := 0.0
		for k, v := range m.energy {
			sum += float64(m.cosines[i*len(m.energy)+k] * v)
		}
		out[i] = float32(sum)
	}
}
