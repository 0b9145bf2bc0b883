package recurrent

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// int8x8 is LSTM's kernel "8x8_8": int8 products, gates with 16 bits whose
// normalization and activation are computed in float, an int16 cell state over
// ±1. The input gate is always coupled to the forget gate, and there are always
// layer normalization and projection with a bias: LiteRT reads them unchecked.
type int8x8 struct {
	at                    layout
	gate                  [gates]int8x8Gate
	cellClip              int16
	projClip              int8
	toOutput              multiplier
	inputZero, outputZero int32
}

// int8x8Gate is a gate's two products: to int8 each, and from there to the scale
// of the sum.
type int8x8Gate struct {
	input, recurrent int8x8Product
	norm             float32
}

type int8x8Product struct {
	product, sum multiplier
	zero         int32
}

// intermediatesOf are a gate's: the sum, its product with the input and with the
// output state.
func intermediatesOf(gate int) (sum, input, recurrent int) {
	return 3 * gate, 3*gate + 1, 3*gate + 2
}

func int8x8Kernel(c *op.Call, o cellOptions) (op.Kernel, error) {
	q, err := newInt8x8(c, o)
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			var m memory
			q.reserve(&m, in[0][0], full.sizesOf(in))
			return m.used, nil
		},
		Run: func(r *op.Run) error {
			s := full.sizesOfRun(r)
			c := q.reserve(&memory{bytes: r.Temp}, r.In[0].Shape()[0], s)
			c.in = r.In
			output := op.I8s(r.In[full.output])
			c.step(op.I8s(r.In[full.input]), output, op.I16s(r.In[full.cell]))
			copy(op.I8s(r.Out[0]), output)
			return nil
		},
	}, nil
}

func newInt8x8(c *op.Call, o cellOptions) (*int8x8, error) {
	for _, i := range []int{full.normOf(forgetGate), full.projection, full.projectionBias} {
		if !has(c, i) {
			return nil, fmt.Errorf("operand %d is missing from an LSTM with int8 gates: %w", i, tensor.ErrUnsupported)
		}
	}
	if err := full.checkScales(c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11); err != nil {
		return nil, err
	}
	cell := scale(c, full.cell)
	if cell != 1.0/32768 {
		return nil, fmt.Errorf("cell state of scale %v, want 2^-15: %w", cell, tensor.ErrUnsupported)
	}
	q := &int8x8{at: full, inputZero: zero(c, full.input), outputZero: zero(c, full.output)}
	for g := forgetGate; g < gates; g++ {
		sum, input, recurrent := intermediatesOf(g)
		q.gate[g] = int8x8Gate{
			input:     newProduct(c, full.weightsOf(g), full.input, input, sum),
			recurrent: newProduct(c, full.recurrentOf(g), full.output, recurrent, sum),
			norm:      factor(scale(c, full.normOf(g))).float(),
		}
	}
	// LiteRT's indices go astray: past the end of the multipliers into the shifts,
	// so that the output gate's recurrent sum has the forget gate's shift for its
	// multiplier; and its zero point is the cell gate's.
	wrong := &q.gate[outputGate].recurrent
	wrong.sum.m = int32(q.gate[forgetGate].recurrent.sum.shift)
	wrong.zero = q.gate[cellGate].input.zero
	q.toOutput = factor(float32(float64(scale(c, full.projection)) * pow2(-15) / float64(scale(c, full.output))))
	if q.toOutput.shift > 7 {
		return nil, fmt.Errorf("projection scale: %w", tensor.ErrUnsupported)
	}
	if o.cellClip < 1 {
		q.cellClip = int16(clipped(o.cellClip, cell, 1<<15))
	}
	q.projClip = int8(clipped(o.projClip, c.Out[0].Quant.Scale(), 1<<7))
	return q, nil
}

// newProduct returns the factors of weights · x for a product and a sum with the
// parameters of intermediates.
func newProduct(c *op.Call, weights, x, product, sum int) int8x8Product {
	p := c.Intermediates[product].Quant
	return int8x8Product{
		product: factor(float32(scale(c, weights)*scale(c, x)) / p.Scale()),
		sum:     factor(p.Scale() / c.Intermediates[sum].Quant.Scale()),
		zero:    int32(int8(p.Zero())),
	}
}

// float returns the factor that a multiplier stands for, in single precision.
func (q multiplier) float() float32 { return float32(float64(q.m) * pow2(q.shift-31)) }

