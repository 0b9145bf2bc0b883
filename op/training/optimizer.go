package training

import (
	"math"

	"github.com/litequant/litequant/op"
)

// Adam is one step of Keras's Adam on weights w with moments m and v, all
// variables changed in place. hyper holds, for step t,
//
//	alpha = lr·√(1−β₂ᵗ)/(1−β₁ᵗ), 1−β₁, 1−β₂, ε
//
// and the step is m += (g−m)·(1−β₁), v += (g²−v)·(1−β₂), w −= alpha·m/(√v+ε).
var Adam = &op.Def{
	Code: AdamCode, Name: "ADAM",
	Operands: op.In("w", op.F32).In("m", op.F32).In("v", op.F32).In("gradient", op.F32).In("hyper", op.F32),
	Facts:    func(*op.Call) error { return nil },
	Effect:   op.State, Quant: op.Quant{None: true},
	Ref: op.Plain(func(r *op.Run) error {
		w, m, v, g, h := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.In[2]), op.F32s(r.In[3]), op.F32s(r.In[4])
		for i, d := range g {
			m[i] += float32((d - m[i]) * h[1])
			v[i] += float32((float32(d*d) - v[i]) * h[2])
			w[i] -= float32(float32(m[i]*h[0]) / (float32(math.Sqrt(float64(v[i]))) + h[3]))
		}
		return nil
	}),
}

// SGD is one step of gradient descent with momentum on weights w and velocity v,
// both changed in place: v = momentum·v − lr·g, w += v. hyper holds lr, momentum.
var SGD = &op.Def{
	Code: SGDCode, Name: "SGD",
	Operands: op.In("w", op.F32).In("v", op.F32).In("gradient", op.F32).In("hyper", op.F32),
	Facts:    func(*op.Call) error { return nil },
	Effect:   op.State, Quant: op.Quant{None: true},
	Ref: op.Plain(func(r *op.Run) error {
		w, v, g, h := op.F32s(r.In[0]), op.F32s(r.In[1]), op.F32s(r.In[2]), op.F32s(r.In[3])
		for i, d := range g {
			v[i] = float32(h[1]*v[i]) - float32(h[0]*d)
			w[i] += v[i]
		}
		return nil
	}),
}
