package tflite

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/tensor"
)

// addCases seeds a fuzz target with every n-th golden model of each operator.
func addCases(f *testing.F, n int) {
	operators, err := conformance.Operators()
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range operators {
		cases, err := conformance.Load(name)
		if err != nil {
			f.Fatal(err)
		}
		for i := 0; i < len(cases); i += n {
			const most = 4 << 10
			if len(cases[i].Model) <= most {
				f.Add(cases[i].Model)
			}
		}
	}
}

// FuzzDecode: whatever the bytes, a model that survives writing or one line of
// error with a reason.
func FuzzDecode(f *testing.F) {
	addCases(f, 40)
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := Decode(file, DecodeOptions{})
		if err != nil {
			known := errors.Is(err, tensor.ErrMalformed) || errors.Is(err, tensor.ErrUnsupported) || errors.Is(err, tensor.ErrLimit)
			if !known || strings.Contains(err.Error(), "\n") {
				t.Fatalf("refused with %q", err)
			}
			return
		}
		written, err := Encode(m)
		if err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		again, err := Decode(written, DecodeOptions{})
		if err != nil {
			t.Fatalf("what was written: %v", err)
		}
		if d := cmp.Diff(m, again, same); d != "" {
			t.Fatal(d)
		}
	})
}
