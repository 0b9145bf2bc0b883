package graph

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
)

// inlineBytes is the size up to which String prints a constant itself.
const inlineBytes = 64

// hashed marks a constant that is given by a part of its hash and its length.
const hashed = "sha256:"

// String prints the model for people and for comparison, one line a value and
// node; what differs from the defaults is printed as name=value. Constants of more
// than 64 bytes appear as a hash.
//
//	model "digits"
//	subgraph "main" inputs=%0 outputs=%2
//	  %0 float32[?,784] "x"
//	  %1 int8[10,784] "w" scale=0.01 zero=0 const=sha256:0f3c9a51ae4bd0e7:7840
//	  %2 float32[?,10] "y"
//	  FULLY_CONNECTED(%0 %1 _) -> %2 op_version=3 fused_activation_function=RELU
//
// A dimension that may vary is ?, followed by the size the file declares where that
// is not 1; an absent operand is _.
func (m *Model) String() string { return m.text(inlineBytes) }

// Text is String with all constants in full, the form that Parse reads back: only
// what the file format alone knows (the File fields) is left out.
func (m *Model) Text() string { return m.text(-1) }

// text prints constants of up to most bytes; -1 is no limit.
func (m *Model) text(most int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "model %q\n", m.Description)
	for _, d := range m.Metadata {
		fmt.Fprintf(&b, "metadata %q data=%s\n", d.Name, blob(d.Data, most))
	}
	for i := range m.Signatures {
		g := &m.Signatures[i]
		fmt.Fprintf(&b, "signature %q subgraph=%d inputs=%s outputs=%s\n", g.Key, g.Subgraph, named(g.Inputs), named(g.Outputs))
	}
	for _, s := range m.Subgraphs {
		fmt.Fprintf(&b, "subgraph %q inputs=%s outputs=%s\n", s.Name, idList(s.Inputs, ","), idList(s.Outputs, ","))
		for i := range s.Values {
			fmt.Fprintf(&b, "  %%%d %s\n", i, s.Values[i].text(most))
		}
		for i := range s.Nodes {
			fmt.Fprintf(&b, "  %s\n", s.Nodes[i].String())
		}
	}
	return b.String()
}

func blob(data []byte, most int) string {
	if most >= 0 && len(data) > most {
		sum := sha256.Sum256(data)
		return fmt.Sprintf("%s%x:%d", hashed, sum[:8], len(data))
	}
	return base64.StdEncoding.EncodeToString(data)
}

func named(list []NamedValue) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = fmt.Sprintf("%q:%s", v.Name, v.Value)
	}
	return strings.Join(parts, ",")
}

// String prints an ID as %3, or _ for None.
func (v ValueID) String() string {
	if v == None {
		return "_"
	}
	return "%" + strconv.Itoa(int(v))
}

func idList(ids []ValueID, sep string) string { return list(ids, sep, ValueID.String) }

func list[T any](values []T, sep string, print func(T) string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = print(v)
	}
	return strings.Join(parts, sep)
}

func float(f float32) string { return strconv.FormatFloat(float64(f), 'g', -1, 32) }

// String prints the value's declaration as Model.String does.
func (v *Value) String() string { return v.text(inlineBytes) }

func (v *Value) text(most int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v%s %q", v.DType, v.dims(), v.Name)
	add := func(present bool, name, value string) {
		if present {
			b.WriteString(" " + name + "=" + value)
		}
	}
	add(v.Signature != nil && !v.shortSignature(), "signature", list(v.Signature, ",", strconv.Itoa))
	add(v.Unranked, "unranked", "true")
	q := &v.Quant
	add(q.Scales != nil, "scale", list(q.Scales, ",", float))
	add(q.ZeroPoints != nil, "zero", list(q.ZeroPoints, ",", func(z int64) string { return strconv.FormatInt(z, 10) }))
	add(q.Axis != 0, "axis", strconv.Itoa(q.Axis))
	add(q.Min != nil, "min", list(q.Min, ",", float))
	add(q.Max != nil, "max", list(q.Max, ",", float))
	if w := v.Blockwise; w != nil {
		add(true, "block", strconv.Itoa(w.Size))
		add(true, "block_scales", w.Scales.String())
		add(w.ZeroPoints != None, "block_zeros", w.ZeroPoints.String())
		add(w.Axes != nil, "block_axes", list(w.Axes, ",", strconv.Itoa))
	}
	if w := v.Sparsity; w != nil {
		add(w.Order != nil, "sparse_order", list(w.Order, ",", strconv.Itoa))
		add(w.BlockMap != nil, "sparse_blocks", list(w.BlockMap, ",", strconv.Itoa))
		add(true, "sparse_levels", list(w.Levels, ",", Level.String))
	}
	add(v.Variable, "variable", "true")
	if p := v.Param; p != nil {
		add(true, "param", strconv.Quote(p.Name))
		add(p.Trainable, "trainable", "true")
		add(p.Perm != nil, "perm", list(p.Perm, ",", strconv.Itoa))
		add(p.Shape != nil, "param_shape", list(p.Shape, ",", strconv.Itoa))
	}
	add(v.Origins != nil, "from", list(v.Origins, ",", strconv.Quote))
	add(v.IsConst(), "const", blob(v.Const, most))
	return b.String()
}

