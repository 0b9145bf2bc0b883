package recurrent

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const (
	f32 = tensor.Float32
	i8  = tensor.Int8
	u8  = tensor.UInt8
	i16 = tensor.Int16
	i32 = tensor.Int32
)

func fact(d tensor.DType, s ...int) op.Fact {
	f := op.Fact{Present: true, DType: d, Shape: s}
	if d != f32 {
		f.Quant = tensor.PerTensor(1.0/2048, 0)
	}
	return f
}

func state(d tensor.DType, s ...int) op.Fact {
	f := fact(d, s...)
	f.Variable = true
	return f
}

// cellCall is a valid call of the full layout: batch 2, input 3, cell 5, output 4.
func cellCall(input op.Fact, o any) *op.Call {
	w, p, b, n, s, c := f32, f32, f32, f32, f32, f32
	if input.DType == i8 {
		w, p, b, n, s, c = i8, i16, i32, i16, i8, i16
	}
	in := []op.Fact{input}
	for range gates {
		in = append(in, fact(w, 5, 3))
	}
	for range gates {
		in = append(in, fact(w, 5, 4))
	}
	in = append(in, fact(p, 5), fact(p, 5), fact(p, 5))
	for range gates {
		in = append(in, fact(b, 5))
	}
	in = append(in, fact(w, 4, 5), fact(b, 4), state(s, 2, 4), state(c, 2, 5))
	for range gates {
		in = append(in, fact(n, 5))
	}
	call := &op.Call{Node: &graph.Node{Options: o}, In: in, Out: []op.Fact{fact(s)}}
	for range 5 {
		call.Intermediates = append(call.Intermediates, fact(i8, 0))
	}
	return call
}

func sequenceCall(d tensor.DType) *op.Call {
	return cellCall(fact(d, 7, 2, 3), &fb.UnidirectionalSequenceLSTMOptionsT{TimeMajor: true})
}

func lstmCall(d tensor.DType) *op.Call { return cellCall(fact(d, 2, 3), &fb.LSTMOptionsT{}) }

func int8GatesCall() *op.Call {
	c := lstmCall(i8)
	c.Node.Op = LSTM.Code
	c.In[full.cell].Quant = tensor.PerTensor(1.0/32768, 0)
	for len(c.Intermediates) < 12 {
		c.Intermediates = append(c.Intermediates, fact(i8, 0))
	}
	return c
}

func basicCall(d tensor.DType) *op.Call {
	b, s := f32, f32
	if d == u8 {
		b, s = i32, i16
	}
	return &op.Call{
		Node: &graph.Node{Options: &fb.LSTMOptionsT{KernelType: fb.LSTMKernelTypeBASIC}},
		In:   []op.Fact{fact(d, 2, 3), state(d, 2, 4), fact(d, 16, 7), fact(b, 16), state(s, 2, 4)},
		Out:  []op.Fact{fact(d), fact(s), fact(d), fact(s)},
	}
}

func bidirectionalCall(w tensor.DType, merge bool) *op.Call {
	in := []op.Fact{fact(f32, 7, 2, 3)}
	for range 2 {
		c := lstmCall(f32).In[1:18]
		for i := range c {
			if d := c[i].Shape; len(d) == 2 || i >= 8 && i < 11 {
				c[i] = fact(w, d...)
			}
		}
		in = append(in, c...)
	}
	in = append(in, state(f32, 2, 4), state(f32, 2, 5), state(f32, 2, 4), state(f32, 2, 5), fact(f32, 7, 2, 6))
	for range 8 {
		in = append(in, fact(w, 5, 6))
	}
	o := &fb.BidirectionalSequenceLSTMOptionsT{TimeMajor: true, MergeOutputs: merge, AsymmetricQuantizeInputs: merge}
	return &op.Call{Node: &graph.Node{Options: o}, In: in, Out: results(merge)}
}

func results(merge bool) []op.Fact {
	if merge {
		return []op.Fact{fact(f32)}
	}
	return []op.Fact{fact(f32), fact(f32)}
}

func plainOperands(w tensor.DType) []op.Fact {
	return []op.Fact{fact(w, 5, 3), fact(w, 5, 5), fact(f32, 5), state(f32, 2, 5)}
}

