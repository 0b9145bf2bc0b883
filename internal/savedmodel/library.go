package savedmodel

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// library holds what a graph's nodes refer to by name: functions and the
// definitions of operations.
type library struct {
	main      *function
	functions map[string]*function
	ops       map[string]*pb.OpDef
}

// function is a FunctionDef, or the main graph (def is nil), indexed by name.
type function struct {
	def   *pb.FunctionDef
	nodes map[string]*pb.NodeDef
	order []*pb.NodeDef
	// effect is a node that the function runs to change a variable, or nil.
	effect *pb.NodeDef
}

func newLibrary(meta *pb.MetaGraphDef) (*library, error) {
	g := meta.GetGraphDef()
	lib := &library{functions: map[string]*function{}, ops: map[string]*pb.OpDef{}}
	var err error
	if lib.main, err = newFunction(nil, g.GetNode()); err != nil {
		return nil, err
	}
	for _, def := range g.GetLibrary().GetFunction() {
		name := def.GetSignature().GetName()
		f, err := newFunction(def, def.GetNodeDef())
		if err != nil {
			return nil, fmt.Errorf("function %.80q: %w", name, err)
		}
		lib.functions[name] = f
	}
	for _, op := range meta.GetMetaInfoDef().GetStrippedOpList().GetOp() {
		lib.ops[op.GetName()] = op
	}
	return lib, nil
}

func newFunction(def *pb.FunctionDef, nodes []*pb.NodeDef) (*function, error) {
	f := &function{def: def, nodes: make(map[string]*pb.NodeDef, len(nodes)), order: nodes}
	for _, n := range nodes {
		if f.nodes[n.GetName()] != nil {
			return nil, fmt.Errorf("two nodes are named %.80q: %w", n.GetName(), tensor.ErrMalformed)
		}
		f.nodes[n.GetName()] = n
	}
	for _, name := range slices.Sorted(maps.Values(def.GetControlRet())) {
		if n := f.nodes[name]; strings.HasPrefix(n.GetOp(), "Assign") && strings.HasSuffix(n.GetOp(), "VariableOp") {
			f.effect = n
			break
		}
	}
	return f, nil
}

// outputIndex returns the number of output "arg:i" of a node, which functions
// name by argument and position within it.
func (lib *library) outputIndex(n *pb.NodeDef, arg string, i int) (int, error) {
	if f := lib.functions[n.GetOp()]; f != nil {
		return argIndex(n, f.def.GetSignature(), arg, i)
	}
	if op := lib.ops[n.GetOp()]; op != nil {
		return argIndex(n, op, arg, i)
	}
	names := outputArgs[n.GetOp()]
	if len(names) <= 1 {
		return i, nil
	}
	for k, name := range names {
		if name == arg {
			return k + i, nil
		}
	}
	return 0, fmt.Errorf("node %.80q (%s) has no output %q: %w", n.GetName(), n.GetOp(), arg, tensor.ErrMalformed)
}

func argIndex(n *pb.NodeDef, op *pb.OpDef, arg string, i int) (int, error) {
	base := 0
	for _, a := range op.GetOutputArg() {
		if a.GetName() == arg {
			return base + i, nil
		}
		switch {
		case a.GetNumberAttr() != "":
			base += int(min(max(n.GetAttr()[a.GetNumberAttr()].GetI(), 0), maxNodes))
		case a.GetTypeListAttr() != "":
			base += len(n.GetAttr()[a.GetTypeListAttr()].GetList().GetType())
		default:
			base++
		}
	}
	return 0, fmt.Errorf("node %.80q (%s) has no output %q: %w", n.GetName(), n.GetOp(), arg, tensor.ErrMalformed)
}

// input is a parsed reference to a node's output: "node", "node:1" in a graph,
// "argument" or "node:argument:0" in a function.
type input struct {
	node, arg string
	index     int
}

// parseInput parses a data input. Control inputs ("^node") are the caller's to
// leave out.
func parseInput(s string) (input, error) {
	name, rest, ok := strings.Cut(s, ":")
	in := input{node: name}
	if !ok {
		return in, nil
	}
	if arg, num, ok := strings.Cut(rest, ":"); ok {
		in.arg, rest = arg, num
	}
	i, err := strconv.ParseUint(rest, 10, 16)
	if err != nil {
		return in, fmt.Errorf("input %.80q: %w", s, tensor.ErrMalformed)
	}
	in.index = int(i)
	return in, nil
}

func isControl(s string) bool { return strings.HasPrefix(s, "^") }
