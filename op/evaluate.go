package op

import "github.com/litequant/litequant/tensor"

// Evaluate runs an operator's reference kernel over known operands; constant
// folding is this and no second evaluator. The call's results must have known
// shapes.
func Evaluate(d *Def, c *Call) ([]tensor.Tensor, error) {
	k, err := d.Ref(c)
	if err != nil {
		return nil, err
	}
	r := Run{In: make([]tensor.Tensor, len(c.In)), Out: make([]tensor.Tensor, len(c.Out))}
	for i := range c.In {
		if c.In[i].Present {
			r.In[i] = c.In[i].Tensor()
		}
	}
	for i := range c.Out {
		if c.Out[i].DType.Bits() == 0 { // the kernel makes it
			r.Out[i] = tensor.Raw(c.Out[i].DType, c.Out[i].Shape, c.Out[i].Quant, nil)
			continue
		}
		t, err := tensor.Zeros(c.Out[i].DType, c.Out[i].Shape)
		if err != nil {
			return nil, err
		}
		r.Out[i] = t.WithQuant(c.Out[i].Quant)
	}
	if k.State != nil {
		r.State = k.State()
	}
	if k.Temp != nil {
		n, err := k.Temp(shapesOf(r.In), shapesOf(r.Out))
		if err != nil {
			return nil, err
		}
		r.Temp = tensor.Aligned(n)
	}
	err = k.Run(&r)
	return r.Out, err
}

func shapesOf(ts []tensor.Tensor) []tensor.Shape {
	s := make([]tensor.Shape, len(ts))
	for i := range ts {
		s[i] = ts[i].Shape()
	}
	return s
}
