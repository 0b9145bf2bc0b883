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

func version1(*op.Call) int { return 1 }

// def is a row of this package. called lists the subgraphs of which one is run, with
// the operands from the given one on.
func def(code schema.BuiltinOperator, operands op.Operands, since string, called func(n *graph.Node) []int32, from int, ref op.Maker) *op.Def {
	return &op.Def{
		Code: graph.OpCode(code), Name: code.String(), Operands: operands, Effect: op.Control,
		Facts:   func(c *op.Call) error { return agreed(c, called(c.Node), c.In[min(from, len(c.In)):]) },
		Version: version1, Since: []string{since}, Quant: op.Quant{None: true}, Ref: ref,
	}
}

// agreed is the shape rule of operators whose results are what the subgraph that
// they run returns: known where all that it may be return the same shapes.
func agreed(c *op.Call, subgraphs []int32, in []op.Fact) error {
	if c.Results == nil {
		return op.ErrLater
	}
	for i, sub := range subgraphs {
		out, err := c.Results(int(sub), in)
		if err != nil {
			return err
		}
		if len(out) != len(c.Out) {
			return op.ErrLater // the run says what is wrong
		}
		for k := range out {
			o := &c.Out[k]
			if o.Present && o.DType != out[k].DType || i > 0 && !o.Shape.Equal(out[k].Shape) {
				return op.ErrLater
			}
			o.Shape, o.Unknown = out[k].Shape, false
		}
	}
	return nil
}

// If is IF: operand 0 says which of two subgraphs is called with the others.
var If = def(schema.IF, op.In("condition", op.B).MaybeIn("operands", op.Any).MaybeOut("results", op.Any), "1.15.0",
	func(n *graph.Node) []int32 {
		o := graph.Options[fb.IfOptionsT](n)
		return []int32{o.ThenSubgraphIndex, o.ElseSubgraphIndex}
	}, 1,
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
	func(n *graph.Node) []int32 { return []int32{int32(graph.Options[fb.CallOptionsT](n).Subgraph)} }, 0,
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.CallOptionsT](c.Node)
		return op.Kernel{State: newResults(c), Run: func(r *op.Run) error { return call(r, int(o.Subgraph), r.In) }}, nil
	})

// CallOnce is CALL_ONCE: a subgraph without operands is called the first time.
var CallOnce = def(schema.CALL_ONCE, op.Operands{}, "2.5.0", func(*graph.Node) []int32 { return nil }, 0,
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.CallOnceOptionsT](c.Node)
		return op.Kernel{Run: func(r *op.Run) error {
			init, resources := int(o.InitSubgraphIndex), r.Host.Resources()
			if resources.Done(init) {
				return nil
			}
			f, err := r.Host.Subgraph(init)
			if err != nil {
				return err
			}
			if _, err := f.Call(nil); err != nil {
				return err
			}
			resources.SetDone(init)
			return nil
		}}, nil
	})

// While is WHILE: as long as the first subgraph answers true, the second one turns
// the operands into the next ones. Shapes may change on the way.
var While = &op.Def{
	Code: graph.OpCode(schema.WHILE), Name: "WHILE", Effect: op.Control,
	Operands: op.Operands{}.MaybeIn("operands", op.Any).MaybeOut("results", op.Any),
	Facts:    whileFacts,
	Version:  version1, Since: []string{"1.15.0"}, Quant: op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.WhileOptionsT](c.Node)
		if len(c.In) != len(c.Out) {
			return op.Kernel{}, fmt.Errorf("%d operands and %d results: %w", len(c.In), len(c.Out), tensor.ErrMalformed)
		}
		passed := passedThrough(c.Subgraphs, int(o.BodySubgraphIndex), len(c.In))
		return op.Kernel{State: newResults(c), Run: func(r *op.Run) error {
			return loop(r, int(o.CondSubgraphIndex), int(o.BodySubgraphIndex), passed)
		}}, nil
	},
}

// whileFacts knows the results' shapes where a turn changes none.
func whileFacts(c *op.Call) error {
	if err := agreed(c, []int32{graph.Options[fb.WhileOptionsT](c.Node).BodySubgraphIndex}, c.In); err != nil {
		return err
	}
	for i := range c.Out {
		if i >= len(c.In) || !c.Out[i].Shape.Equal(c.In[i].Shape) {
			return op.ErrLater
		}
	}
	return nil
}

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

// results are a node's: what is declared, and memory for those that have no place in
// the arena, kept between invocations.
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
			if k := passed[i]; k >= 0 && k < i && len(r.Out[k].Bytes()) == len(data) {
				data = r.Out[k].Bytes()
			}
		}
		if o := r.Out[i]; o.Shape().Equal(t.Shape()) && len(o.Bytes()) == len(data) {
			copy(o.Bytes(), data)
			continue
		}
		own.data[i] = tensor.Overwrite(own.data[i], data)
		r.Out[i] = tensor.Raw(t.DType(), t.Shape(), f.Quant, own.data[i])
	}
	return nil
}
