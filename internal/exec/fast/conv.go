package fast

import (
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/conv"
	"github.com/litequant/litequant/op/window"
	"github.com/litequant/litequant/tensor"
)

var convForms = map[form]func(e *Env, c *op.Call, p conv.Params) (rows, bool, error){
	{tensor.Float32, tensor.Float32}: convFloat,
	{tensor.Int8, tensor.Int8}:       convInt8,
	{tensor.Int16, tensor.Int8}:      convInt16,
	{tensor.Float32, tensor.Int8}:    convHybrid,
}

// imageForms are the forms whose product can read padded images instead of copied
// patches, and what the length of a patch's consecutive values must divide by.
var imageForms = map[form]struct {
	multiple int
	make     func(e *Env, c *op.Call, p conv.Params) (op.Kernel, bool, error)
}{
	{tensor.Float32, tensor.Float32}: {1, convImagesFloat},
	{tensor.Int8, tensor.Int8}:       {4, convImagesInt8},
}

// convKernel covers ungrouped CONV_2D, with constant weights where they are
// integers: patches, copied strip by strip or read from padded images, are
// multiplied by the packed filter.
func convKernel(e *Env, c *op.Call) (op.Kernel, bool, error) {
	types := form{c.In[0].DType, c.In[1].DType}
	filter := c.In[1].Shape
	if convForms[types] == nil || !weightsKnown(c) && c.In[1].DType != tensor.Float32 || c.In[0].Unknown || len(filter) != 4 || !filter.Known() || c.In[0].Shape[3] != filter[3] {
		return op.Kernel{}, false, nil
	}
	p, err := conv.ParamsOf(c.Node, filter)
	if err != nil {
		return op.Kernel{}, false, err
	}
	k, ok, err := ungrouped(e, c, p, types)
	if !ok || err != nil {
		return op.Kernel{}, false, err
	}
	k, err = whileUngrouped(c, k)
	return k, true, err
}

// whileUngrouped falls back on the reference kernel when operands were resized: the
// input to more channels than the filter has, or the filter.
func whileUngrouped(c *op.Call, k op.Kernel) (op.Kernel, error) {
	ref, err := conv.Conv2D.Ref(c)
	filter := c.In[1].Shape
	fits := func(in, f tensor.Shape) bool { return f.Equal(filter) && in[3] == filter[3] }
	return op.Kernel{
		Temp: func(in, out []tensor.Shape) (int, error) {
			switch {
			case fits(in[0], in[1]):
				return k.Temp(in, out)
			case ref.Temp != nil:
				return ref.Temp(in, out)
			}
			return 0, nil
		},
		State: k.State,
		Run: func(r *op.Run) error {
			if fits(r.In[0].Shape(), r.In[1].Shape()) {
				return k.Run(r)
			}
			return ref.Run(r)
		},
	}, err
}

func ungrouped(e *Env, c *op.Call, p conv.Params, types form) (op.Kernel, bool, error) {
	filter := c.In[1].Shape
	if m, ok := imageForms[types]; ok && fromImages(p, filter, m.multiple) {
		k, ok, err := m.make(e, c, p)
		return unlessEmpty(k), ok, err
	}
	r, ok, err := convForms[types](e, c, p)
	if !ok || err != nil {
		return op.Kernel{}, false, err
	}
	return stripKernel(e, r, func(in, out tensor.Shape) simd.Conv { return Geometry(p.H, p.W, in, out) }), true, nil
}

// unlessEmpty leaves results without elements alone.
func unlessEmpty(k op.Kernel) op.Kernel {
	run := k.Run
	k.Run = func(r *op.Run) error {
		if r.Out[0].Len() == 0 {
			return nil
		}
		return run(r)
	}
	return k
}

// Geometry is a window over one image, from the shapes of input and output.
func Geometry(h, w window.Axis, in, out tensor.Shape) simd.Conv {
	return simd.Conv{
		H: in[1], W: in[2], C: in[3], KH: h.Kernel, KW: w.Kernel,
		StrideH: h.Stride, StrideW: w.Stride, DilationH: h.Dilation, DilationW: w.Dilation,
		PadTop: h.Before(in[1], out[1]), PadLeft: w.Before(in[2], out[2]), OutH: out[1], OutW: out[2],
	}
}

