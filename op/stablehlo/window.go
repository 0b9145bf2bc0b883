package stablehlo

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// maxWindow is the highest rank of the operators that reduce windows.
const maxWindow = 6

// StablehloReduceWindow is STABLEHLO_REDUCE_WINDOW: init, combined with the elements
// of a window that slides over the operand. The operand is first spread out by
// base_dilations, then padded, or cropped where padding is negative; init is what
// fills it.
var StablehloReduceWindow = named(def(schema.STABLEHLO_REDUCE_WINDOW, "2.16.0",
	op.In("operand", windowed).In("init", windowed).Like(0).Out("result", windowed).Like(0), stablehloWindowFacts,
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.StablehloReduceWindowOptionsT](c.Node)
		g, err := stablehloGeometry(o)
		if err != nil {
			return op.Kernel{}, err
		}
		nodes, err := body(c, o.BodySubgraphIndex)
		if err != nil {
			return op.Kernel{}, err
		}
		if len(nodes) == 0 {
			return op.Kernel{}, fmt.Errorf("reduction without an operator: %w", tensor.ErrMalformed)
		}
		f, ok := bodies[nodes[0].Op]
		if !ok {
			return op.Kernel{}, fmt.Errorf("reduction by %s: %w", op.NameOf(&nodes[0]), tensor.ErrUnsupported)
		}
		run := reductions[f][c.In[0].DType]
		return op.Kernel{Run: func(r *op.Run) error { return run(r, g) }}, nil
	}), func(n *graph.Node) int {
	return int(graph.Options[fb.StablehloReduceWindowOptionsT](n).BodySubgraphIndex)
})

// ReduceWindow is REDUCE_WINDOW, which has operands for the window's shape, strides
// and dilations, and neither padding nor base dilations. TensorFlow does not write
// it any more.
var ReduceWindow = def(schema.REDUCE_WINDOW, "2.15.0",
	op.In("input", windowed).In("init", windowed).Like(0).In("window_shape", op.I64).In("window_strides", op.I64).In("window_dilations", op.I64).
		Out("output", windowed).Like(0), windowFacts,
	func(c *op.Call) (op.Kernel, error) {
		f := graph.Options[fb.ReduceWindowOptionsT](c.Node).ReduceFunction
		run, ok := reductions[f][c.In[0].DType]
		if !ok {
			return op.Kernel{}, fmt.Errorf("reduction %v: %w", f, tensor.ErrUnsupported)
		}
		return op.Kernel{Run: func(r *op.Run) error {
			return run(r, plainGeometry(op.I64s(r.In[2]), op.I64s(r.In[3]), op.I64s(r.In[4])))
		}}, nil
	})

// bodies are the operators that a subgraph may name a reduction by.
var bodies = map[graph.OpCode]fb.ReduceWindowFunction{
	graph.OpCode(schema.ADD): fb.ReduceWindowFunctionADD, graph.OpCode(schema.STABLEHLO_ADD): fb.ReduceWindowFunctionADD,
	graph.OpCode(schema.MUL): fb.ReduceWindowFunctionMUL, graph.OpCode(schema.STABLEHLO_MULTIPLY): fb.ReduceWindowFunctionMUL,
	graph.OpCode(schema.MINIMUM): fb.ReduceWindowFunctionMINIMUM, graph.OpCode(schema.STABLEHLO_MINIMUM): fb.ReduceWindowFunctionMINIMUM,
	graph.OpCode(schema.MAXIMUM): fb.ReduceWindowFunctionMAXIMUM, graph.OpCode(schema.STABLEHLO_MAXIMUM): fb.ReduceWindowFunctionMAXIMUM,
	graph.OpCode(schema.LOGICAL_AND): fb.ReduceWindowFunctionALL, graph.OpCode(schema.STABLEHLO_AND): fb.ReduceWindowFunctionALL,
	graph.OpCode(schema.LOGICAL_OR): fb.ReduceWindowFunctionANY,
}

// reducer is a reduction's kernel for one element type.
type reducer func(r *op.Run, g geometry) error

