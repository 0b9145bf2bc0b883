package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

func newInspect(a *app) *cobra.Command {
	asJSON, asText := false, false
	c := &cobra.Command{
		Use:     "inspect MODEL",
		Short:   "Show inputs, outputs, signatures, operators and size by part",
		Example: "  litequant inspect int8.tflite\n  litequant inspect int8.tflite --json\n  litequant inspect int8.tflite --text",
		RunE: func(c *cobra.Command, args []string) error {
			name, err := a.exactModel(c, args)
			if err != nil {
				return err
			}
			l, err := a.load(c.Context(), name)
			if err != nil {
				return err
			}
			file, err := l.encoded()
			if err != nil {
				return err
			}
			if l.file == nil { // operator versions are known once written
				if l.graph, err = tflite.Decode(file, tflite.DecodeOptions{}); err != nil {
					return in(name, err)
				}
			}
			switch {
			case asJSON && asText:
				return usagef("one of them", "--json and --text")
			case asJSON:
				return a.json(describe(l))
			case asText:
				_, err := fmt.Fprint(a.stdout, l.graph)
				return err
			}
			a.showModel(l, len(file))
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&asText, "text", false, "print the graph's text form")
	return c
}

// The JSON form of a model.
type (
	modelJSON struct {
		Format      string          `json:"format"`
		Description string          `json:"description,omitempty"`
		Subgraphs   []subgraphJSON  `json:"subgraphs"`
		Signatures  []signatureJSON `json:"signatures"`
		Metadata    []metadataJSON  `json:"metadata"`
		Size        int64           `json:"size"`
	}
	subgraphJSON struct {
		Name      string         `json:"name"`
		Inputs    []int          `json:"inputs"`
		Outputs   []int          `json:"outputs"`
		Tensors   []tensorJSON   `json:"tensors"`
		Operators []operatorJSON `json:"operators"`
	}
	tensorJSON struct {
		Index          int              `json:"index"`
		Name           string           `json:"name"`
		DType          string           `json:"dtype"`
		Shape          tensor.Shape     `json:"shape"`
		ShapeSignature tensor.Shape     `json:"shape_signature"`
		Quantization   quantizationJSON `json:"quantization"`
		Bytes          int              `json:"bytes"`
		Constant       bool             `json:"constant"`
		Variable       bool             `json:"variable"`
	}
	quantizationJSON struct {
		Scales     []number32 `json:"scales"`
		ZeroPoints []int64    `json:"zero_points"`
		Dimension  int        `json:"quantized_dimension"`
	}
	operatorJSON struct {
		Index   int    `json:"index"`
		Op      string `json:"op"`
		Version int    `json:"version"`
		Inputs  []int  `json:"inputs"`
		Outputs []int  `json:"outputs"`
	}
	signatureJSON struct {
		Key      string      `json:"key"`
		Subgraph int         `json:"subgraph"`
		Inputs   []namedJSON `json:"inputs"`
		Outputs  []namedJSON `json:"outputs"`
	}
	namedJSON struct {
		Name   string `json:"name"`
		Tensor int    `json:"tensor"`
	}
	metadataJSON struct {
		Name  string `json:"name"`
		Bytes int    `json:"bytes"`
	}
)

func describe(l *loaded) modelJSON {
	m := modelJSON{
		Format: l.format, Description: l.graph.Description, Size: l.size,
		Subgraphs: []subgraphJSON{}, Signatures: []signatureJSON{}, Metadata: []metadataJSON{},
	}
	for _, g := range l.graph.Subgraphs {
		m.Subgraphs = append(m.Subgraphs, describeSubgraph(g))
	}
	for _, s := range l.graph.Signatures {
		m.Signatures = append(m.Signatures, signatureJSON{s.Key, s.Subgraph, describeNamed(s.Inputs), describeNamed(s.Outputs)})
	}
	for _, d := range l.graph.Metadata {
		m.Metadata = append(m.Metadata, metadataJSON{d.Name, len(d.Data)})
	}
	return m
}

func describeSubgraph(g *graph.Subgraph) subgraphJSON {
	s := subgraphJSON{Name: g.Name, Inputs: indices(g.Inputs), Outputs: indices(g.Outputs), Tensors: []tensorJSON{}, Operators: []operatorJSON{}}
	for i := range g.Values {
		v := &g.Values[i]
		s.Tensors = append(s.Tensors, tensorJSON{
			Index: i, Name: v.Name, DType: v.DType.String(),
			Shape: listOf(v.Shape), ShapeSignature: listOf(v.Partial()),
			Quantization: describeQuant(v.Quant), Bytes: bytesOf(v),
			Constant: v.IsConst(), Variable: v.Variable,
		})
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		s.Operators = append(s.Operators, operatorJSON{i, op.NameOf(n), n.Version, indices(n.Inputs), indices(n.Outputs)})
	}
	return s
}

func describeQuant(q tensor.Quant) quantizationJSON {
	d := quantizationJSON{[]number32{}, []int64{}, q.Axis}
	for _, s := range q.Scales {
		d.Scales = append(d.Scales, number32(s))
	}
	d.ZeroPoints = append(d.ZeroPoints, q.ZeroPoints...)
	return d
}

func describeNamed(values []graph.NamedValue) []namedJSON {
	out := []namedJSON{}
	for _, v := range values {
		out = append(out, namedJSON{v.Name, int(v.Value)})
	}
	return out
}

func indices(ids []graph.ValueID) []int {
	out := make([]int, len(ids))
	for i, v := range ids {
		out[i] = int(v)
	}
	return out
}

// listOf makes JSON of a scalar's shape [] and not null.
func listOf(s tensor.Shape) tensor.Shape { return append(tensor.Shape{}, s...) }

// bytesOf is the size of a tensor at its declared shape, 0 if it is not known.
func bytesOf(v *graph.Value) int {
	if v.IsConst() {
		return len(v.Const)
	}
	n, err := v.Shape.Bytes(v.DType)
	if err != nil {
		return 0
	}
	return n
}

// showModel prints a model for people; encoded is its size as a .tflite file.
func (a *app) showModel(l *loaded, encoded int) {
	fmt.Fprintf(a.stdout, "%s: %s, %s bytes\n", l.name, l.format, grouped(l.size))
	if l.file == nil {
		fmt.Fprintf(a.stdout, "as .tflite: %s bytes\n", grouped(encoded))
	}
	if l.graph.Description != "" {
		fmt.Fprintln(a.stdout, l.graph.Description)
	}
	for i, g := range l.graph.Subgraphs {
		of := ""
		if len(l.graph.Subgraphs) > 1 {
			of = fmt.Sprintf(" of subgraph %d %q", i, g.Name)
		}
		a.showValues("Inputs"+of, g, g.Inputs)
		a.showValues("Outputs"+of, g, g.Outputs)
		a.showOperators("Operators"+of, g)
	}
	var rows [][]any
	for _, s := range l.graph.Signatures {
		rows = append(rows, []any{s.Key, names(s.Inputs), names(s.Outputs)})
	}
	a.section("Signatures", []string{"key", "inputs", "outputs"}, rows)
	a.section("Size by part", []string{"part", ">bytes", ">share"}, sizeRows(l.graph, encoded))
}

// section prints a table behind an empty line, nothing without rows.
func (a *app) section(title string, header []string, rows [][]any) {
	if len(rows) > 0 {
		fmt.Fprintln(a.stdout)
		a.table(title, header, rows)
	}
}

func (a *app) showValues(title string, g *graph.Subgraph, ids []graph.ValueID) {
	var rows [][]any
	for _, id := range ids {
		v := g.Value(id)
		rows = append(rows, []any{int(id), v.Name, v.DType, shapeText(v), scaleText(v.Quant), zeroText(v.Quant)})
	}
	a.section(title, []string{">tensor", "name", "dtype", "shape", ">scale", ">zero point"}, rows)
}

func shapeText(v *graph.Value) string {
	if v.Unranked {
		return "unknown"
	}
	return v.Partial().String()
}

func scaleText(q tensor.Quant) string {
	switch {
	case q.IsZero():
		return "-"
	case q.PerAxis():
		return fmt.Sprintf("%d along axis %d", len(q.Scales), q.Axis)
	}
	return strconv.FormatFloat(float64(q.Scale()), 'g', -1, 32)
}

func zeroText(q tensor.Quant) string {
	switch {
	case q.IsZero():
		return "-"
	case q.PerAxis():
		return "per axis"
	}
	return strconv.FormatInt(q.Zero(), 10)
}

func names(values []graph.NamedValue) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.Name
	}
	return strings.Join(out, ", ")
}