// rows computes rows of a convolution seen as a product. One value serves a
// node in all runners; what a strip needs lies in scratch memory and in the
// strip's own state.
type rows interface {
	// prepare readies the weights where they are not constants.
	prepareBytes() int
	prepare(s *stripTask, temp []byte)
	// image prepares an image before its strips run: bytes of scratch, then the
	// work itself.
	imageBytes(g *simd.Conv) int
	image(g *simd.Conv, in tensor.Tensor, b int, temp []byte)
	// strip computes output pixels p0 to p1 of image b.
	stripBytes(g *simd.Conv, pixels int) int
	strip(s *stripTask, b, p0, p1 int, temp []byte, local any)
	local() any
}

// stripKernel runs rows over strips of output pixels, in parallel.
func stripKernel(e *Env, r rows, geometry func(in, out tensor.Shape) simd.Conv) op.Kernel {
	return op.Kernel{
		Temp: func(in, out []tensor.Shape) (int, error) {
			g := geometry(in[0], out[0])
			s := layStrips(&g, r)
			return s.bytes(in[0][0]), nil
		},
		State: func() any { return &stripTask{rows: r} },
		Run: func(run *op.Run) error {
			t := run.State.(*stripTask)
			t.run, t.g = run, geometry(run.In[0].Shape(), run.Out[0].Shape())
			t.lay = layStrips(&t.g, r)
			r.prepare(t, run.Temp[:t.lay.prepare])
			for len(t.locals) < t.lay.group*t.lay.count {
				t.locals = append(t.locals, r.local())
			}
			batch := run.In[0].Shape()[0]
			for t.first = 0; t.first < batch; t.first += t.lay.group {
				n := min(t.lay.group, batch-t.first)
				for b := range n {
					r.image(&t.g, run.In[0], t.first+b, t.imageTemp(t.first+b))
				}
				e.Run(n*t.lay.count, t)
				if run.Stop() {
					return op.ErrStopped
				}
			}
			return nil
		},
	}
}

// strips is how an image's output pixels are cut.
type strips struct {
	pixels, count int // pixels a strip, strips an image
	group         int // images at a time
	prepare       int // scratch bytes of the weights,
	image, strip  int // of an image and of a strip
}

// stripTarget is the size in bytes a strip's patches should have: about what
// stays in L2 beside the filter.
const stripTarget = 128 << 10

// groupStrips bounds the strips that have scratch memory at the same time.
const groupStrips = 32

func layStrips(g *simd.Conv, r rows) strips {
	var s strips
	perPixel := max(r.stripBytes(g, 1), 1)
	s.pixels = min(max(stripTarget/perPixel, 16), max(g.Pixels(), 1))
	s.count = (g.Pixels() + s.pixels - 1) / s.pixels
	s.group = max(groupStrips/max(s.count, 1), 1)
	s.prepare, s.image, s.strip = round64(r.prepareBytes()), round64(r.imageBytes(g)), round64(r.stripBytes(g, s.pixels))
	return s
}

func round64(n int) int {
	if n == 0 {
		return 0
	}
	return (n + 127) &^ 63
}

func (s *strips) bytes(batch int) int {
	return s.prepare + min(batch, s.group)*(s.image+s.count*s.strip)
}

// stripTask is one runner's invocation of a strip kernel.
type stripTask struct {
	rows   rows
	run    *op.Run
	g      simd.Conv
	lay    strips
	locals []any
	first  int            // image of the group
	packed simd.PackedF32 // the filter, where it is a variable
}

func (t *stripTask) imageTemp(b int) []byte {
	return t.run.Temp[t.lay.prepare+(b-t.first)*t.lay.image:][:t.lay.image]
}