func rnnCall(w tensor.DType) *op.Call {
	return &op.Call{
		Node: &graph.Node{Options: &fb.RNNOptionsT{}},
		In:   append([]op.Fact{fact(f32, 2, 3)}, plainOperands(w)...), Out: results(true),
	}
}

func sequenceRNNCall(w tensor.DType) *op.Call {
	c := rnnCall(w)
	c.Node.Options = &fb.SequenceRNNOptionsT{}
	c.In[0] = fact(f32, 2, 7, 3)
	return c
}

func bidirectionalRNNCall(w tensor.DType, merge bool) *op.Call {
	in := append([]op.Fact{fact(f32, 7, 2, 3)}, plainOperands(w)...)
	in = append(append(in, plainOperands(w)...), fact(f32, 7, 2, 6), fact(w, 5, 6), fact(w, 5, 6))
	o := &fb.BidirectionalSequenceRNNOptionsT{TimeMajor: true, MergeOutputs: merge}
	return &op.Call{Node: &graph.Node{Options: o}, In: in, Out: results(merge)}
}

func svdfCall(d, w tensor.DType) *op.Call {
	t, b, s := w, f32, f32
	if d == i8 {
		t, b, s = i16, i32, i16
	}
	return &op.Call{
		Node: &graph.Node{Options: &fb.SVDFOptionsT{Rank: 2, FusedActivationFunction: fb.ActivationFunctionTypeRELU}},
		In:   []op.Fact{fact(d, 2, 3), fact(w, 10, 3), fact(t, 10, 4), fact(b, 5), state(s, 2, 40)},
		Out:  []op.Fact{fact(d)},
	}
}

// valid are calls of every kernel, one of which each test changes.
var valid = []struct {
	name string
	def  *op.Def
	call func() *op.Call
	out  tensor.Shape
}{
	{"sequence", UnidirectionalSequenceLSTM, func() *op.Call { return sequenceCall(f32) }, tensor.Shape{7, 2, 4}},
	{"sequence int8", UnidirectionalSequenceLSTM, func() *op.Call { return sequenceCall(i8) }, tensor.Shape{7, 2, 4}},
	{"LSTM", LSTM, func() *op.Call { return lstmCall(f32) }, tensor.Shape{2, 4}},
	{"LSTM int8", LSTM, func() *op.Call { return lstmCall(i8) }, tensor.Shape{2, 4}},
	{"LSTM int8 gates", LSTM, int8GatesCall, tensor.Shape{2, 4}},
	{"basic", LSTM, func() *op.Call { return basicCall(f32) }, tensor.Shape{2, 4}},
	{"basic uint8", LSTM, func() *op.Call { return basicCall(u8) }, tensor.Shape{2, 4}},
	{"bidirectional", BidirectionalSequenceLSTM, func() *op.Call { return bidirectionalCall(f32, false) }, tensor.Shape{7, 2, 4}},
	{"bidirectional hybrid", BidirectionalSequenceLSTM, func() *op.Call { return bidirectionalCall(i8, true) }, tensor.Shape{7, 2, 8}},
	{"RNN", RNN, func() *op.Call { return rnnCall(f32) }, tensor.Shape{2, 5}},
	{"RNN sequence", UnidirectionalSequenceRNN, func() *op.Call { return sequenceRNNCall(i8) }, tensor.Shape{2, 7, 5}},
	{"RNN bidirectional", BidirectionalSequenceRNN, func() *op.Call { return bidirectionalRNNCall(f32, false) }, tensor.Shape{7, 2, 5}},
	{"RNN bidirectional hybrid", BidirectionalSequenceRNN, func() *op.Call { return bidirectionalRNNCall(u8, true) }, tensor.Shape{7, 2, 10}},
	{"SVDF", SVDF, func() *op.Call { return svdfCall(f32, f32) }, tensor.Shape{2, 5}},
	{"SVDF hybrid", SVDF, func() *op.Call { return svdfCall(f32, i8) }, tensor.Shape{2, 5}},
	{"SVDF int8", SVDF, func() *op.Call { return svdfCall(i8, i8) }, tensor.Shape{2, 5}},
}

