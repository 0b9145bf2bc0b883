package keras

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/tensor"
)

// Initializer makes the first values of a weight. The zero Initializer stands for
// the layer's default. Names and formulas are Keras's; the random numbers are not.
type Initializer struct {
	class  string
	params map[string]any
}

// Initializers without parameters.
var (
	Zeros         = Initializer{class: "Zeros"}
	Ones          = Initializer{class: "Ones"}
	GlorotUniform = Initializer{class: "GlorotUniform"} // U(±sqrt(6/(fanIn+fanOut)))
	GlorotNormal  = Initializer{class: "GlorotNormal"}  // truncated N(0, 2/(fanIn+fanOut))
	HeUniform     = Initializer{class: "HeUniform"}     // U(±sqrt(6/fanIn))
	HeNormal      = Initializer{class: "HeNormal"}      // truncated N(0, 2/fanIn)
	LecunUniform  = Initializer{class: "LecunUniform"}  // U(±sqrt(3/fanIn))
	LecunNormal   = Initializer{class: "LecunNormal"}   // truncated N(0, 1/fanIn)
)

// Constant gives every element the value v.
func Constant(v float64) Initializer {
	return Initializer{"Constant", map[string]any{"value": v}}
}

// TruncatedNormal draws from N(mean, stddev²), again where a value is more than
// two standard deviations from the mean.
func TruncatedNormal(mean, stddev float64) Initializer {
	return Initializer{"TruncatedNormal", map[string]any{"mean": mean, "stddev": stddev}}
}

// RandomNormal draws from N(mean, stddev²).
func RandomNormal(mean, stddev float64) Initializer {
	return Initializer{"RandomNormal", map[string]any{"mean": mean, "stddev": stddev}}
}

// RandomUniform draws from [low, high).
func RandomUniform(low, high float64) Initializer {
	return Initializer{"RandomUniform", map[string]any{"minval": low, "maxval": high}}
}

// or returns def for the zero Initializer.
func (i Initializer) or(def Initializer) Initializer {
	if i.class == "" {
		return def
	}
	return i
}

// param returns a numeric parameter.
func (i Initializer) param(key string, def float64) float64 {
	if v, ok := i.params[key].(float64); ok {
		return v
	}
	return def
}

func (i Initializer) text(key, def string) string {
	if v, ok := i.params[key].(string); ok {
		return v
	}
	return def
}

// generator draws the elements of a weight.
type generator func(r *rand.Rand) float64

// initializers is the table of initializers: the generator for a shape.
var initializers = map[string]func(Initializer, tensor.Shape) generator{
	"Zeros": func(Initializer, tensor.Shape) generator { return func(*rand.Rand) float64 { return 0 } },
	"Ones":  func(Initializer, tensor.Shape) generator { return func(*rand.Rand) float64 { return 1 } },
	"Constant": func(i Initializer, _ tensor.Shape) generator {
		v := i.param("value", 0)
		return func(*rand.Rand) float64 { return v }
	},
	"RandomUniform": func(i Initializer, _ tensor.Shape) generator {
		return uniform(i.param("minval", -0.05), i.param("maxval", 0.05))
	},
	"RandomNormal": func(i Initializer, _ tensor.Shape) generator {
		return normal(i.param("mean", 0), i.param("stddev", 0.05), math.Inf(1))
	},
	"TruncatedNormal": func(i Initializer, _ tensor.Shape) generator {
		return normal(i.param("mean", 0), i.param("stddev", 0.05), 2)
	},
	"GlorotUniform": scaling(1, "fan_avg", "uniform"),
	"GlorotNormal":  scaling(1, "fan_avg", "truncated_normal"),
	"HeUniform":     scaling(2, "fan_in", "uniform"),
	"HeNormal":      scaling(2, "fan_in", "truncated_normal"),
	"LecunUniform":  scaling(1, "fan_in", "uniform"),
	"LecunNormal":   scaling(1, "fan_in", "truncated_normal"),
	"VarianceScaling": func(i Initializer, s tensor.Shape) generator {
		return scaling(i.param("scale", 1), i.text("mode", "fan_in"), i.text("distribution", "truncated_normal"))(i, s)
	},
}

