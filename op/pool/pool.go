// Package pool holds the pooling operators.
package pool

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/window"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{AveragePool2D, MaxPool2D, L2Pool2D, MaxPoolArgmax, MaxUnpool}

// MaxPool2D is MAX_POOL_2D over [N,H,W,C].
var MaxPool2D = &op.Def{
	Code:     graph.OpCode(schema.MAX_POOL_2D),
	Name:     "MAX_POOL_2D",
	Operands: op.In("input", op.F32|op.Quants).Out("output", op.F32|op.Quants).Like(0),
	Facts:    facts,
	Version:  version,
	Since:    []string{"1.5.0", "1.14.0", "2.3.0"},
	Quant:    op.SameScale(0),
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: floatPool(maxFloat),
		tensor.Int8:    intPool[int8](maxInt),
		tensor.UInt8:   intPool[uint8](maxInt),
		tensor.Int16:   intPool[int16](maxInt),
	}),
}

// AveragePool2D is AVERAGE_POOL_2D over [N,H,W,C]; padding does not count.
var AveragePool2D = &op.Def{
	Code:     graph.OpCode(schema.AVERAGE_POOL_2D),
	Name:     "AVERAGE_POOL_2D",
	Operands: op.In("input", op.F32|op.Quants).Out("output", op.F32|op.Quants).Like(0),
	Facts:    facts,
	Version:  version,
	Since:    []string{"1.5.0", "1.14.0", "2.3.0"},
	Quant:    op.SameScale(0),
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: floatPool(meanFloat),
		tensor.Int8:    intPool[int8](meanInt),
		tensor.UInt8:   intPool[uint8](meanInt),
		tensor.Int16:   intPool[int16](meanInt),
	}),
}

// L2Pool2D is L2_POOL_2D over [N,H,W,C]: the root of the mean square; padding does
// not count.
var L2Pool2D = &op.Def{
	Code:     graph.OpCode(schema.L2_POOL_2D),
	Name:     "L2_POOL_2D",
	Operands: op.In("input", op.F32).Out("output", op.F32),
	Facts:    facts,
	Since:    []string{"1.5.0"},
	Quant:    op.Quant{None: true},
	Ref:      floatPool(l2Float),
}

// Params are a pool's options.
type Params struct {
	Padding fb.Padding
	H, W    window.Axis
	Act     fb.ActivationFunctionType
}

// ParamsOf reads a pool's options.
func ParamsOf(n *graph.Node) (Params, error) {
	o, ok := n.Options.(*fb.Pool2DOptionsT)
	if !ok {
		return Params{}, fmt.Errorf("options are missing: %w", tensor.ErrMalformed)
	}
	p := Params{
		Padding: o.Padding, Act: o.FusedActivationFunction,
		H: window.Axis{Kernel: int(o.FilterHeight), Stride: int(o.StrideH), Dilation: 1},
		W: window.Axis{Kernel: int(o.FilterWidth), Stride: int(o.StrideW), Dilation: 1},
	}
	if err := p.H.Valid(); err != nil {
		return p, err
	}
	return p, p.W.Valid()
}

func facts(c *op.Call) error {
	in := &c.In[0]
	if in.Unknown {
		return op.ErrLater
	}
	p, err := ParamsOf(c.Node)
	if err != nil {
		return err
	}
	c.Out[0].Shape, err = p.out(in.Shape)
	c.Out[0].Unknown = false
	return err
}

// out is the shape of the result for an input of the given shape. Windows that do
// not fit leave it without elements; LiteRT looks at the width first, and at the
// height no more if that fails.
func (p *Params) out(in tensor.Shape) (tensor.Shape, error) {
	if len(in) != 4 {
		return nil, fmt.Errorf("input of shape %v, want [N,H,W,C]: %w", in, tensor.ErrShape)
	}
	h, errH := p.H.Out(p.Padding, in[1])
	w, errW := p.W.Out(p.Padding, in[2])
	if errH != nil || errW != nil {
		h = 0
	}
	return tensor.Shape{in[0], h, w, in[3]}, nil
}

func version(c *op.Call) int {
	// Written 16x8 files carry the int8 version.
	if d := c.In[0].DType; d == tensor.Int8 || d == tensor.Int16 {
		return 2
	}
	return 1
}

