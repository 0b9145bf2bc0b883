package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// Set is a data set that Open knows by name.
type Set struct {
	// Splits are the names of its parts, in order; "all" means their
	// concatenation.
	Splits []string
	// Preprocess is applied unless Options say otherwise.
	Preprocess string
	// Open returns a whole split, of Splits, as it is stored.
	Open func(split string) (Indexed, error)
}

// DefaultMaxBytes bounds the arrays of a file unless Options say otherwise.
const DefaultMaxBytes = 4 << 30

// Options tell Open what there is and what is wanted. The zero value reads files
// as they are.
type Options struct {
	// Sets are the data sets known by name.
	Sets map[string]Set
	// Preprocess is the text of a Preprocessing. Empty means the data set's own,
	// which is none for files.
	Preprocess string
	// Inputs are the model's inputs in its order, without batch axis. Arrays of a
	// .npz file are looked up by their names, and the source is made to Conform.
	Inputs []Field
	// Limit is the largest number of samples, 0 for all.
	Limit int
	// MaxBytes is the most that the arrays may take, DefaultMaxBytes if 0.
	MaxBytes int64
}

// Open opens the data that text names:
//
//	mnist:train[:100]      a set of Options.Sets, in TFDS's slice syntax
//	data.npz               x and y, or arrays named after the model's inputs
//	data.npz:train         x_train and y_train
//	data.npy               unlabelled; x.npy,y.npy labelled
//	train-images-idx3-ubyte.gz    IDX, with the labels' file beside it
//	images,labels          two .npy or IDX files
//
// A file is told apart by its content and may be followed by a colon and a slice
// as well: data.npz:train[:10%], data.npy:[100:].
func Open(ctx context.Context, text string, o Options) (Source, error) {
	src, err := o.open(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	return src, nil
}

func (o Options) open(ctx context.Context, text string) (Source, error) {
	src, preprocess, err := o.raw(ctx, text)
	if err != nil {
		return nil, err
	}
	p, err := ParsePreprocessing(cmp.Or(o.Preprocess, preprocess))
	if err != nil {
		return nil, err
	}
	if o.Limit > 0 {
		src = Take(src, o.Limit)
	}
	if src, err = Preprocess(src, p); err != nil {
		return nil, err
	}
	if len(o.Inputs) > 0 {
		return Conform(src, o.Inputs)
	}
	return src, nil
}

// raw returns the data as stored and its own preprocessing.
func (o Options) raw(ctx context.Context, text string) (Source, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	name, split, _ := strings.Cut(text, ":")
	if set, ok := o.Sets[name]; ok {
		src, err := set.read(name, split)
		return src, set.Preprocess, err
	}
	paths, split, err := o.locate(text)
	if err != nil {
		return nil, "", err
	}
	src, err := readSplits(cmp.Or(split, "all"), func(split string) (Source, error) {
		return o.openFiles(ctx, paths, split)
	})
	return src, "", err
}

// read evaluates a split expression on a named set.
func (s Set) read(name, splits string) (Source, error) {
	if splits == "" {
		return nil, fmt.Errorf("which split? (%s:%s): %w", name, strings.Join(s.Splits, ", "+name+":"), tensor.ErrMalformed)
	}
	return readSplits(splits, func(split string) (Source, error) {
		if slices.Contains(s.Splits, split) {
			return s.Open(split)
		}
		if split != "all" || len(s.Splits) == 0 {
			return nil, fmt.Errorf("unknown split %q (there are %s): %w", split, strings.Join(s.Splits, ", "), tensor.ErrUnsupported)
		}
		var parts []Source
		for _, split := range s.Splits {
			p, err := s.Open(split)
			if err != nil {
				return nil, err
			}
			parts = append(parts, p)
		}
		return Concat(parts...)
	})
}

var setName = regexp.MustCompile(`^\w+$`)

// locate splits text into one path, or a path and its labels' path, and what
// follows the colon behind them. Paths may hold colons and commas themselves.
func (o Options) locate(text string) (paths []string, split string, err error) {
	for end := len(text); end > 0; end = strings.LastIndexByte(text[:end], ':') {
		rest := strings.TrimPrefix(text[end:], ":")
		if exists(text[:end]) {
			return []string{text[:end]}, rest, nil
		}
		for at, c := range text[:end] {
			if a, b := text[:at], text[min(at+1, end):end]; c == ',' && exists(a) && exists(b) {
				return []string{a, b}, rest, nil
			}
		}
	}
	if name, _, _ := strings.Cut(text, ":"); setName.MatchString(name) {
		known := slices.Sorted(maps.Keys(o.Sets))
		return nil, "", fmt.Errorf("unknown data set %q (known: %s) and no such file: %w", name, cmp.Or(strings.Join(known, ", "), "none"), tensor.ErrUnsupported)
	}
	return nil, "", fs.ErrNotExist
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist) && path != ""
}
