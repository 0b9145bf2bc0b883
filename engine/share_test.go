package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/tflite"
)

// TestSharedByMany runs a program of every operator in 32 goroutines, control flow,
// resources and variables among them: each runner sees its own state only.
func TestSharedByMany(t *testing.T) {
	for _, name := range must(conformance.Operators())(t) {
		c := must(conformance.Load(name))(t)[0]
		m := must(tflite.Decode(c.Model, tflite.DecodeOptions{}))(t)
		for kind, k := range kinds {
			p := must(engine.Compile(m, engine.Options{Kind: k, Threads: 2, Panics: true}))(t)
			want := must(play(p, &c))(t)
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					got, err := play(p, &c)
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s %s, %s: %v, or another result", name, c.Name, kind, err)
					}
				})
			}
			wg.Wait()
		}
	}
}

// play runs a case's steps with a runner of its own and returns all outputs' bytes.
func play(p *engine.Program, c *conformance.Case) ([]byte, error) {
	r, err := p.NewRunner("")
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, s := range c.Steps {
		for i, in := range s.In {
			if err := r.ResizeKeeping(fmt.Sprint(i), in.Shape()); err != nil {
				return nil, err
			}
		}
		for i, in := range s.In {
			if err := r.SetInput(i, in); err != nil {
				return nil, err
			}
		}
		if err := r.Invoke(context.Background()); err != nil {
			return nil, err
		}
		for i := range r.OutputNames() {
			all = append(all, r.OutputAt(i).Bytes()...)
		}
	}
	return all, nil
}

// TestMappedModels runs every operator from memory that cannot be written.
func TestMappedModels(t *testing.T) {
	name := filepath.Join(t.TempDir(), "m.tflite")
	for _, operator := range must(conformance.Operators())(t) {
		cases := must(conformance.Load(operator))(t)
		for i := 0; i < len(cases); i += max(len(cases)/3, 1) {
			c := &cases[i]
			if err := os.WriteFile(name, c.Model, 0o644); err != nil {
				t.Fatal(err)
			}
			mapped := must(tflite.Map(name))(t)
			for kind, k := range kinds {
				o := engine.Options{Kind: k, Panics: true}
				want := must(play(must(engine.Compile(must(tflite.Decode(c.Model, tflite.DecodeOptions{}))(t), o))(t), c))(t)
				got, err := play(must(engine.Compile(mapped.Model, o))(t), c)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s %s, %s: %v, or another result", operator, c.Name, kind, err)
				}
			}
			if err := mapped.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
