package schema

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// Limits bounds what a file may make Verify and Unpack do. FlatBuffers let many
// offsets share one target, so a small file can describe a huge model: tables
// and bytes are counted as often as they are reached. Nesting needs no limit:
// the schema is not recursive.
type Limits struct {
	// Tables is how many; 0 means one for every 4 bytes of the file, which is what an
	// offset takes, but 1000 at least and 1,000,000 at most.
	Tables int
	// Bytes bounds the strings and vectors that Unpack copies; 0 means sixteen times the
	// file's length, but 64 KiB at least and 64 MiB more than the file at most.
	Bytes int64
}

func (l Limits) orDefault(file []byte) Limits {
	if l.Tables == 0 {
		l.Tables = min(max(1000, len(file)/4), 1_000_000)
	}
	if n := int64(len(file)); l.Bytes == 0 {
		l.Bytes = min(max(16*n, 64<<10), n+64<<20)
	}
	return l
}

// maxFlatbuffer is what 32-bit signed offsets reach: 2 GiB. Bytes behind it can
// only be data outside the flatbuffer.
const maxFlatbuffer = math.MaxInt32

// Verify checks that file is a .tflite file whose every table, vtable, vector,
// string and union lies inside it, aligned as FlatBuffers demand (blobs need not
// be aligned to 16: many writers do not care). It is the verifier of FlatBuffers'
// C++ library, which LiteRT runs, but refuses three things more: a vtable of less
// than four bytes, a null among a vector's tables, and an unknown member of a
// union. Data behind the flatbuffer is not looked at.
//
// Errors name the place, as in "subgraphs[0].operators[3].builtin_options", and
// wrap tensor.ErrMalformed, ErrLimit, or ErrUnsupported for an unknown union
// member.
func Verify(file []byte, l Limits) error {
	return verify(file, &modelLayout, l)
}

// VerifyConversionMetadata is Verify for the blob of the metadata entry
// "CONVERSION_METADATA".
func VerifyConversionMetadata(blob []byte, l Limits) error {
	return verify(blob, &conversionMetadataLayout, l)
}

func verify(file []byte, lay *layout, l Limits) error {
	l = l.orDefault(file)
	v := verifier{layout: lay, file: file[:min(len(file), maxFlatbuffer)], limits: l, left: l}
	if len(file) < 8 {
		return v.malformed("%d bytes are too few for a flatbuffer", len(file))
	}
	if id := lay.identifier; id != "" && string(file[4:8]) != id {
		return v.malformed("file identifier is %q, want %q", file[4:8], id)
	}
	root, err := v.follow(0)
	if err != nil {
		return err
	}
	return v.table(root, lay.root)
}

// A verifier walks the tables reachable from the root. Positions are int64: the
// sum of two 32-bit offsets never overflows.
type verifier struct {
	layout *layout
	file   []byte
	limits Limits
	left   Limits // of limits
	path   []step
}

// A step is a field, and the element if the field is a vector, else -1.
type step struct {
	field string
	index int
}

func (v *verifier) place() string {
	if len(v.path) == 0 {
		return "file"
	}
	var b strings.Builder
	for i, s := range v.path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.field)
		if s.index >= 0 {
			fmt.Fprintf(&b, "[%d]", s.index)
		}
	}
	return b.String()
}

func (v *verifier) fail(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", v.place(), fmt.Sprintf(format, args...), sentinel)
}

func (v *verifier) malformed(format string, args ...any) error {
	return v.fail(tensor.ErrMalformed, format, args...)
}

// within checks that n bytes at pos lie in the file and that pos is a multiple
// of align.
func (v *verifier) within(pos, n, align int64) error {
	if pos < 0 || n > int64(len(v.file)) || pos > int64(len(v.file))-n {
		return v.malformed("offset out of range: %d bytes at %d of %d", n, pos, len(v.file))
	}
	if pos%align != 0 {
		return v.malformed("offset %d not aligned to %d", pos, align)
	}
	return nil
}

// follow returns the position that the offset at pos points to.
func (v *verifier) follow(pos int64) (int64, error) {
	if err := v.within(pos, 4, 4); err != nil {
		return 0, err
	}
	off := int64(binary.LittleEndian.Uint32(v.file[pos:]))
	if off == 0 {
		return 0, v.malformed("offset is zero")
	}
	return pos + off, v.within(pos+off, 4, 4) // all targets begin with 32 bits
}