func TestValid(t *testing.T) {
	for _, v := range valid {
		t.Run(v.name, func(t *testing.T) {
			c := v.call()
			if err := run(v.def, c); err != nil {
				t.Fatal(err)
			}
			if !c.Out[0].Shape.Equal(v.out) {
				t.Errorf("result of shape %v, want %v", c.Out[0].Shape, v.out)
			}
		})
	}
}

// run takes a call through all a row does.
func run(d *op.Def, c *op.Call) error {
	if err := d.Check(c); err != nil {
		return err
	}
	if err := d.Facts(c); err != nil {
		return err
	}
	k, err := d.Ref(c)
	if err != nil {
		return err
	}
	r := op.Run{In: make([]tensor.Tensor, len(c.In)), Out: make([]tensor.Tensor, len(c.Out))}
	var in, out []tensor.Shape
	for i := range c.In {
		if c.In[i].Present {
			if r.In[i], err = memoryOf(&c.In[i]); err != nil {
				return err
			}
		}
		in = append(in, c.In[i].Shape)
	}
	for i := range c.Out {
		if r.Out[i], err = memoryOf(&c.Out[i]); err != nil {
			return err
		}
		out = append(out, c.Out[i].Shape)
	}
	if k.Temp != nil {
		n, err := k.Temp(in, out)
		if err != nil {
			return err
		}
		r.Temp = tensor.Aligned(n)
	}
	return k.Run(&r)
}

// memoryOf allocates an operand filled with some pattern.
func memoryOf(f *op.Fact) (tensor.Tensor, error) {
	n, err := f.Shape.Bytes(f.DType)
	if err != nil {
		return tensor.Tensor{}, err
	}
	if n > 1<<20 {
		return tensor.Tensor{}, tensor.ErrLimit
	}
	b := tensor.Aligned(n)
	for i := range b {
		b[i] = byte(i*37 + 11)
	}
	return tensor.Raw(f.DType, f.Shape, f.Quant, b), nil
}

