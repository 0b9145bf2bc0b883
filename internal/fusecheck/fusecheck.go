// Package fusecheck is a test helper: it fails a test when the compiler fuses
// a multiplication and an addition in packages whose results must have the
// same bits on every CPU.
//
// Go may compile x*y + z to one fused instruction, which rounds once instead
// of twice. It does so for arm64 and for amd64 at GOAMD64=v3, not for amd64 at
// v1. An explicit conversion, float32(x*y) + z, forbids it; forgetting one is
// what this package finds. A math.FMA that the source asks for is none: it
// rounds once on every CPU.
package fusecheck

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// targets are the settings under which the compiler fuses.
var targets = [][]string{
	{"GOOS=linux", "GOARCH=arm64"},
	{"GOOS=linux", "GOARCH=amd64", "GOAMD64=v3"},
}

// fused matches the fused instructions of both architectures.
var fused = regexp.MustCompile(`\t(FN?M(ADD|SUB)[SDH]|VFN?M(ADD|SUB)\w+|VFML[AS])\t`)

// position matches the source position in a line of the compiler's listing.
var position = regexp.MustCompile(`\(([^()]+:\d+)\)`)

// Check fails t for every fused instruction in the packages, which are import
// paths or directories as `go build` takes them, relative to the test's
// directory. Instantiations of generic functions are found only in packages
// that instantiate them. It is skipped under -short, since it runs the
// compiler for each target.
func Check(t *testing.T, packages ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the compiler for other targets; skipped by -short")
	}
	for _, target := range targets {
		findings, err := find(target, packages)
		if err != nil {
			t.Errorf("%v: %v", target, err)
		}
		for _, f := range findings {
			t.Errorf("%v: %s", target, f)
		}
	}
}

// find compiles the packages for a target and returns one line for every
// fused instruction.
func find(target, packages []string) ([]string, error) {
	cmd := exec.Command("go", append([]string{"build", "-gcflags=-S", "-o", os.DevNull}, packages...)...)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), target...)
	listing, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, listing)
	}
	if !bytes.Contains(listing, []byte("STEXT")) {
		return nil, fmt.Errorf("the compiler printed no listing for %v", packages)
	}
	var findings []string
	for line := range bytes.Lines(listing) {
		if m := fused.FindSubmatch(line); m != nil {
			where := "unknown position"
			if p := position.FindSubmatch(line); p != nil {
				where = string(p[1])
			}
			if asksForFMA(where) {
				continue
			}
			findings = append(findings, fmt.Sprintf("%s at %s: convert the product", m[1], where))
		}
	}
	return findings, nil
}

// asksForFMA reports whether the source line calls math.FMA; where is file:line.
func asksForFMA(where string) bool {
	file, number, _ := strings.Cut(where, ":")
	n, err := strconv.Atoi(number)
	if err != nil {
		return false
	}
	source, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	lines := bytes.Split(source, []byte("\n"))
	return n >= 1 && n <= len(lines) && bytes.Contains(lines[n-1], []byte("math.FMA("))
}
