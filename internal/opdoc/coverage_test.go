package opdoc

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// notCovered explains the operand types that rows declare and no case has, by
// pattern.
var notCovered = map[string]string{
	"*.* variant":             "LiteRT runs no operator on variants by itself",
	"*.* float8_*":            "LiteRT's interpreter takes no float8 from Python",
	"*.* int2":                "LiteRT's interpreter takes no int2 from Python",
	"*.* uint4":               "LiteRT's interpreter takes no uint4 from Python",
	"CALL.* *":                "none of LiteRT's resolvers has a kernel for it",
	"STABLEHLO_C*.* resource": "resources are no values that a test could set",
	"STABLEHLO_C*.* *int[24]": "LiteRT's interpreter takes no packed values from Python",
	"RELU_0_TO_1.* int16":     "LiteRT refuses it",
	"RELU_N1_TO_1.* int16":    "LiteRT refuses it",
	"RESHAPE.* resource":      "resources are no values that a test could set",
	"RESHAPE.* *int[24]":      "LiteRT's interpreter takes no packed values from Python",
	"RESHAPE.* bfloat16":      "LiteRT's interpreter takes no bfloat16 from Python",
}

// Coverage says what the cases cover of a set of operators.
type Coverage struct {
	Cases, Operators int
	Counts           []Count
	// Gaps are operand types that rows declare and no case has.
	Gaps []Gap
	// Stale are patterns of explanations that explain nothing.
	Stale []string
}

// Count is the number of cases of an operator with the same operand types.
type Count struct {
	Operator, Types string // as "int8,int8,int32 -> int8", "-" for an absent operand
	Cases           int
}

// Cover reads all cases.
func Cover(ops op.Set) (*Coverage, error) {
	operators, err := conformance.Operators()
	if err != nil {
		return nil, err
	}
	r := &Coverage{Operators: len(operators)}
	seen, counts := map[string]bool{}, map[Count]int{}
	for _, name := range operators {
		cases, err := conformance.Load(name)
		if err != nil {
			return nil, err
		}
		r.Cases += len(cases)
		for i := range cases {
			types, err := cover(ops, &cases[i], seen)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", name, cases[i].Name, err)
			}
			counts[Count{Operator: name, Types: types}]++
		}
	}
	for c, n := range counts {
		r.Counts = append(r.Counts, Count{c.Operator, c.Types, n})
	}
	slices.SortFunc(r.Counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.Types, b.Types))
	})
	r.gaps(declared(ops), seen)
	return r, nil
}

// gaps finds what is declared and not seen, and explanations without need.
func (r *Coverage) gaps(declared []string, seen map[string]bool) {
	needed := map[string]bool{}
	for _, d := range declared {
		if seen[d] {
			continue
		}
		p := explain(d)
		needed[p] = true
		r.Gaps = append(r.Gaps, Gap{d, notCovered[p]})
	}
	for p := range notCovered {
		if !needed[p] {
			r.Stale = append(r.Stale, p)
		}
	}
	slices.Sort(r.Stale)
}

// explain returns the first pattern that fits, "" if none does.
func explain(declared string) (pattern string) {
	for p := range notCovered {
		if ok, err := path.Match(p, declared); ok && err == nil && (pattern == "" || p < pattern) {
			pattern = p
		}
	}
	return pattern
}

// cover marks the operand types of the nodes of a case and returns those of the
// operator it is about.
func cover(ops op.Set, c *conformance.Case, seen map[string]bool) (types string, err error) {
	m, err := tflite.Decode(c.Model, tflite.DecodeOptions{})
	if err != nil {
		return "", err
	}
	for _, g := range m.Subgraphs {
		for i := range g.Nodes {
			n := &g.Nodes[i]
			d, err := ops.Lookup(n)
			if err != nil {
				return "", err
			}
			in := mark(g, d.Name, d.Operands.Ins, n.Inputs, seen)
			out := mark(g, d.Name, d.Operands.Outs, n.Outputs, seen)
			if d.Name == c.Operator {
				types = Types(in, out)
			}
		}
	}
	return types, nil
}

// mark returns what is known about the values, after marking their types.
func mark(g *graph.Subgraph, name string, formal []op.Operand, ids []graph.ValueID, seen map[string]bool) []op.Fact {
	facts := make([]op.Fact, len(ids))
	for k, v := range ids {
		if v == graph.None {
			continue
		}
		facts[k] = op.Declared(&g.Values[v])
		if o := min(k, len(formal)-1); o >= 0 && (o == k || formal[o].Variadic) {
			seen[key(name, formal[o], facts[k].DType)] = true
		}
	}
	return facts
}

// Types prints the element types of operands and results as Count does.
func Types(in, out []op.Fact) string {
	print := func(facts []op.Fact) string {
		types := make([]string, len(facts))
		for i := range facts {
			if types[i] = "-"; facts[i].Present {
				types[i] = facts[i].DType.String()
			}
		}
		return strings.Join(types, ",")
	}
	return print(in) + " -> " + print(out)
}

func key(name string, o op.Operand, d tensor.DType) string {
	return fmt.Sprintf("%s.%s %v", name, o.Name, d)
}

// declared lists every operand type that a row declares.
func declared(ops op.Set) []string {
	var list []string
	for _, d := range ops.All() {
		for _, o := range slices.Concat(d.Operands.Ins, d.Operands.Outs) {
			for t := tensor.DType(0); t.Valid(); t++ {
				if o.Types.Has(t) {
					list = append(list, key(d.Name, o, t))
				}
			}
		}
	}
	return list
}
