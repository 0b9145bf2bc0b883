package recurrent

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// multiplier is a real factor as a fixed-point multiplier and shift.
type multiplier struct {
	m     int32
	shift int
}

// factor is QuantizeMultiplier of a float: TFLite computes a cell's factors in
// single precision.
func factor(x float32) multiplier {
	m, s := fixed.QuantizeMultiplier(float64(x))
	return multiplier{m, s}
}

func (q multiplier) of(x int32) int32 {
	return fixed.MultiplyByQuantizedMultiplier(x, q.m, q.shift)
}

// intGate is a gate's factors: of its products with the input, the output state
// and the cell state to the scale of the gate's sums, and of its normalization.
type intGate struct {
	input, recurrent, peephole, norm multiplier
	guard                            int32 // the least variance
}

// int8x16 is the kernel "8x8_16" of an int8 LSTM cell: int8 input and output,
// gates with 16 bits (3 of them integer bits), an int16 cell state whose scale is
// a power of two.
type int8x16 struct {
	at       layout
	gate     [gates]intGate
	cellBits int // integer bits of the cell state
	// tanh: LiteRT has it for cell states with 0 to 6 integer bits. For others, and
	// converters write 2^-16, it goes on with what lies in the memory meant for the
	// result, the input gate.
	tanh     bool
	cellClip int16
	projClip int8
	toHidden multiplier // of output gate · tanh(cell state)
	toOutput multiplier // of the projection
	// Zero points. Without projection, hidden is the output.
	inputZero, hiddenZero, outputZero int32
}

// int8x16Kernel makes the kernel of a cell with 5 intermediates: the gates' sums,
// which matter to layer normalization only, and the output before projection.
func int8x16Kernel(c *op.Call, o cellOptions) (op.Kernel, error) {
	if len(c.Intermediates) != 5 {
		return op.Kernel{}, fmt.Errorf("%d intermediates, want 5: %w", len(c.Intermediates), tensor.ErrMalformed)
	}
	q, err := newInt8x16(c, o)
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			var m memory
			q.reserve(&m, walkOf(in[0], o.timeMajor), full.sizesOf(in))
			return m.used, nil
		},
		Run: func(r *op.Run) error {
			w := walkOf(r.In[0].Shape(), o.timeMajor)
			cell := q.reserve(&memory{bytes: r.Temp}, w, full.sizesOfRun(r))
			return cell.run(r, w)
		},
	}, nil
}

// checkScales fails unless all operands that are there, and all of the listed
// intermediates, have one scale and one zero point.
func (l *layout) checkScales(c *op.Call, intermediates ...int) error {
	operands := []int{l.input, l.projection, l.output, l.cell}
	for g := range gates {
		operands = append(operands, l.weightsOf(g), l.recurrentOf(g), l.peepholeOf(g), l.normOf(g))
	}
	for _, i := range operands {
		if !has(c, i) {
			continue
		}
		if err := c.In[i].Quantized(); err != nil {
			return fmt.Errorf("operand %d: %w", i, err)
		}
	}
	for _, i := range intermediates {
		if err := c.Intermediates[i].Quantized(); err != nil {
			return fmt.Errorf("intermediate %d: %w", i, err)
		}
	}
	return c.Out[0].Quantized()
}

func newInt8x16(c *op.Call, o cellOptions) (*int8x16, error) {
	needed := []int{4}
	norm := has(c, full.normOf(forgetGate))
	if norm {
		needed = []int{0, 1, 2, 3, 4}
	}
	if err := full.checkScales(c, needed...); err != nil {
		return nil, err
	}
	q := &int8x16{at: full, cellBits: 15, inputZero: zero(c, full.input), outputZero: zero(c, full.output)}
	q.cellClip = int16(clipped(o.cellClip, scale(c, full.cell), 1<<15))
	q.projClip = int8(clipped(o.projClip, c.Out[0].Quant.Scale(), 1<<7))
	exponent, err := log2(scale(c, full.cell))
	if err != nil || exponent > -9 && c.Node.Op == graph.OpCode(schema.LSTM) {
		return q, nil // as in LiteRT, which passes over the error and leaves all factors 0
	}
	if exponent < -30 || exponent > 1 {
		return nil, fmt.Errorf("cell state of scale %v: %w", scale(c, full.cell), tensor.ErrUnsupported)
	}
	q.cellBits = 15 + exponent
	q.tanh = q.cellBits >= 0 && q.cellBits <= 6
	if !q.tanh && full.cifg(c) {
		return nil, fmt.Errorf("cell state of scale %v, want 2^-15 to 2^-9: %w", scale(c, full.cell), tensor.ErrUnsupported)
	}
	for g := range gates {
		sums := float32(1) / (1 << 12)
		if norm {
			sums = c.Intermediates[g].Quant.Scale()
		}
		q.gate[g] = gateFactors(c, g, sums, exponent)
	}
	inner := c.Intermediates[4].Quant
	q.hiddenZero = int32(inner.Zero())
	q.toHidden = factor(float32(pow2(-15) / float64(inner.Scale()) * pow2(-15)))
	q.toOutput = factor(float32(scale(c, full.projection)*inner.Scale()) / scale(c, full.output))
	return q, nil
}

