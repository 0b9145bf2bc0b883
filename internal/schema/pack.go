package schema

import (
	"fmt"
	"reflect"
	"slices"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// Pack writes m as a .tflite file. Every byte of a constant is copied once.
//
// It fails with tensor.ErrMalformed if a vector holds a nil table or a union's
// value is not what its type says, and with tensor.ErrLimit if the file would be
// longer than 2 GiB; constants beyond that belong behind the flatbuffer.
func Pack(m *fb.ModelT) ([]byte, error) {
	b, err := builderFor(m)
	if err != nil {
		return nil, err
	}
	fb.FinishModelBuffer(b, m.Pack(b))
	return slices.Clip(b.FinishedBytes()), nil
}

// PackConversionMetadata writes the blob of the metadata entry
// "CONVERSION_METADATA"; errors as Pack.
func PackConversionMetadata(m *fb.ConversionMetadataT) ([]byte, error) {
	b, err := builderFor(m)
	if err != nil {
		return nil, err
	}
	b.Finish(m.Pack(b))
	return slices.Clip(b.FinishedBytes()), nil
}

// builderFor checks the object m, a pointer to one of fb's structs, and returns
// a builder with room for it, which therefore never grows, copies or panics.
func builderFor(m any) (*flatbuffers.Builder, error) {
	v := reflect.ValueOf(m)
	if v.IsNil() {
		return nil, fmt.Errorf("pack: nil model: %w", tensor.ErrMalformed)
	}
	size := int64(64) // root offset, identifier, alignment, what Builder keeps spare
	if err := measure(v, &size); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if size > maxFlatbuffer {
		return nil, fmt.Errorf("pack: %d bytes are more than the 2 GiB of a flatbuffer: %w", size, tensor.ErrLimit)
	}
	return flatbuffers.NewBuilder(int(size)), nil
}

// measure adds to size an upper bound of the bytes that the table v, a non-nil
// pointer to a struct, takes with all below it. Bounds: a table has an offset to
// its vtable and at most 8 bytes and a vtable entry for each field; a vector has
// a length, its elements and padding.
func measure(v reflect.Value, size *int64) error {
	if u, ok := unionMember(v.Interface()); ok {
		return measureUnion(v.Elem(), u, size)
	}
	v = v.Elem()
	*size += 16
	for i := range v.NumField() {
		*size += 12
		if err := measureField(v.Field(i), size); err != nil {
			return at(v.Type().Field(i), err)
		}
	}
	return nil
}

func measureField(f reflect.Value, size *int64) error {
	switch f.Kind() {
	case reflect.Pointer:
		if f.IsNil() {
			return nil
		}
		return measure(f, size)
	case reflect.String:
		*size += 4 + int64(f.Len()) + 4
	case reflect.Slice:
		*size += 4 + 32 // length; padding to at most 16, before and behind
		if f.Type().Elem().Kind() == reflect.Pointer {
			return measureTables(f, size)
		}
		*size += int64(f.Len()) * int64(f.Type().Elem().Size())
	}
	return nil
}

func measureTables(f reflect.Value, size *int64) error {
	for i := range f.Len() {
		*size += 4
		if f.Index(i).IsNil() {
			return &placeError{fmt.Sprintf("[%d]", i), fmt.Errorf("is nil: %w", tensor.ErrMalformed)}
		}
		if err := measure(f.Index(i), size); err != nil {
			return &placeError{fmt.Sprintf("[%d]", i), err}
		}
	}
	return nil
}

// measureUnion checks that the union's value is the one that its type names;
// want is a pointer to a fresh one, or nil for no member.
func measureUnion(union reflect.Value, want any, size *int64) error {
	value := union.FieldByName("Value")
	if want == nil {
		if union.FieldByName("Type").IsZero() && value.IsNil() {
			return nil
		}
		return fmt.Errorf("no member %v for %v: %w", union.FieldByName("Type"), value, tensor.ErrMalformed)
	}
	if value.IsNil() || value.Elem().Type() != reflect.TypeOf(want) || value.Elem().IsNil() {
		return fmt.Errorf("holds %v where its type demands a %T: %w", value, want, tensor.ErrMalformed)
	}
	return measure(value.Elem(), size)
}

// unionMember returns, if x is a union of the object API, a fresh value of the
// member that its type names, or nil if that is none.
func unionMember(x any) (member any, isUnion bool) {
	switch u := x.(type) {
	case *fb.BuiltinOptionsT:
		if d := DefaultOptions(u.Type); d != nil {
			return d.Value, true
		}
	case *fb.BuiltinOptions2T:
		if d := DefaultOptions2(u.Type); d != nil {
			return d.Value, true
		}
	case *fb.QuantizationDetailsT:
		if d := u.Type.UnPack(emptyTable()); d != nil {
			return d.Value, true
		}
	case *fb.SparseIndexVectorT:
		if d := u.Type.UnPack(emptyTable()); d != nil {
			return d.Value, true
		}
	default:
		return nil, false
	}
	return nil, true
}

// A placeError is an error with the place below which it lies: a field's name in
// the schema or an index.
type placeError struct {
	place string
	err   error
}

func (e *placeError) Unwrap() error { return e.err }

func (e *placeError) Error() string {
	if p, ok := e.err.(*placeError); ok {
		if p.place[0] == '[' {
			return e.place + p.Error()
		}
		return e.place + "." + p.Error()
	}
	return e.place + ": " + e.err.Error()
}

func at(f reflect.StructField, err error) error {
	return &placeError{f.Tag.Get("json"), err}
}