func TestErrors(t *testing.T) {
	at := func(i int, f op.Fact) func(c *op.Call) { return func(c *op.Call) { c.In[i] = f } }
	for _, x := range []struct {
		name   string
		valid  string
		change func(c *op.Call)
		want   error
	}{
		{"23 operands", "sequence", func(c *op.Call) { c.In = c.In[:23] }, tensor.ErrMalformed},
		{"rank 2", "sequence", at(0, fact(f32, 2, 3)), tensor.ErrShape},
		{"rank 3", "LSTM", at(0, fact(f32, 7, 2, 3)), tensor.ErrShape},
		{"no input", "LSTM", at(0, fact(f32, 2, 0)), tensor.ErrShape},
		{"other input size", "sequence", at(0, fact(f32, 7, 2, 6)), tensor.ErrShape},
		{"other batch", "sequence", at(0, fact(f32, 7, 3, 3)), tensor.ErrShape},
		{"negative clip", "sequence", func(c *op.Call) {
			c.Node.Options.(*fb.UnidirectionalSequenceLSTMOptionsT).CellClip = -1
		}, tensor.ErrMalformed},
		{"mixed weights", "sequence", at(6, fact(i8, 5, 4)), tensor.ErrType},
		{"int8 with float weights", "sequence int8", func(c *op.Call) {
			for i := 1; i < 5; i++ {
				c.In[i] = fact(f32, 5, 3)
			}
		}, tensor.ErrUnsupported},
		{"half a peephole", "sequence", at(10, op.Fact{}), tensor.ErrMalformed},
		{"half of CIFG", "sequence", at(1, op.Fact{}), tensor.ErrMalformed},
		{"half a normalization", "sequence", at(22, op.Fact{}), tensor.ErrMalformed},
		{"bias without projection", "sequence", at(16, op.Fact{}), tensor.ErrMalformed},
		{"no projection but another size", "sequence", func(c *op.Call) { c.In[16], c.In[17] = op.Fact{}, op.Fact{} }, tensor.ErrShape},
		{"diagonal under projection", "sequence", at(6, fact(f32, 5)), tensor.ErrUnsupported},
		{"state is no variable", "sequence", at(18, fact(f32, 2, 4)), tensor.ErrMalformed},
		{"state of another size", "sequence", at(19, state(f32, 2, 4)), tensor.ErrShape},
		{"state of another type", "sequence int8", at(19, state(i8, 2, 5)), tensor.ErrUnsupported},
		{"constant state", "sequence", func(c *op.Call) { c.In[18].Const = make([]byte, 32) }, tensor.ErrMalformed},
		{"other result", "sequence int8", func(c *op.Call) { c.Out[0] = fact(f32) }, tensor.ErrType},
		{"per-channel weights", "bidirectional hybrid", func(c *op.Call) {
			c.In[3].Quant = tensor.Quant{Scales: make([]float32, 5), ZeroPoints: make([]int64, 5)}
		}, tensor.ErrMalformed},
		{"no intermediates", "sequence int8", func(c *op.Call) { c.Intermediates = nil }, tensor.ErrMalformed},
		{"hidden state without scale", "sequence int8", func(c *op.Call) { c.Intermediates[4] = op.Fact{} }, tensor.ErrMalformed},
		{"cell scale", "sequence int8", func(c *op.Call) { c.In[19].Quant = tensor.PerTensor(4, 0) }, tensor.ErrUnsupported},
		{"cell scale of int8 gates", "LSTM int8 gates", func(c *op.Call) { c.In[19].Quant = tensor.PerTensor(1.0/2048, 0) }, tensor.ErrUnsupported},
		{"int8 gates without normalization", "LSTM int8 gates", func(c *op.Call) {
			c.In = c.In[:20]
		}, tensor.ErrUnsupported},
		{"basic with a result too few", "basic", func(c *op.Call) { c.Out = c.Out[:3] }, tensor.ErrMalformed},
		{"basic weights", "basic", at(2, fact(f32, 16, 6)), tensor.ErrShape},
		{"basic state scale", "basic uint8", func(c *op.Call) { c.Out[1].Quant = tensor.PerTensor(1.0/1024, 0) }, tensor.ErrUnsupported},
		{"basic batches", "basic", at(1, state(f32, 3, 4)), tensor.ErrShape},
		{"47 operands", "bidirectional", func(c *op.Call) { c.In = c.In[:47] }, tensor.ErrMalformed},
		{"results", "bidirectional", func(c *op.Call) { c.Out = c.Out[:1] }, tensor.ErrMalformed},
		{"weights of no auxiliary input", "bidirectional", at(39, op.Fact{}), tensor.ErrMalformed},
		{"auxiliary batch", "bidirectional", at(39, fact(f32, 7, 1, 6)), tensor.ErrShape},
		{"auxiliary weights", "RNN bidirectional", at(11, fact(f32, 5, 3)), tensor.ErrShape},
		{"one auxiliary weight", "RNN bidirectional", at(11, op.Fact{}), tensor.ErrMalformed},
		{"recurrent weights", "RNN", at(2, fact(f32, 5, 4)), tensor.ErrShape},
		{"recurrent type", "RNN", at(2, fact(i8, 5, 5)), tensor.ErrType},
		{"rank of SVDF", "SVDF", func(c *op.Call) { c.Node.Options.(*fb.SVDFOptionsT).Rank = 3 }, tensor.ErrMalformed},
		{"no options of SVDF", "SVDF", func(c *op.Call) { c.Node.Options = nil }, tensor.ErrMalformed},
		{"memory of SVDF", "SVDF", at(4, state(f32, 2, 39)), tensor.ErrShape},
		{"activation of int8 SVDF", "SVDF int8", func(c *op.Call) {
			c.Node.Options.(*fb.SVDFOptionsT).FusedActivationFunction = fb.ActivationFunctionTypeNONE
		}, tensor.ErrUnsupported},
		{"int8 time weights under int8", "SVDF int8", at(2, fact(i8, 10, 4)), tensor.ErrType},
	} {
		t.Run(x.name, func(t *testing.T) {
			found := false
			for _, v := range valid {
				if v.name != x.valid {
					continue
				}
				found = true
				c := v.call()
				x.change(c)
				if err := run(v.def, c); !errors.Is(err, x.want) {
					t.Errorf("error %v, want %v", err, x.want)
				}
			}
			if !found {
				t.Fatalf("no call %q", x.valid)
			}
		})
	}
}

