package stablehlo

import (
	"errors"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// source deals the bytes of a fuzz input; behind the end it deals zeros.
type source struct{ data []byte }

func (s *source) below(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

// number returns mostly small numbers of both signs, now and then extreme ones.
func (s *source) number() int64 {
	if s.below(24) > 0 {
		return int64(s.below(7)) - 2
	}
	return []int64{1 << 31, -1 << 31, 1<<31 - 1, 1 << 62, -1 << 63, 1 << 16}[s.below(6)]
}

func (s *source) numbers() []int64 {
	v := make([]int64, s.below(4))
	for i := range v {
		v[i] = s.number()
	}
	return v
}

func (s *source) shape() tensor.Shape {
	dims := make(tensor.Shape, []int{0, 1, 1, 2, 2, 3, 4, 6, 7, 8, 9}[s.below(11)])
	for i := range dims {
		dims[i] = []int{0, 1, 1, 2, 2, 3, 4, 6, -1}[s.below(9)]
	}
	return dims
}

func (s *source) options(code graph.OpCode) any {
	switch schema.BuiltinOperator(code) {
	case schema.STABLEHLO_PAD:
		return &fb.StablehloPadOptionsT{EdgePaddingLow: s.numbers(), EdgePaddingHigh: s.numbers(), InteriorPadding: s.numbers()}
	case schema.STABLEHLO_GATHER:
		return &fb.StablehloGatherOptionsT{OffsetDims: s.numbers(), CollapsedSliceDims: s.numbers(), StartIndexMap: s.numbers(), IndexVectorDim: s.number(), SliceSizes: s.numbers()}
	case schema.STABLEHLO_SCATTER:
		return &fb.StablehloScatterOptionsT{UpdateWindowDims: s.numbers(), InsertedWindowDims: s.numbers(), ScatterDimsToOperandDims: s.numbers(), IndexVectorDim: s.number(),
			UpdateComputationSubgraphIndex: int32(s.number())}
	case schema.STABLEHLO_REDUCE_WINDOW:
		return &fb.StablehloReduceWindowOptionsT{WindowDimensions: s.numbers(), WindowStrides: s.numbers(), BaseDilations: s.numbers(), WindowDilations: s.numbers(), Padding: s.numbers(),
			BodySubgraphIndex: int32(s.number())}
	case schema.REDUCE_WINDOW:
		return &fb.ReduceWindowOptionsT{ReduceFunction: fb.ReduceWindowFunction(s.below(8))}
	case schema.STABLEHLO_RNG_BIT_GENERATOR:
		return &fb.StablehloRngBitGeneratorOptionsT{Algorithm: fb.RngAlgorithm(s.below(4))}
	}
	return nil
}

// operand returns a fact, known where the type is an index type.
func (s *source) operand(o op.Operand) op.Fact {
	f := op.Fact{Present: true, Shape: s.shape(), Unknown: s.below(32) == 31}
	for f.DType = tensor.DType(s.below(23)); !o.Types.Has(f.DType); f.DType = (f.DType + 1) % 23 {
	}
	if n, err := f.Shape.Bytes(f.DType); err == nil && n < 1<<16 && s.below(8) > 0 {
		f.Const = tensor.Aligned(n)
		switch v := s.number(); f.DType {
		case tensor.Int32:
			for i := range tensor.View[int32](f.Const) {
				tensor.View[int32](f.Const)[i] = int32(v) + int32(s.below(4))
			}
		case tensor.Int64:
			for i := range tensor.View[int64](f.Const) {
				tensor.View[int64](f.Const)[i] = v + int64(s.below(4))
			}
		}
	}
	return f
}

// FuzzRows: whatever Facts accepts, a kernel computes, and nothing panics.
func FuzzRows(f *testing.F) {
	for i := range Defs {
		f.Add([]byte{byte(i)})
		f.Add([]byte{byte(i), 2, 1, 1, 2, 1, 1, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 1, 2, 3, 1, 1, 1})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &source{data}
		d := Defs[s.below(len(Defs))]
		c := &op.Call{Node: &graph.Node{Op: d.Code, Options: s.options(d.Code)}, Subgraphs: functions}
		for _, o := range d.Operands.Ins {
			c.In = append(c.In, s.operand(o))
			if i, ok := o.Like(); ok && s.below(16) > 0 && len(c.In[i].Const) == 0 {
				c.In[len(c.In)-1].DType, c.In[len(c.In)-1].Const = c.In[i].DType, nil
			}
		}
		for _, o := range d.Operands.Outs {
			r := s.operand(o)
			r.Const = nil
			if i, ok := o.Like(); ok {
				r.DType = c.In[i].DType
			}
			c.Out = append(c.Out, r)
		}
		if d.Check(c) != nil {
			return
		}
		err := d.Facts(c)
		if err != nil && !errors.Is(err, op.ErrLater) {
			return
		}
		if k, kerr := d.Ref(c); err != nil || kerr != nil || k.Run == nil {
			return
		}
		for i := range c.In {
			if c.In[i].Unknown {
				return
			}
			if c.In[i].Const == nil {
				n, err := c.In[i].Shape.Bytes(c.In[i].DType)
				if err != nil || n > 1<<16 {
					return
				}
				c.In[i].Const = tensor.Aligned(n)
			}
		}
		for i := range c.Out {
			if n, err := c.Out[i].Shape.Bytes(c.Out[i].DType); err != nil || n > 1<<16 {
				return
			}
		}
		evaluate(t, d, c)
	})
}

// evaluate runs a kernel that is stopped before it takes long.
func evaluate(t *testing.T, d *op.Def, c *op.Call) {
	k, err := d.Ref(c)
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	r := &op.Run{Stopped: func() bool { looks++; return looks > 8 }}
	for i := range c.In {
		r.In = append(r.In, c.In[i].Tensor())
	}
	for i := range c.Out {
		o, err := tensor.Zeros(c.Out[i].DType, c.Out[i].Shape)
		if err != nil {
			t.Fatal(err)
		}
		r.Out = append(r.Out, o)
	}
	if err := k.Run(r); err != nil && !errors.Is(err, op.ErrStopped) {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1, func() { looks = 0; _ = k.Run(r) }); n != 0 {
		t.Fatalf("%s allocates %v times", d.Name, n)
	}
}
