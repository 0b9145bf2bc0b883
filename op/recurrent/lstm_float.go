package recurrent

import (
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// floatLSTM is what the kernel of an LSTM cell with float states knows before
// shapes. Its weights are float, or int8: then a step quantizes its activations.
type floatLSTM struct {
	at   layout
	o    cellOptions
	act  activation
	int8 bool
}

func newFloatLSTM(c *op.Call, l layout, o cellOptions) (*floatLSTM, error) {
	act, err := activationOf(o.act)
	if err != nil {
		return nil, err
	}
	f := &floatLSTM{at: l, o: o, act: act, int8: hybrid(c.In[l.weightsOf(forgetGate)].DType)}
	for g := range gates {
		if err := checkWeights(c, l.weightsOf(g), l.recurrentOf(g), l.peepholeOf(g), l.auxOf(g), l.projection); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// floatKernel makes the float and hybrid kernels of the full layout.
func floatKernel(c *op.Call, o cellOptions) (op.Kernel, error) {
	f, err := newFloatLSTM(c, full, o)
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			var m memory
			f.reserve(&m, walkOf(in[0], o.timeMajor), full.sizesOf(in))
			return m.used, nil
		},
		Run: func(r *op.Run) error {
			w := walkOf(r.In[0].Shape(), o.timeMajor)
			cell := f.reserve(&memory{bytes: r.Temp}, w, full.sizesOfRun(r))
			return cell.run(r, w, op.F32s(r.In[0]), nil, r.Out[0], 0)
		},
	}, nil
}

// sizesOf reads a cell's sizes from the shapes of checked operands.
func (l *layout) sizesOf(in []tensor.Shape) sizes {
	return l.sizesFrom(func(i int) tensor.Shape { return in[i] })
}

func (l *layout) sizesOfRun(r *op.Run) sizes {
	return l.sizesFrom(func(i int) tensor.Shape { return r.In[i].Shape() })
}

func (l *layout) sizesFrom(shape func(i int) tensor.Shape) sizes {
	w, r := shape(l.weightsOf(outputGate)), shape(l.recurrentOf(outputGate))
	s := sizes{input: w[1], cell: w[0], output: r[len(r)-1]}
	if i := l.auxOf(outputGate); i >= 0 {
		if a := shape(i); len(a) == 2 {
			s.aux = a[1]
		}
	}
	return s
}

// floatCell is a floatLSTM wired to an invocation's weights and scratch memory.
type floatCell struct {
	*floatLSTM
	size           sizes
	batch          int // entries of the batch
	row            int // the one that the current step's first row belongs to
	gate           [gates]floatGate
	spare          []float32
	projection     matrix
	projectionBias []float32
	// The operands of the current step's products.
	input, aux, state, hidden vectors
}

type floatGate struct {
	input, aux, recurrent, peephole matrix
	bias, norm                      []float32
	out                             []float32
}

// reserve lays out the scratch memory.
func (f *floatLSTM) reserve(m *memory, w walk, s sizes) floatCell {
	c, n := floatCell{floatLSTM: f, size: s, batch: w.batch}, w.rows()
	for g := range c.gate {
		c.gate[g].out = take[float32](m, n*s.cell)
	}
	c.spare = take[float32](m, n*s.cell)
	if f.int8 {
		c.input.reserve(m, n, s.input)
		c.aux.reserve(m, n, s.aux)
		c.state.reserve(m, n, s.output)
		c.hidden.reserve(m, n, s.cell)
	}
	return c
}

// wire takes the weights from an invocation's operands.
func (c *floatCell) wire(in []tensor.Tensor) {
	for g := range c.gate {
		k := &c.gate[g]
		k.input, k.recurrent = matrixOf(in, c.at.weightsOf(g)), matrixOf(in, c.at.recurrentOf(g))
		k.aux, k.peephole = matrixOf(in, c.at.auxOf(g)), matrixOf(in, c.at.peepholeOf(g))
		k.bias, k.norm = optional(in, c.at.biasOf(g)), optional(in, c.at.normOf(g))
	}
	c.projection, c.projectionBias = matrixOf(in, c.at.projection), optional(in, c.at.projectionBias)
}

func optional(in []tensor.Tensor, i int) []float32 {
	if i < 0 {
		return nil
	}
	return op.OptF32s(in, i)
}

// run takes the cell through a sequence of inputs x and, unless it is nil, aux.
// Each of out's rows takes the output from element first on.
func (c *floatCell) run(r *op.Run, w walk, x, aux []float32, out tensor.Tensor, first int) error {
	c.wire(r.In)
	output, cell := op.F32s(r.In[c.at.output]), op.F32s(r.In[c.at.cell])
	to, shape := op.F32s(out), out.Shape()
	stride := shape[len(shape)-1]
	return w.each(r, func(s step) {
		c.row = s.state
		h := part(output, s.state, s.n, c.size.output)
		var a []float32
		if aux != nil {
			a = s.of(aux, c.size.aux)
		}
		c.step(s.of(x, c.size.input), a, h, part(cell, s.state, s.n, c.size.cell))
		for i := range s.n {
			copy(to[(s.first+i)*stride+first:], part(h, i, 1, c.size.output))
		}
	})
}

// step reads and overwrites the states of some rows; the output state is the
// step's result.
func (c *floatCell) step(x, aux, output, cell []float32) {
	c.input.set(x, c.size.input, true)
	c.aux.set(aux, c.size.aux, true)
	c.state.set(output, c.size.output, c.int8)
	if c.int8 {
		c.input.quantize(c.o.asymmetric)
		c.aux.quantize(c.o.asymmetric)
		c.state.quantize(c.o.asymmetric)
	}
	coupled := !c.gate[inputGate].input.present()
	if !coupled {
		c.compute(inputGate, cell)
	}
	c.compute(forgetGate, cell)
	c.compute(cellGate, cell)
	in, forget, candidate := c.gate[inputGate].out, c.gate[forgetGate].out, c.gate[cellGate].out
	for i, v := range cell {
		k := in[i]
		if coupled {
			k = 1 - forget[i]
		}
		cell[i] = float32(forget[i]*v) + float32(candidate[i]*k)
	}
	clip(cell, c.o.cellClip)
	c.compute(outputGate, cell)
	c.emit(output, cell)
}

// compute leaves a gate's values in its memory.
func (c *floatCell) compute(gate int, cell []float32) {
	g := &c.gate[gate]
	sum, spare := g.out[:len(cell)], c.spare[:len(cell)]
	if g.norm != nil {
		clear(sum)
	} else {
		spread(sum, g.bias)
	}
	sum, spare = c.add(sum, spare, &g.input, &c.input)
	sum, spare = c.add(sum, spare, &g.aux, &c.aux)
	sum, _ = c.add(sum, spare, &g.recurrent, &c.state)
	if g.peephole.present() {
		for i, v := range cell {
			sum[i] += float32(g.peephole.at(i%c.size.cell) * v)
		}
	}
	if g.norm != nil {
		normalize(sum, g.norm, g.bias)
	}
	if gate == cellGate {
		c.act.apply(g.out, sum)
	} else {
		logistic(g.out, sum, c.position(gate))
	}
}

// add adds products to sum and returns the memory of the result and the other one.
// LiteRT's float kernels change memories at every product of a full matrix, and an
// activation NONE leaves the gate with what is in its own.
func (c *floatCell) add(sum, spare []float32, m *matrix, v *vectors) (result, other []float32) {
	if m.f != nil && !m.diagonal && !v.zero {
		copy(spare, sum)
		sum, spare = spare, sum
	}
	m.accumulate(sum, c.size.cell, v, eigenProduct)
	return sum, spare
}

// position is that of a gate's values in LiteRT's scratch memory.
func (c *floatCell) position(gate int) int {
	slot := [gates]int{inputGate: 0, cellGate: 1, forgetGate: 2, outputGate: 3}[gate]
	if !c.gate[inputGate].input.present() {
		slot--
	}
	return (slot*c.batch + c.row) * c.size.cell
}

// emit computes the output state. The cell gate's memory is used again, as in
// LiteRT, where an activation NONE leaves the gate's values in it.
func (c *floatCell) emit(output, cell []float32) {
	hidden := c.gate[cellGate].out[:len(cell)]
	c.act.apply(hidden, cell)
	for i, o := range c.gate[outputGate].out[:len(cell)] {
		hidden[i] *= o
	}
	if !c.projection.present() {
		copy(output, hidden)
		return
	}
	c.hidden.set(hidden, c.size.cell, c.int8)
	if c.int8 {
		c.hidden.quantize(c.o.asymmetric)
	}
	spread(output, c.projectionBias)
	c.projection.accumulate(output, c.size.output, &c.hidden, eigenProduct)
	clip(output, c.o.projClip)
}
