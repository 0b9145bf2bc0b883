package fasttrain

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/training"
)

// channelBlock is the number of channels a chunk of a step by channels takes.
const channelBlock = 16

// batchNorm is the reference step by blocks of channels.
func batchNorm(e *fast.Env, c *op.Call) (op.Kernel, bool, error) {
	o := graph.Options[training.NormOptions](c.Node)
	return op.Kernel{
		State: func() any { return new(normTask) },
		Run: func(r *op.Run) error {
			t := r.State.(*normTask)
			t.Norm = training.NewNorm(o, r)
			e.Run((t.Channels+channelBlock-1)/channelBlock, t)
			return nil
		},
	}, true, nil
}

type normTask struct{ training.Norm }

// Chunk computes block i of the channels.
func (t *normTask) Chunk(i int) { t.Forward(i*channelBlock, min((i+1)*channelBlock, t.Channels)) }

func batchNormGrad(e *fast.Env, _ *op.Call) (op.Kernel, bool, error) {
	return op.Kernel{
		State: func() any { return new(normGradTask) },
		Run: func(r *op.Run) error {
			t := r.State.(*normGradTask)
			t.NormGrad = training.NewNormGrad(r)
			e.Run((t.Channels+channelBlock-1)/channelBlock, t)
			return nil
		},
	}, true, nil
}

type normGradTask struct{ training.NormGrad }

// Chunk computes block i of the channels.
func (t *normGradTask) Chunk(i int) {
	t.Backward(i*channelBlock, min((i+1)*channelBlock, t.Channels))
}

// dropout is the reference step by blocks of elements.
func dropout(e *fast.Env, c *op.Call) (op.Kernel, bool, error) {
	o := graph.Options[training.DropoutOptions](c.Node)
	return op.Kernel{
		State: func() any { return &dropoutTask{o: o} },
		Run: func(r *op.Run) error {
			t := r.State.(*dropoutTask)
			t.x, t.y, t.step = op.F32s(r.In[0]), op.F32s(r.Out[0]), op.I32s(r.In[1])[0]
			e.Run((len(t.x)+block-1)/block, t)
			return nil
		},
	}, true, nil
}

type dropoutTask struct {
	o    *training.DropoutOptions
	x, y []float32
	step int32
}

// Chunk computes block i of the elements.
func (t *dropoutTask) Chunk(i int) {
	t.o.Apply(t.y, t.x, t.step, i*block, min((i+1)*block, len(t.x)))
}
