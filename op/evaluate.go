package op

import (
	"fmt"

	"github.com/litequant/litequant/tensor"
)

// Bound limits what evaluating a node may use.
type Bound struct {
	Bytes   int         // of scratch memory; 0 is no limit
	Stopped func() bool // nil never stops
}

// Evaluate is EvaluateWithin without bounds.
func Evaluate(d *Def, c *Call) ([]tensor.Tensor, error) { return EvaluateWithin(Bound{}, d, c) }

// EvaluateWithin runs an operator's reference kernel over known operands; constant
// folding is this and no second evaluator. The call's results must have known
// shapes. Beyond its bounds it fails with tensor.ErrLimit.
func EvaluateWithin(b Bound, d *Def, c *Call) ([]tensor.Tensor, error) {
	k, err := d.Ref(c)
	if err != nil {
		return nil, err
	}
	r := Run{Stopped: b.Stopped, In: make([]tensor.Tensor, len(c.In)), Out: make([]tensor.Tensor, len(c.Out))}
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
		if b.Bytes > 0 && n > b.Bytes {
			return nil, fmt.Errorf("scratch memory of %d bytes, %d are allowed: %w", n, b.Bytes, tensor.ErrLimit)
		}
		r.Temp = tensor.Aligned(n)
	}
	if err = k.Run(&r); err == ErrStopped {
		err = fmt.Errorf("folding takes too long: %w", tensor.ErrLimit)
	}
	return r.Out, err
}

func shapesOf(ts []tensor.Tensor) []tensor.Shape {
	s := make([]tensor.Shape, len(ts))
	for i := range ts {
		s[i] = ts[i].Shape()
	}
	return s
}
