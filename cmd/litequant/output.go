package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// output is where a command writes a result: a file or directory that appears
// whole or not at all, or standard output.
type output struct {
	app   *app
	path  string
	force bool
}

// flags adds -o and --force to a command.
func (o *output) flags(c *cobra.Command, what string) {
	c.Flags().StringVarP(&o.path, "output", "o", "", what+" to write; - is stdout")
	c.Flags().BoolVar(&o.force, "force", false, "replace an existing output")
}

// check fails before any work is done where the result could not be written.
func (o *output) check(c *cobra.Command) error {
	if o.path == "" {
		return usagef("name one with -o", "%s needs an output", c.Name())
	}
	if o.path == "-" {
		return nil
	}
	o.path = filepath.Clean(o.path)
	info, err := os.Stat(o.path)
	switch {
	case err == nil && !o.force:
		return &hinted{fmt.Errorf("%s: exists", o.path), "--force replaces it"}
	case err == nil && info.IsDir() && !replaceable(o.path):
		return fmt.Errorf("%s: is a directory that holds no model", o.path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return in(o.path, err)
	}
	probe, err := os.CreateTemp(filepath.Dir(o.path), ".litequant-*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", o.path, cause(err))
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// replaceable reports whether --force may remove a directory: only one that is a
// SavedModel or empty.
func replaceable(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name() == "saved_model.pb" {
			return true
		}
	}
	return len(entries) == 0
}

// cause drops what a path error says about a temporary file.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// write lets fill write the result.
func (o *output) write(fill func(w io.Writer) error) error {
	if o.path == "-" {
		return fill(o.app.stdout)
	}
	return o.save(func(name string) error {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		return errors.Join(fill(f), f.Close())
	})
}

// bytes writes b as the result.
func (o *output) bytes(b []byte) error {
	return o.write(func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// save lets make write the result, a file or a directory, to another name of the
// same suffix beside the final one, and renames it.
func (o *output) save(make func(name string) error) error {
	dir, err := os.MkdirTemp(filepath.Dir(o.path), ".litequant-*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", o.path, cause(err))
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, filepath.Base(o.path))
	if err := make(name); err != nil {
		return in(o.path, err)
	}
	if o.force {
		if err := o.remove(dir); err != nil {
			return in(o.path, err)
		}
	}
	if err := os.Rename(name, o.path); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", o.path, cause(err))
	}
	return nil
}

// remove moves an existing directory out of the way; a file is replaced by the
// rename itself.
func (o *output) remove(aside string) error {
	info, err := os.Stat(o.path)
	if err != nil || !info.IsDir() {
		return nil
	}
	if !replaceable(o.path) {
		return errors.New("is a directory that holds no model")
	}
	return os.Rename(o.path, filepath.Join(aside, "replaced"))
}
