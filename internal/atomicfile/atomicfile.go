// Package atomicfile makes files appear whole or not at all.
package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Write calls write with a temporary file beside name and renames it to name once
// it is closed. On an error no file is left behind, and an older one stays as it
// was.
func Write(name string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing to remove
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
