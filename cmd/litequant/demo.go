package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/dataset/mnist"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/hub"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/metric"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/quantize"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
	"github.com/litequant/litequant/train"
)

// demo is the whole tutorial on MNIST.
type demo struct {
	app     *app
	dir     string
	epochs  int
	samples int
	json    bool

	lines       io.Writer
	begin       time.Time
	train, test dataset.Source
	float       *loaded
}

// demoSeed makes every run of the demo give the same models.
const demoSeed = 1

// demoModels are the demo's files in the table's order; the first is not
// quantized.
var demoModels = []struct {
	file   string
	recipe quantize.Recipe
}{
	{file: "float.tflite"},
	{"dynamic.tflite", quantize.Recipe{Scheme: quantize.Dynamic}},
	{"float16.tflite", quantize.Recipe{Scheme: quantize.Float16}},
	{"int8.tflite", quantize.Recipe{Scheme: quantize.Int8}},
	{"uint8.tflite", quantize.Recipe{Scheme: quantize.Int8Only, InputType: tensor.UInt8, OutputType: tensor.UInt8}},
	{"int16x8.tflite", quantize.Recipe{Scheme: quantize.Int16x8}},
}

// demoRepresentative is the number of training images that are calibrated on.
const demoRepresentative = 100

func newDemo(a *app) *cobra.Command {
	d := &demo{app: a}
	c := &cobra.Command{
		Use:   "demo",
		Short: "The whole tutorial on MNIST: hub layer, fit, convert, quantize, evaluate",
		Long: "demo loads a TF-Hub module (--hub) or trains one, fits a classifier behind it, saves it,\n" +
			"converts and quantizes it in every scheme and evaluates the results, all on the embedded\n" +
			"MNIST. The directory is the demo's own: a module that is there is used again.",
		Example: "  litequant demo\n  litequant demo --epochs 5 --out digits",
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return d.run(c.Context()) },
	}
	f := c.Flags()
	f.IntVar(&d.epochs, "epochs", 5, "epochs of the fit")
	f.StringVar(&d.dir, "out", "litequant-demo", "directory for the models")
	f.IntVar(&d.samples, "samples", allSamples, "use the first `N` images of each part (also --limit)")
	f.Lookup("samples").DefValue = "all"
	f.BoolVar(&d.json, "json", false, "print the table as JSON")
	return c
}

