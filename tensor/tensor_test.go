package tensor

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDTypes(t *testing.T) {
	for d := DType(0); d < numDTypes; d++ {
		got, err := ParseDType(d.String())
		if err != nil || got != d {
			t.Errorf("ParseDType(%q) = %v, %v", d.String(), got, err)
		}
	}
	if _, err := ParseDType("float31"); !errors.Is(err, ErrType) {
		t.Errorf("ParseDType: %v", err)
	}
	bad := DType(200)
	if bad.Valid() || bad.Bits() != 0 || bad.Size() != 0 || bad.String() != "dtype(200)" {
		t.Errorf("unknown type is %v of %d bits", bad, bad.Bits())
	}
	if Int4.Size() != 0 || Int4.Bits() != 4 || Complex128.Size() != 16 {
		t.Error("widths")
	}
}

func TestShape(t *testing.T) {
	huge := math.MaxInt32
	for _, c := range []struct {
		shape Shape
		want  int
		err   error
	}{
		{nil, 1, nil}, {Shape{2, 3}, 6, nil}, {Shape{0, huge}, 0, nil},
		{Shape{-1}, 0, ErrShape}, {Shape{maxElems}, maxElems, nil}, {Shape{maxElems, 2}, 0, ErrLimit}, {Shape{huge, huge, huge, huge, huge}, 0, ErrLimit},
		{Shape{0, -1}, 0, ErrShape}, {Shape{math.MaxInt}, 0, ErrLimit},
	} {
		got, err := c.shape.Elems()
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%v.Elems() = %d, %v; want %d, %v", c.shape, got, err, c.want, c.err)
		}
	}
	if n, _ := (Shape{3}).Bytes(Int4); n != 2 {
		t.Errorf("three int4 take %d bytes", n)
	}
	if n, _ := (Shape{5}).Bytes(Int2); n != 2 {
		t.Errorf("five int2 take %d bytes", n)
	}
	if _, err := (Shape{1}).Bytes(String); !errors.Is(err, ErrType) {
		t.Errorf("strings have a size: %v", err)
	}
	s := Shape{-1, 28, 28}
	if !s.Fits(Shape{7, 28, 28}) || s.Fits(Shape{7, 28, 1}) || s.Fits(Shape{28, 28}) || s.String() != "[?,28,28]" {
		t.Error("Fits or String")
	}
	for axis, want := range map[int]int{0: 0, 2: 2, -1: 2, -3: 0} {
		if got, err := s.Axis(axis); err != nil || got != want {
			t.Errorf("Axis(%d) = %d, %v", axis, got, err)
		}
	}
	for _, axis := range []int{3, -4} {
		if _, err := s.Axis(axis); !errors.Is(err, ErrShape) {
			t.Errorf("Axis(%d): %v", axis, err)
		}
	}
}

// Elems never overflows: it is the exact product or an error.
func TestElemsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Shape(rapid.SliceOfN(rapid.IntRange(0, 1<<20), 0, 6).Draw(t, "shape"))
		n, err := s.Elems()
		product := 1.0
		for _, d := range s {
			product *= float64(d)
		}
		if err == nil && float64(n) != product {
			t.Fatalf("%v has %d elements", s, n)
		}
		if err != nil && !(errors.Is(err, ErrLimit) && (product > maxElems || product == 0)) {
			t.Fatalf("%v: %v", s, err)
		}
	})
}

func TestNewChecksSize(t *testing.T) {
	if _, err := New(Float32, Shape{2}, Quant{}, make([]byte, 7)); !errors.Is(err, ErrShape) {
		t.Errorf("7 bytes for two floats: %v", err)
	}
	if _, err := New(Float32, Shape{-1}, Quant{}, nil); !errors.Is(err, ErrShape) {
		t.Errorf("unknown shape: %v", err)
	}
	if _, err := Zeros(Float64, Shape{maxElems, 2}); !errors.Is(err, ErrLimit) {
		t.Errorf("huge shape: %v", err)
	}
	if _, err := Of(Shape{3}, 1.0, 2.0); !errors.Is(err, ErrShape) {
		t.Errorf("two values for shape [3]: %v", err)
	}
}

type celsius float32

