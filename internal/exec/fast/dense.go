package fast

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/dense"
	"github.com/litequant/litequant/tensor"
)

var denseForms = map[form]Maker{
	{tensor.Float32, tensor.Float32}: denseFloat,
	{tensor.Int8, tensor.Int8}:       denseInt8,
	{tensor.Int16, tensor.Int8}:      denseInt16,
	{tensor.Float32, tensor.Int8}:    denseHybrid,
}

// denseKernel covers FULLY_CONNECTED with constant weights.
func denseKernel(e *Env, c *op.Call) (op.Kernel, bool, error) {
	mk := denseForms[form{c.In[0].DType, c.In[1].DType}]
	if mk == nil || c.Out[0].DType != c.In[0].DType || !weightsKnown(c) && c.In[1].DType != tensor.Float32 || len(c.In[1].Shape) != 2 {
		return op.Kernel{}, false, nil
	}
	if !op.Clamps(graph.Options[fb.FullyConnectedOptionsT](c.Node).FusedActivationFunction) || c.In[1].Shape[1] == 0 {
		return op.Kernel{}, false, nil // no clamp, or nothing to sum
	}
	return mk(e, c)
}

// matmul is a matrix product, the state of a node.
type matmul[M any] struct {
	mm    M
	guard guarded
}

// RowCount is the number of rows a product has for an output of n columns.
func RowCount(out tensor.Tensor, n int) int { return out.Len() / max(n, 1) }

func denseFloat(e *Env, c *op.Call) (op.Kernel, bool, error) {
	if c.In[1].Const == nil {
		return denseVariable(e, c)
	}
	act := graph.Options[fb.FullyConnectedOptionsT](c.Node).FusedActivationFunction
	lo, hi := op.FloatRange(act)
	n, k := c.In[1].Shape[0], c.In[1].Shape[1]
	b := e.Level.PackF32(n, k, tensor.View[float32](c.In[1].Const))
	return op.Kernel{
		State: func() any { return new(matmul[simd.MatMulF32]) },
		Run: func(r *op.Run) error {
			s := r.State.(*matmul[simd.MatMulF32])
			s.mm = simd.MatMulF32{
				A: op.F32s(r.In[0]), Lda: k, B: b, Bias: op.OptF32s(r.In, 2), C: op.F32s(r.Out[0]), Ldc: n, M: RowCount(r.Out[0], n),
				Clamp: act != fb.ActivationFunctionTypeNONE, Min: lo, Max: hi,
			}
			return e.runGuarded(&s.guard, r, s.mm.Chunks(), &s.mm)
		},
	}, true, nil
}

func denseInt8(e *Env, c *op.Call) (op.Kernel, bool, error) {
	bias, ok := biasOf[int32](c)
	if !ok || c.In[1].Quant.Zero() != 0 {
		return op.Kernel{}, false, nil
	}
	q, err := dense.NewRequant(c, tensor.Int8)
	if err != nil {
		return op.Kernel{}, false, err
	}
	n, k := c.In[1].Shape[0], c.In[1].Shape[1]
	b := e.Level.PackI8(n, k, tensor.View[int8](c.In[1].Const), bias, int32(c.In[0].Quant.Zero())+flip)
	lay := func(m int) (acc, total int) {
		var s slots
		s.add(m * k)
		acc = s.add(m * n * 4)
		return acc, s.size
	}
	return op.Kernel{
		Temp: func(_, out []tensor.Shape) (int, error) {
			elems, err := out[0].Elems()
			_, total := lay(elems / max(n, 1))
			return total, err
		},
		State: func() any { return new(matmul[simd.MatMulI8]) },
		Run: func(r *op.Run) error {
			m := RowCount(r.Out[0], n)
			accAt, _ := lay(m)
			e.Level.FlipI8(r.Temp[:m*k], r.In[0].Bytes()[:m*k])
			s := r.State.(*matmul[simd.MatMulI8])
			s.mm = simd.MatMulI8{A: r.Temp[:m*k+3], Lda: k, B: b, M: m, Acc: tensor.View[int32](r.Temp[accAt:])[:m*n], Ldacc: n}
			if err := e.runGuarded(&s.guard, r, s.mm.Chunks(), &s.mm); err != nil {
				return err
			}
			out := op.I8s(r.Out[0])
			for i, sum := range s.mm.Acc {
				out[i] = int8(q.Apply(int64(sum), i%n))
			}
			return nil
		},
	}, true, nil
}

func denseInt16(e *Env, c *op.Call) (op.Kernel, bool, error) {
	if c.In[1].Quant.Zero() != 0 || dense.NarrowSums(c) {
		return op.Kernel{}, false, nil
	}
	q, err := dense.NewRequant(c, tensor.Int8)
	if err != nil {
		return op.Kernel{}, false, err
	}
	n, k := c.In[1].Shape[0], c.In[1].Shape[1]
	b := e.Level.PackI16(n, k, tensor.View[int8](c.In[1].Const))
	return op.Kernel{
		Temp: func(_, out []tensor.Shape) (int, error) {
			elems, err := out[0].Elems()
			return 8 * elems, err
		},
		State: func() any { return new(matmul[simd.MatMulI16]) },
		Run: func(r *op.Run) error {
			s := r.State.(*matmul[simd.MatMulI16])
			s.mm = simd.MatMulI16{A: op.I16s(r.In[0]), Lda: k, B: b, M: RowCount(r.Out[0], n), Acc: tensor.View[int64](r.Temp), Ldacc: n}
			if err := e.runGuarded(&s.guard, r, s.mm.Chunks(), &s.mm); err != nil {
				return err
			}
			out, bias := op.I16s(r.Out[0]), op.BiasOperand(r.In, 2)
			for i, sum := range s.mm.Acc {
				out[i] = int16(q.Apply(sum+bias.At(i%n), i%n))
			}
			return nil
		},
	}, true, nil
}

