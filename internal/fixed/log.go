package fixed

// LogXForXGreaterThanOrEqualTo1 returns log(x) with outputBits integer bits
// for x ≥ 1 with inputBits integer bits (TFLite's
// log_x_for_x_greater_than_or_equal_to_1). A raw x ≤ 0, undefined in C++,
// gives an unspecified value.
func LogXForXGreaterThanOrEqualTo1(x int32, inputBits, outputBits int) int32 {
	const (
		log2         = 1488522236 // log 2, no integer bits
		sqrtSqrtHalf = 1805811301 // 0.5^(1/4)
		sqrtHalf     = 1518500250 // 0.5^(1/2)
		oneQuarter   = 536870912
		alphaN       = 117049297  // 11/240·2^(1/4)
		alphaD       = 127690142  // 1/20·2^(1/4)
		alphaI       = 1057819769 // 2/2^(1/4) - 2^(1/4)
		alphaF       = 638450708  // 1/4·2^(1/4)
	)
	mul := SaturatingRoundingDoublingHighMul
	// One bit of headroom more than the result, since log2·exponent may saturate.
	accumBits := outputBits + 1
	quarter := Rescale[int32](oneQuarter, 0, accumBits)

	headroomPlus1 := CountLeadingZeros(uint32(x))
	ra := SaturatingRoundingMultiplyByPOT(mul(SaturatingRoundingMultiplyByPOT(x, headroomPlus1-1), sqrtHalf), 1)
	exponentA := SaturatingAdd32(SaturatingRoundingMultiplyByPOT(int32(inputBits-headroomPlus1), 31-accumBits), quarter)

	headroom := CountLeadingZeros(uint32(mul(x, sqrtHalf))) - 1
	rb := SaturatingRoundingMultiplyByPOT(x, headroom)
	exponentB := SaturatingSub32(SaturatingRoundingMultiplyByPOT(int32(inputBits-headroom), 31-accumBits), quarter)

	r := min(ra, rb)
	exponent := max(exponentA, exponentB)

	p := RoundingHalfSum(r, sqrtSqrtHalf)
	q := r - sqrtSqrtHalf
	q += q
	qq := mul(q, q)
	num := mul(q, r) + mul(mul(q, qq), alphaN)
	denomMinus1 := mul(p, alphaI+q+mul(alphaD, qq)) + mul(alphaF, q)
	recip := OneOverOnePlusXForXIn01(denomMinus1)
	return Rescale(mul(exponent, log2)+mul(Rescale(num, 0, accumBits), recip), accumBits, outputBits)
}

// GetReciprocal returns 1/x for raw x > 0 with integerBits integer bits, as a
// value with no integer bits to be shifted right by bitsOverUnit.
func GetReciprocal(x int32, integerBits int) (scale int32, bitsOverUnit int) {
	headroomPlus1 := CountLeadingZeros(uint32(x))
	minusOne := int32(uint32(x)<<headroomPlus1 - 1<<31)
	return OneOverOnePlusXForXIn01(minusOne), integerBits - headroomPlus1
}

// GetInvSqrtQuantizedMultiplierExp returns m and a right shift with
// 1/sqrt(input) ≈ m·2^(-31-shift), to about 19 bits. The shift is returned
// multiplied by reverseShift: -1 makes it the left shift that
// MultiplyByQuantizedMultiplier takes. Inputs 0 and 1 give (MaxInt32, 0);
// input is not negative.
func GetInvSqrtQuantizedMultiplierExp(input int32, reverseShift int) (m int32, shift int) {
	if input <= 1 {
		return maxRaw[int32](), 0
	}
	shift = 11
	for input >= 1<<29 {
		input /= 4
		shift++
	}
	pairs := (CountLeadingZeros(uint32(input))-1)/2 - 1
	shift -= pairs
	input <<= uint(2 * pairs)

	mul := SaturatingRoundingDoublingHighMul
	const halfThree = 1<<28 + 1<<27 // 1.5 with three integer bits
	halfInput := RoundingDivideByPOT(input>>1, 1)
	x := one[int32](3)
	for range 5 {
		x3 := Rescale(mul(mul(x, x), x), 9, 3)
		x = Rescale(mul(halfThree, x)-mul(halfInput, x3), 6, 3)
	}
	const halfSqrt2 = 1518500250
	m = mul(x, halfSqrt2)
	if shift < 0 {
		m <<= uint(-shift)
		shift = 0
	}
	return m, shift * reverseShift
}
