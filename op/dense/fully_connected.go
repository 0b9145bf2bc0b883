// Package dense holds matrix products.
package dense

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{FullyConnected, BatchMatMul}

// FullyConnected is FULLY_CONNECTED: input of any shape, weights [N,K], bias [N];
// output [size/K, N], elements left over being ignored, or with keep_num_dims the
// input's shape with N last. Shuffled weights have a second result, the shuffled
// input.
var FullyConnected = &op.Def{
	Code: graph.OpCode(schema.FULLY_CONNECTED),
	Name: "FULLY_CONNECTED",
	Operands: op.In("input", op.F32|op.Quants).In("weights", op.F32|op.I8|op.U8|op.I4|op.I2|op.I16).
		Opt("bias", op.F32|op.I32|op.I64).Out("output", op.F32|op.Quants).MaybeOut("shuffled", op.U8),
	Facts:   facts,
	Version: version,
	Since: []string{"1.5.0", "1.10.0", "1.14.0", "1.14.0", "2.0.0", "2.1.0", "2.3.0", "2.3.0", "2.3.0",
		"2.11.0", "2.15.0", "2.17.0", "2.18.0", "2.21.0"},
	Quant: op.Quant{
		In:      []op.Rule{op.Activation(), op.PerChannel(0), op.BiasOf(0, 1)},
		Weights: []int{1},
		Asym:    true,
		Dense:   true,
	},
	Ref: func(c *op.Call) (op.Kernel, error) {
		f := form{c.In[0].DType, c.In[1].DType, c.Out[0].DType}
		mk, ok := forms[f]
		if shuffled(c) {
			mk, ok = refShuffled, f == form{tensor.UInt8, tensor.UInt8, tensor.Int16}
		}
		if !ok {
			return op.Kernel{}, fmt.Errorf("%v input with %v weights and %v output: %w", f.input, f.weights, f.output, tensor.ErrUnsupported)
		}
		if hybrid := f.input == tensor.Float32 && f.weights != tensor.Float32; !hybrid && !op.Clamps(activation(c)) {
			return op.Kernel{}, fmt.Errorf("fused activation %v: %w", activation(c), tensor.ErrUnsupported)
		}
		k, err := mk(c)
		return unlessEmpty(k), err
	},
}

// unlessEmpty makes the product of matrices without columns 0: LiteRT leaves the bias
// out.
func unlessEmpty(k op.Kernel) op.Kernel {
	run := k.Run
	k.Run = func(r *op.Run) error {
		if _, depth := weightsShape(r); depth == 0 {
			clear(r.Out[0].Bytes())
			return nil
		}
		return run(r)
	}
	return k
}

// form is a combination of element types.
type form struct{ input, weights, output tensor.DType }

var forms = map[form]op.Maker{
	{tensor.Float32, tensor.Float32, tensor.Float32}: refFloat,
	{tensor.Float32, tensor.Int8, tensor.Float32}:    refHybrid,
	{tensor.Float32, tensor.UInt8, tensor.Float32}:   refHybrid, // bits of int8, as files before 1.14 have
	{tensor.Float32, tensor.Int4, tensor.Float32}:    refHybrid,
	{tensor.Float32, tensor.Int2, tensor.Float32}:    refHybrid,
	{tensor.Int8, tensor.Int8, tensor.Int8}:          refInt8,
	{tensor.Int8, tensor.Int4, tensor.Int8}:          refInt8,
	{tensor.Int8, tensor.Int2, tensor.Int8}:          refInt8,
	{tensor.UInt8, tensor.UInt8, tensor.UInt8}:       refUint8[uint8],
	{tensor.UInt8, tensor.UInt8, tensor.Int16}:       refUint8[int16],
	{tensor.Int16, tensor.Int8, tensor.Int16}:        refInt16,
	{tensor.Int16, tensor.Int4, tensor.Int16}:        refInt16,
	{tensor.Int16, tensor.Int2, tensor.Int16}:        refInt16,
	{tensor.Int16, tensor.Int16, tensor.Int16}:       refInt16x16,
}

func shuffled(c *op.Call) bool {
	return graph.Options[fb.FullyConnectedOptionsT](c.Node).WeightsFormat == fb.FullyConnectedOptionsWeightsFormatSHUFFLED4x16INT8
}

func facts(c *op.Call) error {
	in, w := &c.In[0], &c.In[1]
	if in.Unknown || w.Unknown || !w.Shape.Known() {
		return op.ErrLater
	}
	if len(w.Shape) != 2 {
		return fmt.Errorf("weights of shape %v, want [N,K]: %w", w.Shape, tensor.ErrShape)
	}
	o := graph.Options[fb.FullyConnectedOptionsT](c.Node)
	units, depth := w.Shape[0], w.Shape[1]
	if c.Has(2) && !c.In[2].Unknown {
		if n, err := c.In[2].Shape.Elems(); err != nil || n != units {
			return fmt.Errorf("bias of shape %v for %d units: %w", c.In[2].Shape, units, tensor.ErrShape)
		}
	}
	if n := len(w.Quant.Scales); w.DType != tensor.Float32 && n > 1 && n != units {
		return fmt.Errorf("%d scales for %d units: %w", n, units, tensor.ErrMalformed)
	}
	out, err := outShape(in.Shape, units, depth, o.KeepNumDims)
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	if err == nil && (shuffled(c) || len(c.Out) > 1) {
		return shuffledFacts(c, units, depth)
	}
	return err
}

func outShape(in tensor.Shape, units, depth int, keep bool) (tensor.Shape, error) {
	last := -1
	if len(in) > 0 {
		last = in[len(in)-1]
	}
	if keep {
		if last >= 0 && last != depth {
			return nil, fmt.Errorf("input %v for weights of depth %d: %w", in, depth, tensor.ErrShape)
		}
		out := in.Clone()
		if len(out) == 0 {
			return nil, fmt.Errorf("keep_num_dims of a scalar: %w", tensor.ErrShape)
		}
		out[len(out)-1] = units
		return out, nil
	}
	if !in.Known() {
		return tensor.Shape{-1, units}, nil
	}
	n, err := in.Elems()
	if err != nil {
		return nil, err
	}
	if depth == 0 {
		n, err = in[:max(len(in)-1, 0)].Elems()
		return tensor.Shape{n, units}, err
	}
	if n%depth != 0 { // LiteRT drops what is left over
		return nil, fmt.Errorf("input %v for weights of depth %d: %w", in, depth, tensor.ErrShape)
	}
	return tensor.Shape{n / depth, units}, nil
}

// version follows GetBuiltinOperatorVersion; 16x8 files carry the int8 version.
func version(c *op.Call) int {
	o := graph.Options[fb.FullyConnectedOptionsT](c.Node)
	in, w := c.In[0].DType, &c.In[1]
	hybrid := in == tensor.Float32 && w.DType == tensor.Int8
	switch {
	case w.DType == tensor.Int2:
		return 14
	case w.DType == tensor.Int4 && in == tensor.Int16:
		return 13
	case w.DType == tensor.Int4:
		return 10
	case hybrid && w.Quant.PerAxis():
		return 12
	case w.Sparse:
		return 8
	case w.DType == tensor.Int16:
		return 7
	case hybrid && o.AsymmetricQuantizeInputs:
		return 9
	case hybrid:
		return 3
	case in == tensor.Int8, in == tensor.Int16:
		return 4
	case o.KeepNumDims:
		return 5
	case shuffled(c):
		return 2
	}
	return 1
}
