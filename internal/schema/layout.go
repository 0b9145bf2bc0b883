package schema

// A layout is a schema as the verifier needs it; layout_generated.go holds the
// values.
type layout struct {
	identifier string // at bytes 4–7, or "" for none
	root       int16
	tables     []layoutTable
	unions     []layoutUnion
}

type layoutTable struct {
	name   string
	fields []layoutField // by slot
}

type layoutField struct {
	name       string
	slot       uint16 // byte offset in the vtable; a union's type is at slot-2
	kind       kind
	size       uint8 // bytes of the scalar or of a vector's element
	of         int16 // index into tables, or into unions
	deprecated bool  // no accessor reads it
}

type layoutUnion struct {
	name   string
	tables []int16 // by member; -1 for NONE
}

// A kind is what a field holds.
type kind uint8

const (
	kindScalar  kind = iota // in the table itself
	kindBytes               // vector of ubyte, which Unpack views
	kindScalars             // vector of other scalars, which Unpack copies
	kindString
	kindTable
	kindTables // vector of tables
	kindUnion
)
