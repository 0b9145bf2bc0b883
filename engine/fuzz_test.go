package engine_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
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
	f.Fuzz(func(t *testing.T, file []byte) {
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
		for i := range reference {
			if reference[i].DType() != tensor.Float32 && !bytes.Equal(reference[i].Bytes(), fast[i].Bytes()) {
				t.Errorf("output %d: reference %x, fast %x", i, reference[i].Bytes(), fast[i].Bytes())
			}
		}
	})
}

func checkReason(t *testing.T, err error) {
	t.Helper()
	if err != nil && (!hasReason(err) || strings.Contains(err.Error(), "\n")) {
		t.Fatalf("fails with %q", err)
	}
}

// attempt runs a model over inputs of a fixed pattern.
func attempt(m *graph.Model, k engine.Kind) ([]tensor.Tensor, error) {
	p, err := engine.Compile(m, engine.Options{Kind: k, Threads: 1, Limits: engine.Limits{Bytes: 1 << 22}})
	if err != nil {
		return nil, err
	}
	r, err := p.NewRunner("")
	if err != nil {
		return nil, err
	}
	for i := range r.InputNames() {
		for k := range r.InputAt(i).Bytes() {
			r.InputAt(i).Bytes()[k] = byte(7*k + i)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := r.Invoke(ctx); err != nil {
		return nil, err
	}
	var out []tensor.Tensor
	for i := range r.OutputNames() {
		out = append(out, r.OutputAt(i))
	}
	return out, nil
}
