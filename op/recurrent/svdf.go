package recurrent

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// SVDF is SVDF, a layer factored into filters over the input and over time:
// input [batch, in], feature weights [units·rank, in], time weights
// [units·rank, memory], bias [units]; the state [batch, units·rank·memory] holds
// each filter's last values, result [batch, units].
var SVDF = &op.Def{
	Code: graph.OpCode(schema.SVDF),
	Name: "SVDF",
	Operands: op.In("input", op.F32|op.I8).In("weights_feature", op.F32|op.I8|op.U8).
		In("weights_time", op.F32|op.I8|op.U8|op.I16).Opt("bias", op.F32|op.I32).
		In("activation_state", op.F32|op.I16).Out("output", op.F32|op.I8),
	Facts:   svdfFacts,
	Effect:  op.State,
	Version: svdfVersion,
	Since:   []string{"1.5.0", "1.14.0", "2.2.0", "2.3.0"},
	Quant: op.Quant{
		// The time weights have 10 bits: the other 6 of 16 are room for the sum.
		In: []op.Rule{
			op.Activation(), op.PerTensor(8), op.PerTensor(10), op.BiasOf(svdfTime, svdfState),
			{Kind: op.Symmetric, Bits: 16},
		},
		No16:    true,
		Weights: []int{svdfFeature, svdfTime},
		Asym:    true,
	},
	Ref: svdfKernel,
}

const (
	svdfInput = iota
	svdfFeature
	svdfTime
	svdfBias
	svdfState
)

func svdfVersion(c *op.Call) int {
	switch {
	case c.In[svdfInput].DType == tensor.Int8:
		return 3
	case c.In[svdfFeature].DType != tensor.Int8:
		return 1
	case graph.Options[fb.SVDFOptionsT](c.Node).AsymmetricQuantizeInputs:
		return 4
	}
	return 2
}

func svdfFacts(c *op.Call) error {
	if !shapesKnown(c, svdfInput) {
		return op.ErrLater
	}
	in, w, t := c.In[svdfInput].Shape, c.In[svdfFeature].Shape, c.In[svdfTime].Shape
	rank := int(graph.Options[fb.SVDFOptionsT](c.Node).Rank)
	if len(in) != 2 || len(w) != 2 || len(t) != 2 || in[1] < 1 || w[0] < 1 || t[1] < 1 {
		return fmt.Errorf("input %v, weights %v and %v: %w", in, w, t, tensor.ErrShape)
	}
	if rank < 1 || w[0]%rank != 0 {
		return fmt.Errorf("rank %d for %d filters: %w", rank, w[0], tensor.ErrMalformed)
	}
	if f, m := w[0], t[1]; int64(f) > (1<<31)/int64(m) {
		return fmt.Errorf("%d filters of memory %d: %w", f, m, tensor.ErrLimit)
	}
	for _, err := range []error{
		checkShape(c, svdfFeature, "weights_feature", w[0], in[1]),
		checkShape(c, svdfTime, "weights_time", w[0], t[1]),
		checkState(c, svdfState, in[0], w[0]*t[1]),
		svdfTypes(c),
	} {
		if err != nil {
			return err
		}
	}
	if c.Has(svdfBias) {
		if err := checkShape(c, svdfBias, "bias", w[0]/rank); err != nil {
			return err
		}
	}
	c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{in[0], w[0] / rank}, false
	return nil
}

// svdfTypes allows float, int8 weights under float activations, and int8 with an
// int16 state.
func svdfTypes(c *op.Call) error {
	in, w := c.In[svdfInput].DType, c.In[svdfFeature].DType
	time, bias, state := w, tensor.Float32, tensor.Float32
	switch {
	case in == tensor.Int8 && w == tensor.Int8:
		time, bias, state = tensor.Int16, tensor.Int32, tensor.Int16
	case in == tensor.Int8:
		return fmt.Errorf("%v input with %v weights: %w", in, w, tensor.ErrUnsupported)
	}
	for _, err := range []error{
		checkType(c, svdfTime, "weights_time", time),
		checkType(c, svdfBias, "bias", bias),
		checkType(c, svdfState, "activation_state", state),
	} {
		if err != nil {
			return err
		}
	}
	if c.Out[0].DType != in {
		return fmt.Errorf("result of type %v, want %v: %w", c.Out[0].DType, in, tensor.ErrType)
	}
	return nil
}

func svdfKernel(c *op.Call) (op.Kernel, error) {
	if err := checkWritable(c, svdfState); err != nil {
		return op.Kernel{}, err
	}
	o := graph.Options[fb.SVDFOptionsT](c.Node)
	if c.In[svdfInput].DType == tensor.Int8 {
		return svdfInt8(c, o)
	}
	return svdfFloat(c, o)
}

// svdfScratch is the memory of a float SVDF: the filters' new values and, for
// int8 weights, the quantized input and a filter's time weights.
func svdfScratch(m *memory, int8 bool, batch, filters, in, memories int) (x vectors, sums, row []float32) {
	sums = take[float32](m, batch*filters)
	if int8 {
		x.reserve(m, batch, in)
		row = take[float32](m, memories)
	}
	return x, sums, row
}

