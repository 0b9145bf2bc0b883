package lower

import (
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

var arithRules = table{
	"Add":               binary(schema.ADD, addOptions),
	"AddV2":             {2, addV2},
	"Sub":               binary(schema.SUB, subOptions),
	"Mul":               binary(schema.MUL, mulOptions),
	"RealDiv":           binary(schema.DIV, divOptions),
	"Div":               binary(schema.DIV, divOptions),
	"FloorDiv":          binary(schema.FLOOR_DIV, nil),
	"FloorMod":          binary(schema.FLOOR_MOD, nil),
	"Pow":               binary(schema.POW, nil),
	"Maximum":           binary(schema.MAXIMUM, nil),
	"Minimum":           binary(schema.MINIMUM, nil),
	"SquaredDifference": binary(schema.SQUARED_DIFFERENCE, nil),
	"Atan2":             binary(schema.ATAN2, nil),
	"AddN":              {1, addN},
	"BiasAdd":           {2, biasAdd},
	"Abs":               unary(schema.ABS),
	"Ceil":              unary(schema.CEIL),
	"Cos":               unary(schema.COS),
	"Exp":               unary(schema.EXP),
	"Floor":             unary(schema.FLOOR),
	"Log":               unary(schema.LOG),
	"Neg":               unary(schema.NEG),
	"Round":             unary(schema.ROUND),
	"Rsqrt":             unary(schema.RSQRT),
	"Sign":              unary(schema.SIGN),
	"Sin":               unary(schema.SIN),
	"Sqrt":              unary(schema.SQRT),
	"Square":            unary(schema.SQUARE),
	"Log1p": {1, func(c *call) {
		c.done(c.emit(schema.LOG, nil, c.emit(schema.ADD, addOptions(), c.in[0], c.float(1))))
	}},
	"Cast": {1, cast},
}

// Two of the options hold a default that is no zero value.
func addOptions() any { return &fb.AddOptionsT{PotScaleInt16: true} }
func subOptions() any { return &fb.SubOptionsT{PotScaleInt16: true} }
func mulOptions() any { return &fb.MulOptionsT{} }
func divOptions() any { return &fb.DivOptionsT{} }

// addN of two is ADD, as nothing is gained by ADD_N.
func addN(c *call) {
	switch len(c.in) {
	case 1:
		c.done(c.in[0])
	case 2:
		c.done(c.emit(schema.ADD, addOptions(), c.in[0], c.in[1]))
	default:
		c.done(c.emit(schema.ADD_N, nil, c.in...))
	}
}

// biasAdd adds along the channels.
func biasAdd(c *call) {
	bias := c.in[1]
	if c.channelsFirst() {
		shape := make(tensor.Shape, max(c.rank(c.in[0])-1, 1))
		for i := range shape {
			shape[i] = 1
		}
		shape[0] = c.dim(c.shape(bias), 0)
		bias = c.reshaped(bias, shape)
	}
	c.done(c.emit(schema.ADD, addOptions(), c.in[0], bias))
}

func castOptions(from, to tensor.DType) any {
	return &fb.CastOptionsT{InDataType: fb.TensorType(from), OutDataType: fb.TensorType(to)}
}

func cast(c *call) {
	from, to := c.dtype(c.in[0]), c.typeAttr("DstT", tensor.Float32)
	if from == to {
		c.done(c.in[0])
		return
	}
	y := c.emitAs(to, schema.CAST, castOptions(from, to), c.in[0])
	if to == tensor.Int32 || to == tensor.Int64 {
		c.know(y, c.ints(c.in[0]))
	}
	c.done(y)
}
