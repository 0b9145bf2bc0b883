package recurrent

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// BidirectionalSequenceLSTM is BIDIRECTIONAL_SEQUENCE_LSTM: a cell that goes
// forwards through the sequence and one that goes backwards, with two results, or
// with merge_outputs one that holds both outputs in its last dimension.
//
// An auxiliary input with weights is added to both cells' products. Without
// weights it is the backward cell's input.
var BidirectionalSequenceLSTM = &op.Def{
	Code:     graph.OpCode(schema.BIDIRECTIONAL_SEQUENCE_LSTM),
	Name:     "BIDIRECTIONAL_SEQUENCE_LSTM",
	Operands: bidirectionalOperands(),
	Facts:    bidirectionalFacts,
	Effect:   op.State,
	Version: func(c *op.Call) int {
		return hybridVersion(c, graph.Options[fb.BidirectionalSequenceLSTMOptionsT](c.Node).AsymmetricQuantizeInputs)
	},
	Since: []string{"1.14.0", "1.14.0", "1.14.0"},
	Quant: hybridQuant(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 33,
		40, 41, 42, 43, 44, 45, 46, 47),
	Ref: bidirectionalKernel,
}

// forward and backward are the layouts of the two cells.
var (
	forward = layout{
		input: 0, weights: 1, recurrent: 5, peephole: 9, bias: 12, norm: -1,
		projection: 16, projectionBias: 17, output: 35, cell: 36, aux: auxInput, auxWeights: 40,
	}
	backward = layout{
		input: 0, weights: 18, recurrent: 22, peephole: 26, bias: 29, norm: -1,
		projection: 33, projectionBias: 34, output: 37, cell: 38, aux: auxInput, auxWeights: 44,
	}
)

const auxInput = 39

func bidirectionalOperands() op.Operands {
	weights := op.F32 | op.I8 | op.U8
	o := op.In("input", op.F32)
	for _, side := range []string{"fw", "bw"} {
		o = gateOperands(o, side+"_input_to_%s_weights", weights, true, 0, 1, 2, 3)
		o = gateOperands(o, side+"_recurrent_to_%s_weights", weights, true, 0, 1, 2, 3)
		o = gateOperands(o, side+"_cell_to_%s_weights", weights, false, 0, 1, 3)
		o = gateOperands(o, side+"_%s_gate_bias", op.F32, true, 0, 1, 2, 3)
		o = o.Opt(side+"_projection_weights", weights).Opt(side+"_projection_bias", op.F32)
	}
	for _, side := range []string{"fw", "bw"} {
		o = o.In(side+"_output_state", op.F32).In(side+"_cell_state", op.F32)
	}
	o = o.Opt("aux_input", op.F32)
	for _, side := range []string{"fw", "bw"} {
		o = gateOperands(o, side+"_aux_input_to_%s_weights", weights, false, 0, 1, 2, 3)
	}
	o = o.Out("fw_output", op.F32)
	o.Outs = append(o.Outs, op.Operand{Name: "bw_output", Types: op.F32, Optional: true})
	return o
}

func bidirectionalOptions(n *graph.Node) (o cellOptions, merge bool) {
	b := graph.Options[fb.BidirectionalSequenceLSTMOptionsT](n)
	return cellOptions{b.FusedActivationFunction, b.CellClip, b.ProjClip, b.TimeMajor, b.AsymmetricQuantizeInputs}, b.MergeOutputs
}

