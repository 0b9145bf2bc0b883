// Package train fits Keras models. The loss, the gradients and the optimiser's
// step are nodes of a graph that is compiled once; a frozen prefix of the network
// is computed once, not in every epoch. The same seed gives the same weights,
// whatever the number of threads.
package train

import (
	"time"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/metric"
)

// Options say how to fit. Zero values are Keras's defaults.
type Options struct {
	Optimizer Optimizer // nil is Adam{}
	Loss      Loss      // nil is SparseCategoricalCrossentropy{}
	Metrics   []metric.Metric
	Epochs    int // 0 is 1
	BatchSize int // 0 is 32
	// KeepOrder turns shuffling off.
	KeepOrder bool
	// Validation is evaluated after each epoch; nil is none.
	Validation dataset.Source
	// Seed makes shuffling and dropout reproducible; every value is a seed.
	Seed    uint64
	Threads int // 0 is GOMAXPROCS
	// Progress, if not nil, is called after each step and each epoch.
	Progress func(Progress)
}

// Progress is how far Fit has come.
type Progress struct {
	// Phase is "prefix" while a frozen prefix is computed, "fit" during an epoch
	// and "epoch" at its end.
	Phase         string
	Epoch, Epochs int // Epoch counts from 1
	Step, Steps   int // of the phase
	Elapsed       time.Duration
	// Result holds the epoch's running means; validation only at its end.
	Result EpochResult
}

// EpochResult is the mean over an epoch's samples, as Keras reports it.
type EpochResult struct {
	Loss       float64
	Metrics    map[string]float64
	ValLoss    float64 // with Options.Validation only
	ValMetrics map[string]float64
}

// History lists the epochs' results.
type History struct {
	Epochs []EpochResult
	// Prefix is the time that computing the frozen prefix took.
	Prefix time.Duration
}

func (o Options) withDefaults() Options {
	if o.Optimizer == nil {
		o.Optimizer = Adam{}
	}
	if o.Loss == nil {
		o.Loss = SparseCategoricalCrossentropy{}
	}
	if o.Epochs <= 0 {
		o.Epochs = 1
	}
	if o.BatchSize <= 0 {
		o.BatchSize = 32
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return o
}
