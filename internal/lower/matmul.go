package lower

import (
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
)

var matmulRules = table{
	"MatMul":        {2, func(c *call) { matMul(c, c.boolAttr("transpose_a"), c.boolAttr("transpose_b")) }},
	"BatchMatMul":   {2, batchMatMul},
	"BatchMatMulV2": {2, batchMatMul},
	"BatchMatMulV3": {2, batchMatMul},
}

// matMul is FULLY_CONNECTED: weights go from [in,out] to [out,in].
func matMul(c *call, transposeA, transposeB bool) {
	a, b := c.in[0], c.in[1]
	if transposeA {
		a = c.transpose(a, 1, 0)
	}
	if !transposeB {
		b = c.transpose(b, 1, 0)
	}
	c.done(c.emit(schema.FULLY_CONNECTED, &fb.FullyConnectedOptionsT{KeepNumDims: len(c.shape(a)) > 2}, a, b, graph.None))
}

// batchMatMul is a FULLY_CONNECTED where the right-hand side is a constant
// matrix.
func batchMatMul(c *call) {
	adjX, adjY := c.boolAttr("adj_x"), c.boolAttr("adj_y")
	if c.val(c.in[1]).IsConst() && c.isRank(c.in[1], 2) && (!adjX || c.isRank(c.in[0], 2)) {
		matMul(c, adjX, adjY)
		return
	}
	c.done(c.emit(schema.BATCH_MATMUL, &fb.BatchMatMulOptionsT{AdjX: adjX, AdjY: adjY}, c.in[0], c.in[1]))
}