func (d *demo) run(ctx context.Context) error {
	if d.epochs < 1 {
		return usagef("1 or more", "--epochs=%d", d.epochs)
	}
	if err := (&data{samples: d.samples}).check(); err != nil {
		return err
	}
	if d.lines = d.app.stdout; d.json {
		d.lines = d.app.stderr
	}
	if d.app.quiet {
		d.lines = io.Discard
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return in(d.dir, err)
	}
	for _, step := range []func(context.Context) error{d.load, d.fit, d.convert, d.quantize, d.inspect, d.infer, d.evaluate} {
		d.begin = time.Now()
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// say prints a step's line with the time it took.
func (d *demo) say(step, format string, args ...any) {
	fmt.Fprintf(d.lines, "%-9s %7s  %s\n", step, seconds(time.Since(d.begin)), fmt.Sprintf(format, args...))
	d.begin = time.Now()
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// output is a file of the demo's own, which replaces an older one.
func (d *demo) output(name string) *output {
	return &output{app: d.app, path: d.path(name), force: true}
}

func (d *demo) load(context.Context) error {
	digits, err := mnist.Load()
	if err != nil {
		return err
	}
	d.train, d.test = digits.Train, digits.Test
	if d.samples > 0 {
		d.train, d.test = dataset.Take(d.train, d.samples), dataset.Take(d.test, d.samples)
	}
	d.say("data", "MNIST, %s training and %s test images", grouped(d.train.Len()), grouped(d.test.Len()))
	return nil
}

// module returns the Hub module: --hub's, the one that an earlier run left, or a
// new one.
func (d *demo) module(ctx context.Context) (*hub.Module, error) {
	if len(d.app.hub) > 1 || len(d.app.hub) == 1 && strings.Contains(d.app.hub[0], "=") && !hub.IsRemote(d.app.hub[0]) {
		return nil, usagef("--hub PATH or a handle", "the demo has one Hub layer")
	}
	if len(d.app.hub) == 1 {
		m, err := d.app.openHub(ctx, d.app.hub[0])
		if err == nil {
			d.say("module", "%s", d.app.hub[0])
		}
		return m, err
	}
	handle, err := filepath.Abs(d.path("hub_module"))
	if err != nil {
		return nil, err
	}
	what := "%s, of an earlier run"
	if _, err := os.Stat(filepath.Join(handle, "saved_model.pb")); err != nil {
		if err := d.publish(ctx); err != nil {
			return nil, err
		}
		what = "%s, trained and published"
	}
	m, err := d.app.openHub(ctx, handle)
	if err == nil {
		d.say("module", what, d.path("hub_module"))
	}
	return m, err
}

// publish trains the module's network and writes it.
func (d *demo) publish(ctx context.Context) error {
	m, err := keras.Sequential(
		keras.Input(28, 28, 1),
		keras.Conv2D{Filters: 32, KernelSize: [2]int{5, 5}, Padding: keras.Same, Activation: keras.ReLU},
		keras.MaxPooling2D{},
		keras.Conv2D{Filters: 64, KernelSize: [2]int{5, 5}, Padding: keras.Same, Activation: keras.ReLU},
		keras.MaxPooling2D{},
		keras.Flatten{},
		keras.Dense{Units: 1024, Activation: keras.ReLU},
		keras.Dense{Units: 10},
	)
	if err != nil {
		return err
	}
	if err := d.fitNetwork(ctx, m, 1); err != nil {
		return err
	}
	return d.output("hub_module").save(m.Publish)
}

// fitNetwork fits a network to the training images.
func (d *demo) fitNetwork(ctx context.Context, m *keras.Model, epochs int) error {
	if err := m.Initialize(demoSeed); err != nil {
		return err
	}
	show := d.app.newFitProgress(d.lines)
	defer show.finish()
	_, err := train.Fit(ctx, m, d.train, train.Options{
		Optimizer:  train.Adam{},
		Loss:       train.SparseCategoricalCrossentropy{FromLogits: true},
		Metrics:    []metric.Metric{metric.Accuracy},
		Epochs:     epochs,
		Validation: d.test,
		Seed:       demoSeed,
		Threads:    d.app.threads,
		Progress:   show.update,
	})
	return err
}

// fit puts a classifier behind the frozen module, fits and saves it.
func (d *demo) fit(ctx context.Context) error {
	trunk, err := d.module(ctx)
	if err != nil {
		return err
	}
	m, err := keras.Sequential(
		keras.Input(28, 28, 1),
		trunk.Layer(),
		keras.Dense{Units: 10, Activation: keras.Softmax},
	)
	if err != nil {
		return err
	}
	if err := d.fitNetwork(ctx, m, d.epochs); err != nil {
		return err
	}
	d.say("fit", "%d epoch(s) of the layers behind the frozen module", d.epochs)
	for _, name := range []string{"model.h5", "saved_model"} {
		if err := d.output(name).save(m.Save); err != nil {
			return err
		}
		d.say("save", "%s, %s bytes", d.path(name), grouped(sizeOnDisk(d.path(name))))
	}
	return nil
}

// convert reads the saved model back and writes it as .tflite.
func (d *demo) convert(ctx context.Context) error {
	var err error
	if d.float, err = d.app.load(ctx, d.path("model.h5")); err != nil {
		return err
	}
	return d.write(demoModels[0].file, "convert", d.float)
}

// write writes a model to a file of the demo.
func (d *demo) write(file, step string, l *loaded) error {
	b, err := l.encoded()
	if err != nil {
		return err
	}
	if err := d.output(file).bytes(b); err != nil {
		return err
	}
	d.say(step, "%s, %s bytes", d.path(file), grouped(len(b)))
	return nil
}

func (d *demo) quantize(ctx context.Context) error {
	images := dataset.Take(d.train, demoRepresentative)
	for _, model := range demoModels[1:] {
		model.recipe.Calibrate = d.app.calibration()
		m, _, err := quantize.Model(ctx, d.float.graph, model.recipe, images)
		if err != nil {
			return in(model.file, err)
		}
		if err := d.write(model.file, "quantize", &loaded{name: model.file, graph: m}); err != nil {
			return err
		}
	}
	return nil
}

// inspected is the model that the demo looks at and runs.
const inspected = "uint8.tflite"

func (d *demo) inspect(ctx context.Context) error {
	l, err := d.app.load(ctx, d.path(inspected))
	if err != nil {
		return err
	}
	g := l.graph.Main()
	var text []string
	for _, v := range g.Inputs {
		text = append(text, "in "+valueText(g.Value(v).DType, g.Value(v).Partial(), g.Value(v).Quant))
	}
	for _, v := range g.Outputs {
		text = append(text, "out "+valueText(g.Value(v).DType, g.Value(v).Partial(), g.Value(v).Quant))
	}
	var ops []string
	for i := range g.Nodes {
		ops = append(ops, fmt.Sprintf("%s v%d", op.NameOf(&g.Nodes[i]), g.Nodes[i].Version))
	}
	d.say("inspect", "%s: %s; %s", inspected, strings.Join(text, ", "), strings.Join(ops, ", "))
	return nil
}

func valueText(t tensor.DType, s tensor.Shape, q tensor.Quant) string {
	return fmt.Sprintf("%v%v scale %s zero point %s", t, s, scaleText(q), zeroText(q))
}

// infer runs the first test image.
func (d *demo) infer(ctx context.Context) error {
	m, err := tflite.ReadFile(d.path(inspected))
	if err != nil {
		return err
	}
	prog, err := engine.Compile(m, engine.Options{Kind: d.app.kind(), Threads: d.app.threads})
	if err != nil {
		return err
	}
	r, err := prog.NewRunner("")
	if err != nil {
		return err
	}
	for s, err := range d.test.All(ctx) {
		if err != nil {
			return err
		}
		q, err := quantized(s.Inputs[0], m.Main().Value(m.Main().Inputs[0]))
		if err != nil {
			return err
		}
		copy(r.InputAt(0).Bytes(), q.Bytes())
		if err := r.Invoke(ctx); err != nil {
			return err
		}
		best := topOf(r.OutputAt(0).Float32s())[0]
		d.say("run", "%s on test image 0: class %d with score %.4f, label %g", inspected, best.Class, best.Score, s.Label.Float32s()[0])
		return nil
	}
	return errors.New("no test images")
}

// evaluate measures every model on the test images.
func (d *demo) evaluate(ctx context.Context) error {
	e := &evaluation{app: d.app, data: data{name: "mnist:test", samples: d.samples}}
	var results []evaluateJSON
	for _, model := range demoModels {
		r, err := e.model(ctx, d.path(model.file), metric.Accuracy)
		if err != nil {
			return err
		}
		r.Model = model.file
		results = append(results, r)
	}
	d.say("evaluate", "%d models on %s test images", len(results), grouped(d.test.Len()))
	compareWithFirst(results, metric.Accuracy)
	if d.json {
		return d.app.json(results)
	}
	fmt.Fprintln(d.lines)
	d.app.table("", evaluateHeader(metric.Accuracy), evaluateRows(results, metric.Accuracy))
	return nil
}
