package litequant

import (
	"context"
	"fmt"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// InterpreterOptions tune an Interpreter.
type InterpreterOptions struct {
	// NumThreads bounds the threads of an invocation; 0 uses all cores.
	NumThreads int
	// Reference uses the plain kernels, whose results are the same everywhere.
	Reference bool
	// Signature is the key of the signature to run; "" is the only one, or the
	// main subgraph.
	Signature string
}

// TensorDetails describe an input, an output or a tensor, as tf.lite's
// get_input_details does.
type TensorDetails struct {
	Name           string
	Index          int
	Shape          tensor.Shape // now
	ShapeSignature tensor.Shape // -1: may vary
	DType          tensor.DType
	Quantization   tensor.Quant
}

// Interpreter runs a .tflite file. It belongs to one goroutine at a time; share an
// engine.Program among goroutines instead.
type Interpreter struct {
	runner *engine.Runner
	model  *graph.Model
	sub    *graph.Subgraph
	ins    []graph.ValueID
	outs   []graph.ValueID
}

// NewInterpreter reads a .tflite file and prepares it for running.
func NewInterpreter(file []byte, options ...InterpreterOptions) (*Interpreter, error) {
	var o InterpreterOptions
	if len(options) > 0 {
		o = options[0]
	}
	m, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		return nil, err
	}
	kind := engine.Fast
	if o.Reference {
		kind = engine.Reference
	}
	p, err := engine.Compile(m, engine.Options{Kind: kind, Threads: o.NumThreads})
	if err != nil {
		return nil, err
	}
	r, err := p.NewRunner(o.Signature)
	if err != nil {
		return nil, err
	}
	return interpreterOf(r, m, o.Signature), nil
}

func interpreterOf(r *engine.Runner, m *graph.Model, signature string) *Interpreter {
	it := &Interpreter{runner: r, model: m, sub: m.Main(), ins: m.Main().Inputs, outs: m.Main().Outputs}
	if s, ok := m.Signature(signature); ok {
		it.sub, it.ins, it.outs = m.Subgraphs[s.Subgraph], valuesOf(s.Inputs), valuesOf(s.Outputs)
	}
	return it
}

func valuesOf(named []graph.NamedValue) []graph.ValueID {
	ids := make([]graph.ValueID, len(named))
	for i, v := range named {
		ids[i] = v.Value
	}
	return ids
}

// AllocateTensors is there for tf.lite's users and does nothing: memory is allocated
// by NewInterpreter and ResizeTensorInput.
func (it *Interpreter) AllocateTensors() error { return nil }

// ResetAllVariables puts the variables of stateful operators back to their initial
// values; resource variables stay what they are.
func (it *Interpreter) ResetAllVariables() { it.runner.ResetVariables() }

// SignatureRunner returns an interpreter of another signature, which shares resource
// variables and tables with this one.
func (it *Interpreter) SignatureRunner(signature string) (*Interpreter, error) {
	r, err := it.runner.Sibling(signature)
	if err != nil {
		return nil, err
	}
	return interpreterOf(r, it.model, signature), nil
}

// InputDetails describes the inputs.
func (it *Interpreter) InputDetails() []TensorDetails { return it.details(it.ins) }

// OutputDetails describes the outputs.
func (it *Interpreter) OutputDetails() []TensorDetails { return it.details(it.outs) }

func (it *Interpreter) details(ids []graph.ValueID) []TensorDetails {
	list := make([]TensorDetails, len(ids))
	for i, v := range ids {
		d, t := it.sub.Value(v), it.runner.Value(v)
		list[i] = TensorDetails{d.Name, int(v), t.Shape(), d.Partial(), d.DType, d.Quant}
	}
	return list
}

// ResizeTensorInput gives the i-th input another shape.
func (it *Interpreter) ResizeTensorInput(i int, s tensor.Shape) error {
	return it.runner.Resize(fmt.Sprint(i), s)
}

// SetTensor copies t, of the same type and shape, into the i-th input.
func (it *Interpreter) SetTensor(i int, t tensor.Tensor) error {
	return it.runner.SetInput(i, t)
}

// Invoke runs the model once.
func (it *Interpreter) Invoke(ctx context.Context) error { return it.runner.Invoke(ctx) }

// GetTensor returns the i-th output, valid until the next Invoke; the zero Tensor
// if there is none.
func (it *Interpreter) GetTensor(i int) tensor.Tensor {
	if i < 0 || i >= len(it.outs) {
		return tensor.Tensor{}
	}
	return it.runner.OutputAt(i)
}
