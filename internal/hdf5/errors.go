package hdf5

import (
	"fmt"

	"github.com/litequant/litequant/tensor"
)

func malformed(format string, args ...any) error   { return wrap(tensor.ErrMalformed, format, args) }
func unsupported(format string, args ...any) error { return wrap(tensor.ErrUnsupported, format, args) }
func overLimit(format string, args ...any) error   { return wrap(tensor.ErrLimit, format, args) }
func wrongType(format string, args ...any) error   { return wrap(tensor.ErrType, format, args) }
func wrongShape(format string, args ...any) error  { return wrap(tensor.ErrShape, format, args) }

func wrap(sentinel error, format string, args []any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), sentinel)
}
