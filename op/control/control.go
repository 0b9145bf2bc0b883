// Package control holds the operators that run other subgraphs.
package control

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{If, While, Call, CallOnce, Composite, Case}

// later is the shape rule of operators whose results are whatever the subgraph
// they run returns.
func later(*op.Call) error { return op.ErrLater }

func version1(*op.Call) int { return 1 }

// def is a row of this package.
func def(code schema.BuiltinOperator, operands op.Operands, since string, ref op.Maker) *op.Def {
	return &op.Def{
		Code: graph.OpCode(code), Name: code.String(), Operands: operands, Facts: later, Effect: op.Control,
		Version: version1, Since: []string{since}, Quant: op.Quant{None: true}, Ref: ref,
	}
}

// If is IF: operand 0 says which of two subgraphs is called with the others.
var If = def(schema.IF, op.In("condition", op.B).MaybeIn("operands", op.Any).MaybeOut("results", op.Any), "1.15.0",
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.IfOptionsT](c.Node)
		return op.Kernel{State: newResults(c), Run: func(r *op.Run) error {
			yes, err := truth(r.In[0])
			if err != nil {
				return err
			}
			branch := o.ElseSubgraphIndex
			if yes {
				branch = o.ThenSubgraphIndex
			}
			return call(r, int(branch), r.In[1:])
		}}, nil
	})

// Call is CALL: one subgraph is called with all operands.
var Call = def(schema.CALL, op.Operands{}.MaybeIn("operands", op.Any).MaybeOut("results", op.Any), "1.5.0",
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.CallOptionsT](c.Node)
		return op.Kernel{State: newResults(c), Run: func(r *op.Run) error { return call(r, int(o.Subgraph), r.In) }}, nil
	})

// CallOnce is CALL_ONCE: a subgraph without operands is called the first time.
var CallOnce = def(schema.CALL_ONCE, op.Operands{}, "2.5.0",
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.CallOnceOptionsT](c.Node)
		return op.Kernel{Run: func(r *op.Run) error {
			if !r.Host.Resources().Once(int(o.InitSubgraphIndex)) {
				return nil
			}
			f, err := r.Host.Subgraph(int(o.InitSubgraphIndex))
			if err != nil {
				return err
			}
			_, err = f.Call(nil)
			return err
		}}, nil
	})

// While is WHILE: as long as the first subgraph answers true, the second one turns
// the operands into the next ones. Shapes may change on the way.
var While = def(schema.WHILE, op.Operands{}.MaybeIn("operands", op.Any).MaybeOut("results", op.Any), "1.15.0",
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.WhileOptionsT](c.Node)
		if len(c.In) != len(c.Out) {
			return op.Kernel{}, fmt.Errorf("%d operands and %d results: %w", len(c.In), len(c.Out), tensor.ErrMalformed)
		}
		passed := passedThrough(c.Subgraphs, int(o.BodySubgraphIndex), len(c.In))
		return op.Kernel{State: newResults(c), Run: func(r *op.Run) error {
			return loop(r, int(o.CondSubgraphIndex), int(o.BodySubgraphIndex), passed)
		}}, nil
	})

func loop(r *op.Run, condition, body int, passed []int) error {
	cond, err := r.Host.Subgraph(condition)
	if err != nil {
		return err
	}
	next, err := r.Host.Subgraph(body)
	if err != nil {
		return err
	}
	if err := take(r, r.In, nil); err != nil {
		return err
	}
	for values := r.Out; ; {
		if r.Stop() {
			return op.ErrStopped
		}
		answer, err := cond.Call(values)
		if err != nil {
			return err
		}
		if len(answer) != 1 {
			return fmt.Errorf("a condition with %d results: %w", len(answer), tensor.ErrMalformed)
		}
		if more, err := truth(answer[0]); err != nil || !more {
			return err
		}
		if values, err = next.Call(r.Out); err != nil {
			return err
		}
		if err := take(r, values, passed); err != nil {
			return err
		}
	}
}

// passedThrough tells which operand each of a subgraph's results is, -1 where it is
// none.
func passedThrough(subgraphs []*graph.Subgraph, i, results int) []int {
	passed := make([]int, results)
	for k := range passed {
		passed[k] = -1
		if i >= 0 && i < len(subgraphs) && k < len(subgraphs[i].Outputs) {
			passed[k] = slices.Index(subgraphs[i].Inputs, subgraphs[i].Outputs[k])
		}
	}
	return passed
}

// truth reads a condition: one bool.
func truth(t tensor.Tensor) (bool, error) {
	if t.DType() != tensor.Bool || len(t.Bytes()) != 1 {
		return false, fmt.Errorf("a condition of type %v and shape %v, want one bool: %w", t.DType(), t.Shape(), tensor.ErrMalformed)
	}
	return t.Bytes()[0] != 0, nil
}

func call(r *op.Run, subgraph int, in []tensor.Tensor) error {
	f, err := r.Host.Subgraph(subgraph)
	if err != nil {
		return err
	}
	out, err := f.Call(in)
	if err != nil {
		return err
	}
	return take(r, out, nil)
}

// results are a node's: what is declared, and memory that is kept between invocations.
type results struct {
	declared []op.Fact
	data     [][]byte
}

func newResults(c *op.Call) func() any {
	declared := c.Out
	return func() any { return &results{declared, make([][]byte, len(declared))} }
}

// take copies what a subgraph returned into the node's own memory. passed says which
// of its operands a result is: LiteRT's loops have the operands in the memory of the
// results, so that an operand which became an earlier result is passed on as that.
func take(r *op.Run, out []tensor.Tensor, passed []int) error {
	if len(out) != len(r.Out) {
		return fmt.Errorf("the subgraph returns %d results, the node has %d: %w", len(out), len(r.Out), tensor.ErrMalformed)
	}
	own := r.State.(*results)
	for i, t := range out {
		f := &own.declared[i]
		if f.Present && f.DType != t.DType() {
			return fmt.Errorf("result %d of the subgraph is %v, the node's %v: %w", i, t.DType(), f.DType, tensor.ErrType)
		}
		data := t.Bytes()
		if passed != nil && t.DType() != tensor.String {
			if k := passed[i]; k >= 0 && k < i && len(own.data[k]) == len(data) {
				data = own.data[k]
			}
		}
		if cap(own.data[i]) < len(data) {
			own.data[i] = tensor.Aligned(len(data))
		}
		own.data[i] = append(own.data[i][:0], data...)
		r.Out[i] = tensor.Raw(t.DType(), t.Shape(), f.Quant, own.data[i])
	}
	return nil
}
