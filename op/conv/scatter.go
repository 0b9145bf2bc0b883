package conv

import (
	"fmt"

	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/window"
	"github.com/litequant/litequant/tensor"
)

// transposed are the options of a transposed convolution: along each spatial axis
// the window slides over the result.
type transposed struct {
	padding fb.Padding
	axes    []window.Axis
	act     fb.ActivationFunctionType
	// outChannels and inChannels are the filter's axes of that meaning; the window's
	// begins at axis spatial.
	outChannels, inChannels, spatial int
}

// kernel reads the window's size from the filter's shape.
func (t *transposed) kernel(filter tensor.Shape) error {
	if len(filter) != len(t.axes)+2 || !filter.Known() {
		return fmt.Errorf("filter of shape %v, want rank %d: %w", filter, len(t.axes)+2, tensor.ErrShape)
	}
	for i := range t.axes {
		t.axes[i].Kernel = filter[t.spatial+i]
		if err := t.axes[i].Valid(); err != nil {
			return err
		}
	}
	return nil
}

// check tests the shapes of input, filter, bias and result against each other.
func (t *transposed) check(in, filter *op.Fact, bias []op.Fact, out tensor.Shape) error {
	if err := t.kernel(filter.Shape); err != nil {
		return err
	}
	last := len(t.axes) + 1
	if len(in.Shape) != last+1 || len(out) != last+1 {
		return fmt.Errorf("input %v for output %v: %w", in.Shape, out, tensor.ErrShape)
	}
	if err := checkChannels(filter.Shape[t.outChannels], filter, bias); err != nil {
		return err
	}
	same := func(a, b int) bool { return a == b || a < 0 || b < 0 }
	if !same(in.Shape[0], out[0]) || !same(in.Shape[last], filter.Shape[t.inChannels]) || !same(out[last], filter.Shape[t.outChannels]) {
		return fmt.Errorf("input %v and filter %v for output %v: %w", in.Shape, filter.Shape, out, tensor.ErrShape)
	}
	for i, a := range t.axes {
		n, err := a.Out(t.padding, out[i+1])
		if err != nil {
			return err
		}
		if !same(n, in.Shape[i+1]) {
			return fmt.Errorf("output %v belongs to an input of %d along axis %d, not %v: %w", out, n, i+1, in.Shape, tensor.ErrShape)
		}
	}
	return nil
}

// scatter is a transposed convolution's loop bounds for one invocation, in three
// dimensions; two are a volume of depth 1.
type scatter struct {
	batch, inC, outC     int
	in, out, before      [3]int
	axes                 [3]window.Axis
	filterPos, filterOut int // filter strides by position and by output channel
}

// bounds reads the shapes of an invocation; input and filter are operands.
func (t *transposed) bounds(r *op.Run, input, filter int) scatter {
	in, w, out := r.In[input].Shape(), r.In[filter].Shape(), r.Out[0].Shape()
	last := len(t.axes) + 1
	s := scatter{batch: in[0], inC: in[last], outC: out[last]}
	for i := range s.axes {
		s.in[i], s.out[i], s.axes[i] = 1, 1, window.Axis{Kernel: 1, Stride: 1, Dilation: 1}
	}
	positions := 1
	for i, a := range t.axes {
		k := len(s.axes) - len(t.axes) + i
		a.Kernel = w[t.spatial+i]
		s.in[k], s.out[k], s.axes[k] = in[i+1], out[i+1], a
		s.before[k] = a.Before(out[i+1], in[i+1])
		positions *= a.Kernel
	}
	s.filterPos, s.filterOut = s.inC*s.outC, s.inC
	if t.outChannels == 0 {
		s.filterPos, s.filterOut = s.inC, positions*s.inC
	}
	return s
}

// each visits every product: the index of the result's element in its image b, its
// channel, and the indices of the two factors. The order is LiteRT's, which float
// sums depend on.
func (s *scatter) each(r *op.Run, b int, f func(out, c, in, w int)) error {
	in := b * s.in[0] * s.in[1] * s.in[2] * s.inC
	for d := range s.in[0] {
		for y := range s.in[1] {
			for x := range s.in[2] {
				if r.Stop() {
					return op.ErrStopped
				}
				for c := range s.inC {
					s.spread([3]int{d, y, x}, func(at, w int) {
						for o := range s.outC {
							f(at+o, o, in, w+o*s.filterOut+c)
						}
					})
					in++
				}
			}
		}
	}
	return nil
}

// spread visits the positions of the result that input position p reaches, each
// with the filter's element that leads there.
func (s *scatter) spread(p [3]int, f func(at, w int)) {
	reach := func(i, k int) (int, bool) {
		o := p[i]*s.axes[i].Stride - s.before[i] + k*s.axes[i].Dilation
		return o, o >= 0 && o < s.out[i]
	}
	w := 0
	for kd := range s.axes[0].Kernel {
		od, inD := reach(0, kd)
		for ky := range s.axes[1].Kernel {
			oy, inY := reach(1, ky)
			for kx := range s.axes[2].Kernel {
				if ox, inX := reach(2, kx); inD && inY && inX {
					f(((od*s.out[1]+oy)*s.out[2]+ox)*s.outC, w)
				}
				w += s.filterPos
			}
		}
	}
}

// image is the number of elements of one image of the result.
func (s *scatter) image() int { return s.out[0] * s.out[1] * s.out[2] * s.outC }

// products sums (in − zeroIn)·(filter − zeroW) into acc, one image of the result,
// and hands each sum to emit with its channel and its index in the whole result.
func products[I, W, A number](r *op.Run, s *scatter, in []I, filter []W, zeroIn, zeroW A, acc []A, emit func(sum A, c, i int)) error {
	for b := range s.batch {
		clear(acc)
		err := s.each(r, b, func(out, _, i, w int) {
			acc[out] += A((A(in[i]) - zeroIn) * (A(filter[w]) - zeroW))
		})
		if err != nil {
			return err
		}
		for i, sum := range acc {
			emit(sum, i%s.outC, b*len(acc)+i)
		}
	}
	return nil
}

// floatScatter is the kernel over float32, for operands at the given indices.
func floatScatter(t *transposed, in, filter, bias int) (op.Kernel, error) {
	lo, hi := op.FloatRange(t.act)
	return op.Kernel{Run: func(r *op.Run) error {
		s := t.bounds(r, in, filter)
		out, b := op.F32s(r.Out[0]), op.OptF32s(r.In, bias)
		for i := range s.batch {
			image := out[i*s.image() : (i+1)*s.image()]
			clear(image)
			x, w := op.F32s(r.In[in]), op.F32s(r.In[filter])
			if err := s.each(r, i, func(out, _, i, k int) { image[out] += float32(x[i] * w[k]) }); err != nil {
				return err
			}
			finish(image, b, s.outC, lo, hi)
		}
		return nil
	}}, nil
}

// finish adds the bias and clamps.
func finish(out, bias []float32, channels int, lo, hi float32) {
	for i, v := range out {
		if bias != nil {
			v += bias[i%channels]
		}
		out[i] = op.Clamp(v, lo, hi)
	}
}
