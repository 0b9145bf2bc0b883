package lower

import (
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

var reduceRules = table{
	"Mean":   reduction(schema.MEAN),
	"Sum":    reduction(schema.SUM),
	"Max":    reduction(schema.REDUCE_MAX),
	"Min":    reduction(schema.REDUCE_MIN),
	"Prod":   reduction(schema.REDUCE_PROD),
	"Any":    reduction(schema.REDUCE_ANY),
	"All":    reduction(schema.REDUCE_ALL),
	"ArgMax": {2, func(c *call) { arg(c, schema.ARG_MAX) }},
	"ArgMin": {2, func(c *call) { arg(c, schema.ARG_MIN) }},
	"Cumsum": {2, func(c *call) {
		o := &fb.CumsumOptionsT{Exclusive: c.boolAttr("exclusive"), Reverse: c.boolAttr("reverse")}
		c.done(c.emit(schema.CUMSUM, o, c.in[0], c.index(c.in[1])))
	}},
}

// reduction lowers to an operator that reduces over the axes of operand 1.
func reduction(code schema.BuiltinOperator) row {
	return row{2, func(c *call) {
		c.done(c.emit(code, &fb.ReducerOptionsT{KeepDims: c.boolAttr("keep_dims")}, c.in[0], c.index(c.in[1])))
	}}
}

// arg finds an index along one axis.
func arg(c *call, code schema.BuiltinOperator) {
	d := c.typeAttr("output_type", tensor.Int64)
	var options any = &fb.ArgMaxOptionsT{OutputType: fb.TensorType(d)}
	if code == schema.ARG_MIN {
		options = &fb.ArgMinOptionsT{OutputType: fb.TensorType(d)}
	}
	c.done(c.emitAs(d, code, options, c.in[0], c.index(c.in[1])))
}