// TestChanged changes operands at random: a row refuses a call or its kernel runs.
func TestChanged(t *testing.T) {
	types := []tensor.DType{f32, i8, u8, i16, i32}
	rapid.Check(t, func(t *rapid.T) {
		v := valid[rapid.IntRange(0, len(valid)-1).Draw(t, "call")]
		c := v.call()
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			i := rapid.IntRange(0, len(c.In)-1).Draw(t, "operand")
			f := &c.In[i]
			switch rapid.IntRange(0, 6).Draw(t, "change") {
			case 0:
				*f = op.Fact{}
			case 1:
				f.DType = rapid.SampledFrom(types).Draw(t, "type")
			case 2:
				f.Shape = rapid.SliceOfN(rapid.IntRange(-1, 6), 0, 4).Draw(t, "shape")
			case 3:
				if n := len(f.Shape); n > 0 {
					f.Shape = f.Shape.Clone()
					f.Shape[rapid.IntRange(0, n-1).Draw(t, "axis")] = rapid.IntRange(0, 1<<40).Draw(t, "size")
				}
			case 4:
				f.Quant = tensor.PerTensor(rapid.Float32().Draw(t, "scale"), rapid.Int64Range(-200, 200).Draw(t, "zero"))
			case 5:
				f.Unknown = true
			case 6:
				c.In = c.In[:i]
				if i == 0 {
					return
				}
			}
		}
		_ = run(v.def, c)
	})
}

func TestStops(t *testing.T) {
	c := sequenceCall(f32)
	if err := UnidirectionalSequenceLSTM.Facts(c); err != nil {
		t.Fatal(err)
	}
	k, err := UnidirectionalSequenceLSTM.Ref(c)
	if err != nil {
		t.Fatal(err)
	}
	r := op.Run{Stopped: func() bool { return true }, Temp: tensor.Aligned(1 << 12)}
	for i := range c.In {
		x, err := memoryOf(&c.In[i])
		if err != nil {
			t.Fatal(err)
		}
		r.In = append(r.In, x)
	}
	x, err := memoryOf(&c.Out[0])
	if err != nil {
		t.Fatal(err)
	}
	r.Out = []tensor.Tensor{x}
	if err := k.Run(&r); err != op.ErrStopped {
		t.Errorf("error %v, want ErrStopped", err)
	}
}

// TestRules checks the rules that depend on a node's operands.
func TestRules(t *testing.T) {
	node := func(present ...int) *graph.Node {
		n := &graph.Node{Inputs: make([]graph.ValueID, 24), Options: &fb.LSTMOptionsT{}}
		for i := range n.Inputs {
			n.Inputs[i] = graph.None
		}
		for _, i := range present {
			n.Inputs[i] = 1
		}
		return n
	}
	for _, d := range []*op.Def{UnidirectionalSequenceLSTM, LSTM} {
		plain, norm, projected := d.Quant.Of(node()), d.Quant.Of(node(21)), d.Quant.Of(node(16))
		if r := plain.InRule(13); r.Kind != op.Bias || len(r.Of) != 2 || r.Of[0] != 0 || r.Of[1] != 2 {
			t.Errorf("%s: bias of the forget gate: %+v", d.Name, r)
		}
		if r := norm.InRule(13); len(r.Of) != 1 || r.Of[0] != 21 || r.Factor != 1.0/1024 {
			t.Errorf("%s: bias under normalization: %+v", d.Name, r)
		}
		if a, b := plain.Intermediates[4].Kind, projected.Intermediates[4].Kind; a != op.StateOf || b != op.Free {
			t.Errorf("%s: hidden state %v without and %v with projection", d.Name, a, b)
		}
		if _, ok := plain.For16(); ok {
			t.Errorf("%s has a 16x8 form", d.Name)
		}
	}
	basic := node()
	basic.Options = &fb.LSTMOptionsT{KernelType: fb.LSTMKernelTypeBASIC}
	if !LSTM.Quant.Of(basic).None {
		t.Error("the BASIC kernel is quantized")
	}
}
