// Package mnist carries the MNIST database of handwritten digits: 60,000
// training and 10,000 test images, 11 MB that only programs which import this
// package carry with them. data/SOURCE.md names the source and the licence.
package mnist

import (
	_ "embed" // the files
	"fmt"
	"sync"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/internal/idx"
	"github.com/litequant/litequant/tensor"
)

//go:generate go run generate.go

var (
	//go:embed data/train-images-idx3-ubyte.gz
	trainImages []byte
	//go:embed data/train-labels-idx1-ubyte.gz
	trainLabels []byte
	//go:embed data/t10k-images-idx3-ubyte.gz
	testImages []byte
	//go:embed data/t10k-labels-idx1-ubyte.gz
	testLabels []byte
)

const (
	classes    = 10
	side       = 28
	preprocess = "/255"
)

// The splits are decompressed when first used, once a process.
var (
	train = sync.OnceValues(func() (dataset.Indexed, error) { return decode(trainImages, trainLabels, 60000) })
	test  = sync.OnceValues(func() (dataset.Indexed, error) { return decode(testImages, testLabels, 10000) })
)

// Digits are the two parts of the database. Images are float32 of shape
// [28,28,1], each grey value divided by 255; labels are uint8 scalars, 0 to 9.
type Digits struct {
	Train, Test dataset.Indexed
}

// Load returns the digits. The two parts together take 55 MB, as bytes; values
// are converted when they are read.
func Load() (*Digits, error) {
	var d Digits
	p, err := dataset.ParsePreprocessing(preprocess)
	if err != nil {
		return nil, err
	}
	for _, s := range []struct {
		dst  *dataset.Indexed
		load func() (dataset.Indexed, error)
	}{{&d.Train, train}, {&d.Test, test}} {
		raw, err := s.load()
		if err != nil {
			return nil, err
		}
		scaled, err := dataset.Preprocess(raw, p)
		if err != nil {
			return nil, err
		}
		*s.dst = scaled.(dataset.Indexed) // as its argument is
	}
	return &d, nil
}

// Set is the database for dataset.Options.Sets: splits train and test, uint8
// images of shape [28,28,1], preprocessed by /255 unless told otherwise.
func Set() dataset.Set {
	return dataset.Set{
		Splits:     []string{"train", "test"},
		Preprocess: preprocess,
		Open: func(split string) (dataset.Indexed, error) {
			switch split {
			case "train":
				return train()
			case "test":
				return test()
			}
			return nil, fmt.Errorf("no split %q: %w", split, tensor.ErrUnsupported)
		},
	}
}

// decode makes a split of n samples of its two files.
func decode(images, labels []byte, n int) (dataset.Indexed, error) {
	x, err := idx.Decode(images, int64(n*side*side))
	if err != nil {
		return nil, fmt.Errorf("mnist images: %w", err)
	}
	if x, err = x.Reshaped(tensor.Shape{n, side, side, 1}); err != nil {
		return nil, fmt.Errorf("mnist images: %w", err)
	}
	y, err := idx.Decode(labels, int64(n))
	if err != nil {
		return nil, fmt.Errorf("mnist labels: %w", err)
	}
	src, err := dataset.FromColumns(dataset.Columns{
		Inputs:  []dataset.Column{{Name: "image", Values: x}},
		Label:   &dataset.Column{Name: "label", Values: y},
		Classes: classes,
	})
	if err != nil {
		return nil, fmt.Errorf("mnist: %w", err)
	}
	return src, nil
}
