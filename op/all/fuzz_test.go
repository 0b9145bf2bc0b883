package all_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// source deals the bytes of a fuzz input; behind the end it deals zeros.
type source struct{ data []byte }

func (s *source) byte() byte {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return b
}

// below returns a number in [0, n).
func (s *source) below(n int) int { return int(s.byte()) % n }

// small returns mostly small numbers of both signs, now and then extreme ones.
func (s *source) small() int {
	switch b := s.byte(); {
	case b < 0xf0:
		return int(b)%13 - 4
	default:
		return []int{1 << 31, -1 << 31, 1<<31 - 1, 1 << 62, -1 << 63, 1 << 16, 255, -129}[b%8]
	}
}

func (s *source) shape() tensor.Shape {
	dims := make(tensor.Shape, []int{0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 8, 9}[s.below(12)])
	for i := range dims {
		dims[i] = []int{0, 1, 1, 2, 2, 3, 4, 6, -1}[s.below(9)]
	}
	return dims
}

func (s *source) dtype(types op.Types) tensor.DType {
	var list []tensor.DType
	for d := tensor.DType(0); d.Valid(); d++ {
		if types.Has(d) {
			list = append(list, d)
		}
	}
	return list[s.below(len(list))]
}

// quant returns no parameters, one scale, or several.
func (s *source) quant() tensor.Quant {
	switch s.below(4) {
	case 0:
		return tensor.Quant{}
	case 1:
		return tensor.Quant{Scales: []float32{0.5, 0}, ZeroPoints: []int64{0}}
	}
	return tensor.PerTensor([]float32{0.5, 0.25, 0, 1e-30, 1. / 256, 1. / 128, 1. / 32768, 1. / 16, 1e20}[s.below(9)], int64(s.small()))
}

// near returns a shape that operands often have next to one of shape s.
func (s *source) near(first tensor.Shape) tensor.Shape {
	n := len(first)
	switch s.below(8) {
	case 0:
		return s.shape()
	case 1:
		return tensor.Shape{}
	case 2:
		return first
	case 3:
		return tensor.Shape{n, 2}
	case 4:
		return tensor.Shape{max(n-2, 0), 2}
	case 5:
		return tensor.Shape{max(n-2, 0)}
	case 6:
		return tensor.Shape{1 + s.below(3)}
	}
	return tensor.Shape{n}
}

// value returns a fact, its value known or not. Where others are there it is
// mostly like the first of its type.
func (s *source) value(o op.Operand, others []op.Fact) op.Fact {
	f := op.Fact{Present: true, DType: s.dtype(o.Types), Quant: s.quant(), Unknown: s.below(32) == 1}
	if len(others) == 0 {
		f.Shape = s.shape()
	} else {
		f.Shape = s.near(others[0].Shape)
	}
	for i := range others {
		if o.Types.Has(others[i].DType) && s.below(8) > 0 {
			f.DType, f.Quant = others[i].DType, others[i].Quant
			break
		}
	}
	n, err := f.Shape.Elems()
	if s.below(8) == 0 || f.Unknown || err != nil || n > 4096 {
		return f
	}
	if f.DType.Bits() == 0 {
		x, err := tensor.OfStrings(f.Shape, make([]string, n)...)
		if err != nil {
			panic(err)
		}
		f.Const = x.Bytes()
		return f
	}
	f.Const = tensor.Aligned((n*f.DType.Bits() + 7) / 8)
	low := s.below(3) // indices and sizes want small numbers
	for i, size := 0, max(f.DType.Size(), 1); i+size <= len(f.Const); i += size {
		v := s.small()
		if low > 0 {
			v = v & 0xff % (2 * low)
		}
		for k := range size {
			f.Const[i+k] = byte(v >> (8 * min(k, 7)))
		}
	}
	return f
}

// options returns a node's option struct with all fields chosen.
func (s *source) options(code graph.OpCode) any {
	one, _ := schema.OptionsOf(schema.BuiltinOperator(code))
	if one == fb.BuiltinOptionsNONE || s.below(16) == 1 {
		return nil
	}
	o := schema.DefaultOptions(one).Value
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		s.fill(v.Field(i))
	}
	return o
}

// fill chooses a field of an option struct.
func (s *source) fill(f reflect.Value) {
	switch f.Kind() {
	case reflect.Bool:
		f.SetBool(s.below(2) == 1)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		f.SetInt(int64(s.below(4)))
		if s.below(4) == 0 {
			f.SetInt(int64(s.small()))
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		f.SetUint(uint64(s.byte()))
	case reflect.Float32:
		f.SetFloat([]float64{0, 1, -1, 0.5, 6, -1e30}[s.below(6)])
	case reflect.Slice:
		f.Set(reflect.MakeSlice(f.Type(), s.below(4), 4))
		for k := range f.Len() {
			s.fill(f.Index(k))
		}
	}
}

// call makes a call of an operator.
func (s *source) call(d *op.Def) *op.Call {
	c := &op.Call{Node: &graph.Node{Op: d.Code, Options: s.options(d.Code)}}
	for _, o := range d.Operands.Ins {
		if o.Optional && s.below(2) == 0 {
			c.In = append(c.In, op.Fact{})
			continue
		}
		c.In = append(c.In, s.value(o, c.In))
		for o.Variadic && s.below(3) > 0 && len(c.In) < 6 {
			c.In = append(c.In, s.value(o, c.In))
		}
	}
	for _, o := range d.Operands.Outs {
		n := 1
		if o.Variadic {
			n += s.below(4)
		}
		for range n {
			f := s.value(o, c.In)
			c.Out = append(c.Out, op.Fact{Present: true, DType: f.DType, Quant: f.Quant})
		}
	}
	return c
}

// FuzzRows gives every pure operator operands of any kind: deriving facts, making the
// kernel and running it may fail, never panic.
func FuzzRows(f *testing.F) {
	defs := slices.DeleteFunc(all.Set().All(), func(d *op.Def) bool { return d.Effect != op.Pure })
	for i := range defs {
		f.Add(byte(i), []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		d, s := defs[int(which)%len(defs)], &source{data}
		c := s.call(d)
		if d.Check(c) != nil || d.Facts(c) != nil {
			return
		}
		if d.Version != nil {
			if v := d.Version(c); v < 1 || d.Code != graph.Custom && v > len(d.Since) {
				t.Errorf("%s: version %d of %d", d.Name, v, len(d.Since))
			}
		}
		if small(c) {
			op.Evaluate(d, c)
		}
	})
}

// small reports whether a call can be evaluated, and cheaply.
func small(c *op.Call) bool {
	for i := range c.In {
		if c.In[i].Present && c.In[i].Const == nil {
			return false
		}
	}
	for i := range c.Out {
		n, err := c.Out[i].Shape.Elems()
		if c.Out[i].Unknown || err != nil || n > 1<<16 {
			return false
		}
	}
	return true
}
