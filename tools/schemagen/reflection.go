package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	flatbuffers "github.com/google/flatbuffers/go"
)

// A schema is the part of FlatBuffers' reflection (reflection.fbs) needed here.
type schema struct {
	name       string // of the file, without .fbs
	identifier string
	root       string
	tables     []table
	enums      []enum
}

type table struct {
	name   string
	fields []field // by slot
}

type field struct {
	name       string
	slot       int // byte offset in the vtable: 4, 6, 8, …
	base, elem baseType
	size       int // bytes of the scalar, or of a vector's element
	index      int // of the table or the enum, in the schema's lists
	align      int // force_align, or 0
	deprecated bool
}

type enum struct {
	name   string
	union  bool
	values []value // by number
}

type value struct {
	name   string
	number int64
	table  int // of a union's member; -1 for NONE
}

// A baseType is reflection.fbs's BaseType.
type baseType int8

const (
	typeUType  baseType = 1
	typeUByte  baseType = 4
	typeDouble baseType = 12
	typeString baseType = 13
	typeVector baseType = 14
	typeTable  baseType = 15
	typeUnion  baseType = 16
)

func (t baseType) scalar() bool { return typeUType <= t && t <= typeDouble }

// obj reads a table of reflection.fbs; slots are field numbers.
type obj struct{ flatbuffers.Table }

func (o obj) at(slot int) flatbuffers.UOffsetT {
	return flatbuffers.UOffsetT(o.Offset(flatbuffers.VOffsetT(4 + 2*slot)))
}

func (o obj) str(slot int) string {
	if f := o.at(slot); f != 0 {
		return o.String(f + o.Pos)
	}
	return ""
}

func (o obj) child(slot int) obj {
	return obj{flatbuffers.Table{Bytes: o.Bytes, Pos: o.Indirect(o.at(slot) + o.Pos)}}
}

func (o obj) list(slot int) []obj {
	f := o.at(slot)
	if f == 0 {
		return nil
	}
	out := make([]obj, o.VectorLen(f))
	for i := range out {
		out[i] = obj{flatbuffers.Table{Bytes: o.Bytes, Pos: o.Indirect(o.Vector(f) + flatbuffers.UOffsetT(4*i))}}
	}
	return out
}

func (o obj) bool(slot int) bool {
	f := o.at(slot)
	return f != 0 && o.GetBool(f+o.Pos)
}

func (o obj) int8(slot int) int8 {
	if f := o.at(slot); f != 0 {
		return o.GetInt8(f + o.Pos)
	}
	return 0
}

func (o obj) int32(slot int, absent int32) int {
	if f := o.at(slot); f != 0 {
		return int(o.GetInt32(f + o.Pos))
	}
	return int(absent)
}

func base(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func readSchema(name string, bfbs []byte) (*schema, error) {
	root := obj{flatbuffers.Table{Bytes: bfbs, Pos: flatbuffers.GetUOffsetT(bfbs)}}
	s := &schema{name: name, identifier: root.str(2), root: base(root.child(4).str(0))}
	for _, o := range root.list(0) {
		t := table{name: base(o.str(0))}
		if o.bool(2) {
			return nil, fmt.Errorf("%s: structs are not handled", t.name)
		}
		for _, f := range o.list(1) {
			fl, err := readField(f)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", t.name, fl.name, err)
			}
			t.fields = append(t.fields, fl)
		}
		slices.SortFunc(t.fields, func(a, b field) int { return cmp.Compare(a.slot, b.slot) })
		s.tables = append(s.tables, t)
	}
	for _, o := range root.list(1) {
		s.enums = append(s.enums, readEnum(o))
	}
	return s, nil
}

func readField(o obj) (field, error) {
	typ := o.child(1)
	f := field{
		name:       o.str(0),
		slot:       int(o.GetUint16(o.at(3) + o.Pos)),
		base:       baseType(typ.int8(0)),
		elem:       baseType(typ.int8(1)),
		index:      typ.int32(2, -1),
		size:       typ.int32(4, 4),
		deprecated: o.bool(6),
	}
	if f.base == typeVector {
		f.size = typ.int32(5, 0)
	}
	if o.bool(7) {
		return f, fmt.Errorf("required fields are not handled")
	}
	for _, a := range o.list(9) {
		if a.str(0) == "force_align" {
			n, err := strconv.Atoi(a.str(1))
			if err != nil {
				return f, err
			}
			f.align = n
		}
	}
	vectorOK := f.elem.scalar() || f.elem == typeTable
	if !f.base.scalar() && f.base != typeString && f.base != typeTable && f.base != typeUnion && !(f.base == typeVector && vectorOK) {
		return f, fmt.Errorf("type %d of %d is not handled", f.base, f.elem)
	}
	return f, nil
}

func readEnum(o obj) enum {
	e := enum{name: base(o.str(0)), union: o.bool(2)}
	for _, v := range o.list(1) {
		n := value{name: base(v.str(0)), table: -1}
		if f := v.at(1); f != 0 {
			n.number = v.GetInt64(f + v.Pos)
		}
		if e.union && n.number != 0 {
			n.table = v.child(3).int32(2, -1)
		}
		e.values = append(e.values, n)
	}
	return e
}