// table checks the table at pos, of the layout's table number of, and all below.
func (v *verifier) table(pos int64, of int16) error {
	if v.left.Tables--; v.left.Tables < 0 {
		return v.fail(tensor.ErrLimit, "more than %d tables", v.limits.Tables)
	}
	vtable, err := v.vtable(pos)
	if err != nil {
		return err
	}
	for i := range v.layout.tables[of].fields {
		f := &v.layout.tables[of].fields[i]
		off := vtable.at(f.slot)
		if off == 0 || f.deprecated {
			continue
		}
		v.path = append(v.path, step{f.name, -1})
		if err := v.field(f, pos+int64(off), pos, vtable); err != nil {
			return err
		}
		v.path = v.path[:len(v.path)-1]
	}
	return nil
}

// A vtable is the bytes of one: its size, the table's size, the fields' offsets.
type vtable []byte

// at returns the offset of a field in the table, or 0 if it is absent.
func (t vtable) at(slot uint16) uint16 {
	if int(slot) >= len(t) {
		return 0
	}
	return binary.LittleEndian.Uint16(t[slot:])
}

func (v *verifier) vtable(table int64) (vtable, error) {
	if err := v.within(table, 4, 4); err != nil {
		return nil, err
	}
	pos := table - int64(int32(binary.LittleEndian.Uint32(v.file[table:])))
	if err := v.within(pos, 4, 2); err != nil {
		return nil, err
	}
	size := int64(binary.LittleEndian.Uint16(v.file[pos:]))
	if size < 4 || size%2 != 0 {
		return nil, v.malformed("vtable of %d bytes", size)
	}
	if err := v.within(pos, size, 2); err != nil {
		return nil, err
	}
	return v.file[pos : pos+size], nil
}

// field checks the field at pos of the table at table.
func (v *verifier) field(f *layoutField, pos, table int64, vt vtable) error {
	if f.kind == kindScalar {
		return v.within(pos, int64(f.size), int64(f.size))
	}
	target, err := v.follow(pos)
	if err != nil {
		return err
	}
	switch f.kind {
	case kindBytes:
		_, err := v.vector(target, 1)
		return err
	case kindScalars:
		return v.scalars(target, int64(f.size))
	case kindString:
		return v.string(target)
	case kindTable:
		return v.table(target, f.of)
	case kindTables:
		return v.tables(target, f.of)
	default:
		return v.union(f, target, table, vt)
	}
}

// vector checks the extent of a vector and returns its length.
func (v *verifier) vector(pos, elem int64) (int64, error) {
	n := int64(binary.LittleEndian.Uint32(v.file[pos:])) // follow has checked the four bytes
	return n, v.within(pos+4, n*elem, 4)
}

// copies counts bytes that Unpack copies.
func (v *verifier) copies(n int64) error {
	if v.left.Bytes -= n; v.left.Bytes < 0 {
		return v.fail(tensor.ErrLimit, "more than %d bytes of strings and vectors", v.limits.Bytes)
	}
	return nil
}

func (v *verifier) scalars(pos, elem int64) error {
	n, err := v.vector(pos, elem)
	if err != nil {
		return err
	}
	return v.copies(n * elem)
}

func (v *verifier) string(pos int64) error {
	n, err := v.vector(pos, 1)
	if err != nil {
		return err
	}
	if err := v.within(pos+4+n, 1, 1); err != nil {
		return err
	}
	if v.file[pos+4+n] != 0 {
		return v.malformed("string without final NUL")
	}
	return v.copies(n)
}

func (v *verifier) tables(pos int64, of int16) error {
	n, err := v.vector(pos, 4)
	if err != nil {
		return err
	}
	if n > int64(v.left.Tables) {
		return v.fail(tensor.ErrLimit, "more than %d tables", v.limits.Tables)
	}
	last := len(v.path) - 1
	for i := range n {
		v.path[last].index = int(i)
		target, err := v.follow(pos + 4 + 4*i)
		if err != nil {
			return err
		}
		if err := v.table(target, of); err != nil {
			return err
		}
	}
	return nil
}

// union checks the member at target; its type is the field before.
func (v *verifier) union(f *layoutField, target, table int64, vt vtable) error {
	u := &v.layout.unions[f.of]
	member := 0
	if off := vt.at(f.slot - 2); off != 0 {
		member = int(v.file[table+int64(off)]) // checked as the field before
	}
	if member >= len(u.tables) {
		return v.fail(tensor.ErrUnsupported, "%s member %d is unknown", u.name, member)
	}
	if u.tables[member] < 0 {
		return nil // NONE: nobody reads the value
	}
	return v.table(target, u.tables[member])
}
