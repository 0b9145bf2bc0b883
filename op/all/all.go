// Package all is the list of every operator family.
package all

import (
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/activation"
	"github.com/litequant/litequant/op/arith"
	"github.com/litequant/litequant/op/compare"
	"github.com/litequant/litequant/op/control"
	"github.com/litequant/litequant/op/conv"
	"github.com/litequant/litequant/op/dense"
	"github.com/litequant/litequant/op/embedding"
	"github.com/litequant/litequant/op/pool"
	"github.com/litequant/litequant/op/quantop"
	"github.com/litequant/litequant/op/random"
	"github.com/litequant/litequant/op/recurrent"
	"github.com/litequant/litequant/op/reduce"
	"github.com/litequant/litequant/op/resource"
	"github.com/litequant/litequant/op/segment"
	"github.com/litequant/litequant/op/selection"
	"github.com/litequant/litequant/op/shape"
	"github.com/litequant/litequant/op/spectral"
	"github.com/litequant/litequant/op/stablehlo"
	"github.com/litequant/litequant/op/unary"
)

// Set returns TFLite's operators.
func Set() op.Set {
	return op.NewSet(activation.Defs, arith.Defs, compare.Defs, control.Defs, conv.Defs, dense.Defs, embedding.Defs, pool.Defs, quantop.Defs, random.Defs, recurrent.Defs, reduce.Defs, resource.Defs, segment.Defs, selection.Defs, shape.Defs, spectral.Defs, stablehlo.Defs, unary.Defs)
}
