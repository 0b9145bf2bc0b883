package conformance

import (
	"cmp"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/tflite"
)

// planned is what a child process that plans and runs one model once reports.
type planned struct{ Milliseconds float64 }

// planModel makes this binary such a child.
const planModel = "LITEQUANT_PLAN_MODEL"

// lite is the same in Python, with LiteRT's default kernels and one thread.
const lite = `
import json, sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter
t = time.perf_counter()
if sys.argv[1]:
    it = Interpreter(sys.argv[1], num_threads=1)
    it.allocate_tensors()
ms = (time.perf_counter() - t) * 1000
if sys.argv[1]:
    it.invoke()
print(json.dumps({"Milliseconds": ms}))
`

// TestPlan compares the time from a file to a runner that is ready, and the memory
// that one invocation adds to an idle process, with LiteRT's for the three largest
// models under LITEQUANT_MODELS. It reports, and fails only where memory is more
// than twice LiteRT's.
func TestPlan(t *testing.T) {
	if path, ok := os.LookupEnv(planModel); ok {
		planOnce(t, path)
		return
	}
	root, python := os.Getenv("LITEQUANT_MODELS"), os.Getenv("LITEQUANT_PYTHON")
	if root == "" || python == "" {
		t.Skip("LITEQUANT_MODELS and LITEQUANT_PYTHON do not name a folder of models and a Python with ai-edge-litert")
	}
	ours := func(model string) *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestPlan$")
		c.Env = append(os.Environ(), planModel+"="+model)
		return c
	}
	theirs := func(model string) *exec.Cmd { return exec.Command(python, "-c", lite, model) }
	_, idle := best(t, ours, "")
	_, liteIdle := best(t, theirs, "")
	for _, path := range largest(t, root, 3) {
		ms, kb := best(t, ours, path)
		liteMS, liteKB := best(t, theirs, path)
		kb, liteKB = kb-idle, liteKB-liteIdle
		t.Logf("%s: planned in %.2f ms, LiteRT %.2f ms, ratio %.2f; memory %d KiB, LiteRT %d KiB, ratio %.2f",
			filepath.Base(path), ms, liteMS, ms/liteMS, kb, liteKB, float64(kb)/float64(liteKB))
		if kb > 2*liteKB {
			t.Errorf("%s: more than twice LiteRT's memory", filepath.Base(path))
		}
	}
}

// planOnce is the child: "" stands for no model at all.
func planOnce(t *testing.T, path string) {
	var p planned
	if path != "" {
		start := time.Now()
		m, err := tflite.Map(path) // as LiteRT does
		if err != nil {
			t.Fatal(err)
		}
		program, err := engine.Compile(m.Model, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		r, err := program.NewRunner("")
		if err != nil {
			t.Fatal(err)
		}
		p.Milliseconds = float64(time.Since(start).Microseconds()) / 1000
		if err := r.Invoke(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(p); err != nil {
		t.Fatal(err)
	}
}

// best is the shortest time and the least peak memory in KiB of a few processes.
func best(t *testing.T, command func(model string) *exec.Cmd, model string) (ms float64, kb int64) {
	const tries = 5
	for i := range tries {
		c := command(model)
		pipe, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var p planned
		decodeErr := json.NewDecoder(pipe).Decode(&p)
		if err := cmp.Or(c.Wait(), decodeErr); err != nil {
			t.Fatal(err)
		}
		peak := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
		if i == 0 || p.Milliseconds < ms {
			ms = p.Milliseconds
		}
		if i == 0 || peak < kb {
			kb = peak
		}
	}
	return ms, kb
}

func largest(t *testing.T, root string, n int) []string {
	size := map[string]int64{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".tflite" {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size[path] = info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	paths := make([]string, 0, len(size))
	for p := range size {
		paths = append(paths, p)
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(cmp.Compare(size[b], size[a]), cmp.Compare(a, b)) })
	return paths[:min(n, len(paths))]
}
