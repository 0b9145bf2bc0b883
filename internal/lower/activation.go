package lower

import (
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

var activationRules = table{
	"Relu":       {1, relu},
	"Relu6":      unary(schema.RELU6),
	"Sigmoid":    unary(schema.LOGISTIC),
	"Tanh":       unary(schema.TANH),
	"Elu":        unary(schema.ELU),
	"LogSoftmax": unary(schema.LOG_SOFTMAX),
	"LeakyRelu": {1, func(c *call) {
		c.done(c.emit(schema.LEAKY_RELU, &fb.LeakyReluOptionsT{Alpha: c.floatAttr("alpha", 0.2)}, c.in[0]))
	}},
	"Softmax": {1, func(c *call) { c.done(c.emit(schema.SOFTMAX, &fb.SoftmaxOptionsT{Beta: 1}, c.in[0])) }},
	"Softplus": {1, func(c *call) {
		c.done(c.emit(schema.LOG, nil, c.emit(schema.ADD, addOptions(), c.emit(schema.EXP, nil, c.in[0]), c.float(1))))
	}},
	"Softsign": {1, func(c *call) {
		c.done(c.emit(schema.DIV, divOptions(), c.in[0], c.emit(schema.ADD, addOptions(), c.emit(schema.ABS, nil, c.in[0]), c.float(1))))
	}},
}

// relu of integers is MAXIMUM with zero: TFLite's RELU is for floats.
func relu(c *call) {
	switch d := c.dtype(c.in[0]); d {
	case tensor.Int32:
		c.done(c.emit(schema.MAXIMUM, nil, c.in[0], c.int32s(tensor.Shape{}, nil, 0)))
	case tensor.Float32:
		c.done(c.emit(schema.RELU, nil, c.in[0]))
	default:
		c.unsupported("RELU of %v", d)
	}
}
