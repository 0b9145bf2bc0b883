package engine

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/litequant/litequant/tflite"
)

// TestArenaPeak compares arenas with what lies in them at the fullest moment, below
// which no layout can go.
func TestArenaPeak(t *testing.T) {
	root := os.Getenv("LITEQUANT_MODELS")
	if root == "" {
		t.Skip("LITEQUANT_MODELS does not name a folder of .tflite files")
	}
	models, tight, total, least := 0, 0, 0, 0
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".tflite" {
			return err
		}
		m, err := tflite.ReadFile(path)
		if err != nil {
			return nil // the codec's tests look at those
		}
		p, err := Compile(m, Options{})
		if err != nil {
			return nil
		}
		r, err := p.NewRunner("")
		if err != nil {
			return nil
		}
		bound := lowerBound(t, r)
		models, total, least = models+1, total+r.plan.tempAt, least+bound
		if r.plan.tempAt == bound {
			tight++
		} else {
			t.Logf("%s: %d bytes, at least %d", filepath.Base(path), r.plan.tempAt, bound)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d models, %d at the lower bound, %d bytes in all, at least %d", models, tight, total, least)
	if float64(total) > 1.05*float64(least) {
		t.Errorf("%d bytes, the lower bound is %d", total, least)
	}
}

// lowerBound is the size of all that is alive at the fullest step.
func lowerBound(t *testing.T, r *Runner) int {
	p := *r.plan
	blocks, _, err := p.liveBlocks(r.sub)
	if err != nil {
		t.Fatal(err)
	}
	at := make([]int, len(r.sub.steps)+1)
	for _, b := range blocks {
		for i := b.first; i <= b.last; i++ {
			at[i] += b.size
		}
	}
	most := 0
	for _, n := range at {
		most = max(most, n)
	}
	return most
}
