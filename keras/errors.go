package keras

import (
	"fmt"

	"github.com/litequant/litequant/tensor"
)

func unsupported(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, tensor.ErrUnsupported)...)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, tensor.ErrMalformed)...)
}

func shapeErr(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, tensor.ErrShape)...)
}

// layerError says which layer a problem is about.
func layerError(name, class string, err error) error {
	return fmt.Errorf("layer %q (%s): %w", name, class, err)
}
