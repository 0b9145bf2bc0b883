package opdoc

import (
	"strconv"
	"strings"

	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/op"
)

// Support is what is supported of an operator: the line of it that docs/ops.md and
// `litequant ops` print.
type Support struct {
	Op       string   `json:"op"`
	Versions int      `json:"versions"`
	Types    []string `json:"types"` // of the first operand, of the first result where there is none
	Engines  []string `json:"engines"`
	Schemes  []string `json:"schemes"`
}

// Columns head the cells of Support.
var Columns = []string{"operator", "versions", "types", "engines", "quantized by"}

// Cells are the fields as text.
func (s *Support) Cells() []string {
	return []string{s.Op, versionRange(s.Versions), strings.Join(s.Types, " "), strings.Join(s.Engines, " "), strings.Join(s.Schemes, " ")}
}

func versionRange(n int) string {
	if n == 1 {
		return "1"
	}
	return "1–" + strconv.Itoa(n)
}

// Supported lists the support of every operator.
func Supported(ops op.Set) []Support {
	var list []Support
	for _, d := range ops.All() {
		list = append(list, supportOf(d))
	}
	return list
}

func supportOf(d *op.Def) Support {
	s := Support{Op: d.Name, Versions: max(len(d.Since), 1), Engines: []string{"reference"}, Schemes: []string{}}
	if fast.Kernels[d.Code] != nil {
		s.Engines = append(s.Engines, "fast")
	}
	for _, list := range [][]op.Operand{d.Operands.Ins, d.Operands.Outs} {
		if len(list) > 0 && s.Types == nil {
			s.Types = typeNames(list[0].Types)
		}
	}
	if len(d.Quant.Weights) > 0 {
		s.Schemes = append(s.Schemes, "dynamic", "float16")
	}
	if !d.Quant.None {
		s.Schemes = append(s.Schemes, "int8")
		if _, ok := d.Quant.For16(); ok {
			s.Schemes = append(s.Schemes, "int16x8")
		}
	}
	return s
}

func typeNames(t op.Types) []string {
	if t == op.Any {
		return []string{"any"}
	}
	return strings.Split(t.String(), "|")
}