// Chunk computes strip i%count of the group's image i/count.
func (t *stripTask) Chunk(i int) {
	if t.run.Stop() {
		return
	}
	b, s := t.first+i/t.lay.count, i%t.lay.count
	images := min(t.lay.group, t.run.In[0].Shape()[0])
	at := t.lay.prepare + images*t.lay.image + i*t.lay.strip
	p0 := s * t.lay.pixels
	t.rows.strip(t, b, p0, min(p0+t.lay.pixels, t.g.Pixels()), t.run.Temp[at:at+t.lay.strip], t.locals[i])
}

// Patches returns the left operand for pixels p0 to p1 of src: the image itself
// where it can be, else copied patches in temp.
func Patches[T float32 | int8 | uint8 | int16](g *simd.Conv, src []T, pad T, p0, p1 int, temp []T) []T {
	k := g.K()
	if g.Direct() {
		return src[p0*k : p1*k]
	}
	simd.Im2col(g, temp, k, src, pad, p0, p1)
	return temp[:(p1-p0)*k]
}

func patchBytes(g *simd.Conv, pixels, size int) int {
	if g.Direct() {
		return 0
	}
	return pixels * g.K() * size
}

func imageOf[T tensor.Element](g *simd.Conv, t tensor.Tensor, b int) []T {
	n := g.H * g.W * g.C
	return tensor.View[T](t.Bytes())[b*n:][:n]
}

// noPrepare is for rows whose weights were packed once.
type noPrepare struct{}

func (noPrepare) prepareBytes() int          { return 0 }
func (noPrepare) prepare(*stripTask, []byte) {}

// floatRows packs a constant filter once and a variable one at each invocation.
type floatRows struct {
	level  *simd.Level
	b      *simd.PackedF32 // nil for a variable filter
	clamp  bool
	lo, hi float32
	n, k   int
}

func convFloat(e *Env, c *op.Call, p conv.Params) (rows, bool, error) {
	lo, hi := op.FloatRange(p.Act)
	f := c.In[1].Shape
	r := &floatRows{level: e.Level, clamp: p.Act != fb.ActivationFunctionTypeNONE, lo: lo, hi: hi, n: f[0], k: f[1] * f[2] * f[3]}
	if c.In[1].Const != nil {
		r.b = e.Level.PackF32(r.n, r.k, tensor.View[float32](c.In[1].Const))
	}
	return r, true, nil
}

func (r *floatRows) prepareBytes() int {
	if r.b != nil {
		return 0
	}
	return 4 * r.level.PackedLenF32(r.n, r.k)
}

func (r *floatRows) prepare(t *stripTask, temp []byte) {
	if r.b == nil {
		t.packed = r.level.NewPackedF32(r.n, r.k, tensor.View[float32](temp)[:r.level.PackedLenF32(r.n, r.k)])
		t.packed.PackNK(op.F32s(t.run.In[1]), r.k)
	}
}

func (r *floatRows) imageBytes(*simd.Conv) int                    { return 0 }
func (r *floatRows) image(*simd.Conv, tensor.Tensor, int, []byte) {}
func (r *floatRows) stripBytes(g *simd.Conv, pixels int) int      { return patchBytes(g, pixels, 4) }
func (r *floatRows) local() any                                   { return new(simd.MatMulF32) }

func (r *floatRows) strip(t *stripTask, b, p0, p1 int, temp []byte, local any) {
	g := &t.g
	mm := local.(*simd.MatMulF32)
	packed := r.b
	if packed == nil {
		packed = &t.packed
	}
	out := tensor.View[float32](t.run.Out[0].Bytes())[(b*g.Pixels()+p0)*r.n:]
	*mm = simd.MatMulF32{
		A: Patches(g, imageOf[float32](g, t.run.In[0], b), 0, p0, p1, tensor.View[float32](temp)), Lda: g.K(),
		B: packed, Bias: op.OptF32s(t.run.In, 2), C: out[:(p1-p0)*r.n], Ldc: r.n, M: p1 - p0,
		Clamp: r.clamp, Min: r.lo, Max: r.hi,
	}
	mm.Run()
}
