package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

var reasons = []error{
	tensor.ErrMalformed, tensor.ErrUnsupported, tensor.ErrLimit, tensor.ErrShape, tensor.ErrType,
	context.Canceled, context.DeadlineExceeded,
}

func hasReason(err error) bool {
	for _, r := range reasons {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}

// FuzzLoadPlanInvoke takes a file all the way under limits: outputs, or one line of
// error with a reason. Where both engines answer, their integers are equal.
func FuzzLoadPlanInvoke(f *testing.F) {
	for _, name := range must(conformance.Operators())(f) {
		for i, c := range must(conformance.Load(name))(f) {
			const most = 4 << 10
			if i%40 == 0 && len(c.Model) <= most {
				f.Add(c.Model)
			}
		}
	}
	f.Fuzz(run)
}

func run(t *testing.T, file []byte) {
	m, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		return // FuzzDecode's
	}
	reference, err := attempt(m, engine.Reference)
	checkReason(t, err)
	fast, errFast := attempt(m, engine.Fast)
	checkReason(t, errFast)
	if err != nil || errFast != nil {
		return
	}
	if i := difference(reference, fast); i >= 0 {
		if again, err := attempt(m, engine.Reference); err != nil || difference(reference, again) >= 0 {
			return // random without a seed
		}
		t.Errorf("output %d: reference %x, fast %x", i, reference[i].Bytes(), fast[i].Bytes())
	}
}

// difference returns the first output that is not float32 and differs, -1 for none.
func difference(a, b []tensor.Tensor) int {
	for i := range a {
		if a[i].DType() != tensor.Float32 && !bytes.Equal(a[i].Bytes(), b[i].Bytes()) {
			return i
		}
	}
	return -1
}

func checkReason(t *testing.T, err error) {
	t.Helper()
	if err != nil && (!hasReason(err) || strings.Contains(err.Error(), "\n")) {
		t.Fatalf("fails with %q", err)
	}
}

// attempt runs a model over inputs of a fixed pattern, each of its first signatures,
// and again with a longer input. It returns the first run's outputs.
func attempt(m *graph.Model, k engine.Kind) ([]tensor.Tensor, error) {
	p, err := engine.Compile(m, engine.Options{Kind: k, Threads: 1, Limits: budget, Panics: true})
	if err != nil {
		return nil, err
	}
	r, err := p.NewRunner("")
	if err != nil {
		return nil, err
	}
	if err := invokePattern(r); err != nil {
		return nil, err
	}
	var out []tensor.Tensor
	for i := range r.OutputNames() {
		t := r.OutputAt(i)
		out = append(out, tensor.Raw(t.DType(), t.Shape(), t.Quant(), bytes.Clone(t.Bytes())))
	}
	for _, s := range m.Signatures[:min(len(m.Signatures), 3)] {
		if r, err := p.NewRunner(s.Key); err != nil {
			return nil, err
		} else if err := invokePattern(r); err != nil {
			return nil, err
		}
	}
	if len(r.InputNames()) > 0 && len(r.InputAt(0).Shape()) > 0 {
		longer := r.InputAt(0).Shape().Clone()
		longer[0] = 2*longer[0] + 1
		if err = r.Resize("0", longer); err == nil {
			err = invokePattern(r)
		}
		if err != nil && (!hasReason(err) || strings.Contains(err.Error(), "\n")) {
			return nil, fmt.Errorf("resized: %w", err)
		}
	}
	return out, nil
}

// invokePattern fills the inputs and runs once, for a limited time.
func invokePattern(r *engine.Runner) error {
	for i := range r.InputNames() {
		for k := range r.InputAt(i).Bytes() {
			r.InputAt(i).Bytes()[k] = byte(7*k + i)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	return r.Invoke(ctx)
}

// FuzzEdited edits golden models where it hurts: edits holds six bytes each, which
// field of the model's tree to set (16 bits) and to what (32 bits).
func FuzzEdited(f *testing.F) {
	var models [][]byte
	for _, name := range must(conformance.Operators())(f) {
		for i, c := range must(conformance.Load(name))(f) {
			const most = 4 << 10
			if i%10 == 0 && len(c.Model) <= most {
				models = append(models, c.Model)
			}
		}
	}
	for i := range models {
		f.Add(uint16(i), []byte{byte(i), byte(i >> 2), 0xff, 0xff, 0xff, 0xff, byte(3 * i), 0, 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, which uint16, edits []byte) {
		tree := schema.Unpack(models[int(which)%len(models)])
		for ; len(edits) >= 6; edits = edits[6:] {
			edit(reflect.ValueOf(tree), int(binary.LittleEndian.Uint16(edits)), int32(binary.LittleEndian.Uint32(edits[2:])))
		}
		file, err := schema.Pack(tree)
		if err != nil {
			return
		}
		run(t, file)
	})
}

// edit sets the scalar number n of the tree v to x and returns how many scalars v
// has; the bytes of constants are none.
func edit(v reflect.Value, n int, x int32) (count int) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return edit(v.Elem(), n, x)
		}
		return 0
	case reflect.Struct:
		for i := range v.NumField() {
			count += edit(v.Field(i), n-count, x)
		}
		return count
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return 0
		}
		for i := range v.Len() {
			count += edit(v.Index(i), n-count, x)
		}
		return count
	}
	if n == 0 && v.CanSet() {
		switch {
		case v.CanInt():
			v.SetInt(int64(x)) // truncated to the field's width
		case v.CanUint():
			v.SetUint(uint64(uint32(x)))
		case v.CanFloat():
			v.SetFloat(float64(math.Float32frombits(uint32(x))))
		case v.Kind() == reflect.Bool:
			v.SetBool(x&1 == 1)
		}
	}
	return 1
}
