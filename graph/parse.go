package graph

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// Parse reads what Model.Text wrote; String's text too, if no constant is given by
// its hash. Errors name the line and wrap tensor.ErrMalformed or ErrUnsupported.
// The model is not validated.
func Parse(text string) (*Model, error) {
	m := &Model{}
	for i, line := range strings.Split(text, "\n") {
		if err := m.parseLine(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return m, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, tensor.ErrMalformed)...)
}

func (m *Model) parseLine(line string) error {
	words, err := split(strings.TrimSpace(line), ' ')
	if err != nil || len(words) == 0 {
		return err
	}
	sub := func() (*Subgraph, error) {
		if len(m.Subgraphs) == 0 {
			return nil, malformed("%q before the first subgraph", words[0])
		}
		return m.Subgraphs[len(m.Subgraphs)-1], nil
	}
	switch {
	case words[0] == "model" && len(words) == 2:
		return unquote(words[1], &m.Description)
	case words[0] == "metadata" && len(words) == 3:
		m.Metadata = append(m.Metadata, Metadata{})
		return m.Metadata[len(m.Metadata)-1].parse(words[1:])
	case words[0] == "signature" && len(words) == 5:
		m.Signatures = append(m.Signatures, Signature{})
		return m.Signatures[len(m.Signatures)-1].parse(words[1:])
	case words[0] == "subgraph" && len(words) == 4:
		m.Subgraphs = append(m.Subgraphs, &Subgraph{})
		s, _ := sub()
		return s.parse(words[1:])
	case strings.HasPrefix(words[0], "%"):
		s, err := sub()
		if err != nil {
			return err
		}
		var id ValueID
		if err := parseID(words[0], &id); err != nil || int(id) != len(s.Values) {
			return malformed("%s where %%%d should be", words[0], len(s.Values))
		}
		s.Values = append(s.Values, Value{})
		return s.Values[id].parse(words[1:])
	case strings.Contains(line, "("):
		s, err := sub()
		if err != nil {
			return err
		}
		s.Nodes = append(s.Nodes, Node{})
		return s.Nodes[len(s.Nodes)-1].parse(strings.TrimSpace(line))
	}
	return malformed("%q", line)
}

// split cuts at separators outside of quoted strings and parentheses.
func split(s string, sep byte) ([]string, error) {
	var parts []string
	start, quoted, depth := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == sep && depth == 0:
			if i > start || sep == ',' {
				parts = append(parts, s[start:i])
			}
			start = i + 1
		}
	}
	if quoted || depth != 0 {
		return nil, malformed("an open quote or parenthesis in %q", s)
	}
	if start < len(s) {
		parts = append(parts, s[start:])
	}
	return parts, nil
}

