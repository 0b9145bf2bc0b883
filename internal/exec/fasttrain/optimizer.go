package fasttrain

import (
	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/training"
)

// block is the number of elements a chunk of an element-wise step takes.
const block = 1 << 14

// update is an optimiser's reference step by blocks of elements.
func update(f training.Update) fast.Maker {
	return func(e *fast.Env, _ *op.Call) (op.Kernel, bool, error) { return updateKernel(e, f), true, nil }
}

func updateKernel(e *fast.Env, f training.Update) op.Kernel {
	return op.Kernel{
		State: func() any { return &updateTask{f: f} },
		Run: func(r *op.Run) error {
			t := r.State.(*updateTask)
			t.w, t.m, t.v, t.g, t.hyper = training.Slots(r.In)
			e.Run((len(t.w)+block-1)/block, t)
			return nil
		},
	}
}

type updateTask struct {
	f                 training.Update
	w, m, v, g, hyper []float32
}

// Chunk updates block i.
func (t *updateTask) Chunk(i int) {
	a, b := i*block, min((i+1)*block, len(t.w))
	v := t.v
	if v != nil {
		v = v[a:b]
	}
	t.f(t.w[a:b], t.m[a:b], v, t.g[a:b], t.hyper)
}

// adam is Adam's step in assembly.
func adam(e *fast.Env, _ *op.Call) (op.Kernel, bool, error) {
	return updateKernel(e, adamOf(e.Level)), true, nil
}

func adamOf(level *simd.Level) training.Update {
	return func(w, m, v, g, h []float32) {
		if decay := h[4]; decay != 0 {
			for i, x := range w {
				w[i] = x - float32(x*decay)
			}
		}
		level.AdamF32(w, m, v, g, h[0], h[1], h[2], h[3])
	}
}
