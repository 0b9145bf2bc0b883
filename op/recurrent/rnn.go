package recurrent

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// RNN is RNN: one step of a plain recurrent cell, act(W·x + R·h + b). Input
// [batch, in], weights [units, in], recurrent weights [units, units], bias
// [units], state and result [batch, units].
var RNN = &op.Def{
	Code:     graph.OpCode(schema.RNN),
	Name:     "RNN",
	Operands: rnnOperands(op.In("input", op.F32), "").Out("output", op.F32),
	Facts:    func(c *op.Call) error { return rnnFacts(c, 2) },
	Effect:   op.State,
	Version:  func(c *op.Call) int { return hybridVersion(c, rnnOptionsOf(c.Node).asymmetric) },
	Since:    []string{"1.5.0", "1.14.0", "2.3.0"},
	Quant:    hybridQuant(1, 2),
	Ref:      rnnKernel,
}

// UnidirectionalSequenceRNN is UNIDIRECTIONAL_SEQUENCE_RNN: RNN over a sequence
// [time, batch, in] or [batch, time, in].
var UnidirectionalSequenceRNN = &op.Def{
	Code:     graph.OpCode(schema.UNIDIRECTIONAL_SEQUENCE_RNN),
	Name:     "UNIDIRECTIONAL_SEQUENCE_RNN",
	Operands: rnnOperands(op.In("input", op.F32), "").Out("output", op.F32),
	Facts:    func(c *op.Call) error { return rnnFacts(c, 3) },
	Effect:   op.State,
	Version:  func(c *op.Call) int { return hybridVersion(c, rnnOptionsOf(c.Node).asymmetric) },
	Since:    []string{"1.14.0", "1.14.0", "2.3.0"},
	Quant:    hybridQuant(1, 2),
	Ref:      rnnKernel,
}

// BidirectionalSequenceRNN is BIDIRECTIONAL_SEQUENCE_RNN: two cells, one going
// backwards; inputs and results as in BIDIRECTIONAL_SEQUENCE_LSTM, save that an
// auxiliary input without weights counts only where time comes first.
var BidirectionalSequenceRNN = &op.Def{
	Code:     graph.OpCode(schema.BIDIRECTIONAL_SEQUENCE_RNN),
	Name:     "BIDIRECTIONAL_SEQUENCE_RNN",
	Operands: bidirectionalRNNOperands(),
	Facts:    bidirectionalRNNFacts,
	Effect:   op.State,
	Version:  func(c *op.Call) int { return hybridVersion(c, rnnOptionsOf(c.Node).asymmetric) },
	Since:    []string{"1.14.0", "1.14.0", "2.3.0"},
	Quant:    hybridQuant(1, 2, 5, 6, 10, 11),
	Ref:      bidirectionalRNNKernel,
}

// plain says where a plain recurrent cell's operands are; -1: none.
type plain struct{ weights, recurrent, bias, state, aux, auxWeights int }

var (
	single        = plain{1, 2, 3, 4, -1, -1}
	forwardPlain  = plain{1, 2, 3, 4, auxPlain, 10}
	backwardPlain = plain{5, 6, 7, 8, auxPlain, 11}
)

const auxPlain = 9

// auxOperand returns the number of a bidirectional operator's auxiliary input.
func auxOperand(c *op.Call) int {
	if len(c.In) == 12 {
		return auxPlain
	}
	return auxInput
}

func rnnOperands(o op.Operands, prefix string) op.Operands {
	weights := op.F32 | op.I8 | op.U8
	return o.In(prefix+"input_weights", weights).In(prefix+"recurrent_weights", weights).
		In(prefix+"bias", op.F32).In(prefix+"hidden_state", op.F32)
}

func bidirectionalRNNOperands() op.Operands {
	o := rnnOperands(rnnOperands(op.In("input", op.F32), "fw_"), "bw_").Opt("aux_input", op.F32)
	weights := op.F32 | op.I8 | op.U8
	o = o.Opt("fw_aux_input_weights", weights).Opt("bw_aux_input_weights", weights).Out("fw_output", op.F32)
	o.Outs = append(o.Outs, op.Operand{Name: "bw_output", Types: op.F32, Optional: true})
	return o
}

// rnnOptions are what the options of the three operators have in common.
type rnnOptions struct {
	act                          fb.ActivationFunctionType
	timeMajor, merge, asymmetric bool
}

func rnnOptionsOf(n *graph.Node) rnnOptions {
	switch o := n.Options.(type) {
	case *fb.RNNOptionsT:
		return rnnOptions{act: o.FusedActivationFunction, asymmetric: o.AsymmetricQuantizeInputs}
	case *fb.SequenceRNNOptionsT:
		return rnnOptions{act: o.FusedActivationFunction, timeMajor: o.TimeMajor, asymmetric: o.AsymmetricQuantizeInputs}
	case *fb.BidirectionalSequenceRNNOptionsT:
		return rnnOptions{o.FusedActivationFunction, o.TimeMajor, o.MergeOutputs, o.AsymmetricQuantizeInputs}
	}
	return rnnOptions{}
}