// each visits every output element with the clipped window [y0,y1)×[x0,x1) of
// image b it covers.
func each(r *op.Run, p Params, f func(b, y0, y1, x0, x1, c, i int)) error {
	in, out := r.In[0].Shape(), r.Out[0].Shape()
	beforeH, beforeW := p.H.Before(in[1], out[1]), p.W.Before(in[2], out[2])
	i := 0
	for b := range out[0] {
		for y := range out[1] {
			top := y*p.H.Stride - beforeH
			for x := range out[2] {
				if r.Stop() {
					return op.ErrStopped
				}
				left := x*p.W.Stride - beforeW
				for c := range out[3] {
					f(b, max(top, 0), min(top+p.H.Kernel, in[1]), max(left, 0), min(left+p.W.Kernel, in[2]), c, i)
					i++
				}
			}
		}
	}
	return nil
}

// A step folds one element into a running value; finish turns the value of n
// elements into the output.
type floatRule struct {
	start  float32
	step   func(acc, x float32) float32
	finish func(acc float32, n int) float32
}

var (
	maxFloat = floatRule{-math.MaxFloat32,
		func(acc, x float32) float32 {
			if acc < x {
				return x
			}
			return acc
		},
		func(acc float32, _ int) float32 { return acc }}
	meanFloat = floatRule{0,
		func(acc, x float32) float32 { return acc + x },
		func(acc float32, n int) float32 { return acc / float32(n) }}
	l2Float = floatRule{0,
		func(acc, x float32) float32 { return acc + float32(x*x) },
		func(acc float32, n int) float32 { return float32(math.Sqrt(float64(acc / float32(n)))) }}
)

func floatPool(rule floatRule) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		p, err := ParamsOf(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		lo, hi := op.FloatRange(p.Act)
		return op.Kernel{Run: func(r *op.Run) error {
			in, out := op.F32s(r.In[0]), op.F32s(r.Out[0])
			s := r.In[0].Shape()
			return each(r, p, func(b, y0, y1, x0, x1, c, i int) {
				acc := rule.start
				for y := y0; y < y1; y++ {
					for x := x0; x < x1; x++ {
						acc = rule.step(acc, in[((b*s[1]+y)*s[2]+x)*s[3]+c])
					}
				}
				out[i] = op.Clamp(rule.finish(acc, (y1-y0)*(x1-x0)), lo, hi)
			})
		}}, nil
	}
}

type intRule struct {
	start  func(lowest int32) int32
	step   func(acc, x int32) int32
	finish func(acc int32, n int) int32
}

var (
	maxInt = intRule{
		func(lowest int32) int32 { return lowest },
		func(acc, x int32) int32 { return max(acc, x) },
		func(acc int32, _ int) int32 { return acc }}
	meanInt = intRule{
		func(int32) int32 { return 0 },
		func(acc, x int32) int32 { return acc + x },
		func(acc int32, n int) int32 {
			if n == 0 {
				return 0
			}
			if acc > 0 {
				return (acc + int32(n)/2) / int32(n)
			}
			return (acc - int32(n)/2) / int32(n)
		}}
)

func intPool[T int8 | uint8 | int16](rule intRule) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		p, err := ParamsOf(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		if err := c.Out[0].Quantized(); err != nil && p.Act != fb.ActivationFunctionTypeNONE {
			return op.Kernel{}, err
		}
		lo, hi, err := op.QuantRange(p.Act, &c.Out[0])
		if err != nil {
			return op.Kernel{}, err
		}
		lowest, _, _ := c.In[0].DType.IntRange()
		return op.Kernel{Run: func(r *op.Run) error {
			in, out := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.Out[0].Bytes())
			s := r.In[0].Shape()
			return each(r, p, func(b, y0, y1, x0, x1, c, i int) {
				acc := rule.start(lowest)
				for y := y0; y < y1; y++ {
					for x := x0; x < x1; x++ {
						acc = rule.step(acc, int32(in[((b*s[1]+y)*s[2]+x)*s[3]+c]))
					}
				}
				out[i] = T(min(max(rule.finish(acc, (y1-y0)*(x1-x0)), lo), hi))
			})
		}}, nil
	}
}
