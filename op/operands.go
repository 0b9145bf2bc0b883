package op

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// Types is a set of element types.
type Types uint32

const (
	F32  Types = 1 << tensor.Float32
	F16  Types = 1 << tensor.Float16
	BF16 Types = 1 << tensor.BFloat16
	F64  Types = 1 << tensor.Float64
	I8   Types = 1 << tensor.Int8
	U8   Types = 1 << tensor.UInt8
	I16  Types = 1 << tensor.Int16
	U16  Types = 1 << tensor.UInt16
	I32  Types = 1 << tensor.Int32
	U32  Types = 1 << tensor.UInt32
	I64  Types = 1 << tensor.Int64
	U64  Types = 1 << tensor.UInt64
	B    Types = 1 << tensor.Bool
	I4   Types = 1 << tensor.Int4
	I2   Types = 1 << tensor.Int2
	U4   Types = 1 << tensor.UInt4
	Str  Types = 1 << tensor.String
	C64  Types = 1 << tensor.Complex64
	C128 Types = 1 << tensor.Complex128
	Res  Types = 1 << tensor.Resource

	Index  = I32 | I64
	Quants = I8 | U8 | I16
	Any    = Types(1<<23 - 1)
)

// Has reports whether d is in the set.
func (s Types) Has(d tensor.DType) bool { return s>>d&1 == 1 }

// String lists the set's members, joined by "|".
func (s Types) String() string {
	var names []string
	for d := tensor.DType(0); d.Valid(); d++ {
		if s.Has(d) {
			names = append(names, d.String())
		}
	}
	return strings.Join(names, "|")
}

// first is the type of the lowest number.
func (s Types) first() tensor.DType { return tensor.DType(bits.TrailingZeros64(uint64(s))) }

// Operand is one formal operand or result.
type Operand struct {
	Name     string
	Types    Types
	Optional bool
	// Variadic lets the last operand or result occur any number of times.
	Variadic bool
	// like is 1 + the index of the operand whose type this one must have, 0 for any.
	like int
	// typed marks a result whose declared type does not count.
	typed bool
}

// Like returns the index of the operand whose type o must have, if there is one.
func (o *Operand) Like() (i int, ok bool) { return o.like - 1, o.like > 0 }

// Operands is an operator's signature.
type Operands struct {
	Ins, Outs []Operand
}

// In starts a signature with its first operand.
func In(name string, types Types) Operands { return Operands{}.In(name, types) }

// In appends an operand.
func (o Operands) In(name string, types Types) Operands {
	o.Ins = append(o.Ins[:len(o.Ins):len(o.Ins)], Operand{Name: name, Types: types})
	return o
}

// Opt appends an operand that may be absent.
func (o Operands) Opt(name string, types Types) Operands {
	o.Ins = append(o.Ins[:len(o.Ins):len(o.Ins)], Operand{Name: name, Types: types, Optional: true})
	return o
}

// Out appends a result.
func (o Operands) Out(name string, types Types) Operands {
	o.Outs = append(o.Outs[:len(o.Outs):len(o.Outs)], Operand{Name: name, Types: types})
	return o
}

// Like demands that the last result, or the last operand where there is no result
// yet, has the type of operand i.
func (o Operands) Like(i int) Operands {
	list := &o.Ins
	if len(o.Outs) > 0 {
		list = &o.Outs
	}
	*list = slices.Clone(*list)
	(*list)[len(*list)-1].like = i + 1
	return o
}

// As gives the last result the type of operand i, whatever the file declares:
// LiteRT's kernels overwrite it.
func (o Operands) As(i int) Operands {
	o = o.Like(i)
	o.Outs[len(o.Outs)-1].typed = true
	return o
}

// Typed gives the last result its first type if the file declares one that it cannot
// have: LiteRT's kernels overwrite it.
func (o Operands) Typed() Operands {
	o.Outs = slices.Clone(o.Outs)
	o.Outs[len(o.Outs)-1].typed = true
	return o
}

// ManyIn appends an operand that occurs one or more times.
func (o Operands) ManyIn(name string, types Types) Operands {
	o.Ins = append(o.Ins[:len(o.Ins):len(o.Ins)], Operand{Name: name, Types: types, Variadic: true})
	return o
}

// ManyOut appends a result that occurs one or more times.
func (o Operands) ManyOut(name string, types Types) Operands {
	o.Outs = append(o.Outs[:len(o.Outs):len(o.Outs)], Operand{Name: name, Types: types, Variadic: true})
	return o
}

// MaybeIn appends an operand that occurs any number of times, also none.
func (o Operands) MaybeIn(name string, types Types) Operands {
	o.Ins = append(o.Ins[:len(o.Ins):len(o.Ins)], Operand{Name: name, Types: types, Optional: true, Variadic: true})
	return o
}

// MaybeOut appends a result that occurs any number of times, also none.
func (o Operands) MaybeOut(name string, types Types) Operands {
	o.Outs = append(o.Outs[:len(o.Outs):len(o.Outs)], Operand{Name: name, Types: types, Optional: true, Variadic: true})
	return o
}

func (o Operands) check(c *Call) error {
	if err := checkSide("operand", o.Ins, c.In, c.In); err != nil {
		return err
	}
	return checkSide("result", o.Outs, c.Out, c.In)
}

func checkSide(side string, formal []Operand, actual, in []Fact) error {
	for i := range actual {
		f, ok := formalAt(formal, i)
		if !ok {
			return fmt.Errorf("has %d %ss, at most %d are known: %w", len(actual), side, len(formal), tensor.ErrMalformed)
		}
		k, ok := f.Like()
		ok = ok && actual[i].Present && k < len(in) && in[k].Present
		switch {
		case ok && f.typed:
			actual[i].DType = in[k].DType
		case f.typed && actual[i].Present && !f.Types.Has(actual[i].DType):
			actual[i].DType = f.Types.first()
		}
		switch {
		case !actual[i].Present && !f.Optional:
			return fmt.Errorf("%s %d (%s) is missing: %w", side, i, f.Name, tensor.ErrMalformed)
		case actual[i].Present && !f.Types.Has(actual[i].DType):
			return fmt.Errorf("%s %d (%s) is %v, want %v: %w", side, i, f.Name, actual[i].DType, f.Types, tensor.ErrUnsupported)
		}
		if ok && actual[i].DType != in[k].DType {
			return fmt.Errorf("%s %d (%s) is %v, want operand %d's %v: %w", side, i, f.Name, actual[i].DType, k, in[k].DType, tensor.ErrType)
		}
	}
	for i := len(actual); i < len(formal); i++ {
		if !formal[i].Optional {
			return fmt.Errorf("%s %d (%s) is missing: %w", side, i, formal[i].Name, tensor.ErrMalformed)
		}
	}
	return nil
}

func formalAt(formal []Operand, i int) (Operand, bool) {
	if i < len(formal) {
		return formal[i], true
	}
	if n := len(formal); n > 0 && formal[n-1].Variadic {
		return formal[n-1], true
	}
	return Operand{}, false
}
