package train

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/grad"
	"github.com/litequant/litequant/op/training"
	"github.com/litequant/litequant/tensor"
)

// trainable lists the values of a graph that hold trainable weights.
func trainable(s *graph.Subgraph) []graph.ValueID {
	var list []graph.ValueID
	for i := range s.Values {
		if p := s.Values[i].Param; p != nil && p.Trainable {
			list = append(list, graph.ValueID(i))
		}
	}
	return list
}

// dropouts lists the results of dropouts, which differ from step to step.
func dropouts(s *graph.Subgraph) []graph.ValueID {
	var list []graph.ValueID
	for i := range s.Nodes {
		if s.Nodes[i].Op == training.DropoutCode {
			list = append(list, s.Nodes[i].Outputs...)
		}
	}
	return list
}

// split cuts a network where its trainable part begins: prefix computes the
// values that the head reads, head everything that depends on a trainable weight or
// on a dropout.
// prefix is nil where the head reads the network's inputs only.
func split(m *graph.Model) (prefix, head *graph.Model, err error) {
	s := m.Main()
	weights := trainable(s)
	if len(weights) == 0 {
		return nil, nil, fmt.Errorf("the model has no trainable weights: %w", tensor.ErrUnsupported)
	}
	learns := grad.Dependents(s, weights)
	for _, y := range s.Outputs {
		if !learns[y] {
			return nil, nil, fmt.Errorf("output %q does not depend on a trainable weight: %w", s.Values[y].Name, tensor.ErrUnsupported)
		}
	}
	moving := grad.Dependents(s, append(weights, dropouts(s)...))
	inHead := func(i int) bool { return moving[s.Nodes[i].Outputs[0]] }
	var frontier []graph.ValueID
	computed := false
	seen := map[graph.ValueID]bool{}
	producers := s.Producers()
	for i := range s.Nodes {
		if !inHead(i) {
			continue
		}
		for _, v := range s.Nodes[i].Inputs {
			if v == graph.None || moving[v] || seen[v] || producers[v] < 0 && !s.IsInput(v) {
				continue
			}
			seen[v] = true
			frontier = append(frontier, v)
			computed = computed || producers[v] >= 0
		}
	}
	head = part(m, func(i int) bool { return !inHead(i) })
	if !computed {
		return nil, head, nil
	}
	head.Main().Inputs = frontier
	prefix = part(m, inHead)
	prefix.Main().Outputs = frontier
	return prefix, head, nil
}

// part is a copy of the model without some nodes and without signatures.
func part(m *graph.Model, drop func(i int) bool) *graph.Model {
	c := m.Clone()
	c.Signatures = nil
	c.Main().RemoveNodes(drop)
	return c
}
