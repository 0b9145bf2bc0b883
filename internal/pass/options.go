package pass

import (
	"github.com/litequant/litequant/internal/schema/fb"
)

// activation is an option struct's copy with the place of its fused activation.
type activation struct {
	options any
	fused   *fb.ActivationFunctionType
}

// activationOf copies an option struct that has a fused activation; ok is false
// for others.
func activationOf(options any) (a activation, ok bool) {
	switch o := options.(type) {
	case *fb.Conv2DOptionsT:
		c := *o
		return activation{&c, &c.FusedActivationFunction}, true
	case *fb.DepthwiseConv2DOptionsT:
		c := *o
		return activation{&c, &c.FusedActivationFunction}, true
	case *fb.FullyConnectedOptionsT:
		c := *o
		return activation{&c, &c.FusedActivationFunction}, true
	case *fb.TransposeConvOptionsT:
		c := *o
		return activation{&c, &c.FusedActivationFunction}, true
	case *fb.Pool2DOptionsT:
		c := *o
		return activation{&c, &c.FusedActivationFunction}, true
	case *fb.AddOptionsT:
		c := *o
		return activation{&c, &c.FusedActivationFunction}, true
	case *fb.SubOptionsT:
		c := *o
		return activation{&c, &c.FusedActivationFunction}, true
	case *fb.MulOptionsT:
		c := *o
		return activation{&c, &c.FusedActivationFunction}, true
	case *fb.DivOptionsT:
		c := *o
		return activation{&c, &c.FusedActivationFunction}, true
	}
	return activation{}, false
}

// fusedOf returns the fused activation of an option struct, NONE if it has none.
func fusedOf(options any) fb.ActivationFunctionType {
	if a, ok := activationOf(options); ok {
		return *a.fused
	}
	return fb.ActivationFunctionTypeNONE
}

// linear reports whether options fuse no activation.
func linear(options any) bool { return fusedOf(options) == fb.ActivationFunctionTypeNONE }

// withFused returns a copy of options with another fused activation; options
// without a place for one are returned as they are.
func withFused(options any, f fb.ActivationFunctionType) any {
	a, ok := activationOf(options)
	if !ok {
		return options
	}
	*a.fused = f
	return a.options
}
