// Package opdoc writes docs/ops.md, the table of operators, from the operators' rows,
// the fast engine's table and what the golden cases cover. Its test fails when the
// file is not current; `go generate ./internal/opdoc` writes it.
package opdoc

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

//go:generate go test -run TestDocumentIsCurrent . -update

// Form is a combination of operand types that golden cases prove.
type Form struct {
	Operator, Types string
	Cases           int
	Fast            bool // some case runs on a fast kernel
}

// Gap is an operand type that a row declares and no case has; Why is empty where
// nothing explains it.
type Gap struct{ Operand, Why string }

// Bound is how far an operator's floats may be from LiteRT's, in ulps of the result's
// largest value.
type Bound struct {
	Operator        string
	Reference, Fast float64
	Why             string
}

// Markdown returns the document.
func Markdown(ops op.Set, forms []Form, bounds []Bound, gaps []Gap) string {
	var b strings.Builder
	b.WriteString(`# Operators

Generated from the operators' rows by ` + "`go generate ./internal/opdoc`" + `: do not edit.

The reference engine runs every operator below; the fast engine has kernels for the forms
marked in the last table and takes the reference kernel for the rest. Integer results
of both are equal.

## Support

` + "`litequant ops`" + ` prints this table. Types are those of the first operand.

` + header(Columns))
	for _, s := range Supported(ops) {
		b.WriteString("| " + strings.Join(s.Cells(), " | ") + " |\n")
	}
	b.WriteString(`
## Rows

Versions are those a file may declare, with the TensorFlow release that first ran each.
Quantization names a rule for each operand, then for each result: *measured* from
calibration, *weights* (symmetric, narrow range), *bias* (scale derived from other
operands), fixed parameters as scale and zero point, or – where the operand stays as it
is. Weights only are the operands that dynamic range and float16 quantization store in
fewer bits.

` + header([]string{"operator", "operands", "results", "int8", "int16x8", "weights only", "versions"}))
	for _, d := range ops.All() {
		b.WriteString("| " + strings.Join(row(d), " | ") + " |\n")
	}
	b.WriteString("\n## Forms\n\nEvery combination of types that golden cases prove, inputs before the arrow.\n\n| operator | types | fast kernel | cases |\n|---|---|---|---|\n")
	total := 0
	for _, f := range forms {
		total += f.Cases
		mark := ""
		if f.Fast {
			mark = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d |\n", f.Operator, strings.ReplaceAll(f.Types, "->", "→"), mark, f.Cases)
	}
	fmt.Fprintf(&b, "\n%d cases.\n", total)
	b.WriteString(`
## Floats

Integers, booleans and strings equal those of LiteRT 2.3's reference kernels. So do floats, bit for bit, but for the operators below, in ulps of the
result's largest value. LiteRT takes exp, log, pow, sin, cos, tanh, expm1, erfc and atan2 from the C library: internal/libm has the bits of glibc
2.36 on x86-64, on every system, and the integer tables that are made of these functions are compared in each of their 256 or 65,536 entries
(` + "`go test -v -run Tables ./conformance`" + `).

` + header([]string{"operator", "reference", "fast", "because"}))
	for _, x := range bounds {
		fmt.Fprintf(&b, "| %s | %g | %g | %s |\n", x.Operator, x.Reference, x.Fast, x.Why)
	}
	b.WriteString("\n## Not covered by a golden case\n\n")
	for _, g := range groups(gaps) {
		fmt.Fprintf(&b, "- %s: %s\n", g.Operand, cmp.Or(g.Why, "**no explanation**"))
	}
	return b.String()
}

func header(columns []string) string {
	return "| " + strings.Join(columns, " | ") + " |\n" + strings.Repeat("|---", len(columns)) + "|\n"
}

// groups joins the types of an operand that lack a case for the same reason.
func groups(gaps []Gap) []Gap {
	var out []Gap
	for _, g := range gaps {
		name, kind, _ := strings.Cut(g.Operand, " ")
		i := slices.IndexFunc(out, func(o Gap) bool { return o.Why == g.Why && strings.HasPrefix(o.Operand, name+" ") })
		if i < 0 {
			out = append(out, Gap{name + " " + kind, g.Why})
			continue
		}
		out[i].Operand += ", " + kind
	}
	return out
}

func row(d *op.Def) []string {
	return []string{
		d.Name, operands(d.Operands.Ins), operands(d.Operands.Outs), eight(d), sixteen(d), weightsOnly(d), versions(d),
	}
}

func operands(list []op.Operand) string {
	parts := make([]string, len(list))
	for i := range list {
		o := &list[i]
		types := strings.ReplaceAll(o.Types.String(), "|", " ")
		if o.Types == op.Any {
			types = "any"
		}
		if k, ok := o.Like(); ok {
			types = fmt.Sprintf("as operand %d", k)
		}
		name := o.Name
		if o.Variadic {
			name += "…"
		}
		if o.Optional {
			name += "?"
		}
		parts[i] = fmt.Sprintf("%s: %s", name, types)
	}
	return strings.Join(parts, "; ")
}

func eight(d *op.Def) string {
	switch q := &d.Quant; {
	case q.None:
		return "–"
	case q.For != nil:
		return "depends on the options"
	default:
		return rules(q, d, tensor.Int8)
	}
}

func sixteen(d *op.Def) string {
	if d.Quant.For != nil {
		return "depends on the options"
	}
	q, ok := d.Quant.For16()
	if !ok {
		return "–"
	}
	return rules(q, d, tensor.Int16)
}

func rules(q *op.Quant, d *op.Def, t tensor.DType) string {
	if q.Same {
		return "results as operand 0"
	}
	var in, out []string
	for i := range d.Operands.Ins {
		in = append(in, rule(q.InRule(i), t))
	}
	for i := range d.Operands.Outs {
		out = append(out, rule(q.OutRule(i), t))
	}
	return strings.Join(in, ", ") + " → " + strings.Join(out, ", ")
}

// kinds prints the rules that need no more than a word.
var kinds = map[op.RuleKind]string{
	op.Untouched: "–", op.Free: "measured", op.SymPOT: "measured, power of two", op.Symmetric: "measured, symmetric",
}

func rule(r op.Rule, t tensor.DType) string {
	switch r.Kind {
	case op.Weight:
		if r.Axis < 0 {
			return "weights per tensor"
		}
		return fmt.Sprintf("weights per channel of axis %d", r.Axis)
	case op.Bias:
		return "bias of " + factors(r.Of)
	case op.StateOf:
		return fmt.Sprintf("as result %d", r.Of[0])
	case op.Pinned:
		if p, ok := r.Pin(t); ok {
			return fmt.Sprintf("1/%s, %d", strconv.FormatFloat(1/float64(p.Scale), 'g', 6, 64), p.Zero)
		}
		return "fixed for other types"
	}
	return kinds[r.Kind]
}

func factors(of []int) string {
	parts := make([]string, len(of))
	for i, k := range of {
		parts[i] = strconv.Itoa(k)
	}
	return strings.Join(parts, "·")
}

func weightsOnly(d *op.Def) string {
	var names []string
	for _, i := range d.Quant.Weights {
		if i < len(d.Operands.Ins) {
			names = append(names, d.Operands.Ins[i].Name)
		}
	}
	return strings.Join(names, ", ")
}

func versions(d *op.Def) string {
	parts := make([]string, len(d.Since))
	for i, since := range d.Since {
		parts[i] = fmt.Sprintf("%d: %s", i+1, since)
	}
	return strings.Join(parts, ", ")
}
