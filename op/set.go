package op

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
)

// Set is a set of operators: a value, made from an explicit list. The zero Set is
// empty.
type Set struct {
	builtin map[graph.OpCode]*Def
	custom  map[string]*Def
}

// NewSet joins lists of rows. A code or custom name that occurs twice is a bug of
// the caller's list and panics.
func NewSet(lists ...[]*Def) Set {
	s := Set{map[graph.OpCode]*Def{}, map[string]*Def{}}
	for _, l := range lists {
		for _, d := range l {
			s.add(d)
		}
	}
	return s
}

func (s Set) add(d *Def) {
	if d.Code == graph.Custom {
		if s.custom[d.Name] != nil {
			panic("op: custom operator " + d.Name + " is listed twice")
		}
		s.custom[d.Name] = d
		return
	}
	if s.builtin[d.Code] != nil {
		panic("op: operator " + d.Name + " is listed twice")
	}
	s.builtin[d.Code] = d
}

// With returns a copy of the set in which the given rows are added or replace
// those of the same code or name.
func (s Set) With(defs ...*Def) Set {
	c := Set{maps.Clone(s.builtin), maps.Clone(s.custom)}
	if c.builtin == nil {
		c = NewSet()
	}
	for _, d := range defs {
		if d.Code == graph.Custom {
			c.custom[d.Name] = d
		} else {
			c.builtin[d.Code] = d
		}
	}
	return c
}

// Lookup returns the row of a node's operator.
func (s Set) Lookup(n *graph.Node) (*Def, error) {
	d := s.builtin[n.Op]
	if n.Op == graph.Custom {
		d = s.custom[n.Custom]
	}
	if d == nil {
		return nil, fmt.Errorf("operator %s: %w", NameOf(n), tensor.ErrUnsupported)
	}
	return d, nil
}

// ByCode returns a builtin operator's row, nil if the set has none.
func (s Set) ByCode(c graph.OpCode) *Def { return s.builtin[c] }

// All lists the rows: builtins by code, then custom ones by name.
func (s Set) All() []*Def {
	all := slices.Collect(maps.Values(s.builtin))
	all = slices.AppendSeq(all, maps.Values(s.custom))
	slices.SortFunc(all, func(a, b *Def) int {
		return cmp.Or(cmp.Compare(boolInt(a.Code == graph.Custom), boolInt(b.Code == graph.Custom)),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
