package all

import (
	"testing"

	"github.com/litequant/litequant/internal/fusecheck"
)

// TestNoFusedInstructions covers package op and every family.
func TestNoFusedInstructions(t *testing.T) { fusecheck.Check(t, "../...") }