// scaling is Keras's VarianceScaling: the variance is scale over a number of
// inputs or outputs.
func scaling(scale float64, mode, distribution string) func(Initializer, tensor.Shape) generator {
	return func(_ Initializer, s tensor.Shape) generator {
		in, out := fans(s)
		n := map[string]float64{"fan_in": in, "fan_out": out, "fan_avg": (in + out) / 2}[mode]
		variance := scale / max(n, 1)
		switch distribution {
		case "uniform":
			limit := math.Sqrt(3 * variance)
			return uniform(-limit, limit)
		case "untruncated_normal":
			return normal(0, math.Sqrt(variance), math.Inf(1))
		}
		const truncated = 0.87962566103423978 // standard deviation of N(0,1) cut at ±2
		return normal(0, math.Sqrt(variance)/truncated, 2)
	}
}

// fans is Keras's compute_fans: the inputs and outputs of a unit.
func fans(s tensor.Shape) (in, out float64) {
	switch len(s) {
	case 0:
		return 1, 1
	case 1:
		return float64(s[0]), float64(s[0])
	}
	field := 1.0
	for _, d := range s[:len(s)-2] {
		field *= float64(d)
	}
	return field * float64(s[len(s)-2]), field * float64(s[len(s)-1])
}

func uniform(low, high float64) generator {
	return func(r *rand.Rand) float64 { return low + float64(r.Float64()*(high-low)) }
}

// normal draws by Marsaglia's polar method, again beyond limit deviations.
func normal(mean, stddev, limit float64) generator {
	return func(r *rand.Rand) float64 {
		for {
			u, v := signed(r), signed(r)
			s := float64(u*u) + float64(v*v)
			if s >= 1 || s == 0 {
				continue
			}
			if z := u * math.Sqrt(-2*libm.Log(s)/s); math.Abs(z) <= limit {
				return mean + float64(z*stddev)
			}
		}
	}
}

// signed draws from [-1, 1).
func signed(r *rand.Rand) float64 { return float64(int64(r.Uint64())>>11) / (1 << 52) }

// maxWeight bounds the elements of a weight that is initialized.
const maxWeight = min(1<<31, math.MaxInt)

// sample makes a weight. Its values depend on the seed and the weight's path.
func (i Initializer) sample(s tensor.Shape, seed uint64, path string) (tensor.Tensor, error) {
	make, ok := initializers[i.class]
	if !ok {
		return tensor.Tensor{}, fmt.Errorf("initializer %q: %w", i.class, tensor.ErrUnsupported)
	}
	n, err := s.Elems()
	if err != nil {
		return tensor.Tensor{}, err
	}
	if n > maxWeight {
		return tensor.Tensor{}, fmt.Errorf("%d elements: %w", n, tensor.ErrLimit)
	}
	h := fnv.New64a()
	h.Write([]byte(path))
	draw, r := make(i, s), rand.New(rand.NewPCG(seed, h.Sum64()))
	t, err := tensor.Zeros(tensor.Float32, s)
	if err != nil {
		return t, err
	}
	for k := range tensor.View[float32](t.Bytes()) {
		tensor.View[float32](t.Bytes())[k] = float32(draw(r))
	}
	return t, nil
}

// config returns the initializer as Keras writes it, without parameters that are
// null: not all versions of Keras know each other's.
func (i Initializer) config() map[string]any {
	params := map[string]any{}
	for k, v := range i.params {
		if v != nil {
			params[k] = v
		}
	}
	return map[string]any{"module": "keras.initializers", "class_name": i.class, "config": params, "registered_name": nil}
}
