// Command schemagen turns what flatc made of internal/schema's .fbs files into
// the Go code committed there:
//
//	schemagen <flatc's output> <internal/schema>
//
// It writes
//
//   - fb/*.go: flatc's accessors and object API without what nobody calls, and
//     with three faults mended (see tidy.go);
//   - layout_generated.go: the tables, fields and unions that the verifier walks;
//   - operators_generated.go: the operator codes under their TFLite names.
//
// generate.sh runs the whole chain.
package main

import (
	"fmt"
	"go/format"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: schemagen <flatc's output> <internal/schema>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	model, err := tidyFile(in, out, "tflite")
	if err != nil {
		return err
	}
	conversion, err := tidyFile(in, out, "conversion_metadata")
	if err != nil {
		return err
	}
	if err := write(filepath.Join(out, "layout_generated.go"), layouts(model, conversion)); err != nil {
		return err
	}
	return write(filepath.Join(out, "operators_generated.go"), operators(model))
}

// tidyFile writes flatc's Go code for one schema to fb and returns the schema.
func tidyFile(in, out, name string) (*schema, error) {
	bfbs, err := os.ReadFile(filepath.Join(in, name+".bfbs"))
	if err != nil {
		return nil, err
	}
	s, err := readSchema(name, bfbs)
	if err != nil {
		return nil, err
	}
	src, err := os.ReadFile(filepath.Join(in, name+"_generated.go"))
	if err != nil {
		return nil, err
	}
	if src, err = tidy(src, s); err != nil {
		return nil, err
	}
	return s, write(filepath.Join(out, "fb", name+"_generated.go"), src)
}

func write(name string, src []byte) error {
	src, err := format.Source(src)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, src, 0o644)
}
