package quantize

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/litequant/litequant/calibrate"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Scheme names a way to quantize.
type Scheme string

const (
	// Dynamic stores large weights as int8; activations stay float between
	// operators and are quantized inside them at run time.
	Dynamic Scheme = "dynamic"
	// Float16 stores constants as float16.
	Float16 Scheme = "float16"
	// Int8 computes in int8; operators without an integer form stay float.
	Int8 Scheme = "int8"
	// Int8Only is Int8 without float operators.
	Int8Only Scheme = "int8-only"
	// Int16x8 computes with int16 activations and int8 weights only.
	Int16x8 Scheme = "int16x8"
	// Int16x8Fallback is Int16x8 in which operators without a 16x8 form stay float.
	Int16x8Fallback Scheme = "int16x8-fallback"
)

// row is what a scheme is.
type row struct {
	scheme  Scheme
	aliases []string // of the AI Edge quantizer's recipes
	rewrite func(*job) error
	data    bool // needs representative data
	strict  bool // refuses float operators
	io      []tensor.DType
	mode    fb.ModelOptimizationMode
}

// schemes is the one table of schemes.
var schemes = []row{
	{Dynamic, []string{"dynamic_wi8_afp32", "dynamic_legacy_wi8_afp32"}, (*job).dynamic, false, false,
		[]tensor.DType{tensor.Float32}, fb.ModelOptimizationModePTQ_DYNAMIC_RANGE},
	{Float16, nil, (*job).float16, false, false,
		[]tensor.DType{tensor.Float32}, fb.ModelOptimizationModePTQ_FLOAT16},
	{Int8, []string{"static_wi8_ai8"}, (*job).int8, true, false,
		[]tensor.DType{tensor.Float32, tensor.Int8, tensor.UInt8}, fb.ModelOptimizationModePTQ_FULL_INTEGER},
	{Int8Only, nil, (*job).int8, true, true,
		[]tensor.DType{tensor.Float32, tensor.Int8, tensor.UInt8}, fb.ModelOptimizationModePTQ_FULL_INTEGER},
	{Int16x8, nil, (*job).int16x8, true, true,
		[]tensor.DType{tensor.Float32, tensor.Int16}, fb.ModelOptimizationModePTQ_INT16},
	{Int16x8Fallback, []string{"static_wi8_ai16"}, (*job).int16x8, true, false,
		[]tensor.DType{tensor.Float32, tensor.Int16}, fb.ModelOptimizationModePTQ_INT16},
}

// Schemes lists the schemes.
func Schemes() []Scheme {
	list := make([]Scheme, len(schemes))
	for i := range schemes {
		list[i] = schemes[i].scheme
	}
	return list
}

// ParseScheme returns the scheme of a name: the scheme's own, or the AI Edge
// quantizer's name of the recipe that does the same.
func ParseScheme(name string) (Scheme, error) {
	for _, s := range schemes {
		if name == string(s.scheme) || slices.Contains(s.aliases, name) {
			return s.scheme, nil
		}
	}
	return "", fmt.Errorf("unknown scheme %q, want one of %s: %w", name, names(Schemes()), tensor.ErrUnsupported)
}

func names[T fmt.Stringer](list []T) string {
	s := make([]string, len(list))
	for i, v := range list {
		s[i] = v.String()
	}
	return strings.Join(s, ", ")
}

// String returns the scheme's name.
func (s Scheme) String() string { return string(s) }

// NeedsData reports whether the scheme takes representative data or statistics.
func (s Scheme) NeedsData() bool {
	r, err := s.row()
	return err == nil && r.data
}

func (s Scheme) row() (row, error) {
	for _, r := range schemes {
		if r.scheme == s {
			return r, nil
		}
	}
	_, err := ParseScheme(string(s))
	return row{}, err
}

// Recipe says how a model is quantized. Only Scheme must be given.
type Recipe struct {
	Scheme Scheme
	// InputType and OutputType are the element types of the model's real-valued
	// inputs and outputs: float32 (the zero value), int8 and uint8 for the int8
	// schemes, int16 for the 16x8 ones. What has no integer form because float
	// operators are at it stays float in the int8 schemes and is an error in the
	// 16x8 ones.
	InputType, OutputType tensor.DType
	// PerTensorDense gives the weights of fully connected layers one scale
	// instead of one a unit (TensorFlow's
	// _experimental_disable_per_channel_quantization_for_dense_layers, and what
	// TensorFlow did before 2.15).
	PerTensorDense bool
	// Exclude lists regular expressions; operators of which a result's name or an
	// origin matches one stay float.
	Exclude []string
	// Calibrate tunes Model's calibration.
	Calibrate calibrate.Options
	// Operators is the set the model uses; nil stands for all of TFLite's.
	Operators *op.Set
}

// check returns the scheme's row and the compiled Exclude.
func (r *Recipe) check() (row, []*regexp.Regexp, error) {
	s, err := r.Scheme.row()
	if err != nil {
		return s, nil, err
	}
	for _, d := range []struct {
		what string
		t    tensor.DType
	}{{"input", r.InputType}, {"output", r.OutputType}} {
		if !slices.Contains(s.io, d.t) {
			return s, nil, fmt.Errorf("%s type %v with scheme %s, want one of %s: %w", d.what, d.t, s.scheme, names(s.io), tensor.ErrUnsupported)
		}
	}
	var exclude []*regexp.Regexp
	for _, e := range r.Exclude {
		x, err := regexp.Compile(e)
		if err != nil {
			return s, nil, fmt.Errorf("exclude: %w: %w", err, tensor.ErrMalformed)
		}
		exclude = append(exclude, x)
	}
	return s, exclude, nil
}
