// Package window holds the geometry of sliding windows that convolutions and
// pools share: output sizes and the padding before the first element.
package window

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// Axis is a window sliding along one spatial axis.
type Axis struct {
	Kernel, Stride, Dilation int
}

// Extent is the number of elements a dilated window spans.
func (a Axis) Extent() int { return (a.Kernel-1)*a.Dilation + 1 }

// Valid reports whether the numbers make a window.
func (a Axis) Valid() error {
	const most = 1 << 20 // an int32 holds a window's extent, with the check below
	for _, v := range []struct {
		name string
		n    int
	}{{"kernel size", a.Kernel}, {"stride", a.Stride}, {"dilation", a.Dilation}} {
		if v.n < 1 || v.n > most {
			return fmt.Errorf("%s %d: %w", v.name, v.n, tensor.ErrMalformed)
		}
	}
	if int64(a.Kernel)*int64(a.Dilation) > 1<<30 {
		return fmt.Errorf("window of %d at dilation %d: %w", a.Kernel, a.Dilation, tensor.ErrLimit)
	}
	return nil
}

// Out returns the number of positions along an axis of in elements; -1 stays -1.
func (a Axis) Out(p fb.Padding, in int) (int, error) {
	if in < 0 {
		return -1, nil
	}
	out := (in + a.Stride - 1) / a.Stride
	if p == fb.PaddingVALID {
		out = (in + a.Stride - a.Extent()) / a.Stride
	}
	if out < 0 {
		return 0, fmt.Errorf("a window of %d does not fit into %d: %w", a.Extent(), in, tensor.ErrShape)
	}
	return out, nil
}

// Spread returns the number of elements n windows side by side cover, n·step; -1
// stays -1.
func Spread(n, step int) (int, error) {
	switch {
	case n < 0:
		return -1, nil
	case n > math.MaxInt32/step:
		return 0, fmt.Errorf("%d windows of %d: %w", n, step, tensor.ErrLimit)
	}
	return n * step, nil
}

// Before returns the padding before the first element: half of what is needed,
// rounded down. It is computed from the sizes, as TFLite does, for VALID too.
func (a Axis) Before(in, out int) int {
	return max(0, (out-1)*a.Stride+a.Extent()-in) / 2
}
