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
		o := graph.Options[fb.VarHandleOptionsT](c.Node)
		return op.Kernel{Run: func(r *op.Run) error {
			putHandle(r, r.Host.Resources().ID("variable", o.Container, o.SharedName))
			return nil
		}}, nil
	},
}

// ReadVariable is READ_VARIABLE: the variable's value. It has the declared shape,
// with as many of the variable's elements as that takes and 1 for what may vary; the
// variable's own shape where a scalar is declared.
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
		declared := c.Out[0]
		return op.Kernel{State: func() any { return new([]byte) }, Run: func(r *op.Run) error { return read(r, &declared) }}, nil
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
	v.data = tensor.Overwrite(v.data, t.Bytes())
	shape := v.value.Shape()
	if !shape.Equal(t.Shape()) {
		shape = t.Shape().Clone()
	}
	v.value = tensor.Raw(t.DType(), shape, t.Quant(), v.data)
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
	if !placed(&c.Out[0]) {
		return op.ErrLater
	}
	c.Out[0].Shape = fixed(c.Out[0].Shape)
	return nil
}

// placed reports whether the declaration says what shape a variable is read in.
func placed(f *op.Fact) bool { return !f.Unknown && len(f.Shape) > 0 && f.DType != tensor.String }

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
	if out := r.Out[0]; placed(declared) {
		if len(out.Bytes()) > len(v.data) {
			return fmt.Errorf("the variable has shape %v, not %v: %w", v.value.Shape(), out.Shape(), tensor.ErrShape)
		}
		copy(out.Bytes(), v.data)
		return nil
	}
	own := r.State.(*[]byte)
	*own = tensor.Overwrite(*own, v.data)
	r.Out[0] = tensor.Raw(declared.DType, v.value.Shape(), declared.Quant, *own)
	return nil
}

// fixed is the shape with 1 for dimensions that may vary.
func fixed(s tensor.Shape) tensor.Shape {
	s = s.Clone()
	for i := range s {
		if s[i] < 0 {
			s[i] = 1
		}
	}
	return s
}