// fields cuts name=value words and hands each to the setter of its name.
func fields(words []string, set func(name, value string) error) error {
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return malformed("%q is no name=value", w)
		}
		if err := set(name, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// setters maps names to how their value is read.
type setters map[string]func(value string) error

func (s setters) set(name, value string) error {
	f := s[name]
	if f == nil {
		return malformed("unknown name")
	}
	return f(value)
}

// into reads one value with parse.
func into[T any](dst *T, parse func(string, *T) error) func(string) error {
	return func(s string) error { return parse(s, dst) }
}

// listOf reads values separated by commas; nothing is the empty list.
func listOf[T any, L ~[]T](dst *L, parse func(string, *T) error) func(string) error {
	return func(s string) error {
		parts, err := split(s, ',')
		if err != nil {
			return err
		}
		*dst = make(L, len(parts))
		for i, p := range parts {
			if err := parse(p, &(*dst)[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

func unquote(s string, dst *string) error {
	v, err := strconv.Unquote(s)
	if *dst = v; err != nil {
		return malformed("%s is no quoted string", s)
	}
	return nil
}

func parseInt[T int | int64](s string, dst *T) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if *dst = T(n); err != nil {
		return malformed("%q is no integer", s)
	}
	return nil
}

func parseFloat(s string, dst *float32) error {
	f, err := strconv.ParseFloat(s, 32)
	if *dst = float32(f); err != nil {
		return malformed("%q is no float32", s)
	}
	return nil
}

func parseBool(s string, dst *bool) error {
	b, err := strconv.ParseBool(s)
	if *dst = b; err != nil {
		return malformed("%q is no bool", s)
	}
	return nil
}

func parseBytes(s string, dst *[]byte) error {
	if strings.HasPrefix(s, hashed) {
		return fmt.Errorf("bytes are given by their hash only: %w", tensor.ErrUnsupported)
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if *dst = append([]byte{}, b...); err != nil {
		return malformed("%v", err)
	}
	return nil
}

func parseID(s string, dst *ValueID) error {
	if *dst = None; s == "_" {
		return nil
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "%"), 10, 32)
	if err != nil || n < 0 || s[0] != '%' {
		return malformed("%q is no value", s)
	}
	*dst = ValueID(n)
	return nil
}

func parseNamed(s string, dst *NamedValue) error {
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return malformed("%q is no name and value", s)
	}
	if err := unquote(s[:at], &dst.Name); err != nil {
		return err
	}
	return parseID(s[at+1:], &dst.Value)
}

func (d *Metadata) parse(words []string) error {
	if err := unquote(words[0], &d.Name); err != nil {
		return err
	}
	return fields(words[1:], setters{"data": into(&d.Data, parseBytes)}.set)
}

func (g *Signature) parse(words []string) error {
	if err := unquote(words[0], &g.Key); err != nil {
		return err
	}
	return fields(words[1:], setters{
		"subgraph": into(&g.Subgraph, parseInt), "inputs": listOf(&g.Inputs, parseNamed), "outputs": listOf(&g.Outputs, parseNamed),
	}.set)
}

func (s *Subgraph) parse(words []string) error {
	if err := unquote(words[0], &s.Name); err != nil {
		return err
	}
	return fields(words[1:], setters{"inputs": listOf(&s.Inputs, parseID), "outputs": listOf(&s.Outputs, parseID)}.set)
}

func (v *Value) parse(words []string) error {
	if len(words) < 2 {
		return malformed("a value without type or name")
	}
	if err := v.parseType(words[0]); err != nil {
		return err
	}
	if err := unquote(words[1], &v.Name); err != nil {
		return err
	}
	param := func() *Param {
		if v.Param == nil {
			v.Param = &Param{}
		}
		return v.Param
	}
	block := func() *Blockwise {
		if v.Blockwise == nil {
			v.Blockwise = &Blockwise{ZeroPoints: None}
		}
		return v.Blockwise
	}
	sparse := func() *Sparsity {
		if v.Sparsity == nil {
			v.Sparsity = &Sparsity{}
		}
		return v.Sparsity
	}
	q := &v.Quant
	return fields(words[2:], setters{
		"signature": listOf(&v.Signature, parseInt), "unranked": into(&v.Unranked, parseBool), "variable": into(&v.Variable, parseBool),
		"scale": listOf(&q.Scales, parseFloat), "zero": listOf(&q.ZeroPoints, parseInt), "axis": into(&q.Axis, parseInt),
		"min": listOf(&q.Min, parseFloat), "max": listOf(&q.Max, parseFloat),
		"from": listOf(&v.Origins, unquote), "const": into(&v.Const, parseBytes),
		"param":         func(s string) error { return unquote(s, &param().Name) },
		"trainable":     func(s string) error { return parseBool(s, &param().Trainable) },
		"perm":          func(s string) error { return listOf(&param().Perm, parseInt)(s) },
		"param_shape":   func(s string) error { return listOf(&param().Shape, parseInt)(s) },
		"block":         func(s string) error { return parseInt(s, &block().Size) },
		"block_scales":  func(s string) error { return parseID(s, &block().Scales) },
		"block_zeros":   func(s string) error { return parseID(s, &block().ZeroPoints) },
		"block_axes":    func(s string) error { return listOf(&block().Axes, parseInt)(s) },
		"sparse_order":  func(s string) error { return listOf(&sparse().Order, parseInt)(s) },
		"sparse_blocks": func(s string) error { return listOf(&sparse().BlockMap, parseInt)(s) },
		"sparse_levels": func(s string) error { return listOf(&sparse().Levels, parseLevel)(s) },
	}.set)
}

// parseType reads float32[?,4,?7].
func (v *Value) parseType(s string) error {
	name, dims, ok := strings.Cut(s, "[")
	if !ok || !strings.HasSuffix(dims, "]") {
		return malformed("%q is no type and shape", s)
	}
	var err error
	if v.DType, err = tensor.ParseDType(name); err != nil {
		return err
	}
	v.Shape = tensor.Shape{}
	if dims = dims[:len(dims)-1]; dims == "" {
		return nil
	}
	parts := strings.Split(dims, ",")
	signature := make(tensor.Shape, len(parts))
	for i, p := range parts {
		size, open := strings.CutPrefix(p, "?")
		n := 1
		if size != "" || !open {
			if err := parseInt(size, &n); err != nil || n < 0 || n > math.MaxInt32 {
				return malformed("dimension %q", p)
			}
		}
		v.Shape = append(v.Shape, n)
		if signature[i] = n; open {
			signature[i] = -1
		}
	}
	if !signature.Known() {
		v.Signature = signature
	}
	return nil
}

// parse reads NAME(operands) -> results name=value…
func (n *Node) parse(line string) error {
	left, right, ok := strings.Cut(line, ") ->")
	at := strings.LastIndexByte(left, '(')
	if !ok || at < 0 {
		return malformed("%q is no node", line)
	}
	if err := n.parseName(left[:at]); err != nil {
		return err
	}
	words, err := split(right, ' ')
	if err != nil {
		return err
	}
	results := 0
	for results < len(words) && !strings.Contains(words[results], "=") {
		results++
	}
	n.Inputs, n.Outputs = []ValueID{}, []ValueID{}
	for _, list := range []struct {
		words []string
		dst   *[]ValueID
	}{{strings.Fields(left[at+1:]), &n.Inputs}, {words[:results], &n.Outputs}} {
		for _, w := range list.words {
			var id ValueID
			if err := parseID(w, &id); err != nil {
				return err
			}
			*list.dst = append(*list.dst, id)
		}
	}
	n.Options = defaultsOf(n.Op)
	return fields(words[results:], func(name, value string) error {
		own := setters{
			"op_version": into(&n.Version, parseInt), "intermediates": listOf(&n.Intermediates, parseID),
			"custom_options": into(&n.CustomOptions, parseBytes), "from": listOf(&n.Origins, unquote), "options": n.parseOptions,
		}
		if own[name] != nil {
			return own.set(name, value)
		}
		return n.parseOption(name, value)
	})
}

func (n *Node) parseName(s string) error {
	if name, ok := strings.CutPrefix(s, "custom:"); ok {
		n.Op = Custom
		return unquote(name, &n.Custom)
	}
	if code, ok := strings.CutPrefix(s, "op:"); ok {
		c, err := strconv.ParseInt(code, 10, 32)
		if n.Op = OpCode(c); err != nil {
			return malformed("operator %q", s)
		}
		return nil
	}
	code, ok := fb.EnumValuesBuiltinOperator[s]
	if n.Op = OpCode(code); !ok {
		return malformed("operator %q", s)
	}
	return nil
}

// parseOptions names the type of options that are not the operator's own.
func (n *Node) parseOptions(name string) error {
	if n.Options = nil; name == "none" {
		return nil
	}
	if n.Options = defaultsNamed(name); n.Options == nil {
		return fmt.Errorf("options of type %s: %w", name, tensor.ErrUnsupported)
	}
	return nil
}

func (n *Node) parseOption(name, value string) error {
	if n.Options == nil {
		return malformed("the node has no options")
	}
	v := reflect.ValueOf(n.Options).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && fieldName(f) == name {
			return parseField(value, v.Field(i))
		}
	}
	return malformed("%s has no such field", v.Type().Name())
}

// parseField is the inverse of fieldText.
func parseField(s string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		var text string
		err := unquote(s, &text)
		v.SetString(text)
		return err
	case reflect.Bool:
		var b bool
		err := parseBool(s, &b)
		v.SetBool(b)
		return err
	case reflect.Float32:
		var f float32
		err := parseFloat(s, &f)
		v.SetFloat(float64(f))
		return err
	case reflect.Slice:
		if scalar(v.Type().Elem().Kind()) {
			return parseFields(s, v)
		}
	}
	if v.CanInt() || v.CanUint() {
		return parseInteger(s, v)
	}
	var text string
	if err := unquote(s, &text); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), v.Addr().Interface()); err != nil {
		return malformed("%v", err)
	}
	return nil
}

func parseFields(s string, v reflect.Value) error {
	parts, err := split(s, ',')
	if err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), len(parts), len(parts)))
	for i, p := range parts {
		if err := parseField(p, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// parseInteger reads a number, or the name of one of an enum's values.
func parseInteger(s string, v reflect.Value) error {
	if n, err := strconv.ParseInt(s, 10, v.Type().Bits()); err == nil && v.CanInt() {
		v.SetInt(n)
		return nil
	}
	if n, err := strconv.ParseUint(s, 10, v.Type().Bits()); err == nil && v.CanUint() {
		v.SetUint(n)
		return nil
	}
	const most = 127 // of an enum's values
	for i := range most {
		if v.CanInt() {
			v.SetInt(int64(i))
		} else {
			v.SetUint(uint64(i))
		}
		if e, ok := v.Interface().(fmt.Stringer); ok && e.String() == s {
			return nil
		}
	}
	return malformed("%q is no value of %v", s, v.Type())
}
