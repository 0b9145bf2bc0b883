package fusecheck

import (
	"strings"
	"testing"
)

func TestFindsOnlyTheFusedExpression(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler for other targets; skipped by -short")
	}
	for _, target := range targets {
		findings, err := find(target, []string{"./testdata/fused"})
		if err != nil {
			t.Fatal(err)
		}
		if len(findings) != 1 || !strings.Contains(findings[0], "fused.go:7") {
			t.Errorf("%v: findings %q, want one at fused.go:7", target, findings)
		}
	}
}

func TestReportsBrokenPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler; skipped by -short")
	}
	if _, err := find(targets[0], []string{"./testdata/none"}); err == nil {
		t.Error("a missing package is no error")
	}
}
