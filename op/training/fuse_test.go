package training

import (
	"testing"

	"github.com/litequant/litequant/internal/fusecheck"
)

func TestNoFusedInstructions(t *testing.T) { fusecheck.Check(t, ".") }