// showOperators prints each kind of node: its operator, version and types.
func (a *app) showOperators(title string, g *graph.Subgraph) {
	type kind struct {
		name    string
		version int
		types   string
	}
	var order []kind
	count := map[kind]int{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		k := kind{op.NameOf(n), n.Version, typesOf(g, n.Inputs) + " → " + typesOf(g, n.Outputs)}
		if count[k]++; count[k] == 1 {
			order = append(order, k)
		}
	}
	var rows [][]any
	for _, k := range order {
		rows = append(rows, []any{k.name, k.version, count[k], k.types})
	}
	a.section(title, []string{"operator", ">version", ">count", "types"}, rows)
}

func typesOf(g *graph.Subgraph, ids []graph.ValueID) string {
	var out []string
	for _, v := range ids {
		if v != graph.None {
			out = append(out, g.Value(v).DType.String())
		}
	}
	return strings.Join(out, ", ")
}

// sizeRows says what a file's bytes are: constants by element type, each buffer
// counted once, metadata, and the rest.
func sizeRows(m *graph.Model, total int) [][]any {
	seen := map[*byte]bool{}
	sum := map[tensor.DType]int{}
	var order []tensor.DType
	rest := total
	for _, g := range m.Subgraphs {
		for i := range g.Values {
			v := &g.Values[i]
			if len(v.Const) == 0 || seen[&v.Const[0]] {
				continue
			}
			seen[&v.Const[0]] = true
			if sum[v.DType] == 0 {
				order = append(order, v.DType)
			}
			sum[v.DType] += len(v.Const)
			rest -= len(v.Const)
		}
	}
	var rows [][]any
	row := func(part string, n int) {
		rows = append(rows, []any{part, grouped(n), percent(float64(n)/float64(max(total, 1)), 1)})
	}
	for _, d := range order {
		row(d.String()+" constants", sum[d])
	}
	blobs := 0
	for _, d := range m.Metadata {
		blobs += len(d.Data)
	}
	if blobs > 0 {
		row("metadata", blobs)
	}
	row("structure", rest-blobs)
	row("total", total)
	return rows
}
