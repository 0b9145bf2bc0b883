package fast

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/internal/simd"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/conv"
	"github.com/litequant/litequant/tensor"
)

// convCase is a convolution large enough for every way a fast kernel takes.
type convCase struct {
	call   op.Call
	inputs []tensor.Tensor
}

func drawConv(t *rapid.T, dtype tensor.DType) convCase {
	n := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	in := tensor.Shape{n("batch", 1, 3), n("h", 1, 9), n("w", 1, 9), n("c", 1, 24)}
	filter := tensor.Shape{n("filters", 1, 40), n("kh", 1, 4), n("kw", 1, 4), in[3]}
	o := &fb.Conv2DOptionsT{
		Padding: fb.Padding(n("valid", 0, 1)), StrideH: int32(n("sh", 1, 3)), StrideW: int32(n("sw", 1, 3)),
		DilationHFactor: int32(n("dh", 1, 2)), DilationWFactor: int32(n("dw", 1, 2)),
		FusedActivationFunction: fb.ActivationFunctionType(n("act", 0, 1)),
	}
	c := op.Call{Node: &graph.Node{Op: graph.OpCode(schema.CONV_2D), Options: o}, Out: []op.Fact{{Present: true, DType: dtype}}}
	if dtype == tensor.Float32 {
		c.In = []op.Fact{fact(in, floats(r, in)), fact(filter, floats(r, filter)), fact(tensor.Shape{filter[0]}, floats(r, tensor.Shape{filter[0]}))}
	} else {
		scales := make([]float32, filter[0])
		for i := range scales {
			scales[i] = 0.001 + r.Float32()/100
		}
		w := tensor.Quant{Scales: scales, ZeroPoints: make([]int64, filter[0])}
		c.In = []op.Fact{
			quantized(fact(in, bytes(r, in)), tensor.PerTensor(0.03, int64(r.IntN(256)-128))), quantized(fact(filter, bytes(r, filter)), w),
			{Present: true, DType: tensor.Int32, Shape: tensor.Shape{filter[0]}, Const: tensor.BytesOf(int32s(r, filter[0]))},
		}
		c.Out[0].Quant = tensor.PerTensor(0.05, int64(r.IntN(256)-128))
	}
	if err := conv.Conv2D.Facts(&c); err != nil {
		t.Skip("the window does not fit")
	}
	x := convCase{call: c}
	for i := range c.In {
		x.inputs = append(x.inputs, c.In[i].Tensor())
	}
	return x
}

func fact(s tensor.Shape, data any) op.Fact {
	f := op.Fact{Present: true, Shape: s}
	switch v := data.(type) {
	case []float32:
		f.DType, f.Const = tensor.Float32, tensor.BytesOf(v)
	case []int8:
		f.DType, f.Const = tensor.Int8, tensor.BytesOf(v)
	}
	return f
}

func quantized(f op.Fact, q tensor.Quant) op.Fact { f.Quant = q; return f }

func count(s tensor.Shape) int { n, _ := s.Elems(); return n }

func floats(r *rand.Rand, s tensor.Shape) []float32 {
	v := make([]float32, count(s))
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func bytes(r *rand.Rand, s tensor.Shape) []int8 {
	v := make([]int8, count(s))
	for i := range v {
		v[i] = int8(max(r.IntN(256)-128, -127))
	}
	return v
}

func int32s(r *rand.Rand, n int) []int32 {
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(r.IntN(20001) - 10000)
	}
	return v
}

// run executes a kernel once over its own memory.
func (x *convCase) run(t *rapid.T, k op.Kernel) tensor.Tensor {
	out, err := tensor.Zeros(x.call.Out[0].DType, x.call.Out[0].Shape)
	if err != nil {
		t.Fatal(err)
	}
	r := op.Run{In: x.inputs, Out: []tensor.Tensor{out}}
	if k.Temp != nil {
		n, err := k.Temp([]tensor.Shape{x.call.In[0].Shape, x.call.In[1].Shape, x.call.In[2].Shape}, []tensor.Shape{x.call.Out[0].Shape})
		if err != nil {
			t.Fatal(err)
		}
		r.Temp = tensor.Aligned(n)
		for i := range r.Temp { // a kernel must not rely on clean scratch
			r.Temp[i] = 0xa5
		}
	}
	if k.State != nil {
		r.State = k.State()
	}
	if err := k.Run(&r); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestConvEqualsReference(t *testing.T) {
	for _, level := range simd.Levels() {
		for _, dtype := range []tensor.DType{tensor.Float32, tensor.Int8} {
			t.Run(level.Name()+"/"+dtype.String(), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					x := drawConv(t, dtype)
					want, err := conv.Conv2D.Ref(&x.call)
					if err != nil {
						t.Fatal(err)
					}
					env := &Env{Level: level, Pool: simd.Shared()}
					got, ok, err := convKernel(env, &x.call)
					if err != nil || !ok {
						t.Fatalf("declined: %v", err)
					}
					same(t, x.run(t, want), x.run(t, got))
					if dtype == tensor.Float32 { // the filter as a variable, as in training
						filter := x.call.In[1].Const
						x.call.In[1].Const = nil
						if got, ok, err = convKernel(env, &x.call); err != nil || !ok {
							t.Fatalf("declined a variable filter: %v", err)
						}
						x.call.In[1].Const = filter
						same(t, x.run(t, want), x.run(t, got))
					}
				})
			})
		}
	}
}

func same(t *rapid.T, want, got tensor.Tensor) {
	if want.DType() == tensor.Int8 {
		if string(want.Bytes()) != string(got.Bytes()) {
			t.Fatal("integers differ")
		}
		return
	}
	a, b := want.Float32s(), got.Float32s()
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 1e-3 {
			t.Fatalf("element %d is %v, want %v", i, b[i], a[i])
		}
	}
}
