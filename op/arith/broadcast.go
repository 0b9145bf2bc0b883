// Package arith holds element-wise arithmetic on two operands or more.
package arith

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/elementwise"
	"github.com/litequant/litequant/tensor"
)

// element is what the plain kernels compute on.
type element interface {
	int8 | int16 | int32 | uint32 | int64 | float32
}

// plain is a kernel without quantization: f, then a clamp.
func plain[T element](f func(x, y T) T, clamp func(c *op.Call) (lo, hi T, err error)) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		lo, hi, err := clamp(c)
		if err != nil {
			return op.Kernel{}, err
		}
		return elementwise.Binary(func(x, y T) T {
			v := f(x, y)
			if v < lo {
				v = lo
			}
			if hi < v {
				v = hi
			}
			return v
		})(c)
	}
}

// plainHalf is plain in binary16: f is rounded before the clamp, which is at most
// ±65504.
func plainHalf(f func(x, y float32) float32, act func(*graph.Node) fb.ActivationFunctionType) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		lo, hi := op.FloatRange(act(c.Node))
		const largest = 65504
		lo, hi = max(lo, -largest), min(hi, largest)
		return elementwise.HalfBinary(func(x, y float32) float32 {
			return op.Clamp(tensor.Float16ToFloat32(tensor.Float32ToFloat16(f(x, y))), lo, hi)
		})(c)
	}
}

// perTensor fails if a fact has several scales or unusable ones. Scale and zero
// point of one without parameters are 0, with which LiteRT computes as with others.
func perTensor(facts ...*op.Fact) error {
	for _, f := range facts {
		if f.Quant.IsZero() {
			continue
		}
		if err := f.Quantized(); err != nil {
			return err
		}
	}
	return nil
}
