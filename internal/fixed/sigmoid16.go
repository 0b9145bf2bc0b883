package fixed

import (
	"math"

	"github.com/litequant/litequant/internal/libm"
)

// sigmoidTable is TFLite's sigmoid_table_uint16: sigmoid(i/24) in Q0.16, each
// value biased by half the error that linear interpolation has at the middle
// of its interval; the last one saturates.
var sigmoidTable = makeSigmoidTable()

func makeSigmoidTable() (table [256]uint16) {
	sigmoid := func(x float64) float64 { return 1 / (1 + libm.Exp(-x)) }
	for i := range 255 {
		x, mid, next := float64(i)/24, (float64(i)+0.5)/24, float64(i+1)/24
		midError := float64((sigmoid(x)+sigmoid(next))/2) - sigmoid(mid)
		table[i] = uint16(math.Round((sigmoid(x) - float64(midError/2)) * (1 << 16)))
	}
	table[255] = math.MaxUint16
	return table
}

// PrepareLogistic16 returns the parameters of Logistic16 for an input scale.
// A scale of about 2^-12 needs no multiplier and gives (3, 0).
func PrepareLogistic16(inputScale float32) (m int32, shift int) {
	return prepareSigmoid16(inputScale, 0)
}

// PrepareTanh16 returns the parameters of Tanh16 for an input scale. Scales
// of about 2^-12 and 2^-11 need no multiplier and give (3, 0) and (6, 0).
func PrepareTanh16(inputScale float32) (m int32, shift int) { return prepareSigmoid16(inputScale, 1) }

// prepareSigmoid16 rescales to 1/(3·4096): the table spans [0, 10.7). Powers
// of two from 2^-12 up to 2^(maxLeftShift-12) are exact; other scales get a
// multiplier of 15 bits, truncated as in TFLite.
func prepareSigmoid16(inputScale float32, maxLeftShift int) (m int32, shift int) {
	log2, pot := CheckedLog2(inputScale)
	if left := log2 + 12; pot && left >= 0 && left <= maxLeftShift {
		return 3 << left, 0
	}
	real := float64(inputScale) * 4096 * 3
	for real <= 32767.0/2 && shift <= 30 {
		shift++
		real *= 2
	}
	return ToInt32(math.Trunc(real)), shift
}

// rescaleSigmoid16 returns round(x·m/2^shift), ties toward +∞, and its
// magnitude.
func rescaleSigmoid16(x int16, m int32, shift int) (rescaled int32, abs uint32) {
	var round int32
	if shift > 0 {
		round = 1 << uint(shift-1)
	}
	rescaled = (int32(x)*m + round) >> uint(shift)
	if rescaled < 0 {
		return rescaled, uint32(-rescaled)
	}
	return rescaled, uint32(rescaled)
}

// Logistic16 returns 1/(1+exp(-x)) in Q0.15 for an int16 x whose scale gave m
// and shift (the int16 reference_integer_ops::Logistic).
func Logistic16(x int16, m int32, shift int) int16 {
	rescaled, abs := rescaleSigmoid16(x, m, shift)
	result := uint32(0x7FFF << 10)
	if i := abs >> 9; i < 255 {
		a, b := uint32(sigmoidTable[i]), uint32(sigmoidTable[i+1])
		result = a<<9 + (abs&0x1FF)*(b-a)
	}
	if rescaled >= 0 {
		result += 1 << 9
	} else {
		result = 1<<25 - result + 1<<9 - 1
	}
	return int16(result >> 10)
}

// Tanh16 returns tanh(x) in Q0.15 for an int16 x whose scale gave m and shift
// (the int16 reference_integer_ops::Tanh): 2·sigmoid(2x)-1 from the same
// table.
func Tanh16(x int16, m int32, shift int) int16 {
	rescaled, abs := rescaleSigmoid16(x, m, shift)
	result := int32(0xFFFF << 8)
	if i := abs >> 8; i < 255 {
		a, b := uint32(sigmoidTable[i]), uint32(sigmoidTable[i+1])
		result = int32(a<<8 + (abs&0xFF)*(b-a))
	}
	if rescaled >= 0 {
		result += -1<<23 + 1<<7
	} else {
		result = -result + 1<<23 + 1<<7 - 1
	}
	return int16(result >> 8)
}
