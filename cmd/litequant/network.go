package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/hub"
	"github.com/litequant/litequant/internal/lower"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/keras"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// network reads a model with its layers, which training and saving need.
func (a *app) network(ctx context.Context, name string) (*keras.Model, error) {
	if name == "-" {
		return nil, fmt.Errorf("a Keras model cannot be read from stdin: %w", tensor.ErrUnsupported)
	}
	download, done := a.downloads("hub")
	defer done()
	m, err := keras.Load(ctx, name, keras.LoadOptions{Hub: a.hub, Module: hub.Options{Progress: download}})
	if err != nil {
		return nil, in(name, err)
	}
	return m, nil
}

func loadKeras(a *app, ctx context.Context, name string, c cut) (*loaded, error) {
	m, err := a.network(ctx, name)
	if err != nil {
		return nil, err
	}
	return lowerKeras(m, c)
}

func lowerKeras(m *keras.Model, c cut) (*loaded, error) {
	g, err := m.Graph()
	return lowered(g, err, c, lower.Options{Signature: savedmodel.DefaultSignature, Source: fb.ModelTypeKERAS_MODEL})
}

// networkFields lists a network's inputs without batch axis.
func networkFields(m *keras.Model) ([]dataset.Field, error) {
	g, err := m.Graph()
	if err != nil {
		return nil, err
	}
	var fields []dataset.Field
	for _, p := range g.Inputs {
		if len(p.Shape) == 0 {
			return nil, fmt.Errorf("input %q has no batch axis: %w", p.Name, tensor.ErrShape)
		}
		fields = append(fields, dataset.Field{Name: p.Name, DType: p.DType, Shape: p.Shape[1:]})
	}
	return fields, nil
}

// saveNetwork writes a network as the output's suffix says.
func saveNetwork(m *keras.Model, out *output) error {
	if strings.EqualFold(filepath.Ext(out.path), ".tflite") || out.path == "-" {
		l, err := lowerKeras(m, cut{})
		if err != nil {
			return err
		}
		b, err := tflite.Encode(l.graph)
		if err != nil {
			return err
		}
		return out.write(func(w io.Writer) error { _, err := w.Write(b); return err })
	}
	return out.save(m.Save)
}
