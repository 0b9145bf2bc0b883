package fixed

import (
	"fmt"
	"hash/fnv"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/internal/libm"
)

// tfliteCase is one record of testdata/tflite.json: a single operator run by
// LiteRT's reference kernels. An empty Input stands for all values of the
// 8- or 16-bit input type in order.
type tfliteCase struct {
	Op           string
	SIn, SOut    float32
	ZIn, ZOut    int32
	Input        []int32
	Depth        int
	Out          []int32
	FNV          string
	Every1024    []int32
	Weight, Bias int64
	SWeight      float32
}

func TestTFLiteOperators(t *testing.T) {
	var cases []tfliteCase
	readJSON(t, "testdata/tflite.json", &cases)
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%g/%g", c.Op, c.SIn, c.SOut), func(t *testing.T) {
			got := tfliteOperators[c.Op](t, c)
			if c.FNV == "" {
				if diff := cmp.Diff(c.Out, got); diff != "" {
					t.Fatalf("output differs (-want +got):\n%s", diff)
				}
				return
			}
			h := fnv.New64a()
			for i, v := range got {
				h.Write([]byte{byte(v), byte(v >> 8)})
				if i%1024 == 0 && v != c.Every1024[i/1024] {
					t.Fatalf("output %d is %d, want %d", i, v, c.Every1024[i/1024])
				}
			}
			if sum := fmt.Sprintf("%016x", h.Sum64()); sum != c.FNV {
				t.Errorf("hash of all outputs %s, want %s", sum, c.FNV)
			}
		})
	}
}

// each applies f to all int8 or int16 values.
func each(bits int, f func(x int32) int32) []int32 {
	n := int32(1) << bits
	out := make([]int32, 0, n)
	for x := -n / 2; x < n/2; x++ {
		out = append(out, f(x))
	}
	return out
}

func clamp8(x int32) int32  { return min(max(x, -128), 127) }
func clamp16(x int32) int32 { return int32(SaturateInt16(x)) }

// tfliteOperators computes each operator of the goldens from this package's
// functions, as the reference kernels do.
var tfliteOperators = map[string]func(*testing.T, tfliteCase) []int32{
	"LOGISTIC16": func(_ *testing.T, c tfliteCase) []int32 {
		m, shift := PrepareLogistic16(c.SIn)
		return each(16, func(x int32) int32 { return int32(Logistic16(int16(x), m, shift)) })
	},
	"TANH16": func(_ *testing.T, c tfliteCase) []int32 {
		m, shift := PrepareTanh16(c.SIn)
		return each(16, func(x int32) int32 { return int32(Tanh16(int16(x), m, shift)) })
	},
	"REQUANTIZE8": func(_ *testing.T, c tfliteCase) []int32 {
		m, shift := QuantizeMultiplier(float64(c.SIn) / float64(c.SOut))
		return each(8, func(x int32) int32 {
			return clamp8(MultiplyByQuantizedMultiplier(x-c.ZIn, m, shift) + c.ZOut)
		})
	},
	"REQUANTIZE16": func(_ *testing.T, c tfliteCase) []int32 {
		m, shift := QuantizeMultiplier(float64(c.SIn) / float64(c.SOut))
		return each(16, func(x int32) int32 { return clamp16(MultiplyByQuantizedMultiplier(x, m, shift)) })
	},
	"LOGISTIC8": func(_ *testing.T, c tfliteCase) []int32 { return lut8(c, libm.Sigmoidf) },
	"TANH8":     func(_ *testing.T, c tfliteCase) []int32 { return lut8(c, libm.Tanhf) },
	"EXP8":      func(_ *testing.T, c tfliteCase) []int32 { return lut8(c, libm.Expf) },
	"EXP16": func(_ *testing.T, c tfliteCase) []int32 {
		table := LUTPopulateInt16(c.SIn, c.ZIn, c.SOut, c.ZOut, libm.Expf)
		return each(16, func(x int32) int32 { return int32(LUTLookupInt16(int16(x), table)) })
	},
	"RSQRT8":            rsqrt8,
	"HARD_SWISH8":       hardSwish8,
	"SOFTMAX8":          softmax8,
	"LOG_SOFTMAX8":      logSoftmax8,
	"SOFTMAX16":         softmax16,
	"CONV_2D16":         conv16,
	"FULLY_CONNECTED8":  fullyConnected,
	"FULLY_CONNECTED16": fullyConnected,
}

func lut8(c tfliteCase, f func(float32) float32) []int32 {
	table := LUTPopulateInt8(c.SIn, c.ZIn, c.SOut, c.ZOut, f)
	return each(8, func(x int32) int32 { return int32(table[uint8(x)]) })
}

func rsqrt8(_ *testing.T, c tfliteCase) []int32 {
	const keep = 20
	m, shift := QuantizeMultiplier(1 / float64(float32(math.Sqrt(float64(c.SIn)))*c.SOut))
	return each(8, func(x int32) int32 {
		if x == c.ZIn {
			return 127
		}
		inv, invShift := GetInvSqrtQuantizedMultiplierExp(x-c.ZIn, -1)
		y := MultiplyByQuantizedMultiplier(1, inv, invShift+keep)
		return clamp8(MultiplyByQuantizedMultiplier(y, m, shift-keep) + c.ZOut)
	})
}

