//go:build !js && !wasip1

package simd

import (
	"os/exec"
	"testing"
)

// TestGenerated fails if the assembly is not what its generator prints.
func TestGenerated(t *testing.T) {
	out, err := exec.Command("go", "-C", "../../tools/asmgen", "run", ".", "-dir", "../../internal/simd", "-check").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
