package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/internal/exec/fast"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
)

func newOps(a *app) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:     "ops",
		Short:   "Show what is supported: operators by engine and scheme, Keras layers",
		Example: "  litequant ops\n  litequant ops --json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			var list opsJSON
			var rows [][]any
			for _, d := range all.Set().All() {
				o := describeOp(d)
				list.Operators = append(list.Operators, o)
				rows = append(rows, []any{o.Op, o.Versions, strings.Join(o.Types, " "), strings.Join(o.Engines, " "), strings.Join(o.Schemes, " ")})
			}
			list.KerasLayers = keras.Classes()
			if asJSON {
				return a.json(list)
			}
			a.table("TFLite operators", []string{"operator", ">versions", "types", "engines", "quantized by"}, rows)
			fmt.Fprintf(a.stdout, "\nKeras layers\n %s\n", strings.Join(list.KerasLayers, ", "))
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("see "+c.CommandPath()+" --help", "%s takes no arguments, got %q", c.Name(), args[0])
	}
	return nil
}

type opsJSON struct {
	Operators   []opJSON `json:"operators"`
	KerasLayers []string `json:"keras_layers"`
}

type opJSON struct {
	Op       string   `json:"op"`
	Versions int      `json:"versions"`
	Types    []string `json:"types"`
	Engines  []string `json:"engines"`
	Schemes  []string `json:"schemes"`
}

func describeOp(d *op.Def) opJSON {
	o := opJSON{Op: d.Name, Versions: max(len(d.Since), 1), Engines: []string{"reference"}, Schemes: []string{}}
	if fast.Kernels[d.Code] != nil {
		o.Engines = append(o.Engines, "fast")
	}
	if len(d.Operands.Ins) > 0 {
		o.Types = typeNames(d.Operands.Ins[0].Types)
	}
	if len(d.Quant.Weights) > 0 {
		o.Schemes = append(o.Schemes, "dynamic", "float16")
	}
	if !d.Quant.None {
		o.Schemes = append(o.Schemes, "int8")
		if _, ok := d.Quant.For16(); ok {
			o.Schemes = append(o.Schemes, "int16x8")
		}
	}
	return o
}

func typeNames(t op.Types) []string {
	if t == op.Any {
		return []string{"any"}
	}
	return strings.Split(t.String(), "|")
}
