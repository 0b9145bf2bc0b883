package window

import (
	"errors"
	"testing"

	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// TestAxis holds what TensorFlow's documentation of SAME and VALID computes.
func TestAxis(t *testing.T) {
	for _, c := range []struct {
		axis            Axis
		padding         fb.Padding
		in, out, before int
	}{
		{Axis{3, 1, 1}, fb.PaddingSAME, 28, 28, 1},
		{Axis{3, 2, 1}, fb.PaddingSAME, 28, 14, 0},
		{Axis{3, 2, 1}, fb.PaddingSAME, 27, 14, 1},
		{Axis{6, 5, 1}, fb.PaddingSAME, 13, 3, 1},
		{Axis{6, 5, 1}, fb.PaddingVALID, 13, 2, 0},
		{Axis{3, 1, 4}, fb.PaddingSAME, 5, 5, 4},
		{Axis{3, 1, 4}, fb.PaddingVALID, 9, 1, 0},
		{Axis{3, 1, 1}, fb.PaddingVALID, 2, 0, 0},
		{Axis{1, 3, 1}, fb.PaddingSAME, 0, 0, 0},
	} {
		out, err := c.axis.Out(c.padding, c.in)
		if err != nil || out != c.out {
			t.Errorf("%v %v over %d: %d positions (%v), want %d", c.padding, c.axis, c.in, out, err, c.out)
		}
		if before := c.axis.Before(c.in, c.out); before != c.before {
			t.Errorf("%v %v over %d: %d before, want %d", c.padding, c.axis, c.in, before, c.before)
		}
	}
	if out, err := (Axis{3, 1, 1}).Out(fb.PaddingVALID, -1); out != -1 || err != nil {
		t.Errorf("over an unknown size: %d, %v", out, err)
	}
	if _, err := (Axis{5, 1, 1}).Out(fb.PaddingVALID, 2); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("a window of 5 over 2: %v", err)
	}
}

func TestValid(t *testing.T) {
	for _, a := range []Axis{{0, 1, 1}, {1, 0, 1}, {1, 1, -1}, {1 << 21, 1, 1}} {
		if err := a.Valid(); !errors.Is(err, tensor.ErrMalformed) {
			t.Errorf("%v: %v", a, err)
		}
	}
	if err := (Axis{1 << 20, 1, 1}).Valid(); err != nil {
		t.Error(err)
	}
}
