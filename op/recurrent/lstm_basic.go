package recurrent

import (
	"fmt"

	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Operands and results of the BASIC kernel: input [batch, in], the last
// activation and state [batch, depth], weights [4·depth, in + depth] over the
// joined input and activation with gates in the order input, cell, forget,
// output, and bias [4·depth]. The results are the new activation and state, which
// also overwrite the operands, the joined input and the gates' sums.
const (
	basicInput = iota
	basicActivation
	basicWeights
	basicBias
	basicState

	basicJoined = 2
	basicSums   = 3
)

func basicFacts(c *op.Call) error {
	if len(c.In) != 5 || len(c.Out) != 4 {
		return fmt.Errorf("%d operands and %d results, want 5 and 4: %w", len(c.In), len(c.Out), tensor.ErrMalformed)
	}
	if !shapesKnown(c, basicInput, basicActivation, basicState) {
		return op.ErrLater
	}
	in, h, s := c.In[basicInput].Shape, c.In[basicActivation].Shape, c.In[basicState].Shape
	if len(in) != 2 || len(h) != 2 || len(s) != 2 || in[1] < 1 || h[1] < 1 || s[1] != h[1] {
		return fmt.Errorf("input %v, activation %v, state %v: %w", in, h, s, tensor.ErrShape)
	}
	depth, joined := h[1], in[1]+h[1]
	for _, err := range []error{
		checkBasicTypes(c),
		checkShape(c, basicWeights, "weights", 4*depth, joined),
		checkShape(c, basicBias, "bias", 4*depth),
		sameRows(in[0], h[0]),
		sameRows(in[0], s[0]),
	} {
		if err != nil {
			return err
		}
	}
	for i, size := range []int{depth, depth, joined, 4 * depth} {
		c.Out[i].Shape, c.Out[i].Unknown = tensor.Shape{h[0], size}, false
	}
	return nil
}

func sameRows(a, b int) error {
	if a >= 0 && b >= 0 && a != b {
		return fmt.Errorf("%d rows of input for %d of state: %w", a, b, tensor.ErrShape)
	}
	return nil
}

// checkBasicTypes allows float, or uint8 with a 16-bit state.
func checkBasicTypes(c *op.Call) error {
	f := tensor.Float32
	want, results := [5]tensor.DType{f, f, f, f, f}, [4]tensor.DType{f, f, f, f}
	if c.In[basicInput].DType == tensor.UInt8 {
		u := tensor.UInt8
		want, results = [5]tensor.DType{u, u, u, tensor.Int32, tensor.Int16}, [4]tensor.DType{u, tensor.Int16, u, tensor.Int16}
	}
	for i, d := range want {
		if err := checkType(c, i, "of LSTM BASIC", d); err != nil {
			return err
		}
	}
	for i, d := range results {
		if c.Out[i].DType != d {
			return fmt.Errorf("result %d of type %v, want %v: %w", i, c.Out[i].DType, d, tensor.ErrType)
		}
	}
	return nil
}

func basicKernel(c *op.Call) (op.Kernel, error) {
	if err := checkWritable(c, basicActivation, basicState); err != nil {
		return op.Kernel{}, err
	}
	if c.In[basicInput].DType == tensor.UInt8 {
		return basicUint8(c)
	}
	return op.Kernel{Run: func(r *op.Run) error {
		x, h, w, bias := op.F32s(r.In[basicInput]), op.F32s(r.In[basicActivation]), op.F32s(r.In[basicWeights]), op.F32s(r.In[basicBias])
		state, joined, sums := op.F32s(r.In[basicState]), op.F32s(r.Out[basicJoined]), op.F32s(r.Out[basicSums])
		depth, size := len(bias)/4, len(w)/len(bias)
		join(joined, x, h, size, depth)
		clear(sums)
		eigenProduct(sums, w, joined, len(bias), size)
		for i := range sums {
			sums[i] = finite(sums[i] + bias[i%len(bias)])
		}
		for i := range len(state) / depth {
			basicRow(part(state, i, 1, depth), part(h, i, 1, depth), part(sums, i, 1, 4*depth), i*depth)
		}
		copy(op.F32s(r.Out[0]), h)
		copy(op.F32s(r.Out[1]), state)
		return nil
	}}, nil
}

// basicRow computes a row of the new state and activation from the gates' sums. It
// lies that many elements into the results.
func basicRow(state, h, sums []float32, at int) {
	depth := len(state)
	for i, s := range state {
		sigmoid := func(gate int) float32 { return logisticAt(sums[gate*depth+i], i, depth, at) }
		state[i] = float32(sigmoid(0)*libm.EigenTanhf(sums[depth+i])) + float32(sigmoid(2)*s)
		h[i] = sigmoid(3) * libm.EigenTanhf(state[i])
	}
}

// join concatenates the rows of x and h to rows of the given size.
func join[T any](joined, x, h []T, size, depth int) {
	in := size - depth
	for r := range len(joined) / size {
		row := part(joined, r, 1, size)
		copy(row, part(x, r, 1, in))
		copy(row[in:], part(h, r, 1, depth))
	}
}

// basicUint8 is the 8-bit kernel: activations in [−1, 127/128], a state with 4
// integer bits, gates' sums with 3.
func basicUint8(c *op.Call) (op.Kernel, error) {
	const stateBits, sumBits, activationZero = 4, 3, 128
	s := c.Out[1].Quant.Scale()
	if exponent, err := log2(s); err != nil || exponent+15 != stateBits {
		return op.Kernel{}, fmt.Errorf("state of scale %v, want 2^-11: %w", s, tensor.ErrUnsupported)
	}
	for _, i := range []int{basicWeights, basicBias} {
		if err := c.In[i].Quantized(); err != nil {
			return op.Kernel{}, fmt.Errorf("operand %d: %w", i, err)
		}
	}
	toSums := factor(4096 * c.In[basicBias].Quant.Scale())
	zeroW := int32(c.In[basicWeights].Quant.Zero())
	return op.Kernel{Run: func(r *op.Run) error {
		x, h, w, bias := r.In[basicInput].Bytes(), r.In[basicActivation].Bytes(), r.In[basicWeights].Bytes(), op.I32s(r.In[basicBias])
		state, joined, sums := op.I16s(r.In[basicState]), r.Out[basicJoined].Bytes(), op.I16s(r.Out[basicSums])
		depth, size := len(bias)/4, len(w)/len(bias)
		join(joined, x, h, size, depth)
		for i := range sums {
			row, unit := i/len(bias), i%len(bias)
			acc, weights := bias[unit], part(w, unit, 1, size)
			for k, v := range part(joined, row, 1, size) {
				acc += (int32(v) - activationZero) * (int32(weights[k]) - zeroW)
			}
			// LiteRT multiplies the matrices with ruy, which rounds in its own way.
			sums[i] = fixed.SaturateInt16(fixed.MultiplyByQuantizedMultiplierRuyAVX(acc, toSums.m, toSums.shift))
		}
		for i, s := range state {
			g := part(sums, i/depth, 1, 4*depth)[i%depth:]
			in, candidate := fixed.Logistic(g[0], sumBits), fixed.Tanh(g[depth], sumBits)
			forget, out := fixed.Logistic(g[2*depth], sumBits), fixed.Logistic(g[3*depth], sumBits)
			added := fixed.Rescale(fixed.SaturatingRoundingDoublingHighMul16(in, candidate), 0, stateBits)
			state[i] = fixed.SaturatingAdd16(added, fixed.SaturatingRoundingDoublingHighMul16(forget, s))
			t := fixed.Tanh(fixed.Rescale(state[i], stateBits, sumBits), sumBits)
			y := fixed.RoundingDivideByPOT(fixed.SaturatingRoundingDoublingHighMul16(out, t), 8)
			h[i] = uint8(activationZero + min(max(y, -128), 127))
		}
		copy(r.Out[0].Bytes(), h)
		copy(op.I16s(r.Out[1]), state)
		return nil
	}}, nil
}