// denseHybrid quantizes each row on the way in and scales the sums back.
func denseHybrid(e *Env, c *op.Call) (op.Kernel, bool, error) {
	bias, ok := biasOf[float32](c)
	if !ok {
		return op.Kernel{}, false, nil
	}
	o := graph.Options[fb.FullyConnectedOptionsT](c.Node)
	activate := dense.HybridActivation(o.FusedActivationFunction)
	n, k := c.In[1].Shape[0], c.In[1].Shape[1]
	scales, err := c.In[1].ChannelScales(n, false)
	if err != nil {
		return op.Kernel{}, false, err
	}
	quantize := op.QuantizeSymmetric
	if o.AsymmetricQuantizeInputs {
		quantize = op.QuantizeAsymmetric
	}
	b := e.Level.PackI8(n, k, tensor.View[int8](c.In[1].Const), nil, 0)
	lay := func(m int) (params, acc, total int) {
		var s slots
		s.add(m * k)
		params = s.add(m * 8)
		acc = s.add(m * n * 4)
		return params, acc, s.size
	}
	return op.Kernel{
		Temp: func(_, out []tensor.Shape) (int, error) {
			elems, err := out[0].Elems()
			_, _, total := lay(elems / max(n, 1))
			return total, err
		},
		State: func() any { return new(matmul[simd.MatMulI8]) },
		Run: func(r *op.Run) error {
			m := RowCount(r.Out[0], n)
			paramsAt, accAt, _ := lay(m)
			x, q := op.F32s(r.In[0]), r.Temp[:m*k]
			for i := range m {
				scale, zero := quantize(x[i*k:(i+1)*k], tensor.View[int8](q[i*k:(i+1)*k]))
				putParams(r.Temp[paramsAt+8*i:], imageParams{scale, zero})
			}
			e.Level.FlipI8(q, q)
			s := r.State.(*matmul[simd.MatMulI8])
			acc := tensor.View[int32](r.Temp[accAt:])[:m*n]
			s.mm = simd.MatMulI8{A: r.Temp[:m*k+3], Lda: k, B: b, M: m, Acc: acc, Ldacc: n}
			if err := e.runGuarded(&s.guard, r, s.mm.Chunks(), &s.mm); err != nil {
				return err
			}
			out, sums := op.F32s(r.Out[0]), b.Sums()
			for i := range m {
				p := getParams(r.Temp[paramsAt+8*i:])
				for j, weight := range scales {
					v := float32(0)
					if bias != nil {
						v = bias[j]
					}
					sum := acc[i*n+j] - (p.zero+flip)*sums[j]
					v += float32(float32(sum) * float32(p.scale*weight))
					if activate != nil {
						v = activate(v)
					}
					out[i*n+j] = v
				}
			}
			return nil
		},
	}, true, nil
}

// denseVariable is FULLY_CONNECTED with weights that change, possibly in shape:
// outᵀ = W·xᵀ, so that only the small operand is packed.
func denseVariable(e *Env, c *op.Call) (op.Kernel, bool, error) {
	act := graph.Options[fb.FullyConnectedOptionsT](c.Node).FusedActivationFunction
	lo, hi := op.FloatRange(act)
	return op.Kernel{
		Temp: func(in, out []tensor.Shape) (int, error) {
			elems, err := out[0].Elems()
			m := elems / max(in[1][0], 1)
			return 4 * (e.Level.PackedLenF32(m, in[1][1]) + elems), err
		},
		State: func() any { return new(Product) },
		Run: func(r *op.Run) error {
			n, k := r.In[1].Shape()[0], r.In[1].Shape()[1]
			if k == 0 { // LiteRT leaves the bias out
				clear(r.Out[0].Bytes())
				return nil
			}
			p, m := r.State.(*Product), RowCount(r.Out[0], n)
			temp := tensor.View[float32](r.Temp)
			packed := e.Level.PackedLenF32(m, k)
			p.Right(e, m, k, op.F32s(r.In[0]), false, temp)
			outT := temp[packed:][:n*m]
			p.MM = simd.MatMulF32{A: op.F32s(r.In[1]), Lda: k, B: &p.Packed, C: outT, Ldc: m, M: n}
			p.Run(e)
			out, bias := op.F32s(r.Out[0]), op.OptF32s(r.In, 2)
			Transpose(out, outT, n, m)
			for i := range out {
				if bias != nil {
					out[i] += bias[i%n]
				}
				out[i] = op.Clamp(out[i], lo, hi)
			}
			return nil
		},
	}, true, nil
}