func svdfFloat(c *op.Call, o *fb.SVDFOptionsT) (op.Kernel, error) {
	act, err := activationOf(o.FusedActivationFunction)
	if err != nil {
		return op.Kernel{}, err
	}
	int8 := hybrid(c.In[svdfFeature].DType)
	if err := checkWeights(c, svdfFeature, svdfTime); err != nil {
		return op.Kernel{}, err
	}
	rank := int(o.Rank)
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			var m memory
			svdfScratch(&m, int8, in[0][0], in[svdfFeature][0], in[0][1], in[svdfTime][1])
			return m.used, nil
		},
		Run: func(r *op.Run) error {
			w, t := matrixOf(r.In, svdfFeature), matrixOf(r.In, svdfTime)
			in, filters, memories := r.In[svdfInput].Shape(), r.In[svdfFeature].Shape()[0], r.In[svdfTime].Shape()[1]
			x, sums, row := svdfScratch(&memory{bytes: r.Temp}, int8, in[0], filters, in[1], memories)
			x.set(op.F32s(r.In[svdfInput]), in[1], int8)
			if int8 {
				x.quantize(o.AsymmetricQuantizeInputs)
			}
			clear(sums)
			w.accumulate(sums, filters, &x, neonProduct)
			state, out := op.F32s(r.In[svdfState]), op.F32s(r.Out[0])
			remember(state, sums, memories)
			for i := range sums {
				sums[i] = neonDot(0, t.row(i%filters, memories, row), part(state, i, 1, memories))
			}
			reduce(out, sums, op.OptF32s(r.In, svdfBias), rank, neonSum)
			act.apply(out, out)
			return nil
		},
	}, nil
}

// remember shifts every filter's memory by one and appends its new value.
func remember[T any](state, values []T, memories int) {
	if len(state) > 0 {
		copy(state, state[1:])
	}
	for i, v := range values {
		state[i*memories+memories-1] = v
	}
}

// reduce sums up the filters of each unit and adds the bias.
func reduce[T float32 | int32](out, values, bias []T, rank int, sum func(x []T) T) {
	for i := range out {
		out[i] = sum(part(values, i, 1, rank))
		if bias != nil {
			out[i] += bias[i%len(bias)]
		}
	}
}

func sumInts(x []int32) int32 {
	sum := int32(0)
	for _, v := range x {
		sum += v
	}
	return sum
}

// svdfInt8 is the integer kernel: filters' values go to the state's 16 bits, the
// units' sums to the result.
func svdfInt8(c *op.Call, o *fb.SVDFOptionsT) (op.Kernel, error) {
	if o.FusedActivationFunction != fb.ActivationFunctionTypeRELU {
		return op.Kernel{}, fmt.Errorf("fused activation %v on int8, want RELU: %w", o.FusedActivationFunction, tensor.ErrUnsupported)
	}
	for _, i := range []int{svdfInput, svdfFeature, svdfTime, svdfState} {
		if err := c.In[i].Quantized(); err != nil {
			return op.Kernel{}, fmt.Errorf("operand %d: %w", i, err)
		}
	}
	if err := c.Out[0].Quantized(); err != nil {
		return op.Kernel{}, err
	}
	toState := factor(float32(scale(c, svdfInput)*scale(c, svdfFeature)) / scale(c, svdfState))
	toOut := factor(float32(scale(c, svdfState)*scale(c, svdfTime)) / c.Out[0].Quant.Scale())
	zeroIn, zeroOut, rank := zero(c, svdfInput), int32(c.Out[0].Quant.Zero()), int(o.Rank)
	layOut := func(m *memory, filters, units int) ([]int16, []int32, []int32) {
		return take[int16](m, filters), take[int32](m, filters), take[int32](m, units)
	}
	return op.Kernel{
		Temp: func(in, out []tensor.Shape) (int, error) {
			var m memory
			layOut(&m, in[0][0]*in[svdfFeature][0], out[0][0]*out[0][1])
			return m.used, nil
		},
		Run: func(r *op.Run) error {
			x, w, t := op.I8s(r.In[svdfInput]), op.I8s(r.In[svdfFeature]), op.I16s(r.In[svdfTime])
			in, filters, memories := r.In[svdfInput].Shape(), r.In[svdfFeature].Shape()[0], r.In[svdfTime].Shape()[1]
			state, out := op.I16s(r.In[svdfState]), op.I8s(r.Out[0])
			values, sums, units := layOut(&memory{bytes: r.Temp}, in[0]*filters, len(out))
			for i := range values {
				acc := dot(part(w, i%filters, 1, in[1]), part(x, i/filters, 1, in[1]), zeroIn)
				values[i] = int16(min(max(toState.of(acc), -32768), 32767))
			}
			remember(state, values, memories)
			for i := range sums {
				sums[i] = dot(part(t, i%filters, 1, memories), part(state, i, 1, memories), 0)
			}
			reduce(units, sums, op.OptI32s(r.In, svdfBias), rank, sumInts)
			for i, v := range units {
				out[i] = saturate8(toOut.of(v) + zeroOut)
			}
			return nil
		},
	}, nil
}
