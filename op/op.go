// Package op says what an operator means. Each operator is one row, a Def: its
// operands, its shape rule, its file version, how it is quantized and a reference
// kernel in the plainest Go. Everything else is derived from the rows: what the
// planner allocates, what a writer declares, what a quantizer may emit, the table
// in docs/ops.md, conformance cases and fuzz targets.
//
// Rows live in the families' packages (op/conv, op/shape, …), each of which
// exports one list, Defs; op/all joins them into a Set.
package op

import (
	"errors"
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
)

// Def is an operator's row.
type Def struct {
	Code graph.OpCode
	// Name is TFLite's name: the BuiltinOperator's, or a custom operator's code.
	Name     string
	Operands Operands
	// Facts derives the results' element types and shapes from the operands'.
	Facts func(c *Call) error
	// Effect orders the node against others; the zero value is Pure.
	Effect Effect
	// Names, if not nil, returns the subgraph whose one node is the function that a
	// node applies: it is read, never run.
	Names func(n *graph.Node) int
	// Alias lists the operands whose memory the first result may be.
	Alias []int
	// View marks operators whose result has the bytes of operand Alias[0], under
	// another shape (RESHAPE and its kin).
	View bool
	// Version returns the version a file must declare for a node.
	Version func(c *Call) int
	// Since lists the first runtime that knows each version, for a file's
	// min_runtime_version; index 0 is version 1.
	Since []string
	Quant Quant
	// Ref makes the reference kernel.
	Ref Maker
}

// Effect says what a node does besides computing its results.
type Effect uint8

const (
	Pure     Effect = iota // nothing: equal operands, equal results
	State                  // reads and writes its own variables
	Resource               // reads or writes resources shared between nodes
	Random                 // draws from a generator
	Control                // runs other subgraphs
)

// Fact is what is known about an operand or result before the model runs.
type Fact struct {
	// Present is false for an optional operand that is not there.
	Present bool
	DType   tensor.DType
	Shape   tensor.Shape // -1: unknown dimension
	Unknown bool         // nothing is known about the shape, not even its rank
	Quant   tensor.Quant
	// Const holds the bytes where the value is known: a constant of the model, or
	// at run time a value that has been computed.
	Const []byte
	// Sparse marks a constant that the model stores sparsely; Const is dense.
	Sparse bool
	// Blocks replaces Quant where a constant is quantized in blocks along its rows.
	Blocks *Blocks
	// Variable marks state that outlives an invocation.
	Variable bool
}

// Blocks are the scales of a matrix that has one for every Size elements of a row,
// row by row; zero points are 0.
type Blocks struct {
	Size   int
	Scales []float32
}

// Tensor returns the known value.
func (f *Fact) Tensor() tensor.Tensor { return tensor.Raw(f.DType, f.Shape, f.Quant, f.Const) }

// Declared is what a value's declaration says, its constant bytes included unless
// they are sparse.
func Declared(v *graph.Value) Fact {
	f := Fact{Present: true, DType: v.DType, Shape: v.Partial(), Unknown: v.Unranked, Quant: v.Quant, Variable: v.Variable, Sparse: v.Sparsity != nil}
	if v.IsConst() {
		f.Shape = v.Shape
		if !f.Sparse {
			f.Const = v.Const
		}
	}
	return f
}

// Call is a node together with the facts about its operands and results. Out is
// prefilled with the declared types and quantization; Facts completes it.
// Intermediates are the declarations of values that exist inside the kernel only
// and tell it their quantization; they are there when Ref makes it.
type Call struct {
	Node          *graph.Node
	In            []Fact
	Out           []Fact
	Intermediates []Fact
	// Subgraphs are the model's, for operators that Names a function; they are there
	// when Ref makes the kernel.
	Subgraphs []*graph.Subgraph
	// Results tells what a subgraph returns for operands of the given types and
	// shapes, for Facts of operators that run one; ErrLater where that depends on
	// data. It is nil until all subgraphs are compiled.
	Results func(subgraph int, in []Fact) ([]Fact, error)
}

// ErrLater is returned by Facts where the result's shape depends on operands
// whose values are not known yet.
var ErrLater = errors.New("shape depends on data")

// Has reports whether operand i is there.
func (c *Call) Has(i int) bool { return i < len(c.In) && c.In[i].Present }

// maxInts is more than any operator's list of dimensions, axes or sizes is long.
const maxInts = 4096

// Ints returns the value of integer operand i as a list; ErrLater if it is not
// known yet, ErrLimit if it has more than 4096 elements.
func (c *Call) Ints(i int) ([]int, error) {
	if !c.Has(i) {
		return nil, fmt.Errorf("operand %d is missing: %w", i, tensor.ErrMalformed)
	}
	f := &c.In[i]
	if f.Const == nil {
		return nil, ErrLater
	}
	if n := f.Tensor().Len(); n > maxInts {
		return nil, fmt.Errorf("operand %d is a list of %d numbers, want %d at most: %w", i, n, maxInts, tensor.ErrLimit)
	}
	return IntsOf(f.Tensor())
}

// IntsOf returns the elements of a signed integer tensor.
func IntsOf(t tensor.Tensor) ([]int, error) {
	switch t.DType() {
	case tensor.Int32:
		return widen[int32](t)
	case tensor.Int64:
		return widen[int64](t)
	case tensor.Int16:
		return widen[int16](t)
	case tensor.Int8:
		return widen[int8](t)
	}
	return nil, fmt.Errorf("want signed integers, have %v: %w", t.DType(), tensor.ErrType)
}

