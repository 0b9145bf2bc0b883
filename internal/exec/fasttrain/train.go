// Package fasttrain holds the optimised kernels of the internal training
// operators, one table by operator code.
package fasttrain

import (
	"maps"

	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/conv"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// denseInputGrad is dxᵀ = Wᵀ·dyᵀ.
func denseInputGrad(e *fast.Env, _ *op.Call) (op.Kernel, bool, error) {
	return op.Kernel{
		Temp: func(in, out []tensor.Shape) (int, error) {
			n, k := in[1][0], in[1][1]
			elems, err := out[0].Elems()
			return 4 * (e.Level.PackedLenF32(elems/max(k, 1), n) + elems), err
		},
		State: func() any { return new(fast.Product) },
		Run: func(r *op.Run) error {
			n, k := r.In[1].Shape()[0], r.In[1].Shape()[1]
			p, m := r.State.(*fast.Product), fast.RowCount(r.Out[0], k)
			temp := tensor.View[float32](r.Temp)
			p.Right(e, m, n, op.F32s(r.In[0]), false, temp)
			dxT := temp[e.Level.PackedLenF32(m, n):][:m*k]
			p.MM = simd.MatMulF32{A: op.F32s(r.In[1]), Lda: k, TransA: true, B: &p.Packed, C: dxT, Ldc: m, M: k}
			p.Run(e)
			fast.Transpose(op.F32s(r.Out[0]), dxT, k, m)
			return nil
		},
	}, true, nil
}

// denseWeightsGrad is dW = dyᵀ·x.
func denseWeightsGrad(e *fast.Env, _ *op.Call) (op.Kernel, bool, error) {
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			n, k := in[2][0], in[2][1]
			elems, err := in[0].Elems()
			return 4 * e.Level.PackedLenF32(k, elems/max(n, 1)), err
		},
		State: func() any { return new(fast.Product) },
		Run: func(r *op.Run) error {
			n, k := r.In[2].Shape()[0], r.In[2].Shape()[1]
			p, m := r.State.(*fast.Product), fast.RowCount(r.In[0], n)
			p.Right(e, k, m, op.F32s(r.In[1]), true, tensor.View[float32](r.Temp))
			p.MM = simd.MatMulF32{A: op.F32s(r.In[0]), Lda: n, TransA: true, B: &p.Packed, C: op.F32s(r.Out[0]), Ldc: k, M: n}
			p.Run(e)
			return nil
		},
	}, true, nil
}

// Kernels is the table: the inference kernels and training's.
var Kernels = joined(fast.Kernels, fast.Table{
	training.ConvInputGradCode:    convInputGrad,
	training.ConvFilterGradCode:   convFilterGrad,
	training.DenseInputGradCode:   denseInputGrad,
	training.DenseWeightsGradCode: denseWeightsGrad,
	training.MaxPoolGradCode:      maxPoolGrad,
	training.ClampGradCode:        clampGrad,
	training.BiasGradCode:         biasGrad,
	training.DropoutStepCode:      dropout,
	training.BatchNormStepCode:    batchNorm,
	training.BatchNormGradCode:    batchNormGrad,
	training.AdamCode:             adam,
	training.SGDCode:              update(training.UpdateSGD),
	training.RMSPropCode:          update(training.UpdateRMSProp),
})

