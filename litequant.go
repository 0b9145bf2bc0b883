// Package litequant converts, quantizes and runs TensorFlow Lite models under
// tf.lite's own names: a Converter with Optimizations, RepresentativeDataset,
// TargetSpec and inference types, and an Interpreter. It is a thin layer over the
// packages that do the work (keras, hub, quantize, engine, evaluate, …), which
// offer more.
package litequant

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/lower"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/quantize"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// Error is a failure with its place: file, subgraph, node, value and the layers
// they come from.
type Error = graph.Error

// The reasons of failures, for errors.Is; several problems come joined.
var (
	ErrUnsupported = tensor.ErrUnsupported
	ErrMalformed   = tensor.ErrMalformed
	ErrLimit       = tensor.ErrLimit
	ErrShape       = tensor.ErrShape
	ErrType        = tensor.ErrType
)

// Optimize is an optimisation the Converter may apply.
type Optimize int

// OptimizeDefault quantizes: dynamic range, or fully with representative data.
const OptimizeDefault Optimize = iota

// OpsSet is a set of operators the converted model may use.
type OpsSet int

const (
	// TFLiteBuiltins are TFLite's operators.
	TFLiteBuiltins OpsSet = iota
	// TFLiteBuiltinsInt8 are their integer forms only.
	TFLiteBuiltinsInt8
	// TFLiteBuiltinsActivationsInt16WeightsInt8 are the 16x8 forms; together with
	// TFLiteBuiltins, operators without one stay float.
	TFLiteBuiltinsActivationsInt16WeightsInt8
)

// TargetSpec says what the converted model's runtime offers.
type TargetSpec struct {
	SupportedOps []OpsSet
	// SupportedTypes may name Float16: constants are then stored as float16.
	SupportedTypes []tensor.DType
}

// Converter turns a model into a .tflite file. The zero values of its fields make
// a float model.
type Converter struct {
	Optimizations         []Optimize
	RepresentativeDataset dataset.Source
	TargetSpec            TargetSpec
	// InferenceInputType and InferenceOutputType are the element types of inputs
	// and outputs: float32 (the zero value), int8, uint8 or int16.
	InferenceInputType  tensor.DType
	InferenceOutputType tensor.DType

	load func(ctx context.Context) (*graph.Model, error)
}

// FromKeras converts a Keras model.
func FromKeras(m *keras.Model) *Converter {
	return &Converter{load: func(context.Context) (*graph.Model, error) {
		g, err := m.Graph()
		if err != nil {
			return nil, err
		}
		return lower.Graph(g, lower.Options{Signature: savedmodel.DefaultSignature, Source: fb.ModelTypeKERAS_MODEL})
	}}
}

// FromSavedModel converts the signature "serving_default", or the only one, of a
// SavedModel directory.
func FromSavedModel(dir string) *Converter {
	return &Converter{load: func(context.Context) (*graph.Model, error) {
		m, err := savedmodel.Load(os.DirFS(dir), ".", nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		g, err := savedmodel.Freeze(m, "")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		return lower.Graph(g, lower.Options{Signature: savedmodel.DefaultSignature})
	}}
}

// FromFrozenGraph converts a frozen GraphDef (.pb). Without arrays, inputs are its
// placeholders and outputs what nothing reads.
func FromFrozenGraph(file string, inputs, outputs []string) *Converter {
	return &Converter{load: func(context.Context) (*graph.Model, error) {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		m, err := savedmodel.ParseGraphDef(file, raw)
		if err != nil {
			return nil, err
		}
		g, err := savedmodel.FreezeArrays(m, inputs, outputs)
		if err != nil {
			return nil, err
		}
		return lower.Graph(g, lower.Options{})
	}}
}

// FromFile starts from a float .tflite file, to quantize it.
func FromFile(name string) *Converter {
	return &Converter{load: func(context.Context) (*graph.Model, error) { return tflite.ReadFile(name) }}
}

// Convert returns the .tflite file.
func (c *Converter) Convert(ctx context.Context) ([]byte, error) {
	m, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	if len(c.Optimizations) > 0 {
		r := quantize.Recipe{Scheme: c.scheme(), InputType: c.InferenceInputType, OutputType: c.InferenceOutputType}
		if m, _, err = quantize.Model(ctx, m, r, c.RepresentativeDataset); err != nil {
			return nil, err
		}
	} else if c.InferenceInputType != tensor.Float32 || c.InferenceOutputType != tensor.Float32 {
		return nil, fmt.Errorf("inference types %v and %v need Optimizations: %w", c.InferenceInputType, c.InferenceOutputType, ErrUnsupported)
	}
	return tflite.Encode(m)
}

// scheme reads TensorFlow's way of asking for a scheme.
func (c *Converter) scheme() quantize.Scheme {
	ops := c.TargetSpec.SupportedOps
	builtins := len(ops) == 0 || slices.Contains(ops, TFLiteBuiltins)
	switch {
	case slices.Contains(c.TargetSpec.SupportedTypes, tensor.Float16):
		return quantize.Float16
	case c.RepresentativeDataset == nil:
		return quantize.Dynamic
	case slices.Contains(ops, TFLiteBuiltinsActivationsInt16WeightsInt8) && builtins:
		return quantize.Int16x8Fallback
	case slices.Contains(ops, TFLiteBuiltinsActivationsInt16WeightsInt8):
		return quantize.Int16x8
	case builtins:
		return quantize.Int8
	}
	return quantize.Int8Only
}
