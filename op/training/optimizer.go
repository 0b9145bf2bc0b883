package training

import (
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Update changes weights w and slots m and v (nil where the optimiser has one) by
// gradient g, element by element. hyper holds the optimiser's parameters.
type Update func(w, m, v, g, hyper []float32)

// update is the row of an optimiser with the given slots: operands w, the slots,
// the gradient and hyper. w and the slots are variables, changed in place.
func update(code graph.OpCode, name string, f Update, slots ...string) *op.Def {
	operands := op.In("w", op.F32)
	for _, s := range slots {
		operands = operands.In(s, op.F32)
	}
	return &op.Def{
		Code: code, Name: name, Operands: operands.In("gradient", op.F32).In("hyper", op.F32),
		Facts: func(*op.Call) error { return nil }, Effect: op.State, Quant: op.Quant{None: true},
		Ref: op.Plain(func(r *op.Run) error {
			f(Slots(r.In))
			return nil
		}),
	}
}

// Slots returns an update's operands.
func Slots(in []tensor.Tensor) (w, m, v, g, hyper []float32) {
	last := len(in) - 1
	if last > 3 {
		v = op.F32s(in[2])
	}
	return op.F32s(in[0]), op.F32s(in[1]), v, op.F32s(in[last-1]), op.F32s(in[last])
}

// The optimisers' rows.
var (
	Adam    = update(AdamCode, "ADAM", UpdateAdam, "m", "v")
	SGD     = update(SGDCode, "SGD", UpdateSGD, "m")
	RMSProp = update(RMSPropCode, "RMSPROP", UpdateRMSProp, "m", "v")
)

// UpdateAdam is a step of Keras's Adam and AdamW. hyper holds, for step t,
//
//	alpha = lr·√(1−β₂ᵗ)/(1−β₁ᵗ), 1−β₁, 1−β₂, ε, lr·weight decay
//
// and the step is w −= w·decay, m += (g−m)·(1−β₁), v += (g²−v)·(1−β₂),
// w −= alpha·m/(√v+ε).
func UpdateAdam(w, m, v, g, h []float32) {
	for i, d := range g {
		w[i] -= float32(w[i] * h[4])
		m[i] += float32((d - m[i]) * h[1])
		v[i] += float32((float32(d*d) - v[i]) * h[2])
		w[i] -= float32(m[i]*h[0]) / (float32(math.Sqrt(float64(v[i]))) + h[3])
	}
}

// UpdateSGD is a step of gradient descent: m = momentum·m − lr·g, then w += m, or
// with Nesterov's momentum w += momentum·m − lr·g. hyper holds lr, momentum, and 1
// for Nesterov's, else 0.
func UpdateSGD(w, m, _, g, h []float32) {
	for i, d := range g {
		down := float32(h[0] * d)
		m[i] = float32(h[1]*m[i]) - down
		if h[2] != 0 {
			w[i] += float32(h[1]*m[i]) - down
		} else {
			w[i] += m[i]
		}
	}
}

// UpdateRMSProp is a step of Keras's RMSprop: v = ρ·v + (1−ρ)·g²,
// m = momentum·m + lr·g/√(v+ε), w −= m. hyper holds lr, ρ, 1−ρ, momentum, ε.
func UpdateRMSProp(w, m, v, g, h []float32) {
	for i, d := range g {
		v[i] = float32(h[1]*v[i]) + float32(h[2]*float32(d*d))
		m[i] = float32(h[3]*m[i]) + float32(h[0]*d)/float32(math.Sqrt(float64(v[i]+h[4])))
		w[i] -= m[i]
	}
}
