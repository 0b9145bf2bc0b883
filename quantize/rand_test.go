package quantize

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/litequant/litequant/calibrate"
)

func TestRandTemp(t *testing.T) {
	files, _ := filepath.Glob("/tmp/q/rand/*.zip")
	for _, f := range files {
		fs := unzip(t, f)
		for file := range fs {
			if r, ok := recipes[file]; ok {
				t.Run(filepath.Base(f)+"/"+file, func(t *testing.T) { compareWith(t, fs, file, r) })
			}
		}
	}
}

func TestRandCal(t *testing.T) {
	files, _ := filepath.Glob("/tmp/q/rand/*.zip")
	n := 0
	for _, f := range files {
		fs := unzip(t, f)
		m := decode(t, fs["float.tflite"])
		if !supported(m) {
			continue
		}
		n++
		t.Run(filepath.Base(f), func(t *testing.T) {
			stats, err := calibrate.Run(context.Background(), m, samples(t, fs), calibrate.Options{})
			if err != nil {
				t.Fatal(err)
			}
			sameRanges(t, stats, fs["calibration.json"])
		})
	}
	t.Log(n, "networks")
}
