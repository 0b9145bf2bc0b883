package dataset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/litequant/litequant/internal/idx"
	"github.com/litequant/litequant/internal/npy"
	"github.com/litequant/litequant/tensor"
)

// openFiles opens a whole split of one file, or of a file and its labels'.
func (o Options) openFiles(ctx context.Context, paths []string, split string) (Source, error) {
	limit := cmp.Or(o.MaxBytes, DefaultMaxBytes)
	f, err := openFile(paths[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.starts("PK") {
		if len(paths) > 1 {
			return nil, fmt.Errorf("a .npz file holds its labels itself: %w", tensor.ErrUnsupported)
		}
		a, err := npy.OpenArchive(f, f.size, limit)
		if err != nil {
			return nil, err
		}
		return openArchive(ctx, a, split, o.Inputs)
	}
	if split != "" && split != "all" {
		return nil, fmt.Errorf("no split %q: only .npz files have named splits: %w", split, tensor.ErrUnsupported)
	}
	x, err := f.array(limit)
	if err != nil {
		return nil, err
	}
	if len(paths) == 1 && f.isIdx() {
		paths = append(paths, labelsBeside(paths[0])...)
	}
	if len(paths) == 1 {
		return FromColumns(Columns{Inputs: []Column{{"x", x}}})
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	y, err := readArray(paths[1], limit-int64(len(x.Bytes())))
	if err != nil {
		return nil, fmt.Errorf("labels %s: %w", paths[1], err)
	}
	return FromColumns(Columns{Inputs: []Column{{"x", x}}, Label: &Column{"y", y}})
}

// file is an open file with its size and its first bytes.
type file struct {
	*os.File
	size int64
	head []byte
}

func openFile(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("not a file: %w", tensor.ErrUnsupported)
	}
	head := make([]byte, 8)
	if err == nil {
		var n int
		n, err = f.ReadAt(head, 0)
		head = head[:n]
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		f.Close()
		return nil, plain(err)
	}
	return &file{f, info.Size(), head}, nil
}

// plain drops the operation and the path, which the caller names.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (f *file) starts(magic string) bool { return bytes.HasPrefix(f.head, []byte(magic)) }

func (f *file) isIdx() bool { return idx.Is(f.head) }

// array reads a .npy or an IDX file.
func (f *file) array(limit int64) (tensor.Tensor, error) {
	if !f.starts("\x93NUMPY") && !f.isIdx() {
		return tensor.Tensor{}, fmt.Errorf("neither .npz, .npy nor IDX (wrong magic %q): %w", f.head[:min(4, len(f.head))], tensor.ErrMalformed)
	}
	if f.size > limit {
		return tensor.Tensor{}, fmt.Errorf("file of %d bytes, %d allowed: %w", f.size, limit, tensor.ErrLimit)
	}
	if !f.isIdx() {
		return npy.Read(f, f.size)
	}
	data := make([]byte, f.size)
	if _, err := io.ReadFull(f, data); err != nil {
		return tensor.Tensor{}, plain(err)
	}
	return idx.Decode(data, limit)
}

func readArray(path string, limit int64) (tensor.Tensor, error) {
	f, err := openFile(path)
	if err != nil {
		return tensor.Tensor{}, err
	}
	defer f.Close()
	return f.array(limit)
}

// labelsBeside returns the path of the labels of an IDX file of images, if there
// is such a file: train-labels-idx1-ubyte for train-images-idx3-ubyte, gzipped
// or not.
func labelsBeside(path string) []string {
	dir, name := filepath.Split(path)
	if !strings.Contains(name, "images") {
		return nil
	}
	labels := strings.NewReplacer("images", "labels", "idx3", "idx1").Replace(name)
	for _, name := range []string{labels, strings.TrimSuffix(labels, ".gz"), labels + ".gz"} {
		if exists(dir + name) {
			return []string{dir + name}
		}
	}
	return nil
}

// labelNames are the names of a .npz file's labels.
var labelNames = []string{"y", "label", "labels"}

// openArchive reads a split's inputs and labels from a .npz file.
func openArchive(ctx context.Context, a *npy.Archive, split string, want []Field) (Source, error) {
	suffix := ""
	if split != "" && split != "all" {
		suffix = "_" + split
	}
	names := inputArrays(a, suffix, want)
	if names == nil {
		return nil, missing(a, suffix, want)
	}
	var inputs []Column
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t, err := a.Read(name)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, Column{name, t})
	}
	for _, name := range labelNames {
		if name += suffix; a.Has(name) && !slices.Contains(names, name) {
			t, err := a.Read(name)
			if err != nil {
				return nil, err
			}
			return FromColumns(Columns{Inputs: inputs, Label: &Column{name, t}})
		}
	}
	return FromColumns(Columns{Inputs: inputs})
}

// inputArrays returns the arrays to take as inputs, nil if it cannot tell: those
// named as the model's inputs, else x, else positions (0, 1, … or numpy.savez's
// arr_0, arr_1, …), else, for an unknown model, everything but labels.
func inputArrays(a *npy.Archive, suffix string, want []Field) []string {
	var forms []func(i int) string
	if len(want) > 0 {
		forms = append(forms,
			func(i int) string { return want[i].Name },
			func(i int) string { return bareName(want[i].Name) })
	}
	if len(want) <= 1 {
		forms = append(forms, func(int) string { return "x" })
	}
	if len(want) > 0 {
		forms = append(forms, strconv.Itoa, func(i int) string { return fmt.Sprintf("arr_%d", i) })
	}
	for _, form := range forms {
		names := make([]string, max(len(want), 1))
		for i := range names {
			names[i] = form(i) + suffix
		}
		if !slices.ContainsFunc(names, func(name string) bool { return !a.Has(name) }) {
			return names
		}
	}
	if len(want) > 0 || suffix != "" || len(splitsOf(a)) > 0 {
		return nil
	}
	names := slices.DeleteFunc(slices.Clone(a.Names()), func(n string) bool { return slices.Contains(labelNames, n) })
	if len(names) == 0 {
		return nil
	}
	return names
}

// bareName strips what a converter put around an input's name.
func bareName(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(name, "serving_default_"), ":0")
}

// splitsOf lists the splits s for which there is an array x_s.
func splitsOf(a *npy.Archive) []string {
	var out []string
	for _, name := range a.Names() {
		if s, ok := strings.CutPrefix(name, "x_"); ok {
			out = append(out, s)
		}
	}
	return out
}

// missing says which array was looked for, and what there is.
func missing(a *npy.Archive, suffix string, want []Field) error {
	name := "x" + suffix
	if len(want) > 0 {
		name = bareName(want[0].Name) + suffix
	}
	hint := ""
	if splits := splitsOf(a); len(splits) > 0 {
		hint = fmt.Sprintf("; name a split: %s", strings.Join(splits, ", "))
	}
	return fmt.Errorf("no array for input %q (there are %s)%s: %w", name, cmp.Or(strings.Join(a.Names(), ", "), "none"), hint, tensor.ErrMalformed)
}
