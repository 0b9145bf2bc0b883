package engine

import (
	"errors"
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// shapeLate shapes and allocates the results of a step whose operands had to be
// computed first.
func (r *Runner) shapeLate(i int) error {
	st := &r.sub.steps[i]
	n := &r.sub.graph.Nodes[st.node]
	c := &op.Call{Node: n, In: make([]op.Fact, len(n.Inputs)), Out: make([]op.Fact, len(n.Outputs))}
	for k, v := range n.Inputs {
		if v != graph.None {
			t := r.tensors[v]
			c.In[k] = r.plan.facts[v]
			c.In[k].DType, c.In[k].Shape, c.In[k].Unknown, c.In[k].Quant = t.DType(), t.Shape(), false, t.Quant()
			if c.In[k].Const = t.Bytes(); c.In[k].Const == nil {
				c.In[k].Const = []byte{} // no elements, but known
			}
		}
	}
	for k, v := range n.Outputs {
		if v != graph.None {
			c.Out[k] = r.sub.resultFact(v)
		}
	}
	err := st.def.Facts(c)
	own := errors.Is(err, op.ErrLater) // the kernel makes its results
	if err != nil && !own {
		return err
	}
	if own {
		c.Out = make([]op.Fact, len(c.Out))
	}
	return r.allocateLate(i, c)
}

// allocateLate makes room for the results of a step and its scratch memory.
func (r *Runner) allocateLate(i int, c *op.Call) error {
	held := 0
	for k, v := range c.Node.Outputs {
		if v == graph.None {
			continue
		}
		f := &c.Out[k]
		if r.tensors[v] = tensor.Raw(f.DType, f.Shape, f.Quant, nil); !f.Present {
			r.tensors[v] = tensor.Tensor{} // the kernel makes it
			continue
		}
		n, err := r.lateBytes(c, f)
		if err != nil {
			return fmt.Errorf("result %d: %w", k, err)
		}
		held += n
	}
	run := &r.runs[i]
	run.In, run.Out = r.gather(c.Node.Inputs), r.gather(c.Node.Outputs)
	temp := 0
	if mk := r.sub.steps[i].kernel.Temp; mk != nil {
		var err error
		if temp, err = mk(shapesOf(run.In), shapesOf(run.Out)); err != nil {
			return err
		}
	}
	if err := r.usage.hold(&r.late[i], held+temp); err != nil {
		return err
	}
	run.Temp = tensor.Aligned(temp)
	for k, v := range c.Node.Outputs {
		if f := &c.Out[k]; v != graph.None && f.Present && f.DType.Bits() != 0 {
			t, err := tensor.Zeros(f.DType, f.Shape)
			if err != nil {
				return err
			}
			r.tensors[v] = t.WithQuant(f.Quant)
			run.Out[k] = r.tensors[v]
		}
	}
	return nil
}

// lateBytes is the size of a result, for strings at most.
func (r *Runner) lateBytes(c *op.Call, f *op.Fact) (int, error) {
	if err := within(r.usage.limits.Bytes, f); err != nil || f.DType.Bits() != 0 {
		n, _ := f.Shape.Bytes(f.DType) // within has tested it
		return n, err
	}
	n, err := f.Shape.Elems()
	if err != nil || f.DType != tensor.String {
		return 0, err
	}
	longest := 0
	for k := range c.In {
		if c.In[k].Present && c.In[k].DType == tensor.String {
			list, err := c.In[k].Tensor().Strings()
			if err != nil {
				return 0, fmt.Errorf("operand %d: %w", k, err)
			}
			for _, s := range list {
				longest = max(longest, len(s))
			}
		}
	}
	const view = 24 // a slice's
	if most := r.usage.limits.Bytes / (longest + view); n > most {
		return 0, fmt.Errorf("%d strings of up to %d bytes: %w", n, longest, tensor.ErrLimit)
	}
	return 0, nil
}