func widen[T int8 | int16 | int32 | int64](t tensor.Tensor) ([]int, error) {
	v, err := tensor.Values[T](t)
	if err != nil {
		return nil, err
	}
	r := make([]int, len(v))
	for i := range v {
		r[i] = int(v[i])
	}
	return r, nil
}

// Kernel computes a node. It is made once for a node and used by any number of
// goroutines: what changes lies in Run.
type Kernel struct {
	Run func(r *Run) error
	// Temp returns the bytes of scratch memory an invocation needs for the given
	// shapes; nil means none.
	Temp func(in, out []tensor.Shape) (int, error)
	// State, if not nil, makes what one runner keeps for the node between
	// invocations; it reaches Run.State.
	State func() any
}

// Maker makes a node's kernel from what is known before shapes are: element
// types, quantization, constants (aligned for View). An unsupported combination
// is ErrUnsupported.
type Maker func(c *Call) (Kernel, error)

// Run is one invocation of a node: its operands and results in the arena's own
// memory. Absent operands are zero Tensors.
//
// Results whose shape Facts cannot tell even from known operands (ErrLater at run
// time) are zero Tensors, and strings have a type and shape but no memory: the kernel
// sets both in Out.
type Run struct {
	In, Out []tensor.Tensor
	// Temp is the scratch memory Kernel.Temp asked for.
	Temp []byte
	// State is what Kernel.State made for this runner.
	State any
	// Host is the runner, for nodes that run other subgraphs or share resources.
	Host Host
	// Stopped is polled by long kernels, by row or chunk; nil never stops.
	Stopped func() bool
}

// Host is what a node may ask of the runner that executes it.
type Host interface {
	// Subgraph returns subgraph i of the model as a function.
	Subgraph(i int) (Function, error)
	// Resources are the variables and tables that all subgraphs of an execution
	// share.
	Resources() *Resources
}

// Function is a subgraph that can be called.
type Function interface {
	// Call copies the operands in and runs the subgraph. The results are valid until
	// the next call.
	Call(in []tensor.Tensor) ([]tensor.Tensor, error)
}

// Resources are named objects that outlive a node: resource variables and tables.
// One execution owns them; they are not safe for concurrent use.
type Resources struct {
	// Limit bounds their bytes; 0 is no limit.
	Limit  int
	held   int
	ids    map[resourceName]int32
	values map[int32]any
	done   map[int]bool
}

type resourceName struct{ kind, container, name string }

// ID returns the number of the resource of that kind and name, a new one at the
// first call.
func (r *Resources) ID(kind, container, name string) int32 {
	if r.ids == nil {
		r.ids = map[resourceName]int32{}
	}
	key := resourceName{kind, container, name}
	id, ok := r.ids[key]
	if !ok {
		id = int32(len(r.ids))
		r.ids[key] = id
	}
	return id
}

// Get returns the resource's value, nil before the first Set.
func (r *Resources) Get(id int32) any { return r.values[id] }

// Set gives the resource a value.
func (r *Resources) Set(id int32, v any) {
	if r.values == nil {
		r.values = map[int32]any{}
	}
	r.values[id] = v
}

// Done reports whether a subgraph that is to run once has run.
func (r *Resources) Done(subgraph int) bool { return r.done[subgraph] }

// SetDone remembers that it has.
func (r *Resources) SetDone(subgraph int) {
	if r.done == nil {
		r.done = map[int]bool{}
	}
	r.done[subgraph] = true
}

// Grow counts n more bytes of a resource; ErrLimit if those are too many.
func (r *Resources) Grow(n int) error {
	if r.Limit > 0 && n > r.Limit-r.held {
		return fmt.Errorf("resources of %d bytes, %d are allowed: %w", r.held+n, r.Limit, tensor.ErrLimit)
	}
	r.held += n
	return nil
}

// Clear forgets all values and that anything was done once.
func (r *Resources) Clear() { r.values, r.done, r.held = nil, nil, 0 }

// ErrStopped is returned by a kernel that saw Stopped answer true.
var ErrStopped = errors.New("stopped")

// Stop reports whether the invocation was cancelled.
func (r *Run) Stop() bool { return r.Stopped != nil && r.Stopped() }

// ByType selects a maker by the element type of operand i.
func ByType(i int, m map[tensor.DType]Maker) Maker {
	return func(c *Call) (Kernel, error) {
		if !c.Has(i) {
			return Kernel{}, fmt.Errorf("operand %d is missing: %w", i, tensor.ErrMalformed)
		}
		mk, ok := m[c.In[i].DType]
		if !ok {
			return Kernel{}, fmt.Errorf("operand %d of type %v: %w", i, c.In[i].DType, tensor.ErrUnsupported)
		}
		return mk(c)
	}
}

// Plain wraps a kernel that needs no preparation.
func Plain(run func(r *Run) error) Maker {
	return func(*Call) (Kernel, error) { return Kernel{Run: run}, nil }
}

// Check tests a call against the row's operands: number, presence and type. It
// sets the types of results that As declares.
func (d *Def) Check(c *Call) error {
	return d.Operands.check(c)
}

// SameAs is the shape rule of operators whose results all look like operand i.
func SameAs(i int) func(c *Call) error {
	return func(c *Call) error {
		for k := range c.Out {
			c.Out[k].Shape, c.Out[k].Unknown = c.In[i].Shape, c.In[i].Unknown
		}
		return nil
	}
}

// ByResult selects a maker by the element type of the first result.
func ByResult(m map[tensor.DType]Maker) Maker {
	return func(c *Call) (Kernel, error) {
		mk, ok := m[c.Out[0].DType]
		if !ok {
			return Kernel{}, fmt.Errorf("result of type %v from %v: %w", c.Out[0].DType, c.In[0].DType, tensor.ErrUnsupported)
		}
		return mk(c)
	}
}
