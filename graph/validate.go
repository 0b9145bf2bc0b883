package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// Error is a failure with its place. Empty fields are unknown.
type Error struct {
	File     string
	Subgraph string
	Node     string // "3 CONV_2D"
	Value    string
	Origins  []string
	Err      error
}

func (e *Error) Error() string {
	s := ""
	for _, p := range []struct{ label, text string }{{"", e.File}, {"subgraph ", e.Subgraph}, {"node ", e.Node}, {"tensor ", e.Value}} {
		if p.text != "" {
			s += p.label + p.text + ": "
		}
	}
	return s + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Errors is several failures, printed on one line.
type Errors []error

// Join returns the errors that are not nil: nil for none, an Errors for several.
// Unlike errors.Join's, its text is one line.
func Join(errs ...error) error {
	list := slices.DeleteFunc(slices.Clone(errs), func(e error) bool { return e == nil })
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return Errors(list)
}

func (e Errors) Error() string {
	const most = 20
	parts := make([]string, 0, most+1)
	for i, err := range e {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(e)-most))
			break
		}
		parts = append(parts, err.Error())
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the failures, for errors.Is and errors.As.
func (e Errors) Unwrap() []error { return e }

// Validate checks the model's grammar: every index is in range, every value has
// one producer at most and is produced before it is read, constants and inputs
// are not written. Nodes' meaning is checked by package op. All problems are
// returned, joined.
func (m *Model) Validate() error {
	if err := m.ValidateIndices(); err != nil {
		return err
	}
	return m.each((*Subgraph).validateOrder)
}

// ValidateIndices checks what it takes to print and to write a model: every index
// is in range and every type is known. Files may name values that nothing
// computes: scratch memory of custom operators, for one.
func (m *Model) ValidateIndices() error {
	if len(m.Subgraphs) == 0 {
		return fmt.Errorf("model without subgraphs: %w", tensor.ErrMalformed)
	}
	errs := []error{m.each((*Subgraph).validateIndices)}
	for _, g := range m.Signatures {
		if err := m.validateSignature(&g); err != nil {
			errs = append(errs, fmt.Errorf("signature %q: %w", g.Key, err))
		}
	}
	return Join(errs...)
}

// each joins the subgraphs' problems.
func (m *Model) each(problems func(*Subgraph) []error) error {
	var errs []error
	for i, s := range m.Subgraphs {
		for _, err := range problems(s) {
			errs = append(errs, &Error{Subgraph: fmt.Sprintf("%d %q", i, s.Name), Err: err})
		}
	}
	return Join(errs...)
}

func (m *Model) validateSignature(g *Signature) error {
	if g.Subgraph < 0 || g.Subgraph >= len(m.Subgraphs) {
		return fmt.Errorf("subgraph %d does not exist: %w", g.Subgraph, tensor.ErrMalformed)
	}
	s := m.Subgraphs[g.Subgraph]
	for _, list := range [][]NamedValue{g.Inputs, g.Outputs} {
		for _, v := range list {
			if err := s.inRange(v.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Subgraph) inRange(v ValueID) error {
	if v < 0 || int(v) >= len(s.Values) {
		return fmt.Errorf("tensor %d does not exist: %w", v, tensor.ErrMalformed)
	}
	return nil
}

func (s *Subgraph) validateIndices() []error {
	var errs []error
	for i := range s.Values {
		v := &s.Values[i]
		if !v.DType.Valid() {
			errs = append(errs, fmt.Errorf("tensor %d %q: type %d: %w", i, v.Name, v.DType, tensor.ErrMalformed))
		}
		if v.Blockwise != nil {
			if err := s.validateBlockwise(v); err != nil {
				errs = append(errs, fmt.Errorf("tensor %d %q: %w", i, v.Name, err))
			}
		}
		if v.Variable && v.IsConst() {
			errs = append(errs, fmt.Errorf("tensor %d %q: a variable with constant data: %w", i, v.Name, tensor.ErrMalformed))
		}
	}
	errs = append(errs, s.listInRange("input", s.Inputs, false)...)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		bad := slices.Concat(s.listInRange("operand", n.Inputs, true), s.listInRange("result", n.Outputs, true),
			s.listInRange("intermediate", n.Intermediates, true))
		if err := Join(bad...); err != nil {
			errs = append(errs, &Error{Node: fmt.Sprint(i), Origins: n.Origins, Err: err})
		}
	}
	return append(errs, s.listInRange("output", s.Outputs, false)...)
}

// listInRange returns a problem for each value that does not exist.
func (s *Subgraph) listInRange(what string, list []ValueID, optional bool) []error {
	var errs []error
	for k, v := range list {
		if optional && v == None {
			continue
		}
		if err := s.inRange(v); err != nil {
			errs = append(errs, fmt.Errorf("%s %d: %w", what, k, err))
		}
	}
	return errs
}

// validateBlockwise tests that scales are constants and zero points are there.
func (s *Subgraph) validateBlockwise(v *Value) error {
	b := v.Blockwise
	if b.ZeroPoints != None {
		if err := s.inRange(b.ZeroPoints); err != nil {
			return fmt.Errorf("quantization: %w", err)
		}
	}
	if err := s.inRange(b.Scales); err != nil {
		return fmt.Errorf("quantization: %w", err)
	}
	if scales := &s.Values[b.Scales]; !scales.IsConst() || scales.Sparsity != nil {
		return fmt.Errorf("quantization: tensor %d is no constant: %w", b.Scales, tensor.ErrMalformed)
	}
	return nil
}

// validateOrder follows the nodes through a subgraph whose indices are right.
func (s *Subgraph) validateOrder() []error {
	var errs []error
	ready := make([]bool, len(s.Values))
	for i := range s.Values {
		ready[i] = s.Values[i].IsConst() || s.Values[i].Variable
	}
	for i := range s.Nodes {
		for _, v := range s.Nodes[i].Outputs {
			if v != None && s.Values[v].Variable {
				ready[v] = false // the node says what it starts with
			}
		}
	}
	for _, v := range s.Inputs {
		ready[v] = true
	}
	for i := range s.Nodes {
		if err := s.validateNode(&s.Nodes[i], ready); err != nil {
			errs = append(errs, &Error{Node: fmt.Sprint(i), Origins: s.Nodes[i].Origins, Err: err})
		}
	}
	for _, v := range s.Outputs {
		if !ready[v] {
			errs = append(errs, fmt.Errorf("output tensor %d %q is never computed: %w", v, s.Values[v].Name, tensor.ErrMalformed))
		}
	}
	return errs
}

func (s *Subgraph) validateNode(n *Node, ready []bool) error {
	for k, v := range n.Inputs {
		if v != None && s.Values[v].External != "" {
			return fmt.Errorf("operand %d, tensor %d %q, lies in file %q, which has not been read: %w", k, v, s.Values[v].Name, s.Values[v].External, tensor.ErrUnsupported)
		}
		if v != None && !ready[v] {
			return fmt.Errorf("operand %d, tensor %d %q, is read before it is computed: %w", k, v, s.Values[v].Name, tensor.ErrMalformed)
		}
	}
	for k, v := range n.Outputs {
		if v == None {
			continue
		}
		if ready[v] {
			return fmt.Errorf("result %d, tensor %d %q, is an input, a constant or already computed: %w", k, v, s.Values[v].Name, tensor.ErrMalformed)
		}
		ready[v] = true
	}
	return nil
}
