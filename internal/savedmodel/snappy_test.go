package savedmodel

import (
	"bytes"
	"errors"
	"testing"

	"github.com/golang/snappy"

	"github.com/litequant/litequant/tensor"
)

func TestUncompressed(t *testing.T) {
	plain := bytes.Repeat([]byte("layer-1/kernel"), 50)
	for compression, block := range map[byte][]byte{0: plain, 1: snappy.Encode(nil, plain)} {
		if got, err := uncompressed(block, compression); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("compression %d: %d bytes, %v", compression, len(got), err)
		}
	}
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // claims 4 GiB
	for name, c := range map[string]struct {
		block       []byte
		compression byte
		want        error
	}{
		"huge":    {huge, 1, tensor.ErrMalformed},
		"broken":  {[]byte{10, 0xff}, 1, tensor.ErrMalformed},
		"unknown": {plain, 2, tensor.ErrUnsupported},
	} {
		if _, err := uncompressed(c.block, c.compression); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
