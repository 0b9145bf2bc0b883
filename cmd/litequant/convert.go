package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/tensor"
)

func newConvert(a *app) *cobra.Command {
	out := output{app: a}
	var tags, inputs, outputs, shapes string
	c := &cobra.Command{
		Use:   "convert MODEL -o OUT.tflite",
		Short: "Convert a model to a float .tflite file",
		Example: "  litequant convert model.h5 -o float.tflite\n" +
			"  litequant convert saved_model/ -o float.tflite --signature serving_default\n" +
			"  litequant convert frozen.pb -o float.tflite --input-arrays x --output-arrays y --input-shapes 1,28,28,1",
		RunE: func(c *cobra.Command, args []string) error {
			name, err := a.exactModel(c, args)
			if err != nil {
				return err
			}
			part := cut{tags: list(tags), inputs: list(inputs), outputs: list(outputs)}
			if part.shapes, err = parseShapes(shapes); err != nil {
				return err
			}
			if err := out.check(c); err != nil {
				return err
			}
			l, err := a.loadCut(c.Context(), name, part)
			if err != nil {
				return err
			}
			b, err := l.encoded()
			if err != nil {
				return err
			}
			if err := out.bytes(b); err != nil {
				return err
			}
			a.notef("%s: %s bytes", out.path, grouped(len(b)))
			return nil
		},
	}
	out.flags(c, ".tflite file")
	f := c.Flags()
	f.StringVar(&tags, "tags", "", "a SavedModel's tags, separated by commas")
	f.StringVar(&inputs, "input-arrays", "", "tensors that become inputs, separated by commas")
	f.StringVar(&outputs, "output-arrays", "", "tensors that become outputs, separated by commas")
	f.StringVar(&shapes, "input-shapes", "", "shapes of the inputs in order: 1,28,28,1 or, for several, 1,3:1,4")
	return c
}

// list splits at commas; nil for nothing.
func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// parseShapes reads shapes as the TFLite converter takes them; -1 is an unknown
// dimension.
func parseShapes(text string) ([]tensor.Shape, error) {
	if text == "" {
		return nil, nil
	}
	var shapes []tensor.Shape
	for one := range strings.SplitSeq(text, ":") {
		s := tensor.Shape{}
		for _, d := range list(one) {
			n, err := strconv.Atoi(strings.TrimSpace(d))
			if err != nil || n < -1 {
				return nil, usagef("such as 1,28,28,1 or, for several inputs, 1,3:1,4", "--input-shapes=%s is no list of shapes", text)
			}
			s = append(s, n)
		}
		shapes = append(shapes, s)
	}
	return shapes, nil
}
