package dataset

import (
	"encoding/binary"

	"github.com/litequant/litequant/tensor"
)

// floats lists the float types by the bits that are all ones in infinities and
// NaNs, and by those that tell the two apart.
var floats = map[tensor.DType]struct{ exponent, fraction uint64 }{
	tensor.Float16:  {0x7c00, 0x03ff},
	tensor.BFloat16: {0x7f80, 0x007f},
	tensor.Float32:  {0x7f800000, 0x007fffff},
	tensor.Float64:  {0x7ff0000000000000, 0x000fffffffffffff},
}

// notFinite returns the first element that is NaN or infinite and which of the
// two it is, or -1.
func notFinite(t tensor.Tensor) (int, string) {
	f, ok := floats[t.DType()]
	if !ok {
		return -1, ""
	}
	b, size := t.Bytes(), t.DType().Size()
	for i := 0; i*size < len(b); i++ {
		bits := word(b[i*size:], size)
		if bits&f.exponent != f.exponent {
			continue
		}
		if bits&f.fraction != 0 {
			return i, "NaN"
		}
		return i, "Inf"
	}
	return -1, ""
}

func word(b []byte, size int) uint64 {
	switch size {
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}
