package fast

import (
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/conv"
	"github.com/litequant/litequant/tensor"
)

// leastSegment is the number of consecutive values of a patch from which on
// products read patches straight from padded images.
const leastSegment = 32

// fromImages reports whether a convolution's product reads images instead of
// copied patches.
func fromImages(p conv.Params, filter tensor.Shape, multiple int) bool {
	g := simd.Conv{KH: p.H.Kernel, KW: p.W.Kernel, C: filter[3], DilationW: p.W.Dilation}
	pointwise := p.H.Kernel == 1 && p.W.Kernel == 1
	return !pointwise && g.Segment() >= leastSegment && g.Segment()%multiple == 0
}

// padTask copies images into a border that makes every patch lie inside.
type padTask[T float32 | int8] struct {
	g             simd.Conv // of the images as they are
	bottom, right int
	pad           T
	src, dst      []T
	then          func(image []T)
}

func newPadding(g simd.Conv) (bottom, right int) {
	reach := func(out, stride, kernel, dilation int) int { return (out-1)*stride + (kernel-1)*dilation + 1 }
	bottom = max(0, reach(g.OutH, g.StrideH, g.KH, g.DilationH)-g.H-g.PadTop)
	return bottom, max(0, reach(g.OutW, g.StrideW, g.KW, g.DilationW)-g.W-g.PadLeft)
}

// padded is the geometry over an image with its border.
func padded(g simd.Conv) simd.Conv {
	bottom, right := newPadding(g)
	g.H, g.W = g.H+g.PadTop+bottom, g.W+g.PadLeft+right
	g.PadTop, g.PadLeft = 0, 0
	return g
}

// Chunk pads image b.
func (t *padTask[T]) Chunk(b int) {
	g := &t.g
	n := g.H * g.W * g.C
	size := (g.H + g.PadTop + t.bottom) * (g.W + g.PadLeft + t.right) * g.C
	dst := t.dst[b*size:][:size]
	simd.Pad(dst, t.src[b*n:][:n], g.H, g.W, g.C, g.PadTop, g.PadLeft, t.bottom, t.right, t.pad)
	if t.then != nil {
		t.then(dst)
	}
}

func (t *padTask[T]) run(e *Env, g simd.Conv, batch int, src, dst []T) {
	t.g, t.src, t.dst = g, src, dst
	t.bottom, t.right = newPadding(g)
	e.Run(batch, t)
}

func paddedElems(p conv.Params, in, out tensor.Shape) int {
	g := padded(Geometry(p.H, p.W, in, out))
	return in[0] * g.H * g.W * g.C
}

// imageFloat is one runner's state of a float convolution from images.
type imageFloat struct {
	pad    padTask[float32]
	guard  guarded
	mm     simd.MatMulF32
	g      simd.Conv
	packed simd.PackedF32
}

// convImagesFloat multiplies padded images by the filter, packed once where it is
// a constant and at each invocation where it is a variable.
func convImagesFloat(e *Env, c *op.Call, p conv.Params) (op.Kernel, bool, error) {
	lo, hi := op.FloatRange(p.Act)
	f := c.In[1].Shape
	n, k := f[0], f[1]*f[2]*f[3]
	var constant *simd.PackedF32
	variable := 0
	if c.In[1].Const != nil {
		constant = e.Level.PackF32(n, k, tensor.View[float32](c.In[1].Const))
	} else {
		variable = round64(4 * e.Level.PackedLenF32(n, k))
	}
	return op.Kernel{
		Temp: func(in, out []tensor.Shape) (int, error) {
			return variable + round64(4*paddedElems(p, in[0], out[0])), nil
		},
		State: func() any { return new(imageFloat) },
		Run: func(r *op.Run) error {
			t := r.State.(*imageFloat)
			b := constant
			if b == nil {
				t.packed = e.Level.NewPackedF32(n, k, tensor.View[float32](r.Temp)[:e.Level.PackedLenF32(n, k)])
				t.packed.PackNK(op.F32s(r.In[1]), k)
				b = &t.packed
			}
			in, out := r.In[0].Shape(), r.Out[0].Shape()
			images := tensor.View[float32](r.Temp[variable:])
			g := Geometry(p.H, p.W, in, out)
			t.pad.run(e, g, in[0], op.F32s(r.In[0]), images)
			t.g = padded(g)
			t.mm = simd.MatMulF32{
				A: images, Conv: &t.g, B: b, Bias: op.OptF32s(r.In, 2), C: op.F32s(r.Out[0]), Ldc: n, M: in[0] * g.Pixels(),
				Clamp: p.Act != fb.ActivationFunctionTypeNONE, Min: lo, Max: hi,
			}
			return e.runGuarded(&t.guard, r, t.mm.Chunks(), &t.mm)
		},
	}, true, nil
}

// imageInt8 is one runner's state of an int8 convolution from images.
type imageInt8 struct {
	pad   padTask[int8]
	guard guarded
	mm    simd.MatMulI8
	g     simd.Conv
}

// convImagesInt8 multiplies images that are padded with the zero point and
// flipped to uint8.
func convImagesInt8(e *Env, c *op.Call, p conv.Params) (op.Kernel, bool, error) {
	w, ok, err := packConvInt8(e, c, p)
	if !ok || err != nil {
		return op.Kernel{}, false, err
	}
	flipImage := func(image []int8) { e.Level.FlipI8(tensor.BytesOf(image), tensor.BytesOf(image)) }
	zero := int8(c.In[0].Quant.Zero())
	return op.Kernel{
		Temp:  func(in, out []tensor.Shape) (int, error) { return round64(paddedElems(p, in[0], out[0])), nil },
		State: func() any { return &imageInt8{pad: padTask[int8]{pad: zero, then: flipImage}} },
		Run: func(r *op.Run) error {
			t := r.State.(*imageInt8)
			in, out := r.In[0].Shape(), r.Out[0].Shape()
			g := Geometry(p.H, p.W, in, out)
			t.pad.run(e, g, in[0], op.I8s(r.In[0]), tensor.View[int8](r.Temp))
			t.g = padded(g)
			t.mm = simd.MatMulI8{
				A: r.Temp, Conv: &t.g, B: w.b, M: in[0] * g.Pixels(), Requant: w.q, Out: r.Out[0].Bytes(), Ldo: w.n,
			}
			return e.runGuarded(&t.guard, r, t.mm.Chunks(), &t.mm)
		},
	}, true, nil
}
