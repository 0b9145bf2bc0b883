package op

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/tensor"
)

// Shape returns operand i's shape, in which dimensions may be unknown; ErrLater if
// not even its rank is known.
func (c *Call) Shape(i int) (tensor.Shape, error) {
	if c.In[i].Unknown {
		return nil, ErrLater
	}
	return c.In[i].Shape, nil
}

// Number returns the value of integer operand i, which has one element; ErrLater
// if it is not known yet.
func (c *Call) Number(i int) (int, error) {
	v, err := c.Ints(i)
	if err != nil {
		return 0, err
	}
	if len(v) != 1 {
		return 0, fmt.Errorf("operand %d has %d elements, want 1: %w", i, len(v), tensor.ErrShape)
	}
	return v[0], nil
}

// SetResult declares result k.
func (c *Call) SetResult(k int, d tensor.DType, s tensor.Shape) {
	c.Out[k].DType, c.Out[k].Shape, c.Out[k].Unknown = d, s, false
}

// CheckSingle fails unless operand i may have exactly one element.
func (c *Call) CheckSingle(i int) error {
	s := c.In[i].Shape
	if c.In[i].Unknown || !s.Known() {
		return nil
	}
	if n, err := s.Elems(); err != nil || n != 1 {
		return fmt.Errorf("operand %d has shape %v, want one element: %w", i, s, tensor.ErrShape)
	}
	return nil
}

// Compatible reports whether two shapes may be the same, an unknown dimension
// being any.
func Compatible(a, b tensor.Shape) bool {
	return slices.EqualFunc(a, b, func(x, y int) bool { return x == y || x < 0 || y < 0 })
}
