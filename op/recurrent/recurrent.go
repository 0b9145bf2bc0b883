// Package recurrent holds the recurrent operators: LSTM cells and sequences,
// plain recurrent cells and sequences, and SVDF. Their states are variables,
// operands that the kernels overwrite in place; a step's arithmetic is said once
// for all operators that take it, for float and for int8 weights alike.
package recurrent

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{
	UnidirectionalSequenceLSTM, LSTM, BidirectionalSequenceLSTM,
	UnidirectionalSequenceRNN, RNN, BidirectionalSequenceRNN, SVDF,
}

// walk is the way through a sequence. With time first, a step takes the whole
// batch; with the batch first, every entry goes through time by itself and a step
// is one row.
type walk struct {
	steps, batch int
	timeMajor    bool
	backwards    bool
}

// walkOf reads the way through an input [time, batch, size], [batch, time, size]
// or, a single step, [batch, size].
func walkOf(input tensor.Shape, timeMajor bool) walk {
	switch {
	case len(input) == 2:
		return walk{steps: 1, batch: input[0], timeMajor: true}
	case timeMajor:
		return walk{steps: input[0], batch: input[1], timeMajor: true}
	}
	return walk{steps: input[1], batch: input[0]}
}

// rows returns how many rows a step takes.
func (w walk) rows() int {
	if w.timeMajor {
		return w.batch
	}
	return 1
}

// step is the rows that one step takes: of the sequences' operands and results,
// seen as matrices, those from first on; of the states those from state on.
type step struct{ first, state, n int }

// each visits the steps in order.
func (w walk) each(r *op.Run, f func(s step)) error {
	entries, n := w.batch, 1
	if w.timeMajor {
		entries, n = 1, w.batch
	}
	for b := range entries {
		for t := range w.steps {
			if r.Stop() {
				return op.ErrStopped
			}
			if w.backwards {
				t = w.steps - 1 - t
			}
			f(step{first: (b*w.steps + t) * n, state: b, n: n})
		}
	}
	return nil
}

// of returns the step's rows of a matrix with rows of the given size.
func (s step) of(x []float32, size int) []float32 { return part(x, s.first, s.n, size) }

func part[T any](x []T, first, n, size int) []T { return x[first*size : (first+n)*size] }

// memory deals out a kernel's scratch memory. Without bytes it only counts them,
// so that the function which lays a kernel's memory out also sizes it.
type memory struct {
	bytes []byte
	used  int
}

// enough is more scratch memory than any limit allows.
const enough = math.MaxInt >> 4

// take returns n zero or stale elements.
func take[T tensor.Element](m *memory, n int) []T {
	var zero T
	at, size := m.used, min(n, enough)*int(unsafe.Sizeof(zero))
	m.used = min(at+(size+15)&^15, enough)
	if m.bytes == nil {
		return nil
	}
	return tensor.View[T](m.bytes[at : at+size])
}

// activation is applied to every element; nil leaves the result's memory as it
// was, which is what LiteRT's kernels do for NONE.
type activation func(x float32) float32

var activations = map[fb.ActivationFunctionType]activation{
	fb.ActivationFunctionTypeNONE:         nil,
	fb.ActivationFunctionTypeRELU:         func(x float32) float32 { return atLeast(x, 0) },
	fb.ActivationFunctionTypeRELU_N1_TO_1: func(x float32) float32 { return atLeast(atMost(x, 1), -1) },
	fb.ActivationFunctionTypeRELU6:        func(x float32) float32 { return atLeast(atMost(x, 6), 0) },
	fb.ActivationFunctionTypeTANH:         libm.EigenTanhf,
	fb.ActivationFunctionTypeSIGN_BIT:     func(x float32) float32 { return float32(math.Float32bits(x) >> 31) },
}

func activationOf(a fb.ActivationFunctionType) (activation, error) {
	f, ok := activations[a]
	if !ok {
		return nil, fmt.Errorf("fused activation %v: %w", a, tensor.ErrUnsupported)
	}
	return f, nil
}

