package engine

import (
	"fmt"
	"strconv"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// remembered is how many answers an inference keeps.
const remembered = 1000

// inference tells what subgraphs return, and remembers it. A runner shares it with the
// subgraphs it calls.
type inference struct {
	subs  []*subProgram
	opts  *Options
	known map[string]inferred // by subgraph, types and shapes of the operands
	depth int
}

type inferred struct {
	facts []op.Fact
	err   error
}

// results is op.Call's Results. What a called subgraph would fail with is left to
// its run, which may never come.
func (f *inference) results(subgraph int, in []op.Fact) ([]op.Fact, error) {
	key := strconv.Itoa(subgraph)
	for i := range in {
		key += fmt.Sprint(" ", in[i].DType, in[i].Shape, in[i].Unknown)
	}
	if r, ok := f.known[key]; ok {
		return r.facts, r.err
	}
	if len(f.known) == remembered {
		clear(f.known)
	}
	f.known[key] = inferred{err: op.ErrLater} // for a subgraph that calls itself
	f.depth++
	out, ok := f.infer(subgraph, in)
	f.depth--
	if !ok {
		return nil, op.ErrLater
	}
	f.known[key] = inferred{facts: out}
	return out, nil
}

// infer reports false where the results depend on data.
func (f *inference) infer(subgraph int, in []op.Fact) ([]op.Fact, bool) {
	if subgraph < 0 || subgraph >= len(f.subs) || f.depth > maxDepth {
		return nil, false
	}
	s := f.subs[subgraph]
	if len(in) != len(s.graph.Inputs) {
		return nil, false
	}
	shapes := make([]tensor.Shape, len(in))
	for i, v := range s.graph.Inputs {
		if shapes[i] = in[i].Shape; !known(&in[i]) || in[i].DType != s.facts[v].DType {
			return nil, false
		}
	}
	p, err := s.derive(shapes, f, f.opts)
	if err != nil || p.static < len(s.steps) {
		return nil, false
	}
	out := make([]op.Fact, len(s.graph.Outputs))
	for i, v := range s.graph.Outputs {
		if out[i] = p.facts[v]; !known(&out[i]) {
			return nil, false
		}
	}
	return out, true
}

// known reports whether a value can have a place in an arena.
func known(f *op.Fact) bool {
	return f.Present && !f.Unknown && f.Shape.Known() && f.DType.Bits() != 0
}
