package lower

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// attr returns an attribute, nil if it is absent: the caller's default then
// holds.
func (c *call) attr(name string) *pb.AttrValue {
	a := c.n.Attrs[name]
	if a.GetPlaceholder() != "" {
		c.fail("attribute %s is not bound: %w", name, tensor.ErrMalformed)
		return nil
	}
	return a
}

func (c *call) wrong(name string, a *pb.AttrValue) {
	c.fail("attribute %s holds %.40s: %w", name, fmt.Sprint(a), tensor.ErrMalformed)
}

func (c *call) intAttr(name string, absent int) int {
	a := c.attr(name)
	if a == nil {
		return absent
	}
	i, ok := a.Value.(*pb.AttrValue_I)
	if !ok {
		c.wrong(name, a)
		return absent
	}
	return int(i.I)
}

func (c *call) boolAttr(name string) bool {
	a := c.attr(name)
	if a == nil {
		return false
	}
	if _, ok := a.Value.(*pb.AttrValue_B); !ok {
		c.wrong(name, a)
	}
	return a.GetB()
}

func (c *call) floatAttr(name string, absent float32) float32 {
	a := c.attr(name)
	if a == nil {
		return absent
	}
	f, ok := a.Value.(*pb.AttrValue_F)
	if !ok {
		c.wrong(name, a)
		return absent
	}
	return f.F
}

func (c *call) stringAttr(name, absent string) string {
	a := c.attr(name)
	if a == nil {
		return absent
	}
	s, ok := a.Value.(*pb.AttrValue_S)
	if !ok {
		c.wrong(name, a)
		return absent
	}
	return string(s.S)
}

func (c *call) typeAttr(name string, absent tensor.DType) tensor.DType {
	a := c.attr(name)
	if a == nil {
		return absent
	}
	d, err := savedmodel.DTypeOf(a.GetType())
	if err != nil {
		c.fail("attribute %s: %w", name, err)
	}
	return d
}

// intsAttr returns a list of integers, nil if it is absent.
func (c *call) intsAttr(name string) []int {
	var out []int
	for _, i := range c.attr(name).GetList().GetI() {
		out = append(out, int(i))
	}
	return out
}

// refine declares what the file says about results' shapes where they could not
// be derived.
func (c *call) refine() {
	for k, p := range c.attr("_output_shapes").GetList().GetShape() {
		if k >= len(c.out) || c.out[k] == graph.None || p.GetUnknownRank() {
			continue
		}
		v := c.b.sub.Value(c.out[k])
		s := make(tensor.Shape, len(p.GetDim()))
		if !v.Unranked {
			copy(s, v.Partial())
		}
		if v.IsConst() || !v.Unranked && len(v.Partial()) != len(s) || v.Shape.Known() && !v.Unranked && v.Signature == nil {
			continue
		}
		for i, d := range p.GetDim() {
			if n := d.GetSize(); n >= -1 && n <= math.MaxInt32 && (v.Unranked || s[i] < 0) {
				s[i] = int(n)
			}
		}
		v.Unranked = false
		v.SetPartial(s)
	}
}
