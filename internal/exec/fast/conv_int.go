package fast

import (
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/conv"
	"github.com/litequant/litequant/tensor"
)

// flip is the difference between an int8 value and the uint8 the kernels take.
const flip = 128

// packedInt8 is an int8 filter with the input's zero point folded into the bias,
// and the step to the outputs.
type packedInt8 struct {
	b    *simd.PackedI8
	q    *simd.Requant
	zero uint8 // of the flipped input
	n    int
}

func packConvInt8(e *Env, c *op.Call, p conv.Params) (packedInt8, bool, error) {
	bias, ok := biasOf[int32](c)
	if !ok {
		return packedInt8{}, false, nil
	}
	ref, err := conv.Requant(c, p)
	if err != nil {
		return packedInt8{}, false, err
	}
	f := c.In[1].Shape
	q, err := requant(ref, f[0])
	if err != nil {
		return packedInt8{}, false, nil // a multiplier beyond the vector form's range
	}
	zero := int32(c.In[0].Quant.Zero()) + flip
	w := tensor.View[int8](c.In[1].Const)
	return packedInt8{e.Level.PackI8(f[0], f[1]*f[2]*f[3], w, bias, zero), q, uint8(zero), f[0]}, true, nil
}

// int8Rows keeps activations as uint8: images are flipped once, padding is the
// zero point.
type int8Rows struct {
	noPrepare
	packedInt8
	level *simd.Level
}

func convInt8(e *Env, c *op.Call, p conv.Params) (rows, bool, error) {
	w, ok, err := packConvInt8(e, c, p)
	return &int8Rows{packedInt8: w, level: e.Level}, ok, err
}

func (r *int8Rows) imageBytes(g *simd.Conv) int { return g.H * g.W * g.C }

func (r *int8Rows) image(g *simd.Conv, in tensor.Tensor, b int, temp []byte) {
	n := g.H * g.W * g.C
	r.level.FlipI8(temp[:n], in.Bytes()[b*n:][:n])
}

func (r *int8Rows) stripBytes(g *simd.Conv, pixels int) int { return patchBytes(g, pixels, 1) }
func (r *int8Rows) local() any                              { return new(simd.MatMulI8) }

func (r *int8Rows) strip(t *stripTask, b, p0, p1 int, temp []byte, local any) {
	g := &t.g
	mm := local.(*simd.MatMulI8)
	image := t.imageTemp(b)[:g.H*g.W*g.C]
	*mm = simd.MatMulI8{
		A: Patches(g, image, r.zero, p0, p1, temp), Lda: g.K(), B: r.b, M: p1 - p0,
		Requant: r.q, Out: t.run.Out[0].Bytes()[(b*g.Pixels()+p0)*r.n:][:(p1-p0)*r.n], Ldo: r.n,
	}
	mm.Run()
}

// int16Rows sums exactly in int64; bias and requantization are the reference's.
type int16Rows struct {
	noPrepare
	b    *simd.PackedI16
	call wideFinish
	n    int
}

// wideFinish is the step from int64 sums to int16 outputs.
type wideFinish struct {
	q      *op.Requant
	bias   op.BiasValues
	narrow bool // an int32 bias: 32-bit multiplier
}

func newWideFinish(c *op.Call, q *op.Requant) wideFinish {
	f := wideFinish{q: q}
	if c.Has(2) {
		f.bias = op.BiasOperand([]tensor.Tensor{c.In[2].Tensor()}, 0)
		f.narrow = c.In[2].DType == tensor.Int32
	}
	return f
}

func (f *wideFinish) apply(out []int16, acc []int64, n int) {
	for i, sum := range acc {
		ch := i % n
		sum += f.bias.At(ch)
		if f.narrow {
			out[i] = int16(f.q.Apply(int32(sum), ch))
			continue
		}
		out[i] = int16(f.q.ApplyWide(sum, ch))
	}
}

func convInt16(e *Env, c *op.Call, p conv.Params) (rows, bool, error) {
	q, err := conv.Requant(c, p)
	if err != nil {
		return nil, false, err
	}
	f := c.In[1].Shape
	w := tensor.View[int8](c.In[1].Const)
	return &int16Rows{b: e.Level.PackI16(f[0], f[1]*f[2]*f[3], w), call: newWideFinish(c, q), n: f[0]}, true, nil
}

func (r *int16Rows) imageBytes(*simd.Conv) int                    { return 0 }
func (r *int16Rows) image(*simd.Conv, tensor.Tensor, int, []byte) {}
func (r *int16Rows) local() any                                   { return new(simd.MatMulI16) }

func (r *int16Rows) stripBytes(g *simd.Conv, pixels int) int {
	return round64(patchBytes(g, pixels, 2)) + pixels*r.n*8
}

