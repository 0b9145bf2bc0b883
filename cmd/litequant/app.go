package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/vbauerster/mpb/v8/cwriter"

	"github.com/litequant/litequant/engine"
)

// app is one execution: its streams and the flags all commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	threads    int
	engineName string
	signature  string
	hub        []string
	color      string
	noProgress bool
	quiet      bool
	verbose    bool
	model      string // MODEL by a converter's flag instead of an argument
}

// aliases are the spellings of benchmark_model and tflite_convert, and the two
// names of one idea.
var aliases = map[string]string{
	"limit":            "samples",
	"num-threads":      "threads",
	"num-runs":         "runs",
	"warmup-runs":      "warmup",
	"output-file":      "output",
	"graph":            "model",
	"saved-model-dir":  "model",
	"keras-model-file": "model",
	"graph-def-file":   "model",
}

func normalize(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	name = strings.ReplaceAll(name, "_", "-")
	if to, ok := aliases[name]; ok {
		name = to
	}
	return pflag.NormalizedName(name)
}

// commands lists the constructors in the order of the road from data to device.
var commands = []func(*app) *cobra.Command{
	newDemo, newTrain, newConvert, newCalibrate, newQuantize, newInspect, newRun, newEvaluate, newBench, newExport, newOps,
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:     "litequant",
		Short:   "Load, fine-tune, convert, quantize, run and evaluate networks for TFLite",
		Long:    "litequant loads Keras, SavedModel and TF-Hub networks, fine-tunes them, converts them\nto .tflite, quantizes, runs and evaluates them, in pure Go.",
		Example: "  litequant inspect model.tflite\n  litequant evaluate float.tflite int8.tflite --data mnist:test",
		Version: version,
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return unknownCommand(c, args[0])
		},
		PersistentPreRunE:          func(*cobra.Command, []string) error { return a.checkFlags() },
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
	}
	root.SetVersionTemplate("litequant {{.Version}} " + runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version() + "\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{err: err, hint: fmt.Sprintf("see %s --help", c.CommandPath())}
	})
	f := root.PersistentFlags()
	f.IntVar(&a.threads, "threads", 0, "threads to use, 0 for all cores; never changes a result")
	f.StringVar(&a.engineName, "engine", "fast", "kernels: fast or reference")
	f.StringVar(&a.signature, "signature", "", "signature to use, needed if there are several")
	f.StringArrayVar(&a.hub, "hub", nil, "place a saved hub layer's module: PATH, or HANDLE=PATH")
	f.StringVar(&a.color, "color", "auto", "auto, always or never")
	f.BoolVar(&a.noProgress, "no-progress", false, "no progress bars")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no notes and progress on stderr")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "more notes on stderr")
	f.StringVar(&a.model, "model", "", "MODEL, as the TFLite converter takes it")
	_ = f.MarkHidden("model") // fails for unknown flags only
	root.Flags().Bool("version", false, "print the version")
	for _, newCommand := range commands {
		root.AddCommand(newCommand(a))
	}
	root.SetGlobalNormalizationFunc(normalize)
	return root
}

func unknownCommand(c *cobra.Command, name string) error {
	hint := "see litequant --help"
	if s := c.SuggestionsFor(name); len(s) > 0 {
		hint = "did you mean " + strings.Join(s, " or ") + "?"
	}
	return &usageError{err: fmt.Errorf("unknown command %q", name), hint: hint}
}

// oneOf fails unless value is one of the choices of a flag.
func oneOf(flag, value string, choices ...string) error {
	for _, c := range choices {
		if value == c {
			return nil
		}
	}
	return usagef("one of "+strings.Join(choices, ", "), "--%s=%s is unknown", flag, value)
}

func (a *app) checkFlags() error {
	if a.threads < 0 {
		return usagef("0 stands for all cores", "--threads=%d is negative", a.threads)
	}
	if err := oneOf("engine", a.engineName, "fast", "reference"); err != nil {
		return err
	}
	return oneOf("color", a.color, "auto", "always", "never")
}

func (a *app) kind() engine.Kind {
	if a.engineName == "reference" {
		return engine.Reference
	}
	return engine.Fast
}

// cores is the number of threads that --threads asks for.
func (a *app) cores() int {
	if a.threads > 0 {
		return a.threads
	}
	return runtime.GOMAXPROCS(0)
}

// notef prints a note unless -q.
func (a *app) notef(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// detailf prints a note that only -v asks for.
func (a *app) detailf(format string, args ...any) {
	if a.verbose {
		a.notef(format, args...)
	}
}

// colored reports whether output to w may be coloured.
func (a *app) colored(w io.Writer) bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	if s, ok := w.(*stream); ok {
		w = s.w
	}
	f, ok := w.(*os.File)
	return ok && cwriter.IsTerminal(int(f.Fd()))
}

// models returns the MODEL arguments, min to max of them (max < 0: any number);
// one may come by a flag instead.
func (a *app) models(c *cobra.Command, args []string, min, max int) ([]string, error) {
	if a.model != "" {
		args = append([]string{a.model}, args...)
	}
	hint := "usage: " + c.UseLine()
	if len(args) < min {
		return nil, usagef(hint, "%s needs a MODEL", c.Name())
	}
	if max >= 0 && len(args) > max {
		return nil, usagef(hint, "%s takes %d argument(s), got %d", c.Name(), max, len(args))
	}
	return args, nil
}

// exactModel returns the only MODEL argument.
func (a *app) exactModel(c *cobra.Command, args []string) (string, error) {
	names, err := a.models(c, args, 1, 1)
	if err != nil {
		return "", err
	}
	return names[0], nil
}
