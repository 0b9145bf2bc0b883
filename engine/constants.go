package engine

import (
	"bytes"
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// declaredFact is what a value's declaration says. Results of nodes keep their
// type and quantization only: shapes are derived.
// Sparse constants are expanded, within what is left for constants.
func (c *compiler) declaredFact(g *graph.Subgraph, v *graph.Value) (op.Fact, error) {
	f := op.Declared(v)
	if !v.IsConst() {
		return f, nil
	}
	var err error
	if f.Const, err = v.Dense(c.left.Bytes); err != nil {
		return f, err
	}
	if f.Sparse {
		c.left.Bytes -= len(f.Const)
	}
	if v.DType.Bits() != 0 {
		n, err := v.Shape.Bytes(v.DType)
		if err != nil {
			return f, err
		}
		if n > len(f.Const) {
			return f, fmt.Errorf("constant of type %v and shape %v takes %d bytes, has %d: %w", v.DType, v.Shape, n, len(f.Const), tensor.ErrMalformed)
		}
		f.Const = f.Const[:n] // TFLite ignores what follows
	}
	const widest = 8 // what a Go type is aligned to at most; vector loads need nothing
	if !tensor.IsAligned(f.Const, max(1, min(v.DType.Size(), widest))) {
		f.Const = append(tensor.Aligned(len(f.Const))[:0], f.Const...)
	}
	f.Blocks, err = blocksOf(g, v)
	return f, err
}

// blocksOf reads the scales of a constant that is quantized in blocks.
func blocksOf(g *graph.Subgraph, v *graph.Value) (*op.Blocks, error) {
	b := v.Blockwise
	if b == nil {
		return nil, nil
	}
	if b.Axes != nil {
		return nil, fmt.Errorf("quantization along the axes %v: %w", b.Axes, tensor.ErrUnsupported)
	}
	scales := g.Value(b.Scales)
	if scales.DType != tensor.Float16 {
		return nil, fmt.Errorf("blockwise quantization with scales of type %v: %w", scales.DType, tensor.ErrUnsupported)
	}
	if len(v.Shape) != 2 || b.Size < 1 || v.Shape[1]%b.Size != 0 {
		return nil, fmt.Errorf("blocks of %d in shape %v: %w", b.Size, v.Shape, tensor.ErrMalformed)
	}
	n, err := scales.Shape.Bytes(scales.DType)
	if err != nil || n != len(scales.Const) || n/2 != v.Shape[0]*(v.Shape[1]/b.Size) {
		return nil, fmt.Errorf("scales of shape %v for blocks of %d in %v: %w", scales.Shape, b.Size, v.Shape, tensor.ErrMalformed)
	}
	return &op.Blocks{Size: b.Size, Scales: tensor.Raw(scales.DType, scales.Shape, tensor.Quant{}, scales.Const).Float32s()}, nil
}

// fold evaluates a node over constants once, with the reference kernel: there is
// no second evaluator.
func (c *compiler) fold(s *subProgram, d *op.Def, call *op.Call) error {
	outs, err := op.EvaluateWithin(op.Bound{Bytes: c.opts.Limits.Constants, Stopped: c.left.Stopped}, d, call)
	if err != nil {
		return err
	}
	for k, v := range call.Node.Outputs {
		if v != graph.None {
			s.facts[v].Const = outs[k].Bytes()
		}
	}
	return nil
}

// start makes variables of a node's constant results that are declared so: TFLite
// computes them once. Models converted to float16 have zeros there, as variables do.
func (s *subProgram) start(n *graph.Node) error {
	for k, v := range n.Outputs {
		if v == graph.None || !s.graph.Values[v].Variable {
			continue
		}
		f := &s.facts[v]
		f.Variable = true
		t, err := newVariable(f)
		if err != nil {
			return err
		}
		if !bytes.Equal(t.Bytes(), f.Const) {
			return fmt.Errorf("result %d is a variable that does not start with zeros: %w", k, tensor.ErrUnsupported)
		}
		f.Const = nil
	}
	return nil
}

// afford takes the bytes of results from what is left for constants; false if they are
// more.
func (c *compiler) afford(results []op.Fact) bool {
	left := c.left.Bytes
	for i := range results {
		f := &results[i]
		if !f.Present || f.DType.Bits() == 0 {
			continue
		}
		n, err := f.Shape.Bytes(f.DType)
		if err != nil || n > left {
			return false
		}
		left -= n
	}
	c.left.Bytes = left
	return true
}
