package dataset

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// slice is one term of a split expression in TFDS's syntax, such as
// train[:10%].
type slice struct {
	split    string
	from, to *float64 // nil: the end of the split
	percent  bool
}

var (
	termSyntax = regexp.MustCompile(`^([\w-]*)(?:\[([^\[\]]*)\])?$`)
	// A bound's integer part may have underscores between digits, as in Python.
	boundSyntax = regexp.MustCompile(`^(-?\d+(?:_\d+)*)(\.\d*)?(%)?$`)
)

// parseSplits parses slices joined by plus signs.
func parseSplits(text string) ([]slice, error) {
	var out []slice
	for _, term := range strings.Split(text, "+") {
		s, err := parseSlice(strings.TrimSpace(term))
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func parseSlice(text string) (slice, error) {
	bad := func(why string) (slice, error) {
		return slice{}, fmt.Errorf("bad slice %q: %s (train, train[10:20], train[:10%%], train[-100:], train+test are good): %w",
			text, why, tensor.ErrMalformed)
	}
	m := termSyntax.FindStringSubmatch(text)
	if m == nil {
		return bad("a split's name and a range in brackets expected")
	}
	s := slice{split: m[1]}
	if !strings.HasSuffix(text, "]") {
		return s, nil
	}
	from, to, ok := strings.Cut(m[2], ":")
	if !ok {
		return bad("no colon between the brackets")
	}
	var err error
	if s.from, err = s.bound(from); err != nil {
		return bad(err.Error())
	}
	if s.to, err = s.bound(to); err != nil {
		return bad(err.Error())
	}
	for _, b := range []*float64{s.from, s.to} {
		if b == nil {
			continue
		}
		if s.percent && math.Abs(*b) > 100 {
			return bad("more than 100 percent")
		}
		if !s.percent && *b != math.Trunc(*b) {
			return bad("a part of a sample")
		}
	}
	return s, nil
}

// bound parses one side of the colon. As in TFDS a percent sign on one side
// holds for both.
func (s *slice) bound(text string) (*float64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	m := boundSyntax.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("%q is no bound", text)
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(m[1], "_", "")+m[2], 64)
	if err != nil || math.Abs(v) > 1<<53 {
		return nil, fmt.Errorf("%q is too large", text)
	}
	s.percent = s.percent || m[3] != ""
	return &v, nil
}

// resolve returns the range of a split of n samples. Like TFDS it rounds
// percentages to the closest sample, ties to even, and refuses bounds beyond the
// split; a range without samples is an error too.
func (s slice) resolve(n int) (from, to int, err error) {
	lo, hi := 0.0, float64(n)
	if s.from != nil {
		lo = s.absolute(*s.from, n)
	}
	if s.to != nil {
		hi = s.absolute(*s.to, n)
	}
	if math.Abs(lo) > float64(n) || math.Abs(hi) > float64(n) {
		return 0, 0, fmt.Errorf("slice %v reaches beyond the %d samples: %w", s, n, tensor.ErrLimit)
	}
	if lo < 0 {
		lo += float64(n)
	}
	if hi < 0 {
		hi += float64(n)
	}
	if lo >= hi {
		return 0, 0, fmt.Errorf("slice %v of %d samples holds no sample: %w", s, n, tensor.ErrShape)
	}
	return int(lo), int(hi), nil
}

func (s slice) absolute(b float64, n int) float64 {
	if s.percent {
		return math.RoundToEven(b * float64(n) / 100)
	}
	return b
}

// String returns the slice in its syntax.
func (s slice) String() string {
	if s.from == nil && s.to == nil {
		return s.split
	}
	unit := ""
	if s.percent {
		unit = "%"
	}
	text := func(b *float64) string {
		if b == nil {
			return ""
		}
		return strconv.FormatFloat(*b, 'f', -1, 64) + unit
	}
	return s.split + "[" + text(s.from) + ":" + text(s.to) + "]"
}

// readSplits evaluates a split expression; open returns a whole split by name.
func readSplits(text string, open func(split string) (Source, error)) (Source, error) {
	terms, err := parseSplits(text)
	if err != nil {
		return nil, err
	}
	whole := map[string]Source{}
	var out []Source
	for _, t := range terms {
		if whole[t.split] == nil {
			if whole[t.split], err = open(t.split); err != nil {
				return nil, err
			}
		}
		src := whole[t.split]
		from, to, err := t.resolve(src.Len())
		if err != nil {
			return nil, err
		}
		out = append(out, Slice(src, from, to))
	}
	return Concat(out...)
}
