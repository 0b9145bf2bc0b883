package recurrent

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// A cell's gates in TFLite's order, which is also that of Keras: input, forget,
// cell (the candidate) and output.
const (
	inputGate = iota
	forgetGate
	cellGate
	outputGate
	gates
)

var gateNames = [gates]string{"input", "forget", "cell", "output"}

// layout says where an LSTM cell's operands are among an operator's. Of weights,
// recurrent weights, biases, normalization coefficients and auxiliary weights it
// names the input gate's, which those of the other gates follow; of the peephole
// weights the cell gate has none. -1: the operator has no such operands.
type layout struct {
	input, weights, recurrent, peephole, bias, norm int
	projection, projectionBias                      int
	output, cell                                    int // the states
	aux, auxWeights                                 int
}

// full is the layout of LSTM (its FULL kernel) and UNIDIRECTIONAL_SEQUENCE_LSTM.
var full = layout{
	input: 0, weights: 1, recurrent: 5, peephole: 9, bias: 12, norm: 20,
	projection: 16, projectionBias: 17, output: 18, cell: 19, aux: -1, auxWeights: -1,
}

// The operand numbers of a gate's weights and coefficients.
func (l *layout) weightsOf(gate int) int   { return l.weights + gate }
func (l *layout) recurrentOf(gate int) int { return l.recurrent + gate }
func (l *layout) biasOf(gate int) int      { return l.bias + gate }
func (l *layout) normOf(gate int) int      { return offset(l.norm, gate) }
func (l *layout) auxOf(gate int) int       { return offset(l.auxWeights, gate) }
func (l *layout) peepholeOf(gate int) int {
	switch gate {
	case cellGate:
		return -1
	case outputGate:
		return l.peephole + 2
	}
	return l.peephole + gate
}

func offset(base, i int) int {
	if base < 0 {
		return -1
	}
	return base + i
}

// cellOptions are what the options of the LSTM operators have in common.
type cellOptions struct {
	act                fb.ActivationFunctionType
	cellClip, projClip float32
	timeMajor          bool
	asymmetric         bool
}

func (o *cellOptions) check() error {
	if !(o.cellClip >= 0) || !(o.projClip >= 0) {
		return fmt.Errorf("cell clip %v, projection clip %v: %w", o.cellClip, o.projClip, tensor.ErrMalformed)
	}
	return nil
}

// UnidirectionalSequenceLSTM is UNIDIRECTIONAL_SEQUENCE_LSTM: input
// [time, batch, input] or [batch, time, input], result the same with the cell's
// output size last. Without input gate weights the input gate is one minus the
// forget gate (CIFG). Recurrent weights of rank 1 are diagonal.
var UnidirectionalSequenceLSTM = &op.Def{
	Code:     graph.OpCode(schema.UNIDIRECTIONAL_SEQUENCE_LSTM),
	Name:     "UNIDIRECTIONAL_SEQUENCE_LSTM",
	Operands: fullOperands().Out("output", op.F32|op.I8),
	Facts:    sequenceFacts,
	Effect:   op.State,
	Version:  sequenceVersion,
	Since:    []string{"1.13.1", "1.14.0", "2.3.0", "2.12.0"},
	Quant:    fullQuant(),
	Ref:      func(c *op.Call) (op.Kernel, error) { return fullKernel(c, sequenceOptions(c.Node)) },
}

// fullOperands is the 24 operands of the full layout; files of TensorFlow 1 may
// have the first 20 only.
func fullOperands() op.Operands {
	weights := op.F32 | op.I8 | op.U8
	o := op.In("input", op.F32|op.I8)
	o = gateOperands(o, "input_to_%s_weights", weights, true, 0, 1, 2, 3)
	o = gateOperands(o, "recurrent_to_%s_weights", weights, true, 0, 1, 2, 3)
	o = gateOperands(o, "cell_to_%s_weights", weights|op.I16, false, 0, 1, 3)
	o = gateOperands(o, "%s_gate_bias", op.F32|op.I32, true, 0, 1, 2, 3)
	o = o.Opt("projection_weights", weights).Opt("projection_bias", op.F32|op.I32).
		In("output_state", op.F32|op.I8).In("cell_state", op.F32|op.I16)
	return gateOperands(o, "%s_layer_norm_coefficients", op.F32|op.I16, false, 0, 1, 2, 3)
}

// gateOperands adds an operand for each gate; the input gate's is optional.
func gateOperands(o op.Operands, format string, types op.Types, required bool, gates ...int) op.Operands {
	for _, g := range gates {
		if name := fmt.Sprintf(format, gateNames[g]); required && g != inputGate {
			o = o.In(name, types)
		} else {
			o = o.Opt(name, types)
		}
	}
	return o
}

func sequenceOptions(n *graph.Node) cellOptions {
	o := graph.Options[fb.UnidirectionalSequenceLSTMOptionsT](n)
	return cellOptions{o.FusedActivationFunction, o.CellClip, o.ProjClip, o.TimeMajor, o.AsymmetricQuantizeInputs}
}