// reductions are LiteRT's. It takes truth values for numbers.
var reductions = map[fb.ReduceWindowFunction]map[tensor.DType]reducer{
	fb.ReduceWindowFunctionADD: {
		tensor.Bool: reduce(add[int8]), tensor.UInt8: reduce(add[uint8]), tensor.Int8: reduce(add[int8]), tensor.Int16: reduce(add[int16]),
		tensor.Int32: reduce(add[int32]), tensor.Int64: reduce(add[int64]), tensor.Float32: reduce(add[float32]), tensor.Float64: reduce(add[float64]),
	},
	fb.ReduceWindowFunctionMUL: {
		tensor.Bool: reduce(multiply[int8]), tensor.UInt8: reduce(multiply[uint8]), tensor.Int8: reduce(multiply[int8]), tensor.Int16: reduce(multiply[int16]),
		tensor.Int32: reduce(multiply[int32]), tensor.Int64: reduce(multiply[int64]), tensor.Float32: reduce(multiply[float32]), tensor.Float64: reduce(multiply[float64]),
	},
	fb.ReduceWindowFunctionMINIMUM: {
		tensor.Bool: reduce(least[int8]), tensor.UInt8: reduce(least[uint8]), tensor.Int8: reduce(least[int8]), tensor.Int16: reduce(least[int16]),
		tensor.Int32: reduce(least[int32]), tensor.Int64: reduce(least[int64]), tensor.Float32: reduce(least[float32]), tensor.Float64: reduce(least[float64]),
	},
	fb.ReduceWindowFunctionMAXIMUM: {
		tensor.Bool: reduce(greatest[int8]), tensor.UInt8: reduce(greatest[uint8]), tensor.Int8: reduce(greatest[int8]), tensor.Int16: reduce(greatest[int16]),
		tensor.Int32: reduce(greatest[int32]), tensor.Int64: reduce(greatest[int64]), tensor.Float32: reduce(greatest[float32]), tensor.Float64: reduce(greatest[float64]),
	},
	fb.ReduceWindowFunctionALL: {
		tensor.Bool: reduce(all[int8]), tensor.UInt8: reduce(all[uint8]), tensor.Int8: reduce(all[int8]), tensor.Int16: reduce(all[int16]),
		tensor.Int32: reduce(all[int32]), tensor.Int64: reduce(all[int64]), tensor.Float32: reduce(all[float32]), tensor.Float64: reduce(all[float64]),
	},
	fb.ReduceWindowFunctionANY: {
		tensor.Bool: reduce(some[int8]), tensor.UInt8: reduce(some[uint8]), tensor.Int8: reduce(some[int8]), tensor.Int16: reduce(some[int16]),
		tensor.Int32: reduce(some[int32]), tensor.Int64: reduce(some[int64]), tensor.Float32: reduce(some[float32]), tensor.Float64: reduce(some[float64]),
	},
}

// windowed are the element types of reductions, the same for all.
var windowed = types(reductions[fb.ReduceWindowFunctionADD])

// greatest is y where one is not a number, unlike std::max.
func greatest[T number](x, y T) T {
	if x >= y {
		return x
	}
	return y
}

func least[T number](x, y T) T {
	if x <= y {
		return x
	}
	return y
}

func all[T number](x, y T) T { return truth[T](x != 0 && y != 0) }

func some[T number](x, y T) T { return truth[T](x != 0 || y != 0) }

func truth[T number](yes bool) T {
	if yes {
		return 1
	}
	return 0
}

// geometry is how windows lie over an operand, by axis.
type geometry struct {
	window, stride, dilation, base, low, high [maxWindow]int
}

// stablehloGeometry reads a node's options. All but the window's shape may be left
// out.
func stablehloGeometry(o *fb.StablehloReduceWindowOptionsT) (g geometry, err error) {
	rank := len(o.WindowDimensions)
	if rank < 1 || rank > maxWindow {
		return g, fmt.Errorf("windows of rank %d: %w", rank, tensor.ErrUnsupported)
	}
	for _, list := range []struct {
		name   string
		to     *[maxWindow]int
		values []int64
	}{
		{"window_dimensions", &g.window, o.WindowDimensions}, {"window_strides", &g.stride, o.WindowStrides},
		{"window_dilations", &g.dilation, o.WindowDilations}, {"base_dilations", &g.base, o.BaseDilations},
	} {
		if err := sizes(list.name, list.to[:rank], list.values); err != nil {
			return g, err
		}
	}
	if n := len(o.Padding); n != 0 && n != 2*rank {
		return g, fmt.Errorf("%d paddings of windows of rank %d: %w", n, rank, tensor.ErrMalformed)
	}
	for i, p := range o.Padding {
		if p < -maxSize || p > maxSize {
			return g, fmt.Errorf("padding %d: %w", p, tensor.ErrMalformed)
		}
		if i%2 == 0 {
			g.low[i/2] = int(p)
		} else {
			g.high[i/2] = int(p)
		}
	}
	return g, nil
}

