package training

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// CrossEntropy is the sparse categorical cross-entropy of logits [B, C] against
// labels [B]: the loss of each example, log Σ exp(x) − x[label], and the gradient
// of the batch's mean loss with respect to the logits.
var CrossEntropy = def(CrossEntropyCode, "SPARSE_CROSS_ENTROPY",
	op.In("logits", op.F32).In("labels", op.I32).Out("loss", op.F32).Out("dlogits", op.F32),
	func(c *op.Call) error {
		if c.In[0].Unknown {
			return op.ErrLater
		}
		s := c.In[0].Shape
		if len(s) != 2 {
			return fmt.Errorf("logits of shape %v, want [batch, classes]: %w", s, tensor.ErrShape)
		}
		if l := c.In[1].Shape; !c.In[1].Unknown && !op.Compatible(l, s[:1]) {
			return fmt.Errorf("labels of shape %v for logits %v, want a class number each: %w", l, s, tensor.ErrShape)
		}
		c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{s[0]}, false
		c.Out[1].Shape, c.Out[1].Unknown = s, false
		return nil
	},
	op.Plain(func(r *op.Run) error {
		x, labels := op.F32s(r.In[0]), op.I32s(r.In[1])
		loss, dx := op.F32s(r.Out[0]), op.F32s(r.Out[1])
		batch, classes := r.In[0].Shape()[0], r.In[0].Shape()[1]
		for b := range batch {
			label := int(labels[b])
			if label < 0 || label >= classes {
				return fmt.Errorf("label %d of %d classes: %w", label, classes, tensor.ErrMalformed)
			}
			loss[b] = crossEntropyRow(x[b*classes:(b+1)*classes], dx[b*classes:(b+1)*classes], label, 1/float32(batch))
		}
		return nil
	}))

func crossEntropyRow(x, dx []float32, label int, weight float32) float32 {
	top := float32(-math.MaxFloat32)
	for _, v := range x {
		top = max(top, v)
	}
	sum := float32(0)
	for i, v := range x {
		dx[i] = libm.Expf(v - top)
		sum += dx[i]
	}
	for i := range dx {
		p := dx[i] / sum
		if i == label {
			p--
		}
		dx[i] = p * weight
	}
	return libm.Logf(sum) - (x[label] - top)
}