func joined(tables ...fast.Table) fast.Table {
	all := fast.Table{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// convParams reads the options of a convolution's gradient; ok is false for groups
// and for a depthwise convolution with a multiplier.
func convParams(c *op.Call, filter, x tensor.Shape) (conv.Params, bool, error) {
	if len(filter) != 4 || len(x) != 4 || x[3] != filter[3] {
		return conv.Params{}, false, nil
	}
	p, err := conv.ParamsOf(c.Node, filter)
	return p, err == nil, err
}

// convInputGrad is, for each image, patches' gradient = dy·W, folded back onto the
// image.
func convInputGrad(e *fast.Env, c *op.Call) (op.Kernel, bool, error) {
	f := c.In[0].Shape
	p, ok, err := convParams(c, f, c.In[2].Shape)
	if !ok || err != nil {
		return op.Kernel{}, false, err
	}
	if p.Depthwise {
		return depthwiseInputGrad(e, p), true, nil
	}
	n, k := f[0], f[1]*f[2]*f[3]
	return op.Kernel{
		Temp: func(in, out []tensor.Shape) (int, error) {
			g := fast.Geometry(p.H, p.W, in[2], in[1])
			return 4 * (e.Level.PackedLenF32(k, n) + in[2][0]*g.Pixels()*k), nil
		},
		State: func() any { return &inputGradTask{level: e.Level} },
		Run: func(r *op.Run) error {
			t := r.State.(*inputGradTask)
			temp := tensor.View[float32](r.Temp)
			t.Right(e, k, n, op.F32s(r.In[0]), true, temp)
			t.g, t.n = fast.Geometry(p.H, p.W, r.In[2].Shape(), r.In[1].Shape()), n
			t.dy, t.dx, t.patches = op.F32s(r.In[1]), op.F32s(r.Out[0]), temp[e.Level.PackedLenF32(k, n):]
			batch := r.In[2].Shape()[0]
			for len(t.locals) < batch {
				t.locals = append(t.locals, new(simd.MatMulF32))
			}
			e.Run(batch, t)
			return nil
		},
	}, true, nil
}

type inputGradTask struct {
	level *simd.Level
	fast.Product
	g               simd.Conv
	n               int
	dy, dx, patches []float32
	locals          []*simd.MatMulF32
}

// Chunk computes image b.
func (t *inputGradTask) Chunk(b int) {
	g := &t.g
	pixels, k, image := g.Pixels(), g.K(), g.H*g.W*g.C
	patches := t.patches[b*pixels*k:][:pixels*k]
	mm := t.locals[b]
	*mm = simd.MatMulF32{A: t.dy[b*pixels*t.n:][:pixels*t.n], Lda: t.n, B: &t.Packed, C: patches, Ldc: k, M: pixels}
	mm.Run()
	dx := t.dx[b*image:][:image]
	clear(dx)
	t.level.Col2imF32(g, dx, patches, k)
}

// filterBlocks is how many partial sums a filter's gradient is split into: a
// constant, so that the result does not depend on the number of threads.
const filterBlocks = 8

// convFilterGrad is dWᵀ = Σ patchesᵀ·dy over images, summed in blocks of images
// that are added in order.
func convFilterGrad(e *fast.Env, c *op.Call) (op.Kernel, bool, error) {
	f := c.In[2].Shape
	p, ok, err := convParams(c, f, c.In[0].Shape)
	if !ok || err != nil {
		return op.Kernel{}, false, err
	}
	if p.Depthwise {
		return depthwiseFilterGrad(e, p), true, nil
	}
	n, k := f[0], f[1]*f[2]*f[3]
	// A block's scratch: its sum [k,n], one image's patches, dy packed.
	lay := func(g *simd.Conv) (patches, packed, total int) {
		patches = k * n
		packed = patches + g.Pixels()*k
		return patches, packed, packed + e.Level.PackedLenF32(n, g.Pixels())
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			g := fast.Geometry(p.H, p.W, in[0], in[1])
			_, _, total := lay(&g)
			return 4 * filterBlocks * total, nil
		},
		State: func() any { return &filterGradTask{level: e.Level, products: make([]fast.Product, filterBlocks)} },
		Run: func(r *op.Run) error {
			t := r.State.(*filterGradTask)
			t.g, t.n, t.batch = fast.Geometry(p.H, p.W, r.In[0].Shape(), r.In[1].Shape()), n, r.In[0].Shape()[0]
			t.x, t.dy, t.temp = op.F32s(r.In[0]), op.F32s(r.In[1]), tensor.View[float32](r.Temp)
			t.patchesAt, t.packedAt, t.stride = lay(&t.g)
			e.Run(filterBlocks, t)
			sum := t.temp[:k*n]
			for b := 1; b < filterBlocks; b++ {
				e.Level.AddF32(sum, sum, t.temp[b*t.stride:][:k*n])
			}
			fast.Transpose(op.F32s(r.Out[0]), sum, k, n)
			return nil
		},
	}, true, nil
}

type filterGradTask struct {
	level                       *simd.Level
	products                    []fast.Product
	g                           simd.Conv
	n, batch                    int
	x, dy, temp                 []float32
	patchesAt, packedAt, stride int
}

// Chunk sums block i of the batch.
func (t *filterGradTask) Chunk(i int) {
	g := &t.g
	pixels, k, image := g.Pixels(), g.K(), g.H*g.W*g.C
	temp := t.temp[i*t.stride:][:t.stride]
	sum, p := temp[:k*t.n], &t.products[i]
	clear(sum)
	for b := i * t.batch / filterBlocks; b < (i+1)*t.batch/filterBlocks; b++ {
		a := fast.Patches(g, t.x[b*image:][:image], 0, 0, pixels, temp[t.patchesAt:t.packedAt])
		p.Packed = t.level.NewPackedF32(t.n, pixels, temp[t.packedAt:][:t.level.PackedLenF32(t.n, pixels)])
		p.Packed.PackKN(t.dy[b*pixels*t.n:][:pixels*t.n], t.n)
		p.MM = simd.MatMulF32{A: a, Lda: k, TransA: true, B: &p.Packed, C: sum, Ldc: t.n, M: k, Accumulate: true}
		p.MM.Run()
	}
}
