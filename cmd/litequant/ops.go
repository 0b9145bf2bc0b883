package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/internal/opdoc"
	"github.com/litequant/litequant/keras"
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
			list := opsJSON{Operators: opdoc.Supported(all.Set()), KerasLayers: keras.Classes()}
			if asJSON {
				return a.json(list)
			}
			rows := make([][]any, len(list.Operators))
			for i := range rows {
				for _, cell := range list.Operators[i].Cells() {
					rows[i] = append(rows[i], cell)
				}
			}
			a.table("TFLite operators", opdoc.Columns, rows)
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
	Operators   []opdoc.Support `json:"operators"`
	KerasLayers []string        `json:"keras_layers"`
}
