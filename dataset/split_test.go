package dataset

import (
	"strings"
	"testing"
)

// The ranges are those of tensorflow_datasets' ReadInstruction.
func TestSlice(t *testing.T) {
	for _, c := range []struct {
		text     string
		n        int
		from, to int
	}{
		{"train", 100, 0, 100},
		{"train[:]", 100, 0, 100},
		{"train[:100]", 100, 0, 100},
		{"train[10:20]", 100, 10, 20},
		{"train[10:]", 100, 10, 100},
		{"train[-100:]", 60000, 59900, 60000},
		{"train[:-100]", 60000, 0, 59900},
		{"train[-20:-10]", 100, 80, 90},
		{"train[1_0:2_0]", 100, 10, 20},
		{"train[:10%]", 60000, 0, 6000},
		{"train[25%:75%]", 10, 2, 8}, // 2.5 and 7.5, ties to even
		{"train[35%:]", 10, 4, 10},   // 3.5
		{"train[-5%:]", 1000, 950, 1000},
		{"train[:-5%]", 1000, 0, 950},
		{"train[:0.5%]", 1000, 0, 5},
		{"train[10:20%]", 1000, 100, 200}, // one percent sign holds for both
		{"train[33%:66%]", 999, 330, 659},
		{"my-split[:1]", 3, 0, 1},
		{"[:1]", 3, 0, 1},
		{"train[ 1 : 2 ]", 3, 1, 2},
	} {
		s, err := parseSlice(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if from, to, err := s.resolve(c.n); from != c.from || to != c.to || err != nil {
			t.Errorf("%s of %d is %d:%d, %v; want %d:%d", c.text, c.n, from, to, err, c.from, c.to)
		}
	}
}

func TestSliceRejects(t *testing.T) {
	for text, want := range map[string]string{
		"train[": "name and a range", "train]": "name and a range", "train[5]": "no colon", "train[]": "no colon",
		"train[1:2:3]": "no bound", "train[a:]": "no bound", "train[1.5:]": "part of a sample", "train[:101%]": "more than 100",
		"train[:_1]": "no bound", "train[:1shard]": "no bound", "train[:1][:1]": "name and a range", "tr ain": "name and a range",
		"train[:99999999999999999999]": "too large", "train[:0]": "holds no sample", "train[3:3]": "holds no sample",
		"train[5:2]": "holds no sample", "train[:11]": "beyond the 10", "train[-11:]": "beyond the 10", "train[:0.1%]": "holds no sample",
	} {
		s, err := parseSlice(text)
		if err == nil {
			_, _, err = s.resolve(10)
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzSliceSyntax(f *testing.F) {
	for _, text := range []string{"train", "train[:100]", "train[10:20]+test", "a[-5%:.5%]", "x[1_0:]", "[:1]", "train[", "+", "t[:1e9]"} {
		f.Add(text, 100)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		terms, err := parseSplits(text)
		if err != nil || n < 0 || n > 1<<40 {
			return
		}
		for _, s := range terms {
			from, to, err := s.resolve(n)
			if err != nil {
				continue
			}
			if from < 0 || from >= to || to > n {
				t.Fatalf("%q of %d is %d:%d", text, n, from, to)
			}
			again, err := parseSlice(s.String())
			if err != nil {
				t.Fatalf("%q prints as %q: %v", text, s, err)
			}
			if a, b, err := again.resolve(n); a != from || b != to || err != nil {
				t.Fatalf("%q of %d is %d:%d, printed %q it is %d:%d, %v", text, n, from, to, s, a, b, err)
			}
		}
	})
}
