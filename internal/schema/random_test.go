package schema

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/litequant/litequant/internal/schema/fb"
)

func TestRandomModelsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &fb.ModelT{}
		fill(t, reflect.ValueOf(m).Elem())
		checkRoom(t, m)
		file, err := Pack(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(file, Limits{}); err != nil {
			t.Fatal(err)
		}
		again := Unpack(file)
		if !reflect.DeepEqual(m, again) {
			t.Fatal(cmp.Diff(m, again))
		}
		if second, _ := Pack(again); !bytes.Equal(file, second) {
			t.Fatal("packing twice gives different bytes")
		}
	})
}

// checkRoom checks that the room that builderFor reserves is enough: growing
// would copy all constants.
func checkRoom(t *rapid.T, m *fb.ModelT) {
	b, err := builderFor(m)
	if err != nil {
		t.Fatal(err)
	}
	room := len(b.Bytes)
	fb.FinishModelBuffer(b, m.Pack(b))
	if len(b.Bytes) != room {
		t.Fatalf("%d bytes reserved, %d needed", room, len(b.FinishedBytes()))
	}
}

// fill sets v, a struct of the object API or a part of one, to something random
// that Pack keeps.
func fill(t *rapid.T, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case v.Kind() == reflect.Slice:
		if n := rapid.IntRange(-1, 3).Draw(t, "length"); n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fillElement(t, v.Index(i))
			}
		}
	case v.Kind() == reflect.Pointer:
		if _, ok := unionMember(reflect.New(v.Type().Elem()).Interface()); ok {
			fillUnion(t, v)
		} else if rapid.Bool().Draw(t, "present") {
			fillElement(t, v)
		}
	case v.CanInt():
		bits := v.Type().Bits()
		v.SetInt(rapid.Int64().Draw(t, "int") >> (64 - bits))
	case v.CanUint():
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - v.Type().Bits()))
	case v.CanFloat():
		v.SetFloat(float64(rapid.Int16().Draw(t, "float")) / 16)
	case v.Kind() == reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case v.Kind() == reflect.String:
		v.SetString(rapid.StringN(0, 5, -1).Draw(t, "string"))
	}
}

// fillElement is fill for what cannot be absent.
func fillElement(t *rapid.T, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	fill(t, v)
}

// fillUnion draws a member, or leaves the union nil.
func fillUnion(t *rapid.T, v reflect.Value) {
	u := reflect.New(v.Type().Elem())
	u.Elem().FieldByName("Type").SetUint(uint64(rapid.IntRange(0, 130).Draw(t, "member")))
	member, _ := unionMember(u.Interface())
	if member == nil {
		return
	}
	fill(t, reflect.ValueOf(member).Elem())
	u.Elem().FieldByName("Value").Set(reflect.ValueOf(member))
	v.Set(u)
}

// FuzzVerify: what Verify accepts unpacks, packs and keeps its meaning.
func FuzzVerify(f *testing.F) {
	for _, name := range goldens {
		f.Add(readGolden(f, name+".tflite"))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1<<16 {
			t.Skip("large: thousands of views of one blob make a large file")
		}
		limits := Limits{Tables: 2000, Bytes: 1 << 20}
		if Verify(file, limits) != nil {
			return
		}
		first, err := Pack(Unpack(file))
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(first, Limits{}); err != nil {
			t.Fatal(err)
		}
		second, err := Pack(Unpack(first))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Fatal("packing twice gives different bytes")
		}
	})
}