// gateFactors returns the factors of gate g for sums of the given scale.
func gateFactors(c *op.Call, g int, sums float32, cellExponent int) intGate {
	product := func(weights, x int) multiplier {
		return factor(float32(scale(c, weights)*scale(c, x)) / sums)
	}
	k := intGate{
		input:     product(full.weightsOf(g), full.input),
		recurrent: product(full.recurrentOf(g), full.output),
		norm:      factor(scale(c, full.normOf(g))),
		guard:     max(1, int32(10000*scale(c, full.normOf(g)))),
	}
	k.peephole = factor(float32(pow2(cellExponent) * float64(scale(c, full.peepholeOf(g))) / float64(sums)))
	return k
}

// scale returns the scale of operand i, 1 if it is absent.
func scale(c *op.Call, i int) float32 {
	if !has(c, i) {
		return 1
	}
	return c.In[i].Quant.Scale()
}

func zero(c *op.Call, i int) int32 { return int32(c.In[i].Quant.Zero()) }

// clipped is a clip limit in units of a scale, truncated.
func clipped(limit, scale float32, top int32) int32 {
	return int32(min(limit/scale, float32(top-1)))
}

// log2 is CheckedLog2: the exponent of a power of two.
func log2(x float32) (int, error) {
	y := float32(libm.Logf(x) * (1 / libm.Logf(2)))
	n := fixed.Round(y)
	if d := y - n; d <= -1e-3 || d >= 1e-3 {
		return 0, fmt.Errorf("%v is no power of two: %w", x, tensor.ErrUnsupported)
	}
	return int(n), nil
}

func pow2(n int) float64 {
	x := 1.0
	for ; n < 0; n++ {
		x /= 2
	}
	for ; n > 0; n-- {
		x *= 2
	}
	return x
}

// int8x16Cell is an int8x16 wired to scratch memory.
type int8x16Cell struct {
	*int8x16
	size   sizes
	in     []tensor.Tensor
	gate   [gates][]int16
	hidden []int8
}

func (q *int8x16) reserve(m *memory, w walk, s sizes) int8x16Cell {
	c, n := int8x16Cell{int8x16: q, size: s}, w.rows()
	for g := range c.gate {
		c.gate[g] = take[int16](m, n*s.cell)
	}
	c.hidden = take[int8](m, n*s.cell)
	return c
}

func (c *int8x16Cell) run(r *op.Run, w walk) error {
	c.in = r.In
	x, out := op.I8s(r.In[c.at.input]), op.I8s(r.Out[0])
	output, cell := op.I8s(r.In[c.at.output]), op.I16s(r.In[c.at.cell])
	return w.each(r, func(s step) {
		h := part(output, s.state, s.n, c.size.output)
		c.step(part(x, s.first, s.n, c.size.input), h, part(cell, s.state, s.n, c.size.cell))
		copy(part(out, s.first, s.n, c.size.output), h)
	})
}

// i8 and its kin return an operand's elements, nil if it is absent.
func (c *int8x16Cell) i8(i int) []int8   { return elements(c.in, i, op.I8s) }
func (c *int8x16Cell) i16(i int) []int16 { return elements(c.in, i, op.I16s) }
func (c *int8x16Cell) i32(i int) []int32 { return elements(c.in, i, op.I32s) }

func elements[T any](in []tensor.Tensor, i int, view func(tensor.Tensor) []T) []T {
	if i < 0 || i >= len(in) || len(in[i].Bytes()) == 0 {
		return nil
	}
	return view(in[i])
}

func (c *int8x16Cell) step(x, output []int8, cell []int16) {
	coupled := c.i8(c.at.weightsOf(inputGate)) == nil
	if !coupled {
		c.compute(inputGate, x, output, cell)
	}
	c.compute(forgetGate, x, output, cell)
	c.compute(cellGate, x, output, cell)
	n := len(cell)
	updateCell(cell, c.gate[inputGate][:n], c.gate[forgetGate][:n], c.gate[cellGate][:n], coupled, c.cellBits)
	clip(cell, c.cellClip)
	c.compute(outputGate, x, output, cell)
	c.emit(output, cell)
}

