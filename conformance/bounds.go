package conformance

// Bound is how far float results of an operator may be from LiteRT's reference kernels,
// in ulps of the largest finite result of the tensor, by engine.
type Bound struct {
	Reference, Fast float64
	Why             string
}

// Bounds lists the operators whose floats are not exact. Integers, booleans and strings
// always are. Fast kernels without a fused activation may leave infinite what the
// reference clamps to ±MaxFloat32.
var Bounds = map[string]Bound{
	"Convolution2DTransposeBias":   {8, 8, "XNNPACK, the only oracle, adds in another order"},
	"CONV_2D":                      {0, 16, "sums in another order, fused multiply-adds"},
	"FULLY_CONNECTED":              {0, 16, "sums in another order, fused multiply-adds"},
	"RFFT2D":                       {1, 1, "rounded from float64 sums in another order"},
	"ATAN2":                        {1, 1, "float64: the C library's is not correctly rounded"},
	"GELU":                         {4, 4, "LiteRT takes erfc from Eigen, which errs by some ulps"},
	"LOCAL_RESPONSE_NORMALIZATION": {4, 4, "LiteRT takes pow from Eigen"},
}
