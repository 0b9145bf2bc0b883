package dataset

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// Preprocessing turns stored values into a network's: a list of steps, each one
// float32 operation an element. The zero value is "none".
type Preprocessing struct{ steps []step }

// step is x op values[c], where c is the element's index on the last axis if
// there are several values, else 0.
type step struct {
	op     *operation
	text   string
	values []float32
}

// operation is one kind of step.
type operation struct {
	prefix string
	scales bool // maps pixels to a small range; only one step may
	apply  func(x, v float32) float32
}

// ParsePreprocessing parses steps separated by commas, applied left to right:
//
//	none                    the values as they are stored
//	/255                    x / 255 (any positive number)
//	[-1,1]                  x / 127.5 - 1, Keras's "tf" mode
//	[0,1]                   x / 255
//	mean=0.1 mean=0.4,0.5,0.6    x - mean, one value or one a channel (last axis)
//	std=0.3  std=0.2,0.2,0.3     x / std
//
// Each operation rounds to float32, as NumPy does on float32 arrays.
func ParsePreprocessing(text string) (Preprocessing, error) {
	var p Preprocessing
	if t := strings.TrimSpace(text); t == "" || t == "none" {
		return p, nil
	}
	for _, token := range tokens(text) {
		if err := p.add(token); err != nil {
			return Preprocessing{}, fmt.Errorf("preprocessing %q: %w", text, err)
		}
	}
	scaled := 0
	for i, s := range p.steps {
		if p.steps[i].text = s.String(); s.op.scales {
			scaled++
		}
	}
	if scaled > 1 {
		return Preprocessing{}, fmt.Errorf("preprocessing %q: scaled more than once: %w", text, tensor.ErrMalformed)
	}
	return p, nil
}

// tokens splits at the commas outside brackets.
func tokens(text string) []string {
	var out []string
	from, depth := 0, 0
	for i, c := range text {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(text[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(text[from:]))
}

func divide(x, v float32) float32   { return x / v }
func subtract(x, v float32) float32 { return x - v }

var (
	over = &operation{"/", true, divide}
	mean = &operation{"mean=", false, subtract}
	std  = &operation{"std=", false, divide}
	unit = &operation{"[-1,1]", true, func(x, _ float32) float32 { return x/127.5 - 1 }}
)

// add parses one step, or one more channel of the step before it.
func (p *Preprocessing) add(token string) error {
	switch compact := strings.ReplaceAll(token, " ", ""); compact {
	case "[-1,1]":
		p.steps = append(p.steps, step{op: unit, values: []float32{0}})
		return nil
	case "[0,1]":
		p.steps = append(p.steps, step{op: over, values: []float32{255}})
		return nil
	}
	for _, op := range []*operation{over, mean, std} {
		if number, ok := strings.CutPrefix(token, op.prefix); ok {
			p.steps = append(p.steps, step{op: op})
			return p.addValue(number)
		}
	}
	if n := len(p.steps); n > 0 && (p.steps[n-1].op == mean || p.steps[n-1].op == std) {
		return p.addValue(token)
	}
	return fmt.Errorf("unknown step %q; known are none, /N, [0,1], [-1,1], mean=, std=: %w", token, tensor.ErrUnsupported)
}

func (p *Preprocessing) addValue(number string) error {
	s := &p.steps[len(p.steps)-1]
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 32)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%q is no number: %w", number, tensor.ErrMalformed)
	}
	if s.op != mean && float32(v) <= 0 {
		return fmt.Errorf("%s%s is not positive: %w", s.op.prefix, number, tensor.ErrMalformed)
	}
	s.values = append(s.values, float32(v))
	return nil
}

// String returns the step in the form that parses to itself.
func (s step) String() string {
	if s.op == unit {
		return unit.prefix
	}
	numbers := make([]string, len(s.values))
	for i, v := range s.values {
		numbers[i] = strconv.FormatFloat(float64(v), 'g', -1, 32)
	}
	return s.op.prefix + strings.Join(numbers, ",")
}

