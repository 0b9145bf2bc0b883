package metric

import (
	"fmt"

	"github.com/litequant/litequant/tensor"
)

// ArgMax returns the index of the largest value of v, the first of equal ones,
// or of the first NaN, as numpy.argmax does; -1 for none.
func ArgMax[T float32 | float64 | int8 | uint8 | int16 | int32 | int64](v []T) int {
	if len(v) == 0 {
		return -1
	}
	best := 0
	for i, x := range v {
		if x != x {
			return i
		}
		if x > v[best] {
			best = i
		}
	}
	return best
}

// raw returns a tensor's numbers without their quantization. Where one scale,
// which is positive, holds for all, comparing these is comparing real values, but
// exact.
func raw(what string, t tensor.Tensor) ([]float32, error) {
	if !t.Quant().PerAxis() {
		t = t.WithQuant(tensor.Quant{})
	}
	return numbers(what, t)
}

func scoreAccuracy(dst []float64, prediction, label tensor.Tensor) ([]float64, error) {
	if s := prediction.Shape(); len(s) > 0 && s[len(s)-1] == 1 {
		return scoreBinary(dst, prediction, label)
	}
	return scoreTopK(1)(dst, prediction, label)
}

func scoreBinary(dst []float64, prediction, label tensor.Tensor) ([]float64, error) {
	right := func(p, l float32) bool { return (p > 0.5) == (l != 0) && (l == 0 || l == 1) }
	return scoreElements(dst, prediction, label, right)
}

// scoreElements scores a sample by the share of its elements that are right.
func scoreElements(dst []float64, prediction, label tensor.Tensor, right func(p, l float32) bool) ([]float64, error) {
	n, err := batch(prediction, label)
	if err != nil {
		return nil, err
	}
	p, err := numbers("predictions", prediction)
	if err != nil {
		return nil, err
	}
	l, err := numbers("labels", label)
	if err != nil {
		return nil, err
	}
	if len(p) != len(l) {
		return nil, fmt.Errorf("predictions %v, labels %v: %w", prediction.Shape(), label.Shape(), tensor.ErrShape)
	}
	return appendShares(dst, n, len(p)/max(n, 1), func(i int) bool { return right(p[i], l[i]) }), nil
}

// appendShares appends, for each of n samples, the share of its size items that
// are right.
func appendShares(dst []float64, n, size int, right func(item int) bool) []float64 {
	for i := range n {
		hits := 0
		for k := i * size; k < (i+1)*size; k++ {
			if right(k) {
				hits++
			}
		}
		dst = append(dst, float64(hits)/float64(max(size, 1)))
	}
	return dst
}

func scoreTopK(k int) func([]float64, tensor.Tensor, tensor.Tensor) ([]float64, error) {
	return func(dst []float64, prediction, label tensor.Tensor) ([]float64, error) {
		n, err := batch(prediction, label)
		if err != nil {
			return nil, err
		}
		s := prediction.Shape()
		classes := s[len(s)-1]
		if len(s) < 2 || classes == 0 {
			return nil, fmt.Errorf("predictions %v have no axis of classes: %w", s, tensor.ErrShape)
		}
		p, err := raw("predictions", prediction)
		if err != nil {
			return nil, err
		}
		want, err := classesOf(label, s)
		if err != nil {
			return nil, err
		}
		right := func(i int) bool { return inTopK(p[i*classes:(i+1)*classes], want[i], k) }
		return appendShares(dst, n, len(want)/max(n, 1), right), nil
	}
}

// classesOf returns the class numbers that labels mean for predictions of shape
// s: they are sparse or have a value for each class.
func classesOf(label tensor.Tensor, s tensor.Shape) ([]int, error) {
	classes, l := s[len(s)-1], label.Shape()
	v, err := raw("labels", label)
	if err != nil {
		return nil, err
	}
	switch {
	case l.Equal(s[:len(s)-1]), len(l) == len(s) && l[len(l)-1] == 1 && l[:len(l)-1].Equal(s[:len(s)-1]):
		out := make([]int, len(v))
		for i, x := range v {
			if out[i] = int(x); float32(out[i]) != x || out[i] < 0 || out[i] >= classes {
				return nil, fmt.Errorf("label %v is none of %d classes: %w", x, classes, tensor.ErrShape)
			}
		}
		return out, nil
	case l.Equal(s):
		out := make([]int, len(v)/classes)
		for i := range out {
			out[i] = ArgMax(v[i*classes : (i+1)*classes])
		}
		return out, nil
	}
	return nil, fmt.Errorf("predictions %v, labels %v: %w", s, l, tensor.ErrShape)
}

// inTopK reports whether fewer than k values come before v[class] in descending
// order, of equal values the first first and NaN before all.
func inTopK(v []float32, class, k int) bool {
	if k == 1 {
		return ArgMax(v) == class
	}
	x, before := v[class], 0
	for i, y := range v {
		switch nan := y != y; {
		case x != x:
			if nan && i < class {
				before++
			}
		case nan, y > x, y == x && i < class:
			before++
		}
	}
	return before < k
}
