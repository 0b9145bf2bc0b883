// Package spectral holds Fourier and Hadamard transforms and what is made of them:
// spectrograms and cepstra. Fourier transforms are computed in float64 and rounded
// once; LiteRT's differ from them in the last bit.
package spectral

import (
	"github.com/litequant/litequant/op"
)

// Defs lists the package's operators.
var Defs = []*op.Def{RFFT2D, AudioSpectrogram, Mfcc, HadamardRotation}

// float marks operators that quantizers leave in real numbers.
var float = op.Quant{None: true}

func version1(*op.Call) int { return 1 }
