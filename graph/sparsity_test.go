package graph

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/tensor"
)

func list32(v ...int32) Indices { return Indices{32, v} }

// TestDense expands constants written down by hand.
func TestDense(t *testing.T) {
	csr := Level{Sparse: true, Segments: list32(0, 1, 1, 3), Indices: list32(2, 0, 3)}
	for _, c := range []struct {
		name  string
		shape tensor.Shape
		s     Sparsity
		from  []byte
		want  []byte
	}{
		{"rows", tensor.Shape{3, 4}, Sparsity{Order: []int{0, 1}, Levels: []Level{{Size: 3}, csr}}, []byte{7, 8, 9},
			[]byte{0, 0, 7, 0, 0, 0, 0, 0, 8, 0, 0, 9}},
		{"columns", tensor.Shape{4, 3}, Sparsity{Order: []int{1, 0}, Levels: []Level{{Size: 3}, csr}}, []byte{7, 8, 9},
			[]byte{0, 0, 8, 0, 0, 0, 7, 0, 0, 0, 0, 9}},
		{"blocks", tensor.Shape{2, 4}, Sparsity{Order: []int{0, 1, 2}, BlockMap: []int{1}, Levels: []Level{
			{Size: 2}, {Sparse: true, Segments: list32(0, 1, 2), Indices: list32(1, 0)}, {Size: 2},
		}}, []byte{1, 2, 3, 4}, []byte{0, 0, 1, 2, 3, 4, 0, 0}},
		{"nothing", tensor.Shape{2, 2}, Sparsity{Order: []int{0, 1}, Levels: []Level{{Size: 2}, {Sparse: true, Segments: list32(0, 0, 0)}}}, []byte{},
			[]byte{0, 0, 0, 0}},
	} {
		v := Value{DType: tensor.Int8, Shape: c.shape, Sparsity: &c.s, Const: c.from}
		got, err := v.Dense(100)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestDenseRefuses(t *testing.T) {
	rows := func(change func(v *Value)) *Value {
		v := &Value{DType: tensor.Int8, Shape: tensor.Shape{3, 4}, Const: []byte{7, 8, 9}, Sparsity: &Sparsity{
			Order: []int{0, 1}, Levels: []Level{{Size: 3}, {Sparse: true, Segments: list32(0, 1, 1, 3), Indices: list32(2, 0, 3)}},
		}}
		change(v)
		return v
	}
	for name, c := range map[string]struct {
		change func(v *Value)
		err    error
	}{
		"order of one":         {func(v *Value) { v.Sparsity.Order = []int{0} }, tensor.ErrMalformed},
		"order twice the same": {func(v *Value) { v.Sparsity.Order = []int{1, 1} }, tensor.ErrMalformed},
		"order out of range":   {func(v *Value) { v.Sparsity.Order = []int{0, 2} }, tensor.ErrMalformed},
		"other size":           {func(v *Value) { v.Sparsity.Levels[0].Size = 2 }, tensor.ErrMalformed},
		"negative size":        {func(v *Value) { v.Sparsity.Levels[0].Size = -3 }, tensor.ErrMalformed},
		"segments fall":        {func(v *Value) { v.Sparsity.Levels[1].Segments = list32(0, 2, 1, 3) }, tensor.ErrMalformed},
		"too few segments":     {func(v *Value) { v.Sparsity.Levels[1].Segments = list32(0, 3) }, tensor.ErrMalformed},
		"segments too far":     {func(v *Value) { v.Sparsity.Levels[1].Segments = list32(0, 1, 1, 4) }, tensor.ErrMalformed},
		"index too large":      {func(v *Value) { v.Sparsity.Levels[1].Indices = list32(2, 0, 4) }, tensor.ErrMalformed},
		"negative index":       {func(v *Value) { v.Sparsity.Levels[1].Indices = list32(2, -1, 3) }, tensor.ErrMalformed},
		"an element more":      {func(v *Value) { v.Const = append(v.Const, 0) }, tensor.ErrMalformed},
		"no element":           {func(v *Value) { v.Const = []byte{} }, tensor.ErrMalformed},
		"half an element":      {func(v *Value) { v.DType, v.Const = tensor.Int16, make([]byte, 7) }, tensor.ErrMalformed},
		"packed elements":      {func(v *Value) { v.DType = tensor.Int4 }, tensor.ErrUnsupported},
		"strings":              {func(v *Value) { v.DType = tensor.String }, tensor.ErrType},
		"block of dimension 2": {func(v *Value) { v.Sparsity.BlockMap = []int{2} }, tensor.ErrMalformed},
		"too large":            {func(v *Value) { v.Shape = tensor.Shape{3, 1 << 40} }, tensor.ErrLimit},
		"overflow":             {func(v *Value) { v.Shape = tensor.Shape{1 << 40, 1 << 40} }, tensor.ErrLimit},
	} {
		if _, err := rows(c.change).Dense(1 << 20); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

// TestRenumberBlockwise checks that scales stay with the constant they belong to.
func TestRenumberBlockwise(t *testing.T) {
	m := &Model{Subgraphs: []*Subgraph{{
		Values: []Value{{Name: "unused"}, {Name: "scales", Const: []byte{}}, {Name: "w", Const: []byte{}, Blockwise: &Blockwise{4, 1, 4, []int{0, 1}}}, {Name: "y"}, {Name: "zeros", Const: []byte{}}},
		Nodes:  []Node{{Inputs: []ValueID{2}, Outputs: []ValueID{3}}}, Outputs: []ValueID{3},
	}}}
	m.Renumber(0, m.Referenced(0))
	var names []string
	for _, v := range m.Main().Values {
		names = append(names, v.Name)
	}
	if d := cmp.Diff([]string{"w", "scales", "zeros", "y"}, names); d != "" {
		t.Fatal(d)
	}
	if d := cmp.Diff(&Blockwise{4, 1, 2, []int{0, 1}}, m.Main().Values[0].Blockwise); d != "" {
		t.Error(d)
	}
}

// FuzzDense expands what the bytes describe: never a panic, never more than the
// shape's elements.
func FuzzDense(f *testing.F) {
	f.Add([]byte{3, 4, 0, 1, 0, 3, 1, 0, 1, 1, 3, 2, 0, 3}, []byte{7, 8, 9})
	f.Fuzz(func(t *testing.T, how, from []byte) {
		next := func() int {
			if len(how) == 0 {
				return 0
			}
			b := how[0]
			how = how[1:]
			if b > 0xf0 {
				return []int{-1, 1 << 31, 1 << 40, 255}[b%4]
			}
			return int(b)
		}
		v := Value{DType: tensor.Int8, Shape: tensor.Shape{next() % 16, next() % 16}, Const: from}
		s := Sparsity{Order: []int{next(), next()}}
		for range next() % 3 {
			s.BlockMap = append(s.BlockMap, next())
			s.Order = append(s.Order, next())
		}
		for range s.Order {
			l := Level{Sparse: next()%2 == 1, Size: next()}
			for range next() % 8 {
				l.Segments.Values = append(l.Segments.Values, int32(next()))
				l.Indices.Values = append(l.Indices.Values, int32(next()))
			}
			s.Levels = append(s.Levels, l)
		}
		for i := range v.Shape {
			v.Shape[i] = max(v.Shape[i], 0)
		}
		v.Sparsity = &s
		if b, err := v.Dense(1 << 16); err == nil && len(b) != v.Shape[0]*v.Shape[1] {
			t.Errorf("%d bytes of shape %v", len(b), v.Shape)
		}
	})
}
