// Package fused holds what fusecheck must find and what it must not.
package fused

import "math"

// Bad is compiled to one fused instruction where there is one.
func Bad(x, y, z float32) float32 { return x*y + z }

// Good is not.
func Good(x, y, z float32) float32 { return float32(x*y) + z }

// Asked is one on purpose.
func Asked(x, y, z float64) float64 { return math.FMA(x, y, z) }