// shortSignature reports whether the signature differs from the shape by unknown
// dimensions only, and by one at least.
func (v *Value) shortSignature() bool {
	return !v.Signature.Known() && v.Signature.Fits(v.Shape)
}

func (v *Value) dims() string {
	short := v.Signature != nil && v.shortSignature()
	parts := make([]string, len(v.Shape))
	for i, d := range v.Shape {
		parts[i] = strconv.Itoa(d)
		if short && v.Signature[i] < 0 {
			if parts[i] = "?"; d != 1 {
				parts[i] += strconv.Itoa(d)
			}
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// String prints the node as Model.String does.
func (n *Node) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s(%s) -> %s", n.opName(), idList(n.Inputs, " "), idList(n.Outputs, " "))
	if n.Version != 0 {
		fmt.Fprintf(&b, " op_version=%d", n.Version)
	}
	if n.Intermediates != nil {
		fmt.Fprintf(&b, " intermediates=%s", idList(n.Intermediates, ","))
	}
	if n.CustomOptions != nil {
		fmt.Fprintf(&b, " custom_options=%s", blob(n.CustomOptions, -1))
	}
	b.WriteString(n.optionsText())
	if n.Origins != nil {
		fmt.Fprintf(&b, " from=%s", list(n.Origins, ",", strconv.Quote))
	}
	return b.String()
}

// opName is a builtin operator's name, "custom:NAME", or "op:CODE" for codes the
// schema does not know.
func (n *Node) opName() string {
	if n.Op == Custom {
		return "custom:" + strconv.Quote(n.Custom)
	}
	if name, ok := fb.EnumNamesBuiltinOperator[fb.BuiltinOperator(n.Op)]; ok {
		return name
	}
	return fmt.Sprintf("op:%d", n.Op)
}

// optionsText prints the fields that differ from the defaults. The type is named
// only where it is not the operator's own.
func (n *Node) optionsText() string {
	own := defaultsOf(n.Op)
	if n.Options == nil {
		if own == nil {
			return ""
		}
		return " options=none"
	}
	v := reflect.ValueOf(n.Options)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Sprintf(" options=%T", n.Options)
	}
	s, defaults := "", reflect.New(v.Type().Elem())
	if own != nil && reflect.TypeOf(own) == v.Type() {
		defaults = reflect.ValueOf(own)
	} else {
		name := optionsName(n.Options)
		s = " options=" + name
		if d := defaultsNamed(name); d != nil {
			defaults = reflect.ValueOf(d)
		}
	}
	v, defaults = v.Elem(), defaults.Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.IsExported() && !reflect.DeepEqual(v.Field(i).Interface(), defaults.Field(i).Interface()) {
			s += " " + fieldName(f) + "=" + fieldText(v.Field(i))
		}
	}
	return s
}

func fieldName(f reflect.StructField) string {
	if name := f.Tag.Get("json"); name != "" {
		return name
	}
	return f.Name
}

// defaultsOf returns fresh options of the operator's own type, nil if it has none.
func defaultsOf(code OpCode) any {
	one, two := schema.OptionsOf(schema.BuiltinOperator(code))
	return defaults(one, two)
}

func defaults(one fb.BuiltinOptions, two fb.BuiltinOptions2) any {
	if d := schema.DefaultOptions(one); d != nil {
		return d.Value
	}
	if d := schema.DefaultOptions2(two); d != nil {
		return d.Value
	}
	return nil
}

// optionsName is the schema's name of a type of options, or Go's for others.
func optionsName(o any) string {
	switch one, two := schema.MemberOf(o); {
	case one != fb.BuiltinOptionsNONE:
		return one.String()
	case two != fb.BuiltinOptions2NONE:
		return two.String()
	}
	return fmt.Sprintf("%T", o)
}

func defaultsNamed(name string) any {
	return defaults(fb.EnumValuesBuiltinOptions[name], fb.EnumValuesBuiltinOptions2[name])
}

// fieldText prints a field of options: enums by name, lists as 1,2,3, nested
// tables as quoted JSON.
func fieldText(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok && v.CanInt() || ok && v.CanUint() {
		if text := s.String(); !strings.Contains(text, "(") {
			return text
		}
	}
	switch v.Kind() {
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float32:
		return float(float32(v.Float()))
	case reflect.Slice:
		if scalar(v.Type().Elem().Kind()) {
			parts := make([]string, v.Len())
			for i := range parts {
				parts[i] = fieldText(v.Index(i))
			}
			return strings.Join(parts, ",")
		}
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10)
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		text = fmt.Append(nil, err)
	}
	return strconv.Quote(string(text))
}

func scalar(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Float64 || k == reflect.String
}