// sizes copies positive numbers, one for each axis; no numbers stand for ones.
func sizes(name string, to []int, values []int64) error {
	if len(values) != 0 && len(values) != len(to) {
		return fmt.Errorf("%s %v of windows of rank %d: %w", name, values, len(to), tensor.ErrMalformed)
	}
	for i := range to {
		to[i] = 1
	}
	for i, v := range values {
		if v < 1 || v > maxSize {
			return fmt.Errorf("%s %v: %w", name, values, tensor.ErrMalformed)
		}
		to[i] = int(v)
	}
	return nil
}

func plainGeometry(window, stride, dilation []int64) (g geometry) {
	for i := range window {
		g.window[i], g.stride[i], g.dilation[i], g.base[i] = int(window[i]), int(stride[i]), int(dilation[i]), 1
	}
	return g
}

func stablehloWindowFacts(c *op.Call) error {
	o := graph.Options[fb.StablehloReduceWindowOptionsT](c.Node)
	g, err := stablehloGeometry(o)
	if err != nil {
		return err
	}
	in, err := ranked(c, 0, 1, maxWindow)
	if err != nil {
		return err
	}
	if len(o.WindowDimensions) != len(in) {
		return fmt.Errorf("windows %v over an operand of shape %v: %w", o.WindowDimensions, in, tensor.ErrShape)
	}
	return g.facts(c, in)
}

func windowFacts(c *op.Call) error {
	in, err := ranked(c, 0, 1, maxWindow)
	if err != nil {
		return err
	}
	var v [3][]int64
	for k := range v {
		n, err := c.Ints(2 + k)
		if err != nil {
			return err
		}
		if len(n) != len(in) {
			return fmt.Errorf("operand %d of shape %v for an input of shape %v: %w", 2+k, c.In[2+k].Shape, in, tensor.ErrShape)
		}
		for _, n := range n {
			if n < 1 || n > maxSize {
				return fmt.Errorf("operand %d holds %d: %w", 2+k, n, tensor.ErrMalformed)
			}
			v[k] = append(v[k], int64(n))
		}
	}
	g := plainGeometry(v[0], v[1], v[2])
	return g.facts(c, in)
}

// facts declares a result for every place of the window.
func (g *geometry) facts(c *op.Call, in tensor.Shape) error {
	if f := &c.In[1]; !f.Unknown && f.Shape.Known() {
		if n, err := f.Shape.Elems(); err != nil || n < 1 {
			return fmt.Errorf("initial value of shape %v: %w", f.Shape, tensor.ErrShape)
		}
	}
	out, padded := in.Clone(), in.Clone()
	pads, none := false, false
	for i, n := range in {
		pads = pads || g.low[i] != 0 || g.high[i] != 0
		if n < 0 {
			padded[i] = 1
			continue
		}
		padded[i] = g.spread(i, n) + g.low[i] + g.high[i]
		none = none || padded[i] <= 0
		out[i] = 0
		if extent := (g.window[i]-1)*g.dilation[i] + 1; padded[i] >= extent {
			out[i] = (padded[i]-extent)/g.stride[i] + 1
		}
	}
	if none && pads {
		return fmt.Errorf("padding makes %v of shape %v: %w", padded, in, tensor.ErrShape)
	}
	if _, err := padded.Elems(); err != nil {
		return err
	}
	c.SetResult(0, c.In[0].DType, out)
	return nil
}

// spread is the length of axis i after base dilation.
func (g *geometry) spread(i, n int) int {
	if n == 0 {
		return 0
	}
	return (n-1)*g.base[i] + 1
}

// at is the position of element w of window o in an operand of shape s, and false
// where the window sees padding or a gap.
func (g *geometry) at(o, w *dims, s tensor.Shape) (n int, ok bool) {
	for k, d := range s {
		p := o[k]*g.stride[k] + w[k]*g.dilation[k] - g.low[k]
		if p < 0 || p%g.base[k] != 0 || p/g.base[k] >= d {
			return 0, false
		}
		n = n*d + p/g.base[k]
	}
	return n, true
}

func reduce[T number](f func(x, y T) T) reducer {
	return func(r *op.Run, g geometry) error {
		in, init, out := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.In[1].Bytes())[0], tensor.View[T](r.Out[0].Bytes())
		shape, places := r.In[0].Shape(), r.Out[0].Shape()
		window, size := g.window[:len(shape)], 1
		for _, n := range window {
			size *= n
		}
		var o, w dims
		seen := 0
		for i := range out {
			v := init
			for range size {
				x := init
				if at, ok := g.at(&o, &w, shape); ok {
					x = in[at]
				}
				v = f(v, x)
				w.next(window)
				if seen++; seen%polled == 0 && r.Stop() {
					return op.ErrStopped
				}
			}
			out[i] = v
			o.next(places)
		}
		return nil
	}
}