func sequenceFacts(c *op.Call) error {
	in := &c.In[0]
	if !shapesKnown(c, 0) {
		return op.ErrLater
	}
	if len(in.Shape) != 3 {
		return fmt.Errorf("input of shape %v, want rank 3: %w", in.Shape, tensor.ErrShape)
	}
	o := sequenceOptions(c.Node)
	s, err := checkFull(c, &o, in.Shape)
	if err != nil {
		return err
	}
	c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{in.Shape[0], in.Shape[1], s.output}, false
	return nil
}

// checkFull validates the operands of the full layout for an input shape that may
// hold unknown dimensions.
func checkFull(c *op.Call, o *cellOptions, input tensor.Shape) (sizes, error) {
	if n := len(c.In); n != 20 && n != 24 {
		return sizes{}, fmt.Errorf("%d operands, want 20 or 24: %w", n, tensor.ErrMalformed)
	}
	if err := o.check(); err != nil {
		return sizes{}, err
	}
	w := walkOf(input, o.timeMajor)
	return full.check(c, w.batch, input[len(input)-1], 0)
}

// sequenceVersion follows GetBuiltinOperatorVersion.
func sequenceVersion(c *op.Call) int {
	o := graph.Options[fb.UnidirectionalSequenceLSTMOptionsT](c.Node)
	switch {
	case o.DiagonalRecurrentTensors:
		return 4
	case c.In[0].DType == tensor.Float32 && c.In[2].DType == tensor.Int8 && o.AsymmetricQuantizeInputs:
		return 3
	case c.In[0].DType == tensor.Float32 && c.In[2].DType == tensor.Int8:
		return 2
	}
	return 1
}

// LSTM is LSTM: one step of a cell. The FULL kernel has the operands of
// UNIDIRECTIONAL_SEQUENCE_LSTM, with input [batch, input] and result
// [batch, output]; the BASIC kernel is BasicLSTM's.
var LSTM = &op.Def{
	Code:     graph.OpCode(schema.LSTM),
	Name:     "LSTM",
	Operands: lstmOperands(),
	Facts:    lstmFacts,
	Effect:   op.State,
	Version:  lstmVersion,
	Since:    []string{"1.7.0", "1.10.0", "1.14.0", "2.3.0"},
	Quant:    lstmQuant(),
	Ref: func(c *op.Call) (op.Kernel, error) {
		if isBasic(c.Node) {
			return basicKernel(c)
		}
		return fullKernel(c, lstmOptions(c.Node))
	},
}

func isBasic(n *graph.Node) bool {
	return graph.Options[fb.LSTMOptionsT](n).KernelType == fb.LSTMKernelTypeBASIC
}

// lstmOperands covers both kernels' operands, named as the FULL one's; their own
// checks tell them apart.
func lstmOperands() op.Operands {
	o := fullOperands()
	for i, types := range []op.Types{basicInput: op.U8, basicBias: op.I32, basicState: op.I16} {
		o.Ins[i].Types |= types
	}
	for i := basicState + 1; i < len(o.Ins); i++ {
		o.Ins[i].Optional = true
	}
	o = o.Out("output", op.F32|op.I8|op.U8)
	for i, types := range []op.Types{op.I16, op.U8, op.I16} {
		name := []string{"state", "concat_temp", "activation_temp"}[i]
		o.Outs = append(o.Outs, op.Operand{Name: name, Types: op.F32 | types, Optional: true})
	}
	return o
}

func lstmOptions(n *graph.Node) cellOptions {
	o := graph.Options[fb.LSTMOptionsT](n)
	return cellOptions{act: o.FusedActivationFunction, cellClip: o.CellClip, projClip: o.ProjClip, asymmetric: o.AsymmetricQuantizeInputs}
}

func lstmFacts(c *op.Call) error {
	if isBasic(c.Node) {
		return basicFacts(c)
	}
	in := &c.In[0]
	if !shapesKnown(c, 0) {
		return op.ErrLater
	}
	if len(in.Shape) != 2 || len(c.Out) != 1 {
		return fmt.Errorf("input of shape %v and %d results, want rank 2 and one: %w", in.Shape, len(c.Out), tensor.ErrShape)
	}
	o := lstmOptions(c.Node)
	s, err := checkFull(c, &o, in.Shape)
	if err != nil {
		return err
	}
	c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{in.Shape[0], s.output}, false
	return nil
}

// lstmVersion follows GetBuiltinOperatorVersion.
func lstmVersion(c *op.Call) int {
	o := graph.Options[fb.LSTMOptionsT](c.Node)
	int8Weights := c.In[0].DType == tensor.Float32 && c.In[2].DType == tensor.Int8
	switch {
	case o.KernelType == fb.LSTMKernelTypeBASIC:
		return 2
	case int8Weights && o.AsymmetricQuantizeInputs:
		return 4
	case int8Weights:
		return 3
	}
	return 1
}

// fullKernel makes the kernel of an operator with the full layout.
func fullKernel(c *op.Call, o cellOptions) (op.Kernel, error) {
	if err := checkWritable(c, full.output, full.cell); err != nil {
		return op.Kernel{}, err
	}
	if c.In[0].DType != tensor.Int8 {
		return floatKernel(c, o)
	}
	if len(c.Intermediates) == 12 && c.Node.Op == graph.OpCode(schema.LSTM) {
		return int8x8Kernel(c, o)
	}
	return int8x16Kernel(c, o)
}