// hybridVersion is the version of operators whose second one is int8 weights and
// whose third one asymmetric activations.
func hybridVersion(c *op.Call, asymmetric bool) int {
	switch {
	case !c.Has(1) || c.In[1].DType != tensor.Int8:
		return 1
	case asymmetric:
		return 3
	}
	return 2
}

func rnnFacts(c *op.Call, rank int) error {
	if !shapesKnown(c, 0) {
		return op.ErrLater
	}
	in := c.In[0].Shape
	if len(in) != rank {
		return fmt.Errorf("input of shape %v, want rank %d: %w", in, rank, tensor.ErrShape)
	}
	units, err := single.check(c, in, 0)
	if err != nil {
		return err
	}
	out := in.Clone()
	out[rank-1] = units
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	return nil
}

// check validates a cell's operands and returns its units.
func (p *plain) check(c *op.Call, in tensor.Shape, aux int) (int, error) {
	w, size := &c.In[p.weights], in[len(in)-1]
	if len(w.Shape) != 2 || w.Shape[0] < 1 || size < 1 {
		return 0, fmt.Errorf("weights of shape %v for an input %v: %w", w.Shape, in, tensor.ErrShape)
	}
	units := w.Shape[0]
	for _, err := range []error{
		checkShape(c, p.weights, "weights", units, size),
		checkShape(c, p.recurrent, "recurrent weights", units, units),
		checkShape(c, p.bias, "bias", units),
		checkType(c, p.recurrent, "recurrent weights", w.DType),
		checkState(c, p.state, walkOf(in, rnnOptionsOf(c.Node).timeMajor).batch, units),
	} {
		if err != nil {
			return 0, err
		}
	}
	if aux == 0 {
		return units, nil
	}
	if err := checkType(c, p.auxWeights, "auxiliary weights", w.DType); err != nil {
		return 0, err
	}
	return units, checkShape(c, p.auxWeights, "auxiliary weights", units, aux)
}

func bidirectionalRNNFacts(c *op.Call) error {
	if len(c.In) != 12 {
		return fmt.Errorf("%d operands, want 12: %w", len(c.In), tensor.ErrMalformed)
	}
	if !shapesKnown(c, 0, auxPlain) {
		return op.ErrLater
	}
	in := c.In[0].Shape
	if len(in) != 3 {
		return fmt.Errorf("input of shape %v, want rank 3: %w", in, tensor.ErrShape)
	}
	weighted := c.Has(forwardPlain.auxWeights)
	if weighted != c.Has(backwardPlain.auxWeights) {
		return fmt.Errorf("auxiliary weights of one cell only: %w", tensor.ErrMalformed)
	}
	aux, err := checkAux(c, in, weighted)
	if err != nil {
		return err
	}
	var units [2]int
	for i, p := range []*plain{&forwardPlain, &backwardPlain} {
		if units[i], err = p.check(c, in, aux); err != nil {
			return fmt.Errorf("cell %d: %w", i, err)
		}
	}
	if a, b := c.In[forwardPlain.weights].DType, c.In[backwardPlain.weights].DType; a != b {
		return fmt.Errorf("weights of types %v and %v: %w", a, b, tensor.ErrType)
	}
	return bidirectionalResults(c, in, units, rnnOptionsOf(c.Node).merge)
}

// plainForm is what a plain cell's kernel knows before shapes.
type plainForm struct {
	plain
	o    rnnOptions
	act  activation
	int8 bool
}

func newPlainForm(c *op.Call, p plain) (*plainForm, error) {
	f := &plainForm{plain: p, o: rnnOptionsOf(c.Node), int8: hybrid(c.In[p.weights].DType)}
	if err := checkWritable(c, p.state); err != nil {
		return nil, err
	}
	if err := checkWeights(c, p.weights, p.recurrent, p.auxWeights); err != nil {
		return nil, err
	}
	var err error
	f.act, err = activationOf(f.o.act)
	return f, err
}

func rnnKernel(c *op.Call) (op.Kernel, error) {
	f, err := newPlainForm(c, single)
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			var m memory
			f.reserve(&m, walkOf(in[0], f.o.timeMajor), in[0], in[f.weights][0], 0)
			return m.used, nil
		},
		Run: func(r *op.Run) error {
			in := r.In[0].Shape()
			w := walkOf(in, f.o.timeMajor)
			cell := f.reserve(&memory{bytes: r.Temp}, w, in, r.In[f.weights].Shape()[0], 0)
			return cell.run(r, w, op.F32s(r.In[0]), nil, r.Out[0], 0)
		},
	}, nil
}

