package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
)

// A cancelled command says so in one line and leaves no half-written file.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"demo", "--out", dir}, strings.NewReader(""), &stdout, &stderr)
	if code != exitFailed || stderr.String() != "litequant: interrupted\n" {
		t.Errorf("exit %d, stderr %q", code, stderr.String())
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}

// Every command has help with an example, and flags in kebab-case.
func TestHelp(t *testing.T) {
	a := &app{}
	for _, newCommand := range commands {
		c := newCommand(a)
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s has no help", c.Name())
		}
	}
}

func TestProblems(t *testing.T) {
	a, b := errors.New("a is\nwrong"), fmt.Errorf("b: %w", tensor.ErrShape)
	joined := errors.Join(a, b)
	cases := []struct {
		err  error
		want []string
	}{
		{a, []string{"a is wrong"}},
		{joined, []string{"a is wrong", "b: wrong shape"}},
		{fmt.Errorf("f.h5: %w; hint", joined), []string{"f.h5: a is wrong; hint", "f.h5: b: wrong shape; hint"}},
		{&graph.Error{File: "f", Err: errors.Join(joined, a)}, []string{"f: a is wrong", "f: b: wrong shape", "f: a is wrong"}},
		{fmt.Errorf("%w: %w", a, tensor.ErrType), []string{"a is wrong: wrong element type"}},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, []string{"x: file does not exist"}},
		{in("x", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}), []string{"x: file does not exist"}},
		{in("x", in("x", a)), []string{"x: a is wrong"}},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, problems(c.err)); diff != "" {
			t.Errorf("%q: %s", c.err, diff)
		}
	}
}

// A panic is one line, too.
func TestPanic(t *testing.T) {
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"ops"}, nil, panicker{}, &stderr)
	if code != exitFailed || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "internal error") {
		t.Errorf("exit %d, stderr %q", code, stderr.String())
	}
}

// A full disk behind stdout is a failure.
func TestFullStdout(t *testing.T) {
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"ops"}, nil, full{}, &stderr)
	if code != exitFailed || stderr.String() != "litequant: stdout: disk is full\n" {
		t.Errorf("exit %d, stderr %q", code, stderr.String())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

type panicker struct{}

func (panicker) Write([]byte) (int, error) { panic("no") }

// Commands that fail while they write leave the old file as it was.
func TestAtomic(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := &output{app: &app{}, path: name, force: true}
	err := o.save(func(name string) error {
		return errors.Join(os.WriteFile(name, []byte("half"), 0o644), errors.New("disk is full"))
	})
	got, _ := os.ReadFile(name)
	if err == nil || string(got) != "old" {
		t.Errorf("%v, file %q", err, got)
	}
	if err := o.bytes([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(name); string(got) != "new" {
		t.Errorf("file %q", got)
	}
}

func TestNumbers(t *testing.T) {
	inf := math.Inf(1)
	for v, want := range map[number]string{0.1: "0.1", 1e-9: "1e-09", number(inf): `"Infinity"`, number(-inf): `"-Infinity"`} {
		if b, err := v.MarshalJSON(); err != nil || string(b) != want {
			t.Errorf("%v: %s, %v", float64(v), b, err)
		}
	}
	if b, _ := number32(0.1).MarshalJSON(); string(b) != "0.1" {
		t.Errorf("float32: %s", b)
	}
	if b, _ := number32(nan).MarshalJSON(); string(b) != `"NaN"` {
		t.Errorf("NaN: %s", b)
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -123: "-123"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
