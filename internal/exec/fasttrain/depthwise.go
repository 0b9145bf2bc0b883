package fasttrain

import (
	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/conv"
)

// depthwiseInputGrad covers an image a chunk.
func depthwiseInputGrad(e *fast.Env, p conv.Params) op.Kernel {
	return op.Kernel{
		State: func() any { return new(depthwiseTask) },
		Run: func(r *op.Run) error {
			t := r.State.(*depthwiseTask)
			t.g = fast.Geometry(p.H, p.W, r.In[2].Shape(), r.In[1].Shape())
			t.filter, t.dy, t.x, t.images = op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0]), r.In[2].Shape()[0]
			e.Run(t.images, t)
			return nil
		},
	}
}

// depthwiseFilterGrad covers a block of channels of all images a chunk.
func depthwiseFilterGrad(e *fast.Env, p conv.Params) op.Kernel {
	return op.Kernel{
		State: func() any { return new(depthwiseFilterTask) },
		Run: func(r *op.Run) error {
			t := r.State.(*depthwiseFilterTask)
			t.g = fast.Geometry(p.H, p.W, r.In[0].Shape(), r.In[1].Shape())
			t.x, t.dy, t.filter, t.images = op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0]), r.In[0].Shape()[0]
			clear(t.filter)
			e.Run((t.g.C+channelBlock-1)/channelBlock, t)
			return nil
		},
	}
}

// depthwiseTask is the gradient of the input, x.
type depthwiseTask struct {
	g             simd.Conv
	images        int
	x, dy, filter []float32
}

// Chunk computes image b.
func (t *depthwiseTask) Chunk(b int) {
	n := t.g.H * t.g.W * t.g.C
	clear(t.x[b*n:][:n])
	t.each(b, func(x, w, y int) {
		dx, dy := t.x[x:][:t.g.C], t.dy[y:][:t.g.C]
		for c, v := range t.filter[w:][:t.g.C] {
			dx[c] += float32(v * dy[c])
		}
	})
}

// each visits the pixels of image b that meet at a position of the filter: the
// indices of their first channels.
func (t *depthwiseTask) each(b int, f func(x, w, y int)) {
	g := &t.g
	for p := range g.Pixels() {
		top, left := p/g.OutW*g.StrideH-g.PadTop, p%g.OutW*g.StrideW-g.PadLeft
		for ky := range g.KH {
			iy := top + ky*g.DilationH
			if iy < 0 || iy >= g.H {
				continue
			}
			for kx := range g.KW {
				if ix := left + kx*g.DilationW; ix >= 0 && ix < g.W {
					f(((b*g.H+iy)*g.W+ix)*g.C, (ky*g.KW+kx)*g.C, (b*g.Pixels()+p)*g.C)
				}
			}
		}
	}
}

type depthwiseFilterTask struct{ depthwiseTask }

// Chunk computes block i of the channels.
func (t *depthwiseFilterTask) Chunk(i int) {
	from, to := i*channelBlock, min((i+1)*channelBlock, t.g.C)
	for b := range t.images {
		t.each(b, func(x, w, y int) {
			dw, dy := t.filter[w+from:w+to], t.dy[y+from:y+to]
			for c, v := range t.x[x+from : x+to] {
				dw[c] += float32(v * dy[c])
			}
		})
	}
}
