// Package libm holds the transcendental functions.
package libm