func (r *int16Rows) strip(t *stripTask, b, p0, p1 int, temp []byte, local any) {
	g := &t.g
	mm := local.(*simd.MatMulI16)
	sums := (p1 - p0) * r.n
	acc := tensor.View[int64](temp[round64(patchBytes(g, p1-p0, 2)):])[:sums]
	*mm = simd.MatMulI16{
		A: Patches(g, imageOf[int16](g, t.run.In[0], b), 0, p0, p1, tensor.View[int16](temp)), Lda: g.K(),
		B: r.b, M: p1 - p0, Acc: acc, Ldacc: r.n,
	}
	mm.Run()
	r.call.apply(tensor.View[int16](t.run.Out[0].Bytes())[(b*g.Pixels()+p0)*r.n:][:sums], acc, r.n)
}

// hybridRows quantizes each image on the way in and scales the sums back.
type hybridRows struct {
	noPrepare
	level  *simd.Level
	b      *simd.PackedI8
	conv   conv.Hybrid
	finish hybridFinish
	n      int
}

// hybridFinish is the step from real sums to outputs.
type hybridFinish struct {
	bias   []float32
	lo, hi float32
}

func convHybrid(e *Env, c *op.Call, p conv.Params) (rows, bool, error) {
	bias, ok := biasOf[float32](c)
	if !ok {
		return nil, false, nil
	}
	lo, hi := op.FloatRange(p.Act)
	f := c.In[1].Shape
	scales, err := c.In[1].ChannelScales(f[0], false)
	if err != nil {
		return nil, false, err
	}
	w := tensor.View[int8](c.In[1].Const)
	return &hybridRows{
		level: e.Level, b: e.Level.PackI8(f[0], f[1]*f[2]*f[3], w, nil, 0),
		conv: conv.NewHybrid(p, true, scales), finish: hybridFinish{bias, lo, hi}, n: f[0],
	}, true, nil
}

// imageParams is what an image's scratch starts with: its scale and zero point.
type imageParams struct {
	scale float32
	zero  int32
}

const paramBytes = 64

func (r *hybridRows) imageBytes(g *simd.Conv) int { return paramBytes + g.H*g.W*g.C }

func (r *hybridRows) image(g *simd.Conv, in tensor.Tensor, b int, temp []byte) {
	n := g.H * g.W * g.C
	q := tensor.View[int8](temp[paramBytes:])[:n]
	scale, zero := r.conv.Quantize(imageOf[float32](g, in, b), q)
	r.level.FlipI8(temp[paramBytes:][:n], temp[paramBytes:][:n])
	putParams(temp, imageParams{scale, zero})
}

func putParams(temp []byte, p imageParams) {
	tensor.View[float32](temp[:4])[0] = p.scale
	tensor.View[int32](temp[4:8])[0] = p.zero
}

func getParams(temp []byte) imageParams {
	return imageParams{tensor.View[float32](temp[:4])[0], tensor.View[int32](temp[4:8])[0]}
}

func (r *hybridRows) stripBytes(g *simd.Conv, pixels int) int {
	return round64(patchBytes(g, pixels, 1)) + pixels*r.n*4
}

func (r *hybridRows) local() any { return new(simd.MatMulI8) }

func (r *hybridRows) strip(t *stripTask, b, p0, p1 int, temp []byte, local any) {
	g := &t.g
	mm := local.(*simd.MatMulI8)
	p := getParams(t.imageTemp(b))
	image := t.imageTemp(b)[paramBytes:][:g.H*g.W*g.C]
	acc := tensor.View[int32](temp[round64(patchBytes(g, p1-p0, 1)):])[:(p1-p0)*r.n]
	*mm = simd.MatMulI8{
		A: Patches(g, image, uint8(p.zero+flip), p0, p1, temp), Lda: g.K(), B: r.b, M: p1 - p0, Acc: acc, Ldacc: r.n,
	}
	mm.Run()
	out := tensor.View[float32](t.run.Out[0].Bytes())[(b*g.Pixels()+p0)*r.n:][:len(acc)]
	for ; len(out) > 0; acc, out = acc[r.n:], out[r.n:] {
		r.conv.RealRow(out[:r.n], acc[:r.n], r.b.Sums(), p.zero+flip, p.scale)
		r.finish.row(out[:r.n])
	}
}

// row adds the bias and clamps.
func (f *hybridFinish) row(out []float32) {
	if f.bias != nil {
		bias := f.bias[:len(out)]
		for c := range out {
			out[c] += bias[c]
		}
	}
	for c, v := range out {
		out[c] = op.Clamp(v, f.lo, f.hi)
	}
}
