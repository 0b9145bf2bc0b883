package train

import (
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op/training"
)

// Optimizer turns gradients into steps. Implementations are of this package.
type Optimizer interface {
	// step is the operator of a step, which takes the weight, its slots, the
	// gradient and hyper parameters.
	step() graph.OpCode
	slots() int
	// hyper returns the parameters of step t, which counts from 1.
	hyper(t int) []float32
}

// Adam is Keras's Adam; zero fields are its defaults: 0.001, 0.9, 0.999, 1e-7.
type Adam struct{ LearningRate, Beta1, Beta2, Epsilon float64 }

func (a Adam) step() graph.OpCode { return training.AdamCode }
func (a Adam) slots() int         { return 2 }

func (a Adam) hyper(t int) []float32 {
	lr, b1, b2, eps := or(a.LearningRate, 0.001), or(a.Beta1, 0.9), or(a.Beta2, 0.999), or(a.Epsilon, 1e-7)
	p1, p2 := power(b1, t), power(b2, t)
	return []float32{float32(lr * math.Sqrt(1-p2) / (1 - p1)), float32(1 - b1), float32(1 - b2), float32(eps), 0}
}

// AdamW is Keras's AdamW, which also shrinks every weight by the rate's and
// WeightDecay's product in each step; zero fields are its defaults: Adam's and
// 0.004.
type AdamW struct{ LearningRate, WeightDecay, Beta1, Beta2, Epsilon float64 }

func (a AdamW) adam() Adam         { return Adam{a.LearningRate, a.Beta1, a.Beta2, a.Epsilon} }
func (a AdamW) step() graph.OpCode { return a.adam().step() }
func (a AdamW) slots() int         { return a.adam().slots() }

func (a AdamW) hyper(t int) []float32 {
	h := a.adam().hyper(t)
	h[4] = float32(or(a.LearningRate, 0.001) * or(a.WeightDecay, 0.004))
	return h
}

// SGD is Keras's gradient descent, with momentum or Nesterov's momentum; a zero
// LearningRate is its 0.01.
type SGD struct {
	LearningRate, Momentum float64
	Nesterov               bool
}

func (s SGD) step() graph.OpCode { return training.SGDCode }
func (s SGD) slots() int         { return 1 }

func (s SGD) hyper(int) []float32 {
	h := []float32{float32(or(s.LearningRate, 0.01)), float32(s.Momentum), 0}
	if s.Nesterov {
		h[2] = 1
	}
	return h
}

// RMSprop is Keras's RMSprop, not centered; zero fields are its defaults: 0.001,
// 0.9, no momentum, 1e-7.
type RMSprop struct{ LearningRate, Rho, Momentum, Epsilon float64 }

func (r RMSprop) step() graph.OpCode { return training.RMSPropCode }
func (r RMSprop) slots() int         { return 2 }

func (r RMSprop) hyper(int) []float32 {
	rho := or(r.Rho, 0.9)
	return []float32{float32(or(r.LearningRate, 0.001)), float32(rho), float32(1 - rho), float32(r.Momentum), float32(or(r.Epsilon, 1e-7))}
}

func or(x, otherwise float64) float64 {
	if x == 0 {
		return otherwise
	}
	return x
}

// power is b^t by repeated squaring: the same bits on every CPU, unlike math.Pow.
func power(b float64, t int) float64 {
	p := 1.0
	for ; t > 0; t >>= 1 {
		if t&1 == 1 {
			p *= b
		}
		b *= b
	}
	return p
}