// String returns the canonical text, "none" for no steps; it parses back to the
// same steps.
func (p Preprocessing) String() string {
	if len(p.steps) == 0 {
		return "none"
	}
	texts := make([]string, len(p.steps))
	for i, s := range p.steps {
		texts[i] = s.text
	}
	return strings.Join(texts, ",")
}

// Preprocess returns src with p applied to every input: the values become
// float32, and Spec records p. Without steps src itself is returned.
func Preprocess(src Source, p Preprocessing) (Source, error) {
	if len(p.steps) == 0 {
		return src, nil
	}
	spec := src.Spec()
	if spec.Preprocess != "" && spec.Preprocess != "none" {
		return nil, fmt.Errorf("data preprocessed by %s already: %w", spec.Preprocess, tensor.ErrUnsupported)
	}
	converts := make([]convert, len(spec.Inputs))
	fields := make([]Field, len(spec.Inputs))
	for i, f := range spec.Inputs {
		c, err := p.convert(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		converts[i], fields[i] = c, Field{f.Name, tensor.Float32, f.Shape}
	}
	spec.Inputs, spec.Preprocess = fields, p.String()
	return withConverts(src, spec, converts), nil
}

// withConverts applies conversions to a source; those it has come first.
func withConverts(src Source, spec Spec, converts []convert) Source {
	t, ok := src.(*table)
	if !ok {
		return mapInputs(src, spec, converts)
	}
	for k, c := range t.converts {
		if c != nil && converts[k] != nil {
			return mapInputs(src, spec, converts)
		}
	}
	u := *t
	u.spec, u.converts = spec, append([]convert(nil), t.converts...)
	for k, c := range converts {
		if c != nil {
			u.converts[k] = c
		}
	}
	return &u
}

// convert makes the conversion of one field.
func (p Preprocessing) convert(f Field) (convert, error) {
	channels := 1
	if n := len(f.Shape); n > 0 {
		channels = f.Shape[n-1]
	}
	used := 1
	for _, s := range p.steps {
		if n := len(s.values); n > 1 {
			if n != channels {
				return nil, fmt.Errorf("%s has %d values, data of shape %v has %d channels: %w", s.text, n, f.Shape, channels, tensor.ErrShape)
			}
			used = n
		}
	}
	if f.DType == tensor.UInt8 {
		return p.lookup(used), nil
	}
	cast, err := toFloat32(f)
	if err != nil {
		return nil, err
	}
	return func(dst, src []byte) {
		cast(dst, src)
		for i, x := range tensor.View[float32](dst) {
			tensor.View[float32](dst)[i] = p.apply(x, i%used)
		}
	}, nil
}

// apply computes one element.
func (p Preprocessing) apply(x float32, channel int) float32 {
	for _, s := range p.steps {
		v := s.values[0]
		if len(s.values) > 1 {
			v = s.values[channel]
		}
		x = s.op.apply(x, v)
	}
	return x
}

// lookup converts bytes by a table of the 256 results for each channel.
func (p Preprocessing) lookup(channels int) convert {
	tables := make([][256]float32, channels)
	for c := range tables {
		for x := range tables[c] {
			tables[c][x] = p.apply(float32(x), c)
		}
	}
	if channels == 1 {
		results := &tables[0]
		return func(dst, src []byte) {
			out := tensor.View[float32](dst)[:len(src)]
			for i, x := range src {
				out[i] = results[x]
			}
		}
	}
	return func(dst, src []byte) {
		out := tensor.View[float32](dst)[:len(src)]
		for i, x := range src {
			out[i] = tables[i%channels][x]
		}
	}
}

// toFloat32 returns the conversion of a field's elements to float32, rounded to
// nearest as NumPy's astype does.
func toFloat32(f Field) (convert, error) {
	if f.DType == tensor.Float32 {
		return func(dst, src []byte) { copy(dst, src) }, nil
	}
	one, err := tensor.Zeros(f.DType, tensor.Shape{1})
	if err != nil || one.Float32s() == nil {
		return nil, fmt.Errorf("%v values as float32: %w", f.DType, tensor.ErrType)
	}
	return func(dst, src []byte) {
		copy(tensor.View[float32](dst), tensor.Raw(f.DType, f.Shape, tensor.Quant{}, src).Float32s())
	}, nil
}
