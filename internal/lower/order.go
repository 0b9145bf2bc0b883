package lower

import (
	"slices"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel"
)

// executionOrder lists a graph's nodes in the order in which TensorFlow's
// converter imports them, function by function: reverse postorder of a
// depth-first walk that visits what reads a node from the last name to the first.
// It is a topological order, so it decides only which of several branches runs
// first. Graphs whose scopes are no calls keep the order they have.
func executionOrder(g *savedmodel.Graph) []int {
	all := make([]int, len(g.Nodes))
	for i := range all {
		all[i] = i
	}
	if order := orderFunction(g, "", all); topological(g, order) {
		return order
	}
	return all
}

// topological reports whether an order has all nodes, each after its inputs.
func topological(g *savedmodel.Graph, order []int) bool {
	done := make([]bool, len(g.Nodes))
	for _, i := range order {
		for _, in := range g.Nodes[i].Inputs {
			if in.Node < 0 || in.Node >= len(done) || !done[in.Node] {
				return false
			}
		}
		done[i] = true
	}
	return len(order) == len(g.Nodes)
}

// item is a node of one function: a node of the graph, or all nodes of a call.
type item struct {
	name    string
	nodes   []int
	call    string // the scope of a call's nodes
	readers []*item
	seen    bool
}

// orderFunction orders the nodes inlined through the given scope.
func orderFunction(g *savedmodel.Graph, scope string, nodes []int) []int {
	items := itemsOf(g, scope, nodes)
	of := map[int]*item{}
	for _, it := range items {
		for _, i := range it.nodes {
			of[i] = it
		}
	}
	source, arguments := &item{}, map[int]*item{}
	for _, it := range items {
		constant := true
		for _, i := range it.nodes {
			for _, in := range g.Nodes[i].Inputs {
				from := of[in.Node]
				if from == nil {
					from = argument(g, in.Node, arguments, source)
				}
				if from != it {
					from.readers, constant = append(from.readers, it), false
				}
			}
		}
		if constant {
			source.readers = append(source.readers, it)
		}
	}
	var order []int
	for _, it := range reversePostorder(source) {
		if it.call != "" {
			order = append(order, orderFunction(g, it.call, it.nodes)...)
		} else {
			order = append(order, it.nodes...)
		}
	}
	return order
}

// itemsOf groups nodes: those of the scope itself one by one, the others by call.
func itemsOf(g *savedmodel.Graph, scope string, nodes []int) []*item {
	var items []*item
	calls, scopes := map[string]*item{}, innerScopes(g, scope, nodes)
	for _, i := range nodes {
		n := g.Nodes[i]
		if n.Scope == scope {
			items = append(items, &item{name: sourceName(n), nodes: []int{i}})
			continue
		}
		call := outermost(scopes, n.Scope)
		if calls[call] == nil {
			calls[call] = &item{name: strings.TrimPrefix(call, scope+"/"), call: call}
			items = append(items, calls[call])
		}
		calls[call].nodes = append(calls[call].nodes, i)
	}
	return items
}

// innerScopes lists the scopes of nodes other than scope, the shortest first.
func innerScopes(g *savedmodel.Graph, scope string, nodes []int) []string {
	found := map[string]bool{}
	var list []string
	for _, i := range nodes {
		if s := g.Nodes[i].Scope; s != scope && !found[s] {
			found[s] = true
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return len(a) - len(b) })
	return list
}

// outermost returns the shortest of the scopes that encloses s.
func outermost(scopes []string, s string) string {
	for _, c := range scopes {
		if s == c || strings.HasPrefix(s, c+"/") {
			return c
		}
	}
	return s
}

// sourceName is the name under which a node is sorted. A variable is an argument
// of its function, named after the node that reads it.
func sourceName(n *savedmodel.Node) string {
	if n.Variable == nil {
		return n.Name
	}
	return argumentName(n.Name + "/resource")
}

// argumentName spells a name as a function's arguments are.
func argumentName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, s)
}

// argument returns the item that stands for a value from outside the function.
// Its name is not kept by freezing: for the graph's inputs it is the port's,
// otherwise the usual "inputs".
func argument(g *savedmodel.Graph, node int, known map[int]*item, source *item) *item {
	if a := known[node]; a != nil {
		return a
	}
	a := &item{name: "inputs"}
	for i := range g.Inputs {
		if g.Inputs[i].Ref.Node == node {
			a.name = argumentName(g.Inputs[i].Name)
		}
	}
	known[node] = a
	source.readers = append(source.readers, a)
	return a
}

// reversePostorder walks from the source, without recursion: graphs may be deep.
func reversePostorder(source *item) []*item {
	type step struct {
		*item
		leave bool
	}
	var left []*item
	stack := []step{{item: source}}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.leave {
			left = append(left, s.item)
			continue
		}
		if s.seen {
			continue
		}
		s.seen = true
		stack = append(stack, step{s.item, true})
		slices.SortStableFunc(s.readers, func(a, b *item) int { return strings.Compare(a.name, b.name) })
		for _, r := range s.readers {
			if !r.seen {
				stack = append(stack, step{item: r})
			}
		}
	}
	slices.Reverse(left)
	return left
}