func TestValues(t *testing.T) {
	x, err := Of[int16](Shape{2, 2}, 1, -2, 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Values[int16](x)
	if diff := cmp.Diff([]int16{1, -2, 3, 4}, v); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	v[0] = 9
	if x.Bytes()[0] != 9 {
		t.Error("an aligned tensor's values are not a view")
	}
	if _, err := Values[uint16](x); !errors.Is(err, ErrType) {
		t.Errorf("int16 as uint16: %v", err)
	}
	half := Raw(Float16, Shape{1}, Quant{}, []byte{0, 0x3c})
	if v, err := Values[uint16](half); err != nil || v[0] != 0x3c00 {
		t.Errorf("bits of float16: %v %v", v, err)
	}
	if _, err := Values[int16](half); !errors.Is(err, ErrType) {
		t.Errorf("float16 as int16: %v", err)
	}
	odd := append(Aligned(0), 0, 1, 0, 2, 0)
	y := Raw(UInt16, Shape{2}, Quant{}, odd[1:])
	u, err := Values[uint16](y)
	if diff := cmp.Diff([]uint16{1, 2}, u); diff != "" || err != nil {
		t.Errorf("unaligned: %v %s", err, diff)
	}
	// Named types are their underlying type's.
	c, err := Of[celsius](Shape{2}, 20, 30)
	if err != nil || c.DType() != Float32 {
		t.Fatalf("Of named type: %v %v", c.DType(), err)
	}
	if v, err := Values[celsius](c); err != nil || v[1] != 30 {
		t.Errorf("Values of named type: %v %v", v, err)
	}
	if v, err := Values[int8](Raw(Int8, Shape{0}, Quant{}, nil)); err != nil || v != nil {
		t.Errorf("empty: %v %v", v, err)
	}
}

func TestQuant(t *testing.T) {
	var none Quant
	if !none.IsZero() || none.PerAxis() || none.Scale() != 0 || none.Zero() != 0 {
		t.Error("the zero Quant")
	}
	q := PerTensor(0.5, -3)
	if q.IsZero() || q.PerAxis() || q.Scale() != 0.5 || q.Zero() != -3 {
		t.Error("PerTensor")
	}
	if !(Quant{Scales: []float32{1, 2}}).PerAxis() {
		t.Error("PerAxis")
	}
	for d, want := range map[DType][2]int32{
		Int8: {-128, 127}, UInt8: {0, 255}, Int16: {-32768, 32767}, Int4: {-8, 7}, Int32: {math.MinInt32, math.MaxInt32},
	} {
		if lo, hi, ok := d.IntRange(); lo != want[0] || hi != want[1] || !ok {
			t.Errorf("%v: %d to %d, %v", d, lo, hi, ok)
		}
	}
	if _, _, ok := Float32.IntRange(); ok {
		t.Error("float32 is quantizable")
	}
}

func TestReshaped(t *testing.T) {
	x, _ := Of(Shape{2, 3}, 1, 2, 3, 4, 5, float32(6))
	y, err := x.Reshaped(Shape{3, 2})
	if err != nil || y.Len() != 6 || &y.Bytes()[0] != &x.Bytes()[0] {
		t.Errorf("%v %v", y.Shape(), err)
	}
	if _, err := x.Reshaped(Shape{4}); !errors.Is(err, ErrShape) {
		t.Errorf("6 elements as 4: %v", err)
	}
}

func TestAligned(t *testing.T) {
	for n := range 200 {
		b := Aligned(n)
		if len(b) != n || cap(b) < n+slack || !IsAligned(b[:max(n, 1):max(n, 1)], alignment) {
			t.Fatalf("Aligned(%d) has length %d, capacity %d", n, len(b), cap(b))
		}
	}
}

func TestFloat32s(t *testing.T) {
	for _, c := range []struct {
		name string
		t    Tensor
		want []float32
	}{
		{"plain int8", Raw(Int8, Shape{2}, Quant{}, []byte{0xff, 2}), []float32{-1, 2}},
		{"int8", Raw(Int8, Shape{2}, PerTensor(0.5, -1), []byte{0xff, 2}), []float32{0, 1.5}},
		{"per axis 0", Raw(Int8, Shape{2, 2}, Quant{Scales: []float32{1, 2}, ZeroPoints: []int64{0, 1}}, []byte{1, 2, 3, 4}), []float32{1, 2, 4, 6}},
		{"per axis 1", Raw(Int8, Shape{2, 2}, Quant{Scales: []float32{1, 2}, Axis: 1}, []byte{1, 2, 3, 4}), []float32{1, 4, 3, 8}},
		{"axis out of range", Raw(Int8, Shape{2}, Quant{Scales: []float32{1, 2}, Axis: -9}, []byte{1, 2}), []float32{1, 2}},
		{"int4", Raw(Int4, Shape{3}, Quant{}, []byte{0x8f, 0x07}), []float32{-1, -8, 7}},
		{"uint4", Raw(UInt4, Shape{3}, Quant{}, []byte{0x8f, 0x07}), []float32{15, 8, 7}},
		{"int2", Raw(Int2, Shape{4}, Quant{}, []byte{0b11_10_01_00}), []float32{0, 1, -2, -1}},
		{"float16", Raw(Float16, Shape{1}, Quant{}, []byte{0, 0x3c}), []float32{1}},
		{"bfloat16", Raw(BFloat16, Shape{1}, Quant{}, []byte{0x80, 0x3f}), []float32{1}},
		{"string", Raw(String, Shape{0}, Quant{}, nil), nil},
	} {
		if diff := cmp.Diff(c.want, c.t.Float32s()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestStrings(t *testing.T) {
	x, err := OfStrings(Shape{3}, "a", "", "\x00é")
	if err != nil {
		t.Fatal(err)
	}
	want := "\x03\x00\x00\x00\x14\x00\x00\x00\x15\x00\x00\x00\x15\x00\x00\x00\x18\x00\x00\x00a\x00é"
	if string(x.Bytes()) != want {
		t.Errorf("bytes %q, want %q", x.Bytes(), want)
	}
	got, err := x.Strings()
	if diff := cmp.Diff([][]byte{[]byte("a"), {}, []byte("\x00é")}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := OfStrings(Shape{2}, "a"); !errors.Is(err, ErrShape) {
		t.Errorf("one string for two: %v", err)
	}
	if _, err := Raw(Int8, Shape{0}, Quant{}, nil).Strings(); !errors.Is(err, ErrType) {
		t.Errorf("strings of int8: %v", err)
	}
}

func FuzzStrings(f *testing.F) {
	x, _ := OfStrings(Shape{2}, "ab", "c")
	f.Add(x.Bytes(), 2)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, 0)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		v, err := Raw(String, Shape{n}, Quant{}, b).Strings()
		if err == nil && len(v) != n {
			t.Fatalf("%d strings for shape [%d]", len(v), n)
		}
	})
}
