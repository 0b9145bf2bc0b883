package shape

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const depthTypes = op.F32 | op.I8 | op.U8 | op.I32 | op.I64

// SpaceToDepth is SPACE_TO_DEPTH over [N,H,W,C]: each block of block_size² pixels
// becomes one pixel.
var SpaceToDepth = &op.Def{
	Code:     graph.OpCode(schema.SPACE_TO_DEPTH),
	Name:     "SPACE_TO_DEPTH",
	Operands: op.In("input", depthTypes).Out("output", depthTypes).As(0),
	Facts:    spaceToDepthFacts,
	Version:  atType(0, map[tensor.DType]int{tensor.Int8: 2}),
	Since:    []string{"1.5.0", "1.14.0"},
	Quant:    not16(op.SameScale(0)),
	Ref: func(c *op.Call) (op.Kernel, error) {
		n := int(graph.Options[fb.SpaceToDepthOptionsT](c.Node).BlockSize)
		return mover(func(r *op.Run) error {
			b := depthBox(r.In[0].Shape(), r.Out[0].Shape(), n)
			b.dst, b.src = b.src, b.dst
			return b.move(r, r.Out[0], r.In[0])
		})(c)
	},
}

// DepthToSpace is DEPTH_TO_SPACE, the inverse of SPACE_TO_DEPTH.
var DepthToSpace = &op.Def{
	Code:     graph.OpCode(schema.DEPTH_TO_SPACE),
	Name:     "DEPTH_TO_SPACE",
	Operands: op.In("input", depthTypes).Out("output", depthTypes).As(0),
	Facts:    depthToSpaceFacts,
	Version:  atType(0, map[tensor.DType]int{tensor.Int8: 2}),
	Since:    []string{"2.1.0", "2.5.0"},
	Quant:    not16(op.SameScale(0)),
	Ref: func(c *op.Call) (op.Kernel, error) {
		n := int(graph.Options[fb.DepthToSpaceOptionsT](c.Node).BlockSize)
		return mover(func(r *op.Run) error {
			b := depthBox(r.Out[0].Shape(), r.In[0].Shape(), n)
			return b.move(r, r.Out[0], r.In[0])
		})(c)
	},
}

// SpaceToBatchND is SPACE_TO_BATCH_ND over [N,H,C] or [N,H,W,C]: the input is
// padded (cropped where the padding is negative), then the pixels of a block are
// dealt to as many batches.
var SpaceToBatchND = &op.Def{
	Code:     graph.OpCode(schema.SPACE_TO_BATCH_ND),
	Name:     "SPACE_TO_BATCH_ND",
	Operands: op.In("input", plainTypes).In("block", op.I32).In("paddings", op.I32).Out("output", plainTypes).As(0),
	Facts:    spaceToBatchFacts,
	Version:  blocksVersion,
	Since:    []string{"1.6.0", "1.14.0", "2.3.0", "2.12.0"},
	Quant:    op.SameScale(0),
	Ref:      spaceToBatch,
}

// BatchToSpaceND is BATCH_TO_SPACE_ND, the inverse of SPACE_TO_BATCH_ND: what it
// pads is cropped.
var BatchToSpaceND = &op.Def{
	Code:     graph.OpCode(schema.BATCH_TO_SPACE_ND),
	Name:     "BATCH_TO_SPACE_ND",
	Operands: op.In("input", plainTypes).In("block", op.I32).In("crops", op.I32).Out("output", plainTypes).As(0),
	Facts:    batchToSpaceFacts,
	Version:  blocksVersion,
	Since:    []string{"1.6.0", "1.14.0", "2.3.0", "2.12.0"},
	Quant:    op.SameScale(0),
	Ref: func(c *op.Call) (op.Kernel, error) {
		if err := sameParameters(c, c.In...); err != nil {
			return op.Kernel{}, err
		}
		return mover(func(r *op.Run) error { return moveBlocks(r, r.Out[0], r.In[0], true) })(c)
	},
}