func (f activation) apply(dst, src []float32) {
	if f == nil {
		return
	}
	for i, x := range src {
		dst[i] = f(x)
	}
}

// atLeast is std::max(lo, x): lo where x is NaN.
func atLeast(x, lo float32) float32 {
	if lo < x {
		return x
	}
	return lo
}

// atMost is std::min(x, hi): NaN where x is.
func atMost(x, hi float32) float32 {
	if hi < x {
		return hi
	}
	return x
}

// clip bounds x to ±limit (CwiseClipping); a limit of 0 is none.
func clip[T int8 | int16 | float32](x []T, limit T) {
	if limit <= 0 {
		return
	}
	for i, v := range x {
		if !(v < limit) {
			v = limit
		}
		if v < -limit {
			v = -limit
		}
		x[i] = v
	}
}

// checkState fails unless operand i is a variable of rows·size elements. Unknown
// rows (-1) are not checked.
func checkState(c *op.Call, i, rows, size int) error {
	f := &c.In[i]
	if !f.Variable {
		return fmt.Errorf("state operand %d is no variable: %w", i, tensor.ErrMalformed)
	}
	if f.Unknown {
		return fmt.Errorf("state operand %d of unknown shape: %w", i, tensor.ErrShape)
	}
	n, err := f.Shape.Elems()
	if err != nil {
		return fmt.Errorf("state operand %d: %w", i, err)
	}
	if rows >= 0 && (n/size != rows || n%size != 0) {
		return fmt.Errorf("state operand %d of shape %v for %d rows of %d: %w", i, f.Shape, rows, size, tensor.ErrShape)
	}
	return nil
}

// checkWritable fails if a kernel would have to write into a constant.
func checkWritable(c *op.Call, states ...int) error {
	for _, i := range states {
		if c.In[i].Const != nil {
			return fmt.Errorf("state operand %d is a constant: %w", i, tensor.ErrMalformed)
		}
	}
	return nil
}

// checkShape fails unless operand i is there and has the given shape.
func checkShape(c *op.Call, i int, name string, want ...int) error {
	if !c.Has(i) {
		return fmt.Errorf("operand %d (%s) is missing: %w", i, name, tensor.ErrMalformed)
	}
	if f := &c.In[i]; !f.Shape.Equal(tensor.Shape(want)) {
		return fmt.Errorf("operand %d (%s) of shape %v, want %v: %w", i, name, f.Shape, tensor.Shape(want), tensor.ErrShape)
	}
	return nil
}

// checkType fails unless operand i, if it is there, has the given type.
func checkType(c *op.Call, i int, name string, want tensor.DType) error {
	if c.Has(i) && c.In[i].DType != want {
		return fmt.Errorf("operand %d (%s) of type %v, want %v: %w", i, name, c.In[i].DType, want, tensor.ErrType)
	}
	return nil
}

// shapesKnown reports whether all operands' shapes are known but for the
// dimensions of those that are listed, whose rank suffices.
func shapesKnown(c *op.Call, ranked ...int) bool {
	for i := range c.In {
		if c.In[i].Present && c.In[i].Unknown {
			return false
		}
		if c.In[i].Present && !slices.Contains(ranked, i) && !c.In[i].Variable && !c.In[i].Shape.Known() {
			return false
		}
	}
	return true
}

// checkWeights fails unless those of the operands that hold int8 have one scale
// and one zero point.
func checkWeights(c *op.Call, operands ...int) error {
	for _, i := range operands {
		if !has(c, i) || !hybrid(c.In[i].DType) {
			continue
		}
		if err := c.In[i].Quantized(); err != nil {
			return fmt.Errorf("operand %d: %w", i, err)
		}
	}
	return nil
}

// has reports whether operand i is there; -1 stands for none.
func has(c *op.Call, i int) bool { return i >= 0 && c.Has(i) }

// hybrid reports whether weights of type d are int8 under float activations. Old
// files call the type uint8 and store int8.
func hybrid(d tensor.DType) bool { return d == tensor.Int8 || d == tensor.UInt8 }
