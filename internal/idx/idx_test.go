package idx

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/litequant/litequant/tensor"
)

// zip gzips a file for the tests.
func zip(file string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(file))
	z.Close()
	return b.String()
}

const (
	bytes2x3 = "\x00\x00\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03abcdef"
	ints     = "\x00\x00\x0c\x01\x00\x00\x00\x02\x00\x00\x00\x01\xff\xff\xff\xfe"
	huge     = "\x00\x00\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	large    = "\x00\x00\x08\x01\x7f\xff\xff\xff"
)

func TestDecode(t *testing.T) {
	for _, file := range []string{bytes2x3, zip(bytes2x3)} {
		got, err := Decode([]byte(file), 6)
		if err != nil || !got.Shape().Equal(tensor.Shape{2, 3}) || got.DType() != tensor.UInt8 || string(got.Bytes()) != "abcdef" {
			t.Errorf("got %v%v %q, %v", got.DType(), got.Shape(), got.Bytes(), err)
		}
		if !Is([]byte(file)) {
			t.Error("not recognized")
		}
	}
	got, err := Decode([]byte(ints), 100)
	if err != nil {
		t.Fatal(err)
	}
	v, err := tensor.Values[int32](got)
	if diff := cmp.Diff([]int32{1, -2}, v); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, head := range []string{"", "PK\x03\x04", "\x00\x00\x07\x01", "\x00\x00\x08\x09", "\x00\x00\x08"} {
		if Is([]byte(head)) {
			t.Errorf("%q taken for idx", head)
		}
	}
}

func TestDecodeRejects(t *testing.T) {
	z := zip(bytes2x3)
	broken := []byte(z)
	broken[len(broken)-8] ^= 1 // checksum
	for _, c := range []struct {
		name, file, want string
		err              error
	}{
		{"empty", "", "truncated", tensor.ErrMalformed},
		{"magic", "\x00\x01\x08\x01\x00\x00\x00\x00", "wrong magic 00010801", tensor.ErrMalformed},
		{"type", "\x00\x00\x0a\x01\x00\x00\x00\x00", "wrong magic", tensor.ErrMalformed},
		{"header cut", bytes2x3[:7], "truncated", tensor.ErrMalformed},
		{"data cut", bytes2x3[:len(bytes2x3)-1], "truncated", tensor.ErrMalformed},
		{"gzip cut", z[:len(z)-10], "truncated", tensor.ErrMalformed},
		{"gzip header cut", z[:5], "truncated", tensor.ErrMalformed},
		{"gzip checksum", string(broken), "checksum", tensor.ErrMalformed},
		{"gzip of text", zip("hello, world"), "wrong magic", tensor.ErrMalformed},
		{"trailing", bytes2x3 + "x", "behind", tensor.ErrMalformed},
		{"huge", huge, "too many elements", tensor.ErrLimit},
		{"2 GiB in 30 bytes", zip(large), "truncated", tensor.ErrMalformed},
	} {
		_, err := Decode([]byte(c.file), 1<<40)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, c.err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Decode([]byte(bytes2x3), 5); !errors.Is(err, tensor.ErrLimit) {
		t.Errorf("6 bytes of 5: %v", err)
	}
}

func FuzzIdx(f *testing.F) {
	for _, file := range []string{bytes2x3, ints, huge, large, zip(bytes2x3), zip(ints), zip(large)} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		x, err := Decode(file, 1<<20)
		if err != nil {
			return
		}
		if n, err := x.Shape().Bytes(x.DType()); err != nil || n != len(x.Bytes()) {
			t.Fatalf("%v%v of %d bytes, %v", x.DType(), x.Shape(), len(x.Bytes()), err)
		}
	})
}