func blocksVersion(c *op.Call) int {
	switch d := c.In[0].DType; {
	case len(c.In[0].Shape) != 4:
		return 3
	case d == tensor.Int8, d == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	}
	return 1
}

// not16 keeps an operator float in the 16x8 family.
func not16(q op.Quant) op.Quant {
	q.No16 = true
	return q
}

func spaceToDepthFacts(c *op.Call) error {
	in, n, err := image(c, int(graph.Options[fb.SpaceToDepthOptionsT](c.Node).BlockSize))
	if err != nil {
		return err
	}
	out := in.Clone()
	for _, i := range []int{1, 2} {
		if in[i] < 0 {
			continue
		}
		if in[i]%n != 0 {
			return fmt.Errorf("shape %v in blocks of %d: %w", in, n, tensor.ErrShape)
		}
		out[i] = in[i] / n
	}
	if in[3] >= 0 {
		out[3] = in[3] * n * n
	}
	result(c, 0, 0, out)
	return nil
}

func depthToSpaceFacts(c *op.Call) error {
	in, n, err := image(c, int(graph.Options[fb.DepthToSpaceOptionsT](c.Node).BlockSize))
	if err != nil {
		return err
	}
	out := in.Clone()
	for _, i := range []int{1, 2} {
		if in[i] >= 0 {
			out[i] = in[i] * n
		}
	}
	if in[3] >= 0 {
		if in[3]%(n*n) != 0 {
			return fmt.Errorf("depth of shape %v to blocks of %d: %w", in, n, tensor.ErrShape)
		}
		out[3] = in[3] / (n * n)
	}
	result(c, 0, 0, out)
	return nil
}

// image returns the shape of operand 0, which has rank 4, and checks a block
// size.
func image(c *op.Call, block int) (tensor.Shape, int, error) {
	in, err := ranked(c, 0)
	if err != nil {
		return nil, 0, err
	}
	if len(in) != 4 || block < 1 || block > 1<<15 {
		return nil, 0, fmt.Errorf("shape %v in blocks of %d: %w", in, block, tensor.ErrShape)
	}
	return in, block, nil
}

// depthBox pairs an image, as the target, with the same image whose blocks of n
// by n pixels have become depth.
func depthBox(image, deep tensor.Shape, n int) (b box) {
	wide, packed := strides(image), strides(deep)
	row := n * image[3]
	b.axis(image[0], wide[0], packed[0])
	b.axis(deep[1], n*wide[1], packed[1])
	b.axis(n, wide[1], row)
	b.axis(deep[2], n*wide[2], packed[2])
	b.axis(n, wide[2], image[3])
	b.axis(image[3], 1, 1)
	return b
}

// blockOperands returns the input's shape, the block's and the margins' values.
func blockOperands(c *op.Call) (in tensor.Shape, block, margins []int, err error) {
	if in, err = ranked(c, 0); err != nil {
		return
	}
	if len(in) != 3 && len(in) != 4 {
		return nil, nil, nil, fmt.Errorf("input of shape %v: %w", in, tensor.ErrShape)
	}
	if block, err = vector(c, 1, len(in)-2); err != nil {
		return
	}
	if margins, err = c.Ints(2); err != nil {
		return
	}
	if !c.In[2].Shape.Equal(tensor.Shape{len(in) - 2, 2}) {
		return nil, nil, nil, fmt.Errorf("margins of shape %v for an input of shape %v: %w", c.In[2].Shape, in, tensor.ErrShape)
	}
	if slices.Min(block) < 1 {
		return nil, nil, nil, fmt.Errorf("blocks %v: %w", block, tensor.ErrShape)
	}
	return in, block, margins, nil
}

