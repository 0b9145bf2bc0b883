// Package conformance holds what LiteRT computes: golden cases, a model with
// inputs and LiteRT's outputs each, for every operator, element type and option.
// Only tests import it. README.md says how the archives are made.
package conformance

import (
	"archive/tar"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/litequant/litequant/tensor"
)

//go:embed testdata/*.tar.gz
var embedded embed.FS

const suffix = ".tar.gz"

// Case is a model and what LiteRT makes of some inputs.
type Case struct {
	Operator string
	Name     string // unique within the operator
	// Oracle is whose outputs these are: "ref" (LiteRT's reference kernels),
	// "builtin" (its optimised ones), where the reference has none or errs, or
	// "default" (with XNNPACK), which alone has MediaPipe's operators.
	Oracle string
	Model  []byte
	// Steps are invocations one after the other; variables live on between them.
	Steps []Step
}

// Step is one invocation: the inputs and outputs in the model's order. Tensors
// carry no quantization parameters.
type Step struct{ In, Out []tensor.Tensor }

// Operators lists the operators that have cases.
func Operators() ([]string, error) { return OperatorsIn(archives()) }

// Load reads an operator's cases.
func Load(operator string) ([]Case, error) { return LoadFrom(archives(), operator) }

// archives is the folder of archives in git, one an operator.
func archives() fs.FS {
	f, err := fs.Sub(embedded, "testdata")
	if err != nil {
		panic(err) // the name is valid
	}
	return f
}

// OperatorsIn lists the operators that have an archive in a folder.
func OperatorsIn(folder fs.FS) ([]string, error) {
	names, err := fs.Glob(folder, "*"+suffix)
	for i := range names {
		names[i] = strings.TrimSuffix(names[i], suffix)
	}
	return names, err
}

// LoadFrom reads an operator's cases from its archive in a folder.
func LoadFrom(folder fs.FS, operator string) ([]Case, error) {
	f, err := folder.Open(operator + suffix)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operator, err)
	}
	var cases []Case
	for r := tar.NewReader(z); ; {
		c, err := next(r)
		if errors.Is(err, io.EOF) {
			return cases, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: case %d: %w", operator, len(cases), err)
		}
		c.Operator = operator
		cases = append(cases, c)
	}
}

// next reads the three members of a case.
func next(r *tar.Reader) (Case, error) {
	var c Case
	var head, data []byte
	for _, part := range []struct {
		name string
		into *[]byte
	}{{"model.tflite", &c.Model}, {"case.json", &head}, {"data.bin", &data}} {
		h, err := r.Next()
		if err != nil {
			return c, err
		}
		dir, base := path.Split(h.Name)
		if c.Name = path.Clean(dir); base != part.name {
			return c, fmt.Errorf("%s where %s should be", h.Name, part.name)
		}
		if *part.into, err = io.ReadAll(r); err != nil {
			return c, err
		}
	}
	return c, c.describe(head, data)
}

// described is a tensor in case.json: [element type, shape, bytes].
type described struct {
	dtype tensor.DType
	shape tensor.Shape
	size  int
}

func (d *described) UnmarshalJSON(b []byte) error {
	var name string
	if err := json.Unmarshal(b, &[]any{&name, &d.shape, &d.size}); err != nil {
		return err
	}
	var err error
	d.dtype, err = tensor.ParseDType(name)
	return err
}

func (c *Case) describe(head, data []byte) error {
	var h struct {
		Oracle string
		Steps  []struct{ In, Out []described }
	}
	if err := json.Unmarshal(head, &h); err != nil {
		return err
	}
	c.Oracle = h.Oracle
	take := func(list []described) ([]tensor.Tensor, error) {
		ts := make([]tensor.Tensor, len(list))
		for i, d := range list {
			if d.size > len(data) {
				return nil, io.ErrUnexpectedEOF
			}
			var err error
			if ts[i], err = tensor.New(d.dtype, d.shape, tensor.Quant{}, append(tensor.Aligned(0), data[:d.size]...)); err != nil {
				return nil, err
			}
			data = data[d.size:]
		}
		return ts, nil
	}
	for _, s := range h.Steps {
		in, err := take(s.In)
		if err != nil {
			return err
		}
		out, err := take(s.Out)
		if err != nil {
			return err
		}
		c.Steps = append(c.Steps, Step{in, out})
	}
	return nil
}