// plainCell is a plainForm wired to scratch memory.
type plainCell struct {
	*plainForm
	units           int
	sum             []float32
	x, auxX, hidden vectors
}

func (f *plainForm) reserve(m *memory, w walk, in tensor.Shape, units, aux int) plainCell {
	c, n := plainCell{plainForm: f, units: units}, w.rows()
	c.sum = take[float32](m, n*units)
	c.x.size, c.auxX.size, c.hidden.size = in[len(in)-1], aux, units
	if f.int8 {
		c.x.reserve(m, n, c.x.size)
		c.auxX.reserve(m, n, aux)
		c.hidden.reserve(m, n, units)
	}
	return c
}

// run takes the cell through a sequence of inputs x and, unless it is nil, aux.
// Each of out's rows takes the output from element first on.
func (c *plainCell) run(r *op.Run, w walk, x, aux []float32, out tensor.Tensor, first int) error {
	weights, recurrent := matrixOf(r.In, c.weights), matrixOf(r.In, c.recurrent)
	auxWeights, bias := matrixOf(r.In, c.auxWeights), op.F32s(r.In[c.bias])
	state, to, shape := op.F32s(r.In[c.state]), op.F32s(out), out.Shape()
	stride := shape[len(shape)-1]
	return w.each(r, func(s step) {
		h, sum := part(state, s.state, s.n, c.units), c.sum[:s.n*c.units]
		spread(sum, bias)
		c.add(sum, &weights, &c.x, s.of(x, c.x.size))
		if aux != nil {
			c.add(sum, &auxWeights, &c.auxX, c.auxRows(s, aux, w.timeMajor))
		}
		c.add(sum, &recurrent, &c.hidden, h)
		c.act.apply(sum, sum)
		copy(h, sum)
		for i := range s.n {
			copy(to[(s.first+i)*stride+first:], part(sum, i, 1, c.units))
		}
	})
}

// auxRows returns a step's rows of the auxiliary input. Save for float weights with
// the batch first, LiteRT counts those before them as long as rows of the input.
func (c *plainCell) auxRows(s step, aux []float32, timeMajor bool) []float32 {
	if !c.int8 && !timeMajor {
		return s.of(aux, c.auxX.size)
	}
	n := s.n * c.auxX.size
	first := min(s.first*c.x.size, len(aux)-n)
	return aux[first : first+n]
}

func (c *plainCell) add(sum []float32, m *matrix, v *vectors, x []float32) {
	v.set(x, v.size, c.int8)
	if c.int8 {
		v.quantize(c.o.asymmetric)
	}
	m.accumulate(sum, c.units, v, neonProduct)
}

func bidirectionalRNNKernel(c *op.Call) (op.Kernel, error) {
	var forms [2]*plainForm
	for i, p := range []plain{forwardPlain, backwardPlain} {
		var err error
		if forms[i], err = newPlainForm(c, p); err != nil {
			return op.Kernel{}, err
		}
	}
	weighted, o := c.Has(forwardPlain.auxWeights), forms[0].o
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			most, w := 0, walkOf(in[0], o.timeMajor)
			for _, f := range forms {
				var m memory
				f.reserve(&m, w, in[0], in[f.weights][0], lastOf(in[auxPlain]))
				most = max(most, m.used)
			}
			return most, nil
		},
		Run: func(r *op.Run) error {
			in, aux := op.F32s(r.In[0]), optional(r.In, auxPlain)
			w, second := walkOf(r.In[0].Shape(), o.timeMajor), in
			if !weighted {
				if aux != nil && w.timeMajor { // batch first, LiteRT ignores it
					second = aux
				}
				aux = nil
			}
			if err := forms[0].runAll(r, w, in, aux, r.Out[0], 0); err != nil {
				return err
			}
			first := 0
			if o.merge {
				first = r.In[forwardPlain.weights].Shape()[0]
			}
			w.backwards = true
			return forms[1].runAll(r, w, second, aux, r.Out[len(r.Out)-1], first)
		},
	}, nil
}

func lastOf(s tensor.Shape) int {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1]
}

// runAll runs one of two cells. LiteRT's kernel for int8 weights goes through a
// sequence with time first as often as it has steps, its state running on.
func (f *plainForm) runAll(r *op.Run, w walk, x, aux []float32, out tensor.Tensor, first int) error {
	times := 1
	if f.int8 && w.timeMajor {
		times = w.steps
	}
	cell := f.reserve(&memory{bytes: r.Temp}, w, r.In[0].Shape(), r.In[f.weights].Shape()[0], lastOf(r.In[auxPlain].Shape()))
	for range times {
		if err := cell.run(r, w, x, aux, out, first); err != nil {
			return err
		}
	}
	return nil
}
