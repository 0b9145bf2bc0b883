package shape

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const (
	reverseTypes  = op.F32 | op.F16 | op.BF16 | op.I8 | op.U8 | op.I16 | op.I32 | op.I64 | op.B
	sequenceTypes = op.F32 | op.U8 | op.I16 | op.I32 | op.I64
)

// ReverseV2 is REVERSE_V2: the input with the axes that operand 1 lists run
// backwards. Its parameters are the input's: TensorFlow's int8 quantizer measures
// them again, which changes values wherever the two differ.
var ReverseV2 = &op.Def{
	Code:     graph.OpCode(schema.REVERSE_V2),
	Name:     "REVERSE_V2",
	Operands: op.In("input", reverseTypes).In("axes", op.I32).Out("output", reverseTypes).As(0),
	Facts:    reverseFacts,
	Version:  atType(0, map[tensor.DType]int{tensor.Int8: 3, tensor.Int16: 3, tensor.Bool: 2}), // written 16x8 files carry the int8 version
	Since:    []string{"1.14.0", "2.2.0", "2.5.0", "2.23.0"},
	Quant:    op.Quant{In: []op.Rule{op.Activation()}, Int16: &sameScale16},
	Ref:      mover(reverse),
}

// ReverseSequence is REVERSE_SEQUENCE: for entry i of batch_dim the first
// lengths[i] elements along seq_dim run backwards, none if it is negative.
var ReverseSequence = &op.Def{
	Code:     graph.OpCode(schema.REVERSE_SEQUENCE),
	Name:     "REVERSE_SEQUENCE",
	Operands: op.In("input", sequenceTypes).In("lengths", op.Index).Out("output", sequenceTypes).As(0),
	Facts:    sequenceFacts,
	Version:  func(*op.Call) int { return 1 },
	Since:    []string{"1.14.0"},
	Quant:    op.Quant{None: true}, // TensorFlow's int8 files hold int8 operands, which LiteRT refuses
	Ref: func(c *op.Call) (op.Kernel, error) {
		o := *graph.Options[fb.ReverseSequenceOptionsT](c.Node)
		return mover(func(r *op.Run) error { return reverseSequence(r, int(o.SeqDim), int(o.BatchDim)) })(c)
	},
}

func reverseFacts(c *op.Call) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	if c.In[1].Const != nil {
		axes, err := c.Ints(1)
		if err != nil {
			return err
		}
		for _, a := range axes {
			if _, err := in.Axis(a); err != nil {
				return err
			}
		}
	}
	result(c, 0, 0, in)
	return nil
}

func reverse(r *op.Run) error {
	var b box
	in := r.In[0].Shape()
	var backwards dims
	for _, x := range op.I32s(r.In[1]) {
		a, err := in.Axis(int(x))
		if err != nil {
			return err
		}
		if backwards[a]++; backwards[a] > 1 {
			return fmt.Errorf("axis %d is reversed twice: %w", a, tensor.ErrMalformed)
		}
	}
	step := strides(in)
	for i, n := range in {
		from := step[i]
		if backwards[i] > 0 {
			b.srcAt += (n - 1) * from
			from = -from
		}
		b.axis(n, step[i], from)
	}
	return b.move(r, r.Out[0], r.In[0])
}

func sequenceFacts(c *op.Call) error {
	o := graph.Options[fb.ReverseSequenceOptionsT](c.Node)
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	seq, batch := int(o.SeqDim), int(o.BatchDim)
	if seq < 0 || batch < 0 || seq == batch || max(seq, batch) >= len(in) {
		return fmt.Errorf("seq_dim %d and batch_dim %d of shape %v: %w", seq, batch, in, tensor.ErrShape)
	}
	if !c.In[1].Unknown && !fits(c.In[1].Shape, tensor.Shape{in[batch]}) {
		return fmt.Errorf("lengths of shape %v for batch_dim %d of shape %v: %w", c.In[1].Shape, batch, in, tensor.ErrShape)
	}
	result(c, 0, 0, in)
	return nil
}

func reverseSequence(r *op.Run, seq, batch int) error {
	in := r.In[0].Shape()
	step := strides(in)
	for k := range in[batch] {
		n := max(index(r.In[1], k), 0)
		if n > in[seq] {
			return fmt.Errorf("length %d of an axis of %d: %w", n, in[seq], tensor.ErrMalformed)
		}
		for _, part := range [2]struct{ n, to, from, by int }{
			{n, 0, n - 1, -1}, {in[seq] - n, n, n, 1},
		} {
			b := box{dstAt: k*step[batch] + part.to*step[seq], srcAt: k*step[batch] + part.from*step[seq]}
			for i, d := range in {
				switch i {
				case batch:
				case seq:
					b.axis(part.n, step[i], part.by*step[i])
				default:
					b.axis(d, step[i], step[i])
				}
			}
			if err := b.move(r, r.Out[0], r.In[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameScale16 is REVERSE_V2's rule in 16x8 only: the int8 quantizer measures its
// result.
var sameScale16 = op.SameScale(0)
