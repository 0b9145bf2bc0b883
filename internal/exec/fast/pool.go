package fast

import (
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/pool"
	"github.com/litequant/litequant/tensor"
)

// maxPools holds the row kernels by element type.
var maxPools = map[tensor.DType]func(lv *simd.Level, g *simd.Conv, dst, src []byte, p0, p1 int){
	tensor.Float32: func(lv *simd.Level, g *simd.Conv, dst, src []byte, p0, p1 int) {
		lv.MaxPoolF32(g, tensor.View[float32](dst), tensor.View[float32](src), p0, p1)
	},
	tensor.Int8: func(lv *simd.Level, g *simd.Conv, dst, src []byte, p0, p1 int) {
		lv.MaxPoolI8(g, tensor.View[int8](dst), tensor.View[int8](src), p0, p1)
	},
	tensor.UInt8: func(lv *simd.Level, g *simd.Conv, dst, src []byte, p0, p1 int) {
		lv.MaxPoolU8(g, dst, src, p0, p1)
	},
}

// maxPoolKernel covers MAX_POOL_2D without a fused activation.
func maxPoolKernel(e *Env, c *op.Call) (op.Kernel, bool, error) {
	run := maxPools[c.In[0].DType]
	p, err := pool.ParamsOf(c.Node)
	if err != nil || run == nil || p.Act != fb.ActivationFunctionTypeNONE {
		return op.Kernel{}, false, err
	}
	size := c.In[0].DType.Size()
	return op.Kernel{
		State: func() any { return &poolTask{level: e.Level, pool: run, size: size} },
		Run: func(r *op.Run) error {
			t := r.State.(*poolTask)
			in, out := r.In[0].Shape(), r.Out[0].Shape()
			t.src, t.dst = r.In[0].Bytes(), r.Out[0].Bytes()
			t.g = Geometry(p.H, p.W, in, out)
			return e.runGuarded(&t.guard, r, in[0]*out[1], t)
		},
	}, true, nil
}

// poolTask pools one output row a chunk.
type poolTask struct {
	level    *simd.Level
	pool     func(lv *simd.Level, g *simd.Conv, dst, src []byte, p0, p1 int)
	size     int
	g        simd.Conv
	src, dst []byte
	guard    guarded
}

// Chunk pools row i%OutH of image i/OutH.
func (t *poolTask) Chunk(i int) {
	g := &t.g
	b, y := i/g.OutH, i%g.OutH
	image, row := g.H*g.W*g.C*t.size, g.OutW*g.C*t.size
	const polled = 1 << 20 // bytes between looks at the context
	step := max(1, polled/max(1, min(g.KH, g.H)*min(g.KW, g.W)*g.C*t.size))
	for x := 0; x < g.OutW && !t.guard.run.Stop(); x += step {
		n := min(step, g.OutW-x)
		t.pool(t.level, g, t.dst[i*row+x*g.C*t.size:][:n*g.C*t.size], t.src[b*image:(b+1)*image], y*g.OutW+x, y*g.OutW+x+n)
	}
}