func bidirectionalFacts(c *op.Call) error {
	if len(c.In) != 48 {
		return fmt.Errorf("%d operands, want 48: %w", len(c.In), tensor.ErrMalformed)
	}
	if !shapesKnown(c, 0, auxInput) {
		return op.ErrLater
	}
	in := c.In[0].Shape
	if len(in) != 3 {
		return fmt.Errorf("input of shape %v, want rank 3: %w", in, tensor.ErrShape)
	}
	o, merge := bidirectionalOptions(c.Node)
	if err := o.check(); err != nil {
		return err
	}
	weighted := c.Has(forward.auxOf(forgetGate))
	if weighted != c.Has(backward.auxOf(forgetGate)) {
		return fmt.Errorf("auxiliary weights of one cell only: %w", tensor.ErrMalformed)
	}
	aux, err := checkAux(c, in, weighted)
	if err != nil {
		return err
	}
	var out [2]int
	for i, l := range []*layout{&forward, &backward} {
		s, err := l.check(c, walkOf(in, o.timeMajor).batch, in[2], aux)
		if err != nil {
			return fmt.Errorf("cell %d: %w", i, err)
		}
		out[i] = s.output
	}
	return bidirectionalResults(c, in, out, merge)
}

// checkAux validates the auxiliary input of a bidirectional operator and returns
// its size, 0 where it has no weights.
func checkAux(c *op.Call, in tensor.Shape, weighted bool) (int, error) {
	if !c.Has(auxOperand(c)) {
		if weighted {
			return 0, fmt.Errorf("auxiliary weights without an input: %w", tensor.ErrMalformed)
		}
		return 0, nil
	}
	a := c.In[auxOperand(c)].Shape
	if len(a) != 3 || a[2] < 1 || !weighted && a[2] != in[2] {
		return 0, fmt.Errorf("auxiliary input of shape %v for an input %v: %w", a, in, tensor.ErrShape)
	}
	for i := range 2 {
		if a[i] >= 0 && in[i] >= 0 && a[i] != in[i] {
			return 0, fmt.Errorf("auxiliary input of shape %v for an input %v: %w", a, in, tensor.ErrShape)
		}
	}
	if !weighted {
		return 0, nil
	}
	return a[2], nil
}

// bidirectionalResults shapes two results of the given sizes, or one of both.
func bidirectionalResults(c *op.Call, in tensor.Shape, size [2]int, merge bool) error {
	want := 2
	if merge {
		want, size[0] = 1, size[0]+size[1]
	}
	if len(c.Out) != want {
		return fmt.Errorf("%d results, want %d: %w", len(c.Out), want, tensor.ErrMalformed)
	}
	for i := range c.Out {
		c.Out[i].Shape, c.Out[i].Unknown = tensor.Shape{in[0], in[1], size[i]}, false
	}
	return nil
}

func bidirectionalKernel(c *op.Call) (op.Kernel, error) {
	o, merge := bidirectionalOptions(c.Node)
	if err := checkWritable(c, forward.output, forward.cell, backward.output, backward.cell); err != nil {
		return op.Kernel{}, err
	}
	weighted := c.Has(forward.auxOf(forgetGate))
	var cells [2]*floatLSTM
	for i, l := range []layout{forward, backward} {
		var err error
		if cells[i], err = newFloatLSTM(c, l, o); err != nil {
			return op.Kernel{}, err
		}
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			most := 0
			for _, f := range cells {
				var m memory
				f.reserve(&m, walkOf(in[0], o.timeMajor), f.at.sizesOf(in))
				most = max(most, m.used)
			}
			return most, nil
		},
		Run: func(r *op.Run) error {
			w := walkOf(r.In[0].Shape(), o.timeMajor)
			in, aux := op.F32s(r.In[0]), optional(r.In, auxInput)
			second, out, first := in, r.Out[len(r.Out)-1], 0
			if aux != nil && !weighted {
				second, aux = aux, nil
			}
			a, b := cells[0], cells[1]
			fw := a.reserve(&memory{bytes: r.Temp}, w, a.at.sizesOfRun(r))
			if err := fw.run(r, w, in, aux, r.Out[0], 0); err != nil {
				return err
			}
			if merge {
				first = fw.size.output
			}
			w.backwards = true
			bw := b.reserve(&memory{bytes: r.Temp}, w, b.at.sizesOfRun(r))
			return bw.run(r, w, second, aux, out, first)
		},
	}, nil
}