// updateCell is c = f·c + i·g, or f·c + (1 − f)·g where the gates are coupled.
func updateCell(cell, in, forget, candidate []int16, coupled bool, bits int) {
	for i, v := range cell {
		k := in[i]
		if coupled {
			k = 32767 - forget[i]
		}
		kept := int16(fixed.RoundingDivideByPOT(int32(forget[i])*int32(v), 15))
		added := int16(fixed.RoundingDivideByPOT(int32(k)*int32(candidate[i]), 15+bits))
		cell[i] = fixed.SaturatingAdd16(kept, added)
	}
}

// compute leaves a gate's values, with no integer bits, in its memory.
func (c *int8x16Cell) compute(gate int, x, output []int8, cell []int16) {
	q, sum := &c.int8x16.gate[gate], c.gate[gate][:len(cell)]
	norm, bias := c.i16(c.at.normOf(gate)), c.i32(c.at.biasOf(gate))
	clear(sum)
	first := bias
	if norm != nil {
		first = nil
	}
	c.accumulate(sum, c.i8(c.at.weightsOf(gate)), first, x, c.inputZero, q.input)
	c.accumulate(sum, c.i8(c.at.recurrentOf(gate)), nil, output, c.outputZero, q.recurrent)
	if w := c.i16(c.at.peepholeOf(gate)); w != nil {
		c.peephole(sum, w, cell, q.peephole)
	}
	if norm != nil {
		normalizeInt(sum, norm, bias, q)
	}
	for i, v := range sum {
		if gate == cellGate {
			sum[i] = fixed.Tanh(v, 3)
		} else {
			sum[i] = fixed.Logistic(v, 3)
		}
	}
}

// accumulate adds scaled products of weights and rows x to the sums, saturating.
func (c *int8x16Cell) accumulate(sum []int16, w []int8, bias []int32, x []int8, zero int32, q multiplier) {
	size := len(w) / c.size.cell
	for r := range len(sum) / c.size.cell {
		row := part(x, r, 1, size)
		for u := range c.size.cell {
			acc := dot(part(w, u, 1, size), row, zero)
			if bias != nil {
				acc += bias[u]
			}
			at := r*c.size.cell + u
			sum[at] = fixed.SaturateInt16(q.of(acc) + int32(sum[at]))
		}
	}
}

// peephole adds the cell state's products. LiteRT takes the output's size for the
// cell's, so that with a projection the rows are out of step.
func (c *int8x16Cell) peephole(sum, w, cell []int16, q multiplier) {
	for i := range len(sum) / c.size.cell * c.size.output {
		p := q.of(int32(w[i%c.size.output]) * int32(cell[i]))
		sum[i] = fixed.SaturateInt16(p + int32(sum[i]))
	}
}

// normalizeInt is ApplyLayerNorm: each row's mean and deviation with 10 more
// bits, the coefficients and the bias, and back to 3 integer bits.
func normalizeInt(rows, coefficients []int16, bias []int32, q *intGate) {
	const one = 1 << 20
	size := len(coefficients)
	for r := range len(rows) / size {
		x := part(rows, r, 1, size)
		var sum, squares int64
		for _, v := range x {
			sum += int64(v)
			squares += int64(v) * int64(v)
		}
		mean := int32(sum * 1024 / int64(size))
		variance := int32((squares*int64(one/size) - int64(mean)*int64(mean)) / one)
		if variance < 1 {
			variance = q.guard
		}
		m, shift := fixed.GetInvSqrtQuantizedMultiplierExp(variance, -1)
		for i, v := range x {
			scaled := fixed.MultiplyByQuantizedMultiplier(1024*int32(v)-mean, m, shift)
			y := int64(scaled*int32(coefficients[i]) + bias[i])
			if y > 0 {
				y += 512
			} else {
				y -= 512
			}
			x[i] = fixed.SaturateInt16(fixed.MultiplyByQuantizedMultiplier(int32(y/1024), q.norm.m, q.norm.shift+12))
		}
	}
}

// emit computes the output state.
func (c *int8x16Cell) emit(output []int8, cell []int16) {
	w := c.i8(c.at.projection)
	zero, hidden := c.hiddenZero, output
	if w != nil {
		zero, hidden = -zero, c.hidden
	}
	for i, o := range c.gate[outputGate][:len(cell)] {
		activated := c.gate[inputGate][i]
		if c.tanh {
			activated = fixed.Tanh(cell[i], c.cellBits)
		}
		hidden[i] = saturate8(c.toHidden.of(int32(o)*int32(activated)) + zero)
	}
	if w == nil {
		return
	}
	bias := c.i32(c.at.projectionBias)
	for i := range output {
		r, u := i/c.size.output, i%c.size.output
		acc := dot(part(w, u, 1, c.size.cell), part(hidden, r, 1, c.size.cell), -c.hiddenZero)
		if bias != nil {
			acc += bias[u]
		}
		output[i] = saturate8(c.toOutput.of(acc) + c.outputZero)
	}
	clip(output, c.projClip)
}

func saturate8(x int32) int8 { return int8(min(max(x, -128), 127)) }