func hardSwish8(_ *testing.T, c tfliteCase) []int32 {
	hires := c.SIn * (1.0 / 128)
	m32, outShift := QuantizeMultiplier(float64(hires / c.SOut))
	outMultiplier := DownScaleInt32ToInt16Multiplier(m32)
	m32, reluShift := QuantizeMultiplier(float64(hires / (3.0 / 32768)))
	reluMultiplier := DownScaleInt32ToInt16Multiplier(m32)
	return each(8, func(x int32) int32 {
		v := int16((x - c.ZIn) * 128)
		preshift := SaturatingRoundingDoublingHighMul16(v, outMultiplier)
		relu := v
		if reluShift > 0 {
			relu = SaturatingLeftShift16(relu, reluShift-1)
		}
		relu = SaturatingRoundingDoublingHighMul16(relu, reluMultiplier)
		if reluShift > 0 {
			relu = SaturatingLeftShift16(relu, 1)
		} else {
			relu = RoundingDivideByPOT(relu, -reluShift)
		}
		relu = int16((int32(relu) + 1<<15) >> 1)
		y := RoundingDivideByPOT(SaturatingDoublingHighMul16(relu, preshift), -outShift)
		return clamp8(int32(y) + c.ZOut)
	})
}

// rows calls f with each row of c.Input and its greatest value.
func rows(c tfliteCase, f func(row []int32, greatest int32)) {
	for i := 0; i < len(c.Input); i += c.Depth {
		row := c.Input[i : i+c.Depth]
		greatest := row[0]
		for _, x := range row {
			greatest = max(greatest, x)
		}
		f(row, greatest)
	}
}

func softmax8(t *testing.T, c tfliteCase) (out []int32) {
	m, shift, ok := PreprocessSoftmaxScaling(1, float64(c.SIn), 5)
	if !ok {
		t.Fatal("PreprocessSoftmaxScaling refuses")
	}
	diffMin := -CalculateInputRadius(5, shift, 31)
	exp := func(diff int32) int32 {
		return ExpOnNegativeValues(MultiplyByQuantizedMultiplierGreaterThanOne(diff, m, shift), 5)
	}
	rows(c, func(row []int32, greatest int32) {
		var sum int32
		for _, x := range row {
			if x-greatest >= diffMin {
				sum += Rescale(exp(x-greatest), 0, 12)
			}
		}
		scale, over := GetReciprocal(sum, 12)
		for _, x := range row {
			if x-greatest < diffMin {
				out = append(out, -128)
				continue
			}
			y := RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(scale, exp(x-greatest)), over+31-8)
			out = append(out, clamp8(y-128))
		}
	})
	return out
}

func logSoftmax8(t *testing.T, c tfliteCase) (out []int32) {
	m, shift, reverse, reverseShift, ok := PreprocessLogSoftmaxScalingExp(1, float64(c.SIn), 5)
	if !ok {
		t.Fatal("PreprocessLogSoftmaxScalingExp refuses")
	}
	diffMin := -CalculateInputRadius(5, shift, 31)
	rows(c, func(row []int32, greatest int32) {
		var sum int32
		for _, x := range row {
			if x-greatest >= diffMin {
				sum += Rescale(ExpOnNegativeValues(MultiplyByQuantizedMultiplier(x-greatest, m, shift), 5), 0, 12)
			}
		}
		log := LogXForXGreaterThanOrEqualTo1(sum, 12, 5)
		adjusted := max(diffMin-1, MultiplyByQuantizedMultiplier(log+math.MinInt32, reverse, reverseShift))
		for _, x := range row {
			if x-greatest <= adjusted {
				out = append(out, -128)
				continue
			}
			y := MultiplyByQuantizedMultiplier(x-greatest, m, shift) - log
			out = append(out, clamp8(RoundingDivideByPOT(y, 31-5-4)+127))
		}
	})
	return out
}

func softmax16(_ *testing.T, c tfliteCase) (out []int32) {
	const span = 65535
	expTable := LUTPopulateInt16Double(10.0/span, math.MaxInt16, 2.0/span, 0, libm.Exp)
	reciprocalTable := LUTPopulateInt16Double(1.0/span, math.MinInt16, 2.0/span, 0, func(x float64) float64 { return 1 / (1 + x) })
	m, shift := QuantizeMultiplier(float64(c.SIn) / (10.0 / 65535.0))
	rows(c, func(row []int32, greatest int32) {
		var sum int32
		exps := make([]int32, len(row))
		for i, x := range row {
			scaled := MultiplyByQuantizedMultiplier(x-greatest, m, shift) + 32767
			exps[i] = int32(LUTLookupInt16(SaturateInt16(scaled), expTable))
			sum += exps[i]
		}
		headroom := CountLeadingZeros(uint32(sum))
		shifted := int32((int64(sum)<<(headroom-1) + 1<<13) >> 14)
		reciprocal := LUTLookupInt16(SaturateInt16(shifted-(1<<15+1<<16)), reciprocalTable)
		right := 31 - headroom
		for _, e := range exps {
			y := int32((int64(e)*int64(reciprocal) + 1<<(right-1)) >> right)
			out = append(out, min(max(y, 0), 32767))
		}
	})
	return out
}

func conv16(_ *testing.T, c tfliteCase) (out []int32) {
	m, shift := QuantizeMultiplier(float64(c.SIn) * float64(c.SWeight) / float64(c.SOut))
	for _, x := range c.Input {
		acc := int64(x)*c.Weight + c.Bias
		out = append(out, clamp16(MultiplyByQuantizedMultiplier64(acc, m, shift)))
	}
	return out
}

func fullyConnected(_ *testing.T, c tfliteCase) (out []int32) {
	scale := float64(c.SIn) * float64(c.SWeight) / float64(c.SOut)
	for _, x := range c.Input {
		y := MultiplyByEffectiveScale(int64(x)*c.Weight+c.Bias, scale)
		if c.Op == "FULLY_CONNECTED8" {
			out = append(out, clamp8(y))
		} else {
			out = append(out, clamp16(y))
		}
	}
	return out
}