func spaceToBatchFacts(c *op.Call) error {
	in, block, margins, err := blockOperands(c)
	if err != nil {
		return err
	}
	out := in.Clone()
	for i, n := range block {
		if out[0] > maxSize/n {
			return fmt.Errorf("%d batches times blocks %v: %w", in[0], block, tensor.ErrLimit)
		}
		if out[0] >= 0 {
			out[0] *= n
		}
		if in[i+1] < 0 {
			continue
		}
		padded := int64(in[i+1]) + int64(margins[2*i]) + int64(margins[2*i+1])
		if padded < 0 || padded > maxSize || padded%int64(n) != 0 {
			return fmt.Errorf("shape %v padded by %v in blocks %v: %w", in, margins, block, tensor.ErrShape)
		}
		out[i+1] = int(padded) / n
	}
	result(c, 0, 0, out)
	return nil
}

func batchToSpaceFacts(c *op.Call) error {
	in, block, margins, err := blockOperands(c)
	if err != nil {
		return err
	}
	if slices.Min(margins) < 0 {
		return fmt.Errorf("crops %v: %w", margins, tensor.ErrShape)
	}
	out := in.Clone()
	for i, n := range block {
		if out[0] >= 0 {
			if out[0]%n != 0 {
				return fmt.Errorf("%d batches in blocks %v: %w", in[0], block, tensor.ErrShape)
			}
			out[0] /= n
		}
		if in[i+1] < 0 {
			continue
		}
		if in[i+1] > maxSize/n {
			return fmt.Errorf("shape %v times blocks %v: %w", in, block, tensor.ErrLimit)
		}
		if out[i+1] = in[i+1]*n - margins[2*i] - margins[2*i+1]; out[i+1] < 0 {
			return fmt.Errorf("shape %v in blocks %v cropped by %v: %w", in, block, margins, tensor.ErrShape)
		}
	}
	result(c, 0, 0, out)
	return nil
}

func spaceToBatch(c *op.Call) (op.Kernel, error) {
	if err := sameParameters(c, c.In...); err != nil {
		return op.Kernel{}, err
	}
	zero, err := zeroOf(&c.Out[0])
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{Run: func(r *op.Run) error {
		if err := fill(r, r.Out[0], zero); err != nil {
			return err
		}
		return moveBlocks(r, r.In[0], r.Out[0], false)
	}}, nil
}

// moveBlocks moves the pixels of an image from or to the batches that hold the
// positions in its blocks. Operand 1 is the block's shape, operand 2 the margins
// around the image.
func moveBlocks(r *op.Run, image, batches tensor.Tensor, toImage bool) error {
	if r.Out[0].Len() == 0 { // the block's size is then unbounded
		return nil
	}
	positions := 1
	for _, n := range op.I32s(r.In[1]) {
		positions *= int(n)
	}
	for p := range positions {
		if r.Stop() {
			return op.ErrStopped
		}
		b := blockBox(r, image.Shape(), batches.Shape(), p, positions)
		dst, src := image, batches
		if !toImage {
			b.dst, b.src, b.dstAt, b.srcAt = b.src, b.dst, b.srcAt, b.dstAt
			dst, src = src, dst
		}
		if err := b.move(r, dst, src); err != nil {
			return err
		}
	}
	return nil
}

// blockBox pairs the image's pixels at position p of the blocks, as the target,
// with their batches.
func blockBox(r *op.Run, image, batches tensor.Shape, p, positions int) box {
	wide, packed := strides(image), strides(batches)
	margins := op.I32s(r.In[2])
	b := box{srcAt: p * image[0] * packed[0]}
	b.axis(image[0], wide[0], packed[0])
	for i, n := range op.I32s(r.In[1]) {
		n, axis := int(n), i+1
		positions /= n
		shift := p/positions - int(margins[2*i]) // of the first pixel, negative in the margin
		p %= positions
		first := max(0, (-shift+n-1)/n)
		count := max(0, min(batches[axis], (image[axis]-shift+n-1)/n)-first)
		b.dstAt += (shift + first*n) * wide[axis]
		b.srcAt += first * packed[axis]
		b.axis(count, n*wide[axis], packed[axis])
	}
	b.axis(image[len(image)-1], 1, 1)
	return b
}
