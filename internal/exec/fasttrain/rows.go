package fasttrain

import (
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/pool"
	"github.com/litequant/litequant/op/training"
)

// maxPoolGrad covers pools by one image a chunk.
func maxPoolGrad(e *fast.Env, c *op.Call) (op.Kernel, bool, error) {
	p, err := pool.ParamsOf(c.Node)
	if err != nil {
		return op.Kernel{}, false, err
	}
	return op.Kernel{
		State: func() any { return new(poolGradTask) },
		Run: func(r *op.Run) error {
			t := r.State.(*poolGradTask)
			t.g = fast.Geometry(p.H, p.W, r.In[0].Shape(), r.In[1].Shape())
			t.x, t.y, t.dy, t.dx = op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.In[2]), op.F32s(r.Out[0])
			e.Run(r.In[0].Shape()[0], t)
			return nil
		},
	}, true, nil
}

type poolGradTask struct {
	g            simd.Conv
	x, y, dy, dx []float32
}

// Chunk sends the gradients of image b to the first maxima of their windows.
func (t *poolGradTask) Chunk(b int) {
	g := &t.g
	image, pooled := g.H*g.W*g.C, g.Pixels()*g.C
	x, dx := t.x[b*image:][:image], t.dx[b*image:][:image]
	y, dy := t.y[b*pooled:][:pooled], t.dy[b*pooled:][:pooled]
	clear(dx)
	for p := range g.Pixels() {
		y0, x0 := p/g.OutW*g.StrideH-g.PadTop, p%g.OutW*g.StrideW-g.PadLeft
		top, bottom := max(y0, 0), min(y0+g.KH, g.H)
		left, right := max(x0, 0), min(x0+g.KW, g.W)
		for c := range g.C {
			o := p*g.C + c
			if i := firstEqual(x, y[o], g, c, top, bottom, left, right); i >= 0 {
				dx[i] += dy[o]
			}
		}
	}
}

// firstEqual finds the first element of a window that equals v, -1 if none does.
func firstEqual(x []float32, v float32, g *simd.Conv, c, top, bottom, left, right int) int {
	for iy := top; iy < bottom; iy++ {
		for ix := left; ix < right; ix++ {
			if i := (iy*g.W+ix)*g.C + c; x[i] == v {
				return i
			}
		}
	}
	return -1
}

// clampGrad covers a block of elements a chunk; RELU's gradient, which passes where
// the result is positive, is in assembly.
func clampGrad(e *fast.Env, c *op.Call) (op.Kernel, bool, error) {
	o := graph.Options[training.Clamp](c.Node)
	run := o.Grad
	if o.Lo == 0 && o.Hi >= math.MaxFloat32 {
		run = e.Level.ReluGradF32
	}
	return op.Kernel{
		State: func() any { return &clampGradTask{run: run} },
		Run: func(r *op.Run) error {
			t := r.State.(*clampGradTask)
			t.y, t.dy, t.dx = op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.Out[0])
			e.Run((len(t.y)+block-1)/block, t)
			return nil
		},
	}, true, nil
}

type clampGradTask struct {
	run       func(dx, dy, y []float32)
	y, dy, dx []float32
}

// Chunk computes block i.
func (t *clampGradTask) Chunk(i int) {
	a, b := i*block, min((i+1)*block, len(t.y))
	t.run(t.dx[a:b], t.dy[a:b], t.y[a:b])
}

func biasGrad(e *fast.Env, _ *op.Call) (op.Kernel, bool, error) {
	return op.Kernel{Run: func(r *op.Run) error {
		dy, out := op.F32s(r.In[0]), op.F32s(r.Out[0])
		clear(out)
		for at := 0; at < len(dy); at += len(out) {
			e.Level.AddF32(out, out, dy[at:at+len(out)])
		}
		return nil
	}}, true, nil
}
