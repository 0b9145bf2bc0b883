package recurrent

import (
	"fmt"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// sizes are the dimensions of an LSTM cell.
type sizes struct{ input, aux, cell, output int }

// form is the element types of a cell's operands.
type form struct{ weights, peephole, bias, norm, output, cell tensor.DType }

// formOf returns the types that go with those of the input and of the forget
// gate's weights.
func (l *layout) formOf(c *op.Call) (form, error) {
	in, w := c.In[l.input].DType, c.In[l.weightsOf(forgetGate)].DType
	switch {
	case in == tensor.Float32 && (w == tensor.Float32 || hybrid(w)):
		f := tensor.Float32
		return form{w, w, f, f, f, f}, nil
	case in == tensor.Int8 && w == tensor.Int8:
		return form{w, tensor.Int16, tensor.Int32, tensor.Int16, tensor.Int8, tensor.Int16}, nil
	}
	return form{}, fmt.Errorf("%v input with %v weights: %w", in, w, tensor.ErrUnsupported)
}

// check validates a cell's operands, all but the inputs' shapes, and returns its
// sizes. batch may be unknown (-1).
func (l *layout) check(c *op.Call, batch, input, aux int) (sizes, error) {
	s := sizes{input: input, aux: aux}
	if input < 1 {
		return s, fmt.Errorf("input of size %d: %w", input, tensor.ErrShape)
	}
	w, r := c.In[l.weightsOf(outputGate)].Shape, c.In[l.recurrentOf(outputGate)].Shape
	if len(w) != 2 || len(r) < 1 || len(r) > 2 {
		return s, fmt.Errorf("output gate weights of shapes %v and %v: %w", w, r, tensor.ErrShape)
	}
	s.cell, s.output = w[0], r[len(r)-1]
	if s.cell < 1 || s.output < 1 {
		return s, fmt.Errorf("cell of size %d, output of size %d: %w", s.cell, s.output, tensor.ErrShape)
	}
	f, err := l.formOf(c)
	if err != nil {
		return s, err
	}
	if err := l.checkPresence(c); err != nil {
		return s, err
	}
	if f.output == tensor.Int8 && has(c, l.peepholeOf(outputGate)) && s.output > s.cell {
		return s, fmt.Errorf("int8 peephole with a projection from %d to %d: %w", s.cell, s.output, tensor.ErrUnsupported)
	}
	for g := range gates {
		if err := l.checkGate(c, g, s, f); err != nil {
			return s, fmt.Errorf("%s gate: %w", gateNames[g], err)
		}
	}
	if err := l.checkProjection(c, s, f); err != nil {
		return s, err
	}
	return s, l.checkStates(c, batch, s, f)
}

func (l *layout) checkStates(c *op.Call, batch int, s sizes, f form) error {
	for _, e := range []error{
		checkType(c, l.output, "output state", f.output),
		checkType(c, l.cell, "cell state", f.cell),
		checkState(c, l.output, batch, s.output),
		checkState(c, l.cell, batch, s.cell),
	} {
		if e != nil {
			return e
		}
	}
	for i := range c.Out {
		if c.Out[i].DType != f.output {
			return fmt.Errorf("result of type %v, want %v: %w", c.Out[i].DType, f.output, tensor.ErrType)
		}
	}
	return nil
}

// cifg reports whether the input gate is coupled to the forget gate.
func (l *layout) cifg(c *op.Call) bool { return !c.Has(l.weightsOf(inputGate)) }

// checkPresence fails where only a part of a set of optional operands is there.
func (l *layout) checkPresence(c *op.Call) error {
	cifg := l.cifg(c)
	for _, set := range []struct {
		name string
		of   func(gate int) int
		// required: the other gates' are there always; together: all or none.
		required, together bool
	}{
		{"weights", l.weightsOf, true, false},
		{"recurrent weights", l.recurrentOf, true, false},
		{"bias", l.biasOf, true, false},
		{"peephole weights", l.peepholeOf, false, true},
		{"layer normalization", l.normOf, false, true},
		{"auxiliary weights", l.auxOf, false, true},
	} {
		there := set.required || has(c, set.of(forgetGate))
		for g := range gates {
			i := set.of(g)
			want := there && !(g == inputGate && cifg)
			if i >= 0 && has(c, i) != want {
				return fmt.Errorf("%s gate: operand %d (%s) is there or missing alone: %w", gateNames[g], i, set.name, tensor.ErrMalformed)
			}
		}
	}
	if has(c, l.projectionBias) && !has(c, l.projection) {
		return fmt.Errorf("projection bias without projection: %w", tensor.ErrMalformed)
	}
	return nil
}

// checkGate validates the operands of a gate that are there.
func (l *layout) checkGate(c *op.Call, g int, s sizes, f form) error {
	recurrent, recurrentType := []int{s.cell, s.output}, f.weights
	if i := l.recurrentOf(g); c.Has(i) && len(c.In[i].Shape) == 1 {
		recurrent, recurrentType = []int{s.cell}, tensor.Float32
		if s.cell != s.output || c.In[l.input].DType != tensor.Float32 {
			return fmt.Errorf("diagonal recurrent weights: %w", tensor.ErrUnsupported)
		}
	}
	for _, x := range []struct {
		operand int
		name    string
		dtype   tensor.DType
		shape   []int
	}{
		{l.weightsOf(g), "weights", f.weights, []int{s.cell, s.input}},
		{l.recurrentOf(g), "recurrent weights", recurrentType, recurrent},
		{l.peepholeOf(g), "peephole weights", f.peephole, []int{s.cell}},
		{l.biasOf(g), "bias", f.bias, []int{s.cell}},
		{l.normOf(g), "layer normalization", f.norm, []int{s.cell}},
		{l.auxOf(g), "auxiliary weights", f.weights, []int{s.cell, s.aux}},
	} {
		if !has(c, x.operand) {
			continue
		}
		if err := checkType(c, x.operand, x.name, x.dtype); err != nil {
			return err
		}
		if err := checkShape(c, x.operand, x.name, x.shape...); err != nil {
			return err
		}
	}
	return nil
}

func (l *layout) checkProjection(c *op.Call, s sizes, f form) error {
	if !has(c, l.projection) {
		if s.cell != s.output {
			return fmt.Errorf("cell of size %d, output of size %d and no projection: %w", s.cell, s.output, tensor.ErrShape)
		}
		return nil
	}
	if err := checkType(c, l.projection, "projection", f.weights); err != nil {
		return err
	}
	if err := checkShape(c, l.projection, "projection", s.output, s.cell); err != nil {
		return err
	}
	if !has(c, l.projectionBias) {
		return nil
	}
	if err := checkType(c, l.projectionBias, "projection bias", f.bias); err != nil {
		return err
	}
	return checkShape(c, l.projectionBias, "projection bias", s.output)
}
