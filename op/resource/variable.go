package resource

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// VarHandle is VAR_HANDLE: the variable of a name in a container.
var VarHandle = &op.Def{
	Code:     graph.OpCode(schema.VAR_HANDLE),
	Name:     "VAR_HANDLE",
	Operands: op.Operands{}.Out("variable", handleTypes),
	Facts:    varHandleFacts,
	Effect:   op.Resource,
	Version:  version1,
	Since:    []string{"2.6.0"},
	Quant:    untouched,
	Ref: func(c *op.Call) (op.Kernel, error) {
		o, out := *graph.Options[fb.VarHandleOptionsT](c.Node), c.Out[0]
		return op.Kernel{State: newHandle, Run: func(r *op.Run) error {
			putHandle(r, out.DType, out.Shape, r.Host.Resources().ID("variable", o.Container, o.SharedName))
			return nil
		}}, nil
	},
}

// ReadVariable is READ_VARIABLE: the variable's value. It has the declared shape
// where one of known dimensions is declared, else the variable's own.
var ReadVariable = &op.Def{
	Code:     graph.OpCode(schema.READ_VARIABLE),
	Name:     "READ_VARIABLE",
	Operands: op.In("variable", handleTypes).Out("value", valueTypes),
	Facts:    readFacts,
	Effect:   op.Resource,
	Version:  version1,
	Since:    []string{"2.6.0"},
	Quant:    untouched,
	Ref: func(c *op.Call) (op.Kernel, error) {
		out := c.Out[0]
		return op.Kernel{State: func() any { return new(variable) }, Run: func(r *op.Run) error { return read(r, &out) }}, nil
	},
}

// AssignVariable is ASSIGN_VARIABLE: the variable becomes a copy of operand 1, its
// type and shape included.
var AssignVariable = &op.Def{
	Code:     graph.OpCode(schema.ASSIGN_VARIABLE),
	Name:     "ASSIGN_VARIABLE",
	Operands: op.In("variable", handleTypes).In("value", valueTypes),
	Facts:    func(c *op.Call) error { return c.CheckSingle(0) },
	Effect:   op.Resource,
	Version:  version1,
	Since:    []string{"2.6.0"},
	Quant:    untouched,
	Ref: op.Plain(func(r *op.Run) error {
		id, v, err := get[variable](r)
		if err != nil {
			return err
		}
		const own = 256 // about what a variable takes without its value
		if v == nil {
			if err := r.Host.Resources().Grow(own); err != nil {
				return err
			}
			v = new(variable)
			r.Host.Resources().Set(id, v)
		}
		if n := len(r.In[1].Bytes()) - cap(v.data); n > 0 {
			if err := r.Host.Resources().Grow(n); err != nil {
				return err
			}
		}
		v.assign(r.In[1])
		return nil
	}),
}

const (
	handleTypes = op.Res | op.I32
	valueTypes  = op.Any &^ op.Res &^ (1 << tensor.Variant)
)

// variable is a copy of a tensor.
type variable struct {
	value tensor.Tensor
	data  []byte
}

func (v *variable) assign(t tensor.Tensor) {
	if cap(v.data) < len(t.Bytes()) {
		v.data = tensor.Aligned(len(t.Bytes()))
	}
	v.data = v.data[:len(t.Bytes())]
	copy(v.data, t.Bytes())
	v.value = tensor.Raw(t.DType(), t.Shape().Clone(), t.Quant(), v.data)
}

func varHandleFacts(c *op.Call) error {
	if c.Out[0].Unknown {
		c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{}, false
	}
	if n, err := c.Out[0].Shape.Elems(); err != nil || n != 1 {
		return fmt.Errorf("a variable of shape %v, want one element: %w", c.Out[0].Shape, tensor.ErrShape)
	}
	return nil
}

func readFacts(c *op.Call) error {
	if err := c.CheckSingle(0); err != nil {
		return err
	}
	return op.ErrLater
}

func read(r *op.Run, declared *op.Fact) error {
	_, v, err := get[variable](r)
	if err != nil {
		return err
	}
	if v == nil {
		return fmt.Errorf("a variable without a value: %w", tensor.ErrMalformed)
	}
	if v.value.DType() != declared.DType {
		return fmt.Errorf("the variable holds %v, not %v: %w", v.value.DType(), declared.DType, tensor.ErrType)
	}
	own := r.State.(*variable)
	own.assign(v.value)
	r.Out[0] = own.value
	if s := declared.Shape; len(s) > 0 && s.Known() {
		if r.Out[0], err = own.value.Reshaped(s); err != nil {
			return fmt.Errorf("the variable has shape %v: %w", own.value.Shape(), err)
		}
	}
	return nil
}
