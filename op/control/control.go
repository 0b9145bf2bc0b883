// Package control holds the operators that run other subgraphs.
package control

import (
	"fmt"

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
		return op.Kernel{State: newBuffers, Run: func(r *op.Run) error {
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
		return op.Kernel{State: newBuffers, Run: func(r *op.Run) error { return call(r, int(o.Subgraph), r.In) }}, nil
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
		return op.Kernel{State: newBuffers, Run: func(r *op.Run) error {
			return loop(r, int(o.CondSubgraphIndex), int(o.BodySubgraphIndex))
		}}, nil
	})

func loop(r *op.Run, condition, body int) error {
	cond, err := r.Host.Subgraph(condition)
	if err != nil {
		return err
	}
	next, err := r.Host.Subgraph(body)
	if err != nil {
		return err
	}
	if err := results(r, r.In); err != nil {
		return err
	}
	for {
		if r.Stop() {
			return op.ErrStopped
		}
		answer, err := cond.Call(r.Out)
		if err != nil {
			return err
		}
		if len(answer) != 1 {
			return fmt.Errorf("a condition with %d results: %w", len(answer), tensor.ErrMalformed)
		}
		if more, err := truth(answer[0]); err != nil || !more {
			return err
		}
		out, err := next.Call(r.Out)
		if err != nil {
			return err
		}
		if err := results(r, out); err != nil {
			return err
		}
	}
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
	return results(r, out)
}

// buffers is the memory of a node's results, kept between invocations.
type buffers struct{ data [][]byte }

func newBuffers() any { return new(buffers) }

// results copies what a subgraph returned into the node's own memory.
func results(r *op.Run, out []tensor.Tensor) error {
	if len(out) != len(r.Out) {
		return fmt.Errorf("the subgraph returns %d results, the node has %d: %w", len(out), len(r.Out), tensor.ErrMalformed)
	}
	b := r.State.(*buffers)
	for len(b.data) < len(out) {
		b.data = append(b.data, nil)
	}
	for i, t := range out {
		if cap(b.data[i]) < len(t.Bytes()) {
			b.data[i] = tensor.Aligned(len(t.Bytes()))
		}
		b.data[i] = b.data[i][:len(t.Bytes())]
		copy(b.data[i], t.Bytes())
		r.Out[i] = tensor.Raw(t.DType(), t.Shape(), t.Quant(), b.data[i])
	}
	return nil
}
