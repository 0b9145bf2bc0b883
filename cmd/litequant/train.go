package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/train"
)

// training is the flags of the train command.
type training struct {
	app          *app
	out          output
	data         data
	validation   string
	epochs       int
	batchSize    int
	optimizer    string
	learningRate float64
	loss         string
	seed         uint64
}

func newTrain(a *app) *cobra.Command { return newTrainOf(&training{app: a, out: output{app: a}}) }

func newTrainOf(t *training) *cobra.Command {
	c := &cobra.Command{
		Use:   "train MODEL --data D -o OUT",
		Short: "Fit a Keras model",
		Long: "train fits the trainable weights of a Keras model (.h5, .keras or SavedModel). OUT is\n" +
			"written as its suffix says: .h5, .keras, .tflite, or a SavedModel directory. The\n" +
			"kind of optimizer, its learning rate and the loss are those that the model was\n" +
			"compiled with, unless they are named.",
		Example: "  litequant train model.h5 --data mnist:train --validation mnist:test --epochs 5 -o fitted.h5",
		RunE: func(c *cobra.Command, args []string) error {
			name, err := t.app.exactModel(c, args)
			if err != nil {
				return err
			}
			return t.run(c, name)
		},
	}
	t.out.flags(c, "model")
	t.data.flags(c, "labelled data", allSamples)
	f := c.Flags()
	f.StringVar(&t.validation, "validation", "", "labelled data to evaluate after each epoch")
	f.IntVar(&t.epochs, "epochs", 1, "times the data is gone through")
	f.IntVar(&t.batchSize, "batch-size", 32, "samples a step")
	f.StringVar(&t.optimizer, "optimizer", "adam", "adam, adamw, rmsprop or sgd")
	f.Float64Var(&t.learningRate, "learning-rate", 0, "step size, 0 for Keras's default")
	f.StringVar(&t.loss, "loss", "sparse_categorical_crossentropy",
		"Keras's name: categorical_crossentropy, binary_crossentropy, mse, mae, huber, ...;\nthose of logits end in _from_logits")
	f.Uint64Var(&t.seed, "seed", 0, "seed of the shuffling; same seed, same weights")
	return c
}

func (t *training) run(c *cobra.Command, name string) error {
	o, err := t.options()
	if err != nil {
		return err
	}
	if err := t.out.check(c); err != nil {
		return err
	}
	ctx := c.Context()
	m, err := t.app.network(ctx, name)
	if err != nil {
		return err
	}
	if err := t.compiled(c, m.Compiled(), &o); err != nil {
		return in(name, err)
	}
	fields, err := networkFields(m)
	if err != nil {
		return in(name, err)
	}
	src, err := t.data.open(ctx, fields)
	if err != nil {
		return err
	}
	if t.validation != "" {
		whole := data{preprocess: t.data.preprocess, samples: allSamples}
		if o.Validation, err = whole.openNamed(ctx, t.validation, fields); err != nil {
			return err
		}
	}
	show := t.app.newFitProgress(t.app.stderr)
	o.Progress = show.update
	_, err = train.Fit(ctx, m, src, o)
	show.finish()
	if err != nil {
		return in(name, err)
	}
	if err := saveNetwork(m, &t.out); err != nil {
		return err
	}
	t.app.notef("%s: written", t.out.path)
	return nil
}

func (t *training) options() (train.Options, error) {
	o := train.Options{
		Epochs: t.epochs, BatchSize: t.batchSize, Seed: t.seed, Threads: t.app.threads,
	}
	if t.data.name == "" {
		return o, usagef("name it with --data", "train needs labelled data")
	}
	if t.epochs < 1 || t.batchSize < 1 || t.learningRate < 0 {
		return o, usagef("--epochs and --batch-size of 1 and more, --learning-rate of 0 and more", "nothing to fit")
	}
	var err error
	if o.Optimizer, err = train.ParseOptimizer(t.optimizer, t.learningRate); err != nil {
		return o, usagef("adam, adamw, rmsprop, sgd", "--optimizer=%s: %w", t.optimizer, err)
	}
	if o.Loss, err = train.ParseLoss(t.loss); err != nil {
		return o, usagef("sparse_categorical_crossentropy, mse, ...", "--loss=%s: %w", t.loss, err)
	}
	return o, t.data.check()
}

// compiled takes what is not named by flags from what the model was compiled with.
func (t *training) compiled(c *cobra.Command, k *keras.Compiled, o *train.Options) (err error) {
	if k != nil && k.Optimizer != "" && !c.Flags().Changed("optimizer") {
		rate := t.learningRate
		if rate == 0 {
			rate = k.LearningRate
		}
		if o.Optimizer, err = train.ParseOptimizer(k.Optimizer, rate); err != nil {
			return &hinted{err, "name another with --optimizer"}
		}
	}
	if k != nil && k.Loss != "" && !c.Flags().Changed("loss") {
		loss := k.Loss
		if k.FromLogits {
			loss += "_from_logits"
		}
		if o.Loss, err = train.ParseLoss(loss); err != nil {
			return &hinted{err, "name another with --loss"}
		}
	}
	o.Metrics = metricsFor(o.Loss)
	return nil
}

// metricsFor are what is shown beside a loss: classifiers' accuracy, others' error.
func metricsFor(l train.Loss) []metric.Metric {
	switch l.(type) {
	case train.SparseCategoricalCrossentropy, train.CategoricalCrossentropy, train.BinaryCrossentropy:
		return []metric.Metric{metric.Accuracy}
	}
	return []metric.Metric{metric.MeanAbsoluteError}
}

// fitProgress prints a line an epoch, as Keras does, and shows a bar meanwhile.
type fitProgress struct {
	app   *app
	lines io.Writer
	bar   *progress
	phase string
	epoch int
	begin time.Time // of the epoch
}

func (a *app) newFitProgress(lines io.Writer) *fitProgress {
	if a.quiet {
		lines = io.Discard
	}
	return &fitProgress{app: a, lines: lines, begin: time.Now()}
}

func (f *fitProgress) update(p train.Progress) {
	if p.Phase == "epoch" {
		f.finish()
		fmt.Fprintln(f.lines, epochLine(p, time.Since(f.begin)))
		return
	}
	if p.Phase != f.phase || p.Epoch != f.epoch {
		f.finish()
		f.phase, f.epoch, f.begin = p.Phase, p.Epoch, time.Now()
		title := "frozen layers"
		if p.Phase != "prefix" {
			title = fmt.Sprintf("epoch %d/%d", p.Epoch, p.Epochs)
		}
		f.bar = f.app.progress(title, p.Steps)
	}
	f.bar.set(p.Step)
}

func (f *fitProgress) finish() {
	f.bar.finish()
	f.bar = nil
}

// epochLine is Keras's line of an epoch.
func epochLine(p train.Progress, took time.Duration) string {
	parts := []string{fmt.Sprintf("Epoch %d/%d", p.Epoch, p.Epochs), seconds(took), fmt.Sprintf("loss: %.4f", p.Result.Loss)}
	parts = append(parts, metricsText("", p.Result.Metrics)...)
	if p.Result.ValMetrics != nil {
		parts = append(parts, fmt.Sprintf("val_loss: %.4f", p.Result.ValLoss))
		parts = append(parts, metricsText("val_", p.Result.ValMetrics)...)
	}
	return strings.Join(parts, " - ")
}

// seconds prints a duration in the unit that suits it.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// metricsText lists metrics by name.
func metricsText(prefix string, values map[string]float64) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, fmt.Sprintf("%s%s: %.4f", prefix, name, values[name]))
	}
	return out
}
