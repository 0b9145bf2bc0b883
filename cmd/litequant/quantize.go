package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/calibrate"
	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/quantize"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// quantization is the flags of the quantize command.
type quantization struct {
	app                   *app
	out                   output
	data                  data
	scheme                string
	inputType, outputType string
	stats                 string
	exclude               []string
	algorithm             string
	perTensorDense        bool
}

func newQuantize(a *app) *cobra.Command {
	q := &quantization{app: a, out: output{app: a}}
	c := &cobra.Command{
		Use:   "quantize MODEL -o OUT.tflite --scheme S",
		Short: "Quantize a model after training",
		Long: "quantize writes a smaller .tflite file. Schemes: " + schemeNames() + ";\n" +
			"ai-edge-quantizer's names (static_wi8_ai8, dynamic_wi8_afp32, …) are understood too.",
		Example: "  litequant quantize model.h5 -o dynamic.tflite --scheme dynamic\n" +
			"  litequant quantize float.tflite -o int8.tflite --scheme int8 --data mnist:train --samples 100\n" +
			"  litequant quantize float.tflite -o uint8.tflite --scheme int8-only --data mnist:train --input-type uint8 --output-type uint8",
		RunE: func(c *cobra.Command, args []string) error {
			name, err := a.exactModel(c, args)
			if err != nil {
				return err
			}
			return q.run(c, name)
		},
	}
	q.out.flags(c, ".tflite file")
	q.data.flags(c, "representative data", 100)
	f := c.Flags()
	f.StringVar(&q.scheme, "scheme", "", "how: "+schemeNames())
	f.StringVar(&q.inputType, "input-type", "float32", "type of the inputs: float32, int8, uint8, int16")
	f.StringVar(&q.outputType, "output-type", "float32", "type of the outputs: float32, int8, uint8, int16")
	f.StringVar(&q.stats, "stats", "", "statistics of litequant calibrate, in place of data")
	f.StringArrayVar(&q.exclude, "exclude", nil, "leave operators float whose name or origin matches REGEX")
	f.StringVar(&q.algorithm, "algorithm", "minmax", "how ranges are chosen: minmax")
	f.BoolVar(&q.perTensorDense, "per-tensor-dense", false, "one scale for all units of a Dense layer, as TensorFlow before 2.15")
	return c
}

func schemeNames() string {
	var names []string
	for _, s := range quantize.Schemes() {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}

func (q *quantization) run(c *cobra.Command, name string) error {
	recipe, err := q.recipe()
	if err != nil {
		return err
	}
	if err := q.out.check(c); err != nil {
		return err
	}
	l, err := q.app.load(c.Context(), name)
	if err != nil {
		return err
	}
	m, report, err := q.quantize(c.Context(), l, recipe)
	if err != nil {
		return err
	}
	b, err := tflite.Encode(m)
	if err != nil {
		return in(name, err)
	}
	if err := q.out.bytes(b); err != nil {
		return err
	}
	q.note(report, len(b))
	return nil
}

func (q *quantization) recipe() (quantize.Recipe, error) {
	var r quantize.Recipe
	if q.scheme == "" {
		return r, usagef("one of "+schemeNames(), "quantize needs a --scheme")
	}
	scheme, err := quantize.ParseScheme(q.scheme)
	if err != nil {
		return r, usagef("one of "+schemeNames(), "--scheme=%s is unknown", q.scheme)
	}
	if scheme.NeedsData() && q.data.name == "" && q.stats == "" {
		return r, usagef("give --data or --stats", "scheme %s needs representative data", scheme)
	}
	if q.data.name != "" && q.stats != "" {
		return r, usagef("give one of them", "--stats stands in place of --data")
	}
	if err := oneOf("algorithm", q.algorithm, "minmax"); err != nil {
		return r, err
	}
	r = quantize.Recipe{Scheme: scheme, PerTensorDense: q.perTensorDense, Exclude: q.exclude, Calibrate: q.app.calibration()}
	if r.InputType, err = ioType("input-type", q.inputType); err != nil {
		return r, err
	}
	if r.OutputType, err = ioType("output-type", q.outputType); err != nil {
		return r, err
	}
	return r, q.data.check()
}

func ioType(flag, name string) (tensor.DType, error) {
	if err := oneOf(flag, name, "float32", "int8", "uint8", "int16"); err != nil {
		return 0, err
	}
	return tensor.ParseDType(name)
}

// calibration is how representative data is run.
func (a *app) calibration() calibrate.Options {
	return calibrate.Options{Threads: a.threads, Engine: a.kind(), Signature: a.signature}
}

func (q *quantization) quantize(ctx context.Context, l *loaded, r quantize.Recipe) (m *graph.Model, report *quantize.Report, err error) {
	if q.stats != "" && r.Scheme.NeedsData() {
		stats, err := calibrate.ReadFile(q.stats)
		if err != nil {
			return nil, nil, in(q.stats, err)
		}
		m, report, err = quantize.WithStats(ctx, l.graph, r, stats)
		return m, report, in(l.name, err)
	}
	var src dataset.Source
	if r.Scheme.NeedsData() {
		if src, err = q.data.open(ctx, fieldsOf(l.graph, q.app.signature)); err != nil {
			return nil, nil, err
		}
	}
	m, report, err = quantize.Model(ctx, l.graph, r, src)
	return m, report, in(l.name, err)
}

// note says what was done, and with -v what was not.
func (q *quantization) note(r *quantize.Report, size int) {
	q.app.notef("%s: %s, %s bytes, %d of %d operators quantized", q.out.path, r.Scheme, grouped(size), r.Quantized(), len(r.Nodes))
	for _, n := range r.Nodes {
		if !n.Quantized {
			q.app.detailf("  %s %d %q stays float: %s", n.Operator, n.Index, n.Name, n.Reason)
		}
	}
}
