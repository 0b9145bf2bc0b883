package farmhash

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"testing"
)

//go:embed testdata/fingerprints.txt
var fingerprints []byte

func TestFingerprint64(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(fingerprints))
	count := 0
	for ; lines.Scan(); count++ {
		var n int
		var a, b uint64
		if _, err := fmt.Sscan(lines.Text(), &n, &a, &b); err != nil {
			t.Fatal(err)
		}
		s := make([]byte, n)
		for i := range s {
			s[i] = byte(7*i + n)
		}
		if h := Fingerprint64(s); h%(1<<63-25) != a || h%(1<<62-57) != b {
			t.Errorf("%d bytes: %#x", n, h)
		}
	}
	if count < 80 {
		t.Errorf("only %d strings", count)
	}
}
