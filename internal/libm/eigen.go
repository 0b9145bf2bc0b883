package libm

import "math"

var (
	// numerator and denominator in x², lowest power first
	eigenTanhP = []float32{1.340216100e-1, 3.520756727e-3, 2.102733560e-5, 1.394553628e-8}
	eigenTanhQ = []float32{1, 4.673548340e-1, 2.597254514e-2, 3.326951409e-4, 8.015776984e-7}
)

// EigenTanhf is the hyperbolic tangent as Eigen has it for floats (ptanh_float), a
// rational function within some ulps.
func EigenTanhf(x float32) float32 {
	const top = 7.90738964080810547
	x = max(-top, min(x, top))
	y := float32(x * x)
	p := hornerf(y, eigenTanhP)
	return (float32(float32(y*x)*p) + x) / hornerf(y, eigenTanhQ)
}

// EigenLogisticTop is where Eigen's logistic function becomes 1.
const EigenLogisticTop = 16.6355324

// EigenLogisticf is 1/(1+exp(-x)) as Eigen has it for packets of floats: exp(x/2) is a
// polynomial, which is squared.
func EigenLogisticf(x float32) float32 {
	if x < -104 {
		return 0
	}
	x = float32(min(x, EigenLogisticTop) * 0.5)
	m := float32(math.Floor(float64(float32(x*1.44269504088896341) + 0.5)))
	r := float32(m*-0.693359375) + x
	r = float32(m*2.12194440e-4) + r
	y := float32(r * r)
	even := float32(y*4.1898667812347412109375e-2) + 0.49999141693115234375
	odd := float32(y*8.33471305668354034423828125e-3) + 0.16666877269744873046875
	p := float32(y*(float32(r*odd)+even)) + (r + 1)
	e := float32(p * math.Float32frombits(uint32(int32(m)+127)<<23)) // p·2^m
	e = float32(e * e)
	return e / (1 + e)
}
