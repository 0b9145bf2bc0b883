package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/litequant/litequant/hub"
	"github.com/litequant/litequant/internal/lower"
	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// loadSavedModel reads a SavedModel or a TF-Hub module in a directory.
func loadSavedModel(a *app, ctx context.Context, name string, c cut) (*loaded, error) {
	dir, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	m, err := savedmodel.Load(os.DirFS(filepath.Dir(dir)), filepath.Base(dir), c.tags)
	if err != nil {
		return nil, err
	}
	if c.inputs != nil || c.outputs != nil {
		g, err := savedmodel.FreezeArrays(m, c.inputs, c.outputs)
		return lowered(g, err, c, lower.Options{})
	}
	if sigs, err := m.Signatures(); err == nil && len(sigs) == 0 && a.signature == "" {
		return loadHub(a, ctx, name, c) // a module that is called as an object
	}
	sig, err := m.Signature(a.signature)
	if err != nil {
		return nil, err
	}
	g, err := savedmodel.Freeze(m, sig.Key)
	return lowered(g, err, c, lower.Options{Signature: sig.Key})
}

// loadGraphDef reads a frozen graph.
func loadGraphDef(a *app, _ context.Context, name string, c cut) (*loaded, error) {
	raw, err := a.readFile(name)
	if err != nil {
		return nil, err
	}
	m, err := savedmodel.ParseGraphDef(name, raw)
	if err != nil {
		return nil, err
	}
	g, err := savedmodel.FreezeArrays(m, c.inputs, c.outputs)
	return lowered(g, err, c, lower.Options{Source: fb.ModelTypeTF_GRAPH_DEF})
}

// loadHub reads a TF-Hub module from a directory, an archive or by its handle.
func loadHub(a *app, ctx context.Context, name string, c cut) (*loaded, error) {
	m, err := a.openHub(ctx, name)
	if err != nil {
		return nil, err
	}
	sig, _ := m.Signature()
	return lowered(m.Graph(), nil, c, lower.Options{Signature: sig})
}

// openHub loads a TF-Hub module.
func (a *app) openHub(ctx context.Context, handle string) (*hub.Module, error) {
	show, done := a.downloads(handle)
	defer done()
	return hub.Load(ctx, handle, hub.Options{Signature: a.signature, Progress: show})
}

// downloads returns what shows a download's progress, and what ends that.
func (a *app) downloads(title string) (show func(done, total int64), end func()) {
	var bar *progress
	show = func(done, total int64) {
		if bar == nil {
			bar = a.progress(title, int(total))
		}
		bar.set(int(done))
	}
	return show, func() { bar.finish() }
}

// lowered turns a frozen graph, whose inputs may be given other shapes, into
// TFLite's operators.
func lowered(g *savedmodel.Graph, err error, c cut, o lower.Options) (*loaded, error) {
	if err != nil {
		return nil, err
	}
	if len(c.shapes) > len(g.Inputs) {
		return nil, fmt.Errorf("%d input shapes for %d inputs: %w", len(c.shapes), len(g.Inputs), tensor.ErrShape)
	}
	for i, s := range c.shapes {
		if old := g.Inputs[i].Shape; old != nil && !old.Fits(s) {
			return nil, fmt.Errorf("input %s takes %v, not %v: %w", g.Inputs[i].Name, old, s, tensor.ErrShape)
		}
		g.Inputs[i].Shape = s
	}
	m, err := lower.Graph(g, o)
	if err != nil {
		return nil, err
	}
	return &loaded{graph: m}, nil
}
