package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/evaluate"
	"github.com/litequant/litequant/metric"
)

// evaluation is the flags of the evaluate command.
type evaluation struct {
	app         *app
	data        data
	metric      string
	topK        int
	minAccuracy float64
	maxDrop     float64
	json        bool
}

func newEvaluate(a *app) *cobra.Command {
	e := &evaluation{app: a}
	c := &cobra.Command{
		Use:   "evaluate MODEL...",
		Short: "Measure accuracy, size and latency on labelled data",
		Long: "evaluate runs each model on labelled data and prints its metric, the drop against\n" +
			"the first model, its size and the time of one inference (batch 1, one thread).",
		Example: "  litequant evaluate float.tflite int8.tflite --data mnist:test\n" +
			"  litequant evaluate float.tflite int8.tflite --data mnist:test --max-drop 0.5 --json",
		RunE: func(c *cobra.Command, args []string) error {
			names, err := a.models(c, args, 1, -1)
			if err != nil {
				return err
			}
			return e.run(c, names)
		},
	}
	e.data.flags(c, "labelled data", allSamples)
	f := c.Flags()
	f.StringVar(&e.metric, "metric", "accuracy", "accuracy, top-5, mse, mae, …")
	f.IntVar(&e.topK, "top-k", 0, "shorthand for --metric top-K")
	f.Float64Var(&e.minAccuracy, "min-accuracy", 0, "fail if a model's accuracy is below P percent")
	f.Float64Var(&e.maxDrop, "max-drop", 0, "fail if a model is more than P percentage points worse than the first")
	f.BoolVar(&e.json, "json", false, "print JSON: a list of one object a model")
	return c
}

type evaluateJSON struct {
	Model    string `json:"model"`
	Metric   string `json:"metric"`
	Value    number `json:"value"`
	Drop     number `json:"drop"`
	Count    int    `json:"count"`
	Bytes    int64  `json:"bytes"`
	Ratio    number `json:"ratio"`
	MedianUS number `json:"median_us"`
	P90US    number `json:"p90_us"`
	Threads  int    `json:"threads"`
}

func (e *evaluation) run(c *cobra.Command, names []string) error {
	m, err := e.parse()
	if err != nil {
		return err
	}
	if gated := c.Flags().Changed("min-accuracy") || c.Flags().Changed("max-drop"); gated && !m.HigherIsBetter {
		return usagef("use accuracy or top-K", "--min-accuracy and --max-drop are points of an accuracy, not of %s", m.Name)
	}
	var results []evaluateJSON
	for _, name := range names {
		r, err := e.model(c.Context(), name, m)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	compareWithFirst(results, m)
	if e.json {
		if err := e.app.json(results); err != nil {
			return err
		}
	} else {
		e.app.table("", evaluateHeader(m), evaluateRows(results, m))
	}
	return e.gates(c, results, m)
}

func (e *evaluation) parse() (metric.Metric, error) {
	if e.data.name == "" {
		return metric.Metric{}, usagef("name labelled data with --data", "evaluate needs data")
	}
	if e.topK < 0 {
		return metric.Metric{}, usagef("1 or more", "--top-k=%d", e.topK)
	}
	if e.topK > 0 {
		return metric.TopK(e.topK), e.data.check()
	}
	m, err := metric.Parse(e.metric)
	if err != nil {
		return m, usagef("accuracy, top-5, mse, mae", "--metric=%s: %w", e.metric, err)
	}
	return m, e.data.check()
}

func (e *evaluation) model(ctx context.Context, name string, m metric.Metric) (evaluateJSON, error) {
	a := e.app
	l, err := a.load(ctx, name)
	if err != nil {
		return evaluateJSON{}, err
	}
	src, err := e.data.open(ctx, fieldsOf(l.graph, a.signature))
	if err != nil {
		return evaluateJSON{}, err
	}
	bar := a.progress(name, src.Len())
	r, err := evaluate.Graph(ctx, l.graph, src, m, evaluate.Options{
		Engine: a.kind(), Threads: a.threads, Signature: a.signature,
		Progress: func(done, _ int) { bar.set(done) },
	})
	bar.finish()
	if err != nil {
		return evaluateJSON{}, in(name, err)
	}
	return evaluateJSON{
		Model: name, Metric: r.Metric, Value: number(r.Value), Count: r.Count, Bytes: l.size,
		MedianUS: micros(r.Median), P90US: micros(r.P90), Threads: a.cores(),
	}, nil
}

// compareWithFirst fills in each result's drop and ratio.
func compareWithFirst(results []evaluateJSON, m metric.Metric) {
	first := results[0]
	for i := range results {
		r := &results[i]
		r.Drop = first.Value - r.Value
		if !m.HigherIsBetter {
			r.Drop = -r.Drop
		}
		r.Ratio = number(float64(first.Bytes) / float64(max(r.Bytes, 1)))
	}
}

func evaluateHeader(m metric.Metric) []string {
	return []string{"model", ">" + m.Name, ">drop", ">bytes", ">ratio", ">median µs", ">p90 µs"}
}

func evaluateRows(results []evaluateJSON, m metric.Metric) [][]any {
	var rows [][]any
	for _, r := range results {
		rows = append(rows, []any{r.Model, metricText(m, r.Value), metricText(m, r.Drop), grouped(r.Bytes),
			fmt.Sprintf("%.2f×", r.Ratio), us(r.MedianUS), us(r.P90US)})
	}
	return rows
}

// metricText prints shares as per cent.
func metricText(m metric.Metric, v number) string {
	if m.HigherIsBetter {
		return percent(float64(v), 2)
	}
	return fmt.Sprintf("%.6g", float64(v))
}

// gates are the limits a build sets.
func (e *evaluation) gates(c *cobra.Command, results []evaluateJSON, m metric.Metric) error {
	var errs []error
	for _, r := range results {
		value, drop := points(r.Value), points(r.Drop)
		if c.Flags().Changed("min-accuracy") && value < e.minAccuracy {
			errs = append(errs, fmt.Errorf("%s: %s is %.6g %%, below --min-accuracy %g", r.Model, m.Name, value, e.minAccuracy))
		}
		if c.Flags().Changed("max-drop") && drop > e.maxDrop {
			errs = append(errs, fmt.Errorf("%s: %s drops by %.6g points to %.6g %%, more than --max-drop %g", r.Model, m.Name, drop, value, e.maxDrop))
		}
	}
	return errors.Join(errs...)
}

// points is a share in percentage points, without the noise of a subtraction.
func points(n number) float64 { return math.Round(float64(n)*1e11) / 1e9 }
