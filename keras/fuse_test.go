package keras

import (
	"testing"

	"github.com/litequant/litequant/internal/fusecheck"
)

// Initializers give the same weights on every CPU.
func TestNoFusedInstructions(t *testing.T) { fusecheck.Check(t, ".") }
