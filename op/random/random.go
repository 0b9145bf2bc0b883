// Package random holds the operators that draw from a generator. With seeds they
// draw the numbers that LiteRT draws: the generator belongs to a runner's node and
// goes on from one invocation to the next. Seeds 0 and 0 stand for a random start.
package random

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{Uniform, StandardNormal, Multinomial}

// Uniform is RANDOM_UNIFORM: numbers from [0, 1), multiples of 2⁻²³.
var Uniform = shaped(schema.RANDOM_UNIFORM, func(x [4]uint32) [4]float32 {
	return [4]float32{uniform(x[0]), uniform(x[1]), uniform(x[2]), uniform(x[3])}
})

// StandardNormal is RANDOM_STANDARD_NORMAL: normally distributed numbers, by Box and
// Muller from pairs of uniform ones.
var StandardNormal = shaped(schema.RANDOM_STANDARD_NORMAL, func(x [4]uint32) (z [4]float32) {
	z[0], z[1] = boxMuller(x[0], x[1])
	z[2], z[3] = boxMuller(x[2], x[3])
	return z
})

// Multinomial is MULTINOMIAL: for each row of unnormalized log-probabilities as many
// classes as asked for, drawn with these probabilities.
var Multinomial = &op.Def{
	Code:     graph.OpCode(schema.MULTINOMIAL),
	Name:     "MULTINOMIAL",
	Operands: op.In("logits", op.F32).In("num_samples", op.I32).Out("samples", op.Index),
	Facts:    multinomialFacts,
	Effect:   op.Random,
	Version:  version1,
	Since:    []string{"2.8.0"},
	Quant:    op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		return op.Kernel{State: generator(c.Node), Temp: oneRow, Run: multinomial}, nil
	},
}

func version1(*op.Call) int { return 1 }

// generator makes a node's generator from its seeds, of which LiteRT keeps 32 bits.
func generator(n *graph.Node) func() any {
	o := graph.Options[fb.RandomOptionsT](n)
	return func() any {
		seed, seed2 := uint64(int32(o.Seed)), uint64(int32(o.Seed2))
		if seed == 0 && seed2 == 0 {
			seed, seed2 = rand.Uint64(), rand.Uint64()
		}
		g := newStream(seed, seed2)
		return &g
	}
}

// shaped is an operator that fills a result of the shape its operand names; each
// four numbers of the generator make four elements.
func shaped(code schema.BuiltinOperator, four func(x [4]uint32) [4]float32) *op.Def {
	return &op.Def{
		Code:     graph.OpCode(code),
		Name:     code.String(),
		Operands: op.In("shape", op.I32).Out("output", op.F32),
		Facts:    shapedFacts,
		Effect:   op.Random,
		Version:  version1,
		Since:    []string{"2.8.0"},
		Quant:    op.Quant{None: true},
		Ref: func(c *op.Call) (op.Kernel, error) {
			return op.Kernel{State: generator(c.Node), Run: func(r *op.Run) error {
				g, out := r.State.(*stream), op.F32s(r.Out[0])
				for i := 0; i < len(out); i += 4 {
					if i%4096 == 0 && r.Stop() {
						return op.ErrStopped
					}
					draw := four(g.next())
					copy(out[i:], draw[:])
				}
				return nil
			}}, nil
		},
	}
}

func shapedFacts(c *op.Call) error {
	if s := c.In[0].Shape; !c.In[0].Unknown && len(s) != 1 {
		return fmt.Errorf("a shape of shape %v, want a vector: %w", s, tensor.ErrShape)
	}
	v, err := c.Ints(0)
	if err != nil {
		return err
	}
	if s := tensor.Shape(v); !s.Known() {
		return fmt.Errorf("result of shape %v: %w", s, tensor.ErrShape)
	}
	c.SetResult(0, tensor.Float32, v)
	return nil
}

// boxMuller makes two normally distributed numbers.
func boxMuller(x0, x1 uint32) (float32, float32) {
	const epsilon = 1e-7
	radius := float32(math.Sqrt(float64(-2 * libm.Logf(max(uniform(x0), epsilon)))))
	angle := float32(2 * math.Pi * float64(uniform(x1)))
	return libm.Sinf(angle) * radius, libm.Cosf(angle) * radius
}

func multinomialFacts(c *op.Call) error {
	logits, err := c.Shape(0)
	if err != nil {
		return err
	}
	if len(logits) != 2 || logits[1] == 0 || !c.In[1].Unknown && len(c.In[1].Shape) != 0 {
		return fmt.Errorf("logits of shape %v, a number of samples of shape %v: %w", logits, c.In[1].Shape, tensor.ErrShape)
	}
	n, err := c.Number(1)
	if err != nil {
		return err
	}
	if n < 0 {
		return fmt.Errorf("%d samples: %w", n, tensor.ErrMalformed)
	}
	c.SetResult(0, c.Out[0].DType, tensor.Shape{logits[0], n})
	return nil
}

// oneRow is the memory of a cumulative distribution.
func oneRow(in, _ []tensor.Shape) (int, error) { return in[0][1:].Bytes(tensor.Float64) }

func multinomial(r *op.Run) error {
	g := r.State.(*stream)
	draws := *g
	s := r.Out[0].Shape()
	rows, samples := s[0], s[1]
	// TensorFlow reserves 256 groups for each of twice the samples, a multiple of 4.
	g.skip(uint64(rows * ((samples + 3) &^ 3) * 2 * 256))
	classes := r.In[0].Shape()[1]
	logits, below := op.F32s(r.In[0]), tensor.View[float64](r.Temp)[:classes]
	var x [4]uint32
	for row := range rows {
		if r.Stop() {
			return op.ErrStopped
		}
		total := cumulate(below, logits[row*classes:][:classes])
		for i := range samples {
			at := row*samples + i
			if at%2 == 0 {
				x = draws.next()
			}
			find := uniform64(x[at%2*2], x[at%2*2+1]) * total
			put(r.Out[0], at, sort.Search(classes, func(k int) bool { return find < below[k] }))
		}
	}
	return nil
}

// cumulate fills in for each class the sum of exp(logit − greatest) up to it, and
// returns the last one. Classes whose logit is not finite have no weight.
func cumulate(below []float64, logits []float32) (total float64) {
	greatest := float32(-math.MaxFloat32)
	for _, x := range logits {
		if finite(x) && greatest < x {
			greatest = x
		}
	}
	for i, x := range logits {
		if finite(x) {
			total += libm.Exp(float64(x) - float64(greatest))
		}
		below[i] = total
	}
	return total
}

func finite(x float32) bool { return math.Abs(float64(x)) <= math.MaxFloat32 }

func put(t tensor.Tensor, i, v int) {
	if t.DType() == tensor.Int64 {
		op.I64s(t)[i] = int64(v)
	} else {
		op.I32s(t)[i] = int32(v)
	}
}