// int8x8Cell is an int8x8 wired to an invocation's operands and scratch memory.
type int8x8Cell struct {
	*int8x8
	size   sizes
	in     []tensor.Tensor
	gate   [gates][]int16
	hidden []int16
}

func (q *int8x8) reserve(m *memory, n int, s sizes) int8x8Cell {
	c := int8x8Cell{int8x8: q, size: s}
	for g := forgetGate; g < gates; g++ {
		c.gate[g] = take[int16](m, n*s.cell)
	}
	c.hidden = take[int16](m, n*s.cell)
	return c
}

func (c *int8x8Cell) step(x, output []int8, cell []int16) {
	c.compute(forgetGate, x, output)
	c.compute(cellGate, x, output)
	updateCell(cell, c.gate[forgetGate], c.gate[forgetGate], c.gate[cellGate], true, 0)
	clip(cell, c.cellClip)
	c.compute(outputGate, x, output)
	c.emit(output, cell)
}

// compute leaves a gate's values, with no integer bits, in its memory.
func (c *int8x8Cell) compute(gate int, x, output []int8) {
	q, sum := &c.int8x8.gate[gate], c.gate[gate]
	w, recurrent := op.I8s(c.in[c.at.weightsOf(gate)]), op.I8s(c.in[c.at.recurrentOf(gate)])
	for i := range sum {
		r, u := i/c.size.cell, i%c.size.cell
		a := q.input.of(part(w, u, 1, c.size.input), part(x, r, 1, c.size.input), c.inputZero)
		b := q.recurrent.of(part(recurrent, u, 1, c.size.output), part(output, r, 1, c.size.output), c.outputZero)
		sum[i] = fixed.SaturateInt16(a + b)
	}
	normalizeInFloat(sum, op.I16s(c.in[c.at.normOf(gate)]), op.I32s(c.in[c.at.biasOf(gate)]), q.norm)
	for i, v := range sum {
		if gate == cellGate {
			sum[i] = toFraction(libm.Tanhf(float32(v) / (1 << 12)))
		} else {
			sum[i] = toFraction(libm.Sigmoidf(float32(v) / (1 << 12)))
		}
	}
}

// of is the scaled sum of a product that was rounded to int8 first.
func (q *int8x8Product) of(w, x []int8, zero int32) int32 {
	p := saturate8(q.product.of(dot(w, x, zero)) + q.zero)
	return q.sum.of(int32(p) - q.zero)
}

// toFraction truncates x to an int16 without integer bits.
func toFraction(x float32) int16 {
	return fixed.SaturateInt16(fixed.ToInt32(float32(math.Trunc(float64(x * (1 << 15))))))
}

// normalizeInFloat is ApplyLayerNormFloat: the result has 3 integer bits.
func normalizeInFloat(rows, coefficients []int16, bias []int32, norm float32) {
	size := len(coefficients)
	biasScale := norm / (1 << 10)
	for r := range len(rows) / size {
		x := part(rows, r, 1, size)
		var sum, squares float32
		for _, v := range x {
			sum += float32(v)
			squares += float32(float32(v) * float32(v))
		}
		mean := sum / float32(size)
		variance := squares/float32(size) - float32(mean*mean)
		if variance == 0 {
			variance = 1e-8
		}
		inverse := 1 / float32(math.Sqrt(float64(variance)))
		for i, v := range x {
			y := float32(float32(float32(float32(v)-mean)*inverse)*float32(coefficients[i])) * norm
			y = float32(y) + float32(float32(bias[i])*biasScale)
			x[i] = fixed.SaturateInt16(fixed.ToInt32(fixed.Round(y * (1 << 12))))
		}
	}
}

// emit computes the output state.
func (c *int8x8Cell) emit(output []int8, cell []int16) {
	for i, o := range c.gate[outputGate] {
		t := toFraction(libm.Tanhf(float32(cell[i]) / (1 << 15)))
		c.hidden[i] = int16(fixed.RoundingDivideByPOT(int32(o)*int32(t), 15))
	}
	w, bias := op.I8s(c.in[c.at.projection]), op.I32s(c.in[c.at.projectionBias])
	for i := range output {
		r, u := i/c.size.output, i%c.size.output
		acc := int64(bias[u])
		for k, h := range part(c.hidden, r, 1, c.size.cell) {
			acc += int64(h) * int64(w[u*c.size.cell+k])
		}
		y := fixed.MultiplyByQuantizedMultiplier64(acc, c.toOutput.m, c.toOutput.shift)
		output[i] = saturate8(y + c.outputZero)
	}
	clip(output, c.projClip)
}
