package main

import (
	"github.com/spf13/cobra"

	"github.com/litequant/litequant/calibrate"
)

func newCalibrate(a *app) *cobra.Command {
	out := output{app: a}
	var d data
	c := &cobra.Command{
		Use:   "calibrate MODEL --data D -o STATS.json",
		Short: "Record the ranges of a model's tensors over representative data",
		Long: "calibrate runs a float model over representative data and writes the range of every\n" +
			"tensor. Statistics of parts of a data set merge into those of the whole.",
		Example: "  litequant calibrate float.tflite --data mnist:train[:100] -o stats.json\n" +
			"  litequant calibrate merge part1.json part2.json -o stats.json",
		RunE: func(c *cobra.Command, args []string) error {
			name, err := a.exactModel(c, args)
			if err != nil {
				return err
			}
			if d.name == "" {
				return usagef("name it with --data", "calibrate needs representative data")
			}
			if err := d.check(); err != nil {
				return err
			}
			if err := out.check(c); err != nil {
				return err
			}
			l, err := a.load(c.Context(), name)
			if err != nil {
				return err
			}
			src, err := d.open(c.Context(), fieldsOf(l.graph, a.signature))
			if err != nil {
				return err
			}
			stats, err := calibrate.Run(c.Context(), l.graph, src, a.calibration())
			if err != nil {
				return in(name, err)
			}
			return a.saveStatistics(&out, stats)
		},
	}
	out.flags(c, "statistics file")
	d.flags(c, "representative data", allSamples)
	c.AddCommand(newCalibrateMerge(a))
	return c
}

func newCalibrateMerge(a *app) *cobra.Command {
	out := output{app: a}
	c := &cobra.Command{
		Use:     "merge STATS.json... -o OUT.json",
		Short:   "Merge statistics of one model",
		Example: "  litequant calibrate merge part1.json part2.json -o stats.json",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("usage: "+c.UseLine(), "merge needs statistics")
			}
			if err := out.check(c); err != nil {
				return err
			}
			var parts []*calibrate.Statistics
			for _, name := range args {
				s, err := calibrate.ReadFile(name)
				if err != nil {
					return in(name, err)
				}
				parts = append(parts, s)
			}
			stats, err := calibrate.Merge(parts...)
			if err != nil {
				return err
			}
			return a.saveStatistics(&out, stats)
		},
	}
	out.flags(c, "statistics file")
	return c
}

func (a *app) saveStatistics(out *output, s *calibrate.Statistics) error {
	b, err := s.Encode()
	if err != nil {
		return err
	}
	if err := out.bytes(b); err != nil {
		return err
	}
	a.notef("%s: %d tensors over %d samples", out.path, len(s.Tensors), s.Samples)
	return nil
}
