package fixed

// constant narrows gemmlowp's int32 encoding of a constant to T.
func constant[T Raw](raw int32) T {
	return T(RoundingDivideByPOT(raw, 32-rawBits[T]()))
}

// constantPOT returns 2^exponent with integerBits integer bits.
func constantPOT[T Raw](integerBits, exponent int) T {
	return T(1) << uint(rawBits[T]()-1-integerBits+exponent)
}

// one returns 1 with integerBits integer bits; with none, the greatest T.
func one[T Raw](integerBits int) T {
	if integerBits == 0 {
		return maxRaw[T]()
	}
	return constantPOT[T](integerBits, 0)
}

// expOnIntervalBetweenNegativeOneQuarterAnd0Excl returns exp(a) for a in
// [-1/4, 0), a fourth-order Taylor expansion about -1/8. No integer bits.
func expOnIntervalBetweenNegativeOneQuarterAnd0Excl[T Raw](a T) T {
	expNegOneEighth := constant[T](1895147668)
	oneThird := constant[T](715827883)
	x := a + constantPOT[T](0, -3)
	x2 := mulRaw(x, x)
	x3 := mulRaw(x2, x)
	x4 := mulRaw(x2, x2)
	x4Over4 := RoundingDivideByPOT(x4, 2)
	tail := RoundingDivideByPOT(mulRaw(x4Over4+x3, oneThird)+x2, 1)
	return addSaturatingIf16Bit(expNegOneEighth, mulRaw(expNegOneEighth, x+tail))
}

// expOfNegativePowers holds exp(-2^k), k = -2 … 4, with no integer bits.
var expOfNegativePowers = [...]int32{1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242}

// ExpOnNegativeValues returns exp(a), with no integer bits, for a ≤ 0 with
// integerBits integer bits (exp_on_negative_values). exp(0) is the greatest T.
// integerBits is at most rawBits-3, so that 1/4 is representable.
func ExpOnNegativeValues[T Raw](a T, integerBits int) T {
	if a == 0 {
		return maxRaw[T]()
	}
	fractionalBits := rawBits[T]() - 1 - integerBits
	// a < -32 underflows; gemmlowp tests it only where a can be so small.
	if integerBits > 5 && a < -(T(1)<<uint(rawBits[T]()+4-integerBits)) {
		return 0
	}
	oneQuarter := constantPOT[T](integerBits, -2)
	aModQuarter := a&(oneQuarter-1) - oneQuarter
	result := expOnIntervalBetweenNegativeOneQuarterAnd0Excl(Rescale(aModQuarter, integerBits, 0))
	remainder := aModQuarter - a
	for i, c := range expOfNegativePowers {
		exponent := i - 2
		if integerBits <= exponent {
			break
		}
		if remainder>>uint(fractionalBits+exponent)&1 != 0 {
			result = mulRaw(result, constant[T](c))
		}
	}
	return result
}

// halfDenominatorReciprocal returns 2/(1+a) with two integer bits for a in
// [0, 1) with none: three Newton-Raphson steps on (1+a)/2 from 48/17 - 32/17·d.
func halfDenominatorReciprocal[T Raw](a T) T {
	halfDenominator := RoundingHalfSum(a, one[T](0))
	x := constant[T](1515870810) + mulRaw(halfDenominator, constant[T](-1010580540))
	for range 3 {
		residual := one[T](2) - mulRaw(halfDenominator, x)
		x += Rescale(mulRaw(x, residual), 4, 2)
	}
	return x
}

// OneOverOnePlusXForXIn01 returns 1/(1+a) for a in [0, 1), both with no
// integer bits (one_over_one_plus_x_for_x_in_0_1).
func OneOverOnePlusXForXIn01[T Raw](a T) T {
	return Rescale(halfDenominatorReciprocal(a), 1, 0)
}

// OneMinusXOverOnePlusXForXIn01 returns (1-a)/(1+a) for a in [0, 1), both
// with no integer bits (one_minus_x_over_one_plus_x_for_x_in_0_1).
func OneMinusXOverOnePlusXForXIn01[T Raw](a T) T {
	return Rescale(halfDenominatorReciprocal(a)-one[T](2), 2, 0)
}

// Logistic returns 1/(1+exp(-a)), with no integer bits, for a with
// integerBits integer bits.
func Logistic[T Raw](a T, integerBits int) T {
	if a == 0 {
		return constant[T](1 << 30)
	}
	negAbs := a
	if a > 0 {
		negAbs = -a
	}
	positive := OneOverOnePlusXForXIn01(ExpOnNegativeValues(negAbs, integerBits))
	if a > 0 {
		return positive
	}
	return one[T](0) - positive
}

// Tanh returns tanh(a), with no integer bits, for a with integerBits integer
// bits.
func Tanh[T Raw](a T, integerBits int) T {
	if a == 0 {
		return 0
	}
	negAbs := a
	if a > 0 {
		negAbs = -a
	}
	// One integer bit more doubles the value.
	t := OneMinusXOverOnePlusXForXIn01(ExpOnNegativeValues(negAbs, integerBits+1))
	if a < 0 {
		return -t
	}
	return t
}
