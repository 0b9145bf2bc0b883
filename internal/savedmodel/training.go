package savedmodel

// Attributes by which nodes tell those who train a graph what the form for
// inference leaves out. TensorFlow ignores attributes that begin with an underscore.
const (
	// DropoutRateAttr is the rate, a float, of the dropout that an Identity stands for.
	DropoutRateAttr = "_dropout_rate"
	// AverageFactorAttr marks the last node of a batch normalization that is not
	// frozen: 1 − momentum, the weight of a batch in the moving statistics.
	AverageFactorAttr = "_exponential_avg_factor"
)
